package scenario

import (
	"io"
	"math"

	"heartwire/pipeline/bridge/patch"
)

// waveform is an ECG by formula, one lead at 500 Hz, for the tests of
// ANSI/AAMI EC13:2002. The standard gives some of its waveforms as figures;
// these are likenesses of them.
type waveform struct {
	seconds float64
	mv      func(t float64) float64
	n       uint64
	length  uint64
}

const (
	waveRate  = 500.0 // Hz
	waveCount = 2.5   // µV
)

func newWaveform(seconds float64, mv func(t float64) float64) *waveform {
	return &waveform{seconds: seconds, mv: mv, length: uint64(seconds * waveRate)}
}

// Rate is in Hz.
func (w *waveform) Rate() float64 { return waveRate }

// Leads is the one lead there is.
func (w *waveform) Leads() []patch.LeadSpec {
	return []patch.LeadSpec{{Name: "II", MicrovoltsPerCount: waveCount}}
}

// Read makes the next n samples.
func (w *waveform) Read(b *patch.Block, n int) error {
	n = int(min(uint64(n), w.length-w.n))
	if n == 0 {
		return io.EOF
	}
	*b = patch.Block{First: w.n, Counts: [][]int32{make([]int32, n)}, Off: []bool{false}, Breaths: -1}
	for i := range n {
		b.Counts[0][i] = int32(math.Round(w.mv(float64(w.n)/waveRate) * 1000 / waveCount))
		w.n++
	}
	return nil
}

// wave is one deflection of a beat, t being the time since the beat.
type wave func(t float64) float64

// triangle is the QRS complex of EC13's test of detection: straight up and
// down, of that many mV and ms, its peak at the beat.
func triangle(mv, ms float64) wave {
	half := ms / 2000
	return func(t float64) float64 { return mv * max(0, 1-math.Abs(t)/half) }
}

// tWave is half a sine of 180 ms that ends 350 ms after the onset of a QRS
// complex of 100 ms: EC13's test of tall T waves.
func tWave(mv float64) wave {
	const begin, length = 0.350 - 0.050 - 0.180, 0.180
	return func(t float64) float64 {
		if t < begin || t > begin+length {
			return 0
		}
		return mv * math.Sin(math.Pi*(t-begin)/length)
	}
}

// ventricular is a wide beat with its T wave against it, as in the figures of
// bigeminy; it is upside down with a negative mv.
func ventricular(mv float64) wave {
	return func(t float64) float64 {
		return mv * (bell(t, 0, 0.035) + 0.35*bell(t, 0.06, 0.03) - 0.45*bell(t, 0.27, 0.06))
	}
}

// narrow is a normal beat with P and T wave.
func narrow(mv float64) wave {
	return func(t float64) float64 {
		return mv * (bell(t, 0, 0.011) - 0.2*bell(t, 0.028, 0.010) - 0.08*bell(t, -0.028, 0.008) + 0.1*bell(t, -0.16, 0.022) + 0.25*bell(t, 0.26, 0.045))
	}
}

func bell(t, at, sd float64) float64 {
	d := (t - at) / sd
	if d*d > 50 {
		return 0
	}
	return math.Exp(-d * d / 2)
}

// cycle repeats beats every so many seconds from 0.5 s on: each has its offset within.
type cycle struct {
	every float64 // s
	beats []offsetWave
}

type offsetWave struct {
	at   float64
	wave wave
}

// at is the sum of the waves around time t.
func (c cycle) at(t float64) float64 {
	k := math.Floor((t - 0.5) / c.every)
	sum := 0.0
	for _, n := range []float64{k - 1, k, k + 1} {
		if n < 0 {
			continue
		}
		for _, b := range c.beats {
			sum += b.wave(t - 0.5 - n*c.every - b.at)
		}
	}
	return sum
}

// regular is one beat after the other at a rate /min.
func regular(rate float64, waves ...wave) func(float64) float64 {
	c := cycle{every: 60 / rate}
	for _, w := range waves {
		c.beats = append(c.beats, offsetWave{0, w})
	}
	return c.at
}

// alternating is two beats in turn, the second after a part of the cycle.
func alternating(rate, part float64, first, second wave) func(float64) float64 {
	every := 2 * 60 / rate
	return cycle{every, []offsetWave{{0, first}, {part * every, second}}}.at
}

// then is one signal up to a time, and from there on another that begins anew.
func then(before func(float64) float64, at float64, after func(float64) float64) func(float64) float64 {
	return func(t float64) float64 {
		if t < at {
			return before(t)
		}
		return after(t - at)
	}
}

func plus(a, b func(float64) float64) func(float64) float64 {
	return func(t float64) float64 { return a(t) + b(t) }
}

// mains has an amplitude in mV from peak to valley.
func mains(mv, hz float64) func(float64) float64 {
	return func(t float64) float64 { return mv / 2 * math.Sin(2*math.Pi*hz*t) }
}

// drift is a triangle of so many mV from peak to valley.
func drift(mv, hz float64) func(float64) float64 {
	return func(t float64) float64 {
		_, x := math.Modf(t * hz)
		return mv * (math.Abs(2*x-1) - 0.5)
	}
}

// tachycardia is ventricular tachycardia of so many mV from peak to valley: wide
// waves that run into each other.
func tachycardia(mv, rate float64) func(float64) float64 {
	every := 60 / rate
	return func(t float64) float64 {
		x := 2 * math.Pi * t / every
		return mv / 2 * (0.92*math.Sin(x) + 0.22*math.Sin(2*x+0.6))
	}
}
