package ec57

import (
	"strings"

	"heartwire/topics/wfdb"
)

// RunKind says which beats make a run.
type RunKind uint8

const (
	Ventricular      RunKind = iota // V and F; fibrillation is a run of the greatest length
	Supraventricular                // S, and normal beats in atrial fibrillation, which is a run of the greatest length
)

// longest is the length in beats beyond which runs are not told apart.
const longest = 6

// RunMatrix counts runs by their length: [reference][test], 6 stands for 6 or more.
type RunMatrix [longest + 1][longest + 1]int64

// RunResult is a run-by-run comparison.
type RunResult struct {
	Sensitivity  RunMatrix // each reference run with the longest test run in its window
	Predictivity RunMatrix // each test run with the longest reference run in its window
}

// RunLength is a class of runs by the number of their beats.
type RunLength struct{ from, to int }

// The classes of EC57: two beats, three to five, six and more.
// The classes of AAMI EC57: two beats, three to five, and six or more.
var (
	Couplets  = RunLength{2, 2}
	ShortRuns = RunLength{3, 5}
	LongRuns  = RunLength{longest, longest}
)

// Score are the sensitivity and the positive predictivity of runs of that
// length: a run is found if a run at least as long as the least of its class is there.
func (r *RunResult) Score(l RunLength) (se, ppv Ratio) {
	for run := l.from; run <= l.to; run++ {
		for other := range longest + 1 {
			se.Den += r.Sensitivity[run][other]
			ppv.Den += r.Predictivity[other][run]
			if other >= l.from {
				se.Num += r.Sensitivity[run][other]
				ppv.Num += r.Predictivity[other][run]
			}
		}
	}
	return se, ppv
}

// Add adds up another record's counts for gross figures.
func (r *RunResult) Add(o RunResult) {
	for i := range r.Sensitivity {
		for j := range r.Sensitivity[i] {
			r.Sensitivity[i][j] += o.Sensitivity[i][j]
			r.Predictivity[i][j] += o.Predictivity[i][j]
		}
	}
}

// Runs compares test with reference annotations, both in time order, by runs
// of ectopic beats. The end of the annotations ends a run; a run in progress
// at the end of the record, with annotations after it, is not counted (as in rxr).
func Runs(ref, test []wfdb.Annotation, o Options, kind RunKind) RunResult {
	r, t := runMarks(ref, kind), runMarks(test, kind)
	var result RunResult
	eachRun(r, t, o, func(run, other int) { result.Sensitivity[run][other]++ })
	eachRun(t, r, o, func(run, other int) { result.Predictivity[other][run]++ })
	return result
}

// mark is what an annotation means to a run.
type mark uint8

const (
	ignored    mark = iota
	member          // a beat of the run
	breaker         // another beat, or the signal cannot be read
	unreadable      // a breaker that ends fibrillation, too
	on              // fibrillation of the kind begins
	off             // and ends
	otherOn         // the other kind of fibrillation begins, which ends this one
)

type runMark struct {
	at   int64
	mark mark
}

// runMarks reads the annotations as rxr does: fibrillation begins and ends by
// its own marks or by a change of rhythm, and only if it was not, or was, there.
func runMarks(list []wfdb.Annotation, kind RunKind) []runMark {
	marks := make([]runMark, 0, len(list))
	var s fibrillation
	for _, a := range list {
		marks = append(marks, runMark{a.Sample, runMeaning[kind][s.read(a)]})
	}
	return marks
}

// meaning is what an annotation says, whatever the kind of run.
type meaning uint8

const (
	nothing meaning = iota
	normal
	ventricular
	supraventricular
	noSignal
	vfBegins
	vfEnds
	afBegins
	afEnds
)

// runMeaning is what each meaning is to a run of each kind.
var runMeaning = [...][afEnds + 1]mark{
	Ventricular: {normal: breaker, ventricular: member, supraventricular: breaker,
		noSignal: unreadable, vfBegins: on, vfEnds: off, afBegins: otherOn},
	Supraventricular: {normal: breaker, ventricular: breaker, supraventricular: member,
		noSignal: unreadable, vfBegins: otherOn, afBegins: on, afEnds: off},
}

// fibrillation is the state that the meaning of an annotation depends on.
type fibrillation struct{ atrial, ventricular, unreadable bool }

func (s *fibrillation) read(a wfdb.Annotation) meaning {
	switch a.Code {
	case wfdb.Noise:
		was := s.unreadable
		if s.unreadable = shutdown(a); s.unreadable && !was {
			return noSignal
		}
	case wfdb.VFOn:
		return s.beginVF()
	case wfdb.VFOff:
		if s.ventricular {
			s.ventricular = false
			return vfEnds
		}
	case wfdb.Rhythm:
		return s.rhythm(a.Aux)
	}
	label, isBeat := labelOf(a.Code)
	switch {
	case !isBeat || label == O:
		return nothing
	case label == V || label == F:
		return ventricular
	case label == S || label == N && s.atrial:
		return supraventricular
	}
	return normal
}

func (s *fibrillation) beginVF() meaning {
	if s.ventricular {
		return nothing
	}
	s.atrial, s.ventricular = false, true
	return vfBegins
}

// rhythm also takes flutter for fibrillation, by the beginning of its name (as in rxr).
func (s *fibrillation) rhythm(name string) meaning {
	switch {
	case strings.HasPrefix(name, "(AF"):
		if s.atrial {
			return nothing
		}
		s.atrial, s.ventricular = true, false
		return afBegins
	case strings.HasPrefix(name, "(VF"):
		return s.beginVF()
	case s.atrial:
		s.atrial = false
		return afEnds
	case s.ventricular:
		s.ventricular = false
		return vfEnds
	}
	return nothing
}

// eachRun finds the runs of one side and, for each, the longest one of the
// other side in a window around it.
func eachRun(marks, others []runMark, o Options, count func(run, other int)) {
	other := runReader{marks: others}
	length, i := 0, 0
	for ; i < len(marks) && marks[i].at < o.Start; i++ {
		switch marks[i].mark {
		case on:
			length = longest
		case off:
			length = 0
		}
	}
	// Fibrillation that began while learning has its window at the start.
	window := span{o.Start - o.Window, o.Start + o.Window}
	for ; i < len(marks) && (o.End <= 0 || marks[i].at <= o.End); i++ {
		at := marks[i].at
		switch marks[i].mark {
		case member:
			if length == 0 {
				window.start = at - o.Window
			}
			length = min(length+1, longest)
			window.end = at + o.Window
		case on:
			if length == 0 {
				length, window = longest, span{at - o.Window, at + o.Window}
			}
		case off:
			if length > 0 {
				window.end = at + o.Window
			}
		case breaker, unreadable:
			if length > 0 {
				count(length, other.longestIn(window))
				length = 0
			}
		}
	}
	if i == len(marks) && length > 0 {
		count(length, other.longestIn(window))
	}
}

// runReader goes through the other side once; windows come in time order, and
// what one window has read the next does not see again (as in rxr).
type runReader struct {
	marks []runMark
	next  int
	end   int64 // of the fibrillation that was read last
}

// longestIn is the length of the longest run in a window, up to the greatest.
func (r *runReader) longestIn(window span) int {
	if r.end > window.start {
		return longest
	}
	for ; r.next < len(r.marks) && r.marks[r.next].at < window.start; r.next++ {
		if r.marks[r.next].mark == on && r.fibrillation() > window.start {
			return longest
		}
	}
	best, length := 0, 0
	for ; r.next < len(r.marks) && r.marks[r.next].at <= window.end; r.next++ {
		switch r.marks[r.next].mark {
		case member:
			length = min(length+1, longest)
			best = max(best, length)
		case on:
			r.fibrillation()
			return longest
		case breaker, unreadable, otherOn:
			length = 0
		}
	}
	return best
}

// fibrillation reads on to the end of the fibrillation that begins at the next
// mark. One that nothing ends goes on for ever.
func (r *runReader) fibrillation() int64 {
	for r.next++; r.next < len(r.marks); r.next++ {
		switch r.marks[r.next].mark {
		case off, otherOn, unreadable:
			r.end = r.marks[r.next].at
			return r.end
		}
	}
	r.end = never
	return r.end
}
