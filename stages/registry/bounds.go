package registry

import (
	"math"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

const (
	leastPauseS = 10
	mostPauseS  = topics.DefaultPauseMaxS // ALARMS: 10 min; a site says less
)

// putBounds takes what the site lets units and patients set. What they have
// set already must fit.
func (t *turn) putBounds(b *topics.Bounds) error {
	if err := t.accountable(); err != nil {
		return err
	}
	s := t.state
	if err := t.seen(s.Bounds.Version); err != nil {
		return err
	}
	next := &topics.Bounds{PauseMaxS: b.GetPauseMaxS()}
	if err := checkNumber("pause_max_s", next.PauseMaxS); err != nil {
		return err
	}
	if m := next.PauseMaxS; m != 0 && (m < leastPauseS || m > mostPauseS) {
		return refuse(CodeOutOfBounds, "pause_max_s: want %d to %d s, or 0 for the most", leastPauseS, mostPauseS)
	}
	seen := map[string]bool{}
	for _, x := range b.GetBounds() {
		if seen[x.GetRule()] {
			return refuse(CodeTwice, "rule %q is named two times", x.GetRule())
		}
		seen[x.GetRule()] = true
		if err := checkBound(x); err != nil {
			return err
		}
		next.Bounds = append(next.Bounds, proto.CloneOf(x))
	}
	if s.Bounds.Set != nil && proto.Equal(s.Bounds.Set, next) {
		return nil
	}
	s.Bounds = bounds{Version: t.version, Set: next}
	if err := t.fit(); err != nil {
		return err
	}
	set := t.setting("bounds")
	set.Kind = &topics.Setting_Bounds{Bounds: proto.CloneOf(next)}
	t.say(set)
	return t.resolve(everybody)
}

func checkBound(x *topics.Bound) error {
	b := topics.FindBuiltIn(x.GetRule())
	if b == nil {
		return unknownRule(x.GetRule(), nil)
	}
	for _, n := range []struct {
		name string
		v    float64
	}{{"from", x.From}, {"to", x.To}} {
		if err := checkNumber(x.Rule+" "+n.name, n.v); err != nil {
			return err
		}
	}
	switch {
	case x.From == 0 && x.To == 0:
		return nil
	case b.Value.Fixed():
		return refuse(CodeOutOfBounds, "%s: its value cannot be set, so it has no bounds: leave from and to at 0", x.Rule)
	case x.From > x.To:
		return refuse(CodeInverted, "%s: from %v is above to %v", x.Rule, x.From, x.To)
	case !b.Value.Holds(x.From) || !b.Value.Holds(x.To):
		return refuse(CodeOutOfBounds, "%s: bounds of %v to %v are outside of what can be set at all, %v to %v", x.Rule, x.From, x.To, b.Value.From, b.Value.To)
	}
	return nil
}

// fit checks that what units and patients have set is within the bounds.
func (t *turn) fit() error {
	for _, l := range t.state.Layers {
		if l.Name == topics.LayerSite {
			continue
		}
		for _, x := range l.Set.GetLimits() {
			if err := t.state.bound(x); err != nil {
				return refuse(CodeOutOfBounds, "%s has set what these bounds exclude (%v): change that first", l.Name, err)
			}
		}
		if l.Set.GetPauseS() > t.state.pauseMax() {
			return refuse(CodeOutOfBounds, "%s lets a pause last %v s: change that first", l.Name, l.Set.GetPauseS())
		}
	}
	if site := find(t.state.Layers, topics.LayerSite); site != nil && site.Set.GetPauseS() > t.state.pauseMax() {
		return refuse(CodeOutOfBounds, "the site lets a pause last %v s: change that first", site.Set.GetPauseS())
	}
	return nil
}

// bound refuses what the site does not let units and patients set.
func (s *State) bound(l *topics.Limit) error {
	for _, x := range s.Bounds.Set.GetBounds() {
		switch {
		case x.GetRule() != l.GetRule():
		case l.GetOff() && !x.GetMayBeOff():
			return refuse(CodeOutOfBounds, "%s: the site does not let it be switched off", l.GetRule())
		case (x.GetFrom() != 0 || x.GetTo() != 0) && !(l.GetValue() >= x.GetFrom() && l.GetValue() <= x.GetTo()):
			return refuse(CodeOutOfBounds, "%s of %v: the site lets %v to %v be set", l.GetRule(), l.GetValue(), x.GetFrom(), x.GetTo())
		}
	}
	return nil
}

// pauseMax is how long a pause can last, in s.
func (s *State) pauseMax() float64 {
	if m := s.Bounds.Set.GetPauseMaxS(); m > 0 {
		return m
	}
	return topics.DefaultPauseMaxS
}

// checkNumber refuses what is no number, and what is below 0.
func checkNumber(name string, v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return refuse(CodeNotANumber, "%s: %v is no number", name, v)
	case v < 0:
		return refuse(CodeNegative, "%s: %v is below 0", name, v)
	}
	return nil
}
