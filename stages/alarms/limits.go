package alarms

import (
	"fmt"
	"time"

	"heartwire/topics"
)

// limit is what a rule is judged by.
type limit struct {
	value      float64
	duration   time.Duration // for which it must be exceeded
	hysteresis float64       // by which it must be undercut
	off        bool
}

// limits are those in force for the patient. The zero limits are the defaults.
type limits struct {
	version uint64
	set     [len(bounds)]limit
	given   bool // set has been said; else the defaults hold
}

// bounds are the rules of which a person can set the limit, and between what:
// outside of it a rule would be no rule (ALARMS of IEC 60601-2-27 monitors).
var bounds = [...]struct {
	rule     string
	from, to float64
}{
	{topics.RuleHRHigh, 30, 300},
	{topics.RuleHRLow, 15, 250},
	{topics.RuleAsystole, 3, 10},
	{topics.RuleNoData, 5, 60},
	{topics.RuleLeadOff, 0, 60},
}

// Places of the rules in bounds.
const (
	hrHigh = iota
	hrLow
	asystole
	noData
	leadOff
)

const (
	longestS      = 60 // a limit's duration
	maxHysteresis = 20
)

var defaults = resolve(topics.DefaultLimits())

func resolve(list []*topics.Limit) (set [len(bounds)]limit) {
	for _, l := range list {
		for i, b := range bounds {
			if b.rule == l.GetRule() {
				set[i] = asLimit(l)
			}
		}
	}
	return set
}

func asLimit(l *topics.Limit) limit {
	return limit{
		value: l.GetValue(), duration: time.Duration(l.GetDurationS() * float64(time.Second)),
		hysteresis: l.GetHysteresis(), off: l.GetOff(),
	}
}

// at is the limit in force.
func (l *limits) at(i int) limit {
	if !l.given {
		return defaults[i]
	}
	return l.set[i]
}

// limit takes the whole set that is in force from now on. A rule that it does
// not name has its default: no rule is turned off by being forgotten. A set
// with an impossible limit is refused, and the one before stays in force.
func (s *State) limit(set *topics.Limits) error {
	s.idle = 0
	if s.limits.given && set.GetVersion() < s.limits.version {
		return nil
	}
	next := limits{version: set.GetVersion(), set: defaults, given: true}
	for _, l := range set.GetLimits() {
		for i, b := range bounds {
			if b.rule != l.GetRule() {
				continue
			}
			if v := l.GetValue(); !(v >= b.from && v <= b.to) {
				return fmt.Errorf("limit %s of %v: want %v to %v", b.rule, v, b.from, b.to)
			}
			if d := l.GetDurationS(); !(d >= 0 && d <= longestS) {
				return fmt.Errorf("limit %s for %v s: want 0 to %d", b.rule, d, longestS)
			}
			if h := l.GetHysteresis(); !(h >= 0 && h <= maxHysteresis) {
				return fmt.Errorf("limit %s with a hysteresis of %v: want 0 to %d", b.rule, h, maxHysteresis)
			}
			next.set[i] = asLimit(l)
		}
	}
	s.limits = next
	return nil
}
