package alarms

import "time"

// Who sees to an alarm is a machine of its own beside its condition and its
// signal. What comes of a rejection or a time-out is for whoever tells people.
type dutyState uint8

const (
	nobody   dutyState = iota // has said anything yet
	accepted                  // somebody goes
	rejected                  // by the last who was asked
	timedOut                  // nobody answered in time
	duties
)

// String is the state's name, as in topics.Responsibility.
func (v dutyState) String() string {
	return [...]string{"open", "accepted", "rejected", "timed out", "?"}[min(v, duties)]
}

// dutyEvent is what can happen to it.
type dutyEvent uint8

const (
	dutyAccept     dutyEvent = iota // by somebody
	dutyAcceptSame                  // by the one who answered last
	dutyReject
	dutyRejectSame
	dutyTime // a HIGH alarm has waited for an answer
	dutyEvents
)

// String is the event's name.
func (e dutyEvent) String() string {
	return [...]string{"accept", "accept, the same", "reject", "reject, the same", "time", "?"}[min(e, dutyEvents)]
}

type dutyMove struct {
	to      dutyState
	refused code
}

// dutyMoves is the machine of the responsibility. The first who accepts has it,
// until that person gives it back.
var dutyMoves = [duties][dutyEvents]dutyMove{
	nobody: {
		dutyAccept: {to: accepted}, dutyAcceptSame: {to: accepted}, dutyReject: {to: rejected}, dutyRejectSame: {to: rejected}, dutyTime: {to: timedOut},
	},
	accepted: {
		dutyAccept: {accepted, codeTaken}, dutyAcceptSame: {accepted, codeAccepted}, dutyReject: {accepted, codeTaken}, dutyRejectSame: {to: rejected},
		dutyTime: {to: accepted},
	},
	rejected: {
		dutyAccept: {to: accepted}, dutyAcceptSame: {to: accepted}, dutyReject: {to: rejected}, dutyRejectSame: {rejected, codeRejected}, dutyTime: {to: timedOut},
	},
	timedOut: {
		dutyAccept: {to: accepted}, dutyAcceptSame: {to: accepted}, dutyReject: {to: rejected}, dutyRejectSame: {to: rejected}, dutyTime: {to: timedOut},
	},
}

// duty is the responsibility for one alarm.
type duty struct {
	is    dutyState
	by    string
	since time.Duration // log time from which an answer is waited for
}

// pass moves the machine by what a person says, or with nobody by time; a code
// says why it may not move.
func (d *duty) pass(e dutyEvent, person string, at time.Duration) code {
	if e != dutyTime && d.by == person && d.is != nobody {
		e++ // the same person again
	}
	m := dutyMoves[d.is][e]
	if m.refused != "" {
		return m.refused
	}
	if m.to == d.is && e == dutyTime {
		return ""
	}
	*d = duty{is: m.to, by: person, since: at}
	return ""
}

// waits reports that an answer is still to come.
func (d *duty) waits() bool { return d.is == nobody || d.is == rejected }
