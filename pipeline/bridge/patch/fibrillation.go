package patch

import "math"

// fibrillation is ventricular fibrillation: a few oscillators between 3 and 7 Hz
// (the band in which its power lies, Strohmenger et al. 1997) whose
// frequencies and amplitudes drift, each seen by each lead with a weight and a
// phase of its own, so that no two leads and no two seconds are alike.
type fibrillation struct {
	luck  *chance
	osc   [5]oscillator
	level float64 // 0 to 1, of the whole
}

type oscillator struct {
	hz, amp, phase float64 // amp in mV
	home           float64 // Hz, to which the frequency returns
	weight, shift  [maxLeads]float64
}

func newFibrillation(luck *chance, leads int) fibrillation {
	f := fibrillation{luck: luck}
	for i := range f.osc {
		o := &f.osc[i]
		o.home = 3.4 + 0.7*float64(i) + luck.between(-0.2, 0.2)
		o.hz, o.amp, o.phase = o.home, 0.12, luck.between(0, 2*math.Pi)
		for k := range leads {
			o.weight[k], o.shift[k] = luck.between(0.5, 1), luck.between(0, 2*math.Pi)
		}
	}
	return f
}

// drift lets frequencies and amplitudes wander for dt s, pulled home within
// about a second (an Ornstein-Uhlenbeck process).
func (f *fibrillation) drift(dt float64) {
	for i := range f.osc {
		o := &f.osc[i]
		o.hz += (o.home-o.hz)*dt + 0.6*math.Sqrt(dt)*f.luck.normal()
		o.hz = min(max(o.hz, 2.8), 7.2)
		o.amp += (0.16-o.amp)*dt + 0.12*math.Sqrt(dt)*f.luck.normal()
		o.amp = min(max(o.amp, 0.02), 0.35)
	}
}

// add adds one sample, dt s after the one before; it comes and goes within
// some tenths of a second.
func (f *fibrillation) add(sum *[maxLeads]float64, on bool, dt float64, leads int) {
	f.level = approach(f.level, on, dt/0.25)
	if f.level == 0 {
		return
	}
	f.drift(dt)
	for i := range f.osc {
		o := &f.osc[i]
		if o.phase += 2 * math.Pi * o.hz * dt; o.phase > 2*math.Pi {
			o.phase -= 2 * math.Pi
		}
		for k := range leads {
			sum[k] += f.level * o.amp * o.weight[k] * math.Sin(o.phase+o.shift[k])
		}
	}
}

// approach moves a level towards 0 or 1 by a step.
func approach(level float64, on bool, step float64) float64 {
	if on {
		return min(1, level+step)
	}
	return max(0, level-step)
}

// flutter is ventricular flutter: waves without a beginning or an end, all alike.
type flutter struct {
	phase, level float64
	amps         [maxLeads]float64 // mV
}

func newFlutter(luck *chance, leads int) (f flutter) {
	for k := range leads {
		f.amps[k] = luck.between(0.6, 1)
	}
	return f
}

// add adds one sample, dt s after the one before, at so many waves /s.
func (f *flutter) add(sum *[maxLeads]float64, on bool, hz, dt float64) {
	if f.level = approach(f.level, on, dt/0.25); f.level == 0 {
		return
	}
	f.phase += 2 * math.Pi * hz * dt
	for k, a := range f.amps {
		sum[k] += f.level * a * math.Sin(f.phase)
	}
}

// flutterWaves are the f-waves of atrial fibrillation: a saw-tooth with three
// harmonics whose frequency and amplitude are modulated (Stridh and Sörnmo, IEEE
// Trans Biomed Eng 48:105, 2001).
type flutterWaves struct {
	hz, swing, slow, swell float64
	amps                   []float64 // mV, each lead
	level                  float64
}

func newFlutterWaves(luck *chance, leads []string) flutterWaves {
	f := flutterWaves{hz: luck.between(5.5, 7.5), swing: 0.25, slow: luck.between(0.15, 0.3), swell: luck.between(0.2, 0.5)}
	size := luck.between(0.7, 1.2)
	for _, name := range leads {
		f.amps = append(f.amps, size*lead(fibrillatory, name))
	}
	return f
}

func (f *flutterWaves) add(sum *[maxLeads]float64, on bool, t, dt float64) {
	f.level = approach(f.level, on, dt)
	if f.level == 0 {
		return
	}
	phase := 2*math.Pi*f.hz*t + f.swing/f.slow*math.Sin(2*math.Pi*f.slow*t)
	level := f.level * (1 + 0.35*math.Sin(2*math.Pi*f.swell*t))
	v := 0.0
	for m := 1; m <= 3; m++ {
		v -= math.Sin(float64(m)*phase) / float64(m)
	}
	for k, a := range f.amps {
		sum[k] += 0.6 * level * a * v
	}
}
