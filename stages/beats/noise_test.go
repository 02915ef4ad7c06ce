package beats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"heartwire/topics"
)

// motion is like an electrode that is moved: bumps and steps of the level, as steep as beats.
func motion(seed uint64, from, to, mv float64) func(t float64) float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	type bump struct{ at, width, height, step float64 }
	var list []bump
	for t := from; t < to; t += 0.1 + 0.25*random.Float64() {
		list = append(list, bump{t, 0.02 + 0.05*random.Float64(), mv * random.NormFloat64(), mv * random.NormFloat64()})
	}
	return func(t float64) float64 {
		var v float64
		for _, b := range list {
			x := (t - b.at) / b.width
			if x > 8 || x < -4 {
				continue
			}
			v += b.height*math.Exp(-x*x/2) + b.step*math.Exp(-math.Max(x, 0)/3)/(1+math.Exp(-4*x))
		}
		return v
	}
}

// Where beats cannot be told from electrode motion, none are said, and what
// the heart does is not known; afterwards it is.
func TestMotionSuspends(t *testing.T) {
	h := regular(250, 150, 70)
	h.add = motion(3, 40, 90, 1.5)
	said := fold(t, ticked(h.frames()))
	var within, suspended int
	for _, a := range only(said, (*topics.Annotation).GetProgress) {
		at, is := float64(a.GetSample())/h.rate, a.GetProgress().GetSuspended()
		switch {
		case at > 55 && at < 90:
			within++
			if is {
				suspended++
			}
		case is && (at < 40 || at > 105):
			t.Fatalf("suspended at %.2f s, where there is no noise", at)
		}
	}
	if 2*suspended < within {
		t.Errorf("suspended in %d of %d frames with noise, want half of them", suspended, within)
	}
	missed, invented := match(beatsOf(said), h.rate, h.r, 2, 0.015)
	for _, at := range append(missed, invented...) {
		if at < 40 || at > 105 {
			t.Errorf("missed %.3v, invented %.3v", missed, invented)
			break
		}
	}
}

// A lead with electrode motion is left for one without.
func TestMotionInOneLead(t *testing.T) {
	h := regular(250, 120, 70)
	h.add = motion(3, 40, 120, 1.5)
	noisy := h.frames()
	h.add = nil
	clean := h.frames()
	for i, f := range noisy {
		s := f.GetSamples()
		s.Leads = append(s.Leads, clean[i].GetSamples().GetLeads()...)
		s.Leads[1].Name = "V5"
	}
	said := fold(t, ticked(noisy))
	for _, a := range only(said, (*topics.Annotation).GetProgress) {
		if a.GetProgress().GetSuspended() {
			t.Fatalf("suspended at %.2f s, where V5 is good", float64(a.GetSample())/h.rate)
		}
	}
	beats := beatsOf(said)
	if lead := beats[len(beats)-1].GetBeat().GetLead(); lead != "V5" {
		t.Errorf("%s is analysed at the end, want V5", lead)
	}
	missed, invented := match(beats, h.rate, h.r, 2, 0.015)
	for _, at := range append(missed, invented...) {
		if at < 40 || at > 60 {
			t.Errorf("missed %.3v, invented %.3v", missed, invented)
			break
		}
	}
}
