package beats

import (
	"math"

	"heartwire/topics"
)

// walk is how far the deltas of a lead have been added up.
type walk struct {
	at    int
	count int64
	pulse int // of analysis.pulses: the first that is not over
}

// walk feeds one lead's samples to its quality and to who tracks it.
func (a *analysis) walk(s *topics.Samples, i int, begin, end uint64) {
	deltas, w, l := s.GetLeads()[i].GetDeltas(), &a.walks[i], &a.leads[i]
	from, to := int(begin-s.GetFirst()), int(end-s.GetFirst())
	for ; w.at < from; w.at++ {
		w.count += int64(deltas[w.at])
	}
	if l.off {
		for ; w.at < to; w.at++ {
			w.count += int64(deltas[w.at])
		}
		return
	}
	var t *tracker
	switch i {
	case a.chosen.lead:
		t = &a.chosen
	case a.spare.lead:
		t = &a.spare
	}
	step, second := max(int(a.rate*slopeStep+0.5), 1), int(math.Ceil(a.rate))
	for w.at < to {
		v := a.mv[:max(min(to-w.at, chunk, second-l.quality.counts), 1)]
		first := s.GetFirst() + uint64(w.at)
		l.quality.add(v, w.millivolts(v, deltas, l.gain/1000), step)
		a.blank(i, v, first)
		last := len(v)
		if l.quality.counts >= second {
			last--
		}
		if t != nil {
			t.take(v[:last])
		}
		if last == len(v) {
			continue
		}
		if l.quality.close(); i == a.chosen.lead {
			a.compare()
		}
		if t != nil {
			t.take(v[last:])
		}
	}
}

// swing is what a run of samples spans.
type swing struct {
	low, high float32 // mV
	rails     int     // samples at a rail
}

// millivolts fills v with the next samples.
func (w *walk) millivolts(v []float32, deltas []int32, gain float64) swing {
	deltas = deltas[w.at:][:len(v)]
	count, least, most := w.count, int64(math.MaxInt64), int64(math.MinInt64)
	for i, d := range deltas {
		count += int64(d)
		least, most = min(least, count), max(most, count)
		v[i] = float32(float64(count) * gain)
	}
	s := swing{low: bounded(float64(least) * gain), high: bounded(float64(most) * gain)}
	if s.low > s.high {
		s.low, s.high = s.high, s.low // a lead the other way up
	}
	if s.low == -limitMV || s.high == limitMV {
		for i, x := range v {
			v[i] = bounded(float64(x))
		}
	}
	if least <= -leastRail || most >= leastRail-1 {
		s.rails = w.rails(deltas)
	}
	w.count, w.at = count, w.at+len(v)
	return s
}

// rails is how many of the next samples are at a rail.
func (w *walk) rails(deltas []int32) (n int) {
	count := w.count
	for _, d := range deltas {
		if count += int64(d); isRail(count) {
			n++
		}
	}
	return n
}

// blank takes out what pace pulses cover of lead i's samples, of which the
// device's first is given.
func (a *analysis) blank(i int, v []float32, first uint64) {
	if len(a.pulses) == 0 {
		a.held[i] = v[len(v)-1]
		return
	}
	for k, x := range v {
		if a.blanked(&a.walks[i], first+uint64(k)) {
			v[k] = a.held[i]
		} else {
			a.held[i] = x
		}
	}
}

// bounded is a value in mV within limitMV. Comparing costs less here than min and max.
func bounded(mv float64) float32 {
	if mv > limitMV {
		return limitMV
	}
	if mv < -limitMV {
		return -limitMV
	}
	return float32(mv)
}

// blanked reports a sample that a pace pulse covers: what is seen there is
// the pulse, and the value before it is taken instead.
func (a *analysis) blanked(w *walk, n uint64) bool {
	after := uint64(blankAfter * a.rate)
	for w.pulse < len(a.pulses) && a.pulses[w.pulse]+after < n {
		w.pulse++
	}
	return w.pulse < len(a.pulses) && n+uint64(math.Ceil(blankBefore*a.rate)) >= a.pulses[w.pulse]
}
