package beats

import (
	"math"
	"math/bits"
	"slices"
)

// findPeaks finds where the slope's energy is the highest within 200 ms to each side,
// and above a quarter of its maximum.
func (f *features) findPeaks(most float32) {
	f.n = 0
	for i, e := range f.energy {
		if e < 0.25*most || f.n == maxPeaks {
			continue
		}
		if f.n > 0 && i-f.peaks[f.n-1] < peakApart {
			if e > f.energy[f.peaks[f.n-1]] {
				f.peaks[f.n-1] = i
			}
			continue
		}
		f.peaks[f.n] = i
		f.n++
	}
}

// complexes measures what lies around the peaks.
func (f *features) complexes() {
	var gap, gap2, tall, tall2, width, faint float32
	narrow, best := float32(waveLen), 0
	for i, at := range f.peaks[:f.n] {
		e := f.energy[at]
		tall, tall2 = tall+e, tall2+e*e
		if e > f.energy[f.peaks[best]] {
			best = i
		}
		w := f.wide(at)
		width, narrow = width+w, min(narrow, w)
		if i == 0 {
			continue
		}
		before := f.peaks[i-1]
		d := float32(at - before)
		gap, gap2 = gap+d, gap2+d*d
		least := e
		for _, v := range f.energy[before:at] {
			least = min(least, v)
		}
		faint += over(least, min(e, f.energy[before]), 1)
	}
	n := float32(max(f.n, 1))
	f.v[fPeaks] = float32(f.n) / 4
	f.v[fPeakCV] = variation(gap, gap2, f.n-1)
	f.v[fPeakHV] = variation(tall, tall2, f.n)
	f.v[fWidth], f.v[fNarrow] = width/n/waveRate, narrow/waveRate
	f.v[fFaint] = faint / float32(max(f.n-1, 1))
	f.v[fAlike] = f.alike(f.peaks[best])
}

// wide is the width of a peak of energy at half its height, in samples.
func (f *features) wide(at int) float32 {
	half, from, to := f.energy[at]/2, at, at
	for from > 0 && f.energy[from-1] > half {
		from--
	}
	for to < waveLen-1 && f.energy[to+1] > half {
		to++
	}
	return float32(to - from + 1)
}

// alike is the mean correlation of the signal around each peak with that
// around one, the best of a few shifts.
func (f *features) alike(of int) float32 {
	const span, shift = 14, 3
	if of < span || of+span >= waveLen {
		of = min(max(of, span), waveLen-span-1)
	}
	a := f.x[of-span : of+span+1]
	var sum float32
	n := 0
	for _, at := range f.peaks[:f.n] {
		if at-span-shift < 0 || at+span+shift >= waveLen || at-of < peakApart && of-at < peakApart {
			continue
		}
		best := float32(-1)
		for s := -shift; s <= shift; s++ {
			best = max(best, correlation(a, f.x[at+s-span:at+s+span+1]))
		}
		sum, n = sum+best, n+1
	}
	if n == 0 {
		return 0
	}
	return sum / float32(n)
}

func correlation(a, b []float32) float32 {
	var sa, sb, aa, bb, ab float32
	for i, v := range a {
		w := b[i]
		sa, sb, aa, bb, ab = sa+v, sb+w, aa+v*v, bb+w*w, ab+v*w
	}
	n := float32(len(a))
	va, vb := aa-sa*sa/n, bb-sb*sb/n
	if va <= 0 || vb <= 0 {
		return 0
	}
	return (ab - sa*sb/n) / sqrt(va*vb)
}

// phaseSpace is the share of 40 × 40 boxes that the signal against itself half
// a second later comes through.
func (f *features) phaseSpace() float32 {
	const side, delay = 40, waveRate / 2
	low, high := f.x[0], f.x[0]
	for _, v := range f.x {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	if high <= low {
		return 0
	}
	var seen [side]uint64
	scale := side / (high - low)
	box := func(v float32) int { return min(int((v-low)*scale), side-1) }
	for i := delay; i < waveLen; i++ {
		seen[box(f.x[i])] |= 1 << box(f.x[i-delay])
	}
	n := 0
	for _, row := range seen {
		for ; row != 0; row &= row - 1 {
			n++
		}
	}
	return float32(n) / (side * side)
}

// lempelZiv is the complexity of the signs, 1 for a random series: Kaspar and
// Schuster's way to count (1987).
func (f *features) lempelZiv() float32 {
	var s [waveLen]bool
	for i, v := range f.x {
		s[i] = v > 0
	}
	c, l, i, k, longest := 1, 1, 0, 1, 1
	for {
		if s[i+k-1] == s[l+k-1] {
			if k++; l+k > waveLen {
				c++
				break
			}
			continue
		}
		longest = max(longest, k)
		if i++; i < l {
			k = 1
			continue
		}
		c++
		if l += longest; l+1 > waveLen {
			break
		}
		i, k, longest = 0, 1, 1
	}
	const expected = waveLen / 8.491853 // n / log2 n
	return float32(c) / expected
}

const (
	entropyLen = waveLen / 2
	entropySet = (entropyLen + 63) / 64
)

// places is a set of places in the series of sampleEntropy.
type places [entropySet]uint64

// sampleEntropy is that of every other sample, for m 2 and r 0.2 of the deviation.
func (f *features) sampleEntropy() float32 {
	const n = entropyLen
	var y [n]float32
	var sum, square float32
	for i := range y {
		y[i] = f.x[2*i]
		sum, square = sum+y[i], square+y[i]*y[i]
	}
	r := 0.2 * sqrt(max(square/n-sum/n*sum/n, 0))
	if !(r > 0) {
		return 0
	}
	var near [n]places
	nearby(&y, r, &near)
	two, three := 1, 1
	for i := range n - 2 {
		a, b, c := &near[i], &near[i+1], &near[i+2]
		for w := (i + 1) / 64; w < entropySet; w++ {
			both := a[w] & b.shifted(w, 1)
			if w == (i+1)/64 {
				both &= ^uint64(0) << ((i + 1) % 64) // each pair once
			}
			if w == (n-2)/64 {
				both &= 1<<((n-2)%64) - 1
			}
			two += bits.OnesCount64(both)
			three += bits.OnesCount64(both & c.shifted(w, 2))
		}
	}
	return float32(math.Log(float64(two) / float64(three)))
}

// shifted is word w of the places by less to the left.
func (p *places) shifted(w, by int) uint64 {
	v := p[w] >> by
	if w+1 < entropySet {
		v |= p[w+1] << (64 - by)
	}
	return v
}

// nearby gives the places whose values differ from each by less than r: in
// order of the values, a window that moves on.
func nearby(y *[entropyLen]float32, r float32, near *[entropyLen]places) {
	var order [entropyLen]uint64
	for i, v := range y {
		b := math.Float32bits(v)
		order[i] = uint64(b^(uint32(int32(b)>>31)|1<<31))<<32 | uint64(i)
	}
	slices.Sort(order[:])
	var now places
	low, high := 0, 0
	for _, o := range order {
		i := uint32(o)
		v := y[i]
		for ; high < entropyLen; high++ {
			k := uint32(order[high])
			if !(y[k]-v < r) {
				break
			}
			now[k/64] |= 1 << (k % 64)
		}
		for ; ; low++ {
			k := uint32(order[low])
			if v-y[k] < r {
				break
			}
			now[k/64] &^= 1 << (k % 64)
		}
		near[i] = now
	}
}
