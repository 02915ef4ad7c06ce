package alarms

import (
	"math"
	"time"

	"heartwire/topics"
)

// What happens to an alarm: the words of Change.what.
const (
	changeRaised       = "raised"
	changeValue        = "value"
	changePriority     = "priority"
	changeLimit        = "limit"
	changeLatched      = "latched"
	changeEnded        = "ended"
	changeAcknowledged = "acknowledged"
	changeSounding     = "sounding"
	changePaused       = "paused"
	changeResumed      = "resumed"
	changeAccepted     = "accepted"
	changeRejected     = "rejected"
	changeTimedOut     = "timed-out"
	changeReset        = "reset"
	changeRestated     = "restated"
)

// sayEvery is the least time between two records that only tell a new value.
const sayEvery = 5 * time.Second

// alarm is one that is open or has latched.
type alarm struct {
	id       identity
	version  uint32
	priority topics.Priority
	base     topics.Priority // that the limit gave it; no data may be worse
	value    float64
	worst    float64
	limit    float64
	lead     string
	quality  float64
	detail   detail
	onset    place
	raisedUs int64
	endedUs  int64 // since when it calms, or was over

	saidAt    time.Duration
	saidWorst float64

	signal signal
	duty   duty
	// Versions at which it last became another: a person who saw an older one
	// has not seen that.
	became, rang, passed uint32
}

// place is where in the samples something began.
type place struct {
	us     int64
	device string
	boot   uint64
	sample uint64 // 0: not known
}

// change is why a record is written.
type change struct{ what, person, channel, reason, answer string }

func (c *change) record() *topics.Change {
	return &topics.Change{What: c.what, Person: c.person, Channel: c.channel, Reason: c.reason, Answer: c.answer}
}

// raise opens the alarm of a rule. One of an episode before that has latched
// gives way to it, in the same breath.
func (s *State) raise(i int, record *topics.Record[*topics.Chart], e *event, emit func(*topics.Alarm)) {
	r, c, l := s.rule(i), s.condition(i), s.limitOf(i)
	priority := l.priority
	if r.worsens && s.high() {
		// With a HIGH alarm open, the patient is blind in the worst hour.
		priority = topics.Priority_PRIORITY_HIGH
	}
	c.open = &alarm{
		id: identify(r.name, record), priority: priority, base: l.priority,
		value: e.value, worst: e.value, limit: l.value, lead: s.lead(e.second), quality: e.second.GetQuality(), detail: e.detail,
		onset: c.onset, raisedUs: s.now, saidWorst: e.value,
		duty: duty{since: s.time}, became: 1,
	}
	c.why, c.by, c.worst, c.onset = whyShort, none, 0, place{}
	wasPaused := s.pause.on && priority == topics.Priority_PRIORITY_HIGH
	if wasPaused {
		s.pause.on = false // before it is said: it is to be heard
	}
	if c.latched != nil {
		s.conclude(i, &c.latched, endAgain, change{what: changeEnded}, emit)
	}
	s.say(i, c.open, change{what: changeRaised}, emit)
	if wasPaused {
		s.unpaused(silenceBroken, change{what: changeSounding, reason: silenceBroken}, c.open, emit)
	}
}

// follow keeps the value of an open alarm, and says it when it has become
// noticeably worse: the page shows the number itself, so this is for the
// record and for whoever reads the text elsewhere. A new limit or priority is
// said at once.
func (s *State) follow(i int, e *event, emit func(*topics.Alarm)) {
	r, a, l := s.rule(i), s.condition(i).open, s.limitOf(i)
	if !e.known {
		return
	}
	a.value, a.endedUs = e.value, 0
	first := a.saidWorst != a.saidWorst // it was raised when its value could not be told
	if a.worst != a.worst || r.sign()*(e.value-a.worst) > 0 {
		a.worst = e.value
	}
	worse := first || math.Abs(a.worst-a.saidWorst) >= max(r.step, r.grow*math.Abs(a.saidWorst))
	was := a.detail
	a.detail = e.detail
	ch := change{}
	switch {
	case a.base != l.priority:
		ch.what = changePriority
		s.weigh(i, l.priority)
	case a.limit != l.value:
		ch.what = changeLimit
	case a.detail.changed(was):
		ch.what = changeValue
		a.became = a.version + 1
	case worse && s.time-a.saidAt >= sayEvery:
		ch.what = changeValue
	default:
		return
	}
	a.limit, a.saidWorst = l.value, a.worst
	s.say(i, a, ch, emit)
	if s.pause.on && ch.what == changePriority && a.priority == topics.Priority_PRIORITY_HIGH {
		s.unpaused(silenceBroken, change{what: changeSounding, reason: silenceBroken}, nil, emit)
	}
}

// weigh gives an open alarm the priority that its rule has now. One that
// became worse sounds again.
func (s *State) weigh(i int, p topics.Priority) {
	a := s.condition(i).open
	if p > a.priority {
		a.signal.ring(signalWorse)
		a.rang, a.duty.since = a.version+1, s.time
	}
	a.priority, a.base, a.became = p, p, a.version+1
}

// say tells an alarm as it stands, after a change.
func (s *State) say(i int, a *alarm, ch change, emit func(*topics.Alarm)) {
	a.version++
	a.saidAt = s.time
	emit(s.record(i, a, s.conditionOf(i, a), ch))
}

func (s *State) conditionOf(i int, a *alarm) topics.AlarmCondition {
	if s.condition(i).stayOf(a) == isLatched {
		return topics.AlarmCondition_ALARM_CONDITION_LATCHED
	}
	return topics.AlarmCondition_ALARM_CONDITION_ACTIVE
}

// record is an alarm as it stands, with what explains it.
func (s *State) record(i int, a *alarm, is topics.AlarmCondition, ch change) *topics.Alarm {
	r, l := s.rule(i), s.limitOf(i)
	shown := a.value
	if (!r.written || r.limited) && !r.beyond(shown, a.limit) || is == topics.AlarmCondition_ALARM_CONDITION_LATCHED {
		shown = a.worst // why it was said, not how well it is now
	}
	out := &topics.AlarmState{
		Id: a.id.String(), Version: a.version, Rule: r.name, RuleVersion: r.version,
		Priority: a.priority, Technical: r.technical, Condition: is,
		Text: s.text(i, shown, a), Value: number(a.value), Limit: a.limit, Unit: r.unit,
		Lead: a.lead, Quality: a.quality, OnsetUs: a.onset.us, RaisedUs: a.raisedUs,
		Worst: number(a.worst), LimitsVersion: s.limits.version, Change: ch.record(),
		Latching: l.latching, LimitInForce: l.inForce(r),
		OnsetSample: a.onset.sample, Device: a.onset.device, Boot: a.onset.boot,
		Responsibility: topics.Responsibility(a.duty.is) + 1,
	}
	if a.duty.is == accepted {
		out.Responsible = a.duty.by
	}
	out.Signal, out.SignalUntilUs, out.SignalBy = s.sound(a)
	if is == topics.AlarmCondition_ALARM_CONDITION_LATCHED {
		out.EndedUs = a.endedUs
	}
	return &topics.Alarm{Patient: s.patient, TimeUs: s.now, Kind: &topics.Alarm_State{State: out}}
}

// text is what people read.
func (s *State) text(i int, shown float64, a *alarm) string {
	r := s.rule(i)
	text := r.text(shown, a.limit, a.detail)
	if name := s.broken(); i == ruleBroken && name != "" {
		text += ": " + name
	}
	return text
}

// number is a value in a record: 0 where it cannot be told.
func number(v float64) float64 {
	if v != v {
		return 0
	}
	return v
}

// place is where in the samples a time is, by the newest of them and their rate.
func (s *State) place(us int64) place {
	p := place{us: us, device: s.at.device, boot: s.at.boot}
	if s.at.rate > 0 {
		p.sample = uint64(max(float64(s.at.sample)-math.Round(float64(s.at.us-us)/1e6*s.at.rate), 0))
	}
	return p
}
