package alarms_test

import (
	"math"
	"strings"
	"testing"

	"heartwire/stages/alarms"
	"heartwire/stages/stagetest"
	"heartwire/topics"
)

// Seconds count from 1; what is said at n is said with the n-th Second.
func TestStories(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"a calm day", "300 hr 72 battery 80 frames 0.25 clock 0.2", nil},
		{"a rate above its limit for 3 s", "10 hr 72; 10 hr 134; 20 hr 100", []string{
			"14 MEDIUM HR 134 > 120 (raised)",
			"31 MEDIUM HR 134 > 120 (ended: over)",
		}},
		{"a rate below its limit", "10 hr 72; 10 hr 46; 20 hr 60", []string{
			"14 MEDIUM HR 46 < 50 (raised)",
			"31 MEDIUM HR 46 < 50 (ended: over)",
		}},
		{"at the limit is within it", "20 hr 120; 20 hr 50; 20 hr 120.4; 20 hr 49.6", nil},
		{"too short", "10 hr 72; 3 hr 134; 10 hr 110; 3 hr 134; 10 hr 110", nil},
		{"flicker about the limit is one alarm", "9 hr 72; 6 hr 125; 8 hr 110; 6 hr 125; 8 hr 110; 6 hr 125; 20 hr 100", []string{
			"13 MEDIUM HR 125 > 120 (raised)",
			"54 MEDIUM HR 125 > 120 (ended: over)",
		}},
		{"inside of the hysteresis it goes on", "9 hr 72; 6 hr 125; 60 hr 119", []string{
			"13 MEDIUM HR 125 > 120 (raised)",
		}},
		{"it becomes worse", "9 hr 72; 8 hr 121; 8 hr 124; 8 hr 127; 8 hr 131", []string{
			"13 MEDIUM HR 121 > 120 (raised)",
			"26 MEDIUM HR 127 > 120 (v2)",
			// 131 is 4 more than was said: not noticeable.
		}},
		{"asystole, and a heart that comes back", "10 hr 72; 12 flat; 20 hr 60", []string{
			"14 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"19 HIGH ASYSTOLE 9.3 > 4 s (v2)",
			"33 HIGH ASYSTOLE 12.3 > 4 s (latched)",
		}},
		{"asystole speaks for the rates beneath it", "10 hr 72; 6 hr 36; 6 flat; 4 hr 36", []string{
			"11 HIGH HR 36 < 40 (raised)",
			"20 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"20 HIGH HR 36 < 40 (ended: inhibited)",
			// The heart is back and slow: that is said at once, the other
			// alarm is only waiting to end.
			"23 HIGH HR 36 < 40 (raised)",
		}},
		{"the more severe speaks", "10 hr 72; 6 hr 130; 10 hr 150; 20 hr 130", []string{
			"14 MEDIUM HR 130 > 120 (raised)",
			"17 HIGH HR 150 > 140 (raised)",
			"17 MEDIUM HR 130 > 120 (ended: inhibited)",
			// When it has not been extreme for a while it is still too fast.
			"37 HIGH HR 150 > 140 (latched)",
			"37 MEDIUM HR 130 > 120 (raised)",
		}},
		{"silence is no asystole", "10 hr 72; 15 gone; 10 hr 72", []string{
			"20 MEDIUM NO DATA 10 ≥ 10 s (raised)",
			"29 MEDIUM NO DATA 15 > 10 s (ended: over)",
		}},
		{"a long silence is not said each second", "2 hr 72; 100 gone", []string{
			"12 MEDIUM NO DATA 10 ≥ 10 s (raised)",
			"22 MEDIUM NO DATA 20 > 10 s (v2)",
			"42 MEDIUM NO DATA 40 > 10 s (v3)",
			"82 MEDIUM NO DATA 80 > 10 s (v4)",
		}},
		{"samples that stop end no alarm", "5 hr 72; 6 flat; 60 gone; 3 hr 72", []string{
			"9 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			// With a HIGH alarm open, no data is as bad.
			"21 HIGH NO DATA 10 ≥ 10 s (raised)",
			"31 HIGH NO DATA 20 > 10 s (v2)",
			"51 HIGH NO DATA 40 > 10 s (v3)",
			"68 HIGH ASYSTOLE 6.3 > 4 s (timed-out)", // nobody has answered
		}},
		{"nor does noise", "5 hr 72; 5 hr 134; 20 noise; 12 hr 100", []string{
			"9 MEDIUM HR 134 > 120 (raised)",
			"41 MEDIUM HR 134 > 120 (ended: over)",
		}},
		{"nor do leads that fall off", "5 hr 72; 5 hr 134; 30 off; 12 hr 100", []string{
			"9 MEDIUM HR 134 > 120 (raised)",
			"11 MEDIUM LEAD OFF (raised)",
			"51 MEDIUM HR 134 > 120 (ended: over)",
			"51 MEDIUM LEAD OFF (ended: over)",
		}},
		{"no rate alarm begins in noise", "5 hr 72; 2 hr 134; 2 noise; 2 hr 134; 2 noise; 2 hr 134", nil},
		{"noise that lasts", "5 hr 72; 40 noise; 12 hr 72", []string{
			"36 MEDIUM SIGNAL POOR (raised)",
			"56 MEDIUM SIGNAL POOR (ended: over)",
		}},
		{"a battery that runs down", "5 hr 72 battery 16; 5 battery 15; 5 battery 14; 20 battery 9; 20 battery 16; 20 battery 90", []string{
			"6 LOW BATTERY 15 ≤ 15 % (raised)",
			"16 LOW BATTERY 9 < 15 % (v2)",
			"66 LOW BATTERY 9 < 15 % (ended: over)",
		}},
		{"a clock an hour ahead", "3 clock 3600; 12 clock 0.5", []string{
			"1 LOW CLOCK WRONG 3600 > 60 s (raised)",
			"14 LOW CLOCK WRONG 3600 > 60 s (ended: over)",
		}},
		{"a reboot", "3 hr 72; 40 reboot", []string{
			"4 LOW REBOOTED (raised)",
			"35 LOW REBOOTED (ended: over)",
		}},
		{"frames that are too long", "3 frames 4; 12 frames 1", []string{
			"1 LOW FRAMES 4.0 > 1 s (raised)",
			"14 LOW FRAMES 4.0 > 1 s (ended: over)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newBed(t, "p01").play(c.script).want(c.want...)
		})
	}
}

func TestLimitsInForce(t *testing.T) {
	high := func(v float64) *topics.Limit {
		return &topics.Limit{Rule: topics.RuleHRHigh, Value: v, Unit: "/min", DurationS: 3, Hysteresis: 2}
	}
	b := newBed(t, "p01").limits(5, high(90)).play("10 hr 95")
	b.limits(6, high(92)).play("2 hr 95") // said at once, with the alarm still open
	b.limits(7, high(130)).play("12 hr 95")
	b.limits(6, high(90)).play("10 hr 95") // an older set is none
	b.limits(8, &topics.Limit{Rule: topics.RuleHRHigh, Value: 90, Hysteresis: 2}).play("1 hr 95")
	b.limits(9, &topics.Limit{Rule: topics.RuleHRHigh, Value: 90, Off: true}).play("5 hr 95")
	b.limits(10).play("10 hr 119; 4 hr 121") // named nowhere: the default
	b.want(
		"4 MEDIUM HR 95 > 90 (raised)",
		"11 MEDIUM HR 95 > 92 (v2)",
		"23 MEDIUM HR 95 > 92 (ended: over)",
		"35 MEDIUM HR 95 > 90 (raised)",
		"36 MEDIUM HR 95 > 90 (ended: off)",
		"54 MEDIUM HR 121 > 120 (raised)",
	)
}

func TestExtremesStayWhenALimitIsOff(t *testing.T) {
	b := newBed(t, "p01").limits(1,
		&topics.Limit{Rule: topics.RuleHRHigh, Value: 120, Off: true},
		&topics.Limit{Rule: topics.RuleHRLow, Value: 50, Off: true},
	)
	b.play("10 hr 130; 3 hr 190; 12 hr 60; 3 hr 30").want(
		"11 HIGH HR 190 > 140 (raised)",
		"24 HIGH HR 190 > 140 (latched)",
		"26 HIGH HR 30 < 40 (raised)",
	)
}

func TestImpossibleLimitsAreCondemnedAndTheOldStay(t *testing.T) {
	for name, l := range map[string]*topics.Limit{
		"asystole after an hour":   {Rule: topics.RuleAsystole, Value: 3600},
		"asystole after no number": {Rule: topics.RuleAsystole, Value: math.NaN()},
		"rate for ever":            {Rule: topics.RuleHRHigh, Value: 120, DurationS: 1e9},
		"a hysteresis below 0":     {Rule: topics.RuleHRHigh, Value: 120, Hysteresis: -1},
	} {
		b := newBed(t, "p01")
		stage := alarms.Stage().Processor
		var s alarms.State
		err := stage.Process(&s, topics.Record[*topics.Chart]{Key: "p01", Value: &topics.Chart{Patient: "p01", Kind: &topics.Chart_Limits{
			Limits: &topics.Limits{Version: 1, Limits: []*topics.Limit{l}},
		}}}, func(*topics.Alarm) {})
		if err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%s: %v", name, err)
		}
		b.play("1 hr 60")
	}
}

func TestMovedEndsAllAndForgets(t *testing.T) {
	b := newBed(t, "u-01").play("10 hr 134 battery 9").leave()
	b.want(
		"1 LOW BATTERY 9 < 15 % (raised)",
		"4 MEDIUM HR 134 > 120 (raised)",
		"10 MEDIUM HR 134 > 120 (ended: moved)",
		"10 LOW BATTERY 9 < 15 % (ended: moved)",
	)
	for range 600 {
		b.tick()
	}
	if b.fold.Len() != 0 {
		t.Error("a key that was left is not forgotten")
	}
}

func TestAnOpenAlarmIsRestatedHourlyAndNeverForgotten(t *testing.T) {
	b := newBed(t, "p01").play("4 hr 134")
	for range 3*3600 + 5 {
		b.tick()
	}
	b.want(
		"4 MEDIUM HR 134 > 120 (raised)",
		"4 MEDIUM HR 134 > 120 (again)",
		"4 MEDIUM HR 134 > 120 (again)",
		"4 MEDIUM HR 134 > 120 (again)",
	)
	first := b.said[0].GetState()
	for _, a := range b.said[1:] {
		if st := a.GetState(); st.Id != first.Id || st.Version != first.Version || st.OnsetUs != first.OnsetUs || st.RaisedUs != first.RaisedUs {
			t.Errorf("restated as another: %v", st)
		}
	}
}

func TestAnEpisodeHasOneIdentity(t *testing.T) {
	b := newBed(t, "p01").play("5 hr 134; 20 hr 72; 5 hr 134; 20 hr 72")
	var ids []string
	for _, a := range b.said {
		ids = append(ids, a.GetState().Id)
	}
	if len(ids) != 4 || ids[0] != ids[1] || ids[2] != ids[3] || ids[0] == ids[2] || len(ids[0]) != 32 {
		t.Fatalf("two episodes, each raised and ended: %v", ids)
	}
	// What the chart's record was made from names it, wherever it stands.
	at := func(key string, offset int64, o topics.Origin) string {
		var s alarms.State
		var id string
		stage := alarms.Stage().Processor
		c := &topics.Chart{Patient: key, Kind: &topics.Chart_Second{Second: &topics.Second{SinceSampleS: 11}}}
		if err := stage.Process(&s, topics.Record[*topics.Chart]{Key: topics.Key(key), Offset: offset, Origin: o, Value: c}, func(a *topics.Alarm) {
			id = a.GetState().Id
		}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	o := topics.Origin{Source: "annotations", Partition: 3, Epoch: 9, Offset: 77, Index: 2}
	if at("p01", 1, o) != at("p01", 2, o) {
		t.Error("a record written again at another offset opens another episode")
	}
	for _, other := range []string{at("p02", 1, o), at("p01", 1, topics.Origin{Source: "annotations", Partition: 3, Epoch: 9, Offset: 78, Index: 2})} {
		if other == at("p01", 1, o) {
			t.Error("two episodes have one identity")
		}
	}
}

func TestOnsetIsWhenItBeganNotWhenItWasDecided(t *testing.T) {
	b := newBed(t, "p01").play("10 hr 72; 5 flat; 20 gone")
	st := b.said[0].GetState()
	if want := float64(began) + 14e6 - 4.3e6; math.Abs(float64(st.OnsetUs)-want) > 1 || st.RaisedUs != began+14e6 {
		t.Errorf("asystole began at %d and was decided at %d, want %.0f and %d", st.OnsetUs, st.RaisedUs, want, began+14e6)
	}
	if nodata := b.said[len(b.said)-1].GetState(); nodata.Rule != topics.RuleNoData || nodata.OnsetUs != began+15e6 {
		t.Errorf("no data began at the last sample, %d: %v", int64(began+15e6), nodata)
	}
	b = newBed(t, "p02").play("10 hr 72; 10 hr 134")
	if st := b.said[0].GetState(); st.OnsetUs != began+11e6 || st.RaisedUs != began+14e6 {
		t.Errorf("the rate began at %d, was decided at %d", st.OnsetUs, st.RaisedUs)
	}
}

func TestNotANumberIsUnknown(t *testing.T) {
	nan := math.NaN()
	b := newBed(t, "p01")
	for range 10 {
		b.put(&topics.Chart{Patient: "p01", Kind: &topics.Chart_Second{Second: &topics.Second{
			Rate: &nan, RateFast: &nan, RateSlow: &nan, SinceBeatS: &nan, SinceSampleS: nan, FrameS: nan, ClockOffsetS: nan, LeadOffS: nan,
		}}})
		b.tick()
	}
	b.want()
}

func life(t *testing.T) []topics.Record[*topics.Chart] {
	b := newBed(t, "p01").limits(3, topics.DefaultLimits()...)
	b.play("10 hr 72 battery 20 frames 0.25 clock 1; 8 hr 134; 8 hr 160; 12 hr 100; 14 hr 72 battery 14")
	b.play("9 flat; 15 gone; 4 hr 36; 12 noise; 15 hr 72; 5 off; 14 hr 72; 2 reboot; 40 noise")
	b.limits(4, &topics.Limit{Rule: topics.RuleHRHigh, Value: 90, Off: true}).play("5 hr 95")
	b.limits(5, &topics.Limit{Rule: topics.RuleHRHigh, Value: 90, DurationS: 2, Hysteresis: 3}).play("5 hr 95; 5 hr 89; 3 hr 80")
	b.play("+ v-run 9 - 3 180; + vt 9 - 5 180; 3 hr 180; + vt 9 13 12 180 cut; 12 hr 72; + vf 14 - 0 0; 3 hr 220; + vf 14 30 0 0; 12 hr 72")
	b.play("+ af 2 - 40 84; 5 hr 134; + af 2 80 120 100; + couplet 9 9.4 2 150; + r-on-t 9 9.31 2 190; 5 hr 72 v 12 rr 3300; + svt 6 - 5 132")
	b.play("! acknowledge vt by nurse-1; ! accept vt by nurse-2 id twice; ! accept vt by nurse-3; ! accept vt by nurse-2 id twice; ! pause patient by nurse-1; 3 hr 134; 5 flat; 3 hr 72")
	b.play("! standby bath by nurse-1 for 20; 5 hr 200; 18 hr 134; ! pause hr.high by nurse-1 for 15; 17 hr 134; ! reset vf by nurse-1; ! reject asystole by nurse-1; 70 hr 134")
	yes, gate := true, 0.5
	b.limits(6, &topics.Limit{Rule: topics.RuleHRHigh, Value: 110, Priority: topics.Priority_PRIORITY_HIGH, Latching: &yes, Layer: "patient", Author: "doctor-1", Reason: "post-op", SetUs: 5}, &topics.Limit{Rule: topics.RuleHRLow, Value: 50, Quality: &gate, Layer: "unit", Author: "doctor-2"})
	b.play("3 hr 134; 5 hr 46 q 0.2; 12 hr 72; 3 hr 134; ! pause patient by nurse-2 for 300; 14 hr 72")
	b.key = "u-77"
	b.play("6 hr 134; + idioventricular 6 - 3 76; 6 flat").leave()
	b.key = "p01"
	b.play("8 flat; ! standby transport by nurse-1 for 3600").leave()
	b.play("20 hr 190")
	return b.log
}

func TestConformance(t *testing.T) {
	stagetest.Run(t, alarms.Stage(), topics.Charts, life(t))
}

func FuzzState(f *testing.F) {
	stage := alarms.Stage().Processor
	var s alarms.State
	say := func(*topics.Alarm) {}
	for i, r := range life(&testing.T{}) {
		if i%40 == 0 {
			b, _ := s.AppendBinary(nil)
			f.Add(b)
		}
		if tick := r.Value.GetTick(); tick != nil {
			_ = stage.Advance(&s, tick, say)
		} else {
			_ = stage.Process(&s, r, say)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s alarms.State
		if s.UnmarshalBinary(b) != nil {
			return
		}
		again, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var same alarms.State
		if err := same.UnmarshalBinary(again); err != nil {
			t.Fatalf("what it wrote it cannot read: %v", err)
		}
		rate := 30.0
		_ = stage.Process(&s, topics.Record[*topics.Chart]{Key: "p", Value: &topics.Chart{Patient: "p", Kind: &topics.Chart_Second{Second: &topics.Second{Rate: &rate, SinceBeatS: &rate}}}}, say)
		_ = stage.Advance(&s, &topics.Tick{N: 1, ElapsedUs: 1e6}, say)
	})
}

// A calm second and its tick: what a patient costs nearly always. 3600 of them
// are a patient-hour.
func BenchmarkSecond(b *testing.B) { benchmarkSecond(b, "2 hr 72 battery 80 frames 0.25") }

// With alarms that are open, latched and paused, of which nothing changes.
func BenchmarkSecondWithAlarms(b *testing.B) {
	benchmarkSecond(b, "6 hr 72; 6 flat; 15 hr 72; ! acknowledge asystole by nurse-1; ! accept asystole by nurse-1; 8 hr 134 battery 9; ! accept hr.high by nurse-1; 80 hr 134; ! pause battery-low by nurse-1; 2 hr 134")
}

// A state is written down before the first record of each transaction.
func BenchmarkState(b *testing.B) {
	for _, script := range []string{"", "6 hr 72; 6 flat; 15 hr 72; 8 hr 134 battery 9"} {
		b.Run(script, func(b *testing.B) {
			set := topics.DefaultLimits()
			for i, l := range set[5:15] {
				l.Layer, l.Author, l.SetUs = "patient", "doctor-1", int64(i%3)
			}
			bed := newBed(&testing.T{}, "p01").limits(3, set...)
			bed.play("2 hr 72")
			if script != "" {
				bed.play(script)
			}
			var s alarms.State
			for _, r := range bed.log {
				if t := r.Value.GetTick(); t == nil {
					_ = alarms.Stage().Processor.Process(&s, r, func(*topics.Alarm) {})
				}
			}
			var bytes []byte
			b.ReportAllocs()
			for b.Loop() {
				bytes, _ = s.AppendBinary(bytes[:0])
			}
			b.ReportMetric(float64(len(bytes)), "bytes")
		})
	}
}

func benchmarkSecond(b *testing.B, script string) {
	bed := newBed(&testing.T{}, "p01").play(script)
	second, tick := bed.log[len(bed.log)-2], &topics.Tick{N: 1e9} // of no length: nothing falls due
	stage := alarms.Stage().Processor
	var s alarms.State
	for _, r := range bed.log {
		if t := r.Value.GetTick(); t != nil {
			_ = stage.Advance(&s, t, func(*topics.Alarm) {})
		} else {
			_ = stage.Process(&s, r, func(*topics.Alarm) {})
		}
	}
	say := func(a *topics.Alarm) { b.Fatal(a) }
	b.ReportAllocs()
	for b.Loop() {
		_ = stage.Process(&s, second, say)
		_ = stage.Advance(&s, tick, say)
	}
}
