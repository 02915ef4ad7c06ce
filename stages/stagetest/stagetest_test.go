package stagetest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"heartwire/stages"
	"heartwire/topics"
)

// counter is a small honest stage: it adds up samples and says the sum at
// every third frame and at every tick.
type state struct {
	key     string
	frames  uint64
	sum     int64
	pending []int32
	leak    []int32 // used by the bad ones
	last    *topics.Annotation
	emit    func(*topics.Annotation)
}

func (s *state) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: b}
	e.String(s.key)
	e.Uint(s.frames)
	e.Int(s.sum)
	e.Uint(uint64(len(s.pending)))
	for _, v := range s.pending {
		e.Int(int64(v))
	}
	return e.B, nil
}

func (s *state) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
	s.key, s.frames, s.sum = d.String(), d.Uint(), d.Int()
	s.pending = s.pending[:0]
	for n := d.Len(1); n > 0; n-- {
		s.pending = append(s.pending, int32(d.Int()))
	}
	return d.Err()
}

type counter struct {
	process func(s *state, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error // instead; nil: the honest one
	advance func(s *state, t *topics.Tick, emit func(*topics.Annotation)) error
}

func (c counter) Process(s *state, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	if c.process != nil {
		return c.process(s, r, emit)
	}
	return honest(s, r, emit)
}

func honest(s *state, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	s.key = string(r.Key)
	samples := r.Value.GetSamples()
	if samples.GetCount() == 0 {
		return fmt.Errorf("a frame without samples")
	}
	s.frames++
	s.pending = append(s.pending, samples.GetLeads()[0].GetDeltas()...)
	if s.frames%3 == 0 {
		say(s, emit)
	}
	return nil
}

func say(s *state, emit func(*topics.Annotation)) {
	for _, v := range s.pending {
		s.sum += int64(v)
	}
	s.pending = s.pending[:0]
	emit(annotation(s.key, uint64(s.sum)))
}

func annotation(key string, sample uint64) *topics.Annotation {
	return &topics.Annotation{Patient: key, Sample: sample, Kind: &topics.Annotation_Beat{Beat: &topics.Beat{}}}
}

func (c counter) Advance(s *state, t *topics.Tick, emit func(*topics.Annotation)) error {
	if c.advance != nil {
		return c.advance(s, t, emit)
	}
	if len(s.pending) > 0 {
		say(s, emit)
	}
	return nil
}

func stage(c counter) stages.Stage[state, *topics.Frame, *topics.Annotation] {
	return stages.Stage[state, *topics.Frame, *topics.Annotation]{Name: "counter", Version: 1, Processor: c}
}

func log() []topics.Record[*topics.Frame] {
	var rs []topics.Record[*topics.Frame]
	for i := range 40 {
		key := topics.Key("a")
		if i%3 == 1 {
			key = "b"
		}
		v := &topics.Samples{Device: "d", First: uint64(i * 4), Count: 4, Missing: []byte{1},
			Leads: []*topics.Lead{{Name: "I", Deltas: []int32{int32(i) + 1, 2, 3, 4}}}}
		if i == 20 {
			v.Count = 0 // condemned
		}
		rs = append(rs, topics.Record[*topics.Frame]{Key: key, Value: &topics.Frame{Patient: string(key), Kind: &topics.Frame_Samples{Samples: v}}})
		if i%5 == 4 {
			rs = append(rs, topics.Record[*topics.Frame]{Value: topics.Frames.Wrap(&topics.Tick{N: uint64(i), ElapsedUs: 1e6})})
		}
	}
	return rs
}

func TestAnHonestStagePasses(t *testing.T) {
	Run(t, stage(counter{}), topics.Frames, log())
}

func TestBadStagesAreCaught(t *testing.T) {
	type in = topics.Record[*topics.Frame]
	type out = func(*topics.Annotation)
	calls := 0
	var shared int64
	for name, c := range map[string]struct {
		counter
		want string
	}{
		"chance": {counter{process: func(s *state, r in, emit out) error {
			calls++
			emit(annotation(string(r.Key), uint64(calls)))
			return nil
		}}, "a second fold"},
		"memory beside the state": {counter{process: func(s *state, r in, emit out) error {
			shared = 31*shared%1000003 + int64(r.Offset) + 1
			if r.Offset == 0 {
				shared = 1
			}
			emit(annotation(string(r.Key), uint64(shared)))
			return nil
		}}, "one key alone"},
		"state that is not written": {counter{process: func(s *state, r in, emit out) error {
			s.leak = append(s.leak, 1)
			emit(annotation(string(r.Key), uint64(len(s.leak))))
			return nil
		}}, "restored after each record"},
		"input kept": {counter{process: func(s *state, r in, emit out) error {
			if len(s.leak) > 0 {
				emit(annotation(string(r.Key), uint64(s.leak[0])))
			}
			s.leak = r.Value.GetSamples().GetLeads()[0].GetDeltas()
			return nil
		}}, "overwritten after each call"},
		"input changed": {counter{process: func(s *state, r in, emit out) error {
			emit(annotation(string(r.Key), 1))
			for _, l := range r.Value.GetSamples().GetLeads() {
				l.Deltas[0] |= 1 << 20
			}
			return nil
		}}, "changed the record"},
		"output kept and changed": {counter{process: func(s *state, r in, emit out) error {
			if s.last != nil {
				s.last.Sample = 1 << 40
			}
			s.last = annotation(string(r.Key), uint64(r.Offset))
			emit(s.last)
			return nil
		}}, "changed after the call"},
		"output used again": {counter{process: func(s *state, r in, emit out) error {
			if s.last != nil {
				emit(annotation(string(r.Key), s.last.Sample))
			}
			s.last = annotation(string(r.Key), uint64(r.Offset))
			emit(s.last)
			return nil
		}}, "overwritten by their owner"},
		"emission after the call": {counter{process: func(s *state, r in, emit out) error {
			if s.emit != nil {
				s.emit(annotation(string(r.Key), 1))
			}
			s.emit = emit
			emit(annotation(string(r.Key), 2))
			return nil
		}}, "after the call it belongs to"},
		"panic": {counter{process: func(s *state, r in, emit out) error {
			_ = r.Value.GetSamples().GetLeads()[7]
			return nil
		}}, "panic: runtime error"},
		"panic on a tick": {counter{advance: func(s *state, t *topics.Tick, emit out) error {
			panic("no")
		}}, "panic: no"},
		"no key": {counter{process: func(s *state, r in, emit out) error { emit(annotation("", 1)); return nil }}, "without a key"},
		"a tick": {counter{advance: func(s *state, t *topics.Tick, emit out) error { emit(topics.Annotations.Wrap(t)); return nil }}, "ticks on itself"},
		"nil":    {counter{process: func(s *state, r in, emit out) error { emit(nil); return nil }}, "no record of any topic"},
		"silent": {counter{process: func(*state, in, out) error { return nil }, advance: func(*state, *topics.Tick, out) error { return nil }}, "says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			calls, shared = 0, 0
			if name == "chance" {
				calls = 1
			}
			wantViolation(t, Check(stage(c.counter), topics.Frames, log()), c.want)
		})
	}
}

// hearing is a counter that can be overtaken.
type hearing struct {
	counter
	overtaken func(s *state, lost int64, emit func(*topics.Annotation)) error
}

func (h hearing) Overtaken(s *state, lost int64, emit func(*topics.Annotation)) error {
	return h.overtaken(s, lost, emit)
}

func checkHearing(h hearing) error {
	return Check(stages.Stage[state, *topics.Frame, *topics.Annotation]{Name: "hearing", Version: 1, Processor: h}, topics.Frames, log())
}

func TestOvertakenStages(t *testing.T) {
	type out = func(*topics.Annotation)
	says := func(s *state, lost int64, emit out) error {
		s.sum += 1000 * lost
		emit(annotation(s.key, uint64(s.sum)))
		return nil
	}
	if err := checkHearing(hearing{overtaken: says}); err != nil {
		t.Errorf("an honest one: %v", err)
	}
	calls := int64(0)
	for name, c := range map[string]struct {
		hearing
		want string
	}{
		"deaf": {hearing{overtaken: func(*state, int64, out) error { return nil }}, "neither says nor keeps"},
		"chance": {hearing{overtaken: func(s *state, lost int64, emit out) error {
			calls++
			return says(s, lost+calls, emit)
		}}, "a second fold that is overtaken"},
		"memory that is not written": {hearing{
			counter: counter{advance: func(s *state, t *topics.Tick, emit out) error {
				if len(s.leak) > 0 {
					emit(annotation(s.key, 1<<40+t.GetN()))
				}
				return counter{}.Advance(s, t, emit)
			}},
			overtaken: func(s *state, lost int64, emit out) error {
				s.leak = []int32{1}
				return says(s, lost, emit)
			},
		}, "restored after it was overtaken"},
		"repetition": {hearing{
			counter: counter{process: func(s *state, r topics.Record[*topics.Frame], emit out) error {
				if len(s.pending) == 0 {
					s.pending = []int32{int32(r.Offset)}
				}
				s.frames++
				s.key = string(r.Key)
				emit(annotation(s.key, s.frames))
				return nil
			}, advance: func(*state, *topics.Tick, out) error { return nil }},
			overtaken: func(s *state, _ int64, _ out) error { s.frames = 0; return nil },
		}, "says again"},
		"panic": {hearing{overtaken: func(*state, int64, out) error { panic("no") }}, "panic: no"},
	} {
		t.Run(name, func(t *testing.T) { wantViolation(t, checkHearing(c.hearing), c.want) })
	}
}

func TestALogWithoutTicksIsRefused(t *testing.T) {
	wantViolation(t, Check(stage(counter{}), topics.Frames, log()[:4]), "no tick")
}

func wantViolation(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("was taken for a good stage")
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("want a violation about %q, have %v", want, err)
	}
}

// Codecs that lie. Each wraps the good state.
type (
	longOK struct{ state } // takes more than it wrote
	cutOK  struct{ state } // takes less
	prone  struct{ state } // panics when cut off
	sticky struct{ state } // does not clear what it held
	keeper struct {        // keeps the bytes it was given
		state
		raw []byte
	}
)

func (s *longOK) UnmarshalBinary(b []byte) error {
	for {
		if err := s.state.UnmarshalBinary(b); err == nil || len(b) == 0 {
			return err
		}
		b = b[:len(b)-1]
	}
}

func (s *cutOK) UnmarshalBinary(b []byte) error { _ = s.state.UnmarshalBinary(b); return nil }

func (s *prone) UnmarshalBinary(b []byte) error {
	_ = b[len(b)-1-int(b[0])]
	return s.state.UnmarshalBinary(b)
}

func (s *sticky) UnmarshalBinary(b []byte) error {
	old := s.pending
	s.pending = nil
	err := s.state.UnmarshalBinary(b)
	if len(s.pending) == 0 {
		s.pending = old
	}
	return err
}

func (s *keeper) AppendBinary(b []byte) ([]byte, error) {
	if s.raw != nil {
		return append(b, s.raw...), nil
	}
	return s.state.AppendBinary(b)
}

func (s *keeper) UnmarshalBinary(b []byte) error {
	s.raw = b
	return s.state.UnmarshalBinary(b)
}

// over runs the honest stage over a state that embeds the good one.
type over[S any] struct{ inner func(*S) *state }

func (o over[S]) Process(s *S, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	return honest(o.inner(s), r, emit)
}

func (o over[S]) Advance(s *S, t *topics.Tick, emit func(*topics.Annotation)) error {
	return counter{}.Advance(o.inner(s), t, emit)
}

func checkOver[S any, PS stages.State[S]](inner func(*S) *state) error {
	return Check[S, PS](stages.Stage[S, *topics.Frame, *topics.Annotation]{Name: "over", Version: 1, Processor: over[S]{inner}}, topics.Frames, log())
}

func TestBadCodecsAreCaught(t *testing.T) {
	wantViolation(t, checkOver(func(s *longOK) *state { return &s.state }), "one more")
	wantViolation(t, checkOver(func(s *cutOK) *state { return &s.state }), "for a state")
	wantViolation(t, checkOver(func(s *prone) *state { return &s.state }), "panic")
	wantViolation(t, checkOver(func(s *sticky) *state { return &s.state }), "")
	wantViolation(t, checkOver(func(s *keeper) *state { return &s.state }), "")
}

func TestScribbleReachesEveryPart(t *testing.T) {
	for _, r := range log() {
		before := mustMarshal(r.Value)
		deltas := r.Value.GetSamples().GetLeads()
		var inner []int32
		if len(deltas) > 0 {
			inner = deltas[0].Deltas
		}
		first := append([]int32(nil), inner...)
		scribble(r.Value.ProtoReflect())
		if string(before) == string(mustMarshal(r.Value)) {
			t.Fatal("nothing was overwritten")
		}
		for i := range inner {
			if inner[i] == first[i] {
				t.Fatalf("a kept slice still shows %d", inner[i])
			}
		}
	}
}

func FuzzHonestCodec(f *testing.F) {
	f.Add(binary.AppendUvarint(nil, 3))
	b, _ := (&state{key: "a", pending: []int32{1, -2}}).AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s state
		if s.UnmarshalBinary(b) != nil {
			return
		}
		again, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var s2 state
		if err := s2.UnmarshalBinary(again); err != nil {
			t.Fatalf("own bytes refused: %v", err)
		}
	})
}
