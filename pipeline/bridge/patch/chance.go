package patch

import (
	"math"
	"math/rand/v2"
)

// chance is a stream of random numbers that depends on its seeds alone.
type chance struct{ pcg rand.PCG }

func newChance(seed uint64, stream string) *chance {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(stream) {
		h = (h ^ uint64(stream[i])) * 1099511628211
	}
	c := new(chance)
	c.pcg.Seed(seed, h)
	return c
}

// uniform is in [0, 1).
func (c *chance) uniform() float64 { return float64(c.pcg.Uint64()>>11) / (1 << 53) }

// between is uniform in [low, high).
func (c *chance) between(low, high float64) float64 { return low + (high-low)*c.uniform() }

// happens is true with probability p.
func (c *chance) happens(p float64) bool { return p > 0 && c.uniform() < p }

// normal has mean 0 and variance 1: the sum of four uniform numbers out of one
// draw, near enough to normal (±3.46 at most) and cheap enough for each sample.
func (c *chance) normal() float64 {
	u := c.pcg.Uint64()
	sum := u&0xffff + u>>16&0xffff + u>>32&0xffff + u>>48
	return (float64(sum)/65536 - 2) * math.Sqrt(3)
}

// line is one line of a spectrum.
type line struct{ amp, hz, phase float64 }

// heartRateVariability is the spectrum of RR as McSharry et al. 2003 have it:
// one bump at 0.1 Hz (blood pressure) and one at the frequency of breathing,
// each 0.01 Hz wide, with an LF/HF ratio of 0.5. They transform a series with
// that spectrum and random phases back; here its lines are summed where a
// beat asks, which is the same series without a length. Its variance is 1.
func heartRateVariability(c *chance, breathing float64) []line {
	const (
		lines = 6
		lf    = 0.1  // Hz
		width = 0.01 // Hz
		ratio = 0.5
	)
	var out []line
	for _, bump := range []struct{ hz, power float64 }{{lf, ratio / (1 + ratio)}, {breathing, 1 / (1 + ratio)}} {
		var weights [lines]float64
		sum := 0.0
		for i := range weights {
			x := (float64(i)+c.uniform())*4/lines - 2
			weights[i] = math.Exp(-x * x / 2)
			sum += weights[i]
			out = append(out, line{hz: bump.hz + x*width, phase: c.between(0, 2*math.Pi)})
		}
		for i, w := range weights {
			out[len(out)-lines+i].amp = math.Sqrt(2 * bump.power * w / sum)
		}
	}
	return out
}

// sum is the value of the lines at a time.
func sum(lines []line, t float64) float64 {
	v := 0.0
	for _, l := range lines {
		v += l.amp * math.Sin(2*math.Pi*l.hz*t+l.phase)
	}
	return v
}
