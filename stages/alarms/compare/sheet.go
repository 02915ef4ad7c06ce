package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"heartwire/stages/alarms/lives"
	"heartwire/stages/alarms/sheet"
	"heartwire/topics"
)

// mostListed is how many differences people are shown; JSON has all.
const mostListed = 200

// Sheet is the report as people read it.
func (r *Report) Sheet() *sheet.Sheet {
	s := &sheet.Sheet{Title: "Back-test of alarm rules", Lead: []string{
		fmt.Sprintf("%s to %s (%s), %d patients, %.1f hours.", r.at(r.From.UnixMicro()), r.at(r.To.UnixMicro()), r.Zone, r.Patients, r.To.Sub(r.From).Hours()),
	}}
	if r.Rules != "" {
		s.Lead = append(s.Lead, "Base: the limits that were in force. Changed: "+r.Rules+" over them.")
	}
	s.Lead = append(s.Lead, r.Truth)
	if r.Said != nil {
		s.Lead = append(s.Lead, r.Said.words())
	}
	for i, p := range r.Refused {
		if i == 5 {
			s.Lead = append(s.Lead, fmt.Sprintf("… and %d more.", len(r.Refused)-i))
			break
		}
		s.Lead = append(s.Lead, fmt.Sprintf("Not tried for %s, whose limits stayed: %s.", p.Patient, p.Problem))
	}
	if r.Rules != "" {
		s.Parts = append(s.Parts, r.rulePart(), r.patientPart(), r.differencePart())
	}
	s.Parts = append(s.Parts, r.proposalPart(), r.triedPart(), r.dayPart())
	s.Notes = []string{
		"What a wider limit would have spared is told of this stretch and these patients alone. It says nothing of patients who were not there, nor of what a nurse would have seen. A doctor decides about limits.",
		"Alarm-minutes of a bed are those in which at least one alarm was there; of a rule, those of its alarms. An alarm is lost when none of its rule is there while it is.",
		"Heartwire is not a certified medical device.",
	}
	return s
}

func (s *Said) words() string {
	if s.OnlyThen+s.OnlyNow == 0 {
		return fmt.Sprintf("The base is what was said then: all %d alarms.", s.Both)
	}
	return fmt.Sprintf("The base is not all that was said then: of %d alarms then %d are not in it, and %d are in it alone. An older build, other states at the beginning or an alarm about its edge can be why; heartwire replay --stage alarms --check tells more.",
		s.Then, s.OnlyThen, s.OnlyNow)
}

func (r *Report) at(us int64) string {
	return topics.MicroTime(us).In(r.Zone).Format("2006-01-02 15:04:05")
}

func (r *Report) rulePart() sheet.Part {
	p := sheet.Part{Title: "By rule", Empty: "No alarm, neither with the base nor with the changed rules."}
	p.Table = sheet.Table{Names: 1, Head: []string{"Rule", "Base", "Changed", "Gained", "Lost", "Otherwise", "Base min", "Changed min"}}
	bars := sheet.Bars{Title: "Alarms", Series: []string{"base", "changed"}}
	if r.Annotated {
		p.Table.Head = append(p.Table.Head, "Base true", "False", "Changed true", "False", "Lost true")
	}
	for _, c := range r.ByRule {
		p.Table.Rows = append(p.Table.Rows, append([]string{c.Rule}, r.cells(&c)...))
		bars.Labels = append(bars.Labels, c.Rule)
		bars.Values = append(bars.Values, []float64{float64(c.Base), float64(c.Changed)})
	}
	if len(bars.Labels) > 0 {
		p.Figures = []sheet.Figure{bars}
	}
	return p
}

func (r *Report) cells(c *Count) []string {
	cells := []string{n(c.Base), n(c.Changed), n(c.Gained), n(c.Lost), n(c.Other), minutes(c.BaseMinutes), minutes(c.OtherMinutes)}
	if r.Annotated {
		cells = append(cells, n(c.BaseTrue), n(c.BaseFalse), n(c.ChangedTrue), n(c.ChangedFalse), n(c.LostTrue))
	}
	return cells
}

func (r *Report) patientPart() sheet.Part {
	p := sheet.Part{Title: "By patient and rule", Words: "Those alone that differ.", Empty: "No patient's alarms differ."}
	p.Table = sheet.Table{Names: 3, Head: []string{"Bed", "Patient", "Rule", "Base", "Changed", "Gained", "Lost", "Otherwise", "Base min", "Changed min"}}
	if r.Annotated {
		p.Table.Head = append(p.Table.Head, "Base true", "False", "Changed true", "False", "Lost true")
	}
	rows := slices.Clone(r.ByPatient)
	slices.SortStableFunc(rows, func(a, b Count) int {
		return cmp.Or(cmp.Compare(r.Beds[a.Patient], r.Beds[b.Patient]), cmp.Compare(a.Patient, b.Patient))
	})
	for _, c := range rows {
		if c.Gained+c.Lost+c.Other > 0 {
			p.Table.Rows = append(p.Table.Rows, append([]string{r.bed(c.Patient), c.Patient, c.Rule}, r.cells(&c)...))
		}
	}
	return p
}

func (r *Report) bed(patient string) string { return cmp.Or(r.Beds[patient], "-") }

func (r *Report) differencePart() sheet.Part {
	p := sheet.Part{Title: "Alarms that differ", Empty: "None."}
	p.Table = sheet.Table{Names: 8, Head: []string{"Onset", "Bed", "Patient", "Rule", "", "Priority", "Alarm", "Truth", "Later s", "Longer s"}}
	if len(r.Differences) > mostListed {
		p.Words = fmt.Sprintf("The first %d of %d; --json has all.", mostListed, len(r.Differences))
	}
	for _, d := range r.Differences[:min(len(r.Differences), mostListed)] {
		text, truth := d.Text, "-"
		if d.Was != "" {
			text = d.Was + " → " + d.Text
		}
		if d.Truth != lives.Unknown {
			truth = d.Truth.String()
		}
		later, longer := "", ""
		if d.Kind == Other {
			later, longer = fmt.Sprintf("%+.0f", d.DelayS), fmt.Sprintf("%+.0f", d.LongerS)
		}
		p.Table.Rows = append(p.Table.Rows, []string{r.at(d.At), r.bed(d.Patient), d.Patient, d.Rule, d.Kind, d.Priority, text, truth, later, longer})
	}
	return p
}

func (r *Report) dayPart() sheet.Part {
	p := sheet.Part{Title: "Alarm-minutes per bed and day", Empty: "None."}
	p.Table = sheet.Table{Names: 3, Head: []string{"Day", "Bed", "Patient", "Base min"}}
	bars := sheet.Bars{Title: "Minutes with an alarm a bed and day, the most first", Series: []string{"base"}}
	if r.Rules != "" {
		p.Table.Head, bars.Series = append(p.Table.Head, "Changed min"), []string{"base", "changed"}
	}
	for _, d := range r.Days {
		row := []string{d.Day, d.Bed, d.Patient, minutes(d.Base)}
		if r.Rules != "" {
			row = append(row, minutes(d.Changed))
		}
		p.Table.Rows = append(p.Table.Rows, row)
	}
	worst := slices.Clone(r.Days)
	slices.SortStableFunc(worst, func(a, b Day) int { return cmp.Compare(max(b.Base, b.Changed), max(a.Base, a.Changed)) })
	for _, d := range worst[:min(len(worst), 20)] {
		bars.Labels = append(bars.Labels, d.Bed+" "+d.Day[5:])
		bars.Values = append(bars.Values, []float64{d.Base, d.Changed}[:len(bars.Series)])
	}
	if len(bars.Labels) > 0 {
		p.Figures = []sheet.Figure{bars}
	}
	return p
}

func (r *Report) proposalPart() sheet.Part {
	p := sheet.Part{Title: "Proposed limits", Words: fmt.Sprintf(
		"The mildest change of each rule that spares most, and would have lost no alarm that is known to be true, no HIGH one and none longer than %g s. Lethal rules have none.", r.LongS),
		Empty: "None: no wider limit spares three alarms or more, and a tenth of its rule's, and loses nothing."}
	p.Table = sheet.Table{Names: 1, Head: []string{"Proposal"}}
	for _, t := range r.Proposals {
		p.Table.Rows = append(p.Table.Rows, []string{t.words(r.Annotated)})
	}
	for _, t := range r.Proposals {
		p.Figures = append(p.Figures, r.curve(t))
	}
	return p
}

// words is a proposal in a sentence: hr.high 130 instead of 120 /min would have
// raised 3 instead of 41.
func (t *Tried) words(annotated bool) string {
	what := fmt.Sprintf("%s %s instead of %s", t.Rule, number(t.To), limitText(t.From, t.Unit))
	if t.Duration {
		what = fmt.Sprintf("%s for %s s instead of %s s", t.Rule, number(t.To), number(t.From))
	}
	none := "HIGH or long"
	if annotated {
		none = "true, HIGH or long"
	}
	text := fmt.Sprintf("%s would have raised %d instead of %d; of the %d spared none was %s", what, t.Raised, t.Base, t.Spared, none)
	if t.Elsewhere > 0 {
		text += fmt.Sprintf(", and %d of other rules would have come instead", t.Elsewhere)
	}
	if t.LaterS >= 1 {
		text += fmt.Sprintf("; of the others one would have come %.0f s later", t.LaterS)
	}
	return text + "."
}

// limitText is a limit with its unit, where that is one for people.
func limitText(v float64, unit string) string {
	if unit == "" || strings.HasPrefix(unit, "{") {
		return number(v)
	}
	return number(v) + " " + unit
}

func (r *Report) curve(of Tried) sheet.Figure {
	c := sheet.Curve{Title: of.Rule, X: "limit, " + cmp.Or(of.Unit, "1"), Mark: of.To, Name: "proposed"}
	if of.Duration {
		c.X = "duration, s"
	}
	raised, lost := sheet.Line{Name: "raised"}, sheet.Line{Name: "lost that must not be"}
	add := func(x float64, a, b int) {
		raised.X, raised.Y = append(raised.X, x), append(raised.Y, float64(a))
		lost.X, lost.Y = append(lost.X, x), append(lost.Y, float64(b))
	}
	add(of.From, of.Base, 0)
	for _, t := range r.Tried {
		if t.Rule == of.Rule && t.Duration == of.Duration {
			add(t.To, t.Raised, max(t.LostTrue, t.LostLong, t.LostHigh))
		}
	}
	c.Lines = []sheet.Line{raised, lost}
	return c
}

func (r *Report) triedPart() sheet.Part {
	p := sheet.Part{Title: "All that was tried", Words: "One limit at a time, for each patient whose own was not as wide. Lost are alarms of the rule and of those that go by its limit.",
		Empty: "No rule that can be widened made an alarm."}
	p.Table = sheet.Table{Names: 2, Head: []string{"Rule", "Tried", "Base", "Raised", "Spared", "True of base", "Lost true", "Lost long", "Lost HIGH", "Elsewhere", "Later s"}}
	for _, t := range r.Tried {
		if t.Base == 0 {
			continue
		}
		what := limitText(t.To, t.Unit)
		if t.Duration {
			what = "for " + number(t.To) + " s"
		}
		p.Table.Rows = append(p.Table.Rows, []string{t.Rule, what, n(t.Base), n(t.Raised), n(t.Spared), n(t.BaseTrue), n(t.LostTrue), n(t.LostLong), n(t.LostHigh), n(t.Elsewhere), fmt.Sprintf("%.0f", t.LaterS)})
	}
	return p
}

func n(v int) string { return strconv.Itoa(v) }

func minutes(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', 1, 64) }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// Hours is how long the span is.
func (s Span) Hours() float64 { return (time.Duration(s.To-s.From) * time.Microsecond).Hours() }
