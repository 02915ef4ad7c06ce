package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

// Atrial fibrillation is told by intervals that are irregularly irregular: a
// map of interval against its difference to the one before (Lian, Wang and Muessig, Am.
// J. Cardiol. 2011;107:1494) has a beat in nearly each cell of its own, where a
// regular rhythm, or one with extra beats, fills a few cells over and over. The
// cells here are a part of the mean interval wide, so that one limit holds at
// every rate. Begin and end have limits far apart: what has been irregular and
// is a little less so has not ended. Nor has what has become regular at the rate of
// a tachycardia: the sinus node does not take over at 120 /min, but fibrillation
// becomes flutter, or is conducted each second time, and is the same to whoever
// treats it (ESC 2024 guideline for AF, Eur. Heart J. 45:3314). DESIGN.md has the figures.
const afPairs = 64 // intervals with the one before, in the map

// afNumbers are those by which it is told.
type afNumbers struct {
	cell     float64 // its width, of the mean interval
	from, to int     // cells: from so many on it is AF, and until they are so few
	// It began, and ended, so many intervals before it could be told.
	began, ended uint32
	held         float64 // ms: a mean interval up to which what is regular has not ended
}

// afBy are chosen by records left out in turn: af_train_test.go. From: extra
// beats of a heart in sinus rhythm fill 44 cells at most (record 220 of the MIT-BIH
// Arrhythmia Database).
var afBy = afNumbers{cell: 0.05, from: 48, to: 26, began: 44, ended: 51, held: svtMS}

const (
	afLongest  = 3000.0 // ms: a longer interval counts as this
	afShortest = 200.0
	afUnit     = 0.125 // ms, of what is kept
)

// af maps pairs of intervals.
type af struct {
	open  episode
	pairs [afPairs]pair // a ring
	n     uint32        // of them there are
	next  uint32        // place of the next
	ms    float64       // the interval before; 0: there is none that counts
	v     bool          // the beat before is of class V
}

// pair is an interval and the one before, in afUnit, and the beat that ended it.
type pair struct {
	ms, before uint16
	sample     uint64
}

func (r *af) beat(v voice, b beat) {
	if r.open.beats > 0 {
		r.open.add(b)
	}
	// The interval before a beat of class V, and the pause after it, are not the atria's.
	ms := b.ms
	if b.ventricular() || r.v {
		ms = 0
	}
	r.v = b.ventricular()
	before := r.ms
	if r.ms = ms; ms == 0 || before == 0 {
		return
	}
	r.pairs[r.next] = pair{kept(ms), kept(before), b.sample}
	r.next = (r.next + 1) % afPairs
	if r.n = min(r.n+1, afPairs); r.n == afPairs {
		r.judge(v, b)
	}
}

func kept(ms float64) uint16 { return uint16(min(max(ms, afShortest), afLongest) / afUnit) }

func (r *af) judge(v voice, b beat) {
	ms := r.mean()
	switch cells := r.cells(afBy.cell * ms); {
	case r.open.beats == 0 && cells >= afBy.from:
		from := r.back(afBy.began)
		r.open = episode{
			rhythm: topics.Rhythm_RHYTHM_AF, onset: from, onsetUs: b.us - v.us(b.sample-from),
			last: b.sample, lastUs: b.us, beats: afBy.began + 1,
		}
		v.say(&r.open)
	case r.open.beats > 0 && cells <= afBy.to && ms*afUnit > afBy.held:
		to := max(r.back(afBy.ended), r.open.onset)
		r.open.last, r.open.lastUs = to, b.us-v.us(b.sample-to)
		r.open.beats -= min(r.open.beats-1, afBy.ended)
		v.end(&r.open, false)
	}
}

// back is the beat that ended the n-th interval before the newest.
func (r *af) back(n uint32) uint64 {
	return r.pairs[(r.next+afPairs-1-n)%afPairs].sample
}

// mean is the mean interval in afUnit.
func (r *af) mean() float64 {
	sum := 0.0
	for _, p := range r.pairs {
		sum += float64(p.ms)
	}
	return sum / afPairs
}

// cells is how many cells of the map, so wide in afUnit, have a pair in them.
func (r *af) cells(width float64) int {
	var at [afPairs]int32
	for i, p := range r.pairs {
		// Differences lie about 0, in the middle of a cell.
		row := int32(float64(p.ms) / width)
		column := int32((float64(p.ms)-float64(p.before))/width + 0.5 + 1<<12)
		at[i] = row<<16 | column
	}
	// A hash table with open addressing; 0 is no cell, for no column is 0.
	var table [1 << 8]int32
	n := 0
	for _, cell := range at {
		i := uint8(uint32(cell) * 2654435769 >> 24)
		for table[i] != 0 && table[i] != cell {
			i++
		}
		if table[i] == 0 {
			table[i] = cell
			n++
		}
	}
	return n
}

func (r *af) pass(v voice, complete uint64) {
	if v.still(complete) {
		r.stop(v, false)
	}
}

func (r *af) stop(v voice, cut bool) {
	v.end(&r.open, cut)
	*r = af{}
}

func (r *af) append(e *stages.Encoder) {
	r.open.append(e)
	e.Float(r.ms)
	e.Bool(r.v)
	e.Uint(uint64(r.n))
	e.Uint(uint64(r.next))
	last := uint64(0)
	for _, p := range r.pairs[:r.n] {
		e.Uint(uint64(p.ms))
		e.Uint(uint64(p.before))
		e.Int(int64(p.sample - last))
		last = p.sample
	}
}

func (r *af) decode(d *stages.Decoder) {
	*r = af{}
	r.open.decode(d)
	r.ms, r.v = d.Float(), d.Bool()
	r.n, r.next = uint32(d.Uint()), uint32(d.Uint())
	if r.n > afPairs || r.next >= afPairs || r.n < afPairs && r.next != r.n {
		d.Fail("%d pairs of intervals, the next at %d", r.n, r.next)
		r.n, r.next = 0, 0
		return
	}
	last := uint64(0)
	for i := range r.pairs[:r.n] {
		p := &r.pairs[i]
		p.ms, p.before = uint16(d.Uint()), uint16(d.Uint())
		p.sample = last + uint64(d.Int())
		last = p.sample
	}
}
