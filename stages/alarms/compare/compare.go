// Package compare tells in what the alarms of two sets of rules differ over the
// same chart, and which wider limit would have spared most of them. It is pure
// arithmetic over lives of alarms: who made them is the caller's.
package compare

import (
	"cmp"
	"slices"

	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

// Kinds of Difference.
const (
	Gained = "gained" // an alarm, and nothing of its rule at that time in the base
	Lost   = "lost"   // no alarm, where the base has one
	Other  = "changed"
)

// Difference is one alarm that the other rules make otherwise.
type Difference struct {
	Kind     string      `json:"kind"`
	Patient  string      `json:"patient"`
	Rule     string      `json:"rule"`
	Priority string      `json:"priority"` // now; of a lost one as it was
	At       int64       `json:"onset_us"`
	Text     string      `json:"text"`          // now; of a lost one as it was
	Was      string      `json:"was,omitempty"` // the text, of a changed one
	DelayS   float64     `json:"delay_s"`       // of a changed one: by how much later it was raised
	LongerS  float64     `json:"longer_s"`      // and by how much longer it went on
	Truth    lives.Truth `json:"truth"`
}

// Count is what a rule made under both sets of rules, of all patients or of one.
type Count struct {
	Rule          string  `json:"rule"`
	Patient       string  `json:"patient,omitempty"`
	Base          int     `json:"base"`
	Changed       int     `json:"changed"`
	Gained        int     `json:"gained"`
	Lost          int     `json:"lost"`
	Other         int     `json:"otherwise"`
	BaseMinutes   float64 `json:"base_minutes"`
	OtherMinutes  float64 `json:"changed_minutes"`
	BaseTrue      int     `json:"base_true"`
	BaseFalse     int     `json:"base_false"`
	ChangedTrue   int     `json:"changed_true"`
	ChangedFalse  int     `json:"changed_false"`
	LostTrue      int     `json:"lost_true"`
	LostHighOrMed int     `json:"lost_high_or_medium"`
}

// Span is what is looked at, in UTC µs: an alarm counts where it is seen to be raised in it.
type Span struct{ From, To int64 }

func (s Span) holds(l *lives.Life) bool {
	return l.Begun && l.RaisedUs >= s.From && l.RaisedUs <= s.To
}

// Over is the span as far as alarms were raised: they have the time of samples,
// and records that of the log, which is later by the way there, or by more where
// patches held back what they had.
func (s Span) Over(lists ...[]*lives.Life) Span {
	for _, list := range lists {
		for _, l := range list {
			if l.Begun {
				s.From = min(s.From, l.RaisedUs)
			}
		}
	}
	return s
}

// raised are those that were raised in the span.
func (s Span) raised(list []*lives.Life) (out []*lives.Life) {
	for _, l := range list {
		if s.holds(l) {
			out = append(out, l)
		}
	}
	return out
}

// byEpisode holds lives by patient and rule.
type byEpisode map[[2]string][]*lives.Life

func episodes(list []*lives.Life) byEpisode {
	m := byEpisode{}
	for _, l := range list {
		k := [2]string{l.Patient, l.Rule}
		m[k] = append(m[k], l)
	}
	return m
}

// match is the life of the same patient and rule that was there at the same
// time: the same episode, else the first that was there.
func (m byEpisode) match(l *lives.Life, end int64) *lives.Life {
	var found *lives.Life
	for _, o := range m[[2]string{l.Patient, l.Rule}] {
		if o.ID == l.ID {
			return o
		}
		if found == nil && l.Beside(o, end) {
			found = o
		}
	}
	return found
}

// moved is by how many µs a time must differ to be told as changed.
const moved = 1_000_000

// Compare gives the differences in the order of their onset.
func Compare(base, changed []*lives.Life, span Span) (list []Difference) {
	was, is := episodes(base), episodes(changed)
	for _, l := range base {
		if span.holds(l) && is.match(l, span.To) == nil {
			list = append(list, difference(Lost, l))
		}
	}
	for _, l := range changed {
		if !span.holds(l) {
			continue
		}
		o := was.match(l, span.To)
		if o == nil {
			list = append(list, difference(Gained, l))
			continue
		}
		later, longer := l.RaisedUs-o.RaisedUs, l.Until(span.To)-o.Until(span.To)
		if l.Priority != o.Priority || l.Text != o.Text || max(later, -later) > moved || max(longer, -longer) > moved {
			d := difference(Other, l)
			d.DelayS, d.LongerS = float64(later)/1e6, float64(longer)/1e6
			if l.Text != o.Text {
				d.Was = o.Text
			}
			list = append(list, d)
		}
	}
	slices.SortStableFunc(list, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Patient, b.Patient), cmp.Compare(a.Rule, b.Rule))
	})
	return list
}

func difference(kind string, l *lives.Life) Difference {
	return Difference{Kind: kind, Patient: l.Patient, Rule: l.Rule, Priority: priorityWord(l.Priority), At: l.OnsetUs, Text: l.Text, Truth: l.Truth}
}

func priorityWord(p topics.Priority) string {
	return [...]string{"HIGH", "LOW", "MEDIUM", "HIGH"}[min(max(p, 0), 3)]
}

// Counts are by rule, the worst first and those that people wrote last, or by
// rule and patient. A rule that made nothing is left out.
func Counts(base, changed []*lives.Life, list []Difference, span Span, byPatient bool) []Count {
	rows := map[[2]string]*Count{}
	of := func(rule, patient string) *Count {
		if !byPatient {
			patient = ""
		}
		c := rows[[2]string{rule, patient}]
		if c == nil {
			c = &Count{Rule: rule, Patient: patient}
			rows[[2]string{rule, patient}] = c
		}
		return c
	}
	for _, l := range span.raised(base) {
		c := of(l.Rule, l.Patient)
		c.Base++
		c.BaseMinutes += float64(min(l.Until(span.To), span.To)-l.RaisedUs) / 60e6
		truth(l, &c.BaseTrue, &c.BaseFalse)
	}
	for _, l := range span.raised(changed) {
		c := of(l.Rule, l.Patient)
		c.Changed++
		c.OtherMinutes += float64(min(l.Until(span.To), span.To)-l.RaisedUs) / 60e6
		truth(l, &c.ChangedTrue, &c.ChangedFalse)
	}
	for _, d := range list {
		switch c := of(d.Rule, d.Patient); d.Kind {
		case Gained:
			c.Gained++
		case Lost:
			c.Lost++
			if d.Truth == lives.True {
				c.LostTrue++
			}
			if d.Priority != "LOW" {
				c.LostHighOrMed++
			}
		default:
			c.Other++
		}
	}
	out := make([]Count, 0, len(rows))
	for _, c := range rows {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(Place(a.Rule), Place(b.Rule)), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Patient, b.Patient))
	})
	return out
}

func truth(l *lives.Life, yes, no *int) {
	switch l.Truth {
	case lives.True:
		*yes++
	case lives.False:
		*no++
	}
}

// Place is where a rule stands among the built-in ones, the worst first.
func Place(rule string) int {
	list := topics.BuiltIns()
	for i := range list {
		if list[i].Rule == rule {
			return i
		}
	}
	return len(list)
}

// slack is by how much, in µs, an alarm and what it is judged by may miss each other.
const slack = 5_000_000

// Judge says of each alarm of the body whether it is true: whether the reference
// has an alarm of the same rule at that time, 5 s more or less. Technical alarms
// are judged by nothing that a reference of the heart knows.
func Judge(list, reference []*lives.Life, end int64) {
	is := episodes(reference)
	for _, l := range list {
		if l.Technical {
			continue
		}
		l.Truth = lives.False
		for _, o := range is[[2]string{l.Patient, l.Rule}] {
			if l.Overlaps(o, end, slack) {
				l.Truth = lives.True
			}
		}
	}
}

// JudgeByAnswers says true of each alarm that somebody accepted. Of others a log
// knows nothing: whoever rejects an alarm says only "not me".
func JudgeByAnswers(list []*lives.Life) {
	for _, l := range list {
		if l.AcceptedUs != 0 {
			l.Truth = lives.True
		}
	}
}
