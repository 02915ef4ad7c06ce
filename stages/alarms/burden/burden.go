// Package burden counts what alarms ask of a ward: how many a bed and day, which
// of them were for nothing, how long until somebody answered, and when there were
// too many at once. It is pure arithmetic over lives of alarms and bindings of
// beds, and knows a patient by the key alone.
package burden

import (
	"cmp"
	"math"
	"slices"
	"time"

	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

// What counts as what. Ours, but for the flood.
const (
	// shortS is below how many seconds an alarm is short: nobody can be at the bed so soon.
	shortS = 10
	// answerS is within how many seconds a HIGH alarm wants an answer (stages/alarms).
	answerS = 60
	// A flood is ten alarms or more of one unit within ten minutes; it is over when
	// there are less than five (ANSI/ISA-18.2-2016, EEMUA 191, there of one operator).
	floodAlarms, floodOver = 10, 5
	floodWindow            = int64(600e6) // µs
)

// Bed is where a patient lies.
type Bed struct{ Unit, Alias string }

// Stay is a time for which a device was bound to a patient, in UTC µs; Until 0: it is.
type Stay struct {
	Patient     string
	From, Until int64
}

// Input is what is counted. Lives are those of patients who are ones.
type Input struct {
	From, To   int64 // UTC µs
	Zone       *time.Location
	Lives      []*lives.Life
	Candidates []lives.Candidate // that were suppressed
	Beds       map[string]Bed    // by patient
	Stays      []Stay
}

// Load is how many alarms of something there were.
type Load struct {
	Unit       string  `json:"unit,omitempty"` // empty: of all
	Priority   string  `json:"priority,omitempty"`
	Rule       string  `json:"rule,omitempty"`
	Alarms     int     `json:"alarms"`
	PerBedDay  float64 `json:"per_bed_day"` // 0 where no bed-day is known
	Suppressed int     `json:"suppressed"`
	MedianS    float64 `json:"median_s"`   // how long they were there
	Short      int     `json:"short"`      // less than 10 s
	Alone      int     `json:"alone"`      // ended by themselves, before anybody did anything
	Unanswered int     `json:"unanswered"` // nobody acknowledged, accepted or rejected them
	Rejected   int     `json:"rejected"`
	Nuisance   int     `json:"nuisance"` // ended by themselves and short
}

// Response is how soon people answered, in s.
type Response struct {
	Priority     string  `json:"priority"`
	Alarms       int     `json:"alarms"`
	Acknowledged Times   `json:"acknowledged"`
	Accepted     Times   `json:"accepted"`
	Late         int     `json:"late"` // neither acknowledged nor accepted within 60 s of being raised
	LateShare    float64 `json:"late_share"`
	TimedOut     int     `json:"timed_out"` // so the stage said
}

// Times are quantiles of times, in s; 0 where there is none.
type Times struct {
	Count  int     `json:"count"`
	Median float64 `json:"median_s"`
	P90    float64 `json:"p90_s"`
}

// Flood is a time with too many alarms for whoever is there.
type Flood struct {
	Unit   string    `json:"unit"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Alarms int       `json:"alarms"` // in all of it
	Most   int       `json:"most"`   // within ten minutes
}

// Why is how many were suppressed for a reason.
type Why struct {
	Why    string `json:"why"`
	Count  int    `json:"count"`
	Lethal int    `json:"high"` // of them HIGH
}

// Hour is what was raised in an hour of the day, of all days, in the site's zone.
type Hour struct {
	Hour   int `json:"hour"`
	High   int `json:"high"`
	Medium int `json:"medium"`
	Low    int `json:"low"`
}

// Report is all of it.
type Report struct {
	From            time.Time      `json:"from"`
	To              time.Time      `json:"to"`
	Zone            *time.Location `json:"-"`
	Beds            int            `json:"beds"`
	BedDays         float64        `json:"bed_days"`
	Alarms          int            `json:"alarms"`
	Suppressed      int            `json:"suppressed"`
	SuppressedShare float64        `json:"suppressed_share"` // of alarms and suppressed ones together
	Units           []UnitDays     `json:"units"`
	Priorities      []Load         `json:"priorities"` // by unit and priority, those of all units first
	Rules           []Load         `json:"rules"`      // the most first
	Nuisance        []Load         `json:"nuisance"`   // of rules, those with most for nothing first
	Responses       []Response     `json:"responses"`
	Busiest         []BedLoad      `json:"busiest"` // beds, the most alarms first
	Floods          []Flood        `json:"floods"`
	Why             []Why          `json:"why"`
	Hours           []Hour         `json:"hours"`
}

// BedLoad is how many alarms a bed had.
type BedLoad struct {
	Unit     string `json:"unit"`
	Bed      string `json:"bed"` // its alias; the patient's key where there is none
	Alarms   int    `json:"alarms"`
	Nuisance int    `json:"nuisance"`
}

// UnitDays is how long how many beds of a unit were watched.
type UnitDays struct {
	Unit    string  `json:"unit"`
	Beds    int     `json:"beds"`
	BedDays float64 `json:"bed_days"`
}

// Unassigned is the unit of devices that are bound to nobody.
const Unassigned = "unassigned"

// New counts.
func New(in Input) *Report {
	c := counter{Input: in}
	c.Lives = slices.DeleteFunc(slices.Clone(in.Lives), func(l *lives.Life) bool { return !l.Begun || l.RaisedUs < in.From || l.RaisedUs >= in.To })
	r := &Report{From: topics.MicroTime(in.From), To: topics.MicroTime(in.To), Zone: in.Zone, Alarms: len(c.Lives)}
	c.stays(r)
	for _, x := range in.Candidates {
		r.Suppressed += x.Count
	}
	if n := r.Alarms + r.Suppressed; n > 0 {
		r.SuppressedShare = float64(r.Suppressed) / float64(n)
	}
	c.loads(r)
	c.responses(r)
	c.busiest(r)
	c.floods(r)
	c.why(r)
	c.hours(r)
	return r
}

type counter struct {
	Input
	days map[string]float64 // bed-days, by unit; "": of all
}

func (c *counter) unit(patient string) string { return cmp.Or(c.Beds[patient].Unit, Unassigned) }

// stays adds up bed-days: the time for which a patient had a device, two at a time once.
func (c *counter) stays(r *Report) {
	c.days = map[string]float64{}
	beds := map[string]int{}
	list := slices.Clone(c.Stays)
	slices.SortFunc(list, func(a, b Stay) int {
		return cmp.Or(cmp.Compare(a.Patient, b.Patient), cmp.Compare(a.From, b.From))
	})
	until, patient := int64(0), ""
	for _, s := range list {
		if s.Patient != patient {
			until, patient = c.From, s.Patient
		}
		to := c.To
		if s.Until != 0 {
			to = min(to, s.Until)
		}
		from := max(s.From, until)
		if to <= from {
			continue
		}
		unit := c.unit(patient)
		if until == c.From {
			beds[unit]++
			r.Beds++
		}
		until = to
		days := float64(to-from) / (24 * 3600e6)
		c.days[unit] += days
		c.days[""] += days
	}
	r.BedDays = c.days[""]
	for unit, n := range beds {
		r.Units = append(r.Units, UnitDays{unit, n, c.days[unit]})
	}
	slices.SortFunc(r.Units, func(a, b UnitDays) int { return cmp.Compare(a.Unit, b.Unit) })
}

// PriorityName is HIGH, MEDIUM or LOW; one that is not said is HIGH.
func PriorityName(p topics.Priority) string {
	return [...]string{"HIGH", "LOW", "MEDIUM", "HIGH"}[min(max(p, 0), 3)]
}

var priorities = []string{"HIGH", "MEDIUM", "LOW"}

func (c *counter) loads(r *Report) {
	byPriority, byRule := loads{}, loads{}
	for _, l := range c.Lives {
		p := PriorityName(l.Priority)
		byPriority.add(Load{Priority: p}, l, c.To)
		byPriority.add(Load{Unit: c.unit(l.Patient), Priority: p}, l, c.To)
		byRule.add(Load{Rule: l.Rule}, l, c.To)
	}
	for _, x := range c.Candidates {
		p := PriorityName(x.Priority)
		byPriority.of(Load{Priority: p}).Suppressed += x.Count
		byPriority.of(Load{Unit: c.unit(x.Patient), Priority: p}).Suppressed += x.Count
		byRule.of(Load{Rule: x.Rule}).Suppressed += x.Count
	}
	r.Priorities = byPriority.list(c.days)
	slices.SortFunc(r.Priorities, func(a, b Load) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(slices.Index(priorities, a.Priority), slices.Index(priorities, b.Priority)))
	})
	r.Rules = byRule.list(c.days)
	slices.SortFunc(r.Rules, func(a, b Load) int {
		return cmp.Or(cmp.Compare(b.Alarms, a.Alarms), cmp.Compare(b.Suppressed, a.Suppressed), cmp.Compare(a.Rule, b.Rule))
	})
	for _, l := range r.Rules {
		if l.Nuisance > 0 {
			r.Nuisance = append(r.Nuisance, l)
		}
	}
	slices.SortStableFunc(r.Nuisance, func(a, b Load) int { return cmp.Compare(b.Nuisance, a.Nuisance) })
}

// loads are counted by unit, priority and rule.
type loads map[Load]*counted

type counted struct {
	Load
	seconds []float64
}

func (m loads) of(key Load) *counted {
	c := m[key]
	if c == nil {
		c = &counted{Load: key}
		m[key] = c
	}
	return c
}

func (m loads) add(key Load, l *lives.Life, end int64) {
	c := m.of(key)
	c.Alarms++
	there := float64(min(l.Until(end), end)-l.RaisedUs) / 1e6
	c.seconds = append(c.seconds, there)
	answered := l.AcknowledgedUs != 0 || l.AcceptedUs != 0 || l.RejectedUs != 0
	// What ended before anybody did anything ended by itself.
	alone := l.OverUs != 0 && (l.End == "over" || l.End == "inhibited" || l.End == "again" || l.End == "reset") && !before(l, l.OverUs)
	isShort := l.OverUs != 0 && there < shortS
	for _, x := range [...]struct {
		at *int
		is bool
	}{{&c.Short, isShort}, {&c.Alone, alone}, {&c.Unanswered, !answered}, {&c.Rejected, l.Rejections > 0}, {&c.Nuisance, alone && isShort}} {
		if x.is {
			*x.at++
		}
	}
}

// before reports that somebody did something about an alarm before a time.
func before(l *lives.Life, us int64) bool {
	for _, at := range [...]int64{l.AcknowledgedUs, l.AcceptedUs, l.RejectedUs, l.PausedUs} {
		if at != 0 && at <= us {
			return true
		}
	}
	return false
}

func (m loads) list(days map[string]float64) (out []Load) {
	for _, c := range m {
		c.MedianS = quantile(c.seconds, 0.5)
		if d := days[c.Unit]; d > 0 {
			c.PerBedDay = float64(c.Alarms) / d
		}
		out = append(out, c.Load)
	}
	slices.SortFunc(out, func(a, b Load) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}

// quantile is the smallest value that such a share is not above (nearest rank); 0 of none.
func quantile(list []float64, share float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[max(int(math.Ceil(share*float64(len(list))))-1, 0)]
}

func (c *counter) responses(r *Report) {
	for _, p := range priorities {
		one := Response{Priority: p}
		var heard, taken []float64
		for _, l := range c.Lives {
			if PriorityName(l.Priority) != p {
				continue
			}
			one.Alarms++
			first := int64(math.MaxInt64)
			if us := l.AcknowledgedUs; us != 0 {
				heard, first = append(heard, float64(us-l.RaisedUs)/1e6), us
			}
			if us := l.AcceptedUs; us != 0 {
				taken, first = append(taken, float64(us-l.RaisedUs)/1e6), min(first, us)
			}
			if first-l.RaisedUs > answerS*1e6 && c.To-l.RaisedUs > answerS*1e6 { // one of the last minute may still be answered
				one.Late++
			}
			if l.TimedOut {
				one.TimedOut++
			}
		}
		one.Acknowledged = Times{len(heard), quantile(heard, 0.5), quantile(heard, 0.9)}
		one.Accepted = Times{len(taken), quantile(taken, 0.5), quantile(taken, 0.9)}
		if one.Alarms > 0 {
			one.LateShare = float64(one.Late) / float64(one.Alarms)
			r.Responses = append(r.Responses, one)
		}
	}
}

func (c *counter) busiest(r *Report) {
	byBed := loads{}
	for _, l := range c.Lives {
		byBed.add(Load{Unit: c.unit(l.Patient), Rule: cmp.Or(c.Beds[l.Patient].Alias, l.Patient)}, l, c.To)
	}
	for _, l := range byBed.list(nil) {
		r.Busiest = append(r.Busiest, BedLoad{l.Unit, l.Rule, l.Alarms, l.Nuisance})
	}
	slices.SortStableFunc(r.Busiest, func(a, b BedLoad) int { return cmp.Compare(b.Alarms, a.Alarms) })
}

// floods finds them unit by unit, in the order of time.
func (c *counter) floods(r *Report) {
	byUnit := map[string][]int64{}
	for _, l := range c.Lives {
		u := c.unit(l.Patient)
		byUnit[u] = append(byUnit[u], l.RaisedUs)
	}
	for unit, at := range byUnit {
		slices.Sort(at)
		var open *Flood
		first := 0 // of the window
		for i, us := range at {
			if open != nil && us-floodWindow >= at[i-1] { // there was none for the whole window
				open.To, open = topics.MicroTime(at[i-1]+floodWindow), nil
			}
			for at[first] <= us-floodWindow {
				first++
			}
			n := i - first + 1
			switch {
			case open == nil && n >= floodAlarms:
				r.Floods = append(r.Floods, Flood{Unit: unit, From: topics.MicroTime(at[first]), Alarms: n, Most: n})
				open = &r.Floods[len(r.Floods)-1]
			case open != nil && n < floodOver:
				open.To, open = topics.MicroTime(us), nil
			case open != nil:
				open.Alarms++
				open.Most = max(open.Most, n)
			}
		}
		if open != nil {
			open.To = topics.MicroTime(min(at[len(at)-1]+floodWindow, c.To))
		}
	}
	slices.SortFunc(r.Floods, func(a, b Flood) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Unit, b.Unit)) })
}

func (c *counter) why(r *Report) {
	by := map[string]*Why{}
	for _, x := range c.Candidates {
		w := by[x.Why]
		if w == nil {
			w = &Why{Why: x.Why}
			by[x.Why] = w
		}
		w.Count += x.Count
		if PriorityName(x.Priority) == "HIGH" {
			w.Lethal += x.Count
		}
	}
	for _, w := range by {
		r.Why = append(r.Why, *w)
	}
	slices.SortFunc(r.Why, func(a, b Why) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Why, b.Why)) })
}

func (c *counter) hours(r *Report) {
	r.Hours = make([]Hour, 24)
	for h := range r.Hours {
		r.Hours[h].Hour = h
	}
	for _, l := range c.Lives {
		h := &r.Hours[topics.MicroTime(l.RaisedUs).In(c.Zone).Hour()]
		switch PriorityName(l.Priority) {
		case "HIGH":
			h.High++
		case "MEDIUM":
			h.Medium++
		default:
			h.Low++
		}
	}
}
