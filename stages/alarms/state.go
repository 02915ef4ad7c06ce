package alarms

import (
	"fmt"
	"strings"
	"time"

	"heartwire/stages"
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
	heard      [rhythms]heard
	quality    float64 // of the last Second
	leadName   string  // interned: the lead of the last alarm
}

// Gone says that the key is done with: nothing is heard of it any more, and no
// alarm is open.
func (s *State) Gone() bool {
	if s.idle < forgetAfter {
		return false
	}
	for i := range s.conditions {
		if s.conditions[i].phase.open() {
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
	e.Bool(s.limits.given)
	e.Uint(s.limits.version)
	if s.limits.given {
		for _, l := range s.limits.set {
			e.Float(l.value)
			e.Int(int64(l.duration))
			e.Float(l.hysteresis)
			e.Bool(l.off)
		}
	}
	s.appendConditions(&e)
	e.Int(s.lostUs)
	s.appendHeard(&e)
	e.Float(s.quality)
	return e.B, nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (s *State) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
	n := decodeHead(d)
	n.decodeConditions(d)
	n.lostUs = d.Int()
	n.decodeHeard(d)
	n.quality = d.Float()
	if err := d.Err(); err != nil {
		return err
	}
	*s = n
	return nil
}

// decodeHead reads what every version begins with.
func decodeHead(d *stages.Decoder) State {
	n := State{
		patient: d.String(), time: time.Duration(d.Int()), now: d.Int(), fresh: d.Bool(), idle: time.Duration(d.Int()), leadName: d.String(),
		limits: limits{given: d.Bool(), version: d.Uint()},
	}
	if n.limits.given {
		for i := range n.limits.set {
			n.limits.set[i] = limit{d.Float(), time.Duration(d.Int()), d.Float(), d.Bool()}
		}
	}
	return n
}

// appendConditions writes those that are not idle, by the names of their rules:
// the table may change.
func (s *State) appendConditions(e *stages.Encoder) {
	n := 0
	for i := range s.conditions {
		if s.conditions[i].phase != idle {
			n++
		}
	}
	e.Uint(uint64(n))
	for i := range s.conditions {
		if c := &s.conditions[i]; c.phase != idle {
			e.String(rules[i].name)
			c.append(e)
			c.detail.append(e)
		}
	}
}

func (s *State) decodeConditions(d *stages.Decoder) {
	last := -1
	for n := d.Len(4); n > 0; n-- {
		i := ruleNamed(d.String())
		if i <= last {
			d.Fail("a condition of no rule, or out of order")
			return
		}
		s.conditions[i].decode(d)
		s.conditions[i].detail.decode(d)
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

// before3 are the rules of the versions before 3, in the order of their states;
// data-lost came with version 2.
var before3 = [...]string{
	topics.RuleAsystole, "hr.extreme-high", "hr.extreme-low", topics.RuleHRHigh, topics.RuleHRLow, topics.RuleNoData, topics.RuleLeadOff,
	"signal-poor", "battery-low", "clock-wrong", "frames-long", "rebooted", "data-lost",
}

// migrate brings up a state of version 1 or 2, which had a place for each rule,
// and knew of no rhythm.
func migrate(version uint32, state []byte) ([]byte, error) {
	rulesThen := before3[:]
	switch version {
	case 1:
		rulesThen = before3[:len(before3)-1]
	case 2:
	default:
		return nil, fmt.Errorf("there is no version %d", version)
	}
	d := stages.NewDecoder(state)
	s := decodeHead(d)
	for _, name := range rulesThen {
		s.conditions[ruleNamed(name)].decode(d)
	}
	if version > 1 {
		s.lostUs = d.Int()
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return s.AppendBinary(nil)
}

func (c *condition) append(e *stages.Encoder) {
	e.Uint(uint64(c.phase))
	if c.phase == idle {
		return
	}
	e.Int(int64(c.since))
	e.Int(c.onsetUs)
	if !c.phase.open() {
		return
	}
	e.Bytes(c.id[:])
	e.Uint(uint64(c.version))
	e.Int(int64(c.priority))
	e.Float(c.value)
	e.Float(c.worst)
	e.Float(c.limit)
	e.String(c.lead)
	e.Float(c.quality)
	e.Int(c.raisedUs)
	e.Int(c.clearedUs)
	e.Int(int64(c.saidAt))
	e.Float(c.saidWorst)
}

func (c *condition) decode(d *stages.Decoder) {
	p := d.Uint()
	if p >= uint64(phases) {
		d.Fail("a phase of %d", p)
	}
	if c.phase = phase(p); p >= uint64(phases) || c.phase == idle {
		c.phase = idle
		return
	}
	c.since, c.onsetUs = time.Duration(d.Int()), d.Int()
	if !c.phase.open() {
		return
	}
	id := d.Bytes()
	if len(id) != len(c.id) {
		d.Fail("an identity of %d bytes", len(id))
	}
	copy(c.id[:], id)
	c.version, c.priority = uint32(d.Uint()), topics.Priority(d.Int())
	c.value, c.worst, c.limit = d.Float(), d.Float(), d.Float()
	c.lead, c.quality = d.String(), d.Float()
	c.raisedUs, c.clearedUs, c.saidAt, c.saidWorst = d.Int(), d.Int(), time.Duration(d.Int()), d.Float()
}
