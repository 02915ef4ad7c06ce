package beats

import "math"

// Bounds of a lead's quality.
const (
	crestClean = 12.0 // a slope whose peaks are so far above its mean belongs to a clean ECG
	crestNoise = 4.0  // noise without QRS complexes; fibrillation too, which is why it only lowers the index
	flatMV     = 0.05 // a range below it shows no heart: an electrode that hangs loose, or asystole
	wildMV     = 20.0 // no heart gives so much within a second
	clipShare  = 0.2  // of a second at a rail: the amplifier is saturated

	doubtBeside = 0.15 // mean slope beside the last beats over their own steepest: as much, where they are doubted too, and they cannot be told from noise
	doubtFrom   = 0.5  // of it: from here a lead is worth less
	suspendFrom = 1.3  // of it: so much, and no beats are said,
	resumeBelow = 1.0  // until it is so much less
	doubtWave   = -2   // log odds of a ventricular rhythm, above which it is not noise
)

// quality watches one lead, in blocks of a second. Its index is the crest
// factor of the slope over two seconds: like the kurtosis index of Li, Mark and
// Clifford (2008, Physiol. Meas. 29:15) it asks whether the signal is rare and
// steep, as QRS complexes are, or always busy, as noise is; unlike it, it needs one pass and no square.
type quality struct {
	counts   int // samples in this block
	lag      int // samples until the next one that is looked at for its slope
	last     float32
	has      bool // last is there
	now, old block
	blocks   int // that are over, up to 2
	index    float64
	flat     bool
	wild     bool
}

// block is what is kept of a second.
type block struct {
	low, high float32 // mV
	sum, max  float32 // of the absolute slope, mV a slopeStep
	n         int
	clipped   int
}

// slopeStep is the time over which a slope is taken.
const slopeStep = 0.008 // s

// add takes samples in mV, and what they span. step is slopeStep in samples.
func (q *quality) add(v []float32, of swing, step int) {
	b := &q.now
	if q.counts == 0 {
		b.low, b.high = of.low, of.high
	} else {
		b.low, b.high = min(b.low, of.low), max(b.high, of.high)
	}
	q.counts += len(v)
	b.clipped += of.rails
	at := q.lag
	if !q.has && at < len(v) {
		q.last, q.has = v[at], true
		at += step
	}
	last, sum, most := q.last, b.sum, b.max
	for ; at < len(v); at += step {
		d := abs(v[at] - last)
		last = v[at]
		sum += d
		if d > most {
			most = d
		}
		b.n++
	}
	q.last, b.sum, b.max = last, sum, most
	q.lag = at - len(v)
}

// close ends a block.
func (q *quality) close() {
	b := q.now
	low, high := b.low, b.high
	if q.blocks > 0 {
		low, high = min(low, q.old.low), max(high, q.old.high)
	}
	q.flat = high-low < flatMV
	q.wild = b.high-b.low > wildMV || float64(b.clipped) > clipShare*float64(q.counts)
	sum, n, peak := b.sum, b.n, b.max
	if q.blocks > 0 {
		sum, n, peak = sum+q.old.sum, n+q.old.n, max(peak, q.old.max)
	}
	q.index = 0
	if !q.flat && !q.wild && sum > 0 {
		crest := float64(peak) * float64(n) / float64(sum)
		q.index = math.Min(math.Max((crest-crestNoise)/(crestClean-crestNoise), 0), 1)
	}
	q.old, q.now = b, block{}
	q.counts = 0
	q.blocks = min(q.blocks+1, 2)
}

// interrupt forgets the sample before a gap, so that no slope goes across it.
func (q *quality) interrupt() { q.has, q.lag = false, 0 }

const leastRail = 1 << 15

// isRail reports a count at the end of a converter's range of 16, 18, 24 or 32 bits:
// no other number says that a lead is saturated rather than flat.
func isRail(c int64) bool {
	if c < 0 {
		c = ^c
	}
	switch c {
	case leastRail - 1, 1<<17 - 1, 1<<23 - 1, 1<<31 - 1:
		return true
	}
	return false
}
