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

func writeBand(e *stages.Encoder, b *band) {
	e.Uint(b.n)
	if b.n == 0 {
		return
	}
	for _, m := range b.means() {
		e.Uint(b.n % m.len) // earlier versions kept a ring a mean, by time
		e.Float(*m.sum)
		for i := range m.len {
			e.Float32(m.of[m.at(b.n, i)])
		}
	}
	lowed := b.newest()
	for _, r := range b.rings(&lowed) {
		for _, v := range r {
			e.Float32(v)
		}
	}
}

// mean is one of a band's moving averages, over the last len values of a signal.
type mean struct {
	sum *float64
	len uint64
	of  []float32
}

func (b *band) means() [4]mean {
	return [4]mean{{&b.smooth, smoothLen, b.raw[:]}, {&b.low, lowLen, b.smoothed[:]}, {&b.high, highLen, b.lowed[:]}, {&b.energy, energyLen, b.rises[:]}}
}

// at is where the newest value is of those whose time has the remainder i, when n have been taken.
func (m *mean) at(n, i uint64) uint64 {
	return (n - 1 - (n-1+m.len-i)%m.len) % uint64(len(m.of))
}

// newest are the last alignLen of the low-passed signal by their sample.
func (b *band) newest() (v [alignLen]float32) {
	for i := range uint64(alignLen) {
		v[(b.n+i)%alignLen] = b.lowed[(b.n+i-alignLen)%shapeRing]
	}
	return v
}

func readBand(d *stages.Decoder, b *band) {
	if b.n = d.Uint(); b.n == 0 {
		return
	}
	for _, m := range b.means() {
		if at := d.Uint(); at != b.n%m.len {
			d.Fail("place %d of %d", at, m.len)
			return
		}
		*m.sum = d.Float()
		for i := range m.len {
			m.of[m.at(b.n, i)] = d.Float32()
		}
	}
	var lowed [alignLen]float32
	for _, r := range b.rings(&lowed) {
		for i := range r {
			r[i] = d.Float32()
		}
	}
	for i := range uint64(alignLen) {
		b.lowed[(b.n+i-alignLen)%shapeRing] = lowed[(b.n+i)%alignLen]
	}
}

func (b *band) rings(lowed *[alignLen]float32) [7][]float32 {
	return [7][]float32{b.raw[:], b.smoothed[:], lowed[:], b.passed[:], b.wave[:], b.sharp[:], b.slope[:]}
}
