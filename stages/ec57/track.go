package ec57

import (
	"slices"
	"sort"

	"heartwire/topics/wfdb"
)

// track is one side of a beat-by-beat comparison.
type track struct {
	beats      []beat
	fibrillate []span // ventricular flutter and fibrillation
	suspended  []span // analysis suspended: no signal can be read
}

type beat struct {
	at    int64
	label Label
	rr    int64 // samples since the beat before; 0 if there is none to count from
}

// span is from start to end, both included.
type span struct{ start, end int64 }

func readTrack(list []wfdb.Annotation, window int64) track {
	var t track
	for i := 0; i < len(list); i++ {
		a := list[i]
		if label, ok := labelOf(a.Code); ok {
			t.beats = append(t.beats, beat{at: a.Sample, label: label})
			continue
		}
		switch {
		case shutdown(a):
			s, closed := t.suspension(a, list[i+1:], window)
			if closed {
				i++
			}
			t.suspended = append(t.suspended, s)
		case a.Code == wfdb.VFOn:
			s := span{a.Sample, never}
			for i++; i < len(list); i++ {
				if list[i].Code == wfdb.VFOff {
					s.end = list[i].Sample
					break
				}
			}
			t.fibrillate = append(t.fibrillate, s)
		}
	}
	for i := 1; i < len(t.beats); i++ {
		from, to := t.beats[i-1].at, t.beats[i].at
		if from != 0 && !starts(t.fibrillate, from, to) && !starts(t.suspended, from, to) {
			t.beats[i].rr = to - from
		}
	}
	return t
}

// WithoutRhythms are the annotations without changes of rhythm and comments,
// for a comparison of beats where one list has them all: they may stand between
// the two marks of suspended analysis, which must follow each other.
func WithoutRhythms(list []wfdb.Annotation) []wfdb.Annotation {
	return slices.DeleteFunc(slices.Clone(list), func(a wfdb.Annotation) bool { return a.Code == wfdb.Rhythm || a.Code == wfdb.Note })
}

// suspension is the span that a noise annotation opens. The one that follows
// closes it; where that is none of the kind, the annotation stands in the
// middle of the span (as the AHA database has it), which then reaches from the
// window after what was before to the window before what follows.
func (t *track) suspension(a wfdb.Annotation, rest []wfdb.Annotation, window int64) (s span, closed bool) {
	if len(rest) == 0 {
		return span{a.Sample, never}, false
	}
	if rest[0].Code == wfdb.Noise && !shutdown(rest[0]) {
		return span{a.Sample, rest[0].Sample}, true
	}
	var before int64
	if n := len(t.beats); n > 0 {
		before = t.beats[n-1].at
	}
	if n := len(t.fibrillate); n > 0 {
		before = max(before, t.fibrillate[n-1].end)
	}
	s.end = rest[0].Sample - window
	s.start = min(before+window, s.end)
	return s, false
}

// starts reports whether one of the spans starts in from ≤ x < to.
func starts(spans []span, from, to int64) bool {
	for _, s := range spans {
		if from <= s.start && s.start < to {
			return true
		}
	}
	return false
}

func within(spans []span, at int64) bool {
	for _, s := range spans {
		if s.start <= at && at <= s.end {
			return true
		}
	}
	return false
}

// from is the index of the first beat at or after a sample.
func (t *track) from(at int64) int {
	return sort.Search(len(t.beats), func(i int) bool { return t.beats[i].at >= at })
}

// beat is beat i; after the last one comes one that never is.
func (t *track) beat(i int) beat {
	if i >= len(t.beats) {
		return beat{at: never, label: none}
	}
	return t.beats[i]
}

// absent is the label for this side's having no beat where the other has one.
// Reference fibrillation excuses it.
func (t *track) absent(at int64, reference bool) Label {
	switch {
	case reference && within(t.fibrillate, at):
		return none
	case within(t.suspended, at):
		return X
	}
	return O
}
