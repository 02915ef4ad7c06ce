package beats

import "heartwire/stages"

// What was a tachycardia of class V as it began, and has not changed since, is
// one still, however long it lasts: the features are ratios to what is usual,
// and after half a minute its own shape and rate would be. An alarm that ends while
// the tachycardia goes on is worse than one that goes on for too long.
//
// A tachycardia with wide complexes is ventricular until it is shown to be something else
// (ACC/AHA/HRS 2015 guideline for SVT, Circulation 133:e506). But what begins at the rate that was
// there, as bundle branch block does when a sinus rhythm becomes faster, or a lead that
// has changed, has no rate of its own: it is not held, and is usual soon.
const (
	heldFrom  = 5                            // beats: ALARMS, VT
	heldBegin = 0.6 * internalRate           // 100 /min: what is slower does not begin as one,
	heldRR    = fastMS * internalRate / 1000 // what is slower on the mean has ended
	heldOwn   = 1 - baseNear                 // of the basic interval: from it on a rate is another one
	heldNear  = 0.2                          // by which an interval may differ from their mean
	heldGap   = fastGapMS * internalRate / 1000
	heldOdd   = 2      // beats in a row of other shape or time (fusion, capture, one misread or missed) that end nothing
	heldShare = 1. / 8 // of an interval in their mean
)

// heldRun is a run of class V beats in one lead.
type heldRun struct {
	of    uint    // their templates, a bit each: none is the dominant one
	beats int     // up to heldFrom, from which it is held; 0: there is none
	odd   int     // beats since the last of them; until it is held, fast ones before it, up to one too many
	rr    float32 // their mean interval, in samples of internalRate
	odds  float32 // mean log odds of class V of the first ones
}

func (r *heldRun) has(template int) bool { return template >= 0 && r.of>>template&1 == 1 }

// hold takes a beat that has been classified, rr after the one before, and
// lets it be V where it goes on with a run that is held. After a gap there is no
// rr: what is held goes on beyond it, if it is still there.
func (t *reader) hold(c *candidate, rr float32, b *beat) {
	r := &t.run
	ventricular := b.v >= oddsV && c.template >= 0 && c.template != t.own.dominant
	near := rr > 0 && (r.beats < 2 || abs(rr-r.rr) <= heldNear*r.rr)
	fast := rr > 0 && rr <= min(heldOwn*t.rr.base.rr, heldBegin)
	switch held := r.beats == heldFrom; {
	case rr > heldGap || held && r.rr > heldRR:
		*r = heldRun{}
	case held && near && (ventricular || r.has(c.template)):
		r.of |= 1 << c.template
		r.odd = 0
		r.rr += heldShare * (rr - r.rr)
		m := &t.own.list[c.template]
		m.odds, b.v = max(m.odds, r.odds), max(b.v, r.odds)
		return
	case held && r.odd < heldOdd:
		r.odd++
		return
	case r.beats > 0 && near && ventricular && fast:
		r.of |= 1 << c.template
		r.rr += (rr - r.rr) / float32(r.beats) // the first one's is not the run's
		r.odds += (b.v - r.odds) / float32(r.beats+1)
		if r.beats++; r.beats == heldFrom {
			r.odd = 0
		}
		return
	}
	odd := 0
	if fast {
		odd = r.odd
	}
	switch {
	case !ventricular && fast:
		*r = heldRun{odd: min(odd+1, heldOdd+1)}
	case ventricular && odd <= heldOdd:
		*r = heldRun{of: 1 << c.template, beats: 1, odd: odd, odds: b.v}
	default:
		*r = heldRun{odd: odd}
	}
}

// replaced tells that a template is of other beats now.
func (r *heldRun) replaced(template int) { r.of &^= 1 << template }

func writeHeld(e *stages.Encoder, r *heldRun) {
	e.Uint(uint64(r.beats))
	e.Uint(uint64(r.odd))
	if r.beats > 0 {
		e.Uint(uint64(r.of))
		e.Float32(r.rr)
		e.Float32(r.odds)
	}
}

func readHeld(d *stages.Decoder, t *reader) {
	r := heldRun{beats: int(d.Uint()), odd: int(d.Uint())}
	if r.beats > 0 {
		r.of, r.rr, r.odds = uint(d.Uint()), d.Float32(), d.Float32()
	}
	if r.beats < 0 || r.beats > heldFrom || r.of>>len(t.own.list) != 0 || r.odd < 0 || r.odd > heldOdd+1 {
		d.Fail("a run of %d beats of templates %b", r.beats, r.of)
		return
	}
	t.run = r
}
