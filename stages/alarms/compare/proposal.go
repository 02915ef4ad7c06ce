package compare

import (
	"slices"

	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

// Tried is what came of one wider limit.
type Tried struct {
	Rule     string  `json:"rule"`
	Duration bool    `json:"duration"` // it is the duration that is wider
	From     float64 `json:"from"`     // that stands by default
	To       float64 `json:"to"`
	Unit     string  `json:"unit"` // UCUM
	Base     int     `json:"base"` // alarms of the rule as it stood
	Raised   int     `json:"raised"`
	Spared   int     `json:"spared"`    // alarms of the rule that would not have been
	BaseTrue int     `json:"base_true"` // of them, those that are true
	True     int     `json:"true"`
	// What would have been lost and must not: of the rule and of those that go by its limit.
	LostTrue  int     `json:"lost_true"`
	LostLong  int     `json:"lost_long"`
	LostHigh  int     `json:"lost_high"`
	Elsewhere int     `json:"elsewhere"` // alarms of other rules that there would have been in addition
	LaterS    float64 `json:"later_s"`   // by how much one of the others would have come later at most
}

// Harmless reports that nothing would have been lost that must not be.
func (t *Tried) Harmless() bool { return t.LostTrue == 0 && t.LostLong == 0 && t.LostHigh == 0 }

// highWithin is by how many µs a HIGH alarm may come later and is not lost: the
// whole budget from onset to sound is 10 s.
const highWithin = 10_000_000

// Family is a rule with those that go by its limit.
type Family []string

// Try counts what came of a wider limit, tried being all that was said with it
// while it differed from the base. long is how long, in µs, an alarm must have
// been there to be missed.
func Try(t Tried, family Family, base, tried []*lives.Life, span Span, long int64) Tried {
	is, known := episodes(tried), map[string]bool{}
	for _, l := range base {
		known[l.ID] = true
		if !span.holds(l) || !slices.Contains(family, l.Rule) {
			continue
		}
		o := is.match(l, span.To)
		if l.Rule == t.Rule {
			t.Base++
			if l.Truth == lives.True {
				t.BaseTrue++
			}
			if o == nil {
				t.Spared++
			}
		}
		isHigh := l.Priority == topics.Priority_PRIORITY_HIGH
		if o != nil {
			t.LaterS = max(t.LaterS, float64(o.RaisedUs-l.RaisedUs)/1e6)
			if isHigh && (o.Priority < l.Priority || o.RaisedUs-l.RaisedUs > highWithin) {
				t.LostHigh++
			}
			continue
		}
		if isHigh {
			t.LostHigh++
		}
		if l.Truth == lives.True {
			t.LostTrue++
		}
		if l.Until(span.To)-l.RaisedUs > long {
			t.LostLong++
		}
	}
	for _, l := range span.raised(tried) {
		switch {
		case l.Rule == t.Rule:
			t.Raised++
			if l.Truth == lives.True {
				t.True++
			}
		case !known[l.ID] && !slices.Contains(family, l.Rule):
			t.Elsewhere++
		}
	}
	return t
}

// What makes a proposal: it spares at least so many alarms, and such a share of
// the rule's; and it is the mildest that spares nearly as many as the widest that
// loses nothing. Ours: a change of a ward's limits must be worth the talk.
const (
	leastSpared = 3
	leastShare  = 0.1
	nearly      = 0.9
)

// Propose chooses the mildest change of each rule that spares most and loses no
// alarm that is true, long or HIGH, of the value or the duration, whichever
// spares more. Those that were tried stand with the mildest first. Lethal rules
// have no proposal, whatever was tried.
func Propose(list []Tried) (out []Tried) {
	var rules []string
	for _, t := range list {
		if b := topics.FindBuiltIn(t.Rule); !slices.Contains(rules, t.Rule) && b != nil && !b.Lethal() {
			rules = append(rules, t.Rule)
		}
	}
	for _, rule := range rules {
		most := 0
		for _, t := range list {
			if t.Rule == rule && t.Harmless() {
				most = max(most, t.Spared-t.Elsewhere)
			}
		}
		for _, t := range list {
			spared := t.Spared - t.Elsewhere
			if t.Rule == rule && t.Harmless() && spared >= leastSpared && float64(spared) >= leastShare*float64(t.Base) && float64(spared) >= nearly*float64(most) {
				out = append(out, t)
				break
			}
		}
	}
	return out
}
