package beats

import (
	"math"
	"slices"
)

const (
	lookAt     = 72          // 400 ms after its peak a candidate is looked at: its T wave has been seen
	lookAhead  = 144         // 800 ms after its peak it is judged: what comes instead of it has been seen
	lookNext   = 198         // 1.1 s: a longer RR after a beat counts as so long, so that its class need not wait for it
	decideBy   = 279         // 1.55 s after its peak a beat gets its class, so that it is said within 2 s
	quietFrom  = qrsHalf + 1 // beside the complex
	quietLen   = 44          // 244 ms to each side in which the slope is the noise's
	leastShare = 0.06        // of the beats' level: lower peaks are no candidates
	fitShare   = 1. / 16     // share of a beat in what is kept of the last ones
	maxReady   = 2 * maxOpen // beats between two frames that wait, or that the other lead may want
	fits       = 0.8         // correlation below which a candidate is like no beat
	tooOld     = 160         // 0.9 s after its peak a beat is no longer put into a template: the signal before it is gone
)

// verdict is what has been decided of a candidate.
type verdict uint8

const (
	open verdict = iota
	refused
	accepted
)

// candidate is a peak that may be a beat.
type candidate struct {
	peak
	rule     bool // the detector takes it for a beat
	fitted   bool // it has been compared with the templates
	seen     bool // it has been looked at
	measured bool // and judged
	verdict  verdict
	chance   float32 // that it is a beat, 0 to 1
	template int     // that it looks like; -1: none
	step     float32 // how far the signal's level changes across it, over its height
	x        looks   // how it looks beside the patient's own beats
}

// beat is a beat that is ready to be said.
type beat struct {
	r     uint64 // sample of internalRate
	ready uint64 // when it was
	odds
}

// reader turns the peaks of a detector into beats with a class.
type reader struct {
	models *models

	list   []candidate
	own    templates
	rr     intervals
	last   past    // the last beat that was handed over
	run    heldRun // of class V beats
	fit    float32 // mean correlation of the last beats with their templates
	noise  float32 // mean lookQuiet of the last beats
	poor   float32 // mean lookLevel of the last candidates that fit no template, nought for those that do
	beside float32 // mean lookQuiet of the last candidates that the detector takes for beats
	steps  float32 // mean of step of the last candidates that the detector takes for beats
	size   resized // beats like those before them, but of another size
	p      float32 // mean correlation of the P waves of the dominant template's last beats
	ready  []beat  // handed over, in order; the analysis takes them
	marks  []mark  // of those handed over last, in order

	w     window                       // used within look
	asked [numLooks + numJudge]float32 // used within chanceOf: what is shown to a hook would be allocated
	told  [numLooks + numClass]float32 // used within classify
	due   uint64                       // before which nothing is to be decided, while no peak comes
}

// past is a beat that has been said.
type past struct {
	has      bool
	at, r    uint64
	level    float32
	slope    float32
	chance   float32
	res      float32 // to the dominant template
	template int
	fit      float32 // correlation with its template
	width    float32
	p, t     float32 // correlation of its P and T wave with the dominant template's
	s        float32 // log odds of class S
}

// restart begins a signal that does not belong to what was before; the
// patient's own shapes and intervals stay.
func (t *reader) restart() {
	t.list, t.ready, t.marks = t.list[:0], t.ready[:0], t.marks[:0]
	t.last, t.due = past{}, 0
}

// sleeps reports that nothing is to be done: no peak has come, and nothing is due.
func (t *reader) sleeps(d *detector) bool {
	return len(d.seen) == 0 && len(d.found) == 0 && (len(t.list) == 0 || d.now() < t.due)
}

// push takes the peaks that the detector has seen, those that it takes for
// beats, and the time.
func (t *reader) push(d *detector) {
	for _, p := range d.seen {
		if len(t.list) == maxOpen {
			t.list = slices.Delete(t.list, 0, 1)
		}
		t.list = append(t.list, candidate{peak: p, template: -1})
		t.compare(d, &t.list[len(t.list)-1])
	}
	d.seen = d.seen[:0]
	for _, p := range d.found {
		for i := range t.list {
			if c := &t.list[i]; c.at == p.at {
				c.rule = true
				if c.measured && c.verdict == open {
					t.accept(d, i)
				}
			}
		}
	}
	d.found = d.found[:0]
	if now := d.now(); len(t.list) > 0 {
		t.advance(d, now)
		t.due = t.next()
	}
}

// next is the time at which advance has to decide something, unless a peak comes before.
func (t *reader) next() uint64 {
	due := uint64(math.MaxUint64)
	for i := range t.list {
		switch c := &t.list[i]; {
		case !c.seen:
			due = min(due, c.at+lookAt)
		case !c.measured:
			due = min(due, c.at+lookAhead)
		case c.verdict == open:
			due = min(due, c.at+expire+1)
		case c.verdict == accepted:
			due = min(due, c.at+decideBy)
		}
	}
	return due
}

// advance decides what is due at a time.
func (t *reader) advance(d *detector, now uint64) {
	for i := range t.list {
		c := &t.list[i]
		if !c.seen && now >= c.at+lookAt {
			t.look(d, c)
		}
		if !c.measured && now >= c.at+lookAhead {
			t.judge(d, i)
		}
		if c.verdict == open && c.measured && now > c.at+expire {
			c.verdict = refused
		}
	}
	t.say(now, false)
}

// judge looks at a candidate and decides, if it can be decided.
func (t *reader) judge(d *detector, i int) {
	c := &t.list[i]
	if !c.seen {
		t.look(d, c)
	}
	c.measured = true
	c.chance = t.chanceOf(d, i)
	if c.rule {
		t.steps += fitShare * (min(c.step, 2) - t.steps)
		t.beside += fitShare * (min(c.x[lookQuiet], 1) - t.beside)
	}
	poor := float32(0)
	if c.x[lookCorBest] < fits {
		poor = min(c.x[lookLevel], 1)
	}
	t.poor += fitShare * (poor - t.poor)
	switch {
	case c.rule && c.chance >= t.least(d), !c.rule && c.chance >= addFrom:
		t.accept(d, i)
	case c.chance < t.least(d):
		c.verdict = refused
	}
}

// accept makes a beat of a candidate; what was open before it can no longer become one.
func (t *reader) accept(d *detector, i int) {
	c := &t.list[i]
	c.verdict = accepted
	for k := range t.list[:i] {
		if t.list[k].verdict == open {
			t.list[k].verdict = refused
		}
	}
	if d.now() <= c.at+tooOld {
		var s shape
		d.band.shape(c.at+uint64(c.x[lookLag]), &s)
		if c.template = t.own.add(&s, c.template); t.own.list[c.template].n == 1 {
			t.run.replaced(c.template)
		}
		for k := range t.list {
			if k != i && t.list[k].template == c.template && t.own.list[c.template].n == 1 {
				t.list[k].template = -1 // its template has been replaced
			}
		}
	}
	t.fit += fitShare * (c.x[lookCorBest] - t.fit)
	t.noise += fitShare * (c.x[lookQuiet] - t.noise)
}

// say hands over the beats whose next beat is known, or has not come for long.
func (t *reader) say(now uint64, over bool) {
	for {
		first, next := -1, -1
		for i := range t.list {
			if t.list[i].verdict != accepted {
				continue
			}
			if first < 0 {
				first = i
			} else {
				next = i
				break
			}
		}
		if first < 0 || next < 0 && !over && now < t.list[first].at+decideBy {
			break
		}
		if next < 0 {
			next = t.expected(first)
		}
		t.classify(first, next, now)
		t.list = slices.Delete(t.list, 0, first+1)
	}
	for len(t.list) > 0 && t.list[0].verdict == refused {
		t.list = slices.Delete(t.list, 0, 1)
	}
}

// expected is the next candidate that the detector takes for a beat and that
// is not judged yet; -1: none.
func (t *reader) expected(i int) int {
	for k := i + 1; k < len(t.list); k++ {
		if t.list[k].rule && t.list[k].verdict != refused {
			return k
		}
	}
	return -1
}

// finish decides all that is left at the end of a signal.
func (t *reader) finish(d *detector) {
	t.push(d)
	for i := range t.list {
		if c := &t.list[i]; !c.measured {
			t.judge(d, i)
		}
	}
	t.say(d.now(), true)
	t.list = t.list[:0]
}

// before is the last accepted beat before the i-th candidate.
func (t *reader) before(i int) past {
	for k := i - 1; k >= 0; k-- {
		if c := &t.list[k]; c.verdict == accepted {
			return past{has: true, at: c.at, r: c.r, level: c.level, slope: c.slope, chance: c.chance, res: c.x[lookResDom], fit: c.x[lookCorBest], width: c.width}
		}
	}
	return t.last
}

// The looks of a beat: each a ratio to the patient's own beats, so that no
// patient is measured with another's.
const (
	lookCorDom   = iota // correlation with the dominant template
	lookResDom          // residual to it
	lookCorBest         // correlation with the template that fits best
	lookResBest         //
	lookShare           // of the beats that the best template has
	lookIsDom           // the best is the dominant one
	lookRange           // height over the dominant's
	lookWidth           // width over the dominant's
	lookHigh            // part above the mean over the dominant's height
	lookLow             // part below
	lookArea            // area over the dominant's
	lookSteep           // steepest slope over the dominant's
	lookLean            // how much higher above than below the mean, less the dominant's
	lookPCor            // correlation of the P waves
	lookPRange          // their ratio
	lookTCor            // of the T waves
	lookTRange          //
	lookDiscord         // T wave against the QRS complex
	lookQuiet           // slope beside the complex over its own
	lookQuietPre        // before it alone
	lookLevel           // energy over the detector's signal level
	lookLag             // to the template that fits best
	numLooks
)

type looks [numLooks]float32

var lookNames = [numLooks]string{"cor_dom", "res_dom", "cor_best", "res_best", "share", "is_dom", "range", "width", "high", "low",
	"area", "steep", "lean", "p_cor", "p_range", "t_cor", "t_range", "discord", "quiet", "quiet_pre", "level", "lag"}

// compare finds the template that a candidate looks most like.
func (t *reader) compare(d *detector, c *candidate) {
	x := &c.x
	*x = looks{}
	c.fitted = true
	c.template = -1
	t.w.fill(&d.band, c.at)
	best, dom := match{cor: -1, res: 4}, match{cor: -1, res: 4}
	at := -1
	if len(t.own.list) > 0 {
		at = t.own.dominant
		dom = t.w.against(&t.own.list[at])
		best = dom
		if !(dom.cor > plainAt && dom.res < joinResidual) {
			for i := range t.own.list {
				if m := t.w.against(&t.own.list[i]); i != t.own.dominant && m.cor > best.cor {
					best, at = m, i
				}
			}
		}
	}
	if best.cor >= joinAt && best.res <= joinResidual {
		c.template = at
	}
	x[lookCorDom], x[lookResDom], x[lookCorBest], x[lookResBest], x[lookLag] = dom.cor, dom.res, best.cor, best.res, float32(best.lag)
	if t.own.learned() && best.cor >= sameAt {
		t.resize(d, c, best.size)
	}
}

// look measures a candidate beside the patient's own templates.
func (t *reader) look(d *detector, c *candidate) {
	if !c.fitted {
		t.compare(d, c)
	}
	c.seen = true
	x := &c.x
	lag := uint64(int(x[lookLag]))
	var s shape
	d.band.shape(c.at+lag, &s)
	f := s.form()
	var before, after, change float32
	pre, post := d.band.low1(c.at-quietFrom), d.band.low1(c.at+quietFrom)
	for i := range uint64(quietLen) {
		change += post - pre
		further, later := d.band.low1(c.at-quietFrom-i-1), d.band.low1(c.at+quietFrom+i+1)
		before += abs(pre - further)
		after += abs(post - later)
		pre, post = further, later
	}
	steep := max(f.steep, 1)
	x[lookQuiet], x[lookQuietPre] = (before+after)/(2*quietLen*steep), before/(quietLen*steep)
	x[lookLevel] = ratio(c.level, d.signal.median)
	x[lookDiscord] = discord(&d.band, c.at+lag, f)
	c.step = abs(ratio(change/quietLen, f.high+f.low))
	if len(t.own.list) == 0 {
		return
	}
	own := &t.own.list[t.own.dominant]
	g := own.form
	var total float32
	for i := range t.own.list {
		total += t.own.list[i].weight
	}
	if c.template >= 0 {
		x[lookShare] = t.own.list[c.template].weight / total
	}
	if c.template == t.own.dominant {
		x[lookIsDom] = 1
	}
	height := g.high + g.low
	x[lookRange] = ratio(f.high+f.low, height)
	x[lookWidth] = ratio(f.width, g.width)
	x[lookHigh], x[lookLow] = ratio(f.high, height), ratio(f.low, height)
	x[lookArea], x[lookSteep] = ratio(f.area, g.area), ratio(f.steep, g.steep)
	x[lookLean] = ratio(f.high-f.low, f.high+f.low) - ratio(g.high-g.low, height)
	x[lookPCor], x[lookPRange] = alike(s[qrsLen:qrsLen+pLen], own.v[qrsLen:qrsLen+pLen], f.pEnergy, g.pEnergy)
	x[lookTCor], x[lookTRange] = alike(s[qrsLen+pLen:], own.v[qrsLen+pLen:], f.tEnergy, g.tEnergy)
}

// discord is positive where the T wave points the way of the QRS complex, in shares of its height.
func discord(b *band, at uint64, f form) float32 {
	var pre, t float32
	for i := range uint64(8) {
		pre += b.low1(at - qrsHalf - i)
	}
	for i := range uint64(tLen) {
		t += b.low1(at + tFrom + i*tStep)
	}
	d := ratio(t/tLen-pre/8, f.high+f.low)
	if f.low > f.high {
		d = -d
	}
	return d
}

// alike is the correlation of two waves, and the ratio of their heights.
func alike(a, b []float32, ea, eb float32) (cor, size float32) {
	var dot float32
	for i, v := range a {
		dot += v * b[i]
	}
	if ea <= 0 || eb <= 0 {
		return 0, 0
	}
	return dot / float32(math.Sqrt(float64(ea)*float64(eb))), float32(math.Sqrt(float64(ea) / float64(eb)))
}

// ratio is bounded, so that nothing that follows overflows.
func ratio(a, b float32) float32 {
	if b <= 0 {
		return 0
	}
	return max(min(a/b, 100), -100)
}

// abs does not branch: signs cannot be predicted.
func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }
