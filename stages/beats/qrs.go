package beats

import "slices"

// Times of the detector in samples of internalRate.
const (
	dominance   = 36  // 200 ms: a peak is the highest within so much to each side; a heart does not beat twice in it (Pan and Tompkins 1985)
	tWindow     = 65  // 360 ms: a peak so soon after a beat may be its T wave (the same)
	tallWindow  = 58  // 322 ms: and so soon after it, however steep, if it is blunt: a T wave may be as tall as 1.2 mV (AAMI EC13)
	expire      = 306 // 1.7 s: a candidate is decided by then, so that its beat is said within 2 s
	settle      = 18  // 100 ms after the begin of a signal in which its edge may look like a slope
	slopeSpan   = 12  // 67 ms to each side of a peak: where its steepest slopes are
	stepSpan    = 27  // 150 ms to each side of a peak: where a complex, however wide, goes up and down
	peakSpan    = 14  // 78 ms to each side of a peak: where its R peak is
	bluntFrom   = 18  // 100 ms at half its height: a ventricular beat is not so blunt
	learnBlock  = 180 // 1 s
	learnBlocks = 3   // looked at before the first beat is said
	rrNominal   = 180 // 1 s, until an interval has been measured
	decayFrom   = 540 // 3 s without a beat: from then the threshold falls,
	decayOver   = 270 // for 1.5 s: signals that shrank to a tenth are found again within 5 s

	maxOpen = 16 // candidates kept
	flush   = energyDelay + lookAhead + 1
)

// Levels of the detector: found on the 22 records of the MIT-BIH Arrhythmia
// Database (DS1) beginning from Hamilton (2002) and Pan and Tompkins (1985).
const (
	thresholdShare = 0.35 // of the way from noise to signal
	searchShare    = 0.25 // of the way from noise to threshold, for what is searched back
	searchAfter    = 1.5  // mean RR intervals without a beat
	tSlope         = 0.5  // of the last beat's slope: below it, a peak within tWindow is a T wave
	blunt          = 1.8  // times the last beat's width: above it, a peak within tallWindow is one
	bothWays       = 0.1  // a QRS complex goes up and down; what goes one way is a step of the electrode (Hamilton 2002)
	narrow         = 0.6  // of its height is left of a complex of 40 ms when it is smoothed over 17 ms, and less of a spike of 10 ms (IEC 60601-2-27)
	lowest         = 0.15 // mV: deflections up to it are no beats (IEC 60601-2-27); smoothing only lowers them
	floor          = 0.08 // mV of energy, the least threshold: broad complexes of 0.5 mV have more
	decayTo        = 0.08 // of the threshold
	watchShare     = 0.7  // of what would be searched back now: a candidate above it is not given up
)

// peak is a place where a beat may be, in samples of internalRate since the
// signal began.
type peak struct {
	at    uint64  // of the highest energy
	r     uint64  // of the R peak
	level float32 // energy in mV; 0: no peak
	slope float32 // steepest, in mV a slopeLag
	width float32 // at half its height, in samples
}

// detector finds QRS complexes in one lead: peaks of the energy of its slope
// that stand out from the noise and are no T waves.
type detector struct {
	band   band
	n      uint64  // samples of the band that have been looked at: all, between calls of take
	top    peak    // highest of the last dominance samples
	before float32 // energy of the last sample

	block  float32   // highest in this block of learning
	blocks []float32 // highest of each block that is over

	signal, noise eight // levels of the last beats, and of the last peaks that were none
	rr            eight // the last intervals between beats
	threshold     float32
	last          peak   // the last beat of this signal, if hasLast
	hasLast       bool   //
	quiet         uint64 // since when there has been no beat
	open          []peak // candidates, oldest first, that may yet be searched back
	complete      uint64 // every beat before it has been said

	seen  []peak // peaks that nobody has taken yet, beats or not, and
	found []peak // those that are beats; empty between calls
}

// restart begins a signal that does not belong to what was before: what was
// learned of levels stays, what was seen does not.
func (d *detector) restart() {
	d.band.n, d.n = 0, 0
	d.top, d.before, d.block = peak{}, 0, 0
	d.last, d.hasLast, d.quiet, d.complete = peak{}, false, 0, 0
	d.open, d.seen, d.found = d.open[:0], d.seen[:0], d.found[:0]
}

func (d *detector) learned() bool { return len(d.blocks) == learnBlocks }

// now is the time up to which the energy is known.
func (d *detector) now() uint64 { return d.n - 1 - energyDelay }

// push takes the energy of the next sample of the band. Peaks are appended to seen, beats to found too.
func (d *detector) push(e float32) {
	if d.n++; d.n <= energyDelay+settle {
		return
	}
	now := d.now()
	if p := d.top; p.level > 0 && now-p.at >= dominance {
		d.top = peak{}
		if d.measure(&p); p.level > leastShare*d.signal.median {
			d.seen = append(d.seen, p)
		}
		d.judge(p)
	}
	if e > d.top.level && e > d.before {
		d.top = peak{at: now, level: e}
	}
	d.before = e
	if !d.learned() {
		d.learn(now, e)
	} else {
		d.searchBack(now)
	}
}

// judge decides what is plain, and keeps what is not.
func (d *detector) judge(p peak) {
	switch {
	case p.level == 0:
	case !d.learned():
		d.keep(p)
	case d.isTall(p):
	case p.level > d.level(p.at) && !d.isT(p):
		d.accept(p)
	default:
		d.noise.push(p.level)
		d.update()
		if p.level > floor && !d.isT(p) {
			d.keep(p)
		}
	}
}

// isT reports a peak that belongs to the last beat: soon after it, and not steep.
func (d *detector) isT(p peak) bool {
	return d.hasLast && p.at-d.last.at < tWindow && p.slope < tSlope*d.last.slope
}

// isTall reports a tall T wave: as steep as the last beat, but blunt, and so with less energy in it. It is not
// noise, from which beats have to stand out.
func (d *detector) isTall(p peak) bool {
	return d.hasLast && p.at-d.last.at < tallWindow && d.last.width > 0 && p.width > max(blunt*d.last.width, bluntFrom) && p.level < d.last.level
}

// contrast is how far the beats stand out from the other peaks, 0 to 1.
func (d *detector) contrast() float32 {
	if s := d.signal.median; s > 0 {
		return max(1-d.noise.median/s, 0)
	}
	return 0
}

func (d *detector) keep(p peak) {
	if len(d.open) == maxOpen {
		d.open = slices.Delete(d.open, 0, 1)
	}
	d.open = append(d.open, p)
}

func (d *detector) accept(p peak) {
	if d.hasLast {
		d.rr.push(float32(p.at - d.last.at))
	}
	if p.level < d.threshold && p.at > d.quiet+decayFrom {
		d.signal, d.noise = eight{}, eight{} // the signal has shrunk: what was learned is no longer true
	}
	d.signal.push(p.level)
	d.update()
	d.last, d.hasLast, d.quiet = p, true, p.at
	d.found = append(d.found, p)
}

// follow takes the levels of two beats that look like those before them at
// another size: times is theirs over the one before.
func (d *detector) follow(times, level float32) {
	for i := range d.signal.v {
		d.signal.v[i] = level
		d.noise.v[i] *= times
	}
	d.signal.n = len(d.signal.v)
	d.signal.derive()
	d.noise.derive()
	d.update()
}

func (d *detector) update() {
	n, s := d.noise.median, d.signal.median
	d.threshold = max(n+thresholdShare*(s-n), floor)
}

// level is the threshold at a time: it falls when no beat comes for long.
func (d *detector) level(at uint64) float32 {
	if at <= d.quiet+decayFrom {
		return d.threshold
	}
	over := min(float32(at-d.quiet-decayFrom)/decayOver, 1)
	return max(d.threshold*(1-(1-decayTo)*over), floor)
}

// searchLevel is the threshold for what is searched back: part of the way from
// the noise to the threshold, for half of it would be noise where there is much.
func (d *detector) searchLevel(at uint64) float32 {
	n := min(d.noise.median, d.threshold)
	return (n + searchShare*(d.threshold-n)) * d.level(at) / max(d.threshold, floor)
}

// learn takes the second highest of the first three seconds for the level of
// a beat, unless the highest is so much above that only one beat can have
// been in them; then it says the beats that are not too old.
func (d *detector) learn(now uint64, e float32) {
	d.block = max(d.block, e)
	if (now+1)%learnBlock != 0 {
		return
	}
	d.blocks = append(d.blocks, d.block)
	d.block = 0
	if !d.learned() {
		return
	}
	s := [learnBlocks]float32(d.blocks)
	slices.Sort(s[:])
	first := s[learnBlocks-1]
	if s[learnBlocks-2] > 0.4*first {
		first = s[learnBlocks-2]
	}
	d.signal.push(first)
	d.update()
	d.quiet = now
	d.prune(now)
	var kept [maxOpen]peak
	n := copy(kept[:], d.open)
	d.open = d.open[:0]
	for _, p := range kept[:n] {
		d.judge(p)
	}
}

// searchBack takes the highest candidate when no beat has come for long.
func (d *detector) searchBack(now uint64) {
	if len(d.open) == 0 {
		return
	}
	d.prune(now)
	if float32(now-d.quiet) < searchAfter*d.rr.mean(rrNominal) {
		return
	}
	best, high := -1, d.searchLevel(now)
	for i, p := range d.open {
		if p.level > high {
			best, high = i, p.level
		}
	}
	if best >= 0 {
		p := d.open[best]
		d.open = slices.Delete(d.open, 0, best+1)
		d.accept(p)
	}
}

// prune gives up the candidates that can no longer become beats.
func (d *detector) prune(now uint64) {
	n := 0
	for _, p := range d.open {
		if now-p.at <= expire && p.r >= d.complete && (!d.hasLast || p.at >= d.last.at+dominance) {
			d.open[n] = p
			n++
		}
	}
	d.open = d.open[:n]
}

// progress says before which sample every beat has been said, and the newest
// candidate that is not decided, if there is one.
func (d *detector) progress() (complete, candidate uint64, undecided bool) {
	if !d.learned() || d.n <= energyDelay+settle {
		return d.complete, 0, false
	}
	now := d.now()
	d.prune(now)
	level, search := d.level(now), d.searchLevel(now)
	until := now
	for _, p := range d.open {
		if p.level > watchShare*search {
			until = min(until, p.r)
			candidate, undecided = p.r, true
		}
	}
	if d.top.level > 0 {
		until = min(until, d.top.at)
		if d.top.level > level {
			candidate, undecided = d.top.at, true
		}
	}
	if until > peakSpan {
		d.complete = max(d.complete, until-peakSpan)
	}
	return d.complete, candidate, undecided
}
