package rhythm

const (
	// ALARMS of IEC 60601-2-27 monitors are averaged over 12 RR less the
	// shortest and the longest, so that one missed or false beat moves
	// nothing; a slow heart is averaged over 4, else it would take too long.
	meanRRs = 12
	slowMS  = 1200.0
	slowRRs = 4
	leastRR = 3 // below so many a rate is not said: two may be one mistake

	// The extremes: 5 RR for a rate that falls, 17 beats for one that rises,
	// and no more of them than fill 8 s, so that they are known by then.
	fastRR   = 5
	slowRR   = 16
	windowMS = 8000.0

	// standstill is the time without a beat, in s of valid signal, from which
	// the rate is 0. An RR as long is none to average: what follows begins anew.
	standstill = 4.0
	// staleBeat is the age of the last beat, in s of samples, from which the
	// averages say nothing of now: holes have eaten the beats.
	staleBeat = 6.0

	keptRR = slowRR
	maxRR  = 600_000 // ms: ten minutes is no interval but a mistake
)

// addRR keeps an interval, the newest last.
func (s *State) addRR(ms float64) {
	if ms >= standstill*1000 {
		s.rr = s.rr[:0]
		return
	}
	if len(s.rr) == keptRR {
		copy(s.rr, s.rr[1:])
		s.rr = s.rr[:keptRR-1]
	}
	s.rr = append(s.rr, ms)
}

// meanRR is the mean interval in ms; 0: not known.
func (s *State) meanRR() float64 {
	n := len(s.rr)
	if n < leastRR {
		return 0
	}
	last := s.rr[n-3:]
	if last[0] > slowMS && last[1] > slowMS && last[2] > slowMS {
		return mean(s.rr[max(n-slowRRs, 0):])
	}
	rr := s.rr[max(n-meanRRs, 0):]
	if len(rr) < leastRR+1 {
		return mean(rr)
	}
	sum, low, high := 0.0, rr[0], rr[0]
	for _, ms := range rr {
		sum, low, high = sum+ms, min(low, ms), max(high, ms)
	}
	return (sum - low - high) / float64(len(rr)-2)
}

// window is the mean of the last n intervals, or of as many as fill 8 s; 0:
// there are not so many.
func (s *State) window(n int) float64 {
	sum := 0.0
	for i := 1; i <= len(s.rr); i++ {
		sum += s.rr[len(s.rr)-i]
		if i == n || sum >= windowMS {
			return sum / float64(i)
		}
	}
	return 0
}

func mean(rr []float64) float64 {
	sum := 0.0
	for _, ms := range rr {
		sum += ms
	}
	return sum / float64(len(rr))
}

// perMinute is the rate of a mean interval, put where it belongs; nil where that is not known.
func perMinute(ms float64, rate *float64) *float64 {
	if ms <= 0 {
		return nil
	}
	*rate = 60_000 / ms
	return rate
}
