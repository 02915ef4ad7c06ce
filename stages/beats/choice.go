package beats

import (
	"math"

	"heartwire/topics"
)

// electrodes says which leads went off or came back with this frame.
func (a *analysis) electrodes(s *topics.Samples, from uint64, v voice) {
	for i, of := range s.GetLeads() {
		l := &a.leads[i]
		if l.told && l.off == of.GetOff() {
			continue
		}
		if l.off && !of.GetOff() {
			l.quality = quality{} // nothing is known of it any more
		}
		l.off, l.told = of.GetOff(), true
		all := true
		for j := range a.leads {
			all = all && a.leads[j].off
		}
		out := a.say(v, from)
		out.Kind = &topics.Annotation_Lead{Lead: &topics.LeadState{Lead: l.name, Off: l.off, All: all}}
		v.emit(out)
	}
}

// choose takes care that the best lead is analysed, and another one is ready.
func (a *analysis) choose(from uint64, v voice) {
	if c := a.chosen.lead; c >= 0 && !a.leads[c].fit() {
		if a.inRun {
			a.chosen.finish()
			a.beats(true, v)
		}
		a.chosen.lead = -1
	}
	if c := a.spare.lead; c >= 0 && !a.leads[c].fit() {
		a.spare.lead = -1
	}
	a.drown()
	if a.chosen.lead < 0 || a.better >= betterFor || a.chosen.drowned && a.spare.lead >= 0 && !a.spare.drowned && a.spare.qrs.learned() {
		a.change(from)
	}
	if s := a.spare.lead; s < 0 || a.leads[s].quality.blocks > 0 && a.worth(s) < betterBy {
		if i := a.best(); i >= 0 && (s < 0 || a.worth(i) > a.worth(s)+betterBy) {
			a.spare = a.begin(i, from)
		}
	}
	a.suspend(from, v)
	for i := range a.leads {
		a.judged(i, from, v)
	}
}

// suspend takes care that no beats are said where they cannot be told from noise
// in the best lead there is. The search for fibrillation goes on, and what may be
// a rhythm of the ventricles is never called noise.
func (a *analysis) suspend(from uint64, v voice) {
	most := suspendFrom
	if a.doubted {
		most = resumeBelow
	}
	doubted := a.chosen.lead >= 0 && (a.chosen.drowned || a.chosen.qrs.learned() && a.chosen.doubt() > most && !a.ventricles())
	if doubted == a.doubted || a.doubted && a.chosen.lead >= 0 && !a.chosen.qrs.learned() {
		return
	}
	if doubted && a.inRun {
		a.beats(true, v) // what was found before
	}
	a.doubted, a.hasBeat, a.said = doubted, false, max(a.said, from)
}

// worth orders leads for the choice: one in which beats cannot be told from noise is worth little.
func (a *analysis) worth(i int) float64 {
	w := a.leads[i].worth()
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead == i && t.drowned {
			w = 0
		} else if t.lead == i {
			w *= 1 - min(max(t.doubt()-doubtFrom, 0)/(1-doubtFrom), 1)
		}
	}
	return w
}

// change makes the spare the chosen one, or begins with the best lead there is.
func (a *analysis) change(from uint64) {
	a.better = 0
	if a.spare.lead < 0 {
		if a.chosen.lead >= 0 {
			return
		}
		a.hasBeat, a.said = false, max(a.said, from)
		if i := a.best(); i >= 0 {
			a.chosen = a.begin(i, from)
		}
		return
	}
	a.chosen, a.spare = a.spare, a.chosen
	last := a.chosen.read.last
	n := a.chosen.sample(last.r)
	if last.has && a.hasBeat && math.Abs(float64(n)-float64(a.lastBeat))*1000 <= joinMS*a.rate {
		a.lastBeat = n // the same beat, where this lead has it
		return
	}
	a.hasBeat = false
}

// best is the best lead that is neither chosen nor spare; -1: none.
func (a *analysis) best() int {
	best, most := -1, -1.0
	for i := range a.leads {
		l := &a.leads[i]
		if i == a.chosen.lead || i == a.spare.lead || !l.fit() {
			continue
		}
		if w := a.worth(i) + bonus(l.name); w > most {
			best, most = i, w
		}
	}
	return best
}

func (a *analysis) begin(i int, from uint64) tracker {
	t := newTracker()
	t.lead = i
	t.restart(a.kernel, from)
	if a.doubted { // until it has shown that it is better
		t.read.beside, t.read.steps = suspendFrom*doubtBeside, suspendFrom*doubtSteps
	}
	return t
}

// compare counts the seconds for which the spare has been the better lead. A
// chosen lead without any signal is left at once: asystole is said only where
// no lead shows a heart.
func (a *analysis) compare() {
	if a.spare.lead < 0 || !a.spare.qrs.learned() {
		a.better = 0
		return
	}
	chosen := &a.leads[a.chosen.lead]
	switch {
	case a.silent() && a.spare.qrs.contrast() >= standsOut:
		a.better = betterFor
	case a.worth(a.spare.lead) <= a.worth(a.chosen.lead)+betterBy || a.spare.qrs.contrast()+contrastSlack <= a.chosen.qrs.contrast():
		a.better = 0
	case chosen.quality.flat:
		a.better = betterFor
	default:
		a.better++
	}
}

// silent reports that the chosen lead has shown no beat for long, while the
// spare has gone on: its complexes are too small here, or it hangs loose.
func (a *analysis) silent() bool {
	c, s := &a.chosen.qrs, &a.spare.qrs
	since := c.last.at // 0 before the first
	return c.learned() && c.n-since > silentFrom && s.hasLast && s.n-s.last.at < silentFrom/2 && s.rr.n >= silentBeats &&
		a.worth(a.spare.lead) >= betterBy
}

// judged says a lead's quality if it has changed.
func (a *analysis) judged(i int, from uint64, v voice) {
	l := &a.leads[i]
	index, usable, chosen := a.worth(i), l.fit(), i == a.chosen.lead
	if !usable {
		index = 0
	}
	if usable == l.usable && chosen == l.chosen && math.Abs(index-l.said) < sayStep {
		return
	}
	l.said, l.usable, l.chosen = index, usable, chosen
	out := a.say(v, from)
	out.Kind = &topics.Annotation_Quality{Quality: &topics.Quality{Lead: l.name, Index: index, Usable: usable, Analysed: chosen}}
	v.emit(out)
}
