package alarms

import (
	"time"

	"heartwire/topics"
)

// Whether an alarm is to be heard is a machine of its own beside its condition.
type signalState uint8

const (
	sounding signalState = iota
	acknowledged
	paused
	signals
)

// String is the state's name.
func (v signalState) String() string {
	return [...]string{"sounding", "acknowledged", "paused", "?"}[min(v, signals)]
}

// signalEvent is what can happen to it.
type signalEvent uint8

const (
	signalAcknowledge signalEvent = iota // a person has heard it
	signalPause                          // a person wants it silent for a time
	signalResume                         // and no longer
	signalTime                           // the acknowledgement or the pause has lasted
	signalWorse                          // its priority rose
	signalLatch                          // its condition is over, and it stays
	signalEvents
)

// String is the event's name.
func (e signalEvent) String() string {
	return [...]string{"acknowledge", "pause", "resume", "time", "worse", "latch", "?"}[min(e, signalEvents)]
}

// signalMove is where it goes, or the code by which a person is refused.
type signalMove struct {
	to      signalState
	refused code
}

// signalMoves is the machine of the signal.
var signalMoves = [signals][signalEvents]signalMove{
	sounding: {
		signalAcknowledge: {to: acknowledged}, signalPause: {to: paused}, signalResume: {sounding, codeNotPaused},
		signalTime: {to: sounding}, signalWorse: {to: sounding}, signalLatch: {to: sounding},
	},
	acknowledged: {
		signalAcknowledge: {acknowledged, codeAcknowledged}, signalPause: {to: paused}, signalResume: {acknowledged, codeNotPaused},
		signalTime: {to: sounding}, signalWorse: {to: sounding}, signalLatch: {to: acknowledged},
	},
	paused: {
		signalAcknowledge: {to: acknowledged}, signalPause: {to: paused}, signalResume: {to: sounding},
		signalTime: {to: sounding}, signalWorse: {to: sounding}, signalLatch: {to: paused},
	},
}

// An acknowledged alarm whose condition goes on sounds again (ALARMS 1). One of
// priority LOW was heard once.
const (
	againHigh   = 2 * time.Minute
	againMedium = 5 * time.Minute
)

func soundsAgain(p topics.Priority) time.Duration {
	switch p {
	case topics.Priority_PRIORITY_LOW:
		return 0
	case topics.Priority_PRIORITY_MEDIUM:
		return againMedium
	}
	return againHigh
}

// signal is the signal of one alarm.
type signal struct {
	is      signalState
	by      string
	until   time.Duration // log time; 0: it does not end by itself
	untilUs int64
}

// ring moves the machine; a code says why it may not move.
func (v *signal) ring(e signalEvent) code {
	m := signalMoves[v.is][e]
	if m.refused != "" {
		return m.refused
	}
	switch {
	case m.to == sounding:
		*v = signal{}
	case e == signalLatch && m.to == acknowledged:
		v.until, v.untilUs = 0, 0 // a condition that is over does not sound again
	}
	v.is = m.to
	return ""
}

// quiet is the time for which a person silences an alarm from now on.
func (s *State) quiet(v *signal, by string, d time.Duration) {
	v.by, v.until, v.untilUs = by, 0, 0
	if d > 0 {
		v.until, v.untilUs = s.time+d, s.now+d.Microseconds()
	}
}

// sound is how an alarm is to be heard, for how long and by whose word: a pause
// of all of the patient's alarms goes over those that sound.
func (s *State) sound(a *alarm) (is topics.AlarmSignal, untilUs int64, by string) {
	switch {
	case a.signal.is == sounding && s.pause.on:
		return topics.AlarmSignal_ALARM_SIGNAL_PAUSED, s.pause.untilUs, s.pause.person
	case a.signal.is == sounding:
		return topics.AlarmSignal_ALARM_SIGNAL_SOUNDING, 0, ""
	case a.signal.is == acknowledged:
		is = topics.AlarmSignal_ALARM_SIGNAL_ACKNOWLEDGED
	default:
		is = topics.AlarmSignal_ALARM_SIGNAL_PAUSED
	}
	return is, a.signal.untilUs, a.signal.by
}
