package alarms

import (
	"time"

	"heartwire/topics"
)

// phase is where the condition of a rule is.
type phase uint8

const (
	idle    phase = iota // nothing
	pending              // beyond the limit, not yet for long enough or while a worse one speaks: nothing is said
	held                 // beyond the limit, and nothing may be decided: off, standby, poor signal
	active               // an alarm is open
	calming              // an alarm is open, its condition seems over and must stay so
	phases
)

func (p phase) open() bool { return p == active || p == calming }

// String is the phase's name.
func (p phase) String() string {
	return [...]string{"idle", "pending", "held", "active", "calming", "?"}[min(p, phases)]
}

// verdict is what a second says about a rule.
type verdict uint8

const (
	unknown verdict = iota // it cannot be told
	over                   // beyond the limit
	within                 // not beyond it, but not clear of it either
	clear                  // by the hysteresis and more
)

// String is the verdict's name.
func (v verdict) String() string { return [...]string{"unknown", "over", "within", "clear"}[v] }

// happening is what a second is to the machine: the verdict, with the time for
// which it has held and with what forbids to decide.
type happening uint8

const (
	isOver            happening = iota // beyond the limit
	hasLasted                          // and for as long as it must be
	isWithin                           // not clear of it by the hysteresis
	isClear                            // not beyond it
	isCalm                             // and for as long as an alarm must be calm
	isUnknown                          // it cannot be told
	isDoubtful                         // beyond the limit, in a signal too poor to decide
	isInhibited                        // a worse one speaks
	isInhibitedBeyond                  // and it is beyond its limit
	isOff                              // turned off, or the patient is on standby
	isOffBeyond                        // and it is beyond its limit
	happenings
)

// String is the happening's name.
func (h happening) String() string {
	return [...]string{"over", "lasted", "within", "clear", "calm", "unknown", "doubtful", "inhibited", "inhibited, over", "off", "off, over", "?"}[min(h, happenings)]
}

// deed is what the machine does on its way.
type deed uint8

const (
	nothing  deed = iota
	begin         // a candidate
	renew         // the candidate that was held is over, another begins
	drop          // the candidate is over
	raise         // an alarm
	follow        // keep its value
	calm          // note since when
	finish        // the condition is over: the alarm ends, or latches
	withdraw      // the alarm ends: a worse one speaks, it is off, standby
)

// String is how the tables show it: + an alarm is raised, - ended, ? a candidate is dropped.
func (d deed) String() string {
	return [...]string{nothing: "", begin: "", renew: "?", drop: "?", raise: "+", follow: "", calm: "", finish: "-", withdraw: "-"}[d]
}

type move struct {
	to phase
	do deed
}

// moves is the machine of the condition.
var moves = [phases][happenings]move{
	idle: {
		isOver: {pending, begin}, hasLasted: {active, raise}, isWithin: {idle, nothing}, isClear: {idle, nothing}, isCalm: {idle, nothing},
		isUnknown: {idle, nothing}, isDoubtful: {held, begin},
		isInhibited: {idle, nothing}, isInhibitedBeyond: {pending, begin}, isOff: {idle, nothing}, isOffBeyond: {held, begin},
	},
	pending: {
		isOver: {pending, nothing}, hasLasted: {active, raise}, isWithin: {idle, drop}, isClear: {idle, drop}, isCalm: {idle, drop},
		isUnknown: {idle, drop}, isDoubtful: {held, nothing},
		isInhibited: {idle, drop}, isInhibitedBeyond: {pending, nothing}, isOff: {idle, drop}, isOffBeyond: {held, nothing},
	},
	held: {
		isOver: {pending, renew}, hasLasted: {active, raise}, isWithin: {idle, drop}, isClear: {idle, drop}, isCalm: {idle, drop},
		isUnknown: {idle, drop}, isDoubtful: {held, nothing},
		isInhibited: {idle, drop}, isInhibitedBeyond: {pending, renew}, isOff: {idle, drop}, isOffBeyond: {held, nothing},
	},
	active: {
		isOver: {active, follow}, hasLasted: {active, follow}, isWithin: {active, follow}, isClear: {calming, calm}, isCalm: {calming, calm},
		isUnknown: {active, nothing}, isDoubtful: {active, nothing},
		isInhibited: {idle, withdraw}, isInhibitedBeyond: {idle, withdraw}, isOff: {idle, withdraw}, isOffBeyond: {idle, withdraw},
	},
	calming: {
		isOver: {active, follow}, hasLasted: {active, follow}, isWithin: {active, follow}, isClear: {calming, nothing}, isCalm: {idle, finish},
		// What cannot be told ends nothing, and does not count as calm.
		isUnknown: {active, nothing}, isDoubtful: {active, nothing},
		isInhibited: {idle, withdraw}, isInhibitedBeyond: {idle, withdraw}, isOff: {idle, withdraw}, isOffBeyond: {idle, withdraw},
	},
}

// condition is a rule in a patient: where its condition is, its candidate, and
// the alarms that came of it. LATCHED is the last one whose condition is over;
// it is apart, so that the next episode is judged as the first was.
type condition struct {
	phase   phase
	why     why           // of a candidate: what keeps it from being an alarm
	by      int16         // the rule that speaks for it, from 1
	since   time.Duration // log time at which the phase began
	onset   place
	worst   float64
	open    *alarm
	latched *alarm
}

// event is a second as one rule sees it.
type event struct {
	second  *topics.Second
	nowUs   int64
	verdict verdict
	value   float64
	known   bool
	onsetUs int64 // of a condition that begins now
	detail  detail
}

// step puts a second to the machine of one rule.
func (s *State) step(i int, record *topics.Record[*topics.Chart], e *event, emit func(*topics.Alarm)) {
	c := s.condition(i)
	h, reason, by := s.happening(i, e)
	m := moves[c.phase][h]
	if m.do == drop || m.do == renew {
		if h == isUnknown && c.phase == pending {
			c.why = whyQuality
		}
		s.suppress(i, emit)
		*c = condition{open: c.open, latched: c.latched}
	}
	if m.do == begin || m.do == renew || m.do == raise && c.phase == idle {
		c.onset, c.worst = s.place(e.onsetUs), e.value
	}
	if m.to != c.phase || m.do == renew {
		c.phase, c.since = m.to, s.time
	}
	switch m.do {
	case begin, renew, nothing:
		s.wait(i, h, e, reason, by)
	case raise:
		s.raise(i, record, e, emit)
	case follow:
		s.follow(i, e, emit)
	case calm:
		c.open.endedUs = s.now
		c.open.keep(e)
	case finish:
		c.open.keep(e)
		over := endOver
		if s.limitOf(i).latching {
			over = endLatch
		}
		s.conclude(i, &c.open, over, change{what: changeEnded}, emit)
	case withdraw:
		s.conclude(i, &c.open, reason.ending(), change{what: changeEnded}, emit)
	}
}

// wait keeps what a candidate is, and why it is no alarm.
func (s *State) wait(i int, h happening, e *event, reason why, by int16) {
	c := s.condition(i)
	switch c.phase {
	case calming:
		c.open.keep(e)
		return
	case pending, held:
	default:
		return
	}
	if r := s.rule(i); e.known && (c.worst != c.worst || r.sign()*(e.value-c.worst) > 0) {
		c.worst = e.value
	}
	// One that has not lasted is short, whoever speaks for it.
	if c.phase == held || h == isInhibitedBeyond && s.time-c.since >= s.limitOf(i).duration {
		c.why, c.by = reason, by
	}
}

// keep takes the value of a second, where it has one.
func (a *alarm) keep(e *event) {
	if e.value == e.value {
		a.value = e.value
	}
}

// happening is what a second is to the machine of one rule. What ends an alarm
// in any case comes first.
func (s *State) happening(i int, e *event) (h happening, reason why, by int16) {
	c, l := s.condition(i), s.limitOf(i)
	beyond := func(h, ifBeyond happening) happening {
		if e.verdict == over {
			return ifBeyond
		}
		return h
	}
	switch {
	case s.standby.on:
		return beyond(isOff, isOffBeyond), whyStandby, none
	case l.off:
		return beyond(isOff, isOffBeyond), whyOff, none
	}
	if by := s.inhibitor(i); by != none {
		return beyond(isInhibited, isInhibitedBeyond), whyInhibited, by
	}
	poor := l.quality > 0 && !s.rule(i).technical && e.second.GetQuality() < l.quality
	switch {
	case poor:
		return beyond(isUnknown, isDoubtful), whyQuality, none
	case e.verdict == unknown:
		return isUnknown, whyQuality, none
	case e.verdict == over && (l.duration == 0 || c.phase == pending && s.time-c.since >= l.duration):
		return hasLasted, whyShort, none
	case e.verdict == over:
		return isOver, whyShort, none
	case e.verdict == within:
		return isWithin, whyShort, none
	case c.phase == calming && s.time-c.since >= s.rule(i).calm:
		return isCalm, whyShort, none
	}
	return isClear, whyShort, none
}
