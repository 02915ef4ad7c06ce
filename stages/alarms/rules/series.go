package rules

import (
	"math"

	"heartwire/stages"
)

// series is a quantity over a time, in equal buckets of key.step seconds: one
// that is open, and the closed ones before it as codes of 16 bits.
type series struct {
	key
	at     int64   // of the open bucket: log time in steps
	seen   int     // seconds of the open bucket in which it was known
	sum    float64 // or the least, or the most, of these
	closed []uint16
	head   int // place of the oldest
}

// noValue is the code of what is not known.
const noValue = 0

// encode gives the code of a value: parts of a unit above From, in 16 bits.
func (q *Quantity) encode(v float64) uint16 {
	if v != v {
		return noValue
	}
	return uint16(1 + math.Round(min(max((v-q.From)*q.per, 0), math.MaxUint16-1)))
}

func (q *Quantity) decode(c uint16) float64 {
	if c == noValue {
		return math.NaN()
	}
	return q.From + float64(c-1)/q.per
}

// keep makes place for n closed buckets, the newest of which stay.
func (s *series) keep(n int) {
	if len(s.closed) == n {
		return
	}
	next := make([]uint16, n)
	for i := 1; i <= min(n, len(s.closed)); i++ {
		next[n-i] = s.back(i)
	}
	s.closed, s.head = next, 0
}

// back is the code of the bucket that was closed i ago, from 1.
func (s *series) back(i int) uint16 {
	i = s.head - i
	if i < 0 {
		i += len(s.closed)
	}
	return s.closed[i]
}

func (s *series) add(second int64, v sample) {
	if at := second / int64(s.step); at != s.at {
		s.close(at)
	}
	x := v.v
	switch s.stat {
	case least:
		x = v.lo
	case most:
		x = v.hi
	}
	if x != x {
		return
	}
	switch {
	case s.stat == least && s.seen > 0:
		s.sum = min(s.sum, x)
	case s.stat == most && s.seen > 0:
		s.sum = max(s.sum, x)
	default:
		s.sum += x
	}
	s.seen++
}

// open is what the open bucket comes to so far.
func (s *series) open() float64 {
	switch {
	case s.seen == 0:
		return math.NaN()
	case s.stat == mean:
		return s.sum / float64(s.seen)
	}
	return s.sum
}

// close ends the open bucket. What was not known for half of it is not known,
// and neither is a bucket that was passed over.
func (s *series) close(at int64) {
	passed := at - s.at
	if passed < 0 || passed > int64(len(s.closed)) {
		clear(s.closed)
		passed = 0
	}
	for i := range passed {
		code := uint16(noValue)
		if i == 0 && s.seen*2 >= s.step {
			code = quantity(s.name).encode(s.open())
		}
		if len(s.closed) > 0 {
			s.closed[s.head] = code
			s.head = (s.head + 1) % len(s.closed)
		}
	}
	s.at, s.seen, s.sum = at, 0, 0
}

// statistic is what a window of it is: NaN unless it is known for half of the time.
func (s *series) statistic(r *read, q *Quantity) float64 {
	n := r.buckets()
	var t tally
	t.first(s.open())
	for i := 1; i < n; i++ {
		t.add(-float64(i), q.decode(s.back(i)))
	}
	if t.n*2 < float64(n) {
		return math.NaN()
	}
	switch r.stat {
	case least:
		return t.least
	case most:
		return t.most
	case count:
		return t.sum
	case slope:
		return t.slope() * 60 / float64(s.step)
	}
	return t.sum / t.n
}

// tally sums up points: their number, extremes, and what a line needs.
type tally struct{ n, sum, least, most, x, xx, xy float64 }

func (t *tally) first(v float64) {
	t.least, t.most = math.Inf(1), math.Inf(-1)
	t.add(0, v)
}

func (t *tally) add(x, v float64) {
	if v != v {
		return
	}
	t.n++
	t.sum += v
	t.least, t.most = min(t.least, v), max(t.most, v)
	t.x += x
	t.xx += x * x
	t.xy += x * v
}

// slope is that of the least squares, a unit of x.
func (t *tally) slope() float64 {
	d := t.n*t.xx - t.x*t.x
	if t.n < leastSlope || d == 0 {
		return math.NaN()
	}
	return (t.n*t.xy - t.x*t.sum) / d
}

// Append writes the history down.
func (h *History) Append(e *stages.Encoder) {
	e.Uint(uint64(len(h.series)))
	for i := range h.series {
		s := &h.series[i]
		e.String(s.name)
		e.Uint(uint64(s.stat))
		e.Uint(uint64(s.step))
		e.Int(s.at)
		e.Uint(uint64(s.seen))
		e.Float(s.sum)
		e.Uint(uint64(len(s.closed)))
		was := int64(noValue)
		for j := len(s.closed); j > 0; j-- { // differences: most are small
			c := int64(s.back(j))
			e.Int(c - was)
			was = c
		}
	}
	e.Uint(uint64(len(h.held)))
	for _, x := range h.held {
		e.String(x.name)
		e.Float(x.value)
		e.Int(x.us)
	}
}

// DecodeHistory reads what Append wrote. What is none fails d.
func DecodeHistory(d *stages.Decoder) (h History) {
	for n := d.Len(16); n > 0; n-- {
		s := series{key: key{d.String(), statistic(d.Uint()), int(d.Uint())}, at: d.Int(), seen: int(d.Uint()), sum: d.Float()}
		closed := d.Len(1)
		q := quantity(s.name)
		switch {
		case q == nil || !q.Windows() || s.stat < mean || s.stat > count || s.stat == slope || s.step < 1 || s.step > int(longest.Seconds())/buckets:
			d.Fail("a window of no quantity")
			return History{}
		case closed > buckets || s.seen < 0:
			d.Fail("a window of %d parts", closed)
			return History{}
		}
		s.closed = make([]uint16, closed)
		was := int64(noValue)
		for i := range s.closed {
			if was += d.Int(); was < 0 || was > math.MaxUint16 {
				d.Fail("a part of %d", was)
				return History{}
			}
			s.closed[i] = uint16(was)
		}
		h.series = append(h.series, s)
	}
	for n := d.Len(10); n > 0; n-- {
		h.held = append(h.held, held{d.String(), d.Float(), d.Int()})
	}
	return h
}
