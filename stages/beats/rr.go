package beats

import "slices"

const (
	keptRRs = 64
	slowRR  = 1. / 32 // share of a new interval in the slow mean
)

// intervals are the last RR intervals of one lead, in samples of internalRate.
type intervals struct {
	v    [keptRRs]float32
	n    int     // kept
	at   int     // where the next one goes
	slow float32 // slow mean

	sorted [keptRRs]float32 // of the n kept; follows from v
}

func (r *intervals) push(rr float32) {
	if r.n == keptRRs {
		i, _ := slices.BinarySearch(r.sorted[:r.n], r.v[r.at])
		copy(r.sorted[i:], r.sorted[i+1:r.n])
		r.n--
	}
	i, _ := slices.BinarySearch(r.sorted[:r.n], rr)
	copy(r.sorted[i+1:r.n+1], r.sorted[i:r.n])
	r.sorted[i] = rr
	r.n++
	r.v[r.at] = rr
	r.at = (r.at + 1) % keptRRs
	if r.slow == 0 {
		r.slow = rr
	} else {
		r.slow += max(slowRR, 1/float32(r.n)) * (rr - r.slow)
	}
}

// derive makes what follows from the rest.
func (r *intervals) derive() {
	copy(r.sorted[:], r.v[:r.n])
	slices.Sort(r.sorted[:r.n])
}

// quantile is the interval below which a share of them lies.
func (r *intervals) quantile(q float32, none float32) float32 {
	if r.n == 0 {
		return none
	}
	return r.sorted[int(q*float32(r.n-1)+0.5)]
}

// last is the i-th interval before the newest; none where there is none.
func (r *intervals) last(i int, none float32) float32 {
	if i >= r.n {
		return none
	}
	return r.v[(r.at-1-i+2*keptRRs)%keptRRs]
}

// irregularity is the mean change from one of the last intervals to the next
// as a share of their mean: low in sinus rhythm, high in atrial fibrillation.
func (r *intervals) irregularity(of int) float32 {
	of = min(of, r.n-1)
	if of < 2 {
		return 0
	}
	var change, sum float32
	for i := range of {
		d := r.last(i, 0) - r.last(i+1, 0)
		if d < 0 {
			d = -d
		}
		change += d
		sum += r.last(i, 0)
	}
	return change / sum
}

// unevenness is the median of the changes among the last sixteen intervals as
// a share of the usual one: single early beats leave it low.
func (r *intervals) unevenness() float32 {
	n := min(16, r.n-1)
	if n < 4 {
		return 0
	}
	var changes [16]float32
	for i := range n {
		changes[i] = abs(r.last(i, 0) - r.last(i+1, 0))
	}
	sortFew(changes[:n])
	return ratio(changes[n/2], r.quantile(0.5, rrNominal))
}
