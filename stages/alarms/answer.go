package alarms

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"heartwire/topics"
)

// code says why an answer is refused.
type code string

const (
	codeNoPerson     code = "no-person"
	codeAction       code = "unknown-action"
	codeNoAlarm      code = "no-alarm"
	codeUnknown      code = "unknown-alarm"
	codeEnded        code = "ended"
	codeStale        code = "stale-version"
	codeAcknowledged code = "acknowledged"
	codeTaken        code = "taken"
	codeAccepted     code = "accepted"
	codeRejected     code = "rejected"
	codeNotPaused    code = "not-paused"
	codeNotLatched   code = "not-latched"
	codeDuration     code = "bad-duration"
	codeTooLong      code = "too-long"
	codeNoReason     code = "no-reason"
	codeStandby      code = "standby"
	codeNotStandby   code = "not-on-standby"
)

// refusals are the codes in words, with what to do.
var refusals = [...]struct {
	code  code
	words string
}{
	{codeNoPerson, "nobody is named: say the account of the person who does it"},
	{codeAction, "this version knows no such action: acknowledge, accept, reject, pause, resume or reset"},
	{codeNoAlarm, "no alarm is named, and this is done to one alarm: say its id; only pause and resume can be of all of a patient's alarms"},
	{codeUnknown, "this patient has no such alarm, nor had it lately: look at the patient's list; it may be another patient's"},
	{codeEnded, "the alarm has ended: there is nothing left to do about it"},
	{codeStale, "the alarm has become another since it was seen: look at it, and ask again with its version now"},
	{codeAcknowledged, "the alarm is acknowledged already: pause it to keep it silent for longer"},
	{codeTaken, "somebody else has accepted the alarm: ask that person to reject it first"},
	{codeAccepted, "the same person has accepted the alarm already: there is nothing left to do"},
	{codeRejected, "the same person has rejected the alarm already: the next one is asked"},
	{codeNotPaused, "it is not paused: there is nothing to resume; a pause of all of a patient's alarms is resumed for all of them"},
	{codeNotLatched, "the condition of the alarm goes on, so it cannot be reset: acknowledge or pause it"},
	{codeDuration, "the duration is no time: say seconds above 0, or 0 for the usual pause"},
	{codeTooLong, "longer than is allowed: ask for a shorter time, and again when it is over"},
	{codeNoReason, "no reason is given: standby needs a code, as examination, transport or bath"},
	{codeStandby, "the patient is on standby, and nothing sounds: end the standby instead"},
	{codeNotStandby, "the patient is not on standby: there is nothing to end"},
}

// words are a code in words.
func (c code) words() string {
	for i := range refusals {
		if refusals[i].code == c {
			return refusals[i].words
		}
	}
	return ""
}

const (
	// A repeat of an answer comes within this time: whoever asked waits no
	// longer. Later ones are met by the version that they name.
	answersKept = 10 * time.Minute
	mostAnswers = 16
	// Alarms that ended lately, so that they can be told from those that never were.
	mostEnded = 8
)

// outcome is how an answer was answered, kept for its repeats.
type outcome struct {
	id      identity // of the answer
	alarm   string
	person  string
	code    code
	version uint32
	at      time.Duration
}

func named(answer string) identity {
	sum := sha256.Sum256([]byte(answer))
	return identity(sum[:16])
}

// buried notes that an alarm has ended.
func (s *State) buried(id identity) {
	if len(s.ended) == mostEnded {
		copy(s.ended, s.ended[1:])
		s.ended = s.ended[:mostEnded-1]
	}
	s.ended = append(s.ended, id)
}

// answer takes what a person does, and says what came of it.
func (s *State) answer(a *topics.Answer, emit func(*topics.Alarm)) error {
	return s.answered(a, func() (code, uint32) { return s.act(a, emit) }, emit)
}

// answered does what was asked, once, and says the outcome; to a repeat of what
// was asked lately the same again.
func (s *State) answered(a *topics.Answer, do func() (code, uint32), emit func(*topics.Alarm)) error {
	if err := sane(a); err != nil {
		return err
	}
	s.idle = 0
	id := named(a.GetId())
	for len(s.outcomes) > 0 && s.time-s.outcomes[0].at > answersKept {
		s.outcomes = append(s.outcomes[:0], s.outcomes[1:]...)
	}
	for i := range s.outcomes {
		if o := &s.outcomes[i]; o.id == id {
			s.sayOutcome(a, o, emit)
			return nil
		}
	}
	why, version := do()
	if len(s.outcomes) == mostAnswers {
		s.outcomes = append(s.outcomes[:0], s.outcomes[1:]...)
	}
	s.outcomes = append(s.outcomes, outcome{
		id: id, alarm: strings.Clone(a.GetAlarm()), person: strings.Clone(a.GetPerson()), code: why, version: version, at: s.time,
	})
	s.sayOutcome(a, &s.outcomes[len(s.outcomes)-1], emit)
	return nil
}

// longestWord bounds what of an answer is kept in the state, in bytes.
const longestWord = 128

// sane checks what an answer needs to be answered at all.
func sane(a *topics.Answer) error {
	if a.GetId() == "" {
		return errors.New("an answer without an id: want one, by which whoever asks is answered")
	}
	for _, w := range [...]struct{ what, is string }{{"id", a.GetId()}, {"alarm", a.GetAlarm()}, {"person", a.GetPerson()}, {"channel", a.GetChannel()}, {"reason", a.GetReason()}} {
		if len(w.is) > longestWord {
			return fmt.Errorf("an answer whose %s has %d bytes: want at most %d", w.what, len(w.is), longestWord)
		}
	}
	return nil
}

func (s *State) sayOutcome(a *topics.Answer, o *outcome, emit func(*topics.Alarm)) {
	at := s.now
	if at == 0 {
		at = a.GetTimeUs() // a patient of whom nothing is known yet has no time but that
	}
	emit(&topics.Alarm{Patient: s.patient, TimeUs: at, Kind: &topics.Alarm_Outcome{Outcome: &topics.AnswerOutcome{
		Answer: a.GetId(), Alarm: o.alarm, Accepted: o.code == "", Code: string(o.code), Problem: o.code.words(), Version: o.version, Person: o.person,
	}}})
}

// act does what a person asks, or says why not; version is the alarm's now.
func (s *State) act(a *topics.Answer, emit func(*topics.Alarm)) (why code, version uint32) {
	action := a.GetAction()
	switch {
	case a.GetPerson() == "":
		return codeNoPerson, 0
	case topics.Action_name[int32(action)] == "" || action == topics.Action_ACTION_UNSPECIFIED:
		return codeAction, 0
	case a.GetAlarm() == "" && action != topics.Action_ACTION_PAUSE && action != topics.Action_ACTION_RESUME:
		return codeNoAlarm, 0
	case a.GetAlarm() == "":
		return s.actOnAll(a, emit), 0
	}
	i, at := s.find(a.GetAlarm())
	if at == nil {
		return s.missing(a.GetAlarm()), 0
	}
	one := *at
	why = s.actOn(i, at, a, emit)
	return why, one.version
}

// actOnAll is a pause of all of a patient's alarms, and its end.
func (s *State) actOnAll(a *topics.Answer, emit func(*topics.Alarm)) code {
	if s.standby.on {
		return codeStandby
	}
	if a.GetAction() == topics.Action_ACTION_RESUME {
		if !s.pause.on {
			return codeNotPaused
		}
		s.unpaused(silenceResumed, changeOf(changeResumed, a), nil, emit)
		return ""
	}
	d, why := s.limits.pauseOf(a.GetDurationS())
	if why == "" {
		s.pauseAll(a, d, emit)
	}
	return why
}

// actOn does what a person asks about one alarm.
func (s *State) actOn(i int, at **alarm, a *topics.Answer, emit func(*topics.Alarm)) (why code) {
	one := *at
	signal, duty := one.signal, one.duty // put back when it is refused
	what, mark, seen := "", &one.rang, one.rang
	switch a.GetAction() {
	case topics.Action_ACTION_ACKNOWLEDGE:
		what, why = changeAcknowledged, one.signal.ring(signalAcknowledge)
		d := soundsAgain(one.priority)
		if s.condition(i).latched == one {
			d = 0
		}
		s.quiet(&one.signal, strings.Clone(a.GetPerson()), d)
	case topics.Action_ACTION_PAUSE:
		var d time.Duration
		if d, why = s.limits.pauseOf(a.GetDurationS()); why == "" {
			why = one.signal.ring(signalPause)
		}
		what = changePaused
		s.quiet(&one.signal, strings.Clone(a.GetPerson()), d)
	case topics.Action_ACTION_RESUME:
		what, why = changeResumed, one.signal.ring(signalResume)
	case topics.Action_ACTION_ACCEPT:
		what, mark, seen = changeAccepted, &one.passed, one.passed
		why = one.duty.pass(dutyAccept, strings.Clone(a.GetPerson()), s.time)
	case topics.Action_ACTION_REJECT:
		what, mark, seen = changeRejected, &one.passed, one.passed
		why = one.duty.pass(dutyReject, strings.Clone(a.GetPerson()), s.time)
	case topics.Action_ACTION_RESET:
		what, seen = changeReset, 0
		why = stayMoves[s.condition(i).stayOf(one)][endReset].refused
	}
	if v := a.GetVersion(); why == "" && v != 0 && (v < max(seen, one.became) || v > one.version) {
		why = codeStale
	}
	switch {
	case why != "":
		one.signal, one.duty = signal, duty
	case what == changeReset:
		s.conclude(i, at, endReset, changeOf(what, a), emit)
	default:
		*mark = one.version + 1
		s.say(i, one, changeOf(what, a), emit)
	}
	return why
}

func changeOf(what string, a *topics.Answer) change {
	return change{what, a.GetPerson(), a.GetChannel(), a.GetReason(), a.GetId()}
}

// find is where an alarm is that is open or has latched; nil: it is not.
func (s *State) find(id string) (int, **alarm) {
	want, ok := parseIdentity(id)
	for i := range s.lines() {
		c := s.condition(i)
		for _, at := range [...]**alarm{&c.open, &c.latched} {
			if ok && *at != nil && (*at).id == want {
				return i, at
			}
		}
	}
	return 0, nil
}

// missing says what is known of an alarm that is not there.
func (s *State) missing(id string) code {
	if want, ok := parseIdentity(id); ok {
		for _, e := range s.ended {
			if e == want {
				return codeEnded
			}
		}
	}
	return codeUnknown
}
