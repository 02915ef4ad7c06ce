package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

const (
	vfLasts  = 4.0 // s of waveform: ALARMS, VF/flutter
	vfJoined = 3.0 // s of something else between two stretches that are one
	vfTold   = 5.0 // s within which the stage before tells of the second one
)

// vf follows ventricular fibrillation, flutter, and tachycardia in which no
// complex can be told from the next, which the stage before finds in the
// waveform. Its episodes have no beats.
type vf struct {
	on    bool
	begun bool                     // there is an episode, said or not, that may go on
	kind  topics.VentricularRhythm // what it is now
	p     episode                  // last is where it ended, while it is not on
}

// open reports an episode that has been said and is on.
func (r *vf) open() bool { return r.on && r.p.rhythm != topics.Rhythm_RHYTHM_UNSPECIFIED }

// nears reports fibrillation or flutter that has not lasted long enough to be
// said: within a second or two it is, or is over. What looks like beats in it begins no run.
func (r *vf) nears() bool {
	return r.on && !r.open() && r.kind != topics.VentricularRhythm_VENTRICULAR_RHYTHM_TACHYCARDIA
}

// waveform takes what the stage before says. It may tell of a place before
// the beats that have been taken: those are not taken back, an alarm stands by them.
func (r *vf) waveform(v voice, f *topics.Fibrillation, at instant) {
	switch {
	case f.GetOn():
		if r.begun && at.sample > r.p.last+v.samples(vfJoined) && !r.on {
			r.over(v, false)
		}
		if !r.begun {
			r.p = episode{onset: at.sample, onsetUs: at.us}
		}
		r.on, r.begun, r.kind = true, true, f.GetRhythm()
		r.turn(v, at)
		r.judge(v)
	case r.on:
		r.on = false
		r.p.last, r.p.lastUs = max(at.sample, r.p.onset), max(at.us, r.p.onsetUs)
	}
}

// turn ends tachycardia that becomes fibrillation, or the other way round, and
// begins the other where it did: they are told apart, though nothing was between them.
func (r *vf) turn(v voice, at instant) {
	was, is := r.p.rhythm, ventricular(r.kind)
	if was == topics.Rhythm_RHYTHM_UNSPECIFIED || (was == topics.Rhythm_RHYTHM_VT) == (is == topics.Rhythm_RHYTHM_VT) {
		return
	}
	r.p.last, r.p.lastUs = max(at.sample, r.p.onset), max(at.us, r.p.onsetUs)
	v.end(&r.p, false)
	r.p = episode{rhythm: is, onset: at.sample, onsetUs: at.us}
	v.say(&r.p)
}

// judge says what has lasted, and what has become another.
func (r *vf) judge(v voice) {
	is := ventricular(r.kind)
	if is == r.p.rhythm || !v.has || v.sample < r.p.onset+v.samples(vfLasts) {
		return
	}
	first := r.p.rhythm == topics.Rhythm_RHYTHM_UNSPECIFIED
	if r.p.rhythm = is; first {
		v.quiet(false)
	}
	v.say(&r.p)
}

func ventricular(kind topics.VentricularRhythm) topics.Rhythm {
	switch kind {
	case topics.VentricularRhythm_VENTRICULAR_RHYTHM_FLUTTER:
		return topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER
	case topics.VentricularRhythm_VENTRICULAR_RHYTHM_TACHYCARDIA:
		return topics.Rhythm_RHYTHM_VT
	}
	return topics.Rhythm_RHYTHM_VF
}

// pass takes what has come since: v.sample is the last.
func (r *vf) pass(v voice) {
	switch {
	case r.on:
		r.judge(v)
	case r.begun && r.unseen(v):
		r.over(v, true)
	case r.begun && v.has && v.sample > r.p.last+v.samples(vfJoined+vfTold):
		r.over(v, false)
	}
}

// unseen reports an end with the last sample that could be looked at: samples
// are missing, or noise hides the rest. That is not its end. One that was seen lies before.
func (r *vf) unseen(v voice) bool { return !r.on && v.has && r.p.last > v.sample }

// over ends it where its waveform did, or, cut by a gap while it is on, with
// the last sample.
func (r *vf) over(v voice, cut bool) {
	if r.on && v.has {
		r.p.last, r.p.lastUs = max(v.sample, r.p.onset), max(v.sampleUs, r.p.onsetUs)
	}
	v.end(&r.p, cut && (r.on || r.unseen(v)))
	*r = vf{}
}

func (r *vf) append(e *stages.Encoder) {
	e.Bool(r.begun)
	if !r.begun {
		return
	}
	e.Bool(r.on)
	e.Uint(uint64(r.kind))
	e.Uint(uint64(r.p.rhythm))
	e.Uint(r.p.onset)
	e.Int(r.p.onsetUs)
	e.Uint(r.p.last)
	e.Int(r.p.lastUs)
}

func (r *vf) decode(d *stages.Decoder) {
	if *r = (vf{begun: d.Bool()}); !r.begun {
		return
	}
	r.on, r.kind = d.Bool(), topics.VentricularRhythm(d.Uint())
	r.p = episode{rhythm: topics.Rhythm(d.Uint()), onset: d.Uint(), onsetUs: d.Int(), last: d.Uint(), lastUs: d.Int()}
}
