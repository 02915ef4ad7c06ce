package beats

import "math"

// internalRate is the rate in Hz at which signals are analysed: half of that
// of the usual databases, and enough for a band that ends at 30 Hz.
const internalRate = 180

const (
	lobes  = 3  // of the kernel to each side; Lanczos-3
	phases = 64 // of the kernel's table: a time error of 1/128 sample at most
)

// limitMV bounds a sample, so that no value can drown the sums of the
// filters. Electrode offsets are below 300 mV (IEC 60601-2-27).
const limitMV = 1e4

// kernel is the polyphase table that takes one rate to internalRate: a
// Lanczos window of three lobes at the lower of the two rates, so that nothing
// above half of it is folded back.
type kernel struct {
	rate  float64
	ratio float64 // input samples for one output
	taps  int
	half  int       // samples to each side of an output's position
	w     []float32 // phases+1 rows of taps
}

func newKernel(rate float64) *kernel {
	width := lobes * math.Max(rate/internalRate, 1) // of a side, in input samples
	k := &kernel{rate: rate, ratio: rate / internalRate, half: int(math.Ceil(width))}
	k.taps = 2*k.half + 1
	k.w = make([]float32, (phases+1)*k.taps)
	row64 := make([]float64, k.taps)
	for p := range phases + 1 {
		sum := 0.0
		for i := range row64 {
			d := float64(i-k.half) - float64(p)/phases // from the output's position
			row64[i] = lanczos(d / width)
			sum += row64[i]
		}
		for i, v := range row64 {
			k.w[p*k.taps+i] = float32(v / sum)
		}
	}
	return k
}

// lanczos is the window over -1 to 1.
func lanczos(u float64) float64 {
	if u == 0 {
		return 1
	}
	if math.Abs(u) >= 1 {
		return 0
	}
	x := math.Pi * u * lobes
	return math.Sin(x) / x * math.Sin(x/lobes) / (x / lobes)
}

// resampler turns samples of any rate into samples of internalRate. Output k
// lies exactly at k/internalRate after the first input.
type resampler struct {
	in   uint64    // samples taken
	out  uint64    // samples given
	ring []float32 // the last taps samples, twice over so that a window is one slice
	at   int       // where the next one goes

	k     *kernel // the rest follows from the rate and the counts
	ready uint64  // in at which the next output can be given
	row   []float32
}

func (r *resampler) reset(k *kernel) {
	r.k, r.in, r.out, r.at = k, 0, 0, 0
	if cap(r.ring) < 2*k.taps {
		r.ring = make([]float32, 2*k.taps)
	}
	r.ring = r.ring[:2*k.taps]
	r.plan()
}

// plan looks where the next output lies.
func (r *resampler) plan() {
	pos := float64(r.out) * r.k.ratio
	whole := uint64(pos)
	r.ready = whole + uint64(r.k.half) + 1
	phase := int((pos-float64(whole))*phases + 0.5)
	r.row = r.k.w[phase*r.k.taps : (phase+1)*r.k.taps]
}

// push takes one sample; pull then gives what it completes. The signal before
// the first sample is taken to have been the first sample.
func (r *resampler) push(v float32) {
	if r.in == 0 {
		for i := range r.ring {
			r.ring[i] = v
		}
	}
	r.ring[r.at], r.ring[r.at+r.k.taps] = v, v
	if r.at++; r.at == r.k.taps {
		r.at = 0
	}
	r.in++
}

// pull gives the next output, if it is complete: the newest sample is then
// the last one of its window.
func (r *resampler) pull() (float32, bool) {
	if r.in < r.ready {
		return 0, false
	}
	var sum float32
	row := r.row
	for i, v := range r.ring[r.at:][:len(row)] {
		sum += v * row[i]
	}
	r.out++
	r.plan()
	return sum, true
}
