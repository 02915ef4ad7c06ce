package alarms

import (
	"time"

	"heartwire/topics"
)

const (
	// Twice the time in which somebody must answer a HIGH alarm (ALARMS: 60 s):
	// what was lost does not come back, so the alarm is over not when its cause
	// is but when there was time to see it.
	calmLost = 2 * time.Minute
	// What is written so long after its time is history that is being caught up
	// with. A stage that was overtaken has all that the log kept before it, and
	// works it off in moments: two minutes of that are nobody's.
	history = time.Minute
)

// Overtaken notes that records were lost. What that makes of the patient is
// judged with the next Second, as everything is, and named by it: a key that
// was left has none, and no alarm.
func (processor) Overtaken(s *State, _ int64, _ func(*topics.Alarm)) error {
	s.lose()
	return nil
}

// lose keeps the time of the first loss that has not been judged. What was
// lost may have been the end of an episode.
func (s *State) lose() {
	s.cutAll()
	s.history.Cut()
	if s.lostUs == 0 {
		s.lostUs = max(s.now, 1)
	}
}

// lost judges by what was lost, and says since when. Data that are about now
// calm the alarm. When a record was written, by its own label, is part of the
// log and so the same on every replay; a log without labels has no history.
func (s *State) lost(r *topics.Record[*topics.Chart]) (v verdict, sinceUs int64) {
	if at := s.lostUs; at != 0 {
		s.lostUs = 0
		return over, at
	}
	sec := r.Value.GetSecond()
	flows := sec.GetSinceSampleS() <= notNow+sec.GetFrameS()
	if flows && r.Time.Sub(topics.MicroTime(r.Value.GetTimeUs())) <= history {
		return clear, s.now
	}
	return unknown, s.now
}
