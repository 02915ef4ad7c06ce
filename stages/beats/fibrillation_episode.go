package beats

import "heartwire/topics"

// How looks become an episode: found by leaving records out of the Malignant
// Ventricular Ectopy Database.
const (
	looksMean  = 3    // looks whose log odds are averaged: 6 s from the first sample to the last
	looksBound = 4    // to which log odds are bounded, so that one look does not outvote two
	waveOn     = 0    // mean log odds from which it is on,
	waveOff    = -1   // and below which it is off
	lookBack   = 2.5  // s before its end, a window that has just changed sides holds the change
	coarseMV   = 0.2  // fibrillation from which an episode begins: coarse (Kerber et al. 1997); finer goes on until it is asystole
	steadyFrom = 0.8  // likeness from which waves are alike,
	steadyTo   = 0.65 // and to which they stay so
	flutterHz  = 250  // waves /min from which they are flutter
	flutterTo  = 225  // and to which they stay so
	otherFor   = 4    // looks for which another kind must be seen, before it is said
)

// episode is the ventricular rhythm of an analysis, from look to look. It
// goes on when another lead is chosen.
type episode struct {
	recent [looksMean]look // the newest first
	n      int             // of them
	from   uint64          // device sample before which no episode begins: the run's first, or the last one's end
	on     bool
	kind   topics.VentricularRhythm // while on
	other  int                      // looks in a row that spoke for another kind
}

// watch takes what the chosen lead's waveform has shown.
func (a *analysis) watch(v voice) {
	a.spare.wave.waits = 0
	if a.chosen.lead < 0 {
		a.still(a.next, v)
		return
	}
	w := &a.chosen.wave
	for i := range w.looks[:w.waits] {
		a.seen(w.looks[i], v)
	}
	w.waits = 0
}

// still ends what is on, at a sample.
func (a *analysis) still(at uint64, v voice) {
	e := &a.episode
	if e.on {
		e.on = false
		a.fibrillates(false, at, v)
	}
	e.n, e.other, e.from = 0, 0, max(at, e.from)
}

// seen takes one look.
func (a *analysis) seen(l look, v voice) {
	e := &a.episode
	l.at = a.chosen.sample(l.at) // which outlives a change of leads
	copy(e.recent[1:], e.recent[:])
	e.recent[0], e.n = l, min(e.n+1, looksMean)
	switch mean := e.mean(); {
	case !e.on && mean > waveOn && l.height >= coarseMV:
		e.on, e.kind, e.other = true, e.seems(topics.VentricularRhythm_VENTRICULAR_RHYTHM_FIBRILLATION), 0
		a.fibrillates(true, a.turned(e.since(true)), v)
	case e.on && mean < waveOff:
		e.on = false
		at := a.turned(e.since(false))
		a.fibrillates(false, at, v)
		e.from = at
	case e.on:
		a.changes(v)
	}
}

// changes says another kind when it has been seen for long enough.
func (a *analysis) changes(v voice) {
	e := &a.episode
	kind := e.seems(e.kind)
	if kind == e.kind {
		e.other = 0
		return
	}
	if e.other++; e.other < otherFor {
		return
	}
	at := a.turned(e.recent[0].at - uint64((otherFor-1)*a.rate))
	a.fibrillates(false, at, v)
	e.kind, e.other, e.from = kind, 0, at
	a.fibrillates(true, at, v)
}

func (a *analysis) fibrillates(on bool, at uint64, v voice) {
	out := a.say(v, at)
	out.Kind = &topics.Annotation_Fibrillation{Fibrillation: &topics.Fibrillation{On: on, Rhythm: a.episode.kind}}
	v.emit(out)
}

// turned is the sample at which the rhythm became what the look at a sample
// was the first to see.
func (a *analysis) turned(at uint64) uint64 {
	return max(at-min(at, uint64(lookBack*a.rate)), a.episode.from)
}

// mean is that of the last looks' log odds.
func (e *episode) mean() float32 {
	var sum float32
	for _, l := range e.recent[:e.n] {
		sum += min(max(l.wave, -looksBound), looksBound)
	}
	return sum / float32(e.n)
}

// since is when the looks became, without a break, what the last one says.
func (e *episode) since(on bool) uint64 {
	i := 0
	for i+1 < e.n && e.recent[i+1].wave > 0 == on {
		i++
	}
	return e.recent[i].at
}

// seems is the kind of which those of the last looks are that saw a ventricular rhythm.
func (e *episode) seems(now topics.VentricularRhythm) topics.VentricularRhythm {
	var rate, steady, n float32
	for _, l := range e.recent[:e.n] {
		if l.wave > 0 {
			rate, steady, n = rate+l.rate, steady+l.steady, n+1
		}
	}
	if n == 0 {
		return now
	}
	rate, steady = rate/n, steady/n
	const (
		fibrillation = topics.VentricularRhythm_VENTRICULAR_RHYTHM_FIBRILLATION
		flutter      = topics.VentricularRhythm_VENTRICULAR_RHYTHM_FLUTTER
		tachycardia  = topics.VentricularRhythm_VENTRICULAR_RHYTHM_TACHYCARDIA
	)
	least, fast := float32(steadyFrom), float32(flutterHz)
	if now != fibrillation {
		least = steadyTo
	}
	if now == flutter {
		fast = flutterTo
	}
	switch {
	case steady < least:
		return fibrillation
	case rate >= fast:
		return flutter
	}
	return tachycardia
}
