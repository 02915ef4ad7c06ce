package alarms

import (
	"math"
	"time"

	"heartwire/topics"
)

// phase is where the condition of a rule is.
type phase uint8

const (
	idle    phase = iota // nothing
	pending              // beyond the limit, not yet for long enough: nothing is said
	active               // an alarm is open
	calming              // an alarm is open, its condition seems over and must stay so
	phases
)

func (p phase) open() bool { return p == active || p == calming }

// String is the phase's name.
func (p phase) String() string {
	return [...]string{"idle", "pending", "active", "calming", "?"}[min(p, phases)]
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

// Why an alarm ended.
const (
	endOver      = "over"      // its condition
	endMoved     = "moved"     // the device is somebody else's now
	endInhibited = "inhibited" // a worse one speaks for it
	endOff       = "off"       // its rule was turned off for the patient
)

// sayEvery is the least time between two records that only tell a new value.
const sayEvery = 5 * time.Second

// condition is the life of one rule's condition in one patient. LATCHED, which
// outlives the condition, comes in between calming and idle.
type condition struct {
	phase   phase
	since   time.Duration // log time at which the phase began
	onsetUs int64

	// of the alarm while it is open
	id        identity
	version   uint32
	priority  topics.Priority
	value     float64
	worst     float64
	limit     float64
	lead      string
	quality   float64
	detail    detail
	raisedUs  int64
	clearedUs int64 // when calming began
	saidAt    time.Duration
	saidWorst float64
}

// event is a second as one rule sees it.
type event struct {
	second    *topics.Second
	nowUs     int64
	limit     limit
	verdict   verdict
	inhibited bool
}

// step is the machine. Read it as a table of phase by event; the events that
// end everything come first.
func (c *condition) step(s *State, i int, r *topics.Record[*topics.Chart], e event, emit func(*topics.Alarm)) {
	rule := &rules[i]
	switch {
	case e.limit.off && c.phase.open():
		c.end(s, i, endOff, s.now, emit)
		return
	case e.inhibited && c.phase.open():
		c.end(s, i, endInhibited, s.now, emit)
		return
	case e.limit.off:
		c.forget()
		return
	}
	switch c.phase {
	case idle, pending:
		if e.verdict != over {
			c.forget()
			return
		}
		if c.phase == idle {
			c.phase, c.since, c.onsetUs = pending, s.time, s.onset(rule, &e)
		}
		// Inhibited, it goes on waiting: it speaks as soon as the other is silent.
		if s.time-c.since >= e.limit.duration && !e.inhibited {
			c.raise(s, i, r, e, emit)
		}
	case active, calming:
		switch e.verdict {
		case over, within:
			c.phase = active
			c.follow(s, i, e, emit)
		case unknown:
			// What cannot be told ends nothing, and does not count as calm.
			c.phase = active
		case clear:
			if c.phase == active {
				c.phase, c.since, c.clearedUs = calming, s.time, s.now
			}
			c.value, _ = s.value(rule, &e)
			if s.time-c.since >= rule.calm {
				c.end(s, i, endOver, c.clearedUs, emit)
			}
		}
	}
}

// forget goes back to idle, where nearly every condition nearly always is.
func (c *condition) forget() {
	if c.phase != idle {
		*c = condition{}
	}
}

func (c *condition) raise(s *State, i int, r *topics.Record[*topics.Chart], e event, emit func(*topics.Alarm)) {
	rule := &rules[i]
	priority := rule.priority
	if rule.worsens && s.high() {
		// With a HIGH alarm open, the patient is blind in the worst hour.
		priority = topics.Priority_PRIORITY_HIGH
	}
	v, _ := s.value(rule, &e)
	*c = condition{
		phase: active, since: s.time, onsetUs: c.onsetUs,
		id: identify(rule.name, r), version: 1, priority: priority,
		value: v, worst: v, limit: e.limit.value, lead: s.lead(e.second), quality: e.second.GetQuality(), detail: s.detail(rule),
		raisedUs: s.now, saidAt: s.time, saidWorst: v,
	}
	emit(s.alarm(i))
}

// value is what the rule goes by, and onset since when.
func (s *State) value(r *rule, e *event) (v float64, known bool) {
	if len(r.of) == 0 {
		return r.value(e.second)
	}
	_, h := s.latest(r)
	return r.told(e.nowUs, h), true
}

func (s *State) onset(r *rule, e *event) int64 {
	if len(r.of) == 0 {
		return r.onset(e.nowUs, e.second)
	}
	_, h := s.latest(r)
	return h.onsetUs
}

// follow keeps the value of an open alarm, and says it when it has become
// noticeably worse: the page shows the number itself, so this is for the
// record and for whoever reads the text elsewhere. A new limit is said at once.
func (c *condition) follow(s *State, i int, e event, emit func(*topics.Alarm)) {
	rule := &rules[i]
	v, known := s.value(rule, &e)
	if !known {
		return
	}
	c.value = v
	if rule.below && v < c.worst || !rule.below && v > c.worst {
		c.worst = v
	}
	worse := math.Abs(c.worst-c.saidWorst) >= max(rule.step, rule.grow*math.Abs(c.saidWorst))
	was := c.detail
	c.detail = s.detail(rule)
	if c.limit == e.limit.value && !c.detail.changed(was) && !(worse && s.time-c.saidAt >= sayEvery) {
		return
	}
	c.limit, c.saidAt, c.saidWorst = e.limit.value, s.time, c.worst
	c.version++
	emit(s.alarm(i))
}

func (c *condition) end(s *State, i int, reason string, endedUs int64, emit func(*topics.Alarm)) {
	c.version++
	a := s.alarm(i)
	st := a.GetState()
	st.Condition, st.EndReason, st.EndedUs = topics.AlarmCondition_ALARM_CONDITION_ENDED, reason, endedUs
	*c = condition{}
	emit(a)
}
