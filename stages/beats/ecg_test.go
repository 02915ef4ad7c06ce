package beats_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"heartwire/stages/beats"
	"heartwire/topics"
)

// wave is one deflection of a heart beat: a Gaussian.
type wave struct{ at, width, height float64 } // s from the R peak, s (one sigma), mV

var sinusWaves = []wave{{-0.16, 0.025, 0.12}, {-0.025, 0.009, -0.1}, {0, 0.011, 1}, {0.028, 0.009, -0.2}, {0.25, 0.045, 0.28}}

// heart is a made-up ECG: beats at times, each a sum of waves.
type heart struct {
	rate    float64   // Hz
	length  float64   // s
	r       []float64 // s
	waves   []wave
	scale   func(t float64) float64 // of everything; nil: 1
	add     func(t float64) float64 // mV added; nil: 0
	device  string
	boot    uint64
	frame   float64 // s
	leads   []string
	gain    float64   // µV a count
	shrink  []float64 // a factor for each lead
	startUs int64
}

// regular is a heart of so many beats /min.
func regular(rate, length, bpm float64) heart {
	h := heart{rate: rate, length: length, waves: sinusWaves, device: "patch-1", boot: 1, frame: 0.25,
		leads: []string{"II"}, gain: 2.5, shrink: []float64{1}, startUs: 1_700_000_000_000_000}
	for t := 0.7; t < length-2; t += 60 / bpm { // the last one is said before the end
		h.r = append(h.r, t)
	}
	return h
}

// at is the signal in mV.
func (h heart) at(t float64) float64 {
	v := 0.0
	from, _ := slices.BinarySearch(h.r, t-1)
	for _, r := range h.r[from:] {
		if r > t+1 {
			break
		}
		for _, w := range h.waves {
			x := (t - r - w.at) / w.width
			if x > -6 && x < 6 {
				v += w.height * math.Exp(-x*x/2)
			}
		}
	}
	if h.scale != nil {
		v *= h.scale(t)
	}
	if h.add != nil {
		v += h.add(t)
	}
	return v
}

// frames are what a patch would have sent.
func (h heart) frames() []*topics.Frame {
	var list []*topics.Frame
	total := int(h.length * h.rate)
	size := max(int(math.Round(h.frame*h.rate)), 1)
	for first := 0; first < total; first += size {
		list = append(list, h.run(first, min(size, total-first)))
	}
	return list
}

func (h heart) run(first, n int) *topics.Frame {
	s := &topics.Samples{
		Device: h.device, Boot: h.boot, First: uint64(first), Rate: h.rate, Count: uint32(n),
		TimeUs: h.startUs + int64(float64(first)*1e6/h.rate),
	}
	s.ArrivalUs = s.TimeUs + int64(float64(n)*1e6/h.rate)
	for i, name := range h.leads {
		l := &topics.Lead{Name: name, MicrovoltsPerCount: h.gain}
		last := int32(0)
		for k := range n {
			c := int32(math.Round(h.at(float64(first+k)/h.rate) * h.shrink[i] * 1000 / h.gain))
			l.Deltas = append(l.Deltas, c-last)
			last = c
		}
		s.Leads = append(s.Leads, l)
	}
	return &topics.Frame{Patient: "p", Kind: &topics.Frame_Samples{Samples: s}}
}

func record(f *topics.Frame) topics.Record[*topics.Frame] {
	return topics.Record[*topics.Frame]{Key: topics.Key(f.GetPatient()), Value: f}
}

func tick(n int) *topics.Frame {
	return topics.Frames.Wrap(&topics.Tick{N: uint64(n), Owner: 1, ElapsedUs: 1e6})
}

// ticked puts a tick after each second of frames.
func ticked(frames []*topics.Frame) []*topics.Frame {
	var list []*topics.Frame
	var passed float64
	n := 0
	for _, f := range frames {
		list = append(list, f)
		if s := f.GetSamples(); s != nil {
			passed += float64(s.GetCount()) / s.GetRate()
		}
		for ; passed >= 1; passed-- {
			n++
			list = append(list, tick(n))
		}
	}
	return list
}

// fold is what the stage says to a log of one patient.
func fold(t testing.TB, frames []*topics.Frame) []*topics.Annotation {
	t.Helper()
	var s beats.State
	return foldInto(t, &s, frames)
}

func foldInto(t testing.TB, s *beats.State, frames []*topics.Frame) []*topics.Annotation {
	t.Helper()
	p := beats.New(beats.DefaultConfig()).Processor
	var said []*topics.Annotation
	emit := func(a *topics.Annotation) { said = append(said, a) }
	for i, f := range frames {
		var err error
		if k := f.GetTick(); k != nil {
			err = p.Advance(s, k, emit)
		} else {
			err = p.Process(s, record(f), emit)
		}
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	return said
}

// only are the annotations of the kind that get finds, late ones apart.
func only[K any](said []*topics.Annotation, get func(*topics.Annotation) *K) []*topics.Annotation {
	var list []*topics.Annotation
	for _, a := range said {
		if get(a) != nil && !a.GetLate() {
			list = append(list, a)
		}
	}
	return list
}

func beatsOf(said []*topics.Annotation) []*topics.Annotation {
	return only(said, (*topics.Annotation).GetBeat)
}

func gapsOf(said []*topics.Annotation) []*topics.Annotation {
	return only(said, (*topics.Annotation).GetGap)
}

// match compares beats with the times at which hearts beat: within tolerance
// seconds, from the second from on. It returns what was missed and what was invented.
func match(said []*topics.Annotation, rate float64, r []float64, from, tolerance float64) (missed, invented []float64) {
	var at []float64
	for _, a := range said {
		at = append(at, float64(a.GetSample())/rate)
	}
	near := func(list []float64, t float64) bool {
		return slices.ContainsFunc(list, func(o float64) bool { return math.Abs(o-t) <= tolerance })
	}
	for _, t := range r {
		if t >= from && !near(at, t) {
			missed = append(missed, t)
		}
	}
	for _, t := range at {
		if !near(r, t) {
			invented = append(invented, t)
		}
	}
	return missed, invented
}

func wantBeats(t testing.TB, said []*topics.Annotation, h heart, from, tolerance float64) {
	t.Helper()
	if missed, invented := match(beatsOf(said), h.rate, h.r, from, tolerance); len(missed)+len(invented) > 0 {
		t.Errorf("missed at %.3v s, invented at %.3v s", missed, invented)
	}
}

func describe(said []*topics.Annotation) []string {
	var list []string
	for _, a := range said {
		list = append(list, fmt.Sprintf("%d %s", a.GetSample(), prototext.Format(a)))
	}
	return list
}

func equal(a, b []*topics.Annotation) bool {
	return slices.EqualFunc(a, b, func(x, y *topics.Annotation) bool { return proto.Equal(x, y) })
}
