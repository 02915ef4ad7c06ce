package burden

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"heartwire/stages/alarms/sheet"
)

// mostRules is how many rules are drawn, and listed as nuisance.
const mostRules = 12

// Sheet is the report as people read it.
func (r *Report) Sheet() *sheet.Sheet {
	s := &sheet.Sheet{Title: "Alarm burden", Lead: []string{
		fmt.Sprintf("%s to %s (%s).", r.at(r.From), r.at(r.To), r.Zone),
		fmt.Sprintf("%d alarms at %d beds in %.1f bed-days%s; %d candidates suppressed, %.0f %% of all.", r.Alarms, r.Beds, r.BedDays, r.rate(), r.Suppressed, 100*r.SuppressedShare),
	}}
	s.Parts = []sheet.Part{r.unitPart(), r.rulePart(), r.nuisancePart(), r.bedPart(), r.responsePart(), r.floodPart(), r.whyPart(), r.hourPart()}
	s.Notes = []string{
		"A bed-day is a day for which a device was bound to a patient. Alarms are counted by the unit in which the patient lies now; those of devices that are bound to nobody have none, and no bed-days.",
		fmt.Sprintf("Short is less than %d s. Ended alone: its condition was over before anybody did anything. Nuisance is both: such an alarm may still have been true.", shortS),
		fmt.Sprintf("Late is neither acknowledged nor accepted within %d s. A flood is %d alarms or more of one unit within ten minutes, until there are less than %d (ANSI/ISA-18.2).", answerS, floodAlarms, floodOver),
		"Heartwire is not a certified medical device.",
	}
	return s
}

func (r *Report) at(t time.Time) string { return t.In(r.Zone).Format("2006-01-02 15:04") }

func (r *Report) rate() string {
	if r.BedDays == 0 {
		return ""
	}
	return fmt.Sprintf(", %.1f a bed-day", float64(r.Alarms)/r.BedDays)
}

func (r *Report) days(unit string) float64 {
	if unit == "" {
		return r.BedDays
	}
	for _, u := range r.Units {
		if u.Unit == unit {
			return u.BedDays
		}
	}
	return 0
}

func (r *Report) unitPart() sheet.Part {
	p := sheet.Part{Title: "By unit and priority", Empty: "No alarm."}
	p.Table = sheet.Table{Names: 2, Head: []string{"Unit", "Priority", "Alarms", "Bed-days", "A bed-day", "Suppressed", "Median s"}}
	bars := sheet.Bars{Title: "Alarms a bed-day, by unit", Series: []string{"HIGH", "MEDIUM", "LOW"}, Stack: true}
	for _, l := range r.Priorities {
		unit := l.Unit
		if unit == "" {
			unit = "all"
		}
		p.Table.Rows = append(p.Table.Rows, []string{unit, l.Priority, n(l.Alarms), one(r.days(l.Unit)), r.perDay(&l), n(l.Suppressed), one(l.MedianS)})
		if r.days(l.Unit) == 0 {
			continue
		}
		if k := len(bars.Labels); k == 0 || bars.Labels[k-1] != unit {
			bars.Labels, bars.Values = append(bars.Labels, unit), append(bars.Values, make([]float64, 3))
		}
		for i, name := range priorities {
			if name == l.Priority {
				bars.Values[len(bars.Values)-1][i] = l.PerBedDay
			}
		}
	}
	if len(bars.Labels) > 0 {
		p.Figures = []sheet.Figure{bars}
	}
	return p
}

func (r *Report) perDay(l *Load) string {
	if r.days(l.Unit) == 0 {
		return "-"
	}
	return strconv.FormatFloat(l.PerBedDay, 'f', 2, 64)
}

func (r *Report) rulePart() sheet.Part {
	p := sheet.Part{Title: "By rule", Empty: "No alarm."}
	p.Table = sheet.Table{Names: 1, Head: []string{"Rule", "Alarms", "A bed-day", "Share %", "Suppressed", "Median s", "Short", "Ended alone", "Unanswered", "Rejected"}}
	bars := sheet.Bars{Title: "Alarms, and of them nuisance", Series: []string{"alarms", "nuisance"}}
	for i, l := range r.Rules {
		p.Table.Rows = append(p.Table.Rows, []string{l.Rule, n(l.Alarms), r.perDay(&l), percent(l.Alarms, r.Alarms), n(l.Suppressed), one(l.MedianS), n(l.Short), n(l.Alone), n(l.Unanswered), n(l.Rejected)})
		if i < mostRules && l.Alarms > 0 {
			bars.Labels, bars.Values = append(bars.Labels, l.Rule), append(bars.Values, []float64{float64(l.Alarms), float64(l.Nuisance)})
		}
	}
	if len(bars.Labels) > 0 {
		p.Figures = []sheet.Figure{bars}
	}
	return p
}

func (r *Report) nuisancePart() sheet.Part {
	p := sheet.Part{Title: "Most for nothing", Words: "Short, and over before anybody did anything.", Empty: "None."}
	p.Table = sheet.Table{Names: 1, Head: []string{"Rule", "Nuisance", "Of its alarms %", "A bed-day"}}
	for _, l := range r.Nuisance[:min(len(r.Nuisance), mostRules)] {
		per := "-"
		if r.BedDays > 0 {
			per = strconv.FormatFloat(float64(l.Nuisance)/r.BedDays, 'f', 2, 64)
		}
		p.Table.Rows = append(p.Table.Rows, []string{l.Rule, n(l.Nuisance), percent(l.Nuisance, l.Alarms), per})
	}
	return p
}

func (r *Report) bedPart() sheet.Part {
	p := sheet.Part{Title: "Busiest beds", Empty: "None."}
	p.Table = sheet.Table{Names: 2, Head: []string{"Unit", "Bed", "Alarms", "Nuisance"}}
	for _, b := range r.Busiest[:min(len(r.Busiest), mostRules)] {
		p.Table.Rows = append(p.Table.Rows, []string{b.Unit, b.Bed, n(b.Alarms), n(b.Nuisance)})
	}
	return p
}

func (r *Report) responsePart() sheet.Part {
	p := sheet.Part{Title: "Response times", Words: "From the alarm's being raised, in s.", Empty: "No alarm."}
	p.Table = sheet.Table{Names: 1, Head: []string{"Priority", "Alarms", "Acknowledged", "Median", "P90", "Accepted", "Median", "P90", fmt.Sprintf("Late (> %d s)", answerS), "%", "Timed out"}}
	for _, x := range r.Responses {
		a, b := x.Acknowledged, x.Accepted
		p.Table.Rows = append(p.Table.Rows, []string{x.Priority, n(x.Alarms), n(a.Count), a.time(a.Median), a.time(a.P90), n(b.Count), b.time(b.Median), b.time(b.P90), n(x.Late), percent(x.Late, x.Alarms), n(x.TimedOut)})
	}
	return p
}

func (t Times) time(s float64) string {
	if t.Count == 0 {
		return "-"
	}
	return one(s)
}

func (r *Report) floodPart() sheet.Part {
	p := sheet.Part{Title: "Floods", Empty: "None."}
	p.Table = sheet.Table{Names: 3, Head: []string{"Unit", "From", "To", "Minutes", "Alarms", "Most in 10 min"}}
	for _, f := range r.Floods {
		p.Table.Rows = append(p.Table.Rows, []string{f.Unit, r.at(f.From), r.at(f.To), one(f.To.Sub(f.From).Minutes()), n(f.Alarms), n(f.Most)})
	}
	return p
}

func (r *Report) whyPart() sheet.Part {
	p := sheet.Part{Title: "Suppressed", Words: "Candidates beyond their limit that became no alarm.", Empty: "None."}
	p.Table = sheet.Table{Names: 1, Head: []string{"Why", "Candidates", "Share %", "Of them HIGH"}}
	for _, w := range r.Why {
		p.Table.Rows = append(p.Table.Rows, []string{w.Why, n(w.Count), percent(w.Count, r.Suppressed), n(w.Lethal)})
	}
	return p
}

func (r *Report) hourPart() sheet.Part {
	p := sheet.Part{Title: "By hour of the day", Words: fmt.Sprintf("In %s, all days together.", r.Zone)}
	p.Table = sheet.Table{Names: 1, Head: []string{"Hour", "HIGH", "MEDIUM", "LOW", "All"}}
	c := sheet.Columns{Title: "Alarms raised", Series: priorities}
	for _, h := range r.Hours {
		label := fmt.Sprintf("%02d", h.Hour)
		p.Table.Rows = append(p.Table.Rows, []string{label, n(h.High), n(h.Medium), n(h.Low), n(h.High + h.Medium + h.Low)})
		c.Labels, c.Values = append(c.Labels, label), append(c.Values, []float64{float64(h.High), float64(h.Medium), float64(h.Low)})
	}
	p.Figures = []sheet.Figure{c}
	return p
}

// WriteCSV writes one value a line: what it is of, and what.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	put := func(table, unit, priority, rule, measure string, v float64) {
		_ = out.Write([]string{table, unit, priority, rule, measure, strconv.FormatFloat(v, 'g', 10, 64)}) // Error tells it below
	}
	_ = out.Write([]string{"table", "unit", "priority", "rule", "measure", "value"})
	put("all", "", "", "", "beds", float64(r.Beds))
	put("all", "", "", "", "bed_days", r.BedDays)
	put("all", "", "", "", "alarms", float64(r.Alarms))
	put("all", "", "", "", "suppressed", float64(r.Suppressed))
	put("all", "", "", "", "suppressed_share", r.SuppressedShare)
	for _, u := range r.Units {
		put("unit", u.Unit, "", "", "beds", float64(u.Beds))
		put("unit", u.Unit, "", "", "bed_days", u.BedDays)
	}
	for table, list := range [][]Load{r.Priorities, r.Rules} {
		name := [...]string{"priority", "rule"}[table]
		for _, l := range list {
			for _, m := range []struct {
				name string
				v    float64
			}{
				{"alarms", float64(l.Alarms)}, {"per_bed_day", l.PerBedDay}, {"suppressed", float64(l.Suppressed)}, {"median_s", l.MedianS}, {"short", float64(l.Short)},
				{"ended_alone", float64(l.Alone)}, {"unanswered", float64(l.Unanswered)}, {"rejected", float64(l.Rejected)}, {"nuisance", float64(l.Nuisance)},
			} {
				put(name, l.Unit, l.Priority, l.Rule, m.name, m.v)
			}
		}
	}
	for _, x := range r.Responses {
		put("response", "", x.Priority, "", "alarms", float64(x.Alarms))
		for name, t := range []Times{x.Acknowledged, x.Accepted} {
			what := [...]string{"acknowledged", "accepted"}[name]
			put("response", "", x.Priority, "", what, float64(t.Count))
			if t.Count > 0 {
				put("response", "", x.Priority, "", what+"_median_s", t.Median)
				put("response", "", x.Priority, "", what+"_p90_s", t.P90)
			}
		}
		put("response", "", x.Priority, "", "late", float64(x.Late))
		put("response", "", x.Priority, "", "timed_out", float64(x.TimedOut))
	}
	for _, f := range r.Floods {
		put("flood", f.Unit, "", "", f.From.UTC().Format(time.RFC3339), float64(f.Alarms))
	}
	for _, x := range r.Why {
		put("suppressed", "", "", "", x.Why, float64(x.Count))
	}
	for _, h := range r.Hours {
		label := fmt.Sprintf("hour_%02d", h.Hour)
		put("hour", "", "HIGH", "", label, float64(h.High))
		put("hour", "", "MEDIUM", "", label, float64(h.Medium))
		put("hour", "", "LOW", "", label, float64(h.Low))
	}
	out.Flush()
	return out.Error()
}

func n(v int) string { return strconv.Itoa(v) }

func one(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func percent(part, of int) string {
	if of == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(of), 'f', 0, 64)
}
