package gateway

import (
	"math"
	"time"

	"heartwire/topics"
)

// silence is a pause of all of a patient's alarms, or standby, while it is on.
type silence struct {
	until  int64 // UTC µs; 0: it does not end by itself
	person string
	m      *message // nil: it is not on
}

// silence folds what begins or ends one; false says that it is a repeat, or
// that nothing new is restated. The two are apart: a standby ends a pause with
// a record that comes after its own.
func (p *patient) silence(o topics.Origin, s *topics.Silence, m *message) bool {
	if p.silences.has(o) {
		return false
	}
	p.silences.add(kept{origin: o})
	p.silences.trim(math.MinInt64)
	at := &p.pause
	if s.GetStandby() {
		at = &p.standby
	}
	if !s.GetOn() {
		*at = silence{}
		return true
	}
	known := s.GetRestated() && at.m != nil && at.until == s.GetUntilUs() && at.person == s.GetPerson()
	*at = silence{until: s.GetUntilUs(), person: s.GetPerson(), m: m}
	p.remember()
	return !known
}

// silent is the record of the silence in force, nil for none. What should be
// over is not in force, though nobody said its end.
func (p *patient) silent(now time.Time) *message {
	for _, s := range [...]*silence{&p.standby, &p.pause} {
		if s.m != nil && (s.until == 0 || s.until > now.UnixMicro()) {
			return s.m
		}
	}
	return nil
}
