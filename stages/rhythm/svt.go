package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

// Supraventricular tachycardia is a run of beats not of class V that begins
// suddenly and is regular: five or more in a row, as bedside monitors have it
// (Spacelabs: five premature beats of the dominant form, at least 15 % before the mean and
// at more than 120 /min). Sudden is what tells it from a sinus node that runs
// faster (ACC/AHA/HRS 2015 guideline for SVT, Circulation 133:e506).
const (
	svtBeats  = 5
	svtMS     = 500.0 // 120 /min
	svtSudden = 0.75  // of the mean interval before, where the beat is not of class S
	svtEarly  = 0.85  // where it is, and for as long as it lasts
	svtLeap   = 0.9   // of the interval before: a node that warms up comes a little sooner each time, and far sooner than the mean at last
	svtEven   = 0.15  // by which an interval may differ from the mean of the run, while it is not long enough to be one
	svtOver   = 1.35  // times the mean interval of the run: it has ended
	svtMean   = 8     // intervals in the mean before
	svtRRs    = 4     // from so many on there is one
)

// svt follows what begins early and goes on fast.
type svt struct {
	open   episode
	mean   float64 // interval of the beats before, in ms
	n      uint32  // intervals in it, up to svtMean
	inside float64 // mean interval within
	prior  beat    // the beat before
	has    bool
}

func (r *svt) beat(v voice, b beat) {
	if v.rhythms.run.open.rhythm == topics.Rhythm_RHYTHM_VT {
		b.class = topics.BeatClass_BEAT_CLASS_V // of a VT, whatever it looks like alone
	}
	if r.open.beats > 0 && !r.fits(b) {
		v.end(&r.open, false)
		r.inside = 0
	} else if r.open.beats > 0 {
		r.open.add(b)
		r.inside += (b.ms - r.inside) / float64(min(r.open.beats, svtMean))
		if r.open.beats >= svtBeats && r.open.rhythm == topics.Rhythm_RHYTHM_UNSPECIFIED {
			r.open.rhythm = topics.Rhythm_RHYTHM_SVT
			v.say(&r.open)
		}
	}
	if r.open.beats == 0 {
		if r.starts(v, b) {
			r.open, r.inside = begun(b), b.ms
		} else if r.has && !b.ventricular() && !r.prior.ventricular() && b.ms > 0 && b.ms < standstill*1000 {
			r.n = min(r.n+1, svtMean)
			r.mean += (b.ms - r.mean) / float64(r.n)
		}
	}
	r.prior, r.has = b, true
}

// starts reports a beat that comes early enough to be the first. In atrial
// fibrillation many do.
func (r *svt) starts(v voice, b beat) bool {
	if v.rhythms.af.open.beats > 0 || b.ventricular() || r.prior.ventricular() || r.n < svtRRs || b.ms <= 0 || b.ms >= svtMS {
		return false
	}
	early := svtSudden
	if b.class == topics.BeatClass_BEAT_CLASS_S {
		early = svtEarly
	}
	return b.ms <= early*r.mean && b.ms <= svtLeap*r.prior.ms
}

// fits reports a beat that goes on with it.
func (r *svt) fits(b beat) bool {
	switch {
	case b.ventricular() || b.ms <= 0:
		return false
	case r.open.rhythm == topics.Rhythm_RHYTHM_SVT:
		return b.ms < min(svtOver*r.inside, fastMS)
	}
	off := b.ms/r.inside - 1
	return b.ms < svtMS && b.ms <= svtEarly*r.mean && off <= svtEven && off >= -svtEven
}

func (r *svt) pass(v voice, complete uint64) {
	if r.open.beats > 0 && complete > r.open.last+v.samples(fastMS/1000) {
		v.end(&r.open, false)
	}
}

func (r *svt) stop(v voice, cut bool) {
	v.end(&r.open, cut)
	*r = svt{}
}

func (r *svt) append(e *stages.Encoder) {
	e.Bool(r.has)
	if !r.has {
		return
	}
	r.open.append(e)
	r.prior.append(e)
	e.Uint(uint64(r.n))
	e.Float(r.mean)
	e.Float(r.inside)
}

func (r *svt) decode(d *stages.Decoder) {
	if *r = (svt{has: d.Bool()}); !r.has {
		return
	}
	r.open.decode(d)
	r.prior.decode(d)
	r.n, r.mean, r.inside = uint32(d.Uint()), d.Float(), d.Float()
}
