package beats

import "math"

// measure looks at the signal around a peak: what is no QRS complex gets no
// level, and nothing else. Magnitudes are compared as bits: that does not branch.
func (d *detector) measure(p *peak) {
	if p.at >= stepSpan { // else its begin has not been seen
		up, down := d.steepest(p.at-slopeSpan, p.at+slopeSpan, 0, 0)
		p.slope = math.Float32frombits(uint32(max(up, down)))
		up, down = d.steepest(p.at-stepSpan, p.at-slopeSpan-1, up, down)
		up, down = d.steepest(p.at+slopeSpan+1, p.at+stepSpan, up, down)
		if math.Float32frombits(uint32(min(up, down))) < bothWays*p.slope {
			p.level = 0
			return
		}
	}
	p.r = p.at
	var best, sharp uint32
	for i := p.at - peakSpan; i <= p.at+peakSpan; i++ {
		if w := magnitude(d.band.wave[i%historyLen]); w > best {
			best, p.r = w, i
		}
		sharp = max(sharp, magnitude(d.band.sharp[i%historyLen]))
	}
	if math.Float32frombits(best) < narrow*math.Float32frombits(sharp) || d.height(p.at) <= lowest {
		p.level = 0
		return
	}
	p.width = d.width(p.at)
}

// magnitude is ordered as absolute values are.
func magnitude(v float32) uint32 { return math.Float32bits(v) &^ (1 << 31) }

// steepest are the bits of the steepest slopes up and down between two times, and of those before.
func (d *detector) steepest(from, to uint64, up, down int32) (int32, int32) {
	for i := from; i <= to; i++ {
		s := int32(math.Float32bits(d.band.slope[i%historyLen])) // what is negative has a negative number
		up, down = max(up, s), max(down, s^math.MinInt32)
	}
	return up, down
}

// height is the range of the low-passed signal around a peak in mV, added up
// from its slopes.
func (d *detector) height(at uint64) float32 {
	var v, low, high float32
	for i := at - peakSpan; i <= at+peakSpan; i += slopeLag {
		v += d.band.slope[i%historyLen]
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	return high - low
}

// width is for how long the low-passed signal stays, around the place where it
// is farthest from what lies 150 ms before and after, more than half way there.
func (d *detector) width(at uint64) float32 {
	var v [stepSpan + 1]float32
	for i := range stepSpan {
		v[i+1] = v[i] + d.band.slope[(at-stepSpan+1+uint64(i)*slopeLag)%historyLen]
	}
	base, top := v[stepSpan]/2, 0
	for i := range v {
		if abs(v[i]-base) > abs(v[top]-base) {
			top = i
		}
	}
	half := (v[top] - base) / 2
	over := func(i int) bool { return (v[i]-base-half)*half > 0 }
	first, last := top, top
	for first > 0 && over(first-1) {
		first--
	}
	for last < stepSpan && over(last+1) {
		last++
	}
	return float32(slopeLag * (last - first + 1))
}
