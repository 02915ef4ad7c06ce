package beats

import "heartwire/stages"

// What reads the trackers' peaks is written behind all else: version 2 had none of it.

func writeReaders(e *stages.Encoder, a *analysis) {
	e.Bool(a != nil)
	if a == nil {
		return
	}
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		if t.qrs.band.n > 0 {
			for _, v := range t.qrs.band.lowed {
				e.Float32(v)
			}
		}
		writeReader(e, &t.read)
	}
}

func readReaders(d *stages.Decoder, a *analysis) {
	if !d.Bool() {
		return
	}
	if a == nil {
		d.Fail("a reader without an analysis")
		return
	}
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		if t.qrs.band.n > 0 {
			for i := range t.qrs.band.lowed {
				t.qrs.band.lowed[i] = d.Float32()
			}
			t.qrs.band.derive()
		}
		readReader(d, &t.read)
	}
}

// forgotten is how a candidate is written that was refused: of its looks, others are asked only how well it fitted.
const forgotten = accepted + 1

func writeReader(e *stages.Encoder, t *reader) {
	e.Uint(uint64(len(t.list)))
	for i := range t.list {
		c := &t.list[i]
		writePeak(e, c.peak)
		e.Bool(c.rule)
		e.Bool(c.seen)
		e.Bool(c.measured)
		if c.seen && c.verdict == refused {
			e.Uint(uint64(forgotten))
			e.Float32(c.chance)
			e.Int(int64(c.template))
			e.Float32(c.x[lookCorBest])
			continue
		}
		e.Uint(uint64(c.verdict))
		if c.seen {
			e.Float32(c.chance)
			e.Int(int64(c.template))
			for _, v := range c.x {
				e.Float32(v)
			}
		}
	}
	e.Uint(uint64(len(t.own.list)))
	for i := range t.own.list {
		writeTemplate(e, &t.own.list[i])
	}
	e.Uint(uint64(t.rr.n))
	e.Uint(uint64(t.rr.at))
	e.Float32(t.rr.slow)
	for _, v := range t.rr.v[:t.rr.n] { // whole samples
		e.Uint(uint64(v))
	}
	writePast(e, t.last)
	e.Float32(t.fit)
	e.Float32(t.noise)
	e.Uint(uint64(len(t.ready)))
	for _, b := range t.ready {
		e.Uint(b.r)
		e.Uint(b.ready)
		e.Float32(b.v)
		e.Float32(b.s)
	}
}

func readReader(d *stages.Decoder, t *reader) {
	n := d.Len(10)
	if n > maxOpen {
		d.Fail("%d candidates", n)
		return
	}
	for range n {
		c := candidate{peak: readPeak(d), rule: d.Bool(), seen: d.Bool(), measured: d.Bool(), verdict: verdict(d.Uint()), template: -1}
		if c.seen {
			c.chance, c.template = d.Float32(), int(d.Int())
			for i := 0; i < len(c.x) && c.verdict != forgotten; i++ {
				c.x[i] = d.Float32()
			}
		}
		if c.verdict == forgotten && c.seen {
			c.verdict, c.x[lookCorBest] = refused, d.Float32()
		}
		if c.verdict > accepted || c.template < -1 || c.template >= maxTemplates || !(c.x[lookLag] >= -maxLag && c.x[lookLag] <= maxLag) {
			d.Fail("a candidate of verdict %d and template %d", c.verdict, c.template)
			return
		}
		t.list = append(t.list, c)
	}
	if n = d.Len(shapeLen); n > maxTemplates {
		d.Fail("%d templates", n)
		return
	}
	for range n {
		t.own.list = append(t.own.list, readTemplate(d))
	}
	t.own.choose()
	for i := range t.list {
		if t.list[i].template >= n {
			d.Fail("template %d of %d", t.list[i].template, n)
			return
		}
	}
	rrs, at := d.Uint(), d.Uint()
	if t.rr.slow = d.Float32(); rrs > keptRRs || at >= keptRRs {
		d.Fail("%d intervals", rrs)
		return
	}
	t.rr.n, t.rr.at = int(rrs), int(at)
	for i := range t.rr.n {
		t.rr.v[i] = float32(d.Uint())
	}
	t.rr.derive()
	t.last = readPast(d)
	t.fit, t.noise = d.Float32(), d.Float32()
	if n = d.Len(10); n > maxReady {
		d.Fail("%d beats to be said", n)
		return
	}
	for range n {
		t.ready = append(t.ready, beat{d.Uint(), d.Uint(), odds{d.Float32(), d.Float32()}})
	}
}

func writeTemplate(e *stages.Encoder, m *template) {
	for _, v := range m.v { // whole µV
		e.Int(int64(v))
	}
	e.Uint(uint64(m.n))
	e.Float32(m.weight)
	e.Float32(m.early)
	e.Float32(m.later)
	e.Float32(m.odds)
}

func readTemplate(d *stages.Decoder) template {
	var m template
	for i := range m.v {
		v := d.Int()
		if v > limitUV || v < -limitUV {
			d.Fail("a template of %d µV", v)
			return m
		}
		m.v[i] = float32(v)
	}
	m.n = uint32(d.Uint())
	m.weight, m.early, m.later, m.odds = d.Float32(), d.Float32(), d.Float32(), d.Float32()
	m.form = m.v.form()
	return m
}

func writePast(e *stages.Encoder, p past) {
	e.Bool(p.has)
	if !p.has {
		return
	}
	e.Uint(p.at)
	e.Uint(p.r)
	e.Float32(p.level)
	e.Float32(p.slope)
	e.Float32(p.chance)
	e.Float32(p.res)
	e.Int(int64(p.template))
}

func readPast(d *stages.Decoder) past {
	if !d.Bool() {
		return past{}
	}
	return past{has: true, at: d.Uint(), r: d.Uint(), level: d.Float32(), slope: d.Float32(), chance: d.Float32(), res: d.Float32(), template: int(d.Int())}
}

// writeMarks writes the beats that a run may consist of, behind the rest of the
// state: states of version 3 have nothing there.
func writeMarks(e *stages.Encoder, a *analysis) {
	e.Bool(a != nil)
	if a == nil {
		return
	}
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		e.Uint(uint64(len(t.read.marks)))
		for i := range t.read.marks {
			m := &t.read.marks[i]
			e.Uint(m.r)
			e.Uint(m.ready)
			e.Float32(m.odds)
			e.Int(int64(m.template))
			e.Float32(m.quiet)
			e.Float32(m.level)
			e.Float32(m.size)
		}
	}
}

func readMarks(d *stages.Decoder, a *analysis) {
	if !d.Bool() {
		return
	}
	if a == nil {
		d.Fail("beats of nothing")
		return
	}
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		n := d.Len(19)
		if n > maxMarks {
			d.Fail("%d beats for runs", n)
			return
		}
		for range n {
			t.read.marks = append(t.read.marks, mark{d.Uint(), d.Uint(), d.Float32(), int(d.Int()), d.Float32(), d.Float32(), d.Float32()})
		}
	}
}

// What the readers know of the basic rhythm and of P waves is written behind
// the marks: version 3 had none of it either.

func (t *reader) contexts() [5]*float32 {
	return [5]*float32{&t.rr.base.rr, &t.p, &t.last.p, &t.last.t, &t.last.s}
}

func writeContexts(e *stages.Encoder, a *analysis) {
	e.Bool(a != nil)
	if a == nil {
		return
	}
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		e.Uint(uint64(t.read.rr.base.away))
		writeHeld(e, &t.read.run)
		for _, v := range t.read.contexts() {
			e.Float32(*v)
		}
	}
}

func readContexts(d *stages.Decoder, a *analysis) {
	if !d.Bool() {
		return
	}
	if a == nil {
		d.Fail("a context without an analysis")
		return
	}
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		away := d.Uint()
		if away > baseHeld {
			d.Fail("%d intervals away", away)
			return
		}
		t.read.rr.base.away = int(away)
		readHeld(d, &t.read)
		for _, v := range t.read.contexts() {
			*v = d.Float32()
		}
	}
}
