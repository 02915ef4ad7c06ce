package rhythm_test

import (
	"bytes"
	"math"
	"testing"

	"heartwire/stages/rhythm"
	"heartwire/stages/stagetest"
	"heartwire/topics"
)

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if math.Abs(got-want) > by {
		t.Errorf("%s is %.2f, want %.2f ± %.2f", what, got, want, by)
	}
}

func TestEachTickGivesOneSecond(t *testing.T) {
	w := newWard(t, "p01")
	w.play(30)
	if len(w.seconds) != 30 {
		t.Fatalf("%d seconds in 30 s\n%s", len(w.seconds), w.story())
	}
	near(t, "rate", w.now().GetRate(), 60, 0.5)
	beats := 0
	for _, s := range w.seconds {
		beats += len(s.Rr)
	}
	if beats != 29 { // 30 beats, the first has no interval
		t.Errorf("%d intervals in all, want 29", beats)
	}
}

func TestRateOfSteps(t *testing.T) {
	for _, c := range []struct{ from, to float64 }{{80, 120}, {80, 40}, {60, 200}, {150, 45}} {
		w := newWard(t, "p01")
		w.heart = c.from
		w.play(20)
		near(t, "rate before the step", w.now().GetRate(), c.from, 1.5)
		w.heart = c.to
		w.play(10)
		near(t, "rate 10 s after the step", w.now().GetRate(), c.to, 2) // EC13: a step of 40 /min in at most 10 s
	}
}

func TestStandstillIsCountedInValidSignal(t *testing.T) {
	w := newWard(t, "p01")
	w.play(20)
	w.heart = 0
	onset := w.last
	w.play(6)
	near(t, "since the beat", w.now().GetSinceBeatS(), float64(w.next-1-onset)/rate, 0.01)
	if w.now().Rate == nil || w.now().GetRate() != 0 {
		t.Errorf("the rate of a heart that stands still is said as 0\n%s", w.story())
	}
	w.heart, w.beatDue = 60, 10
	w.play(8)
	near(t, "rate after it", w.now().GetRate(), 60, 0.5)
	near(t, "since the beat", w.now().GetSinceBeatS(), 0.5, 0.5)
}

func TestAFlatLineFromTheStartIsCounted(t *testing.T) {
	w := newWard(t, "p01")
	w.heart = 0
	w.play(5)
	if got := w.now().GetSinceBeatS(); got < 4 {
		t.Fatalf("since the beat %.1f s after 5 s of flat line\n%s", got, w.story())
	}
}

func TestMissingSamplesAreNoStandstill(t *testing.T) {
	t.Run("all gone", func(t *testing.T) {
		w := newWard(t, "p01")
		w.play(20)
		w.gone = true
		w.play(30)
		for _, s := range w.seconds {
			if s.GetSinceBeatS() > 1.1 || s.Rate != nil && *s.Rate == 0 {
				t.Fatalf("missing samples count as a heart without beats\n%s", w.story())
			}
		}
		near(t, "since the sample", w.now().GetSinceSampleS(), 30, 0.001)
		if w.now().Rate != nil {
			t.Errorf("a rate is said 30 s after the last sample")
		}
	})
	// A link that loses much in any rhythm, the heart's own included, must
	// not make an asystole of a heart at 50 /min and more.
	for _, heart := range []float64{50, 60, 61, 75, 90, 120} {
		for every := 2; every <= 8; every++ {
			for burst := 1; burst < every; burst++ {
				w := newWard(t, "p01")
				w.heart = heart
				w.lost = func(n int) bool { return n%every < burst }
				w.play(120)
				for _, s := range w.seconds {
					// Four beats in a row fall into holes only where a hole
					// comes with each of them.
					if s.GetSinceBeatS() >= 4 && !locked(heart, every, burst) {
						t.Fatalf("heart at %.0f, %d of %d frames lost: %s", heart, burst, every, line(s))
					}
				}
			}
		}
	}
}

// locked reports a link that loses a frame with each beat: nobody can tell it
// from a heart that stands still.
func locked(heart float64, every, burst int) bool {
	beat := 60 / heart
	period := float64(every) * 0.248
	return math.Abs(math.Remainder(beat, period)) < float64(burst)*0.25/4
}

func TestLossDoesNotHideAStandstill(t *testing.T) {
	for every := 5; every <= 20; every++ {
		w := newWard(t, "p01")
		w.lost = func(n int) bool { return n%every == 0 }
		w.play(20)
		w.heart = 0
		w.play(8)
		if got := w.now().GetSinceBeatS(); got < 4 {
			t.Errorf("one of %d frames lost: 8 s of flat line count as %.1f s\n%s", every, got, w.story())
		}
	}
}

func TestAStandstillRightAfterAGapIsSeen(t *testing.T) {
	w := newWard(t, "p01")
	w.play(20)
	w.gap(uint64(7*rate), topics.GapCause_GAP_CAUSE_MISSING)
	w.heart = 0
	w.play(1)
	if s := w.now(); s.Rate != nil || s.GetSinceBeatS() > 1 {
		t.Errorf("after a gap of 7 s nothing from before is known: %s", line(s))
	}
	w.play(3)
	near(t, "since", w.now().GetSinceBeatS(), 4, 0.01)
	if w.now().GetRate() != 0 || w.now().Rate == nil {
		t.Errorf("after 4 s of flat line: %s", line(w.now()))
	}
}

func TestARebootJoinsNothing(t *testing.T) {
	w := newWard(t, "p01")
	w.play(20)
	w.gap(0, topics.GapCause_GAP_CAUSE_REBOOT)
	w.boot, w.next, w.base = 2, 0, w.at(w.next)
	a := w.annotation(0)
	a.Kind = &topics.Annotation_DeviceState{DeviceState: &topics.DeviceState{Rebooted: true, FrameUs: 250_000}}
	w.put(a)
	w.play(1)
	if s := w.now(); s.Rate != nil || !s.Rebooted || s.Boot != 2 {
		t.Errorf("%v", s)
	}
	w.play(10)
	if w.now().Rebooted {
		t.Error("rebooted is said for one second only")
	}
	near(t, "rate", w.now().GetRate(), 60, 0.5)
}

func TestNothingIsMeasuredInNoiseOrWithLeadsOff(t *testing.T) {
	w := newWard(t, "p01")
	w.play(20)
	w.noise = true
	w.play(10)
	if s := w.now(); s.Rate != nil || s.SinceBeatS != nil || !s.Suspended {
		t.Errorf("in noise: %s", line(s))
	}
	w.noise = false
	w.play(1)
	if s := w.now(); s.GetSinceBeatS() > 1 {
		t.Errorf("noise counts as signal: %s", line(s))
	}
	w.play(10)
	near(t, "rate", w.now().GetRate(), 60, 0.5)
	w.lead("I", true, false)
	w.lead("II", true, true)
	w.noise = true
	w.play(7)
	s := w.now()
	if !s.LeadOff || len(s.LeadsOff) != 2 || s.Rate != nil || s.SinceBeatS != nil {
		t.Errorf("with all leads off: %s", line(s))
	}
	near(t, "leads off for", s.GetLeadOffS(), 7, 0.01)
	w.lead("I", false, false)
	w.noise = false
	w.play(1)
	if s := w.now(); s.LeadOff || len(s.LeadsOff) != 1 || s.LeadOffS != 0 {
		t.Errorf("one lead is back: %v", s)
	}
}

func TestLateAnnotationsChangeNothing(t *testing.T) {
	w := newWard(t, "p01")
	w.late = true
	w.play(5)
	if len(w.charts) != 0 {
		t.Fatalf("late data alone made a second: %v", w.charts[0])
	}
	w.late = false
	w.play(20)
	near(t, "rate", w.now().GetRate(), 60, 0.5)
	before := w.now()
	w.late, w.heart = true, 200
	held := w.next
	w.gone = false
	w.play(5)
	w.late, w.next = false, held
	if s := w.now(); s.GetSample() != before.GetSample() || s.GetRate() != before.GetRate() {
		t.Errorf("late data changed the live second: %s", line(s))
	}
}

func TestLearningIsNotStandstill(t *testing.T) {
	w := newWard(t, "p01")
	for i := range 4 {
		a := w.annotation(uint64((i+1)*250) - 1)
		a.Kind = &topics.Annotation_Progress{Progress: &topics.Progress{Complete: 0, Rate: rate, Valid: 250}}
		w.put(a)
		w.tick()
	}
	if s := w.now(); s.SinceBeatS != nil {
		t.Fatalf("detection has not said a word about these 4 s: %s", line(s))
	}
}

func TestAnUndecidedCandidateCountsAsABeat(t *testing.T) {
	w := newWard(t, "p01")
	w.play(10)
	w.heart = 0
	w.play(3)
	a := w.annotation(w.next + 249)
	a.Kind = &topics.Annotation_Progress{Progress: &topics.Progress{Complete: w.next, Candidate: &[]uint64{w.next + 125}[0], Rate: rate, Valid: 250}}
	w.put(a)
	w.next += 250
	w.tick()
	near(t, "since", w.now().GetSinceBeatS(), 124/rate, 0.001)
	// It was none: the count is what it would have been.
	w.play(1)
	if got := w.now().GetSinceBeatS(); got < 4.5 {
		t.Errorf("since %.1f s, want the candidate forgotten", got)
	}
}

func TestAKeyThatIsLeftSaysNoMore(t *testing.T) {
	w := newWard(t, "u-0123")
	w.play(5)
	said := len(w.seconds)
	w.binding("patch-1", false)
	last := w.charts[len(w.charts)-1]
	if b := last.GetBinding(); b == nil || b.Bound {
		t.Fatalf("the binding is passed on, got %v", last)
	}
	w.play(5) // frames that were under way
	if len(w.seconds) != said {
		t.Fatalf("%d seconds after the key was left", len(w.seconds)-said)
	}
	w.gone = true
	w.play(70)
	if w.fold.Len() != 0 {
		t.Error("the key is not forgotten a minute later")
	}
}

func TestSamplesWellBehindABindingAreWatched(t *testing.T) {
	w := newWard(t, "u-0123")
	w.play(5)
	said := len(w.seconds)
	w.binding("patch-1", false)
	w.play(20)
	if n := len(w.seconds) - said; n < 8 {
		t.Fatalf("%d seconds said in 20 s of samples that keep coming; nobody watches them", n)
	}
}

func TestOneOfTwoDevicesLeaves(t *testing.T) {
	w := newWard(t, "p01")
	w.binding("patch-0", true)
	w.binding("patch-1", true)
	w.play(5)
	before := len(w.charts)
	w.binding("patch-0", false)
	if len(w.charts) != before {
		t.Fatalf("the key is not left: %v", w.charts[len(w.charts)-1])
	}
	w.play(2)
	if len(w.seconds) != 7 {
		t.Fatalf("%d seconds, want 7", len(w.seconds))
	}
	w.binding("patch-1", false)
	if b := w.charts[len(w.charts)-1].GetBinding(); b == nil || b.Bound {
		t.Fatal("the last device left, and the key with it")
	}
}

func TestABoundDeviceThatNeverSendsIsMissed(t *testing.T) {
	w := newWard(t, "p01")
	w.binding("patch-1", true)
	w.gone = true
	w.play(12)
	near(t, "since the sample", w.now().GetSinceSampleS(), 12, 0.001)

	w = newWard(t, "u-0123") // back in its drawer
	w.binding("patch-1", true)
	w.gone = true
	w.play(12)
	if len(w.seconds) != 0 {
		t.Errorf("a device that nobody wears is missed: %s", line(w.now()))
	}
}

func TestAForsakenDeviceIsLetGo(t *testing.T) {
	w := newWard(t, "u-0123")
	w.play(5)
	w.gone = true
	w.play(3600)
	if b := w.charts[len(w.charts)-1].GetBinding(); b == nil || b.Bound || b.Device != "patch-1" {
		t.Fatalf("after an hour of silence: %v", w.charts[len(w.charts)-1])
	}
}

func TestVentricularBeatsOfAMinute(t *testing.T) {
	w := newWard(t, "p01")
	w.play(10)
	w.class = topics.BeatClass_BEAT_CLASS_V
	w.play(5)
	w.class = topics.BeatClass_BEAT_CLASS_N
	w.play(50)
	near(t, "V in a minute", float64(w.now().GetVPerMinute()), 5, 1)
	w.play(20)
	if w.now().GetVPerMinute() != 0 {
		t.Error("they are older than a minute")
	}
}

func TestWhatCannotBeIsCondemned(t *testing.T) {
	for name, a := range map[string]*topics.Annotation{
		"rate of nothing":        {Patient: "p", Kind: &topics.Annotation_Progress{Progress: &topics.Progress{}}},
		"rate not a number":      {Patient: "p", Kind: &topics.Annotation_Progress{Progress: &topics.Progress{Rate: math.NaN()}}},
		"interval not a number":  {Patient: "p", Kind: &topics.Annotation_Beat{Beat: &topics.Beat{RrMs: math.NaN()}}},
		"interval below nothing": {Patient: "p", Kind: &topics.Annotation_Beat{Beat: &topics.Beat{RrMs: -1}}},
		"no kind":                {Patient: "p"},
	} {
		var s rhythm.State
		err := rhythm.Stage().Processor.Process(&s, topics.Record[*topics.Annotation]{Key: "p", Value: a}, func(*topics.Chart) {})
		if err == nil {
			t.Errorf("%s is folded", name)
		}
	}
}

// rhythms are of every kind, and ends of every kind.
var rhythms = []string{
	"6*N800 V300 N1200 V480 V400 N900 V480 3*V400 N800 V480 6*V400 2*N400 9*V400 N900 gap",
	"4*N800 6*V800 6*V400 off on 9*N800 V480 N1120 V480 N1120 V480 N1120 V480 gap 9*N800 N1600 4*N800",
	"3*N800 V480 N1120 N800 V480 N1120 N800 V480 N1120 N800 V480 gap 12*N800 8*S380 gap 12*N800 8*N360 4*N800",
	"6*N800 flutter wait6000 vf wait5000 end wait2000 vf wait5000 gap 3*N800",
	"5*pulse800+Q60 6*pulse860 pulse860+Q60 3*pulse860 gap 4*N800 V300 V300 V300 V300 V300",
}

// life is a log that leads the stage through all it can do.
func life(t *testing.T) []topics.Record[*topics.Annotation] {
	w := newWard(t, "p01")
	w.binding("patch-1", true)
	w.play(15)
	w.heart, w.class = 150, topics.BeatClass_BEAT_CLASS_V
	w.play(8)
	w.heart = 0
	w.play(6)
	w.heart, w.beatDue, w.class = 45, 0, topics.BeatClass_BEAT_CLASS_N
	w.lost = func(n int) bool { return n%9 == 0 }
	w.play(15)
	w.lost = nil
	w.noise = true
	w.lead("II", true, true)
	w.play(5)
	w.lead("II", false, false)
	w.noise = false
	w.play(4)
	q := w.annotation(w.next)
	q.Kind = &topics.Annotation_Quality{Quality: &topics.Quality{Lead: "II", Index: 0.8, Usable: true, Analysed: true}}
	w.put(q)
	d := w.annotation(w.next)
	d.Kind = &topics.Annotation_DeviceState{DeviceState: &topics.DeviceState{BatteryPercent: &[]uint32{14}[0], ClockOffsetUs: -3e6, FrameUs: 250_000, Rebooted: true}}
	w.put(d)
	w.play(3)
	w.gone = true
	w.play(12)
	w.gone = false
	w.play(5)
	for _, part := range rhythms {
		w.script(part)
	}
	w.key = "u-77"
	w.play(5)
	w.binding("patch-1", false)
	w.play(2)
	w.key = "p01"
	w.play(3)
	w.binding("patch-1", false)
	w.gone = true
	w.play(62)
	return w.log
}

func TestConformance(t *testing.T) {
	stagetest.Run(t, rhythm.Stage(), topics.Annotations, life(t))
}

// A state of the version before is this one's, in which no rhythm is open.
func TestMigrate(t *testing.T) {
	stage := rhythm.Stage()
	w := newWard(t, "p01")
	w.gone = true
	w.play(3)
	w.put(&topics.Annotation{Patient: "p01", Kind: &topics.Annotation_DeviceState{DeviceState: &topics.DeviceState{FrameUs: 250_000}}})
	var s, old rhythm.State
	for _, r := range w.log {
		if tick := r.Value.GetTick(); tick != nil {
			_ = stage.Processor.Advance(&s, tick, func(*topics.Chart) {})
		} else if err := stage.Processor.Process(&s, r, func(*topics.Chart) {}); err != nil {
			t.Fatal(err)
		}
	}
	now, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := new(rhythm.State).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := stage.Migrate(1, nil) // what is behind the fields of version 1
	if err != nil || !bytes.HasSuffix(empty, fresh) {
		t.Fatalf("what a state without rhythms ends with is not what is added to one: %v", err)
	}
	v1 := now[:len(now)-len(fresh)]
	if err := old.UnmarshalBinary(v1); err == nil {
		t.Fatal("a state of version 1 is taken for one of this version")
	}
	moved, err := stage.Migrate(1, bytes.Clone(v1))
	if err != nil || !bytes.Equal(moved, now) {
		t.Fatalf("the state is another one after it: %v", err)
	}
	if _, err := stage.Migrate(stage.Version+1, v1); err == nil {
		t.Error("a version that was never written is migrated")
	}
}

func FuzzState(f *testing.F) {
	var s rhythm.State
	b, _ := s.AppendBinary(nil)
	f.Add(b)
	stage := rhythm.Stage().Processor
	for i, r := range life(&testing.T{}) {
		if tick := r.Value.GetTick(); tick != nil {
			_ = stage.Advance(&s, tick, func(*topics.Chart) {})
		} else {
			_ = stage.Process(&s, r, func(*topics.Chart) {})
		}
		if i%100 == 0 {
			b, _ := s.AppendBinary(nil)
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s rhythm.State
		if s.UnmarshalBinary(b) != nil {
			return
		}
		again, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var same rhythm.State
		if err := same.UnmarshalBinary(again); err != nil {
			t.Fatalf("what it wrote it cannot read: %v", err)
		}
		// Whatever was restored, what comes next must not panic.
		say := func(*topics.Chart) {}
		_ = stage.Process(&s, topics.Record[*topics.Annotation]{Key: "p", Value: &topics.Annotation{Patient: "p", Sample: 1000, Kind: &topics.Annotation_Gap{Gap: &topics.Gap{Count: 5}}}}, say)
		_ = stage.Process(&s, topics.Record[*topics.Annotation]{Key: "p", Value: &topics.Annotation{Patient: "p", Sample: 1010, Kind: &topics.Annotation_Progress{Progress: &topics.Progress{Rate: 250, Valid: 3}}}}, say)
		_ = stage.Advance(&s, &topics.Tick{N: 1, ElapsedUs: 1e6}, say)
	})
}

func BenchmarkSecond(b *testing.B) {
	stage := rhythm.Stage().Processor
	w := newWard(&testing.T{}, "p01")
	w.play(20)
	log := w.log
	var s rhythm.State
	say := func(*topics.Chart) {}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := log[i%len(log)]
		if tick := r.Value.GetTick(); tick != nil {
			_ = stage.Advance(&s, tick, say)
		} else {
			_ = stage.Process(&s, r, say)
		}
	}
}
