package alarms

import "heartwire/topics"

// ending is what can end an alarm, or make it stay though its condition is over.
type ending uint8

const (
	endOver      ending = iota // its condition
	endLatch                   // its condition, and it is to stay until a person has seen it
	endAgain                   // the next episode of its rule speaks
	endReset                   // a person has seen it
	endInhibited               // a worse one speaks
	endOff                     // its rule was turned off for the patient
	endStandby                 // the patient is not to be watched for a time
	endMoved                   // the device is somebody else's now
	endings
)

// String is the end's name, as a record gives it for a reason.
func (e ending) String() string {
	return [...]string{"over", "over, latching", "again", "reset", "inhibited", "off", "standby", "moved", "?"}[min(e, endings)]
}

// stay is where an alarm is: open with its condition, latched, or no more.
type stay uint8

const (
	isActive stay = iota
	isLatched
	isEnded
	stays = isEnded // in which something can still come
)

// String is the state's name, as in topics.AlarmCondition.
func (v stay) String() string { return [...]string{"active", "latched", "ended"}[v] }

type stayMove struct {
	to      stay
	refused code
}

// stayMoves is the machine of an alarm's end. One that latches (IEC 60601-1-8,
// 6.10: its signals go on when the condition is over, until an operator acts)
// stays until it is reset (6.9), which an acknowledgement is not: that silences.
var stayMoves = [stays][endings]stayMove{
	isActive: {
		endOver: {to: isEnded}, endLatch: {to: isLatched}, endAgain: {to: isActive}, endReset: {isActive, codeNotLatched},
		endInhibited: {to: isEnded}, endOff: {to: isEnded}, endStandby: {to: isEnded}, endMoved: {to: isEnded},
	},
	isLatched: {
		endOver: {to: isLatched}, endLatch: {to: isLatched}, endAgain: {to: isEnded}, endReset: {to: isEnded},
		// What is worse now says nothing of what was.
		endInhibited: {to: isLatched}, endOff: {to: isEnded}, endStandby: {to: isEnded}, endMoved: {to: isEnded},
	},
}

// stayOf is where an alarm of a condition is.
func (c *condition) stayOf(a *alarm) stay {
	if c.latched == a {
		return isLatched
	}
	return isActive
}

// conclude puts what may end an alarm to its machine. It says the end and
// forgets the alarm, or lets it latch; a code says why it may not.
func (s *State) conclude(i int, at **alarm, by ending, ch change, emit func(*topics.Alarm)) code {
	c, a := s.condition(i), *at
	from := c.stayOf(a)
	m := stayMoves[from][by]
	switch {
	case m.refused != "" || m.to == from:
		return m.refused
	case m.to == isLatched:
		c.open, c.latched = nil, a
		a.signal.ring(signalLatch)
		a.became = a.version + 1
		s.say(i, a, change{what: changeLatched}, emit)
		return ""
	case from == isActive && by != endOver:
		a.endedUs = s.now // it was not seen to be over
	}
	*at = nil
	a.version++
	out := s.record(i, a, topics.AlarmCondition_ALARM_CONDITION_ENDED, ch)
	st := out.GetState()
	st.EndReason, st.EndedUs = by.String(), a.endedUs
	s.buried(a.id)
	emit(out)
	return ""
}
