package compare

import (
	"cmp"
	"slices"
	"time"

	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

// Report is all that a back-test found. It names patients by their keys, beds by
// their aliases.
type Report struct {
	From        time.Time         `json:"from"`
	To          time.Time         `json:"to"`
	Zone        *time.Location    `json:"-"`
	Rules       string            `json:"rules"` // the file; empty: none
	Truth       string            `json:"truth"` // by what alarms are true or false, in words
	Annotated   bool              `json:"annotated"`
	Patients    int               `json:"patients"`
	Beds        map[string]string `json:"beds"` // by patient
	LongS       float64           `json:"long_s"`
	ByRule      []Count           `json:"by_rule"`
	ByPatient   []Count           `json:"by_patient"`
	Days        []Day             `json:"days"`
	Differences []Difference      `json:"differences"`
	Tried       []Tried           `json:"tried"`
	Proposals   []Tried           `json:"proposals"`
	Said        *Said             `json:"said,omitempty"`
	Refused     []Problem         `json:"refused"` // patients for whom the rules cannot be in force
}

// Day is for how many minutes of a day, in the site's zone, at least one alarm of
// a bed went on.
type Day struct {
	Bed     string  `json:"bed"`
	Patient string  `json:"patient"`
	Day     string  `json:"day"`
	Base    float64 `json:"base_minutes"`
	Changed float64 `json:"changed_minutes"`
}

// Said is how the base agrees with what was really said in the topic alarms.
type Said struct {
	Then     int `json:"then"` // alarms that were raised in the span
	Both     int `json:"both"`
	OnlyThen int `json:"only_then"`
	OnlyNow  int `json:"only_now"`
}

// Problem is what cannot be for a patient.
type Problem struct {
	Patient string `json:"patient"`
	Problem string `json:"problem"`
}

// Input is what a Report is made of. Base and Changed have their truth.
type Input struct {
	Base, Changed []*lives.Life
	Tried         []Tried
	Span          Span
	Beds          map[string]string
	Zone          *time.Location
}

// New makes the report of what came of it.
func New(in Input) *Report {
	r := &Report{
		From: topics.MicroTime(in.Span.From), To: topics.MicroTime(in.Span.To), Zone: in.Zone, Beds: in.Beds,
		Differences: Compare(in.Base, in.Changed, in.Span), Tried: in.Tried, Proposals: Propose(in.Tried),
	}
	r.ByRule = Counts(in.Base, in.Changed, r.Differences, in.Span, false)
	r.ByPatient = Counts(in.Base, in.Changed, r.Differences, in.Span, true)
	r.Days = days(&in)
	return r
}

// days are the minutes of each bed and day, of those where there are some.
func days(in *Input) (list []Day) {
	base, changed := byPatient(in.Base), byPatient(in.Changed)
	var patients []string
	for p := range base {
		patients = append(patients, p)
	}
	for p := range changed {
		if base[p] == nil {
			patients = append(patients, p)
		}
	}
	slices.Sort(patients)
	for _, d := range Days(in.Span, in.Zone) {
		for _, p := range patients {
			row := Day{Bed: cmp.Or(in.Beds[p], p), Patient: p, Day: topics.MicroTime(d.From).In(in.Zone).Format(time.DateOnly)}
			row.Base, row.Changed = lives.Minutes(base[p], d.From, d.To), lives.Minutes(changed[p], d.From, d.To)
			if row.Base > 0 || row.Changed > 0 {
				list = append(list, row)
			}
		}
	}
	return list
}

func byPatient(list []*lives.Life) map[string][]*lives.Life {
	m := map[string][]*lives.Life{}
	for _, l := range list {
		m[l.Patient] = append(m[l.Patient], l)
	}
	return m
}

// Days cuts a span at each midnight of a zone.
func Days(s Span, zone *time.Location) (list []Span) {
	for at := s.From; at < s.To; {
		t := topics.MicroTime(at).In(zone)
		next := min(time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, zone).UnixMicro(), s.To)
		list = append(list, Span{at, next})
		at = next
	}
	return list
}

// edge is how near to an edge of the span, in µs, an alarm is not missed: what
// was said and what is read are cut by the time of the log, alarms have that of samples.
const edge = 10_000_000

// Held holds the base against what was said then.
func Held(base, then []*lives.Life, span Span) *Said {
	s := &Said{}
	inner := Span{span.From + edge, span.To - edge}
	was, is := map[string]bool{}, map[string]bool{}
	for _, l := range then {
		was[l.ID] = true
	}
	for _, l := range base {
		is[l.ID] = true
		if inner.holds(l) && !was[l.ID] {
			s.OnlyNow++
		}
	}
	for _, l := range span.raised(then) {
		s.Then++
		switch {
		case is[l.ID]:
			s.Both++
		case inner.holds(l):
			s.OnlyThen++
		}
	}
	return s
}
