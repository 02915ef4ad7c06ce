// Package alarms decides when somebody must come: it folds a patient's chart
// into the lives of alarms. It alone knows limits and priorities.
//
// It promises that
//
//   - one episode is one alarm, under one identity, however often its log is
//     played again (identity.go);
//   - an alarm that is open goes on until its condition is seen to be over:
//     that samples stop, leads fall off or noise comes ends none;
//   - missing samples are a technical alarm and never a bodily one, and so are
//     records that were forgotten before anybody read them (lost.go).
//
// rules.go is the table of rules, condition.go the one small machine they all
// run on. DESIGN.md has the table in words, and why it is as it is.
package alarms

import (
	"fmt"
	"time"

	"heartwire/stages"
	"heartwire/topics"
)

// Name is the stage's name, and Version the version of its state's encoding.
const (
	Name    = "alarms"
	Version = 3
)

const (
	// restateEvery bounds how far back a reader must look to know all open alarms.
	restateEvery = time.Hour
	// A key of which nothing has been heard for so long is forgotten, unless
	// an alarm is open. The registry says the limits again when it is bound.
	forgetAfter = 10 * time.Minute
)

// Stage is the stage. It is for any number of keys and goroutines: all that it
// remembers is in the State.
func Stage() stages.Stage[State, *topics.Chart, *topics.Alarm] {
	return stages.Stage[State, *topics.Chart, *topics.Alarm]{Name: Name, Version: Version, Processor: processor{}, Migrate: migrate}
}

type processor struct{}

// Process folds one record of the chart. An error says what about it cannot be.
func (processor) Process(s *State, r topics.Record[*topics.Chart], emit func(*topics.Alarm)) error {
	s.patient = string(r.Key)
	c := r.Value
	switch k := c.GetKind().(type) {
	case *topics.Chart_Second:
		s.alive(c.GetTimeUs())
		s.judge(&r, k.Second, emit)
	case *topics.Chart_Limits:
		return s.limit(k.Limits)
	case *topics.Chart_Binding:
		s.alive(c.GetTimeUs())
		if !k.Binding.GetBound() {
			s.endAll(endMoved, emit)
		}
	case *topics.Chart_Gap:
		if k.Gap.GetCause() == topics.GapCause_GAP_CAUSE_OVERTAKEN {
			s.alive(c.GetTimeUs())
			s.lose()
		}
	case *topics.Chart_Episode:
		s.alive(c.GetTimeUs())
		return s.episode(&r, k.Episode, emit)
	case *topics.Chart_Vital, *topics.Chart_Variability:
	default:
		return fmt.Errorf("a chart record of no kind that this version knows")
	}
	return nil
}

// Advance counts time, and says open alarms again each hour.
func (processor) Advance(s *State, t *topics.Tick, emit func(*topics.Alarm)) error {
	s.time += t.Elapsed()
	s.idle += t.Elapsed()
	if !s.fresh {
		s.now += t.Elapsed().Microseconds()
	}
	s.fresh = false
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.phase.open() && s.time-c.saidAt >= restateEvery {
			c.saidAt = s.time
			a := s.alarm(i)
			a.GetState().Restated = true
			emit(a)
		}
	}
	return nil
}

// alive notes that the key is.
func (s *State) alive(us int64) {
	s.now, s.fresh, s.idle = max(s.now, us), true, 0
}

// judge puts each rule to what is known of this second. The table is in an
// order in which what inhibits comes before what is inhibited.
func (s *State) judge(r *topics.Record[*topics.Chart], sec *topics.Second, emit func(*topics.Alarm)) {
	s.quality = sec.GetQuality()
	s.watch(sec)
	for i := range rules {
		rule, limit := &rules[i], rules[i].limit(&s.limits)
		c := &s.conditions[i]
		e := event{sec, s.now, limit, unknown, s.inhibited(rule)}
		switch {
		case i == ruleDataLost:
			e.verdict, e.nowUs = s.lost(r)
		case i == ruleAFFast:
			e.verdict = s.fastAF(sec, limit, c.phase.open())
		case i == rulePVC && s.explained():
		case len(rule.of) > 0:
			e.verdict = s.rhythm(rule)
		default:
			e.verdict = rule.verdict(sec, limit, c.phase.open())
		}
		c.step(s, i, r, e, emit)
	}
}

// inhibited reports a rule for which a worse one speaks. One whose condition
// seems over, though it is still open, speaks only for what is less than HIGH:
// a heart that stood still and comes back far too fast is said at once. But a
// rate after VT or VF is still that of their beats, for as long as they calm.
func (s *State) inhibited(r *rule) bool {
	for _, by := range r.under {
		switch p := s.conditions[by].phase; {
		case p == active, p == calming && (r.priority < topics.Priority_PRIORITY_HIGH || r.lags && by != ruleAsystole):
			return true
		}
	}
	return false
}

// high reports that a HIGH alarm is open.
func (s *State) high() bool {
	for i := range s.conditions {
		if s.conditions[i].phase.open() && s.conditions[i].priority == topics.Priority_PRIORITY_HIGH {
			return true
		}
	}
	return false
}

func (s *State) endAll(reason string, emit func(*topics.Alarm)) {
	for i := range s.conditions {
		if c := &s.conditions[i]; c.phase.open() {
			c.end(s, i, reason, s.now, emit)
		}
		s.conditions[i] = condition{}
	}
	s.lostUs, s.heard = 0, [rhythms]heard{}
}

// alarm is the record of a rule's open alarm as it stands.
func (s *State) alarm(i int) *topics.Alarm {
	rule, c := &rules[i], &s.conditions[i]
	shown := c.value
	if !rule.beyond(shown, c.limit) {
		shown = c.worst // why it was said, not how well it is now
	}
	return &topics.Alarm{Patient: s.patient, TimeUs: s.now, Kind: &topics.Alarm_State{State: &topics.AlarmState{
		Id: c.id.String(), Version: c.version, Rule: rule.name, RuleVersion: rule.version,
		Priority: c.priority, Technical: rule.technical, Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE,
		Text: rule.text(shown, c.limit, c.detail), Value: c.value, Limit: c.limit, Unit: rule.unit,
		Lead: c.lead, Quality: c.quality, OnsetUs: c.onsetUs, RaisedUs: c.raisedUs,
		Worst: c.worst, LimitsVersion: s.limits.version,
	}}}
}
