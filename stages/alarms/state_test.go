package alarms_test

import (
	"fmt"
	"testing"

	"heartwire/stages/alarms"
	"heartwire/topics"
)

// A bad night, as a patient has who is in the middle of it all: ten limits by
// three people, VT and asystole latched, three more alarms open, one accepted and
// one paused, six answers in ten minutes, eight kinds of candidates counted.
func TestAStateIsSmall(t *testing.T) {
	b := newBed(t, "p-0123456789abcdef0123456789abcdef")
	b.samples = 250
	b.last.Device = "patch-0123456789"
	gate := 0.3
	var set []*topics.Limit
	for i, of := range []string{topics.RuleHRHigh, topics.RuleHRLow, topics.RulePause, topics.RulePVC, topics.RuleAF, topics.RuleSVT, topics.RuleAsystole, topics.RuleCouplet, topics.RuleBigeminy, topics.RuleVRun} {
		l := topics.FindBuiltIn(of).Limit()
		if !topics.FindBuiltIn(of).Lethal() {
			l.Quality = &gate
		}
		l.Layer, l.Author, l.Reason, l.SetUs = "patient", fmt.Sprintf("doctor-%d@ward", i%3), "clinical-judgement", began+int64(i%3)
		set = append(set, l)
	}
	b.limits(7, set...)
	b.play("10 hr 72; + vt 9 - 5 180; 6 hr 180; + vt 9 16 20 180; 40 hr 72; 6 flat; 15 hr 72")
	b.play("2 hr 134; 3 hr 72; 2 hr 46 q 0.2; 2 hr 72; 2 hr 46; 2 hr 72; 2 hr 134; 3 hr 72; 2 hr 46 q 0.1; 2 hr 72; 2 hr 134 q 0.1; 2 hr 72; 2 hr 134 q 0.1; 2 hr 72")
	b.play("5 hr 134 battery 9 frames 3; + bigeminy 80 - 8 100; 3 hr 134; ! accept vt by nurse-1@ward; ! accept hr.high by nurse-2@ward; ! accept hr.high by nurse-1@ward; ! pause battery-low by nurse-1@ward; ! acknowledge vt by nurse-1@ward; ! pause patient by nurse-1@ward; 2 hr 134")
	var s alarms.State
	stage := alarms.Stage().Processor
	for _, r := range b.log {
		say := func(*topics.Alarm) {}
		if tick := r.Value.GetTick(); tick != nil {
			_ = stage.Advance(&s, tick, say)
		} else if err := stage.Process(&s, r, say); err != nil {
			t.Fatal(err)
		}
	}
	open := map[string]bool{}
	for _, a := range b.said {
		if st := a.GetState(); st != nil {
			open[st.GetRule()] = st.GetCondition() != topics.AlarmCondition_ALARM_CONDITION_ENDED
		}
	}
	n := 0
	for _, is := range open {
		if is {
			n++
		}
	}
	bytes, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d alarms, %d bytes", n, len(bytes))
	if n < 5 || len(bytes) > 4096-1200 { // 1.2 KiB are for rules that people write
		t.Errorf("%d alarms in %d bytes, %v", n, len(bytes), b.story)
	}
	calm := newBed(t, "p01").limits(7, set...).play("20 hr 72")
	var c alarms.State
	for _, r := range calm.log {
		if r.Value.GetTick() == nil {
			_ = stage.Process(&c, r, func(*topics.Alarm) {})
		}
	}
	bytes, _ = c.AppendBinary(nil)
	t.Logf("a calm patient with ten limits: %d bytes", len(bytes))
}

// A second in which nothing changes costs no memory, whatever is open.
func TestASecondAllocatesNothing(t *testing.T) {
	for _, script := range []string{"5 hr 72", "5 hr 134", "5 hr 72; 6 flat; 12 hr 72", "5 hr 72; ! standby bath by nurse-1 for 3600"} {
		b := newBed(t, "p01").play(script + "; 30 hr 72; 2 hr 72")
		var s alarms.State
		stage := alarms.Stage().Processor
		say := func(*topics.Alarm) {}
		for _, r := range b.log {
			if tick := r.Value.GetTick(); tick != nil {
				_ = stage.Advance(&s, tick, say)
			} else {
				_ = stage.Process(&s, r, say)
			}
		}
		second, tick := b.log[len(b.log)-2], &topics.Tick{N: 1e6} // no time passes: nothing falls due
		if got := testing.AllocsPerRun(50, func() {
			_ = stage.Process(&s, second, say)
			_ = stage.Advance(&s, tick, say)
		}); got > 0 {
			t.Errorf("%s: %v allocations a second", script, got)
		}
	}
}
