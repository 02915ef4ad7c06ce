package alarms

import (
	"fmt"
	"time"

	"heartwire/stages"
	"heartwire/topics"
)

// before3 are the rules of the versions before 3, in the order of their states;
// data-lost came with version 2.
var before3 = [...]string{
	topics.RuleAsystole, topics.RuleHRExtremeHigh, topics.RuleHRExtremeLow, topics.RuleHRHigh, topics.RuleHRLow, topics.RuleNoData, topics.RuleLeadOff,
	topics.RuleSignalPoor, topics.RuleBatteryLow, topics.RuleClockWrong, topics.RuleFramesLong, topics.RuleRebooted, topics.RuleDataLost,
}

// before4 are the rules of which a person could set the limit before version 4.
var before4 = [...]string{topics.RuleHRHigh, topics.RuleHRLow, topics.RuleAsystole, topics.RuleNoData, topics.RuleLeadOff}

// migrate brings up a state of a version before. Versions 1 and 2 had a place
// for each rule, and knew of no rhythm; 3 knew of nothing that people do: an
// alarm that is open waits for an answer from now on. 4 had one wait for all.
func migrate(version uint32, state []byte) ([]byte, error) {
	d := stages.NewDecoder(state)
	var s State
	switch version {
	case 1, 2:
		s.decodeHead3(d)
		then := before3[:]
		if version == 1 {
			then = then[:len(then)-1]
		}
		for _, name := range then {
			s.conditions[ruleNamed(name)].decode3(d, &s)
		}
		if version > 1 {
			s.lostUs = d.Int()
		}
	case 3:
		s.decodeHead3(d)
		last := -1
		for n := d.Len(4); n > 0; n-- {
			i := ruleNamed(d.String())
			if i <= last {
				return nil, fmt.Errorf("a condition of no rule, or out of order")
			}
			c := &s.conditions[i]
			c.decode3(d, &s)
			var of detail
			if of.decode(d); c.open != nil {
				c.open.detail = of
			}
			last = i
		}
		s.lostUs = d.Int()
		s.decodeHeard(d)
		s.quality = d.Float()
	case 4:
		if err := s.decode(d, version); err != nil {
			return nil, err
		}
		return s.AppendBinary(nil)
	default:
		return nil, fmt.Errorf("there is no version %d", version)
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	for i := range s.conditions {
		if a := s.conditions[i].open; a != nil {
			a.base = s.limits.at(i).priority
		}
	}
	return s.AppendBinary(nil)
}

// decodeHead3 reads what the versions up to 3 begin with.
func (s *State) decodeHead3(d *stages.Decoder) {
	s.patient, s.time, s.now, s.fresh, s.idle, s.leadName = d.String(), time.Duration(d.Int()), d.Int(), d.Bool(), time.Duration(d.Int()), d.String()
	given := d.Bool()
	s.limits.version = d.Uint()
	if !given {
		return
	}
	all, unsaid := *defaults, &layer{} // whose layer the registry will say again
	for _, name := range before4 {
		i := ruleNamed(name)
		was := all[i]
		all[i].value, all[i].duration, all[i].hysteresis, all[i].off = d.Float(), time.Duration(d.Int()), d.Float(), d.Bool()
		if all[i] != was {
			all[i].layer = unsaid
		}
	}
	s.limits.set, s.limits.force = (*[ruleCount]limit)(&all), all.inForce()
	s.limits.pause, s.limits.pauseMax, s.limits.wait = topics.DefaultPauseS*time.Second, topics.DefaultPauseMaxS*time.Second, defaultWait
}

// decode3 reads a condition of the versions up to 3, whose phases were idle,
// pending, active and calming.
func (c *condition) decode3(d *stages.Decoder, s *State) {
	p := d.Uint()
	then := [...]phase{idle, pending, active, calming}
	if p >= uint64(len(then)) {
		d.Fail("a phase of %d", p)
		return
	}
	if *c = (condition{phase: then[p]}); c.phase == idle {
		return
	}
	c.since = time.Duration(d.Int())
	onset := place{us: d.Int()}
	if c.phase == pending {
		c.onset = onset
		return
	}
	a := &alarm{onset: onset}
	a.id.decode(d)
	a.version, a.priority = uint32(d.Uint()), topics.Priority(d.Int())
	a.value, a.worst, a.limit = d.Float(), d.Float(), d.Float()
	a.lead, a.quality = d.String(), d.Float()
	a.raisedUs, a.endedUs, a.saidAt, a.saidWorst = d.Int(), d.Int(), time.Duration(d.Int()), d.Float()
	a.duty.since, a.became = s.time, a.version
	c.open = a
}
