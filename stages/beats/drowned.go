package beats

import "slices"

// A lead is drowned where its signal is nowhere at rest and everywhere steeper than
// the patient's beats are: then no beat can be told, and none that is missing either.
// What stands still, even under the noise of an amplifier, is far less
// steep, and so are fibrillation and flutter: 3 mV at 8 Hz have a mean of 0.4 mV a slopeStep.
const (
	drownCrest = 0.2  // index below which nothing stands out
	drownFrom  = 3.0  // mean slope over the steepest of the patient's own beats: that of noise of 0.95 mV RMS over beats of 1 mV,
	drownTo    = 1.7  // and to which it stays so
	drownLeast = 0.04 // mV a slopeStep: the steepest of a complex of 0.15 mV; smaller ones are no beats
	drownNew   = 0.3  // stands for it where beats have not been learned
)

// drown takes care that nothing is learned from noise in which no beat can be told.
func (a *analysis) drown() {
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead < 0 {
			continue
		}
		least := drownFrom
		if t.drowned {
			least = drownTo
		}
		drowned := t.slopes(&a.leads[t.lead].quality) > least && !a.ventricles()
		switch {
		case drowned && !t.drowned:
			t.read.finish(&t.qrs)
		case !drowned && t.drowned:
			t.qrs.relearn()
			t.read.restart()
		}
		t.drowned = drowned
	}
}

// slopes is the mean slope of the last second over the steepest of the
// patient's own beats; 0 where something stands out.
func (t *tracker) slopes(q *quality) float64 {
	if q.blocks == 0 || q.old.n == 0 || q.index >= drownCrest {
		return 0
	}
	mean := float64(q.old.sum) / float64(q.old.n)
	if !t.read.own.learned() {
		return mean / drownNew
	}
	steep := float64(t.read.own.list[t.read.own.dominant].form.steep) / 1000 * internalRate * slopeStep
	return mean / max(steep, drownLeast)
}

// ventricles reports what may be a rhythm of the ventricles, and is never called noise.
func (a *analysis) ventricles() bool {
	return a.episode.on || a.episode.n > 0 && a.episode.mean() > doubtWave
}

// relearn forgets levels that noise has left, and what was seen in it.
func (d *detector) relearn() {
	d.signal, d.noise, d.threshold = eight{}, eight{}, 0
	d.block, d.blocks = 0, d.blocks[:0]
	d.top, d.last, d.hasLast, d.quiet = peak{}, peak{}, false, d.n
	d.complete = max(d.complete, d.n)
	d.open, d.seen, d.found = slices.Delete(d.open, 0, len(d.open)), d.seen[:0], d.found[:0]
}
