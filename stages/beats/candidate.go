package beats

import "math"

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
