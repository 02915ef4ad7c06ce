//go:build real

package clinical

import (
	"math"
	"path/filepath"
	"slices"

	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// foldWithMotion adds the electrode motion of the MIT-BIH Noise Stress Test
// Database, the noise that looks most like beats, so many dB
// below the signal, as nst of the WFDB applications does: from 5:00 on two minutes with it, two without.
func (p *pass) foldWithMotion(db float64) {
	noise, _, err := column(filepath.Join(filepath.Dir(filepath.Dir(p.path)), "nstdb", "em"))
	if err != nil {
		p.err = err
		return
	}
	signal, r, err := column(p.path)
	if err != nil {
		p.err = err
		return
	}
	gain := math.Sqrt(signalPower(signal, p.ref, r.Rate)/noisePower(noise, r.Rate)) / math.Pow(10, db/20)
	p.foldFrames(func(f *topics.Frame) {
		disturb(f.GetSamples(), noise, gain*1000/f.GetSamples().GetLeads()[0].GetMicrovoltsPerCount())
	}, 0)
}

// column is a record's first signal in mV.
func column(path string) ([]float64, *wfdb.Record, error) {
	r, err := wfdb.Open(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := r.Samples()
	if err != nil {
		return nil, nil, err
	}
	v := make([]float64, len(s[0]))
	for i, c := range s[0] {
		v[i] = float64(int(c)-r.Signals[0].Baseline) * r.Signals[0].MicrovoltsPerCount() / 1000
	}
	return v, r, nil
}

// signalPower is what nst takes for it: an eighth of the square of the height
// of the first 300 normal QRS complexes, within 50 ms of each.
func signalPower(signal []float64, ref []wfdb.Annotation, rate float64) float64 {
	var heights []float64
	around := int(rate * 0.05)
	for _, a := range ref {
		class, ok := a.Code.Class()
		if n := int(a.Sample); ok && class == topics.BeatClass_BEAT_CLASS_N && n >= around && n+around < len(signal) && len(heights) < 300 {
			w := signal[n-around : n+around+1]
			heights = append(heights, slices.Max(w)-slices.Min(w))
		}
	}
	h := trimmed(heights)
	return h * h / 8
}

// noisePower is the mean square about the mean of each second, over the first 300.
func noisePower(noise []float64, rate float64) float64 {
	var roots []float64
	for n := int(rate); len(noise) >= n && len(roots) < 300; noise = noise[n:] {
		var sum, square float64
		for _, v := range noise[:n] {
			sum += v
			square += v * v
		}
		mean := sum / float64(n)
		roots = append(roots, math.Sqrt(square/float64(n)-mean*mean))
	}
	r := trimmed(roots)
	return r * r
}

// trimmed is the mean without the lowest and the highest twentieth.
func trimmed(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	cut := len(v) / 20
	v = v[cut : len(v)-cut]
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// disturb adds noise, in counts, to the frames that lie in a noisy part.
func disturb(s *topics.Samples, noise []float64, scale float64) {
	deltas := s.GetLeads()[0].Deltas
	var now float64
	last, count := int32(0), int32(0)
	for i, d := range deltas {
		count += d
		n := int(s.GetFirst()) + i
		now = 0
		if at := float64(n)/s.GetRate() - 300; at >= 0 && int(at/120)%2 == 0 {
			now = noise[n%len(noise)] * scale
		}
		v := count + int32(math.Round(now))
		deltas[i] = v - last
		last = v
	}
}
