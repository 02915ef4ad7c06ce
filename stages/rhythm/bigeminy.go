package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

// Bigeminy is each second beat of class V, trigeminy each third: three cycles
// and more of one, or two, other beats and one of class V, as bedside monitors
// have it (Welch Allyn Acuity, Mindray TM80: N V N V N V; N N V N N V N N V).
const cycles = 3

type (
	bigeminy  struct{ cycle }
	trigeminy struct{ cycle }
)

func (c *bigeminy) beat(v voice, b beat)  { c.cycle.beat(v, b, 2, topics.Rhythm_RHYTHM_BIGEMINY) }
func (c *trigeminy) beat(v voice, b beat) { c.cycle.beat(v, b, 3, topics.Rhythm_RHYTHM_TRIGEMINY) }

// cycle follows beats that come in the order other, …, other, V.
type cycle struct {
	open  episode
	place uint32 // in the cycle, of the next beat
	prior beat   // the beat before, if it is the other that a cycle could begin with
	other bool
}

func (c *cycle) beat(v voice, b beat, length uint32, rhythm topics.Rhythm) {
	ectopic := b.ventricular()
	if c.open.beats > 0 && ectopic == (c.place == length-1) {
		c.open.add(b)
		c.place = (c.place + 1) % length
	} else {
		v.end(&c.open, false)
		c.begin(b, length)
	}
	c.prior, c.other = b, !ectopic
	switch {
	case c.open.rhythm == rhythm || c.open.beats < cycles*length:
	default:
		c.open.rhythm = rhythm
		v.say(&c.open)
	}
}

// begin begins a cycle with the beat, or with the one before, when that is as
// far back as a cycle can begin.
func (c *cycle) begin(b beat, length uint32) {
	c.open, c.place = episode{}, 0
	switch {
	case b.ventricular():
	case length == 3 && c.other:
		c.open = begun(c.prior)
		c.open.add(b)
		c.place = 2
	default:
		c.open = begun(b)
		c.place = 1
	}
}

func (c *cycle) pass(v voice, complete uint64) {
	if v.still(complete) {
		c.stop(v, false)
	}
}

func (c *cycle) stop(v voice, cut bool) {
	v.end(&c.open, cut)
	*c = cycle{}
}

func (c *cycle) append(e *stages.Encoder) {
	c.open.append(e)
	e.Uint(uint64(c.place))
	e.Bool(c.other)
	if c.other {
		c.prior.append(e)
	}
}

func (c *cycle) decode(d *stages.Decoder) {
	*c = cycle{}
	c.open.decode(d)
	c.place, c.other = uint32(d.Uint()), d.Bool()
	if c.other {
		c.prior.decode(d)
	}
}
