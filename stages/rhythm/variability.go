package rhythm

import (
	"encoding/binary"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/interp"

	"heartwire/stages"
	"heartwire/topics"
)

// Heart-rate variability of five minutes, as the Task Force of ESC and NASPE
// defines it (Eur. Heart J. 1996;17:354). The spectrum is Welch's, of the intervals
// resampled at 4 Hz by a natural cubic spline, in Hann windows of 128 s that overlap by half.
// An interval from or to a beat that is not of class N is none: the spline spans it.
const (
	hrvS       = 300.0 // s
	hrvNN      = 0.8   // of all intervals must be between normal beats: own choice, the Task Force only says "few"
	hrvLeast   = 100   // of them: 20 /min
	hrvMost    = 1600  // intervals kept: 320 /min
	hrvUnit    = 0.25  // ms, of what is kept
	hrvHz      = 4.0
	hrvSegment = 512 // samples
	lfFrom     = 0.04
	hfFrom     = 0.15
	hfTo       = 0.4
)

// variability gathers five minutes of intervals that nothing interrupts.
type variability struct {
	kept   []byte // two bytes an interval, little-endian: in hrvUnit times 2, plus 1 where both beats are normal
	fromUs int64  // 0: not begun
	normal bool   // the beat before is
}

func (r *variability) beat(v voice, b beat) {
	was := r.normal
	r.normal = b.class == topics.BeatClass_BEAT_CLASS_N
	if b.ms == 0 || r.fromUs == 0 {
		r.kept, r.fromUs = r.kept[:0], max(b.us, 1)
		return
	}
	word := min(uint16(min(b.ms, 8000)/hrvUnit+0.5)<<1, math.MaxUint16-1)
	if was && r.normal {
		word |= 1
	}
	if len(r.kept) < 2*hrvMost {
		r.kept = binary.LittleEndian.AppendUint16(r.kept, word)
	}
	if b.us-r.fromUs < int64(hrvS*1e6) {
		return
	}
	if c := r.measure(); c != nil {
		v.emit(&topics.Chart{Patient: v.patient, TimeUs: v.now, Kind: &topics.Chart_Variability{Variability: c}})
	}
	r.kept, r.fromUs = r.kept[:0], b.us
}

func (r *variability) pass(voice, uint64) {}

func (r *variability) stop(voice, bool) { *r = variability{kept: r.kept[:0]} }

// measure is nil where too few intervals are normal.
func (r *variability) measure() *topics.Variability {
	var at, nn []float64 // s, ms: where a normal interval ends, and how long it is
	t, squares, over, pairs, before := 0.0, 0.0, 0, 0, 0.0
	for k := 0; k+1 < len(r.kept); k += 2 {
		word := binary.LittleEndian.Uint16(r.kept[k:])
		ms := float64(word>>1) * hrvUnit
		t += ms / 1000
		if word&1 == 0 {
			before = 0
			continue
		}
		if before > 0 {
			pairs++
			squares += (ms - before) * (ms - before)
			if math.Abs(ms-before) > 50 {
				over++
			}
		}
		at, nn, before = append(at, t), append(nn, ms), ms
	}
	if len(nn) < hrvLeast || float64(len(nn)) < hrvNN*float64(len(r.kept)/2) || pairs == 0 {
		return nil
	}
	m, spread := mean(nn), 0.0
	for _, ms := range nn {
		spread += (ms - m) * (ms - m)
	}
	out := &topics.Variability{
		FromUs: r.fromUs, Intervals: uint32(len(nn)), MeanMs: m,
		SdnnMs: math.Sqrt(spread / float64(len(nn)-1)), RmssdMs: math.Sqrt(squares / float64(pairs)), Pnn50: float64(over) / float64(pairs),
	}
	out.LfMs2, out.HfMs2 = bands(at, nn)
	if out.HfMs2 > 0 {
		out.LfHf = out.LfMs2 / out.HfMs2
	}
	return out
}

// bands are the powers of LF and HF in ms² of intervals nn, in ms, at times at, in s.
func bands(at, nn []float64) (lf, hf float64) {
	var spline interp.NaturalCubic
	if spline.Fit(at, nn) != nil { // times that do not rise: an interval of nothing
		return 0, 0
	}
	first, last := at[0], at[len(at)-1]
	fft := fourier.NewFFT(hrvSegment)
	segment, power := make([]float64, hrvSegment), 0.0
	window := make([]float64, hrvSegment)
	for i := range window {
		window[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/hrvSegment)
		power += window[i] * window[i]
	}
	n := 0.0
	for begin := first; begin+(hrvSegment-1)/hrvHz <= last; begin += hrvSegment / 2 / hrvHz {
		n++
		for i := range segment {
			segment[i] = spline.Predict(begin + float64(i)/hrvHz)
		}
		m := mean(segment)
		for i := range segment {
			segment[i] = (segment[i] - m) * window[i]
		}
		for i, c := range fft.Coefficients(nil, segment) {
			// Both halves of the spectrum; density times the width of a line.
			p := 2 * (real(c)*real(c) + imag(c)*imag(c)) / power / hrvSegment
			switch hz := float64(i) * hrvHz / hrvSegment; {
			case hz >= lfFrom && hz < hfFrom:
				lf += p
			case hz >= hfFrom && hz < hfTo:
				hf += p
			}
		}
	}
	if n == 0 {
		return 0, 0
	}
	return lf / n, hf / n
}

func (r *variability) append(e *stages.Encoder) {
	e.Bytes(r.kept)
	e.Int(r.fromUs)
	e.Bool(r.normal)
}

func (r *variability) decode(d *stages.Decoder) {
	if *r = (variability{kept: d.Bytes(), fromUs: d.Int(), normal: d.Bool()}); len(r.kept) > 2*hrvMost || len(r.kept)%2 != 0 {
		d.Fail("intervals of %d bytes", len(r.kept))
	}
}
