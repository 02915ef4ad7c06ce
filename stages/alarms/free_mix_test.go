package alarms_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"heartwire/stages/alarms"
	"heartwire/stages/stagetest"
	"heartwire/topics"
)

// freely is a log in which rules that people wrote come, change and go, among
// vitals, episodes and hearts of any kind.
func freely(t *testing.T, seed uint64, steps int) *bed {
	rnd := rand.New(rand.NewPCG(seed, 11))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	b := newBed(t, "p01")
	version := uint64(0)
	for range steps {
		switch n := rnd.IntN(10); {
		case n < 2:
			version++
			set := &topics.Limits{Version: version}
			for i := range rnd.IntN(4) {
				name := fmt.Sprintf("r%d", i)
				set.Rules = append(set.Rules, &topics.Rule{
					Name: name, Version: uint32(version), Words: "R", Priority: topics.Priority(1 + rnd.IntN(3)), DurationS: float64(rnd.IntN(5)), CalmS: 5, Latching: rnd.IntN(3) == 0, Value: pick("", "hr", "hr.mean(30s)"),
					When:  pick("hr.mean(30s) > limit", "hr > 100 || spo2 < 90", "hr.slope(1min) > 3", "rhythm.af && hr > 60", "!known(spo2)", "hr.max(2min) > 120", "[1].all(x, x > 0)"),
					Clear: pick("", "hr.mean(30s) < 90", "spo2 > 92"),
				})
				if rnd.IntN(2) == 0 {
					set.Limits = append(set.Limits, &topics.Limit{Rule: name, Value: 100, Hysteresis: 5, DurationS: 2})
				}
			}
			b.put(&topics.Chart{Patient: "p01", Kind: &topics.Chart_Limits{Limits: set}})
		case n < 4:
			b.put(&topics.Chart{Patient: "p01", TimeUs: began + int64(b.second)*1e6, Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: "59408-5", Value: 85 + 10*rnd.Float64(), Ucum: "%"}}})
		case n < 5:
			b.play(fmt.Sprintf("+ af %d %s 7 110 %s; 1 hr 110", max(b.second-2, 0), pick("-", fmt.Sprint(b.second)), pick("", "cut")))
		default:
			b.play(fmt.Sprintf("%d %s", 1+rnd.IntN(40), pick("hr 72", "hr 134", "hr 110", "hr 60", "noise", "off", "gone", "hr 134 rr 450")))
		}
	}
	return b
}

// Rules that people wrote say the same from any crash and any abort, and
// some say something.
func TestWrittenRulesAreTheSameFromAnyCrash(t *testing.T) {
	raised := map[string]int{}
	for seed := range uint64(3) {
		b := freely(t, seed, 40)
		for _, a := range b.said {
			if s := a.GetState(); s.GetChange().GetWhat() == "raised" {
				raised[s.GetRule()]++
			}
		}
		if err := stagetest.Check(alarms.Stage(), topics.Charts, b.log); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if raised["r0"] < 3 || raised["r1"] < 2 || raised["rule-broken"] < 2 {
		t.Errorf("too little happens: %v", raised)
	}
}
