package ec57

import (
	"math"

	"heartwire/topics/wfdb"
)

// BeatResult is a beat-by-beat comparison.
type BeatResult struct {
	Confusion
	Rate      float64 // samples/s
	Suspended int64   // samples of the test period in which the test side had suspended analysis
	Period    int64   // samples of the test period; 0 unknown
	Paced     bool    // the reference has paced beats: EC57 leaves the record out of gross figures

	squares float64 // of RR differences in ms
	pairs   int64   // that have an RR interval on both sides
}

// RRError is the root mean square difference of RR intervals in ms; false if
// there is none. It is taken at every step of the comparison between the two
// current beats, matched or not (as in bxb).
func (r *BeatResult) RRError() (float64, bool) {
	return math.Sqrt(r.squares / float64(max(r.pairs, 1))), r.pairs > 0
}

// Add adds up another record's counts for gross figures. Paced is kept if
// either has it.
func (r *BeatResult) Add(o BeatResult) {
	for i := range r.Confusion {
		for j := range r.Confusion[i] {
			r.Confusion[i][j] += o.Confusion[i][j]
		}
	}
	r.Suspended, r.Period = r.Suspended+o.Suspended, r.Period+o.Period
	r.squares, r.pairs = r.squares+o.squares, r.pairs+o.pairs
	r.Paced = r.Paced || o.Paced
}

// Beats compares test with reference annotations, both in time order, beat by
// beat.
//
// Beats between the start and the end of ventricular fibrillation are not read
// on either side, and test beats in reference fibrillation are not counted. A
// start that never ends swallows all that follows.
func Beats(ref, test []wfdb.Annotation, o Options) BeatResult {
	m := matcher{Options: o, ref: readTrack(ref, o.Window), test: readTrack(test, o.Window)}
	m.result.Rate = o.Rate
	for _, a := range ref {
		m.result.Paced = m.result.Paced || a.Code == wfdb.Paced || a.Code == wfdb.PFusion
	}
	end := o.End
	if end <= 0 && len(m.ref.beats) > 0 {
		end = m.ref.beats[len(m.ref.beats)-1].at
	}
	m.result.Period = max(end-o.Start, 0)
	for _, s := range m.test.suspended {
		m.result.Suspended += max(min(s.end, end)-max(s.start, o.Start), 0)
	}
	m.begin()
	for m.more() {
		m.step()
	}
	return m.result
}

// matcher walks along both tracks; i and j are the current beats.
type matcher struct {
	Options
	ref, test track
	i, j      int
	result    BeatResult
}

// begin finds the first beats of the test period. The last test beat of the
// learning time may be the first reference beat's; and a first test beat that
// belongs to a reference beat of the learning time is not counted.
func (m *matcher) begin() {
	m.i, m.j = m.ref.from(m.Start), m.test.from(m.Start)
	if m.Start <= 0 {
		return
	}
	r, next := m.ref.beat(m.i), m.test.beat(m.j)
	if m.j > 0 {
		before := m.test.beat(m.j - 1)
		if d := r.at - before.at; d <= m.Window && d < distance(r, next) {
			m.pair(r, before, r.label, before.label)
			m.i++
			return
		}
	}
	if next.at-m.Start <= m.Window && distance(r, m.test.beat(m.j+1)) < distance(r, next) {
		m.j++
	}
}

func (m *matcher) more() bool {
	r, t := m.ref.beat(m.i), m.test.beat(m.j)
	if m.End > 0 {
		return r.at <= m.End || t.at <= m.End
	}
	return r.at != never
}

// step takes the earlier of the current beats. It is matched with the current
// one of the other side if that is in the window and not closer to the next
// one of this side, unless that one has a closer match of its own.
func (m *matcher) step() {
	r, t := m.ref.beat(m.i), m.test.beat(m.j)
	nextR, nextT := m.ref.beat(m.i+1), m.test.beat(m.j+1)
	apart := distance(r, t)
	rival := distance(r, nextT)
	if t.at >= r.at {
		rival = distance(t, nextR)
	}
	switch {
	case apart <= m.Window && (apart < rival || distance(nextR, nextT) < rival):
		m.pair(r, t, r.label, t.label)
		m.i++
		m.j++
	case t.at < r.at:
		m.pair(r, t, m.ref.absent(t.at, true), t.label)
		m.j++
	default:
		m.pair(r, t, r.label, m.test.absent(r.at, false))
		m.i++
	}
}

func (m *matcher) pair(r, t beat, ref, test Label) {
	m.result.add(ref, test)
	if r.rr > 0 && t.rr > 0 {
		d := float64(r.rr-t.rr) / m.Rate * 1000
		m.result.squares += d * d
		m.result.pairs++
	}
}

func distance(a, b beat) int64 { return max(a.at-b.at, b.at-a.at) }
