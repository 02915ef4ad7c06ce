package beats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"heartwire/stages/beats"
	"heartwire/topics"
)

// BenchmarkHour folds an hour of one lead at 250 Hz in frames of 250 ms: its
// time is the CPU time of an hour of one lead.
func BenchmarkHour(b *testing.B) {
	h := regular(250, 60, 75)
	minute := h.frames()
	p := beats.New(beats.DefaultConfig()).Processor
	var size uint64
	for _, f := range minute {
		size += uint64(f.GetSamples().GetCount())
	}
	b.ReportAllocs()
	said := 0
	emit := func(*topics.Annotation) { said++ }
	for b.Loop() {
		var s beats.State
		for m := range uint64(60) {
			for _, f := range minute {
				samples := f.GetSamples()
				samples.First += m * size
				samples.TimeUs += int64(m * 60e6)
				samples.ArrivalUs += int64(m * 60e6)
				if err := p.Process(&s, record(f), emit); err != nil {
					b.Fatal(err)
				}
				samples.First -= m * size
				samples.TimeUs -= int64(m * 60e6)
				samples.ArrivalUs -= int64(m * 60e6)
			}
		}
	}
	b.ReportMetric(float64(said)/float64(b.N), "annotations/op")
}

// BenchmarkCheckpoint writes a state down and reads it back, as an abort does.
func BenchmarkCheckpoint(b *testing.B) {
	h := regular(250, 20, 75)
	h.leads, h.shrink = []string{"II", "V5"}, []float64{1, 1}
	var s beats.State
	foldInto(b, &s, h.frames())
	var buf []byte
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if buf, err = s.AppendBinary(buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var back beats.State
			if err := back.UnmarshalBinary(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestNoAllocationForASample counts what a frame allocates: the annotations
// said, and nothing that grows with its samples.
func TestNoAllocationForASample(t *testing.T) {
	allocations := func(frame float64) (perFrame float64) {
		h := regular(250, 20, 75)
		h.r = nil // no beats: each one is an annotation
		h.leads, h.shrink, h.frame = []string{"II", "V5"}, []float64{1, 1}, frame
		frames := h.frames()
		var s beats.State
		p := beats.New(beats.DefaultConfig()).Processor
		emit := func(*topics.Annotation) {}
		i := 0
		next := func() {
			if err := p.Process(&s, record(frames[i]), emit); err != nil {
				t.Fatal(err)
			}
			i++
		}
		for range len(frames) - 6 {
			next()
		}
		return testing.AllocsPerRun(4, next)
	}
	short, long := allocations(0.1), allocations(1)
	if short != long || long > 6 {
		t.Errorf("a frame of 100 ms allocates %v times, one of 1 s %v times: want the same, and at most 6", short, long)
	}
}

// TestAllocationsOfABeat counts what beats allocate: the annotation that is
// said, in one piece as that of each frame, and where they are fast what their run is judged by.
func TestAllocationsOfABeat(t *testing.T) {
	h := regular(250, 60, 150)
	random := rand.New(rand.NewPCG(3, 4))
	h.add = func(at float64) float64 { // other shapes among them
		if math.Mod(at, 7) < 0.1 {
			return random.NormFloat64()
		}
		return 0
	}
	frames := h.frames()
	var s beats.State
	p := beats.New(beats.DefaultConfig()).Processor
	i, wanted := 0, 0
	emit := func(a *topics.Annotation) {
		switch {
		case a.GetProgress() != nil:
			wanted++
		case a.GetBeat() != nil: // and what its run is judged by
			wanted += 2
		default:
			wanted += 3
		}
	}
	fold := func(n int) {
		for range n {
			if err := p.Process(&s, record(frames[i]), emit); err != nil {
				t.Fatal(err)
			}
			i++
		}
	}
	fold(len(frames) / 2)
	const runs, each = 5, 20
	wanted = 0
	got := testing.AllocsPerRun(runs, func() { fold(each) })
	if want := float64(wanted) / (runs + 1); got > want+1 {
		t.Errorf("%v allocations in %d frames, want at most %v", got, each, want)
	}
}
