package alarms

import (
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Force is the set of limits and rules in force, as a record of the chart would
// say it: another state that is given it judges alike. The patient's unit is not
// kept, and not said.
func (s *State) Force() *topics.Limits {
	out := &topics.Limits{Version: s.limits.version}
	set := s.limits.set
	if set == nil {
		set = (*[ruleCount]limit)(defaults)
	} else {
		out.PauseS, out.PauseMaxS = s.limits.pause.Seconds(), s.limits.pauseMax.Seconds()
	}
	for i := range set {
		out.Limits = append(out.Limits, set[i].inForce(&rules[i]))
	}
	for k := range s.free {
		f, text := &s.free[k], new(topics.Rule)
		if f.gone || proto.Unmarshal(f.raw, text) != nil {
			continue
		}
		out.Rules = append(out.Rules, text)
		if f.limited {
			out.Limits = append(out.Limits, f.limit.inForce(&f.rule))
		}
	}
	return out
}

// A Family is a rule of the table with those that go by its limit.
type Family []int

// FamilyOf is the family of a rule; empty: it is none of the table.
func FamilyOf(name string) (f Family) {
	i := ruleNamed(name)
	if i < 0 {
		return nil
	}
	f = Family{i}
	switch i {
	case ruleHRHigh:
		f = append(f, ruleExtremeHigh)
	case ruleHRLow:
		f = append(f, ruleExtremeLow)
	}
	for k := range builtIns {
		if builtIns[k].Follows == name {
			f = append(f, k)
		}
	}
	return f
}

// Rules are the names of the family.
func (f Family) Rules() (names []string) {
	for _, i := range f {
		names = append(names, rules[i].name)
	}
	return names
}

// Quiet reports that nothing of a family is beyond its limit: with a limit that
// is wider nothing of it would be either.
func (s *State) Quiet(f Family) bool {
	for _, i := range f {
		if s.conditions[i].phase != idle {
			return false
		}
	}
	return true
}

// Alike reports that the same conditions are at the same place in two states of
// one patient, with the same alarms open or latched: from then on both decide
// alike, as long as neither limit is reached in which they differ.
func (s *State) Alike(o *State) bool {
	if s.lines() != o.lines() {
		return false
	}
	for i := range s.lines() {
		a, b := s.condition(i), o.condition(i)
		if a.phase != b.phase || (a.open == nil) != (b.open == nil) || (a.latched == nil) != (b.latched == nil) {
			return false
		}
	}
	return true
}
