package alarms

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"heartwire/topics"
)

// machine is every phase by every event, of a rule that must last 3 s. Early
// and late are before and after the time for which the phase must hold.
const machine = `
            over     within   clear    unknown  inhibited  off
idle        pending  idle     idle     idle     pending    idle
pending     pending  idle     idle     idle     pending    idle
pending,3s  active+  idle     idle     idle     pending    idle
active      active   active   calming  active   idle-      idle-
calming     active   active   calming  active   idle-      idle-
calming,10s active   active   idle-    active   idle-      idle-
`

// A plus is an alarm raised, a minus one ended.
func TestTheMachineStateByEvent(t *testing.T) {
	phases := []struct {
		name string
		phase
		held time.Duration
	}{
		{"idle", idle, 0}, {"pending", pending, time.Second}, {"pending,3s", pending, 3 * time.Second},
		{"active", active, time.Minute}, {"calming", calming, time.Second}, {"calming,10s", calming, calmBody},
	}
	rate := func(v float64) *topics.Second { return &topics.Second{Rate: &v} }
	events := []struct {
		name string
		event
	}{
		{"over", event{second: rate(134), verdict: over}},
		{"within", event{second: rate(119), verdict: within}},
		{"clear", event{second: rate(72), verdict: clear}},
		{"unknown", event{second: &topics.Second{}, verdict: unknown}},
		{"inhibited", event{second: rate(134), verdict: over, inhibited: true}},
		{"off", event{second: rate(134), verdict: over, limit: limit{off: true}}},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-12s", "")
	for _, e := range events {
		fmt.Fprintf(&b, "%-11s", e.name)
	}
	for _, p := range phases {
		fmt.Fprintf(&b, "\n%-12s", p.name)
		for _, e := range events {
			s := &State{patient: "p01", time: time.Hour}
			c := &s.conditions[ruleHRHigh]
			c.phase, c.since, c.limit, c.version = p.phase, s.time-p.held, 120, 1
			c.worst, c.saidWorst, c.saidAt = 134, 134, s.time
			e.limit.value, e.limit.duration = 120, 3*time.Second
			said := ""
			c.step(s, ruleHRHigh, &topics.Record[*topics.Chart]{Key: "p01"}, e.event, func(a *topics.Alarm) {
				said += "+"
				if a.GetState().GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED {
					said = strings.TrimSuffix(said, "+") + "-"
				}
			})
			fmt.Fprintf(&b, "%-11s", c.phase.String()+said)
		}
	}
	if got, want := strings.Fields(b.String()), strings.Fields(machine); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the machine is\n%s\nand must be\n%s", b.String(), machine)
	}
}

// Every rule can be seen: it has a name of its own, words and a version, and
// stands behind all that inhibit it.
func TestTheTable(t *testing.T) {
	names := map[string]bool{}
	for i, r := range rules {
		if r.name == "" || names[r.name] || r.version == 0 || r.words == "" || r.calm <= 0 || r.step <= 0 {
			t.Errorf("rule %d (%s) is incomplete, or named twice", i, r.name)
		}
		if r.priority == topics.Priority_PRIORITY_UNSPECIFIED {
			t.Errorf("rule %s has no priority", r.name)
		}
		names[r.name] = true
		for _, by := range r.under {
			if by >= i || rules[by].priority < r.priority {
				t.Errorf("rule %s is inhibited by %s, which is judged after it or is less", r.name, rules[by].name)
			}
		}
	}
}
