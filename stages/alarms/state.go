package alarms

import (
	"strings"
	"time"

	"heartwire/stages"
	cel "heartwire/stages/alarms/rules"
	"heartwire/topics"
)

// State is the alarms of one key, and what they are judged by.
type State struct {
	patient string
	time    time.Duration // of the log: what ticks have said
	now     int64         // µs: the time of the chart
	fresh   bool          // something was heard since the last tick
	idle    time.Duration // for which nothing was

	// lostUs is the time before which records were forgotten unread; 0: none, or it has been judged
	lostUs int64

	limits     limits
	conditions [ruleCount]condition
	free       []free
	set        *cel.Set    // the free ones that can be judged; nil: none
	history    cel.History // what they look back on
	heard      [rhythms]heard
	at         newest
	quality    float64 // of the last Second
	leadName   string  // interned: the lead of the last alarm

	pause    silence
	standby  silence
	outcomes []outcome  // of the answers of the last minutes, the oldest first
	ended    []identity // the alarms that ended last, the oldest first
	tallies  []tally
}

// newest is the newest sample.
type newest struct {
	device string
	boot   uint64
	sample uint64
	us     int64
	rate   float64 // samples /s; 0: not known
}

// Gone says that the key is done with: nothing is heard of it any more, no
// alarm is open or latched, and nobody has silenced it.
func (s *State) Gone() bool {
	if s.idle < forgetAfter || s.pause.on || s.standby.on {
		return false
	}
	for i := range s.lines() {
		if c := s.condition(i); c.open != nil || c.latched != nil {
			return false
		}
	}
	return true
}

// lead is the analysed lead, in memory of our own.
func (s *State) lead(sec *topics.Second) string {
	if sec.GetLead() != s.leadName {
		s.leadName = strings.Clone(sec.GetLead())
	}
	return s.leadName
}

// AppendBinary appends the state.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: b}
	e.String(s.patient)
	e.Int(int64(s.time))
	e.Int(s.now)
	e.Bool(s.fresh)
	e.Int(int64(s.idle))
	e.String(s.leadName)
	layers := s.layers()
	s.limits.append(&e, layers)
	e.String(s.at.device)
	e.Uint(s.at.boot)
	e.Uint(s.at.sample)
	e.Int(s.at.us)
	e.Float(s.at.rate)
	s.appendConditions(&e)
	s.appendFree(&e, layers)
	e.Int(s.lostUs)
	s.appendHeard(&e)
	e.Float(s.quality)
	s.pause.append(&e)
	s.standby.append(&e)
	s.appendAnswers(&e)
	s.appendTallies(&e)
	return e.B, nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (s *State) UnmarshalBinary(b []byte) error {
	return s.decode(stages.NewDecoder(b), Version)
}

// decode reads what a version wrote, from version 4 on.
func (s *State) decode(d *stages.Decoder, version uint32) error {
	n := State{
		patient: d.String(), time: time.Duration(d.Int()), now: d.Int(), fresh: d.Bool(), idle: time.Duration(d.Int()), leadName: d.String(),
	}
	layers := n.limits.decode(d, version)
	n.at = newest{d.String(), d.Uint(), d.Uint(), d.Int(), d.Float()}
	n.decodeConditions(d)
	n.decodeFree(d, layers)
	n.lostUs = d.Int()
	n.decodeHeard(d)
	n.quality = d.Float()
	n.pause.decode(d)
	n.standby.decode(d)
	n.decodeAnswers(d)
	n.decodeTallies(d)
	if err := d.Err(); err != nil {
		return err
	}
	*s = n
	return nil
}

// appendConditions writes those that are not idle, by the names of their rules:
// the table may change.
func (s *State) appendConditions(e *stages.Encoder) {
	n := 0
	for i := range s.conditions {
		if s.conditions[i].busy() {
			n++
		}
	}
	e.Uint(uint64(n))
	for i := range s.conditions {
		if c := &s.conditions[i]; c.busy() {
			e.String(rules[i].name)
			c.append(e)
		}
	}
}

func (c *condition) busy() bool { return c.phase != idle || c.open != nil || c.latched != nil }

func (s *State) decodeConditions(d *stages.Decoder) {
	last := -1
	for n := d.Len(4); n > 0; n-- {
		i := ruleNamed(d.String())
		if i <= last {
			d.Fail("a condition of no rule, or out of order")
			return
		}
		s.conditions[i].decode(d)
		last = i
	}
}

// ruleNamed is the place of a rule in the table; -1: there is none.
func ruleNamed(name string) int {
	for i := range rules {
		if rules[i].name == name {
			return i
		}
	}
	return -1
}

func (c *condition) append(e *stages.Encoder) {
	e.Uint(uint64(c.phase))
	e.Bool(c.open != nil)
	e.Bool(c.latched != nil)
	if c.phase != idle {
		e.Uint(uint64(c.why))
		e.Uint(uint64(c.by))
		e.Int(int64(c.since))
		c.onset.append(e)
		e.Float(c.worst)
	}
	if c.open != nil {
		c.open.append(e)
	}
	if c.latched != nil {
		c.latched.append(e)
	}
}

func (c *condition) decode(d *stages.Decoder) {
	p, open, latched := d.Uint(), d.Bool(), d.Bool()
	if p >= uint64(phases) || open != phase(p).open() {
		d.Fail("a phase of %d, with an open alarm: %t", p, open)
		return
	}
	*c = condition{phase: phase(p)}
	if c.phase != idle {
		w, by := d.Uint(), d.Uint()
		if w >= uint64(whys) || by > ruleCount {
			d.Fail("a candidate for reason %d by rule %d", w, by)
			return
		}
		c.why, c.by, c.since = why(w), int16(by), time.Duration(d.Int())
		c.onset.decode(d)
		c.worst = d.Float()
	}
	if open {
		c.open = new(alarm)
		c.open.decode(d)
	}
	if latched {
		c.latched = new(alarm)
		c.latched.decode(d)
	}
}

func (p *place) append(e *stages.Encoder) {
	e.Int(p.us)
	e.String(p.device)
	e.Uint(p.boot)
	e.Uint(p.sample)
}

func (p *place) decode(d *stages.Decoder) { *p = place{d.Int(), d.String(), d.Uint(), d.Uint()} }

func (a *alarm) append(e *stages.Encoder) {
	e.Bytes(a.id[:])
	e.Uint(uint64(a.version))
	e.Int(int64(a.priority))
	e.Int(int64(a.base))
	for _, f := range [...]float64{a.value, a.worst, a.limit, a.quality, a.saidWorst} {
		e.Float(f)
	}
	e.String(a.lead)
	a.detail.append(e)
	a.onset.append(e)
	e.Int(a.raisedUs)
	e.Int(a.endedUs)
	e.Int(int64(a.saidAt))
	e.Uint(uint64(a.signal.is))
	e.String(a.signal.by)
	e.Int(int64(a.signal.until))
	e.Int(a.signal.untilUs)
	e.Uint(uint64(a.duty.is))
	e.String(a.duty.by)
	e.Int(int64(a.duty.since))
	for _, v := range [...]uint32{a.became, a.rang, a.passed} {
		e.Uint(uint64(v))
	}
}

func (a *alarm) decode(d *stages.Decoder) {
	a.id.decode(d)
	a.version, a.priority, a.base = uint32(d.Uint()), topics.Priority(d.Int()), topics.Priority(d.Int())
	for _, f := range [...]*float64{&a.value, &a.worst, &a.limit, &a.quality, &a.saidWorst} {
		*f = d.Float()
	}
	a.lead = d.String()
	a.detail.decode(d)
	a.onset.decode(d)
	a.raisedUs, a.endedUs, a.saidAt = d.Int(), d.Int(), time.Duration(d.Int())
	is := d.Uint()
	a.signal = signal{signalState(is), d.String(), time.Duration(d.Int()), d.Int()}
	held := d.Uint()
	a.duty = duty{dutyState(held), d.String(), time.Duration(d.Int())}
	if is >= uint64(signals) || held >= uint64(duties) {
		d.Fail("a signal of %d, a responsibility of %d", is, held)
		a.signal.is, a.duty.is = 0, 0
	}
	for _, v := range [...]*uint32{&a.became, &a.rang, &a.passed} {
		*v = uint32(d.Uint())
	}
}

func (id *identity) decode(d *stages.Decoder) {
	b := d.Bytes()
	if len(b) != len(id) {
		d.Fail("an identity of %d bytes", len(b))
	}
	copy(id[:], b)
}
