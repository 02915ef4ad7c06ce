package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

// A dropped beat is a candidate: in a regular rhythm one interval is about
// twice the others and no early beat explains it (a blocked impulse of the sinus
// node or the AV node, or a beat that was not found). As bedside monitors have it
// (Mindray TM80, missed beat): normal beats before, more than 1.75 times the mean
// interval and than 1 s, and the next interval is an ordinary one.
const (
	droppedRRs    = 5
	droppedMS     = 1000.0
	droppedEven   = 0.08 // by which each of them may differ from their mean
	droppedLeast  = 1.75 // times the mean
	droppedMost   = 2.25
	droppedBefore = 1.5 // times the mean: an interval of after it that is none of its kind
)

// dropped looks for one long interval among even ones.
type dropped struct {
	ms   [droppedRRs]float64 // the last intervals, each between beats of class N
	n    uint32              // of them, in a row
	last beat
	long episode // the long interval's beats, while the one after it is not known
	mean float64 // of the intervals before it
}

func (r *dropped) beat(v voice, b beat) {
	normal := b.class == topics.BeatClass_BEAT_CLASS_N && b.ms > 0
	if r.long.beats > 0 {
		if normal && b.ms < droppedBefore*r.mean && b.ms > r.mean/droppedBefore {
			v.once(topics.Rhythm_RHYTHM_DROPPED_BEAT, r.long)
		}
		r.long, r.n = episode{}, 0
	}
	mean := r.even()
	if v.rhythms.af.open.beats > 0 {
		mean = 0
	}
	switch {
	case normal && mean > 0 && b.ms > droppedMS && b.ms >= droppedLeast*mean && b.ms <= droppedMost*mean:
		r.long, r.mean = begun(r.last), mean
		r.long.add(b)
		r.n = 0
	case normal:
		copy(r.ms[:], r.ms[1:])
		r.ms[droppedRRs-1] = b.ms
		r.n = min(r.n+1, droppedRRs)
	default:
		r.n = 0
	}
	r.last = b
}

// even is the mean of the last intervals; 0: they are not so many, or not alike.
func (r *dropped) even() float64 {
	if r.n < droppedRRs {
		return 0
	}
	m := mean(r.ms[:])
	for _, ms := range r.ms {
		if ms < (1-droppedEven)*m || ms > (1+droppedEven)*m {
			return 0
		}
	}
	return m
}

func (r *dropped) pass(voice, uint64) {}

func (r *dropped) stop(voice, bool) { *r = dropped{} }

func (r *dropped) append(e *stages.Encoder) {
	e.Uint(uint64(r.n))
	for _, ms := range r.ms {
		e.Float(ms)
	}
	r.last.append(e)
	r.long.append(e)
	e.Float(r.mean)
}

func (r *dropped) decode(d *stages.Decoder) {
	if *r = (dropped{n: uint32(d.Uint())}); r.n > droppedRRs {
		d.Fail("%d intervals before a long one", r.n)
	}
	for i := range r.ms {
		r.ms[i] = d.Float()
	}
	r.last.decode(d)
	r.long.decode(d)
	r.mean = d.Float()
}
