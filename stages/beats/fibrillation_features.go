package beats

import "math"

// features are what tells fibrillation from beats, in a window of 4 s. Each
// is a ratio or a frequency: none depends on the gain.
type features struct {
	x      [waveLen]float32 // mV
	slope  [waveLen]float32 // absolute difference to the sample before
	energy [waveLen]float32 // slope over 100 ms
	peaks  [maxPeaks]int    // places of the highest energy, one each 200 ms
	n      int              // of peaks
	v      [featureCount]float32
}

const (
	maxPeaks   = 20
	energySpan = 4  // samples to each side: 100 ms
	peakApart  = 18 // 200 ms
	slowSpan   = 3  // samples to each side of the two means that make the slow band: 6 dB down at 5.7 Hz
)

// The features, in the order in which the trees were given them. The first
// ones are measured twice: again in the slow band, in which spikes of a
// pacemaker and muscle noise are small.
const (
	fTCSC     = iota // share of samples beyond a fifth of the maximum, segments of 3 s with tapered ends (Arafat et al. 2011)
	fMAV             // mean absolute value over the maximum, segments of 2 s (Anas et al. 2010)
	fLeak            // what is left when half a mean period is added (Kuo and Dillman 1978)
	fMean            // that mean frequency, Hz
	fCross           // crossings of ±20 % of the maximum, /s (after Thakor et al. 1990)
	fCrossCV         // variation of the time between them
	fKurt            // kurtosis
	fSkew            // absolute skewness
	fSlopeK          // kurtosis of the slope
	fSlopeMax        // mean slope over the steepest
	fFlat5           // shares of time in which the slope energy is below 5, 10, 20 and 40 % of its maximum: the
	fFlat10          // baseline content of Irusta and Ruiz (2009)
	fFlat20
	fFlat40
	fPeaks   // slope peaks /s
	fPeakCV  // variation of the intervals between them
	fPeakHV  // variation of their heights
	fAlike   // mean correlation of the signal around each with that around the highest
	fWidth   // mean width of them at half height, s
	fNarrow  // the narrowest of them
	fFaint   // lowest energy between two peaks over the lower of them, mean
	fEven    // lowest range of a second over the highest
	fSpace   // share of the phase space that is visited (Amann et al. 2007)
	fSelf    // highest autocorrelation up to 1.5 s (Chen et al. 1987)
	fSelfHz  // where: Hz
	fSelfLow // lowest autocorrelation
	bothBands
)

const (
	fCount1      = bothBands + iota // samples of the 13 to 16.5 Hz band above half its maximum,
	fCount2                         // above its mean
	fCount3                         // and about its mean (Jekova and Krasteva 2004)
	fBand                           // height of that band over that of the signal
	fZiv                            // complexity of Lempel and Ziv (Zhang et al. 1999)
	fTop                            // strongest frequency, Hz (Barro et al. 1989, as the four below)
	fMoment                         // first spectral moment over it
	fA1                             // shares of the spectrum: below,
	fA2                             // around and
	fA3                             // at harmonics of it
	fPeakShare                      // share within 0.5 Hz of it
	fEntropy                        // spectral entropy
	fLow                            // shares of power: 0.5 to 2 Hz,
	fMid                            // 2.5 to 7.5 Hz,
	fHigh                           // above 12 Hz
	fMedian                         // median and
	fEdge                           // 90 % frequency, Hz (Strohmenger et al. 1997)
	fSampEn                         // sample entropy (Li et al. 2014)
	fSlow                           // range of the slow band over that of the signal
	fSlowBand                       // here those of the slow band begin
	featureCount = fSlowBand + bothBands
)

// featureNames are what the trees were made for.
var featureNames = func() (names [featureCount]string) {
	copy(names[:], []string{
		"tcsc", "mav", "leak", "mean", "cross", "crosscv", "kurt", "skew", "slopek", "slopemax",
		"flat5", "flat10", "flat20", "flat40", "peaks", "peakcv", "peakhv", "alike", "width", "narrow",
		"faint", "even", "space", "self", "selfhz", "selflow",
		"count1", "count2", "count3", "band", "ziv", "top", "moment", "a1", "a2", "a3", "peakshare",
		"entropy", "low", "mid", "high", "median", "edge", "sampen", "slow",
	})
	for i := range bothBands {
		names[fSlowBand+i] = "slow-" + names[i]
	}
	return names
}()

// slopes fills slope and energy and gives the range of x and the highest energy.
func (f *features) slopes() (height, most float32) {
	x, slope, energy := &f.x, &f.slope, &f.energy
	low, high, last := x[0], x[0], x[0]
	for i, v := range x {
		slope[i] = abs(v - last)
		last = v
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	slope[0] = slope[1]
	var sum float32
	for i := range energySpan {
		sum += slope[i]
	}
	for i := 0; i <= energySpan; i++ {
		sum += slope[i+energySpan]
		energy[i] = sum
	}
	for i := energySpan + 1; i < waveLen-energySpan; i++ {
		sum += slope[i+energySpan]
		sum -= slope[i-energySpan-1]
		energy[i] = sum
	}
	for i := waveLen - energySpan; i < waveLen; i++ {
		sum -= slope[i-energySpan-1]
		energy[i] = sum
	}
	for i, e := range energy {
		if e > most {
			most = e
		}
		if !(e > 0) {
			energy[i] = 0
		}
	}
	return high - low, most
}

func sqrt(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// over is a/b, and none where b is nothing.
func over(a, b, none float32) float32 {
	if b > 0 {
		return a / b
	}
	return none
}

// flat gives the shares of quiet time. What is not negative is ordered as its
// bits are, and comparing those does not branch.
func (f *features) flat(most float32) {
	var n [4]uint32
	least := [4]uint32{math.Float32bits(0.05 * most), math.Float32bits(0.1 * most), math.Float32bits(0.2 * most), math.Float32bits(0.4 * most)}
	for _, e := range f.energy {
		b := math.Float32bits(e)
		n[0] += (b - least[0]) >> 31
		n[1] += (b - least[1]) >> 31
		n[2] += (b - least[2]) >> 31
		n[3] += (b - least[3]) >> 31
	}
	for i, c := range n {
		f.v[fFlat5+i] = float32(c) / waveLen
	}
}

// measure fills all features; slopes and flat have been called.
func (f *features) measure(height, most float32) {
	f.both(most)
	f.band()
	f.v[fZiv] = f.lempelZiv()
	f.spectrum()
	f.v[fSampEn] = f.sampleEntropy()
	var slow features
	f.smooth(&slow.x)
	low, most := slow.slopes()
	slow.flat(most)
	slow.both(most)
	f.v[fSlow] = over(low, height, 0)
	copy(f.v[fSlowBand:], slow.v[:bothBands])
}

// both fills the features that are measured in both bands.
func (f *features) both(most float32) {
	f.shape()
	f.levels()
	f.leakage()
	f.findPeaks(most)
	f.complexes()
	f.v[fSpace] = f.phaseSpace()
	f.self()
}

// smooth gives the slow band: x averaged twice.
func (f *features) smooth(y *[waveLen]float32) {
	var once [waveLen]float32
	average(&f.x, &once)
	average(&once, y)
}

// average takes the signal beyond its ends to stay what it is there.
func average(x, y *[waveLen]float32) {
	sum := x[0] * (slowSpan + 1)
	for i := range slowSpan {
		sum += x[i]
	}
	for i := range y {
		sum += x[min(i+slowSpan, waveLen-1)]
		y[i] = sum / (2*slowSpan + 1)
		sum -= x[max(i-slowSpan, 0)]
	}
}

// shape gives the moments of signal and slope.
func (f *features) shape() {
	var sum float32
	for _, v := range f.x {
		sum += v
	}
	mean := sum / waveLen
	var m2, m3, m4, s1, s2, s4, top float32
	for i, v := range f.x {
		v -= mean
		q := v * v
		m2 += q
		m3 += q * v
		m4 += q * q
		s := f.slope[i]
		q = s * s
		s1 += s
		s2 += q
		s4 += q * q
		if s > top {
			top = s
		}
	}
	m2, m3, m4 = m2/waveLen, m3/waveLen, m4/waveLen
	f.v[fKurt] = over(m4, m2*m2, 0)
	f.v[fSkew] = abs(over(m3, m2*sqrt(m2), 0))
	f.v[fSlopeK] = over(s4*waveLen, s2*s2, 0)
	f.v[fSlopeMax] = over(s1/waveLen, top, 0)
}

// levels gives what is counted against the maximum.
func (f *features) levels() {
	const three, two = 3 * waveRate, 2 * waveRate
	var tcsc, mav, least, most float32
	for from := 0; from+three <= waveLen; from += waveRate {
		var top float32
		var weighted [three]float32
		copy(weighted[:], f.x[from:])
		for i, v := range tapers {
			weighted[i] *= v
			weighted[three-1-i] *= v
		}
		for i, v := range weighted {
			if v = abs(v); v > top {
				top = v
			}
			weighted[i] = v
		}
		n, bound := uint32(0), math.Float32bits(0.2*top)
		for _, v := range weighted {
			n += (bound - math.Float32bits(v)) >> 31
		}
		tcsc += float32(n) / three / 2
	}
	for from := 0; from < waveLen; from += two {
		var top, sum float32
		for _, v := range f.x[from : from+two] {
			v = abs(v)
			if sum += v; v > top {
				top = v
			}
		}
		mav += over(sum/two, top, 1) / 2
	}
	for from := 0; from < waveLen; from += waveRate {
		low, high := f.x[from], f.x[from]
		for _, v := range f.x[from : from+waveRate] {
			if v < low {
				low = v
			}
			if v > high {
				high = v
			}
		}
		if r := high - low; from == 0 {
			least, most = r, r
		} else {
			least, most = min(least, r), max(most, r)
		}
	}
	f.v[fTCSC], f.v[fMAV], f.v[fEven] = tcsc, mav, over(least, most, 0)
	f.crossings()
}

var tapers = func() (t [waveRate / 4]float32) {
	for i := range t {
		t[i] = float32((1 - math.Cos(4*math.Pi*float64(i)/waveRate)) / 2)
	}
	return t
}()

// crossings counts how often the signal leaves ±20 % of the maximum.
func (f *features) crossings() {
	var top float32
	for _, v := range f.x {
		if v = abs(v); v > top {
			top = v
		}
	}
	var n, last int
	var sum, square float32
	beyond := false
	for i, v := range f.x {
		was := beyond
		beyond = abs(v) > 0.2*top
		if !beyond || was {
			continue
		}
		if n > 0 {
			d := float32(i - last)
			sum, square = sum+d, square+d*d
		}
		n, last = n+1, i
	}
	f.v[fCross] = float32(n) / 4
	f.v[fCrossCV] = variation(sum, square, n-1)
}

// variation is the coefficient of variation of n values by their sums.
func variation(sum, square float32, n int) float32 {
	if n < 2 || sum <= 0 {
		return 0
	}
	mean := sum / float32(n)
	return sqrt(max(square/float32(n)-mean*mean, 0)) / mean
}

// leakage is that of the VF filter.
func (f *features) leakage() {
	var sum, slope float32
	for i := 1; i < waveLen; i++ {
		sum, slope = sum+abs(f.x[i]), slope+f.slope[i]
	}
	period := 2 * math.Pi * over(sum, slope, 1)
	half := min(max(int(period/2+0.5), 1), waveLen/2)
	var left, whole float32
	for i := half; i < waveLen; i++ {
		left += abs(f.x[i] + f.x[i-half])
		whole += abs(f.x[i]) + abs(f.x[i-half])
	}
	f.v[fLeak], f.v[fMean] = over(left, whole, 1), waveRate/max(period, 1)
}

// band counts in the band of 13 to 16.5 Hz, where the QRS complex has power and fibrillation little.
func (f *features) band() {
	const begin = waveRate / 2
	var y, y1, y2, top, sum float32
	var out [waveLen]float32
	for i := 2; i < waveLen; i++ {
		y = bandGain*(f.x[i]-f.x[i-2]) + bandTurn*y1 - bandStay*y2
		y1, y2 = y, y1
		out[i] = abs(y)
		if i >= begin {
			if sum += out[i]; out[i] > top {
				top = out[i]
			}
		}
	}
	mean := sum / (waveLen - begin)
	var spread, high float32
	for _, v := range out[begin:] {
		spread += abs(v - mean)
	}
	spread /= waveLen - begin
	var n1, n2, n3 int
	for _, v := range out[begin:] {
		if v > 0.5*top {
			n1++
		}
		if v > mean {
			n2++
		}
		if v > mean-spread && v < mean+spread {
			n3++
		}
	}
	for _, v := range f.x[begin:] {
		if v = abs(v); v > high {
			high = v
		}
	}
	f.v[fCount1], f.v[fCount2], f.v[fCount3] = float32(n1)/(waveLen-begin), float32(n2)/(waveLen-begin), float32(n3)/(waveLen-begin)
	f.v[fBand] = over(top, high, 0)
}

// A resonator of two poles: centre 14.75 Hz, width 3.5 Hz at waveRate.
const (
	bandStay = 0.7832 // r², r = exp(-π·3.5/90)
	bandTurn = 0.9113 // 2 r cos(2π·14.75/90)
	bandGain = 0.1084 // (1-r²)/2
)
