package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

const (
	// A pulse captures when a beat follows within this time, in s: bedside
	// monitors wait 300 ms (Mindray TM80), and the R peak of a paced beat is later than its onset.
	captureS = 0.35
	// Within this time after a beat the heart cannot answer: such a pulse says
	// nothing of capture, but that the pacemaker did not sense.
	deafS = 0.25
	// One pulse that nothing follows may be none, or its beat one that was not
	// found; so many in a row are an episode.
	lostPulses = 3
	maxPulses  = 32 // undecided: no pacemaker gives so many in the 2.5 s that detection may take
)

// capture looks whether a beat follows each pulse of a pacemaker.
type capture struct {
	pulses []pulse // undecided, in order
	lost   episode // pulses in a row that none followed; beats counts them
}

type pulse struct {
	instant
	answered bool // a beat follows
	deaf     bool // it fell into a beat
}

// pulse takes a pulse. When the patient is said to have no pacemaker it is none.
func (c *capture) pulse(v voice, at instant) {
	if v.unpaced {
		return
	}
	if len(c.pulses) == maxPulses {
		copy(c.pulses, c.pulses[1:])
		c.pulses = c.pulses[:maxPulses-1]
	}
	deaf := v.hasBeat && at.sample > v.beatAt && at.sample <= v.beatAt+v.samples(deafS)
	c.pulses = append(c.pulses, pulse{at, false, deaf})
}

func (c *capture) beat(v voice, b beat) {
	for i := range c.pulses {
		switch p := &c.pulses[i]; {
		case p.sample <= b.sample:
			p.answered = p.answered || b.sample <= p.sample+v.samples(captureS)
		default:
			p.deaf = p.deaf || p.sample <= b.sample+v.samples(deafS)
		}
	}
}

func (c *capture) pass(v voice, complete uint64) {
	n := 0
	for _, p := range c.pulses {
		if p.sample+v.samples(captureS) >= complete {
			break
		}
		n++
		switch {
		case p.answered:
			v.end(&c.lost, false)
		case !p.deaf:
			c.lose(v, p)
		}
	}
	c.pulses = append(c.pulses[:0], c.pulses[n:]...)
}

func (c *capture) lose(v voice, p pulse) {
	if c.lost.beats == 0 {
		c.lost = begun(beat{sample: p.sample, us: p.us})
	} else {
		c.lost.add(beat{sample: p.sample, us: p.us})
	}
	if c.lost.beats == lostPulses {
		c.lost.rhythm = topics.Rhythm_RHYTHM_NO_CAPTURE
		v.say(&c.lost)
	}
}

func (c *capture) stop(v voice, cut bool) {
	if cut {
		v.end(&c.lost, true)
		c.pulses = c.pulses[:0]
	}
}

func (c *capture) append(e *stages.Encoder) {
	e.Uint(uint64(len(c.pulses)))
	for _, p := range c.pulses {
		e.Uint(p.sample)
		e.Int(p.us)
		e.Bool(p.answered)
		e.Bool(p.deaf)
	}
	c.lost.append(e)
}

func (c *capture) decode(d *stages.Decoder) {
	*c = capture{}
	for k := d.Len(4); k > 0; k-- {
		c.pulses = append(c.pulses, pulse{instant{d.Uint(), d.Int()}, d.Bool(), d.Bool()})
	}
	if len(c.pulses) > maxPulses {
		d.Fail("%d pulses", len(c.pulses))
	}
	c.lost.decode(d)
}
