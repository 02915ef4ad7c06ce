package beats_test

import (
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/beats"
	"heartwire/topics"
)

// FuzzFrames folds whatever a log may hold: no panic, no number that is
// none, no beat before one that was said, and a state that can be read back.
func FuzzFrames(f *testing.F) {
	h := regular(62.5, 3, 80)
	h.leads, h.shrink = []string{"I", "II"}, []float64{1, -1}
	for _, frame := range append(h.frames()[:4], binding("patch-1", true, true), tick(1)) {
		b, err := proto.Marshal(frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint64(7), uint16(3))
	}
	wild := proto.Clone(h.frames()[0]).(*topics.Frame)
	s := wild.GetSamples()
	s.Missing = []byte{0x55, 0xff}
	s.PacePulses = []uint32{1, 1, 4_000_000_000, 0}
	s.Leads[0].Deltas[0], s.Leads[0].Deltas[1] = math.MaxInt32, math.MinInt32
	s.Leads[1].MicrovoltsPerCount = 1e6
	b, err := proto.Marshal(wild)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint64(1), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, shift uint64, repeat uint16) {
		var frame topics.Frame
		if proto.Unmarshal(b, &frame) != nil {
			return
		}
		p := beats.New(beats.DefaultConfig()).Processor
		var state beats.State
		last := map[string]uint64{}
		check := func(a *topics.Annotation) {
			if b := a.GetBeat(); b != nil && !a.GetLate() {
				if n, ok := last[a.GetDevice()]; ok && a.GetSample() <= n {
					t.Fatalf("a beat at %d after one at %d", a.GetSample(), n)
				}
				last[a.GetDevice()] = a.GetSample()
				if rr := b.GetRrMs(); !(rr >= 0) || math.IsInf(rr, 0) {
					t.Fatalf("an RR of %v", rr)
				}
			}
			if q := a.GetQuality(); q != nil && !(q.GetIndex() >= 0 && q.GetIndex() <= 1) {
				t.Fatalf("a quality of %v", q.GetIndex())
			}
		}
		for i := range int(repeat%64) + 1 {
			if k := frame.GetTick(); k != nil {
				_ = p.Advance(&state, k, check)
			} else {
				_ = p.Process(&state, record(&frame), check)
			}
			if s := frame.GetSamples(); s != nil {
				s.First += uint64(s.GetCount())
				if i%8 == 7 {
					s.First += shift % 1_000_000
				}
			}
			_ = p.Advance(&state, &topics.Tick{N: uint64(i), ElapsedUs: 1e6}, check)
		}
		raw, err := state.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var back beats.State
		if err := back.UnmarshalBinary(raw); err != nil {
			t.Fatalf("its own bytes are refused: %v", err)
		}
	})
}

func FuzzState(f *testing.F) {
	h := regular(62.5, 5, 80)
	for _, n := range []int{0, 1, 11} {
		var s beats.State
		foldInto(f, &s, h.frames()[:n])
		b, err := s.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	next := h.frames()[11]
	f.Fuzz(func(t *testing.T, b []byte) {
		var s beats.State
		if s.UnmarshalBinary(b) != nil {
			if raw, err := s.AppendBinary(nil); err != nil || !emptyState(raw) {
				t.Fatalf("what was refused left a trace: %x %v", raw, err)
			}
			return
		}
		if _, err := s.AppendBinary(nil); err != nil {
			t.Fatal(err)
		}
		p := beats.New(beats.DefaultConfig()).Processor
		for _, r := range []*topics.Frame{next, binding("patch-1", false, false)} {
			_ = p.Process(&s, record(r), func(*topics.Annotation) {})
		}
	})
}

func emptyState(b []byte) bool {
	raw, err := new(beats.State).AppendBinary(nil)
	return err == nil && string(raw) == string(b)
}
