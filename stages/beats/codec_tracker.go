package beats

import "heartwire/stages"

// A tracker that follows no lead is one bit; what no sample has reached yet
// is not written, so that equal states are equal bytes whatever their memory held.

func writeTracker(e *stages.Encoder, t *tracker) {
	e.Bool(t.lead >= 0)
	if t.lead < 0 {
		return
	}
	e.Uint(uint64(t.lead))
	e.Uint(t.base)
	e.Float32(t.y)
	r := &t.rs
	e.Uint(r.in)
	e.Uint(r.out)
	e.Uint(0) // earlier versions kept a ring, which began here
	if r.in > 0 {
		for _, v := range r.line[:r.k.taps] {
			e.Float32(v)
		}
	}
	writeDetector(e, &t.qrs)
}

func readTracker(d *stages.Decoder, k *kernel, leads int) tracker {
	t := newTracker()
	if !d.Bool() {
		return t
	}
	lead := d.Uint()
	if lead >= uint64(leads) {
		d.Fail("lead %d of %d", lead, leads)
		return t
	}
	t.lead, t.base, t.y = int(lead), d.Uint(), d.Float32()
	r := &t.rs
	r.reset(k)
	r.in, r.out = d.Uint(), d.Uint()
	at := d.Uint()
	if at >= uint64(k.taps) {
		d.Fail("place %d of %d", at, k.taps)
		return newTracker()
	}
	if r.in > 0 {
		for i := range k.taps {
			r.line[(i+k.taps-int(at))%k.taps] = d.Float32()
		}
	}
	if r.plan(); r.ready <= r.in {
		d.Fail("%d samples of which %d were made", r.in, r.out)
		return newTracker()
	}
	readDetector(d, &t.qrs)
	return t
}

func writeDetector(e *stages.Encoder, d *detector) {
	writeBand(e, &d.band)
	writePeak(e, d.top)
	e.Float32(d.before)
	e.Float32(d.block)
	e.Float32s(d.blocks)
	for _, r := range []*eight{&d.signal, &d.noise, &d.rr} {
		e.Uint(uint64(r.n))
		e.Uint(uint64(r.at))
		for _, v := range r.v {
			e.Float32(v)
		}
	}
	e.Float32(d.threshold)
	writePeak(e, d.last)
	e.Bool(d.hasLast)
	e.Uint(d.quiet)
	e.Uint(d.complete)
	writePeaks(e, d.open)
	writePeaks(e, nil) // version 2 kept beats here that nobody had taken
}

func readDetector(d *stages.Decoder, q *detector) {
	readBand(d, &q.band)
	q.n = q.band.n
	q.top, q.before, q.block = readPeak(d), d.Float32(), d.Float32()
	if q.blocks = d.Float32s(q.blocks); len(q.blocks) > learnBlocks {
		d.Fail("%d blocks of learning", len(q.blocks))
	}
	for _, r := range []*eight{&q.signal, &q.noise, &q.rr} {
		n, at := d.Uint(), d.Uint()
		if n > uint64(len(r.v)) || at >= uint64(len(r.v)) {
			d.Fail("%d of the last eight", n)
			return
		}
		r.n, r.at = int(n), int(at)
		for i := range r.v {
			r.v[i] = d.Float32()
		}
		r.derive()
	}
	q.threshold = d.Float32()
	q.last, q.hasLast, q.quiet, q.complete = readPeak(d), d.Bool(), d.Uint(), d.Uint()
	q.open = readPeaks(d)
	readPeaks(d)
}

func writePeaks(e *stages.Encoder, list []peak) {
	e.Uint(uint64(len(list)))
	for _, p := range list {
		writePeak(e, p)
	}
}

func readPeaks(d *stages.Decoder) (list []peak) {
	n := d.Len(10)
	if n > maxOpen {
		d.Fail("%d candidates", n)
		return nil
	}
	for range n {
		list = append(list, readPeak(d))
	}
	return list
}

func writePeak(e *stages.Encoder, p peak) {
	e.Uint(p.at)
	e.Uint(p.r)
	e.Float32(p.level)
	e.Float32(p.slope)
}

func readPeak(d *stages.Decoder) peak {
	return peak{at: d.Uint(), r: d.Uint(), level: d.Float32(), slope: d.Float32()}
}

// Of a band's signals only what may yet be looked at is written, the newest
// first: no filter reaches back over signalKept samples, no look for an R peak
// over waveKept, and none at the slopes around a peak over slopeKept.
const (
	signalKept = bandDelay
	waveKept   = dominance + peakSpan + energyDelay - bandDelay
	slopeKept  = dominance + stepSpan + energyDelay - bandDelay

	// ofVersion4 stands where versions 2 and 3 wrote the place in their first
	// mean's ring, which was less. They wrote all rings whole.
	ofVersion4 = 1 << 6
)

func writeBand(e *stages.Encoder, b *band) {
	e.Uint(b.n)
	if b.n == 0 {
		return
	}
	e.Uint(ofVersion4)
	for _, sum := range b.sums() {
		e.Float(*sum)
	}
	for _, k := range b.kept() {
		for i := range k.count {
			e.Float32(k.of[(k.end-1-i)%uint64(len(k.of))])
		}
	}
}

func readBand(d *stages.Decoder, b *band) {
	if b.n = d.Uint(); b.n == 0 {
		return
	}
	at := d.Uint()
	if at < ofVersion4 {
		readBand3(d, b, at)
		return
	}
	if at != ofVersion4 {
		d.Fail("a band of kind %d", at)
		return
	}
	for _, sum := range b.sums() {
		*sum = d.Float()
	}
	for _, k := range b.kept() {
		for i := range k.count {
			k.of[(k.end-1-i)%uint64(len(k.of))] = d.Float32()
		}
	}
	b.derive()
}

// kept is the end of a signal before a time.
type kept struct {
	of    []float32
	end   uint64
	count uint64
}

func (b *band) kept() [7]kept {
	return [7]kept{
		{b.raw[:], b.n, signalKept}, {b.smoothed[:], b.n, signalKept}, {b.lowed[:], b.n, alignLen},
		{b.passed[:], b.n, slopeLag}, {b.rises[:], b.n, energyLen},
		{b.wave[:], b.n - bandDelay, waveKept}, {b.sharp[:], b.n - bandDelay, waveKept},
	}
}

func (b *band) sums() [4]*float64 { return [4]*float64{&b.smooth, &b.low, &b.high, &b.energy} }

// derive makes the slope of the low-passed signal, as push does.
func (b *band) derive() {
	for i := range uint64(slopeKept) {
		at := b.n - 1 - i - bandDelay
		b.slope[(at-slopeLag/2)%historyLen] = b.lowed[(at+lowDelay)%shapeRing] - b.lowed[(at+lowDelay-slopeLag)%shapeRing]
	}
}

// readBand3 goes on to read what versions 2 and 3 wrote.
func readBand3(d *stages.Decoder, b *band, at uint64) {
	for i, m := range []struct {
		len uint64
		of  []float32
	}{{smoothLen, b.raw[:]}, {lowLen, b.smoothed[:]}, {highLen, b.lowed[:]}, {energyLen, b.rises[:]}} {
		if i > 0 {
			at = d.Uint()
		}
		if at != b.n%m.len {
			d.Fail("place %d of %d", at, m.len)
			return
		}
		*b.sums()[i] = d.Float()
		for k := range m.len { // by time
			m.of[(b.n-1-(b.n-1+m.len-k)%m.len)%uint64(len(m.of))] = d.Float32()
		}
	}
	var lowed [alignLen]float32
	for _, r := range [7][]float32{b.raw[:], b.smoothed[:], lowed[:], b.passed[:], b.wave[:], b.sharp[:], b.slope[:]} {
		for i := range r {
			r[i] = d.Float32()
		}
	}
	for i := range uint64(alignLen) {
		b.lowed[(b.n+i-alignLen)%shapeRing] = lowed[(b.n+i)%alignLen]
	}
}
