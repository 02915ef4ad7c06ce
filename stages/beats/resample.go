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
	every uint64  // the same, where it is whole; else 0
	taps  int
	half  int       // samples to each side of an output's position
	w     []float32 // phases+1 rows of taps
}

func newKernel(rate float64) *kernel {
	width := lobes * math.Max(rate/internalRate, 1) // of a side, in input samples
	k := &kernel{rate: rate, ratio: rate / internalRate, half: int(math.Ceil(width))}
	k.taps = 2*k.half + 1
	if k.ratio == math.Trunc(k.ratio) {
		k.every = uint64(k.ratio)
	}
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

// chunk is how many samples are taken at a time at most. All that a lead's
// samples go through takes them in runs: what is kept for each sample stays in registers.
const chunk = 128

// resampler turns samples of any rate into samples of internalRate. Output k
// lies exactly at k/internalRate after the first input.
type resampler struct {
	in   uint64    // samples taken
	out  uint64    // samples given
	line []float32 // the last taps samples, oldest first, and room for a chunk

	k     *kernel // the rest follows from the rate and the counts
	ready uint64  // in at which the next output can be given
	row   []float32
	given []float32 // used within take
}

func (r *resampler) reset(k *kernel) {
	r.k, r.in, r.out = k, 0, 0
	if cap(r.line) < k.taps+chunk {
		r.line = make([]float32, k.taps+chunk)
	}
	r.line = r.line[:k.taps+chunk]
	r.plan()
}

// plan looks where the next output lies.
func (r *resampler) plan() {
	pos := float64(r.out) * r.k.ratio
	whole := int64(pos)
	r.ready = uint64(whole + int64(r.k.half) + 1)
	phase := int((pos-float64(whole))*phases + 0.5)
	r.row = r.k.w[phase*r.k.taps : (phase+1)*r.k.taps]
}

// next goes on to the next output.
func (r *resampler) next() {
	if r.out++; r.k.every > 0 {
		r.ready += r.k.every // what plan would find
		return
	}
	r.plan()
}

// take takes up to chunk samples and gives the outputs that they complete,
// until the next call: the last sample of an output's window is then there. The signal before
// the first sample is taken to have been the first sample.
func (r *resampler) take(in []float32) []float32 {
	r.given = r.given[:0]
	if len(in) == 0 {
		return r.given
	}
	taps := r.k.taps
	if r.in == 0 {
		for i := range r.line[:taps] {
			r.line[i] = in[0]
		}
	}
	n := copy(r.line[taps:], in)
	end := r.in + uint64(n)
	if r.k.every > 0 {
		r.fours(end)
	}
	for r.ready <= end {
		// Two at a time: a sum waits for each of its products.
		v, row := r.line[r.ready-r.in:][:taps], r.row
		if r.next(); r.ready > end {
			r.given = append(r.given, dot(v, row))
			break
		}
		a, b := dots(v, row, r.line[r.ready-r.in:][:taps], r.row)
		r.given = append(r.given, a, b)
		r.next()
	}
	copy(r.line, r.line[n:n+taps])
	r.in = end
	return r.given
}

// fours gives the outputs up to an end four at a time, where the ratio is whole:
// each has the same row, and lies as far behind the one before.
func (r *resampler) fours(end uint64) {
	every, w := r.k.every, r.row
	for r.ready+3*every <= end {
		v := r.line[r.ready-r.in:]
		v0, v1, v2, v3 := v[:len(w)], v[every:][:len(w)], v[2*every:][:len(w)], v[3*every:][:len(w)]
		var a, b, c, d float32
		for i, x := range w {
			a += v0[i] * x
			b += v1[i] * x
			c += v2[i] * x
			d += v3[i] * x
		}
		r.given = append(r.given, a, b, c, d)
		r.out += 4
		r.ready += 4 * every
	}
}

func dot(v, w []float32) (sum float32) {
	w = w[:len(v)]
	for i, x := range v {
		sum += x * w[i]
	}
	return sum
}

// dots is dot of two.
func dots(v, w, v2, w2 []float32) (sum, sum2 float32) {
	w, v2, w2 = w[:len(v)], v2[:len(v)], w2[:len(v)]
	for i, x := range v {
		sum += x * w[i]
		sum2 += v2[i] * w2[i]
	}
	return sum, sum2
}
