package registry

import (
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// limitCheck checks the limits of one layer or profile.
type limitCheck struct {
	turn      *turn
	layer     string // topics.LayerProfile, LayerSite, LayerUnit or LayerPatient
	old       []*topics.Limit
	rules     []*topics.Rule // that the layer writes itself
	lethalOff []string
	beneath   picks
}

// limits are the limits as they will be kept, by the order of the built-in
// rules, then of the others by name.
func (c *limitCheck) limits(list []*topics.Limit) (out []*topics.Limit, err error) {
	seen := map[string]bool{}
	for _, l := range list {
		if seen[l.GetRule()] {
			return nil, refuse(CodeTwice, "rule %q is named two times", l.GetRule())
		}
		seen[l.GetRule()] = true
		next, err := c.limit(l)
		if err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	slices.SortFunc(out, func(a, b *topics.Limit) int {
		i, builtIn := places[a.Rule]
		j, also := places[b.Rule]
		switch {
		case builtIn && also:
			return i - j
		case builtIn:
			return -1
		case also:
			return 1
		}
		return strings.Compare(a.Rule, b.Rule)
	})
	return out, nil
}

func (c *limitCheck) limit(l *topics.Limit) (*topics.Limit, error) {
	b := topics.FindBuiltIn(l.GetRule())
	value := l.GetValue()
	if b == nil {
		value = math.Abs(value) // what people write about can be below 0
	}
	for _, n := range []struct {
		name string
		v    float64
	}{{"value", value}, {"duration_s", l.GetDurationS()}, {"hysteresis", l.GetHysteresis()}, {"quality", l.GetQuality()}} {
		if err := checkNumber(l.GetRule()+" "+n.name, n.v); err != nil {
			return nil, err
		}
	}
	next := &topics.Limit{
		Rule: l.GetRule(), Value: l.GetValue(), DurationS: l.GetDurationS(), Hysteresis: l.GetHysteresis(), Off: l.GetOff(),
		Priority: l.GetPriority(), Latching: l.Latching, Quality: l.Quality, ExpiresUs: l.GetExpiresUs(),
	}
	next = proto.CloneOf(next)
	var err error
	if b != nil {
		err = c.builtIn(b, next)
	} else {
		err = c.written(next)
	}
	if err != nil {
		return nil, err
	}
	if c.layer == topics.LayerProfile && next.ExpiresUs != 0 {
		return nil, refuse(CodeBadRequest, "%s: a profile does not expire; give an expiry where it is used", next.Rule)
	}
	if err := c.turn.checkExpiry(next.Rule, next.ExpiresUs); err != nil {
		return nil, err
	}
	if c.layer == topics.LayerUnit || c.layer == topics.LayerPatient {
		if err := c.turn.state.bound(next); err != nil {
			return nil, err
		}
	}
	next.Layer, next.Author, next.SetUs, next.Reason = c.layer, c.turn.req.GetAuthor(), c.turn.req.GetTimeUs(), c.turn.req.GetReason()
	return c.kept(next), nil
}

// kept is the limit as it was, where it says nothing new: it keeps its author.
func (c *limitCheck) kept(next *topics.Limit) *topics.Limit {
	for _, was := range c.old {
		if was.GetRule() != next.Rule {
			continue
		}
		same := proto.CloneOf(next)
		same.Author, same.SetUs, same.Reason = was.Author, was.SetUs, was.Reason
		if proto.Equal(same, was) {
			return was
		}
	}
	return next
}

// builtIn completes the limit of a rule that Heartwire brings, and checks it.
func (c *limitCheck) builtIn(b *topics.BuiltIn, l *topics.Limit) error {
	l.Unit = b.Unit
	if l.Off && l.Value == 0 && !b.Value.Holds(0) {
		// Switched off, and no more said: the rest stays as it was beneath. A
		// rate limit's value is wanted still, the extremes go by it.
		was := c.beneath.limits[places[b.Rule]].limit
		l.Value, l.DurationS, l.Hysteresis = was.GetValue(), was.GetDurationS(), was.GetHysteresis()
	}
	if b.Follows != "" && (l.Value != 0 || l.DurationS != 0 || l.Hysteresis != 0) {
		return refuse(CodeOutOfBounds, "%s goes by the value, duration and hysteresis of %s: set those, and leave its own at 0", b.Rule, b.Follows)
	}
	if b.Value.Fixed() && l.Value == 0 {
		l.Value = b.Value.Default
	}
	if l.Priority == topics.Priority_PRIORITY_UNSPECIFIED {
		l.Priority = b.Priority
	}
	if l.Latching == nil {
		latching := b.Latching
		l.Latching = &latching
	}
	if l.Quality == nil {
		quality := b.Quality.Default
		l.Quality = &quality
	}
	for _, x := range []struct {
		name, unit string
		v          float64
		span       topics.Span
	}{
		{"value", b.Unit, l.Value, b.Value}, {"duration", "s", l.DurationS, b.DurationS},
		{"hysteresis", b.Unit, l.Hysteresis, b.Hysteresis}, {"quality", "", l.GetQuality(), b.Quality},
	} {
		switch {
		case x.span.Holds(x.v):
		case x.span.Fixed():
			return refuse(CodeOutOfBounds, "%s: its %s cannot be set; leave it at %v", b.Rule, x.name, x.span.Default)
		default:
			return refuse(CodeOutOfBounds, "%s: a %s of %v: want %v to %v%s", b.Rule, x.name, x.v, x.span.From, x.span.To, strings.TrimRight(" "+x.unit, " "))
		}
	}
	if l.Priority < b.Lowest || l.Priority > b.Highest {
		return refuse(CodeOutOfBounds, "%s: its priority can be %s to %s", b.Rule, word(b.Lowest), word(b.Highest))
	}
	return c.quietened(b, l)
}

// quietened checks what is switched off.
func (c *limitCheck) quietened(b *topics.BuiltIn, l *topics.Limit) error {
	switch {
	case b.Lethal() && !l.GetLatching():
		return refuse(CodeLethalOff, "%s stays until somebody has seen it: its latching cannot be set", b.Rule)
	case !l.Off:
	case b.Off == topics.OffNever:
		return refuse(CodeNeverOff, "%s says that a patient is not watched, and cannot be switched off: put the patient on standby", b.Rule)
	case b.Lethal() && c.layer == topics.LayerProfile:
		return refuse(CodeLethalOff, "%s is lethal: a profile cannot switch it off", b.Rule)
	case b.Lethal() && !slices.Contains(c.lethalOff, b.Rule):
		return refuse(CodeLethalOff, "%s is lethal: to switch it off, name it in lethal_off too", b.Rule)
	}
	return nil
}

// words are the lethal rules that the layer switches off by name; a word for
// what stays on would wait there for the next change.
func (c *limitCheck) words(limits []*topics.Limit) ([]string, error) {
	out := slices.Sorted(slices.Values(c.lethalOff))
	for i, rule := range out {
		off := slices.ContainsFunc(limits, func(l *topics.Limit) bool { return l.Rule == rule && l.Off })
		b := topics.FindBuiltIn(rule)
		if b == nil || !b.Lethal() || !off || i > 0 && out[i-1] == rule {
			return nil, refuse(CodeLethalOff, "lethal_off names %q: it names each lethal rule that this layer switches off, once, and nothing else", rule)
		}
	}
	return out, nil
}

// written checks the limit of a rule that people wrote. What is 0 or absent is
// the rule's own.
func (c *limitCheck) written(l *topics.Limit) error {
	names := []string{}
	for _, r := range c.rules {
		names = append(names, r.Name)
	}
	for _, r := range c.beneath.rules {
		names = append(names, r.rule.GetName())
	}
	if c.layer == topics.LayerProfile || !slices.Contains(names, l.Rule) {
		return unknownRule(l.Rule, names)
	}
	switch {
	case l.DurationS > maxRuleS:
		return refuse(CodeOutOfBounds, "%s: a duration of %v: want 0 to %v s", l.Rule, l.DurationS, maxRuleS)
	case l.GetQuality() > maxRuleQuality:
		return refuse(CodeOutOfBounds, "%s: a quality of %v: want 0 to %v", l.Rule, l.GetQuality(), maxRuleQuality)
	case !(l.Priority >= 0 && l.Priority <= topics.Priority_PRIORITY_HIGH):
		return refuse(CodeOutOfBounds, "%s: there is no priority %d", l.Rule, l.Priority)
	}
	return nil
}

// unknownRule names the rules that a name may have been meant for.
func unknownRule(name string, written []string) error {
	var near, all []string
	for _, b := range topics.BuiltIns() {
		all = append(all, b.Rule)
	}
	for _, rule := range append(all, written...) {
		if distance(name, rule) <= 2 || len(name) > 2 && strings.Contains(rule, name) {
			near = append(near, rule)
		}
	}
	if len(near) > 0 {
		return refuse(CodeUnknownRule, "rule %q: there is none; did you mean %s?", name, strings.Join(near, " or "))
	}
	return refuse(CodeUnknownRule, "rule %q: there is none; there are %s", name, strings.Join(append(all, written...), ", "))
}

// distance is how many letters differ (Levenshtein).
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := left
			if a[i] != b[j] {
				cost = 1 + min(left, row[j], row[j+1])
			}
			left, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// word is a priority as people say it.
func word(p topics.Priority) string { return strings.TrimPrefix(p.String(), "PRIORITY_") }
