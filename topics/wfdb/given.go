package wfdb

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"heartwire/topics"
)

// Given turns annotations of beats into what the stage beats would have said
// of them, for records without signals: each second its beats with their
// classes and RR intervals, the beginning and end of fibrillation ([ and ]),
// and progress. Annotations of other kinds are passed over.
type Given struct {
	Patient string // the key
	Device  string //
	Boot    uint64 //
	Start   time.Time
	Rate    float64 // samples/s
	Length  int64   // samples; 0: up to the last annotation
}

// Bounds of what can be given.
const maxGiven = 1 << 40 // samples

// Annotations gives them in order. An error ends the sequence with a nil annotation.
func (g Given) Annotations(list []Annotation) iter.Seq2[*topics.Annotation, error] {
	return func(yield func(*topics.Annotation, error) bool) {
		list, err := g.check(list)
		if err != nil {
			yield(nil, err)
			return
		}
		s := giver{Given: g}
		length := g.Length
		if n := len(list); length == 0 && n > 0 {
			length = list[n-1].Sample + 1
		}
		next := 0
		for k := int64(1); s.done < length; k++ {
			end := min(int64(math.Round(float64(k)*g.Rate)), length)
			for ; next < len(list) && list[next].Sample < end; next++ {
				if a := s.said(list[next]); a != nil && !yield(a, nil) {
					return
				}
			}
			if !yield(s.progress(end), nil) {
				return
			}
		}
	}
}

// Arrived is when an annotation that Annotations gave would have been said, in
// UTC µs: at the end of its second.
func (g Given) Arrived(a *topics.Annotation) int64 {
	return g.Start.UnixMicro() + (int64(float64(a.GetSample())/g.Rate)+1)*time.Second.Microseconds()
}

// check sorts the annotations and asks whether they can be of one signal.
func (g Given) check(list []Annotation) ([]Annotation, error) {
	if !(g.Rate >= minRate && g.Rate <= maxRate) {
		return nil, fmt.Errorf("%g samples/s: want %d to %d", g.Rate, minRate, maxRate)
	}
	if len(list) == 0 {
		return nil, errors.New("no annotations")
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Annotation) int { return int(min(max(a.Sample-b.Sample, -1), 1)) })
	if first, last := list[0].Sample, list[len(list)-1].Sample; first < 0 || last > maxGiven {
		return nil, fmt.Errorf("annotations at samples %d to %d: want 0 to %d", first, last, int64(maxGiven))
	}
	return list, nil
}

// giver is how far the annotations have been given.
type giver struct {
	Given
	done int64 // samples
	beat int64 // the last one, plus 1; 0 none
}

func (s *giver) said(a Annotation) *topics.Annotation {
	out := s.at(a.Sample)
	class, isBeat := a.Code.Class()
	switch {
	case isBeat:
		if a.Sample < s.beat {
			return nil // the same beat twice
		}
		b := &topics.Beat{Class: class}
		if class == topics.BeatClass_BEAT_CLASS_V {
			b.Ventricular = 1
		}
		if s.beat > 0 {
			b.RrMs = float64(a.Sample+1-s.beat) * 1000 / s.Rate
		}
		s.beat = a.Sample + 1
		out.Kind = &topics.Annotation_Beat{Beat: b}
	case a.Code == VFOn, a.Code == VFOff:
		out.Kind = &topics.Annotation_Fibrillation{Fibrillation: &topics.Fibrillation{On: a.Code == VFOn}}
	default:
		return nil
	}
	return out
}

func (s *giver) progress(end int64) *topics.Annotation {
	out := s.at(end - 1)
	out.Kind = &topics.Annotation_Progress{Progress: &topics.Progress{
		Complete: uint64(end), Rate: s.Rate, Valid: uint32(end - s.done),
	}}
	s.done = end
	return out
}

func (s *giver) at(sample int64) *topics.Annotation {
	return &topics.Annotation{
		Patient: s.Patient, Device: s.Device, Boot: s.Boot, Sample: uint64(sample),
		TimeUs: s.Start.UnixMicro() + int64(float64(sample)/s.Rate*1e6+0.5),
	}
}
