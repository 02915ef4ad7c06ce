package alarms

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"heartwire/topics"
)

// machine is every phase by every happening, of a rule that must last 3 s. A
// plus is an alarm raised, a minus one ended, a question mark a candidate that
// is said as suppressed.
const machine = `
           over      lasted   within   clear     calm      unknown  doubtful  inhibited  inhibited,over  off    off,over
idle       pending   active+  idle     idle      idle      idle     held      idle       pending         idle   held
pending    pending   active+  idle?    idle?     idle?     idle?    held      idle?      pending         idle?  held
held       pending?  active+  idle?    idle?     idle?     idle?    held      idle?      pending?        idle?  held
active     active    active   active   calming   calming   active   active    idle-      idle-           idle-  idle-
calming    active    active   active   calming   idle-     active   active    idle-      idle-           idle-  idle-
`

// Each cell is put to the machine as the stage does it: by a second, the limit
// in force and the time for which the phase has held. One that cannot be, as a
// condition that has lasted while it is idle, is put by the limit that makes it so.
func TestTheConditionStateByEvent(t *testing.T) {
	rate := func(v float64) *topics.Second { return &topics.Second{Rate: &v, Quality: 0.9} }
	seconds := [happenings]*event{
		isOver: {second: rate(134), verdict: over}, hasLasted: {second: rate(134), verdict: over},
		isWithin: {second: rate(119), verdict: within}, isClear: {second: rate(72), verdict: clear}, isCalm: {second: rate(72), verdict: clear},
		isUnknown: {second: &topics.Second{Quality: 0.9}, verdict: unknown}, isDoubtful: {second: &topics.Second{Quality: 0.2}, verdict: over},
		isInhibited: {second: rate(72), verdict: clear}, isInhibitedBeyond: {second: rate(134), verdict: over},
		isOff: {second: rate(72), verdict: clear}, isOffBeyond: {second: rate(134), verdict: over},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-11s", "")
	for h := range happenings {
		fmt.Fprintf(&b, " %-9s", strings.ReplaceAll(h.String(), ", ", ","))
	}
	for p := range phases {
		fmt.Fprintf(&b, "\n%-11s", p)
		for h := range happenings {
			s, said := placed(p, h), ""
			e := *seconds[h]
			e.value, e.known = 134, e.verdict != unknown
			if got, _, _ := s.happening(ruleHRHigh, &e); got != h && !(got == isClear && h == isCalm) && !(got == isOver && h == hasLasted) {
				t.Errorf("%v in %v is taken for %v", h, p, got)
			}
			s.step(ruleHRHigh, &topics.Record[*topics.Chart]{Key: "p01"}, &e, func(a *topics.Alarm) {
				switch {
				case a.GetSuppressed() != nil:
					said += "?"
				case a.GetState().GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED:
					said += "-"
				case a.GetState().GetVersion() == 1:
					said += "+"
				default:
					said += "!"
				}
			})
			fmt.Fprintf(&b, " %-9s", s.conditions[ruleHRHigh].phase.String()+said)
		}
	}
	if got, want := strings.Fields(b.String()), strings.Fields(machine); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the machine is\n%s\nand must be\n%s", b.String(), machine)
	}
}

// placed is a state whose rule hr.high is in a phase, with all else as the happening wants it.
func placed(p phase, h happening) *State {
	s := &State{patient: "p01", time: time.Hour, now: 1e9}
	set := *defaults
	l := &set[ruleHRHigh]
	l.duration, l.off = 3*time.Second, h == isOff || h == isOffBeyond
	if h == isDoubtful {
		l.quality = 0.5
	}
	since := s.time - time.Second
	switch {
	case h == hasLasted && p == pending:
		since = s.time - 3*time.Second
	case h == hasLasted:
		l.duration = 0
	case h == isCalm && p == calming:
		since = s.time - calmBody
	case h == isInhibited || h == isInhibitedBeyond:
		s.conditions[ruleSVT] = condition{phase: active, open: &alarm{}}
	}
	s.limits.set, s.limits.force = (*[ruleCount]limit)(&set), set.inForce()
	s.conditions[ruleHRHigh] = condition{phase: p, since: since}
	if p.open() {
		s.conditions[ruleHRHigh].open = &alarm{version: 1, limit: 120, value: 134, worst: 134, saidWorst: 134, saidAt: s.time, base: topics.Priority_PRIORITY_MEDIUM, priority: topics.Priority_PRIORITY_MEDIUM}
	}
	return s
}

// Every rule can be seen: it has a name of its own, words and a version, and
// stands behind all that inhibit it, in the order of the built-in limits.
func TestTheTable(t *testing.T) {
	for i, r := range rules {
		b := builtIns[i]
		if r.name != b.Rule || r.unit != b.Unit || r.technical != b.Technical {
			t.Errorf("rule %d is %s in %q (technical: %t), and in topics %s in %q (%t)", i, r.name, r.unit, r.technical, b.Rule, b.Unit, b.Technical)
		}
		if r.version == 0 || r.words == "" || r.calm <= 0 || r.step <= 0 {
			t.Errorf("rule %d (%s) is incomplete", i, r.name)
		}
		for _, by := range r.under {
			if by >= i || builtIns[by].Priority < b.Priority {
				t.Errorf("rule %s is inhibited by %s, which is judged after it or is less", r.name, rules[by].name)
			}
		}
	}
	if len(builtIns) != ruleCount {
		t.Errorf("%d rules, and %d in topics", ruleCount, len(builtIns))
	}
}
