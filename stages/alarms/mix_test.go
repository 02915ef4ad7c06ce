package alarms_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"heartwire/stages/alarms"
	"heartwire/stages/stagetest"
	"heartwire/topics"
)

// mixed is a log in which hearts, people and limits do what they like.
func mixed(t *testing.T, seed uint64, steps int) *bed {
	rnd := rand.New(rand.NewPCG(seed, 7))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	b := newBed(t, "p01")
	b.samples = 250
	rule := func() string { // mostly of an alarm that is there
		for i := len(b.said) - 1; i >= 0 && rnd.IntN(8) > 0; i-- {
			if st := b.said[i].GetState(); st != nil {
				return st.GetRule()
			}
		}
		return pick("vt", "asystole", "lead-off", "patient", "patient")
	}
	for range steps {
		switch n := rnd.IntN(20); {
		case n < 9:
			b.play(fmt.Sprintf("%d %s", 1+rnd.IntN(12), pick("hr 72", "hr 134", "hr 200", "hr 46", "hr 30", "flat", "gone", "noise", "off", "hr 72 q 0.2", "hr 134 q 0.2", "hr 60 rr 3300", "hr 72 battery 9", "hr 72 v 20")))
		case n < 12:
			at := b.second
			b.play(fmt.Sprintf("+ %s %d %s 7 180 %s; 1 hr 72", pick("vt", "vf", "af", "couplet", "bigeminy", "svt"), max(at-2, 0), pick("-", fmt.Sprint(at)), pick("", "cut")))
		case n < 17:
			b.play(fmt.Sprintf("! %s %s by %s for %s as %s id %s", pick("acknowledge", "accept", "reject", "pause", "resume", "reset"), rule(),
				pick("nurse-1", "nurse-2"), pick("0", "20", "300", "601"), pick("0", "0", "0", "1", "3", "9"), pick("A", "B", fmt.Sprint(b.asked), fmt.Sprint(b.asked))))
		case n < 18:
			b.play(fmt.Sprintf("! standby %s by %s for %s", pick("bath", "off", "off"), pick("nurse-1", "nurse-2"), pick("15", "600")))
		case n < 19:
			yes, gate := rnd.IntN(2) == 0, 0.5
			b.limits(uint64(b.asked+b.second), &topics.Limit{
				Rule: topics.RuleHRHigh, Value: 100 + float64(rnd.IntN(40)), DurationS: float64(rnd.IntN(5)), Hysteresis: 2, Latching: &yes,
				Priority: topics.Priority(rnd.IntN(4)), Off: rnd.IntN(4) == 0, Layer: pick("unit", "patient"), Author: pick("doctor-1", "doctor-2"),
			}, &topics.Limit{Rule: topics.RuleHRLow, Value: 50, DurationS: 3, Quality: &gate, Layer: "site"})
		default:
			b.key = pick("p01", "p01", "u-01")
			if rnd.IntN(5) == 0 {
				b.leave()
			}
		}
	}
	return b
}

// Whatever comes, a crash after each record, an abort of any run of records and a
// key that moves change no alarm and no identity.
func TestAnyMixIsTheSameFromAnyCrash(t *testing.T) {
	for seed := range uint64(2) {
		if err := stagetest.Check(alarms.Stage(), topics.Charts, mixed(t, seed, 50).log); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// lived is what is known of an alarm while its records are read.
type lived struct {
	version uint32
	is      topics.AlarmCondition
	rule    string
}

// Whatever comes, each alarm is one life: versions without a hole, an end that is
// the last word, one open and one latched of a rule at most, and each answer told.
func TestWhateverComesALifeIsWhole(t *testing.T) {
	counts := map[string]int{}
	for seed := range uint64(60) {
		b := mixed(t, seed, 150)
		lives := map[string]*lived{}
		answered := map[string]string{}
		paused := map[string]bool{}
		for _, a := range b.said {
			if o := a.GetOutcome(); o != nil {
				counts[o.GetCode()]++
				if was, again := answered[o.GetAnswer()]; again && was != o.GetCode() && o.GetAnswer() != "A" && o.GetAnswer() != "B" {
					t.Fatalf("seed %d: answer %s is told %q, then %q", seed, o.GetAnswer(), was, o.GetCode())
				}
				answered[o.GetAnswer()] = o.GetCode()
			}
			if v := a.GetSilence(); v != nil && !v.GetStandby() {
				paused[a.GetPatient()] = v.GetOn()
			}
			st := a.GetState()
			if st == nil {
				continue
			}
			counts[st.GetChange().GetWhat()+" "+strings.ToLower(strings.TrimPrefix(st.GetCondition().String(), "ALARM_CONDITION_"))+" "+st.GetEndReason()]++
			l := lives[st.GetId()]
			switch {
			case l == nil && st.GetVersion() == 1:
				l = &lived{rule: a.GetPatient() + st.GetRule()}
				lives[st.GetId()] = l
			case l == nil || l.is == topics.AlarmCondition_ALARM_CONDITION_ENDED || st.GetVersion() != l.version+1 || st.GetCondition() < l.is:
				t.Fatalf("seed %d: after version %+v comes %v", seed, l, st)
			}
			l.version, l.is = st.GetVersion(), st.GetCondition()
			if st.GetPriority() == topics.Priority_PRIORITY_HIGH && st.GetChange().GetWhat() == "raised" && st.GetSignal() != topics.AlarmSignal_ALARM_SIGNAL_SOUNDING {
				t.Fatalf("seed %d: a HIGH alarm begins, and is not heard: %v", seed, st)
			}
			if paused[a.GetPatient()] && st.GetPriority() != topics.Priority_PRIORITY_HIGH && st.GetCondition() != topics.AlarmCondition_ALARM_CONDITION_ENDED && st.GetSignal() == topics.AlarmSignal_ALARM_SIGNAL_SOUNDING {
				t.Fatalf("seed %d: paused, and to be heard: %v", seed, st)
			}
			if st.GetEndReason() == "reset" && st.GetChange().GetPerson() == "" {
				t.Fatalf("seed %d: reset by nobody: %v", seed, st)
			}
			of := map[topics.AlarmCondition]int{}
			for _, other := range lives {
				if other.rule == l.rule {
					of[other.is]++
				}
			}
			if of[topics.AlarmCondition_ALARM_CONDITION_ACTIVE] > 1 || of[topics.AlarmCondition_ALARM_CONDITION_LATCHED] > 1 {
				t.Fatalf("seed %d: %s has %v", seed, l.rule, of)
			}
		}
	}
	t.Log(counts)
	for _, must := range []string{"", "ended", "taken", "accepted", "rejected", "acknowledged", "not-latched", "not-paused", "stale-version", "too-long", "unknown-alarm", "standby",
		"raised active ", "latched latched ", "ended ended again", "ended ended moved", "ended ended standby", "ended ended off", "ended ended inhibited", "reset ended reset", "sounding active ", "sounding latched "} {
		if counts[must] == 0 {
			t.Errorf("the mix has no %q: it proves nothing of it", must)
		}
	}
}
