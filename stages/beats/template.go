package beats

import "math"

// The shape of a beat in samples of internalRate around the peak of its
// energy: its QRS complex at the full rate, its P and T waves more coarsely.
const (
	qrsHalf = 24 // 133 ms to each side: a wide complex has room
	qrsLen  = 2*qrsHalf + 1
	pFrom   = -58 // 322 ms
	pStep   = 2
	pLen    = 18 // to 133 ms before the peak
	tFrom   = 27 // 150 ms
	tStep   = 4
	tLen    = 11 // to 372 ms after the peak

	shapeLen = qrsLen + pLen + tLen
	maxLag   = 6 // 33 ms: how far the peaks of energy of two alike complexes may lie apart
	shapeEnd = tFrom + (tLen-1)*tStep

	maxTemplates = 6
	weightKept   = 1 - 1./512 // of a template's weight with each beat: what has not been seen for some minutes goes
	learnedBeats = 8          // in a template before it is compared with
	slowest      = 1. / 16    // share of a new beat in a template that has seen many
	joinAt       = 0.90       // correlation from which a beat belongs to a template,
	joinResidual = 0.35       // if no more of its energy is left when the template is taken away
	plainAt      = 0.97       // correlation from which no other template is looked at
	limitUV      = 32000      // a shape's bound
)

// shape is a beat in whole µV: QRS complex, P wave and T wave, each less its own mean.
type shape [shapeLen]float32

// template is the mean of beats that look alike.
type template struct {
	v      shape
	n      uint32  // beats in it
	weight float32 // beats in it, fading
	early  float32 // mean of their RR as a share of the usual one
	later  float32 // mean of the RR after them, likewise
	odds   float32 // mean log odds that the classifier gave them for class V

	form form // of v
}

// form is what a QRS complex measures.
type form struct {
	energy    float32 // sum of squares, µV²
	high, low float32 // µV above and below its mean
	steep     float32 // µV a sample
	area      float32 // mean of the absolute, µV
	width     float32 // samples in which the middle 80 % of its slopes lie
	pEnergy   float32
	tEnergy   float32
}

// form measures a shape in whole numbers, which it is in.
func (s *shape) form() form {
	var f form
	var sums [qrsLen]int32 // of the slopes up to each sample
	var high, low, steep, area, sum int32
	last := int32(s[0])
	for i, v := range s[:qrsLen] {
		f.energy += v * v
		n := int32(v)
		high, low = max(high, n), min(low, n)
		area += distance(n, 0)
		d := distance(n, last)
		last, steep, sum = n, max(steep, d), sum+d
		sums[i] = sum
	}
	f.high, f.low, f.steep, f.area = float32(high), float32(-low), float32(steep), float32(area)/qrsLen
	total := float32(sum)
	from, to := int32(math.Ceil(float64(0.1*total))), int32(math.Ceil(float64(0.9*total)))
	var begin, end uint32
	for _, v := range sums[1:] {
		begin += uint32(v-from) >> 31
		end += uint32(v-to) >> 31
	}
	f.width = float32(max(end, 1) - max(begin, 1) + 1)
	for _, v := range s[qrsLen : qrsLen+pLen] {
		f.pEnergy += v * v
	}
	for _, v := range s[qrsLen+pLen:] {
		f.tEnergy += v * v
	}
	return f
}

// distance does not branch.
func distance(a, b int32) int32 {
	d := a - b
	return d ^ d>>31 - d>>31
}

// templates are the patient's own beats in one lead.
type templates struct {
	list     []template // in the order in which they came
	dominant int        // the one with most weight
}

// match is how a beat looks beside a template.
type match struct {
	cor, res float32 // correlation, -1 to 1; share of energy left when the template is taken away, 0 to about 4
	lag      int     // samples by which the beat lies later
	size     float32 // height over the template's

	energy, dot float32 // of the beat, and its product with the template
}

// window is the signal around a peak, with what correlating at each lag needs.
type window struct {
	v           [qrsLen + 2*maxLag]float32 // µV
	sum, square [qrsLen + 2*maxLag + 1]float64
}

func (w *window) fill(b *band, at uint64) {
	var sum, square float64
	for i := range w.v {
		x := b.low1(at + uint64(i) - qrsHalf - maxLag)
		w.v[i] = x
		w.sum[i], w.square[i] = sum, square
		sum += float64(x)
		square += float64(x) * float64(x)
	}
	w.sum[len(w.v)], w.square[len(w.v)] = sum, square
}

// energy is the sum of squares about the mean at a lag.
func (w *window) energy(lag int) float32 {
	i := lag + maxLag
	s, q := w.sum[i+qrsLen]-w.sum[i], w.square[i+qrsLen]-w.square[i]
	return float32(q - s*s/qrsLen)
}

func (w *window) dot(t *template, lag int) float32 {
	x := w.v[lag+maxLag:][:qrsLen]
	var a, b float32
	for i := 0; i+1 < qrsLen; i += 2 {
		a += x[i] * t.v[i]
		b += x[i+1] * t.v[i+1]
	}
	return a + b + x[qrsLen-1]*t.v[qrsLen-1]
}

// dots is dot at two lags: a sum waits for each of its products.
func (w *window) dots(t *template, lag, other int) (float32, float32) {
	x, y := w.v[lag+maxLag:][:qrsLen], w.v[other+maxLag:][:qrsLen]
	var a, b, c, d float32
	for i := 0; i+1 < qrsLen; i += 2 {
		v, u := t.v[i], t.v[i+1]
		a += x[i] * v
		b += x[i+1] * u
		c += y[i] * v
		d += y[i+1] * u
	}
	v := t.v[qrsLen-1]
	return a + b + x[qrsLen-1]*v, c + d + y[qrsLen-1]*v
}

// against finds the lag at which the window looks most like a template.
func (w *window) against(t *template) match {
	best := match{cor: -1}
	for lag := -maxLag; lag < maxLag; lag += 6 {
		w.both(t, lag, lag+3, &best)
	}
	w.better(t, maxLag, w.dot(t, maxLag), &best)
	for step, centre := 1, best.lag; step <= 2; step++ {
		switch low, high := centre-step, centre+step; {
		case low < -maxLag:
			w.better(t, high, w.dot(t, high), &best)
		case high > maxLag:
			w.better(t, low, w.dot(t, low), &best)
		default:
			w.both(t, low, high, &best)
		}
	}
	if best.cor > -1 {
		e := t.form.energy
		best.res, best.size = (best.energy+e-2*best.dot)/max(best.energy, e), float32(math.Sqrt(float64(best.energy/e)))
	}
	return best
}

func (w *window) both(t *template, lag, other int, best *match) {
	a, b := w.dots(t, lag, other)
	w.better(t, lag, a, best)
	w.better(t, other, b, best)
}

// better takes a lag, at which the product with the template is dot, if that is the best so far.
func (w *window) better(t *template, lag int, dot float32, best *match) {
	ex := w.energy(lag)
	if ex <= 0 || t.form.energy <= 0 {
		return
	}
	if c := dot / float32(math.Sqrt(float64(ex)*float64(t.form.energy))); c > best.cor {
		best.cor, best.lag, best.energy, best.dot = c, lag, ex, dot
	}
}

// shape takes a beat out of the signal.
func (b *band) shape(at uint64, s *shape) {
	for i := range qrsLen {
		s[i] = b.low1(at + uint64(i) - qrsHalf)
	}
	for i := range pLen {
		s[qrsLen+i] = b.low1(at + uint64(pFrom+i*pStep)) // wraps around in the first samples, harmlessly
	}
	for i := range tLen {
		s[qrsLen+pLen+i] = b.low1(at + uint64(tFrom+i*tStep))
	}
	level(s[:qrsLen])
	level(s[qrsLen : qrsLen+pLen])
	level(s[qrsLen+pLen:])
}

// level takes the mean away and rounds to whole µV, so that a shape is written down exactly.
func level(v []float32) {
	var sum float32
	for _, x := range v {
		sum += x
	}
	mean := sum / float32(len(v))
	for i, x := range v {
		v[i] = whole(x - mean)
	}
}

func whole(v float32) float32 {
	if !(v > -limitUV) {
		return -limitUV
	}
	if v > limitUV {
		return limitUV
	}
	const shift = 3 << 22 // beyond it a float32 has no bits for fractions: it is rounded to even
	return (v + shift) - shift
}

// add puts a beat into the template that it belongs to; -1: it begins a new one.
func (t *templates) add(s *shape, to int) int {
	for i := range t.list {
		t.list[i].weight *= weightKept
	}
	if to < 0 {
		if len(t.list) == maxTemplates {
			to = 0
			for i := range t.list {
				if t.list[i].weight < t.list[to].weight {
					to = i
				}
			}
		} else {
			to = len(t.list)
			t.list = append(t.list, template{})
		}
		t.list[to] = template{v: *s, n: 1, weight: 1, early: 1, later: 1}
	} else {
		m := &t.list[to]
		m.n++
		m.weight++
		share := max(1/float32(m.n), slowest)
		for i, v := range s {
			m.v[i] = whole(m.v[i] + share*(v-m.v[i]))
		}
	}
	t.list[to].form = t.list[to].v.form()
	t.choose()
	return to
}

// choose finds the dominant template.
func (t *templates) choose() {
	t.dominant = 0
	for i := range t.list {
		if t.list[i].weight > t.list[t.dominant].weight {
			t.dominant = i
		}
	}
}

// learned reports that there is a template to compare with.
func (t *templates) learned() bool {
	return len(t.list) > 0 && t.list[t.dominant].n >= learnedBeats
}
