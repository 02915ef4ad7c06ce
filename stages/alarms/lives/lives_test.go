package lives_test

import (
	"testing"

	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

const second = int64(1e6)

// said are the records of one alarm: what changed and when, in s.
func said(log *lives.Log, id string, p topics.Priority, changes ...any) {
	for i := 0; i < len(changes); i += 2 {
		what, at := changes[i].(string), int64(changes[i+1].(int))*second
		s := &topics.AlarmState{Id: id, Rule: topics.RuleVT, Priority: p, OnsetUs: 1 * second, RaisedUs: 3 * second, Change: &topics.Change{What: what}, Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE}
		switch what {
		case "latched":
			s.Condition, s.EndedUs = topics.AlarmCondition_ALARM_CONDITION_LATCHED, at-10*second
		case "reset":
			s.Condition, s.EndedUs, s.EndReason = topics.AlarmCondition_ALARM_CONDITION_ENDED, 20*second, "reset"
		case "restated":
			s.Restated = true
		}
		log.Take(&topics.Alarm{Patient: "p01", TimeUs: at, Kind: &topics.Alarm_State{State: s}})
	}
}

// A life has the first of each thing that people did, and ends when its condition
// was over, not when somebody reset it.
func TestALife(t *testing.T) {
	var log lives.Log
	high := topics.Priority_PRIORITY_HIGH
	said(&log, "a", high, "raised", 3, "acknowledged", 9, "sounding", 12, "acknowledged", 13, "rejected", 14, "timed-out", 15, "accepted", 16, "rejected", 17, "latched", 30, "restated", 3600, "reset", 4000)
	log.Take(&topics.Alarm{Patient: "p02", Kind: &topics.Alarm_Suppressed{Suppressed: &topics.Suppressed{Rule: topics.RuleHRHigh, Why: "short", Count: 4}}})
	list := log.Lives()
	if len(list) != 1 {
		t.Fatalf("%d lives, want 1", len(list))
	}
	want := lives.Life{Patient: "p01", ID: "a", Rule: topics.RuleVT, Priority: high, OnsetUs: 1 * second, RaisedUs: 3 * second, OverUs: 20 * second, End: "reset",
		AcknowledgedUs: 9 * second, AcceptedUs: 16 * second, RejectedUs: 14 * second, Rejections: 2, TimedOut: true, Begun: true}
	if *list[0] != want {
		t.Errorf("got  %+v\nwant %+v", *list[0], want)
	}
	if len(log.Candidates) != 1 || log.Candidates[0].Count != 4 || !log.Has("a") || log.Has("b") {
		t.Errorf("candidates %+v", log.Candidates)
	}
}

// An alarm whose priority is not said counts as HIGH.
func TestAnUnsaidPriorityIsHigh(t *testing.T) {
	var log lives.Log
	said(&log, "a", topics.Priority_PRIORITY_UNSPECIFIED, "raised", 3)
	if p := log.Lives()[0].Priority; p != topics.Priority_PRIORITY_HIGH {
		t.Errorf("%v", p)
	}
}

// What lies one over another, and outside of the span, counts once or not at all.
func TestMinutes(t *testing.T) {
	m := 60 * second
	list := []*lives.Life{
		{RaisedUs: 0, OverUs: 2 * m}, {RaisedUs: 1 * m, OverUs: 3 * m}, // 1..3 in the span: 2
		{RaisedUs: 5 * m, OverUs: 6 * m}, // 1
		{RaisedUs: 9 * m},                // open: 1
		{RaisedUs: 11 * m, OverUs: 12 * m},
		{RaisedUs: 5 * m, OverUs: 4 * m}, // momentary: it was over before it was raised
	}
	if got := lives.Minutes(list, 1*m, 10*m); got != 4 {
		t.Errorf("%v min, want 4", got)
	}
}
