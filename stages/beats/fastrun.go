package beats

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"heartwire/topics"
)

// Is what ends here ventricular tachycardia? No beat alone tells: in one lead
// those of a tachycardia look normal, in another noise looks ventricular. So the
// last five beats of a lead are judged together, and beside what the other lead has
// at their places: a few features, weighed by a logistic model.
const (
	fastBeats  = 5            // ALARMS: VT is five beats or more
	fastMS     = 60_000. / 90 // ms: what is slower on the mean is no tachycardia
	fastGapMS  = 1200.        // nor is one with so long an interval
	fastWorth  = 0.05         // index from which the other lead counts: a tachycardia lowers it as noise does
	fastBehind = 1.5          // s: what ended longer before the beat with which it would be told is over
	marksKept  = 4.5          // s before what has been said: fastBehind, four mean intervals, and the matching window
	maxMarks   = 96           // in two leads at the highest rate, a frame of 10 s
	oddsBound  = 5            // to which a beat's log odds are bounded, so that one does not outvote four
	quietNone  = 0.3          // what stands for the other lead's lookQuiet where it has none of the beats
)

// mark is what is kept of a beat of one lead for the runs that it belongs to.
type mark struct {
	r, ready uint64  // samples of internalRate
	odds     float32 // of class V, bounded
	template int     // -1: none
	quiet    float32 // slope beside the complex over its own
	level    float32 // log of its energy over the level of the lead's beats
	size     float32 // log of its height over that of the dominant template
}

// mark keeps a beat that has been classified.
func (t *reader) mark(c *candidate, b beat) {
	if len(t.marks) == maxMarks {
		t.marks = slices.Delete(t.marks, 0, 1)
	}
	t.marks = append(t.marks, mark{
		r: b.r, ready: b.ready, odds: min(max(b.v, -oddsBound), oddsBound), template: c.template,
		quiet: c.x[lookQuiet], level: logRatio(c.x[lookLevel]), size: logRatio(c.x[lookRange]),
	})
}

func logRatio(v float32) float32 { return float32(math.Log(float64(min(max(v, 0.05), 20)))) }

// forgetMarks drops those that no beat to be said can need.
func (a *analysis) forgetMarks() {
	before := a.said - min(a.said, uint64(marksKept*a.rate))
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		n := 0
		for n < len(t.read.marks) && t.sample(t.read.marks[n].r) < before {
			n++
		}
		t.read.marks = slices.Delete(t.read.marks, 0, n)
	}
}

// The features of a run. Odds are of class V; the other lead's are those of the
// beats that it has within 150 ms of the run's.
const (
	fastLeast  = iota // lowest odds in its lead
	fastMean          // mean of the higher odds of both leads,
	fastWeak          // and the lowest of them
	fastShared        // share of its beats that the other lead has, of those that it has come to
	fastOther         // mean odds in the other lead
	fastRest          // mean lookQuiet in the other lead
	fastAlike         // share of the beats of one template
	fastUneven        // variation of the intervals
	fastLevel         // mean of mark.level
	fastSizes         // deviation of mark.size
	fastFeatures
)

var fastNames = [fastFeatures]string{"least", "mean", "weak", "shared", "other", "rest", "alike", "uneven", "level", "sizes"}

// fastRun finds the best of the runs that end with a beat of the chosen lead, or
// in the other lead since the beat before; n is its sample.
func (a *analysis) fastRun(b beat, n uint64, best *topics.FastRun) {
	own := a.chosen.read.marks
	for len(own) > 0 && own[len(own)-1].r > b.r {
		own = own[:len(own)-1]
	}
	var other []mark
	if s := &a.spare; s.lead >= 0 && a.leads[s.lead].worth() >= fastWorth && s.read.own.learned() {
		other = s.read.marks
		for len(other) > 0 && s.sample(other[len(other)-1].ready) > a.chosen.sample(b.ready+pairWait) {
			other = other[:len(other)-1]
		}
	}
	a.judgeRun(&a.chosen, own, &a.spare, other, best)
	near := joinMS * a.rate / 1000
	for end := len(other); end > 0; end-- {
		last := float64(a.spare.sample(other[end-1].r))
		if last+near <= float64(a.lastBeat) || last <= float64(n)-fastBehind*a.rate {
			break // it was judged with a beat before
		}
		if last <= float64(n)+near {
			a.judgeRun(&a.spare, other[:end], &a.chosen, own, best)
		}
	}
}

// judgeRun judges the last five beats of a lead, and keeps the run that looks more ventricular.
func (a *analysis) judgeRun(t *tracker, of []mark, beside *tracker, other []mark, best *topics.FastRun) {
	if len(of) < fastBeats {
		return
	}
	of = of[len(of)-fastBeats:]
	var at [fastBeats]float64 // ms
	for i := range of {
		at[i] = float64(t.sample(of[i].r)) * 1000 / a.rate
	}
	var square float64
	mean := (at[fastBeats-1] - at[0]) / (fastBeats - 1)
	for i := 1; i < fastBeats; i++ {
		d := at[i] - at[i-1]
		if d > fastGapMS {
			return
		}
		square += (d - mean) * (d - mean)
	}
	if mean >= fastMS || mean <= 0 {
		return
	}
	var x [fastFeatures]float32
	x[fastUneven] = float32(math.Sqrt(square/(fastBeats-1)) / mean)
	runFeatures(of, &x)
	if beside.lead >= 0 && len(other) > 0 {
		var places [maxMarks]float64
		for i := range other {
			places[i] = float64(beside.sample(other[i].r)) * 1000 / a.rate
		}
		besideFeatures(of, at[:], other, places[:len(other)], &x)
	}
	onset := t.sample(of[0].r)
	if m := a.chosen.read.models; m != nil && m.run != nil {
		m.run(onset, t.sample(of[fastBeats-1].r), t.lead, x[:])
	}
	if p := probability(fastOdds(&x)); p > best.GetVentricular() {
		best.Ventricular, best.Onset, best.RrMs = p, onset, mean
	}
}

// runFeatures are those of the lead itself, and what stands for the other lead
// where there is none.
func runFeatures(of []mark, x *[fastFeatures]float32) {
	least, most := of[0].odds, 0
	var odds, quiet, level, size, square float32
	for i := range of {
		m := &of[i]
		least = min(least, m.odds)
		odds, quiet, level, size, square = odds+m.odds, quiet+m.quiet, level+m.level, size+m.size, square+m.size*m.size
		n := 0
		for k := range of {
			if m.template >= 0 && of[k].template == m.template {
				n++
			}
		}
		most = max(most, n)
	}
	odds, quiet, level, size, square = odds/fastBeats, quiet/fastBeats, level/fastBeats, size/fastBeats, square/fastBeats
	x[fastLeast], x[fastMean], x[fastWeak] = least, odds, least
	x[fastShared], x[fastOther], x[fastRest] = 1, odds, quiet
	x[fastAlike], x[fastLevel] = float32(most)/fastBeats, level
	x[fastSizes] = sqrt(max(square-size*size, 0))
}

// besideFeatures are those of the other lead; at and places are ms.
func besideFeatures(of []mark, at []float64, other []mark, places []float64, x *[fastFeatures]float32) {
	var mean, odds, quiet float32
	weak, n, known, first := float32(oddsBound), 0, 0, 0
	for i := range of {
		if at[i] <= places[len(places)-1]+joinMS {
			known++
		}
		near, far := -1, joinMS
		for first < len(places) && places[first] < at[i]-joinMS {
			first++
		}
		for k := first; k < len(places) && places[k] <= at[i]+joinMS; k++ {
			if d := math.Abs(places[k] - at[i]); d <= far {
				near, far = k, d
			}
		}
		high := of[i].odds
		if near >= 0 {
			n++
			odds, quiet = odds+other[near].odds, quiet+other[near].quiet
			high = max(high, other[near].odds)
		}
		mean, weak = mean+high/fastBeats, min(weak, high)
	}
	x[fastMean], x[fastWeak], x[fastShared] = mean, weak, float32(n)/float32(max(known, 1))
	x[fastOther], x[fastRest] = -oddsBound, quietNone
	if n > 0 {
		x[fastOther], x[fastRest] = odds/float32(n), quiet/float32(n)
	}
}

//go:embed fastrun.weights
var fastrunWeights string

// fastWeights are what train/fastrun.py found; the last is the constant.
var fastWeights = func() (w [fastFeatures + 1]float32) {
	lines := strings.Split(strings.TrimSpace(fastrunWeights), "\n")
	for i, name := range append(slices.Clone(fastNames[:]), "constant") {
		var is string
		var v float64
		err := fmt.Errorf("%d lines", len(lines))
		if len(lines) == len(w) {
			var number string
			is, number, _ = strings.Cut(lines[i], " ")
			v, err = strconv.ParseFloat(number, 32)
		}
		if err != nil || is != name {
			panic(fmt.Sprintf("beats: fastrun.weights: want %s, have %q: %v", name, is, err)) // of this very build: any test sees it
		}
		w[i] = float32(v)
	}
	return w
}()

func fastOdds(x *[fastFeatures]float32) float32 {
	odds := fastWeights[fastFeatures]
	for i, v := range x {
		odds += fastWeights[i] * v
	}
	return odds
}
