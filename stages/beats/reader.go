package beats

import (
	"math"
	"slices"
)

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
