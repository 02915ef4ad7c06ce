package alarms

import (
	"strings"
	"time"

	"heartwire/topics"
)

// longestStandby is how long a patient can go unwatched by one word (ALARMS
// wants an automatic return).
const longestStandby = 4 * time.Hour

// Why a silence ended.
const (
	silenceOver    = "over"
	silenceResumed = "resumed"
	silenceBroken  = "broken" // by a new HIGH alarm
	silenceStandby = "standby"
	silenceMoved   = "moved"
)

// silence is a pause of all of the patient's alarms, or standby.
type silence struct {
	on      bool
	person  string
	reason  string
	fromUs  int64
	untilUs int64
	until   time.Duration // log time
	saidAt  time.Duration
}

// tell says a silence as it stands; ended says why it is over.
func (s *State) tell(v *silence, ended, person string, restated bool, emit func(*topics.Alarm)) {
	v.saidAt = s.time
	emit(&topics.Alarm{Patient: s.patient, TimeUs: s.now, Kind: &topics.Alarm_Silence{Silence: &topics.Silence{
		On: v.on, Standby: v == &s.standby, Person: person, Reason: v.reason, FromUs: v.fromUs, UntilUs: v.untilUs, Ended: ended, Restated: restated,
	}}})
}

// silent begins a silence, or lets one that is on last from now on.
func (s *State) silent(v *silence, person, reason string, d time.Duration, emit func(*topics.Alarm)) {
	from := s.now
	if v.on {
		from = v.fromUs
	}
	*v = silence{
		on: true, person: strings.Clone(person), reason: strings.Clone(reason),
		fromUs: from, untilUs: s.now + d.Microseconds(), until: s.time + d,
	}
	s.tell(v, "", v.person, false, emit)
}

// pauseAll makes all of the patient's alarms silent for a time.
func (s *State) pauseAll(a *topics.Answer, d time.Duration, emit func(*topics.Alarm)) {
	s.silent(&s.pause, a.GetPerson(), a.GetReason(), d, emit)
	s.rehear(changeOf(changePaused, a), nil, emit)
}

// unpaused says that a pause is over, and that those alarms sound that it has
// made silent, but for one that was said just now.
func (s *State) unpaused(ended string, ch change, but *alarm, emit func(*topics.Alarm)) {
	s.pause.on = false
	s.tell(&s.pause, ended, ch.person, false, emit)
	s.pause = silence{}
	s.rehear(ch, but, emit)
}

// rehear says the alarms again whose sound a pause of all has changed.
func (s *State) rehear(ch change, but *alarm, emit func(*topics.Alarm)) {
	for i := range s.lines() {
		c := s.condition(i)
		for _, a := range [...]*alarm{c.open, c.latched} {
			if a != nil && a != but && a.signal.is == sounding {
				a.rang = a.version + 1
				s.say(i, a, ch, emit)
			}
		}
	}
}

// stand takes a word on standby. Alarms end, and while it lasts nothing is
// decided; then they come back by themselves.
func (s *State) stand(b *topics.Standby, emit func(*topics.Alarm)) error {
	a := &topics.Answer{Id: b.GetId(), Person: b.GetPerson(), Channel: b.GetChannel(), Reason: b.GetReason(), TimeUs: b.GetTimeUs()}
	return s.answered(a, func() (code, uint32) {
		d := b.GetDurationS()
		switch {
		case b.GetPerson() == "":
			return codeNoPerson, 0
		case !b.GetOn() && !s.standby.on:
			return codeNotStandby, 0
		case !b.GetOn():
			s.standby.on = false
			s.tell(&s.standby, silenceResumed, b.GetPerson(), false, emit)
			s.standby = silence{}
			return "", 0
		case b.GetReason() == "":
			return codeNoReason, 0
		case !(d > 0 && d < 1e9):
			return codeDuration, 0
		case seconds64(d) > longestStandby:
			return codeTooLong, 0
		}
		s.silent(&s.standby, b.GetPerson(), b.GetReason(), seconds64(d), emit)
		s.endAll(endStandby, changeOf(changeEnded, a), emit)
		if s.pause.on {
			s.unpaused(silenceStandby, change{}, nil, emit)
		}
		return "", 0
	}, emit)
}

// quieten ends what has lasted, and says standby again each hour.
func (s *State) quieten(emit func(*topics.Alarm)) {
	if s.pause.on && s.time >= s.pause.until {
		s.unpaused(silenceOver, change{what: changeSounding, reason: silenceOver}, nil, emit)
	}
	switch {
	case !s.standby.on:
	case s.time >= s.standby.until:
		s.standby.on = false
		s.tell(&s.standby, silenceOver, "", false, emit)
		s.standby = silence{}
	case s.time-s.standby.saidAt >= restateEvery:
		s.tell(&s.standby, "", s.standby.person, true, emit)
	}
}
