package beats

import "math"

// Times of the search for fibrillation.
const (
	waveHalf = 2                // samples of internalRate for one of the waveform
	waveRate = internalRate / 2 // Hz: the ventricles' waves lie below 30 Hz
	waveLen  = 4 * waveRate     // a window of 4 s: as good as one of 8 s, and half as late
	waveStep = internalRate     // a second between two looks
	waveLine = 6                // samples that the low-pass needs
	maxLooks = 12               // a frame lasts 10.5 s at most

	// waveBase is the share by which each of two baselines follows: a high-pass at 0.7 Hz.
	waveBase = 0.049
	// waveUnit is in mV what a count of the ring is, bounded at 65 mV.
	waveUnit = 0.002
)

// waveform keeps the last seconds of a lead for the eye that looks for
// fibrillation: low-passed below 30 Hz, free of mains and baseline.
type waveform struct {
	n     uint64            // samples taken at internalRate
	line  [waveLine]float32 // the last of them, by time
	drift [2]float32        // baselines in mV, one behind the other
	ring  [waveLen]int16    // in waveUnit, by time
	looks [maxLooks]look    // that nobody has taken yet; none between calls
	waits int               // of them
}

// look is what was seen in the window that ends at a sample of internalRate.
type look struct {
	at     uint64
	wave   float32 // log odds that this is a ventricular rhythm without a normal complex: VF, flutter or VT
	rate   float32 // waves /min
	steady float32 // 0 to 1: how much each wave is like the one before it
	height float32 // mV
}

func (w *waveform) restart() { *w = waveform{} }

// take takes samples in mV, before which at have been taken. Each second it looks at the last four.
func (w *waveform) take(v []float32, at uint64) {
	for len(v) > 0 {
		n := min(len(v), chunk, waveStep-int(w.n%waveStep))
		at += uint64(n)
		if w.add(v[:n]) {
			w.look(at)
		}
		v = v[n:]
	}
}

// add takes up to chunk samples, and none beyond the next second's begin. It reports that it is time to look.
func (w *waveform) add(v []float32) bool {
	if w.n == 0 {
		for i := range w.line {
			w.line[i] = v[0]
		}
		w.drift = [2]float32{v[0], 0}
	}
	var x [waveLine + chunk]float32 // in order
	for i := range waveLine {
		x[i] = w.line[(w.n+uint64(i))%waveLine]
	}
	end := waveLine + copy(x[waveLine:], v)
	i := waveLine + int(w.n+1)%waveHalf
	slot := int((w.n + 2) / waveHalf % waveLen)
	slow, slower := w.drift[0], w.drift[1]
	for ; i < end; i += waveHalf {
		// Means over three and four samples: nothing is left of 45 and 60 Hz, 1/40 of 50 Hz.
		l := x[i-5 : i+1 : i+1]
		v := (l[0] + l[5] + 2*(l[1]+l[4]) + 3*(l[2]+l[3])) / 12
		slow += waveBase * (v - slow)
		v -= slow
		slower += waveBase * (v - slower)
		v -= slower
		w.ring[slot] = counted(v)
		if slot++; slot == waveLen {
			slot = 0
		}
	}
	w.drift = [2]float32{slow, slower}
	w.n += uint64(len(v))
	for i := range waveLine {
		w.line[(w.n+uint64(i))%waveLine] = x[end-waveLine+i]
	}
	return w.n%waveStep == 0 && w.n >= waveLen*waveHalf
}

// counted is a value in mV in waveUnit, within what the ring holds.
func counted(mv float32) int16 {
	v := mv / waveUnit
	if v > math.MaxInt16 {
		return math.MaxInt16
	}
	if v < -math.MaxInt16 {
		return -math.MaxInt16
	}
	return int16(v)
}

// look judges the last four seconds.
func (w *waveform) look(at uint64) {
	if w.waits == maxLooks {
		copy(w.looks[:], w.looks[1:])
		w.waits--
	}
	l := &w.looks[w.waits]
	if height, plain := w.plain(); plain {
		*l = look{wave: plainWave, height: height}
	} else {
		var f features
		w.window(&f.x)
		*l = f.judge()
	}
	l.at = at
	w.waits++
}

// plain reports a window that features.judge will find plain, and its height
// in mV. It counts the flat time in whole units of the ring, against
// a bound so much lower that rounding cannot turn it; what is near is left to judge.
func (w *waveform) plain() (height float32, plain bool) {
	var x [waveLen]int16 // oldest first
	oldest := int((w.n/waveHalf + 1) % waveLen)
	copy(x[copy(x[:], w.ring[oldest:]):], w.ring[:oldest])
	const span = 2*energySpan + 1
	var sums [waveLen + span]int32 // of the slopes before; none beyond the ends
	low, high, last := int32(x[0]), int32(x[0]), int32(x[0])
	sum := distance(int32(x[1]), last) // for the first
	sums[energySpan+1] = sum
	for i, v := range x[1:] {
		v := int32(v)
		low, high = min(low, v), max(high, v)
		sum += distance(v, last)
		sums[i+energySpan+2] = sum
		last = v
	}
	for i := waveLen + energySpan + 1; i < len(sums); i++ {
		sums[i] = sum
	}
	var energy [waveLen]int32
	var most int32
	for i, before := range sums[:waveLen] {
		e := sums[i+span] - before
		energy[i], most = e, max(most, e)
	}
	least := int32(int64(most)*99/1000) - 1
	n := uint32(0)
	for _, e := range energy {
		n += uint32(e-least) >> 31
	}
	height = float32(high)*waveUnit - float32(low)*waveUnit
	return height, height < nothingMV || n > plainFlat*waveLen
}

// window gives the last four seconds in mV, oldest first.
func (w *waveform) window(x *[waveLen]float32) {
	oldest := int((w.n/waveHalf + 1) % waveLen)
	recent := w.ring[oldest:]
	for i, v := range recent {
		x[i] = float32(v) * waveUnit
	}
	y := x[len(recent):]
	for i, v := range w.ring[:oldest] {
		y[i] = float32(v) * waveUnit
	}
}
