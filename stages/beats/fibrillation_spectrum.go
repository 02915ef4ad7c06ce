package beats

import (
	"math"
	"math/bits"
)

const (
	fftLen = 512
	binHz  = float32(waveRate) / fftLen
	topBin = 51 // 9 Hz
)

var (
	hamming = func() (w [waveLen]float32) {
		for i := range w {
			w[i] = float32(0.54 - 0.46*math.Cos(2*math.Pi*float64(i)/(waveLen-1)))
		}
		return w
	}()
	twiddles = func() (w [fftLen / 2]complex64) {
		for i := range w {
			s, c := math.Sincos(-2 * math.Pi * float64(i) / fftLen)
			w[i] = complex(float32(c), float32(s))
		}
		return w
	}()
)

// turned is where each sample goes before the transform.
var turned = func() (to [fftLen]uint16) {
	for i := range to {
		to[i] = bits.Reverse16(uint16(i)) >> (16 - 9)
	}
	return to
}()

// fft is the transform of Cooley and Tukey, in place, of samples that stand at turned.
func fft(z *[fftLen]complex64) {
	for i := 0; i < fftLen; i += 2 {
		z[i], z[i+1] = z[i]+z[i+1], z[i]-z[i+1]
	}
	for half := 2; half < fftLen; half *= 2 {
		step := fftLen / (2 * half)
		for from := 0; from < fftLen; from += 2 * half {
			for k := range half {
				a, b := z[from+k], z[from+k+half]*twiddles[k*step]
				z[from+k], z[from+k+half] = a+b, a-b
			}
		}
	}
}

// spectrum fills the features of frequency.
func (f *features) spectrum() {
	var z [fftLen]complex64
	for i, v := range f.x {
		z[turned[i]] = complex(v*hamming[i], 0)
	}
	fft(&z)
	const from, to = 3, 228 // 0.5 to 40 Hz
	var p, a [to]float32    // power and amplitude
	var power float32
	for i := from; i < to; i++ {
		p[i] = real(z[i])*real(z[i]) + imag(z[i])*imag(z[i])
		a[i] = sqrt(p[i])
		power += p[i]
	}
	if power <= 0 {
		return
	}
	share := func(low, high float32) float32 {
		var sum float32
		for i := max(int(low/binHz+0.5), from); i < min(int(high/binHz+0.5), to); i++ {
			sum += p[i]
		}
		return sum / power
	}
	top := from
	for i := from; i < topBin; i++ {
		if p[i] > p[top] {
			top = i
		}
	}
	f.v[fTop] = float32(top) * binHz
	f.v[fPeakShare] = share(f.v[fTop]-0.5, f.v[fTop]+0.5)
	f.v[fLow], f.v[fMid], f.v[fHigh] = share(0.5, 2), share(2.5, 7.5), share(12, 40)
	f.barro(a[:], top)
	var sum, entropy float32
	for i := from; i < to; i++ {
		q := p[i] / power
		if q > 0 {
			entropy -= q * float32(math.Log(float64(q)))
		}
		if sum < 0.5 {
			f.v[fMedian] = float32(i) * binHz
		}
		if sum < 0.9 {
			f.v[fEdge] = float32(i) * binHz
		}
		sum += q
	}
	f.v[fEntropy] = entropy / float32(math.Log(to-from))
}

// barro gives the shape of the amplitudes around the strongest and its multiples.
func (f *features) barro(a []float32, top int) {
	const from = 3
	high := min(20*top, len(a))
	var all, moment, low, mid, harmonics float32
	for i := from; i < high; i++ {
		v := a[i]
		if v < 0.05*a[top] {
			continue
		}
		all += v
		r := float32(i) / float32(top)
		moment += v * r
		switch {
		case r < 0.5:
			low += v
		case r >= 0.7 && r <= 1.4:
			mid += v
		}
		if n := float32(int(r + 0.5)); n >= 2 && n <= 8 && r > n-0.15 && r < n+0.15 {
			harmonics += v
		}
	}
	f.v[fMoment], f.v[fA1], f.v[fA2], f.v[fA3] = over(moment, all, 0), over(low, all, 0), over(mid, all, 0), over(harmonics, all, 0)
}

// self looks for the delay at which the signal is most like itself again.
func (f *features) self() {
	const from, step, count = 8, 2, 64 // lags of 0.09 to 1.5 s
	var c [count]float32
	least, best := float32(1), float32(0)
	first := count // at which the signal is no longer like itself
	f.lagged(from, step, c[:])
	for i := range c {
		least = min(least, c[i])
		if c[i] < 0.3 && first == count {
			first = i
		}
	}
	for i := first; i < count; i++ {
		best = max(best, c[i])
	}
	at := first // the first peak that is nearly as high: not a multiple of the period
	for at < count-1 && (c[at] < 0.85*best || c[at+1] > c[at]) {
		at++
	}
	f.v[fSelf], f.v[fSelfHz], f.v[fSelfLow] = best, waveRate/float32(from+at*step), least
}

// lagged gives the correlations of the signal with itself at lags a step
// apart, 1 to -1. Their number is even: two are added up side by side, since a sum waits for each of its terms.
func (f *features) lagged(lag, step int, c []float32) {
	x := &f.x
	var square [waveLen]float32
	var below [waveLen + 1]float32 // sum of the squares before
	for i, v := range x {
		square[i] = v * v
		below[i+1] = below[i] + square[i]
	}
	for k := 0; k < len(c); k += 2 {
		near, far := lag+k*step, lag+(k+1)*step
		a, aa := x[near:], square[near:]
		b, bb := x[far:], square[far:]
		a0, aa0 := a[:len(b)], aa[:len(b)]
		bb = bb[:len(b)]
		var dotNear, dotFar, sumNear, sumFar float32
		for i, v := range b {
			w := x[i]
			dotNear, sumNear = dotNear+a0[i]*w, sumNear+aa0[i]
			dotFar, sumFar = dotFar+v*w, sumFar+bb[i]
		}
		for i := len(b); i < len(a); i++ {
			dotNear, sumNear = dotNear+a[i]*x[i], sumNear+aa[i]
		}
		c[k] = part(dotNear, sumNear, below[len(a)])
		c[k+1] = part(dotFar, sumFar, below[len(b)])
	}
}

// part is a product of two signals over the root of their energies.
func part(ab, aa, bb float32) float32 {
	if aa <= 0 || bb <= 0 {
		return 0
	}
	return ab / sqrt(aa*bb)
}
