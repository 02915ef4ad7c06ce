package beats

import (
	"fmt"

	"heartwire/topics"
)

// Overtaken ends what is known at its last sample and states one gap there, of
// unknown length: the log forgot what came next before it was read. It says so
// at once, since whoever watches must hear that nobody did, and therefore not
// again with the frame that shows how long it was.
func (p processor) Overtaken(s *State, _ int64, emit func(*topics.Annotation)) error {
	v := voice{emit: emit, patient: s.patient, paced: s.paced}
	if s.late != nil {
		s.late.finish(v)
		s.late = nil
	}
	switch {
	case s.overtaken: // and no sample has come since: it is the same gap
	case s.live != nil:
		s.releaseAll(v)
		s.live.gap(0, topics.GapCause_GAP_CAUSE_OVERTAKEN, v)
		s.overtaken = true
	case len(s.bound) > 0:
		// Its first samples may be among what was forgotten.
		b := s.bound[len(s.bound)-1]
		v.emit(&topics.Annotation{Patient: v.patient, Device: b.device, TimeUs: b.at, Kind: &topics.Annotation_Gap{
			Gap: &topics.Gap{Cause: topics.GapCause_GAP_CAUSE_OVERTAKEN},
		}})
		s.overtaken = true
	}
	// Bindings may have been forgotten too. Until the registry says them
	// again, within a day, whichever device sends is the patient's: were it
	// still the old one's place, a new one's samples would all pass for late.
	s.bound, s.silent = nil, silentFor
	return nil
}

// resume goes on behind the gap that Overtaken stated: nothing is joined
// across it, and what of it still comes is late.
func (s *State) resume(r *topics.Samples) {
	next := s.live.next
	if end(r) <= next {
		return // from before it
	}
	s.overtaken = false
	first := max(r.GetFirst(), next)
	s.stated(span{next, first})
	s.live = newAnalysis(r, first, false)
}

// migrate brings up a state of version 1, which knew of no overtaking, of
// version 2, which knew of no shapes of beats and no classes, and looked for
// no fibrillation, or of version 3, which doubted no lead, judged no five beats
// together, and knew of no basic rhythm and no P waves. What
// they wrote of a band was longer: it is still read.
func migrate(version uint32, state []byte) ([]byte, error) {
	switch version {
	case 1:
		return append(state, make([]byte, 11)...), nil
	case 2:
		return append(state, make([]byte, 10)...), nil
	case 3:
		return append(state, make([]byte, 6)...), nil
	}
	return nil, fmt.Errorf("there is no version %d", version)
}
