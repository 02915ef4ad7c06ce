package beats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/beats"
	"heartwire/stages/stagetest"
	"heartwire/topics"
)

const (
	vf  = topics.VentricularRhythm_VENTRICULAR_RHYTHM_FIBRILLATION
	vfl = topics.VentricularRhythm_VENTRICULAR_RHYTHM_FLUTTER
	vt  = topics.VentricularRhythm_VENTRICULAR_RHYTHM_TACHYCARDIA
)

// fibrillating is ventricular fibrillation in mV: oscillators between 3 and 7 Hz
// whose frequencies and amplitudes drift, as those of the emulated patch.
func fibrillating(t float64) (v float64) {
	for i := range 5 {
		k := float64(i)
		amp := 0.16 * (1 + 0.7*math.Sin(2*math.Pi*(0.13+0.07*k)*t+k))
		v += amp * math.Sin(2*math.Pi*(3.4+0.7*k)*t+(1.3+0.2*k)*math.Sin(2*math.Pi*(0.21+0.05*k)*t+2*k))
	}
	return v
}

// struck is a heart in sinus rhythm that does something else from..to.
func struck(length, from, to float64, what func(t float64) float64) heart {
	h := regular(250, length, 75)
	h.r = slices.DeleteFunc(h.r, func(t float64) bool { return t > from-0.4 && t < to+0.4 })
	h.add = func(t float64) float64 {
		if t < from || t >= to {
			return 0
		}
		return what(t)
	}
	return h
}

// change is an on or off, in s.
type change struct {
	on       bool
	kind     topics.VentricularRhythm
	at, said float64
}

// changes are what the stage says of fibrillation, and when: by the end of the frame it said it with.
func changes(t testing.TB, frames []*topics.Frame) (list []change) {
	t.Helper()
	var s beats.State
	for _, f := range frames {
		for _, a := range foldInto(t, &s, []*topics.Frame{f}) {
			if k := a.GetFibrillation(); k != nil {
				r := f.GetSamples()
				list = append(list, change{k.GetOn(), k.GetRhythm(), float64(a.GetSample()) / 250, float64(end(r)) / 250})
			}
		}
	}
	return list
}

func end(s *topics.Samples) uint64 { return s.GetFirst() + uint64(s.GetCount()) }

// wantEpisode wants one episode of a kind, found in time at both ends.
func wantEpisode(t *testing.T, list []change, kind topics.VentricularRhythm, from, to float64) {
	t.Helper()
	if len(list) != 2 || !list[0].on || list[1].on || list[0].kind != kind || list[1].kind != kind {
		t.Fatalf("said %+v, want an on and an off of %v", list, kind)
	}
	if on := list[0]; math.Abs(on.at-from) > 2 || on.said-from > 7 {
		t.Errorf("begin at %.1f s, said at %.1f s, want %.1f s and at most 7 s later", on.at, on.said, from)
	}
	if off := list[1]; math.Abs(off.at-to) > 2.5 || off.said-to > 7 {
		t.Errorf("end at %.1f s, said at %.1f s, want %.1f s and at most 7 s later", off.at, off.said, to)
	}
}

func TestFibrillation(t *testing.T) {
	for name, c := range map[string]struct {
		wave func(t float64) float64
		kind topics.VentricularRhythm
	}{
		"fibrillation": {fibrillating, vf},
		"flutter":      {func(t float64) float64 { return 0.9 * math.Sin(2*math.Pi*5*t) }, vfl},
		"tachycardia": {func(t float64) float64 {
			return 0.9*math.Sin(2*math.Pi*3*t) + 0.35*math.Sin(4*math.Pi*3*t+0.6)
		}, vt},
		"coarse, in fine noise": {func(t float64) float64 { return fibrillating(t) + 0.02*math.Sin(2*math.Pi*50*t) }, vf},
	} {
		t.Run(name, func(t *testing.T) {
			wantEpisode(t, changes(t, struck(80, 30, 60, c.wave).frames()), c.kind, 30, 60)
		})
	}
}

func TestFibrillationIsNotSaid(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(mv float64) func(float64) float64 {
		return func(float64) float64 { return mv * random.NormFloat64() }
	}
	irregular := regular(250, 60, 75)
	irregular.r = nil
	for at := 1.0; at < 59; at += 0.35 + 0.6*random.Float64() {
		irregular.r = append(irregular.r, at)
	}
	wide := regular(250, 60, 70)
	wide.waves = []wave{{0, 0.03, 1.2}, {0.08, 0.03, -0.3}, {0.32, 0.06, -0.4}}
	flat, off := struck(60, 20, 60, noise(0.01)), struck(60, 20, 60, func(float64) float64 { return 0 })
	noisy, wander := regular(250, 60, 80), regular(250, 60, 80)
	noisy.add, wander.add = noise(0.08), func(t float64) float64 { return math.Sin(2*math.Pi*0.3*t) + 0.3*math.Sin(2*math.Pi*1.1*t) }
	for name, h := range map[string]heart{
		"sinus": regular(250, 60, 70), "tachycardia": regular(250, 60, 170), "atrial fibrillation": irregular, "wide": wide,
		"asystole": flat, "zero line": off, "muscle": noisy, "baseline": wander,
	} {
		if list := changes(t, h.frames()); len(list) > 0 {
			t.Errorf("%s: said %+v", name, list)
		}
	}
}

// TestFineFibrillation: what has become finer than coarse fibrillation goes on until it is asystole.
func TestFineFibrillation(t *testing.T) {
	h := struck(110, 20, 110, func(t float64) float64 {
		if t > 80 {
			return 0.02 * fibrillating(t)
		}
		return max(math.Exp(-max(t-40, 0)/12), 0.13) * fibrillating(t)
	})
	wantEpisode(t, changes(t, h.frames()), vf, 20, 80)
	h.add = func(t float64) float64 { return 0.07 * fibrillating(t) }
	h.r = nil
	if list := changes(t, h.frames()); len(list) > 0 {
		t.Errorf("what was never coarse: said %+v", list)
	}
}

func TestAGapEndsFibrillation(t *testing.T) {
	all := ticked(struck(60, 15, 60, fibrillating).frames())
	frames := slices.DeleteFunc(all, func(f *topics.Frame) bool {
		s := f.GetSamples()
		return s != nil && s.GetFirst() >= 30*250 && s.GetFirst() < 33*250
	})
	var said []*topics.Annotation
	for _, a := range fold(t, frames) {
		if a.GetFibrillation() != nil || a.GetGap() != nil {
			said = append(said, a)
		}
	}
	if len(said) != 4 || !said[0].GetFibrillation().GetOn() || said[1].GetFibrillation() == nil || said[1].GetFibrillation().GetOn() || said[2].GetGap() == nil || !said[3].GetFibrillation().GetOn() {
		t.Fatalf("said %v, want on, off, gap, on", describe(said))
	}
	if at := said[1].GetSample(); at != said[2].GetSample() {
		t.Errorf("ends at sample %d, want the gap's, %d", at, said[2].GetSample())
	}
	if at := said[3].GetSample(); at < 33*250 || at > 36*250 {
		t.Errorf("begins again at sample %d, want soon after the gap", at)
	}
}

// TestFibrillationWithAnotherLead lets the lead that is analysed fall off.
func TestFibrillationWithAnotherLead(t *testing.T) {
	h := struck(60, 15, 60, fibrillating)
	h.leads, h.shrink = []string{"II", "V5"}, []float64{1, 0.8}
	frames := h.frames()
	for _, f := range frames[4*30:] {
		f.GetSamples().GetLeads()[0].Off = true
	}
	if list := changes(t, frames); len(list) != 1 || !list[0].on {
		t.Errorf("said %+v, want that it begins", list)
	}
}

// TestFibrillationWhateverTheFrames cuts the same samples into other frames.
func TestFibrillationWhateverTheFrames(t *testing.T) {
	h := struck(80, 30, 60, fibrillating)
	var want []*topics.Annotation
	for _, length := range []float64{0.25, 0.02, 1, 10} {
		h.frame = length
		got := only(fold(t, h.frames()), (*topics.Annotation).GetFibrillation)
		for _, a := range got {
			a.TimeUs = 0 // rounded from the frame's
		}
		if want == nil {
			want = got
		}
		if !equal(got, want) {
			t.Errorf("in frames of %v s: %v, want %v", length, describe(got), describe(want))
		}
	}
}

func TestLateFibrillation(t *testing.T) {
	frames := struck(60, 15, 45, fibrillating).frames()
	now := regular(250, 5, 75)
	now.startUs += 600e6
	now.boot = 2
	log := now.frames()
	for _, f := range frames {
		f.GetSamples().ArrivalUs += 300e6
		log = append(log, f)
	}
	late := 0
	for _, a := range fold(t, log) {
		if a.GetFibrillation() == nil {
			continue
		}
		if !a.GetLate() {
			t.Errorf("said live: %v", a)
		}
		late++
	}
	if late != 2 {
		t.Errorf("said %d times late, want on and off", late)
	}
}

// TestConformanceInFibrillation restores the state within an episode, before
// a gap, and while late data is folded.
func TestConformanceInFibrillation(t *testing.T) {
	h := struck(50, 10, 45, fibrillating)
	h.leads, h.shrink = []string{"II", "V5"}, []float64{1, 0.8}
	frames := h.frames()
	late := frames[100:130]
	frames = slices.Concat(frames[:100], frames[130:])
	for i, f := range late {
		old := proto.Clone(f).(*topics.Frame)
		old.GetSamples().ArrivalUs += 12_000_000
		frames = slices.Insert(frames, 140+i, old)
	}
	var log []topics.Record[*topics.Frame]
	for _, f := range ticked(frames) {
		log = append(log, record(f))
	}
	stagetest.Run(t, beats.New(beats.DefaultConfig()), topics.Frames, log)
}
