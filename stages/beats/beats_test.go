package beats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"heartwire/topics"
)

func TestEveryRateAndFrameLengthGivesTheSameBeats(t *testing.T) {
	for _, rate := range []float64{62.5, 100, 128, 180, 244.14, 250, 256, 360, 500, 977, 1000, 5000} {
		for _, frame := range []float64{0.02, 0.25, 1, 10} {
			h := regular(rate, 30, 73)
			if h.frame = frame; rate > 1000 && frame < 0.25 {
				continue // nothing new, and slow to make
			}
			said := fold(t, ticked(h.frames()))
			wantBeats(t, said, h, 2, 0.015)
			if t.Failed() {
				t.Fatalf("at %v Hz in frames of %v s", rate, frame)
			}
			for _, b := range beatsOf(said)[1:] {
				if rr := b.GetBeat().GetRrMs(); math.Abs(rr-60000/73.) > 1000/rate+12 {
					t.Fatalf("at %v Hz: RR of %v ms, want %v", rate, rr, 60000/73.)
				}
			}
		}
	}
}

func TestRatesOfTheHeart(t *testing.T) {
	for _, bpm := range []float64{20, 30, 40, 60, 90, 120, 180, 220, 280} {
		h := regular(250, 40, bpm)
		if bpm > 150 {
			h.waves = sinusWaves[1:4] // P and T would lie in each other
		}
		wantBeats(t, fold(t, ticked(h.frames())), h, 5, 0.015)
		if t.Failed() {
			t.Fatalf("at %v beats /min", bpm)
		}
	}
}

func TestTwelveLeads(t *testing.T) {
	h := regular(250, 20, 80)
	h.leads = []string{"I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"}
	h.shrink = []float64{0.6, 1, 0.4, -0.8, 0.2, 0.7, -0.5, 0.5, 0.9, 1.4, 1.2, 1}
	said := fold(t, ticked(h.frames()))
	wantBeats(t, said, h, 2, 0.015)
	for _, b := range beatsOf(said) {
		if b.GetBeat().GetLead() != "II" {
			t.Fatalf("a beat from %s, want II", b.GetBeat().GetLead())
		}
	}
}

func TestAmplitude(t *testing.T) {
	for name, scale := range map[string]func(float64) float64{
		"inverted":      func(float64) float64 { return -1 },
		"half":          func(float64) float64 { return 0.5 },
		"five times":    func(float64) float64 { return 5 },
		"ten times up":  func(t float64) float64 { return 0.3 + 2.7*step(t, 20) },
		"ten times off": func(t float64) float64 { return 3 - 2.7*step(t, 20) },
		"a quarter":     func(t float64) float64 { return 2 - 1.5*step(t, 20) },
		"four times":    func(t float64) float64 { return 0.5 + 1.5*step(t, 20) },
		"to and fro":    func(t float64) float64 { return 2 - 1.5*step(t, 20) + 1.5*step(t, 28) },
	} {
		for _, bpm := range []float64{45, 70, 110, 150} {
			amplitude(t, fmt.Sprintf("%s at %g", name, bpm), bpm, scale)
		}
	}
}

func amplitude(t *testing.T, name string, bpm float64, scale func(float64) float64) {
	{
		h := regular(250, 40, bpm)
		h.scale = scale
		said := fold(t, ticked(h.frames()))
		missed, invented := match(beatsOf(said), h.rate, h.r, 2, 0.015)
		for _, at := range append(missed, invented...) {
			if at < 19 || at > 25 && at < 28 || at > 33 {
				t.Errorf("%s: missed %.3v, invented %.3v", name, missed, invented)
				break
			}
		}
		if len(invented) > 2 {
			t.Errorf("%s: invented %.3v", name, invented)
		}
	}
}

func step(t, at float64) float64 {
	if t >= at {
		return 1
	}
	return 0
}

// Bounds of IEC 60601-2-27 and AAMI EC13 for what a monitor takes for a beat.
func TestWhatIsABeat(t *testing.T) {
	triangle := func(height, width float64) []wave { return []wave{{0, width / 5, height}} } // a Gaussian as wide at its foot
	for _, c := range []struct {
		name          string
		height, width float64
		beat          bool
	}{
		{"0.5 mV, 70 ms", 0.5, 0.070, true},
		{"0.5 mV, 120 ms", 0.5, 0.120, true},
		{"5 mV, 70 ms", 5, 0.070, true},
		{"5 mV, 120 ms", 5, 0.120, true},
		{"0.5 mV, 40 ms", 0.5, 0.040, true},
		{"0.15 mV, 70 ms", 0.15, 0.070, false},
		{"0.15 mV, 120 ms", 0.15, 0.120, false},
		{"1 mV, 10 ms", 1, 0.010, false},
	} {
		h := regular(500, 30, 60)
		h.waves = triangle(c.height, c.width)
		said := beatsOf(fold(t, ticked(h.frames())))
		if c.beat {
			if missed, invented := match(said, h.rate, h.r, 2, 0.015); len(missed)+len(invented) > 0 {
				t.Errorf("%s: missed %.3v invented %.3v", c.name, missed, invented)
			}
		} else if len(said) > 0 {
			t.Errorf("%s: %d beats, want none", c.name, len(said))
		}
	}
}

func TestNothingIsInventedInAsystole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, add := range map[string]func(float64) float64{
		"flat":            func(float64) float64 { return 0 },
		"offset":          func(float64) float64 { return 280 },
		"mains 100 µV":    func(t float64) float64 { return 0.05 * math.Sin(2*math.Pi*50*t) },
		"mains 60 Hz":     func(t float64) float64 { return 0.05 * math.Sin(2*math.Pi*60*t) },
		"drift of 4 mV":   func(t float64) float64 { return 2 * math.Sin(2*math.Pi*0.1*t) },
		"noise of 20 µV":  func(float64) float64 { return 0.02 * random.NormFloat64() },
		"P waves go on":   func(t float64) float64 { return 0.15 * math.Exp(-math.Pow((math.Mod(t, 0.8)-0.4)/0.025, 2)/2) },
		"one step, 1 mV":  func(t float64) float64 { return step(t, 25) },
		"sagging to zero": func(t float64) float64 { return math.Exp(-math.Max(t-15, 0) / 2) },
	} {
		h := regular(250, 40, 70)
		for i, r := range h.r {
			if r > 14 {
				h.r = h.r[:i]
				break
			}
		}
		h.add = add
		said := fold(t, ticked(h.frames()))
		wantBeats(t, said, h, 2, 0.02)
		progress := only(said, (*topics.Annotation).GetProgress)
		last := progress[len(progress)-1]
		if p := last.GetProgress(); p.Candidate != nil || p.GetSuspended() || float64(last.GetSample()-p.GetComplete()) > 1*h.rate {
			t.Errorf("at the end of asystole progress says %v at %d", p, last.GetSample())
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestFlatFromTheBegin(t *testing.T) {
	h := regular(250, 10, 70)
	h.r = nil
	said := fold(t, ticked(h.frames()))
	if n := len(beatsOf(said)); n > 0 {
		t.Fatalf("%d beats in nothing", n)
	}
	progress := only(said, (*topics.Annotation).GetProgress)
	last := progress[len(progress)-1]
	if complete := last.GetProgress().GetComplete(); float64(last.GetSample()-complete) > h.rate {
		t.Errorf("complete to %d of %d: asystole could not be said", complete, last.GetSample())
	}
}

func TestABeatIsSaidOnceAndWithinTwoSeconds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	h := regular(250, 120, 60)
	h.r = nil
	for at := 1.0; at < 119; at += 0.4 + 0.9*random.Float64() {
		h.r = append(h.r, at)
	}
	h.scale = func(t float64) float64 { return 1 + 0.7*math.Sin(t/3) }
	h.add = func(float64) float64 { return 0.05 * random.NormFloat64() }
	var last, complete uint64
	var now uint64
	for _, a := range fold(t, ticked(h.frames())) {
		switch {
		case a.GetProgress() != nil:
			p := a.GetProgress()
			if now = a.GetSample(); p.GetComplete() < complete || p.GetComplete() > now+1 {
				t.Fatalf("complete went from %d to %d at %d", complete, p.GetComplete(), now)
			}
			complete = p.GetComplete()
		case a.GetBeat() != nil:
			n := a.GetSample()
			if n < complete {
				t.Fatalf("a beat at %d after it was said that all before %d were", n, complete)
			}
			if last > 0 && n <= last {
				t.Fatalf("a beat at %d after one at %d", n, last)
			}
			if age := float64(now-min(n, now)) / h.rate; age > 2 {
				t.Fatalf("a beat was said after %.2f s", age)
			}
			if last > 0 && math.Abs(a.GetBeat().GetRrMs()-float64(n-last)*1000/h.rate) > 1e-9 {
				t.Fatalf("an RR of %v ms between %d and %d", a.GetBeat().GetRrMs(), last, n)
			}
			last = n
		}
	}
	if last == 0 {
		t.Fatal("no beats")
	}
}

func TestPacePulsesAreNotBeats(t *testing.T) {
	pace := func(captured bool) []*topics.Annotation {
		h := regular(250, 30, 70)
		h.waves = sinusWaves[1:]
		pulses := h.r
		if !captured {
			h.r = nil
		}
		h.add = func(t float64) float64 {
			for _, p := range pulses {
				if d := t - p + 0.06; d >= 0 && d < 0.004 {
					return 3
				} else if d >= 0.004 && d < 0.1 {
					return -0.4 * math.Exp(-(d-0.004)/0.003)
				}
			}
			return 0
		}
		frames := h.frames()
		for _, f := range frames {
			s := f.GetSamples()
			for _, p := range pulses {
				if n := int64(math.Ceil((p - 0.06) * h.rate)); n >= int64(s.GetFirst()) && n < int64(s.GetFirst())+int64(s.GetCount()) {
					s.PacePulses = append(s.PacePulses, uint32(n-int64(s.GetFirst())))
				}
			}
		}
		frames = append([]*topics.Frame{binding("patch-1", true, true)}, frames...)
		said := fold(t, ticked(frames))
		if n := len(only(said, (*topics.Annotation).GetPacePulse)); n != len(pulses) {
			t.Errorf("%d pace pulses said, want %d", n, len(pulses))
		}
		if captured {
			wantBeats(t, said, h, 2, 0.02)
		}
		return beatsOf(said)
	}
	for _, b := range pace(true) {
		if b.GetBeat().GetClass() != topics.BeatClass_BEAT_CLASS_Q {
			t.Fatalf("a paced beat of class %v", b.GetBeat().GetClass())
		}
	}
	if n := len(pace(false)); n > 0 {
		t.Errorf("%d beats, though the pacemaker captures nothing", n)
	}
}

func binding(device string, bound, paced bool) *topics.Frame {
	return &topics.Frame{Patient: "p", Kind: &topics.Frame_Binding{Binding: &topics.Binding{Device: device, Bound: bound, Paced: paced, AtUs: 1}}}
}
