package pipelinetest

import (
	"errors"

	"heartwire/stages"
	"heartwire/topics"
)

// Count is a stage that never forgets: it says each Samples record of a key
// with its number and a hash of all before it, and each 10th tick. Whatever a
// recovery loses, doubles or changes shows in everything said after.
func Count(name string) stages.Stage[CountState, *topics.Frame, *topics.Annotation] {
	return stages.Stage[CountState, *topics.Frame, *topics.Annotation]{Name: name, Version: 1, Processor: count{}}
}

// Miscount is Count after a change of mind: each fifth thing it says has
// another number.
func Miscount(name string) stages.Stage[CountState, *topics.Frame, *topics.Annotation] {
	return stages.Stage[CountState, *topics.Frame, *topics.Annotation]{Name: name, Version: 1, Processor: miscount{}}
}

// CountState is the state of Count.
type CountState struct {
	Key   string
	N     uint64
	Hash  uint64
	Ticks uint64
	Left  bool
}

// Gone makes a key depart with a sample of the device Goodbye once it has had
// three; one more of any device after that, and it is a new key.
func (s *CountState) Gone() bool { return s.Left }

func (s *CountState) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: b}
	e.String(s.Key)
	e.Uint(s.N)
	e.Uint(s.Hash)
	e.Uint(s.Ticks)
	e.Bool(s.Left)
	return e.B, nil
}

func (s *CountState) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
	*s = CountState{Key: d.String(), N: d.Uint(), Hash: d.Uint(), Ticks: d.Uint(), Left: d.Bool()}
	return d.Err()
}

// Poison is the device on whose samples Count fails; on PanicPoison it panics,
// on Goodbye the key departs, see CountState.Gone.
const (
	Poison      = "poison"
	PanicPoison = "panic"
	Goodbye     = "goodbye"
)

type count struct{}

func (count) Process(s *CountState, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	samples := r.Value.GetSamples()
	s.Key = r.Value.GetPatient()
	s.N++
	s.Hash = (s.Hash ^ samples.GetFirst()) * 1099511628211
	emit(&topics.Annotation{Patient: s.Key, Sample: s.N, TimeUs: int64(s.Hash >> 1)})
	switch samples.GetDevice() {
	case Poison:
		return errors.New("poisoned")
	case PanicPoison:
		panic("poisoned")
	case Goodbye:
		s.Left = s.N >= 3 // so a state that has forgotten what came before does not depart
	}
	return nil
}

func (count) Advance(s *CountState, _ *topics.Tick, emit func(*topics.Annotation)) error {
	s.Ticks++
	if s.Ticks%10 == 0 {
		emit(&topics.Annotation{Patient: s.Key, Sample: s.Ticks, Late: true, TimeUs: int64(s.Hash >> 1)})
	}
	return nil
}

func (count) Overtaken(s *CountState, lost int64, emit func(*topics.Annotation)) error {
	s.Hash ^= uint64(lost)
	emit(&topics.Annotation{Patient: s.Key, Sample: uint64(lost), Kind: &topics.Annotation_Gap{Gap: &topics.Gap{Cause: topics.GapCause_GAP_CAUSE_OVERTAKEN}}})
	return nil
}

type miscount struct{ count }

func (m miscount) Process(s *CountState, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	return m.count.Process(s, r, func(a *topics.Annotation) {
		if a.Sample%5 == 0 {
			a.Sample++
		}
		emit(a)
	})
}
