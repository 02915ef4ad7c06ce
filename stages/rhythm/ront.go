package rhythm

import (
	"math"

	"heartwire/stages"
	"heartwire/topics"
)

const (
	// The end of the T wave is estimated from the intervals before, as Lian et al.
	// do (Pacing Clin. Electrophysiol. 2011;34:700): QT by Fridericia's formula, 400 ms at
	// 60 /min. A coupling interval is measured from R to R, the QT from the
	// onset of QRS, about 40 ms before its R peak.
	qtMS   = 400.0
	onsetR = 40.0
	// Repolarisation follows the rate with a delay: the mean of this many intervals.
	qtBeats = 8
	rOnTRRs = 3 // from so many intervals on there is a mean to go by
)

// rOnT finds beats of class V that fall onto the T wave of the beat before.
type rOnT struct {
	mean  float64 // interval in ms between beats not of class V
	n     uint32  // intervals in it, up to qtBeats
	prior beat    // the beat before, if there is one
	has   bool
}

func (r *rOnT) beat(v voice, b beat) {
	onT := r.has && b.ventricular() && !r.prior.ventricular() && r.n >= rOnTRRs && b.ms > 0 && b.ms < tEnd(r.mean)
	if onT {
		p := begun(r.prior)
		p.add(b)
		v.once(topics.Rhythm_RHYTHM_R_ON_T, p)
	}
	// An early beat's interval, and the pause after it, are not the rate's.
	if r.has && !b.ventricular() && !r.prior.ventricular() && b.ms > 0 && b.ms < standstill*1000 {
		r.n = min(r.n+1, qtBeats)
		r.mean += (b.ms - r.mean) / float64(r.n)
	}
	r.prior, r.has = b, true
}

// tEnd is how long after an R peak its T wave ends, in ms, by the mean interval.
func tEnd(ms float64) float64 { return qtMS*math.Cbrt(ms/1000) - onsetR }

func (r *rOnT) pass(voice, uint64) {}

func (r *rOnT) stop(voice, bool) { *r = rOnT{} }

func (r *rOnT) append(e *stages.Encoder) {
	e.Bool(r.has)
	if !r.has {
		return
	}
	r.prior.append(e)
	e.Uint(uint64(r.n))
	e.Float(r.mean)
}

func (r *rOnT) decode(d *stages.Decoder) {
	if *r = (rOnT{has: d.Bool()}); !r.has {
		return
	}
	r.prior.decode(d)
	r.n, r.mean = uint32(d.Uint()), d.Float()
}
