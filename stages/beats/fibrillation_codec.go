package beats

import (
	"math"

	"heartwire/stages"
	"heartwire/topics"
)

// writeEpisodes writes what an analysis knows of fibrillation, behind the rest
// of the state: states of version 2 have nothing there.
func writeEpisodes(e *stages.Encoder, a *analysis) {
	e.Bool(a != nil)
	if a == nil {
		return
	}
	p := &a.episode
	e.Uint(uint64(p.n))
	for _, l := range p.recent[:p.n] {
		e.Uint(l.at)
		e.Float32(l.wave)
		e.Float32(l.rate)
		e.Float32(l.steady)
		e.Float32(l.height)
	}
	e.Uint(p.from)
	e.Bool(p.on)
	e.Uint(uint64(p.kind))
	e.Uint(uint64(p.other))
	writeWaveform(e, &a.chosen)
	writeWaveform(e, &a.spare)
}

// readEpisodes adds it to an analysis that has been read.
func readEpisodes(d *stages.Decoder, a *analysis) {
	if !d.Bool() {
		return
	}
	if a == nil {
		d.Fail("fibrillation of nothing")
		return
	}
	p := &a.episode
	n := d.Uint()
	if n > looksMean {
		d.Fail("%d looks", n)
		return
	}
	p.n = int(n)
	for i := range p.recent[:p.n] {
		p.recent[i] = look{d.Uint(), d.Float32(), d.Float32(), d.Float32(), d.Float32()}
	}
	p.from, p.on = d.Uint(), d.Bool()
	kind, other := d.Uint(), d.Uint()
	if kind > math.MaxInt8 || topics.VentricularRhythm_name[int32(kind)] == "" || other >= otherFor {
		d.Fail("a rhythm of kind %d", kind)
		return
	}
	p.kind, p.other = topics.VentricularRhythm(kind), int(other)
	readWaveform(d, &a.chosen)
	readWaveform(d, &a.spare)
}

func writeWaveform(e *stages.Encoder, t *tracker) {
	w := &t.wave
	if t.lead < 0 {
		return
	}
	e.Uint(w.n)
	if w.n == 0 {
		return
	}
	for _, v := range w.line {
		e.Float32(v)
	}
	for _, v := range w.drift {
		e.Float32(v)
	}
	for _, v := range w.ring {
		e.Int(int64(v))
	}
}

func readWaveform(d *stages.Decoder, t *tracker) {
	w := &t.wave
	if t.lead < 0 {
		return
	}
	if w.n = d.Uint(); w.n == 0 {
		return
	}
	for i := range w.line {
		w.line[i] = d.Float32()
	}
	for i := range w.drift {
		w.drift[i] = d.Float32()
	}
	for i := range w.ring {
		v := d.Int()
		if v != int64(int16(v)) {
			d.Fail("a wave of %d", v)
			return
		}
		w.ring[i] = int16(v)
	}
}
