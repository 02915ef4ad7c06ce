package beats

import "slices"

const (
	keptRRs = 64
	slowRR  = 1. / 32 // share of a new interval in the slow mean

	cellShare = 0.05 // of the mean interval: a cell of the map of irregularity
	cellRows  = 64
)

// intervals are the last RR intervals of one lead, in samples of internalRate.
type intervals struct {
	v    [keptRRs]float32
	n    int     // kept
	at   int     // where the next one goes
	slow float32 // slow mean
	base basic

	// The rest follows from v.
	sorted [keptRRs]float32 // of the n kept
	uneven float32          // median of the changes among the last sixteen as a share of the usual one: single early beats leave it low
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
	r.uneven = r.unevenness()
	r.base.push(r)
	if r.slow == 0 {
		r.slow = rr
	} else {
		r.slow += max(slowRR, 1/float32(r.n)) * (rr - r.slow)
	}
}

// basic is the interval of the basic rhythm, which early beats, pauses and runs
// leave as it is: it follows what lies near it at once, what is longer once that is
// even, and what is shorter only when it has lasted.
type basic struct {
	rr   float32 // 0 before the first interval
	away int     // intervals since the last one near it
}

const (
	baseNear  = 0.12 // of the basic interval: so much from one beat to the next is its own variation
	baseShare = 1. / 8
	baseEven  = 4  // longer intervals within baseNear of each other: the rhythm has slowed
	baseHeld  = 64 // shorter ones: no run of ectopic beats any more, but what is usual
)

// push takes the newest of the intervals.
func (b *basic) push(r *intervals) {
	rr := r.last(0, 0)
	switch {
	case b.rr == 0:
		b.rr = rr
	case abs(rr-b.rr) <= baseNear*b.rr:
		b.rr += baseShare * (rr - b.rr)
		b.away = 0
	default:
		b.away++
	}
	if b.away >= baseHeld {
		*b = basic{rr: r.quantile(0.5, rr)}
	}
	if b.away < baseEven || rr < b.rr {
		return
	}
	low, high := rr, rr
	for i := range baseEven {
		low, high = min(low, r.last(i, rr)), max(high, r.last(i, rr))
	}
	if low > b.rr && high-low <= baseNear*low {
		*b = basic{rr: (low + high) / 2}
	}
}

// derive makes what follows from the rest.
func (r *intervals) derive() {
	copy(r.sorted[:], r.v[:r.n])
	slices.Sort(r.sorted[:r.n])
	r.uneven = r.unevenness()
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

// unevenness is what uneven is.
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

// crowd is the largest share of the intervals that lie within a tenth of each
// other, and where: a regular rhythm has one in spite of extra beats, atrial fibrillation has none.
func (r *intervals) crowd() (share, rr float32) {
	most, from := 0, 0
	for i, k := 0, 0; i < r.n; i++ {
		for r.sorted[i] > 1.1*r.sorted[k] {
			k++
		}
		if i-k+1 >= most {
			most, from = i-k+1, k
		}
	}
	if most == 0 {
		return 0, rrNominal
	}
	return float32(most) / float32(r.n), r.sorted[from+most/2]
}

// cells is the share of the last intervals that have a cell of their own in
// the map of interval against difference (Lian, Wang and Muessig 2011): near 1 in
// atrial fibrillation, while extra beats fill a few cells over and over.
func (r *intervals) cells() float32 {
	if r.n < 8 {
		return 0
	}
	var sum float32
	for _, v := range r.sorted[:r.n] {
		sum += v
	}
	unit := max(cellShare*sum/float32(r.n), 1)
	var rows [cellRows]uint64
	var used uint64
	rr := r.last(0, 0)
	for i := range r.n - 1 {
		before := r.last(i+1, 0)
		column := min(max(int((rr-before)/unit+32), 0), 63) % 64 // % spares bounds
		row := &rows[uint(min(int(rr/unit), cellRows-1))%cellRows]
		used += ^*row >> column & 1
		*row |= 1 << column
		rr = before
	}
	return float32(used) / float32(r.n-1)
}
