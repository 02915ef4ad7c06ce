package beats

// Lengths of the filters in samples of internalRate. All are symmetric, so
// that every delay is known exactly.
const (
	smoothLen = 3  // 17 ms: first zero at 60 Hz
	lowLen    = 5  // 28 ms: first zero at 36 Hz; with smoothLen 50 Hz falls to 1/19
	highLen   = 29 // 161 ms: what is slower is baseline
	slopeLag  = 2  // 11 ms
	energyLen = 15 // 83 ms: the width of a QRS complex

	lowDelay    = (smoothLen-1)/2 + (lowLen-1)/2
	bandDelay   = lowDelay + (highLen-1)/2 // of the band-passed signal
	slopeDelay  = bandDelay + slopeLag/2
	energyDelay = slopeDelay + (energyLen-1)/2

	historyLen = 128 // samples of the wave and its slope that are kept; a power of two
	alignLen   = 32  // of the signals that wait for their baseline; a power of two
	riseLen    = 16  // a power of two
	shapeRing  = 256 // of the low-passed signal, 1.4 s: what a beat looks like is taken from it late; a power of two
)

// band is the chain from the signal to the energy of its slope, after
// Hamilton and Tompkins (1986) and Hamilton (2002): moving averages take the band of the QRS
// complex, the slope is rectified and summed over the width of one. The
// averages' sums are kept in 64 bits, where adding and taking away 32-bit values leaves no drift that matters.
type band struct {
	n                         uint64 // samples taken
	smooth, low, high, energy float64

	raw      [alignLen]float32   // by its sample, as the two below
	smoothed [alignLen]float32   //
	lowed    [shapeRing]float32  // of which shapes are taken
	passed   [slopeLag]float32   // the last ones of the band-passed signal
	rises    [riseLen]float32    // of it over a slopeLag, absolute
	wave     [historyLen]float32 // smoothed less baseline in mV, by time: where R peaks are measured
	sharp    [historyLen]float32 // not smoothed, less baseline in mV, by time
	slope    [historyLen]float32 // of the low-passed signal in mV a slopeLag, by time
}

func (b *band) begin(v float32) {
	b.smooth, b.low, b.high, b.energy = float64(v)*smoothLen, float64(v)*lowLen, float64(v)*highLen, 0
	for i := range b.smoothed {
		b.raw[i], b.smoothed[i] = v, v
	}
	for i := range b.lowed {
		b.lowed[i] = v
	}
	clear(b.passed[:])
	clear(b.rises[:])
	clear(b.wave[:])
	clear(b.sharp[:])
	clear(b.slope[:])
}

// ahead is how many samples the band takes at a time, before they are looked
// at: so many more than are asked for are in its rings.
const ahead = 8

// take takes up to ahead samples in mV, and turns each into the energy energyDelay before
// it, in mV: for one narrow deflection about its height in the band.
func (b *band) take(v []float32) {
	if b.n == 0 {
		b.begin(v[0])
	}
	// Kept in registers: a sum in memory waits for itself.
	n, smooth, low, high, energy := b.n, b.smooth, b.low, b.high, b.energy
	for i, x := range v {
		smooth += float64(x) - float64(b.raw[(n-smoothLen)%alignLen])
		s := float32(smooth * (1. / smoothLen))
		low += float64(s) - float64(b.smoothed[(n-lowLen)%alignLen])
		l := float32(low * (1. / lowLen))
		high += float64(l) - float64(b.lowed[(n-highLen)%shapeRing])
		baseline := float32(high * (1. / highLen)) // at n-bandDelay
		b.raw[n%alignLen], b.smoothed[n%alignLen], b.lowed[n%shapeRing] = x, s, l

		at := n - bandDelay // wraps around in the first samples, harmlessly
		b.wave[at%historyLen] = b.smoothed[(at+(smoothLen-1)/2)%alignLen] - baseline
		b.sharp[at%historyLen] = b.raw[at%alignLen] - baseline
		lowed := b.lowed[(at+lowDelay)%shapeRing]
		passed := lowed - baseline
		rise := abs(passed - b.passed[n%slopeLag])
		b.passed[n%slopeLag] = passed
		b.slope[(at-slopeLag/2)%historyLen] = lowed - b.lowed[(at+lowDelay-slopeLag)%shapeRing]
		energy += float64(rise) - float64(b.rises[(n-energyLen)%riseLen])
		b.rises[n%riseLen] = rise
		v[i] = float32(energy*(1./energyLen)) * (energyLen / (2. * slopeLag))
		n++
	}
	b.n, b.smooth, b.low, b.high, b.energy = n, smooth, low, high, energy
}

// low1 is the low-passed signal at a time of the last shapeRing samples, in µV.
func (b *band) low1(at uint64) float32 { return 1000 * b.lowed[(at+lowDelay)%shapeRing] }
