package beats_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/beats"
	"heartwire/topics"
)

func TestBadFramesAreRefused(t *testing.T) {
	good := regular(250, 1, 60).frames()[0]
	for name, spoil := range map[string]func(*topics.Samples){
		"a rate of NaN":     func(s *topics.Samples) { s.Rate = math.NaN() },
		"a rate of 0":       func(s *topics.Samples) { s.Rate = 0 },
		"a rate of +Inf":    func(s *topics.Samples) { s.Rate = math.Inf(1) },
		"want 20 ms":        func(s *topics.Samples) { s.Count = 0 },
		"0 leads":           func(s *topics.Samples) { s.Leads = nil },
		"13 leads":          func(s *topics.Samples) { s.Leads = slices.Repeat(s.Leads, 13) },
		"has 61 samples":    func(s *topics.Samples) { s.Leads[0].Deltas = s.Leads[0].Deltas[:61] },
		"has NaN µV":        func(s *topics.Samples) { s.Leads[0].MicrovoltsPerCount = math.NaN() },
		"has 0 µV":          func(s *topics.Samples) { s.Leads[0].MicrovoltsPerCount = 0 },
		"a bitmap":          func(s *topics.Samples) { s.Missing = []byte{1} },
		"number is too big": func(s *topics.Samples) { s.First = math.MaxUint64 },
	} {
		f := proto.Clone(good).(*topics.Frame)
		spoil(f.GetSamples())
		err := process(new(beats.State), f)
		if name == "number is too big" {
			name = "too high"
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, have %v", name, err)
		}
	}
	if err := process(new(beats.State), &topics.Frame{Patient: "p"}); err == nil {
		t.Error("an empty frame was taken")
	}
}

func process(s *beats.State, f *topics.Frame) error {
	return beats.New(beats.DefaultConfig()).Processor.Process(s, record(f), func(*topics.Annotation) {})
}

func TestConfigIsChecked(t *testing.T) {
	if err := beats.DefaultConfig().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	err := beats.Config{Wait: 2 * time.Minute, Late: time.Millisecond, Buffer: time.Hour}.Validate()
	for _, want := range []string{"wait", "late", "buffer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	h := regular(240, 60, 70)
	frames := h.frames()
	// Without a tick: the first gap is stated when more than 12 s wait behind it.
	said := fold(t, slices.Concat(frames[:20], frames[21:60]))
	if n := len(gapsOf(said)); n != 0 {
		t.Fatalf("%d gaps with less than 12 s waiting", n)
	}
	said = fold(t, slices.Concat(frames[:20], frames[21:80]))
	if gaps := gapsOf(said); len(gaps) != 1 || gaps[0].GetSample() != 20*60 {
		t.Fatalf("gaps: %v", gaps)
	}
	progress := only(said, (*topics.Annotation).GetProgress)
	if last := progress[len(progress)-1].GetSample(); last != 80*60-1 {
		t.Errorf("folded to %d", last)
	}
}

func TestAnotherDeviceTakesOverFromASilentOne(t *testing.T) {
	a, b := regular(240, 10, 60), regular(240, 20, 90)
	b.device = "patch-2"
	fb := b.frames()
	early := fold(t, slices.Concat(a.frames(), fb[:8]))
	if beat := beatsOf(early); beat[len(beat)-1].GetDevice() != "patch-1" {
		t.Errorf("a second device took over while the first spoke")
	}
	var list []*topics.Frame
	for i := range 11 {
		list = append(list, tick(i+1))
	}
	said := fold(t, slices.Concat(a.frames(), list, fb))
	gaps := gapsOf(said)
	if beat := beatsOf(said); beat[len(beat)-1].GetDevice() != "patch-2" || len(gaps) != 1 || gaps[0].GetGap().GetCause() != topics.GapCause_GAP_CAUSE_DEVICE {
		t.Errorf("patch-2 did not take over: %v", gaps)
	}
}

func TestAnOlderBootIsLate(t *testing.T) {
	old, now := regular(240, 30, 60), regular(240, 30, 90)
	now.boot, now.startUs = 2, old.startUs+40_000_000
	fo, fn := old.frames(), now.frames()
	var list []*topics.Frame
	list = append(list, fn[:20]...)
	for i := range 80 {
		list = append(list, fo[i], fo[i], fn[20+i])
	}
	for n := range 8 { // nothing more of the old boot comes
		list = append(list, tick(n+1))
	}
	list = append(list, fo[40]) // but this, again
	said := fold(t, list)
	var late []*topics.Annotation
	for _, a := range said {
		switch {
		case a.GetLate() != (a.GetBoot() == 1):
			t.Fatalf("late %v, boot %d", a.GetLate(), a.GetBoot())
		case a.GetLate() && a.GetBeat() != nil:
			late = append(late, a)
		}
	}
	var r []float64
	for _, at := range old.r {
		if at > 3 && at < 19 {
			r = append(r, at)
		}
	}
	missed, _ := match(late, old.rate, r, 0, 0.015)
	for i := 1; i < len(late); i++ {
		if late[i].GetSample() <= late[i-1].GetSample() {
			t.Errorf("late beats at %d and then %d", late[i-1].GetSample(), late[i].GetSample())
		}
	}
	if len(missed) > 0 {
		t.Errorf("missed %.3v of the old boot", missed)
	}
	if n := len(gapsOf(said)); n > 0 {
		t.Errorf("%d gaps in the live data", n)
	}
}

// A lead that cannot be a heart is not analysed, and not asystole.
func TestAnUnusableLeadSuspends(t *testing.T) {
	for name, spoil := range map[string]func(i, k int) int32{
		"saturated": func(int, int) int32 { return math.MaxInt16 },
		"wild":      func(i, k int) int32 { return int32(20000 * math.Sin(float64(i*60+k)/7)) },
	} {
		h := regular(240, 60, 70)
		frames := h.frames()
		for i, f := range frames[80:160] {
			l, last := f.GetSamples().GetLeads()[0], int32(0)
			for k := range l.Deltas {
				v := spoil(i, k)
				l.Deltas[k], last = v-last, v
			}
		}
		said := fold(t, ticked(frames))
		for _, a := range only(said, (*topics.Annotation).GetProgress) {
			at := float64(a.GetSample()) / h.rate
			if suspended := at > 22.5 && at < 40; suspended != a.GetProgress().GetSuspended() && (at < 20 || suspended || at > 42.5) {
				t.Fatalf("%s: at %.2f s suspended is %v", name, at, a.GetProgress().GetSuspended())
			}
		}
		var last bool
		for _, q := range only(said, (*topics.Annotation).GetQuality) {
			last = q.GetQuality().GetUsable() && q.GetQuality().GetAnalysed()
		}
		if !last {
			t.Errorf("%s: the lead is not analysed again", name)
		}
		for _, b := range beatsOf(said) {
			if at := float64(b.GetSample()) / h.rate; at > 22.5 && at < 40 {
				t.Errorf("%s: a beat at %.2f s", name, at)
			}
		}
		if missed, _ := match(beatsOf(said), h.rate, h.r, 48, 0.015); len(missed) > 0 {
			t.Errorf("%s: missed %.3v after it", name, missed)
		}
	}
}

func TestACleanLeadIsPreferredToANoisyOne(t *testing.T) {
	h := regular(250, 60, 70)
	h.leads, h.shrink = []string{"II", "V5"}, []float64{1, 0.8}
	frames := h.frames()
	seed := uint32(1)
	for _, f := range frames[80:] { // muscle noise in II
		l, last := f.GetSamples().GetLeads()[0], int32(0)
		var count int32
		for k, d := range l.Deltas {
			count += d
			seed = seed*1664525 + 1013904223
			v := count + int32(seed>>22) - 512 // ± 1.3 mV
			l.Deltas[k], last = v-last, v
		}
	}
	said := beatsOf(fold(t, ticked(frames)))
	if lead := said[len(said)-1].GetBeat().GetLead(); lead != "V5" {
		t.Errorf("%s is analysed at the end, want V5", lead)
	}
	missed, invented := match(said, h.rate, h.r, 2, 0.015)
	for _, at := range append(missed, invented...) {
		if at < 20 || at > 25 {
			t.Errorf("missed %.3v, invented %.3v", missed, invented)
			break
		}
	}
}
