package rhythm

import "slices"

// silence counts the valid samples since the last beat, or since a place from
// which there is something to count.
//
// What is missing is not counted. But does what came before it still count?
// If it always did, a link that loses just the beats would make an asystole of
// a healthy heart; if it never did, a link that loses a frame each three
// seconds would hide every asystole. So the count goes on over a hole of at
// most a second, while all holes since the last beat are at most a third of
// the valid signal between them: four seconds of silence then have at most 1.3 s of
// holes, and at 50 beats a minute and more each of at least four beats in a
// row would have to fall into them. Any other hole begins the count anew after
// it, so that a heart that stands still right after is found 4 s later.
type silence struct {
	begun     bool
	from      uint64 // first sample that counts
	candidate uint64 // the sample after the newest undecided candidate; 0: none
	stated    uint64 // samples of gaps since the last run
	holes     []hole // not counted, in order, from `from` on
}

// hole is a stretch of samples that are missing or cannot be analysed.
type hole struct{ at, n uint64 }

const (
	maxHoleS  = 1.0 // s
	holeShare = 3   // valid samples for each one in a hole
	maxHoles  = 64
	// undecided is how far behind the newest sample detection may be, in s,
	// before it is not known whether there was a beat: it decides within 2 s
	// where it is not learning.
	undecided = 2.5
)

// beat begins the count after a beat.
func (c *silence) beat(sample uint64) {
	if c.begun && sample < c.from {
		return
	}
	c.begin(sample + 1)
}

func (c *silence) begin(from uint64) {
	c.begun, c.from = true, from
	c.holes = slices.DeleteFunc(c.holes, func(h hole) bool { return h.at+h.n <= from })
}

// hole takes a stretch of n samples out of the count. It reports whether a
// beat may have been lost in it: then nothing may be averaged over it, and
// the count begins anew.
func (c *silence) hole(at, n uint64, rate float64) (cut bool) {
	if n == 0 || at+n < at {
		return false
	}
	if !c.begun {
		c.begin(at)
	}
	if last := len(c.holes) - 1; last >= 0 && at <= c.holes[last].at+c.holes[last].n {
		c.holes[last].n += n
	} else {
		c.holes = append(c.holes, hole{at, n})
	}
	h := c.holes[len(c.holes)-1]
	if float64(h.n) > maxHoleS*rate {
		c.restart(h.at + h.n)
		return true
	}
	end := h.at + h.n
	if lost := c.lost(c.from); lost > (end-min(c.from, end))/(holeShare+1) || len(c.holes) == maxHoles {
		c.restart(end)
	}
	return false
}

// lost is the number of samples in holes from a place on.
func (c *silence) lost(from uint64) (n uint64) {
	for _, h := range c.holes {
		if end := h.at + h.n; end > from {
			n += end - max(h.at, from)
		}
	}
	return n
}

// restart begins anew after a hole. The hole is kept, empty of influence, so
// that one that goes on is seen to be one.
func (c *silence) restart(from uint64) {
	last := c.holes[len(c.holes)-1]
	c.begun, c.from = true, from
	c.holes = append(c.holes[:0], last)
}

// run takes a run of length samples that ends at sample, of which some are valid.
func (c *silence) run(sample, length, valid uint64, rate float64) (cut bool) {
	begin := sample + 1 - min(length, sample+1)
	if !c.begun {
		c.begin(begin)
	}
	lost := length - min(length, valid+min(c.stated, length))
	c.stated = 0
	if valid == 0 {
		begin = sample + 1 - min(lost, sample+1)
	}
	return c.hole(begin, lost, rate)
}

// since is the number of valid samples up to sample since the last beat or
// candidate; known is false where there is nothing to count from.
func (c *silence) since(sample uint64) (n uint64, known bool) {
	from := max(c.from, c.candidate)
	if !c.begun || sample+1 <= from {
		return 0, c.begun
	}
	n = sample + 1 - from
	return n - min(n, c.lost(from)), true
}
