package beats

import "heartwire/stages"

// What tells beats from noise, and follows a lead's amplitude, is written
// behind all else: version 3 had none of it.

func writeSignals(e *stages.Encoder, a *analysis) {
	e.Bool(a != nil)
	if a == nil {
		return
	}
	e.Bool(a.doubted)
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		e.Bool(t.drowned)
		e.Float32(t.qrs.last.width)
		for _, p := range t.qrs.open {
			e.Float32(p.width)
		}
		writeSignal(e, &t.read)
	}
}

func writeSignal(e *stages.Encoder, t *reader) {
	for i := range t.list {
		c := &t.list[i]
		e.Float32(c.width)
		e.Float32(c.step)
		if !c.seen {
			e.Int(int64(c.template))
			for _, v := range c.x[:lookShare] {
				e.Float32(v)
			}
			e.Float32(c.x[lookLag])
		}
	}
	e.Float32(t.last.fit)
	e.Float32(t.last.width)
	e.Float32(t.poor)
	e.Float32(t.steps)
	e.Float32(t.beside)
	e.Bool(t.size.has)
	e.Uint(t.size.at)
	e.Float32(t.size.size)
}

func readSignals(d *stages.Decoder, a *analysis) {
	if !d.Bool() {
		return
	}
	if a == nil {
		d.Fail("a signal without an analysis")
		return
	}
	a.doubted = d.Bool()
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		t.drowned = d.Bool()
		t.qrs.last.width = d.Float32()
		for i := range t.qrs.open {
			t.qrs.open[i].width = d.Float32()
		}
		readSignal(d, &t.read)
	}
}

func readSignal(d *stages.Decoder, t *reader) {
	for i := range t.list {
		c := &t.list[i]
		c.fitted = true
		c.width, c.step = d.Float32(), d.Float32()
		if c.seen {
			continue
		}
		c.template = int(d.Int())
		for k := range c.x[:lookShare] {
			c.x[k] = d.Float32()
		}
		c.x[lookLag] = d.Float32()
		if c.template < -1 || c.template >= len(t.own.list) || !(c.x[lookLag] >= -maxLag && c.x[lookLag] <= maxLag) {
			d.Fail("a candidate of template %d", c.template)
			return
		}
	}
	t.last.fit, t.last.width = d.Float32(), d.Float32()
	t.poor, t.steps, t.beside = d.Float32(), d.Float32(), d.Float32()
	t.size = resized{d.Bool(), d.Uint(), d.Float32()}
}
