package rules

import (
	"math"
	"time"

	"heartwire/topics"
)

// History is what the rules in force for one patient remember: windows of what
// they read over a time, and values that come by themselves. It is as small as
// the rules need, and nothing without them.
type History struct {
	series []series // in the order of the set's
	held   []held
}

// held is the newest value of what comes by itself.
type held struct {
	name  string
	value float64
	us    int64 // sample time at which it was measured
}

// Fit makes the history that of another set of rules: what they still read is
// kept, what none reads any more is forgotten, what is new begins unknown.
func (h *History) Fit(set *Set) {
	if set == nil {
		*h = History{}
		return
	}
	was := *h
	*h = History{}
	for _, spec := range set.series {
		s := series{key: spec.key}
		for i := range was.series {
			if was.series[i].key == spec.key {
				s = was.series[i]
			}
		}
		s.keep(spec.closed)
		h.series = append(h.series, s)
	}
	for _, name := range set.held {
		x := held{name: name, value: math.NaN()}
		for _, w := range was.held {
			if w.name == name {
				x = w
			}
		}
		h.held = append(h.held, x)
	}
}

// Cut forgets the windows, when it is not known how much time lies between what
// is remembered and what comes: nothing is joined across a gap. What was measured
// has a time of its own, and stays.
func (h *History) Cut() {
	for i := range h.series {
		s := &h.series[i]
		clear(s.closed)
		s.seen, s.sum = 0, 0
	}
}

// fits reports that it is that of the set.
func (h *History) fits(set *Set) bool {
	if len(h.series) != len(set.series) || len(h.held) != len(set.held) {
		return false
	}
	for i := range h.series {
		if h.series[i].key != set.series[i].key || len(h.series[i].closed) != set.series[i].closed {
			return false
		}
	}
	for i := range h.held {
		if h.held[i].name != set.held[i] {
			return false
		}
	}
	return true
}

// Add takes the second that m is of, at the log's own time at. It comes before
// the set's rules are judged by it.
func (h *History) Add(set *Set, at time.Duration, m *Moment) {
	if !h.fits(set) {
		h.Fit(set)
	}
	for i, name := range set.held {
		if name == "rr" {
			if s := newestRR(m); s.v == s.v {
				h.held[i].value, h.held[i].us = s.v, m.NowUs
			}
		}
	}
	for i := range h.series {
		h.series[i].add(int64(at/time.Second), h.sample(set.series[i].quantity, m))
	}
}

func (h *History) sample(q *Quantity, m *Moment) sample {
	s := unknownSample
	if q.read != nil {
		s = q.read(m)
	}
	if s.v != s.v && q.Holds > 0 {
		return exactly(h.value(&read{quantity: q}, m))
	}
	return s
}

// Vital takes a measured value, at sample time us. One older than what is
// known changes nothing.
func (h *History) Vital(set *Set, v *topics.Vital, us int64) {
	if !h.fits(set) {
		h.Fit(set)
	}
	for i, name := range set.held {
		switch q := quantity(name); {
		case q == nil && name == loincPrefix+v.GetLoinc():
			h.take(i, v.GetValue(), us)
		case q != nil && q.is(v.GetLoinc()):
			h.take(i, q.vitalValue(v), us)
		}
	}
}

// Variability takes that of five minutes, at sample time us.
func (h *History) Variability(set *Set, v *topics.Variability, us int64) {
	if !h.fits(set) {
		h.Fit(set)
	}
	for i, name := range set.held {
		if x := variability(name, v); x == x {
			h.take(i, x, us)
		}
	}
}

func (h *History) take(i int, v float64, us int64) {
	if v-v == 0 && us >= h.held[i].us {
		h.held[i].value, h.held[i].us = v, us
	}
}

// value is what comes by itself, NaN when it is too old, or of a time that has
// not come.
func (h *History) value(r *read, m *Moment) float64 {
	name := r.name()
	for i := range h.held {
		if x := &h.held[i]; x.name == name {
			if age := m.NowUs - x.us; age >= -aheadUs && age <= r.holds().Microseconds() && (name != "rr" || m.live()) {
				return x.value
			}
			return math.NaN()
		}
	}
	return math.NaN()
}

// aheadUs is by how much a measurement may be ahead of the chart, whose time is
// that of the samples that came.
const aheadUs = 60_000_000

func (h *History) window(r *read) float64 {
	k := r.key()
	for i := range h.series {
		if h.series[i].key == k {
			return h.series[i].statistic(r, r.quantity)
		}
	}
	return math.NaN()
}
