package beats

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

// push takes a sample in mV, of which at have been taken. Each second it looks at the last four.
func (w *waveform) push(v float32, at uint64) {
	if w.add(v) {
		w.look(at)
	}
}

// add takes a sample and reports that it is time to look.
func (w *waveform) add(v float32) bool {
	if w.n == 0 {
		for i := range w.line {
			w.line[i] = v
		}
		w.drift = [2]float32{v, 0}
	}
	w.line[w.n%waveLine] = v
	w.n++
	if w.n%waveHalf != 0 {
		return false
	}
	// Means over three and four samples: nothing is left of 45 and 60 Hz, 1/40 of 50 Hz.
	l, n := &w.line, w.n
	v = (l[n%waveLine] + l[(n+5)%waveLine] + 2*(l[(n+1)%waveLine]+l[(n+4)%waveLine]) + 3*(l[(n+2)%waveLine]+l[(n+3)%waveLine])) / 12
	for i := range w.drift {
		w.drift[i] += waveBase * (v - w.drift[i])
		v -= w.drift[i]
	}
	w.ring[n/waveHalf%waveLen] = int16(min(max(v/waveUnit, -32767), 32767))
	return n%waveStep == 0 && n >= waveLen*waveHalf
}

// look judges the last four seconds.
func (w *waveform) look(at uint64) {
	if w.waits == maxLooks {
		copy(w.looks[:], w.looks[1:])
		w.waits--
	}
	var f features
	w.window(&f.x)
	w.looks[w.waits] = f.judge()
	w.looks[w.waits].at = at
	w.waits++
}

// window gives the last four seconds in mV, oldest first.
func (w *waveform) window(x *[waveLen]float32) {
	oldest := int((w.n/waveHalf + 1) % waveLen)
	for i := range x {
		x[i] = float32(w.ring[oldest]) * waveUnit
		if oldest++; oldest == waveLen {
			oldest = 0
		}
	}
}
