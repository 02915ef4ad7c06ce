package beats

import (
	"math"

	"heartwire/topics"
)

// The features that a candidate is judged by: its looks, and these.
const (
	judgeRule        = iota // the detector takes it for a beat
	judgeNoise              // level over that of the other peaks
	judgeLevel              // level over the threshold
	judgePrev               // level over the last beat's
	judgeSlope              // slope over the last beat's
	judgeSince              // time since the last beat over the usual RR
	judgeSlow               // the same over the slow mean
	judgeBetween            // highest peak between over the level
	judgeNext               // highest peak soon after over the level
	judgeContrast           // of the detector
	judgeUneven             // irregularity of the last RRs
	judgeFit                // how well the last beats fitted their templates
	judgeLastQuiet          // noise beside the last beats
	judgeLastChance         // of the last beat
	judgeLastRes            // the last beat's residual to the dominant template
	judgeBridge             // how far from the usual RR after the last beat the best later peak comes, in shares of it
	judgeBridgeLevel        // that peak's level over this one's
	judgeBridgeLast         // and over the last beat's
	judgeGap                // time to the next peak that is not much lower, in usual RRs
	judgeLater              // best fit of a later peak
	judgeLaterFar           // how far from the usual RR after the last beat that comes, in shares of it
	judgeLaterGap           // and how far from this one
	judgeSoon               // best fit of a peak within 400 ms
	judgeMissed             // best fit of a peak between the last beat and this one
	judgeLastFit            // of the last beat
	judgePoor               // how high the peaks have been that fit nothing
	judgeStep               // by how much the signal's level changes across it
	judgeSteps              // and across the last beats
	judgeUneven16           // median change of the last RRs
	judgeWidth              // at half height over the last beat's
	numJudge
)

var judgeNames = [numJudge]string{"rule", "level_noise", "level_threshold", "level_prev", "slope_prev", "since_rr", "since_slow", "between",
	"next", "contrast", "uneven", "fit", "last_quiet", "last_chance", "last_res",
	"bridge", "bridge_level", "bridge_last", "gap",
	"later", "later_far", "later_gap", "soon", "missed", "last_fit", "poor", "step", "steps", "uneven_16", "width_prev"}

// What of the chance that a candidate is a beat decides.
const (
	dropBelow = .03 // where the signal is plain
	dropNoise = .6  // where it is doubted
	addFrom   = 0.9
	plainTo   = .65 // doubt up to which it is plain: in atrial fibrillation it is about 0.5, with electrode motion about 0.8
	noiseFrom = .85

	doubtSteps   = 0.3  // change of level across the last beats over their height,
	doubtBetween = 0.28 // and height of the other peaks over theirs: both as much, and it is doubted whether they are beats
)

// doubt is how much the last beats look like electrode motion: the level
// changes across them, and the peaks between them are not much lower; the less of the two counts.
func (t *reader) doubt(d *detector) float32 {
	return min(t.steps/doubtSteps, (1-d.contrast())/doubtBetween)
}

// least is the chance from which the detector's beats are beats: high where they are doubted.
func (t *reader) least(d *detector) float32 {
	noisy := min(max((t.doubt(d)-plainTo)/(noiseFrom-plainTo), 0), 1)
	return dropBelow + noisy*(dropNoise-dropBelow)
}

func (t *reader) judgeFeatures(d *detector, i int, x *[numLooks + numJudge]float32) {
	c := &t.list[i]
	copy(x[:], c.x[:])
	j := x[numLooks:]
	b := t.before(i)
	usual := t.rr.quantile(0.5, rrNominal)
	if c.rule {
		j[judgeRule] = 1
	}
	j[judgeNoise], j[judgeLevel] = ratio(c.level, d.noise.median), ratio(c.level, d.threshold)
	j[judgeSince], j[judgeSlow] = 10, 10
	if b.has {
		j[judgePrev], j[judgeSlope] = ratio(c.level, b.level), ratio(c.slope, b.slope)
		since := float32(c.at - b.at)
		j[judgeSince], j[judgeSlow] = ratio(since, usual), ratio(since, max(t.rr.slow, 1))
		j[judgeLastChance], j[judgeLastRes], j[judgeLastFit] = b.chance, b.res, b.fit
		j[judgeWidth] = ratio(c.width, b.width)
	}
	for k := range t.list {
		o := &t.list[k]
		switch {
		case k < i && o.at > b.at && o.verdict != accepted:
			j[judgeBetween] = max(j[judgeBetween], ratio(o.level, c.level))
			j[judgeMissed] = max(j[judgeMissed], o.x[lookCorBest])
		case k > i && o.at <= c.at+lookAt:
			j[judgeNext] = max(j[judgeNext], ratio(o.level, c.level))
			j[judgeSoon] = max(j[judgeSoon], o.x[lookCorBest])
		}
	}
	t.bridge(i, b, usual, j)
	j[judgeContrast], j[judgeUneven] = d.contrast(), t.rr.irregularity(8)
	j[judgeFit], j[judgeLastQuiet] = t.fit, t.noise
	j[judgePoor], j[judgeStep], j[judgeSteps], j[judgeUneven16] = t.poor, c.step, t.steps, t.rr.uneven
}

// bridge looks for a later peak that comes when the beat after the last one
// would be due: then what lies between them is less likely a beat.
func (t *reader) bridge(i int, last past, usual float32, j []float32) {
	c := &t.list[i]
	j[judgeBridge], j[judgeGap], j[judgeLaterFar], j[judgeLaterGap] = 1, 2, 1, 2
	for k := i + 1; k < len(t.list) && t.list[k].at <= c.at+lookAhead; k++ {
		o := &t.list[k]
		if o.x[lookCorBest] > j[judgeLater] {
			j[judgeLater], j[judgeLaterGap] = o.x[lookCorBest], ratio(float32(o.at-c.at), usual)
			if last.has {
				j[judgeLaterFar] = abs(float32(o.at-last.at)/usual - 1)
			}
		}
		if o.level > c.level/2 && j[judgeGap] == 2 {
			j[judgeGap] = ratio(float32(o.at-c.at), usual)
		}
		if !last.has || o.level < last.level/2 {
			continue
		}
		if far := abs(float32(o.at-last.at)/usual - 1); far < j[judgeBridge] {
			j[judgeBridge], j[judgeBridgeLevel], j[judgeBridgeLast] = far, ratio(o.level, c.level), ratio(o.level, last.level)
		}
	}
}

// chanceOf is the chance that a candidate is a beat; that of an undecided one
// while there is nothing to compare with.
func (t *reader) chanceOf(d *detector, i int) float32 {
	x := &t.asked
	*x = [numLooks + numJudge]float32{}
	if t.models == nil || t.models.judge == nil || !t.own.learned() {
		if t.models != nil && t.models.seen != nil {
			t.judgeFeatures(d, i, x)
			t.models.seen(&t.list[i], x[:])
		}
		return (dropBelow + addFrom) / 2
	}
	t.judgeFeatures(d, i, x)
	if t.models.seen != nil {
		t.models.seen(&t.list[i], x[:])
	}
	return float32(t.models.judge.Probability(x[:]))
}

// The features by which a beat is classified: its looks, and these.
const (
	classRR        = iota // RR before over the 75th percentile of the last
	classRR90             // over the 90th
	classRRSlow           // over the slow mean
	classRRLast           // over the RR before it
	classLast             // the RR before it over the 75th percentile
	classNext             // RR after, at most 1.1 s, over the 75th percentile, which counts as at most 1.1 s
	classNextRatio        // over the RR before
	classPause            // both together over twice the 75th percentile
	classCapped           // the next beat did not come in time
	classUneven           // irregularity of the last RRs
	classUneven16         // median change
	classLastRes          // the last beat's residual to the dominant template
	classNextRes          // the next one's
	classEarly            // mean earliness of the beats of its template
	classLater            // and of what follows them
	classCount            // how many its template has
	classChance           // that it is a beat
	classFit              // how well the last beats fitted
	classLastQuiet        // noise beside the last beats
	classSameLast         // the last beat has the same template
	classBase             // RR before over that of the basic rhythm
	classAway             // beats since the basic rhythm was left
	classCrowd            // share of the last RRs that are alike
	classCrowdRR          // RR before over those
	classCells            // irregularity as in atrial fibrillation
	classLast2            // the RR before the one before over the 75th percentile
	classPFit             // how well the P waves of the dominant template's last beats fitted it
	classPLess            // P wave's correlation less that
	classPHeight          // the dominant template's P wave over its QRS complex
	classLastT            // T wave of the last beat, in which this one's P wave may lie
	classLastP            // P wave of the last beat
	numClass
)

var classNames = [numClass]string{"rr_75", "rr_90", "rr_slow", "rr_last", "last_75", "next_75", "next_rr", "pause", "capped", "uneven",
	"uneven_16", "last_res", "next_res", "early", "later", "count", "chance", "fit", "last_quiet", "same_last",
	"rr_base", "away", "crowd", "rr_crowd", "cells", "last2_75", "p_fit", "p_less", "p_height", "last_t", "last_p"}

// classify makes a beat of an accepted candidate; next is -1 where none has come.
func (t *reader) classify(i, next int, now uint64) {
	c := &t.list[i]
	b := beat{r: c.r, ready: now, odds: odds{v: -20, s: -20}}
	p75 := t.rr.quantile(0.75, rrNominal)
	var rr, after float32
	if t.last.has {
		rr = float32(c.r - t.last.r)
	}
	after = lookNext
	if next >= 0 {
		after = min(float32(t.list[next].r-c.r), lookNext)
	}
	x := &t.told
	*x = [numLooks + numClass]float32{}
	copy(x[:], c.x[:])
	f := x[numLooks:]
	before := rr
	if before == 0 {
		before = p75
	}
	prior := t.rr.last(0, before)
	f[classRR], f[classRR90], f[classRRSlow] = ratio(before, p75), ratio(before, t.rr.quantile(0.9, rrNominal)), ratio(before, max(t.rr.slow, 1))
	f[classRRLast], f[classLast] = ratio(before, prior), ratio(prior, p75)
	f[classNext], f[classNextRatio] = ratio(after, min(p75, lookNext)), ratio(after, before)
	f[classPause] = ratio(before+after, 2*p75)
	if after >= lookNext {
		f[classCapped] = 1
	}
	if next >= 0 {
		f[classNextRes] = t.list[next].x[lookResDom]
	}
	f[classUneven], f[classUneven16] = t.rr.irregularity(8), t.rr.uneven
	f[classLastRes] = t.last.res
	t.company(c, rr > 0, f)
	f[classChance], f[classFit], f[classLastQuiet] = c.chance, t.fit, t.noise
	t.context(c, before, f)
	t.models.classes(t, c, &b, x[:])
	t.hold(c, rr, &b)
	if t.last.has && abs(f[classRRLast]-1) < evenRR {
		if b.s += evenShare * (t.last.s - b.s); t.last.s < oddsS && abs(f[classRRLast]-1) < steadyRR && t.rr.base.away < steadyBeats {
			b.s = min(b.s, t.last.s)
		}
	}
	if base := t.rr.base; rr > 0 {
		if t.rr.push(rr); t.run.beats == heldFrom {
			t.rr.base = base
		}
	}
	if c.x[lookIsDom] > 0 {
		t.p += fitShare * (c.x[lookPCor] - t.p)
	}
	t.last = past{has: true, at: c.at, r: c.r, level: c.level, slope: c.slope, chance: c.chance, res: c.x[lookResDom], template: c.template,
		fit: c.x[lookCorBest], width: c.width, p: c.x[lookPCor], t: c.x[lookTCor], s: b.s}
	t.ready = append(t.ready, b)
	t.mark(c, b)
}

// company tells of the beats that look like a candidate, to which it is added; timed if there is an RR before it.
func (t *reader) company(c *candidate, timed bool, f []float32) {
	f[classEarly], f[classLater] = 1, 1
	if c.template >= 0 {
		m := &t.own.list[c.template]
		if timed {
			share := max(1/float32(m.n), slowest)
			m.early += share * (min(f[classRR], 2) - m.early)
			m.later += share * (min(f[classNext], 2) - m.later)
		}
		f[classEarly], f[classLater], f[classCount] = m.early, m.later, float32(min(m.n, 100))
		if t.last.has && t.last.template == c.template {
			f[classSameLast] = 1
		}
	}
}

// context tells the atria's rhythm: regular, fibrillating, left for a run; and
// what of P waves there is.
func (t *reader) context(c *candidate, before float32, f []float32) {
	var crowd float32
	f[classCrowd], crowd = t.rr.crowd()
	base := t.rr.base.rr
	if base == 0 {
		base = before
	}
	f[classBase], f[classAway], f[classCrowdRR] = ratio(before, base), float32(t.rr.base.away), ratio(before, crowd)
	p75 := t.rr.quantile(0.75, rrNominal)
	f[classCells], f[classLast2] = t.rr.cells(), ratio(t.rr.last(1, p75), p75)
	f[classPFit], f[classPLess] = t.p, c.x[lookPCor]-t.p
	if len(t.own.list) > 0 {
		g := t.own.list[t.own.dominant].form
		f[classPHeight] = ratio(float32(math.Sqrt(float64(g.pEnergy)*qrsLen/pLen)), float32(math.Sqrt(float64(g.energy))))
	}
	f[classLastT], f[classLastP] = t.last.t, t.last.p
}

// Beats that follow each other evenly are of one rhythm: what is one of a run makes the next likely one,
// and without an early beat none begins: a sinus node that runs faster is none.
const (
	evenRR    = 0.1 // change of the RR
	evenShare = 0.5 // of the last beat's log odds of S

	steadyRR    = 0.05 // change of the RR with which no run begins
	steadyBeats = 8    // after the basic rhythm was left
)

// odds are the log odds of classes V and S.
type odds struct{ v, s float32 }

const (
	oddsV = 0     // from which a beat is V: sensitivity and positive predictivity are then nearest, records left out
	oddsS = -0.75 // from which it is S, if it is not V; likewise, with some room for sensitivity
)

func (o odds) class() topics.BeatClass {
	switch {
	case o.v >= oddsV:
		return topics.BeatClass_BEAT_CLASS_V
	case o.s >= oddsS:
		return topics.BeatClass_BEAT_CLASS_S
	}
	return topics.BeatClass_BEAT_CLASS_N
}

// What another lead's log odds add, by records left out. A V that looks narrow or small in one lead is plain in
// another: that the other lead shows a V counts, that it shows none hardly does.
const (
	leadFor     = 0.4
	leadAgainst = 0.1
	leadS       = 0.3 // share of its log odds of S,
	leadMiddle  = -2  // less this
)

// with is what a lead and a lesser one say together.
func (o odds) with(other odds) odds {
	return odds{o.v + leadFor*max(other.v, 0) + leadAgainst*min(other.v, 0), o.s + leadS*(other.s-leadMiddle)}
}

func probability(odds float32) float64 { return 1 / (1 + math.Exp(-float64(odds))) }
