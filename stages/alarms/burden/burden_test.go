package burden_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"heartwire/stages/alarms/burden"
	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

const (
	second = int64(1e6)
	day    = 24 * 3600 * second
	high   = topics.Priority_PRIORITY_HIGH
	medium = topics.Priority_PRIORITY_MEDIUM
	low    = topics.Priority_PRIORITY_LOW
)

var began = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// alarm is one raised so many seconds from the beginning, there for so long.
func alarm(patient, rule string, p topics.Priority, at, long int64) *lives.Life {
	us := began + at*second
	return &lives.Life{Patient: patient, Rule: rule, Priority: p, OnsetUs: us, RaisedUs: us, OverUs: us + long*second, End: "over", Begun: true}
}

func answered(l *lives.Life, ack, accept int64) *lives.Life {
	if ack > 0 {
		l.AcknowledgedUs = l.RaisedUs + ack*second
	}
	if accept > 0 {
		l.AcceptedUs = l.RaisedUs + accept*second
	}
	return l
}

func input(list ...*lives.Life) burden.Input {
	return burden.Input{
		From: began, To: began + 2*day, Zone: time.UTC, Lives: list,
		Beds: map[string]burden.Bed{"p01": {Unit: "4W", Alias: "B01"}, "p02": {Unit: "4W", Alias: "B02"}, "p03": {Unit: "ICU", Alias: "I1"}},
		Stays: []burden.Stay{
			{Patient: "p01", From: began - day, Until: began + day}, {Patient: "p01", From: began + day/2, Until: 0}, // two devices, one after the other
			{Patient: "p02", From: began + day, Until: 0},
			{Patient: "p03", From: began - day, Until: began - day/2}, // gone before
		},
	}
}

func TestBedDays(t *testing.T) {
	r := burden.New(input())
	if r.Beds != 2 || r.BedDays != 3 || len(r.Units) != 1 || r.Units[0] != (burden.UnitDays{Unit: "4W", Beds: 2, BedDays: 3}) {
		t.Errorf("%d beds, %v bed-days, %+v", r.Beds, r.BedDays, r.Units)
	}
}

func TestLoads(t *testing.T) {
	rejected := alarm("p02", "hr.high", medium, 700, 60)
	rejected.RejectedUs, rejected.Rejections = rejected.RaisedUs+second, 2
	in := input(
		alarm("p01", "hr.high", medium, 10, 4),                       // short, alone, for nothing
		answered(alarm("p01", "hr.high", medium, 100, 8), 3, 0),      // short, and somebody came
		alarm("p01", "hr.high", medium, 200, 30),                     // alone
		rejected,                                                     //
		alarm("p03", "vt", high, 50, 20),                             //
		alarm("p09", "vt", high, 60, 20),                             // of a device that is bound to nobody
		alarm("p01", "hr.high", medium, -5, 4),                       // before
		&lives.Life{Patient: "p01", RaisedUs: began, Priority: high}, // it was not seen to begin
	)
	in.Candidates = []lives.Candidate{{Patient: "p01", Rule: "hr.high", Why: "short", Priority: medium, Count: 3}, {Patient: "p01", Rule: "vt", Why: "off", Priority: high, Count: 1}}
	r := burden.New(in)
	if r.Alarms != 6 || r.Suppressed != 4 || r.SuppressedShare != 0.4 {
		t.Errorf("%d alarms, %d suppressed, %v", r.Alarms, r.Suppressed, r.SuppressedShare)
	}
	want := burden.Load{Rule: "hr.high", Alarms: 4, PerBedDay: 4.0 / 3, Suppressed: 3, MedianS: 8, Short: 2, Alone: 2, Unanswered: 2, Rejected: 1, Nuisance: 1}
	if r.Rules[0] != want {
		t.Errorf("got  %+v\nwant %+v", r.Rules[0], want)
	}
	var units []string
	for _, l := range r.Priorities {
		units = append(units, l.Unit+"/"+l.Priority)
	}
	if want := []string{"/HIGH", "/MEDIUM", "4W/HIGH", "4W/MEDIUM", "ICU/HIGH", "unassigned/HIGH"}; !slices.Equal(units, want) {
		t.Errorf("%v, want %v", units, want)
	}
	if len(r.Nuisance) != 1 || r.Nuisance[0].Rule != "hr.high" || r.Busiest[0] != (burden.BedLoad{Unit: "4W", Bed: "B01", Alarms: 3, Nuisance: 1}) {
		t.Errorf("%+v %+v", r.Nuisance, r.Busiest)
	}
	if want := []burden.Why{{Why: "short", Count: 3}, {Why: "off", Count: 1, Lethal: 1}}; !slices.Equal(r.Why, want) {
		t.Errorf("%+v", r.Why)
	}
}

func TestResponses(t *testing.T) {
	last := alarm("p01", "vt", high, 2*day/second-30, 20) // nobody had 60 s for it
	r := burden.New(input(
		answered(alarm("p01", "vt", high, 10, 300), 5, 40),
		answered(alarm("p01", "vt", high, 1000, 300), 0, 61),
		answered(alarm("p01", "vt", high, 2000, 300), 90, 20), // accepted in time
		answered(alarm("p01", "vt", high, 3000, 300), 7, 0),
		alarm("p01", "vt", high, 4000, 300),
		last,
	))
	want := burden.Response{Priority: "HIGH", Alarms: 6, Acknowledged: burden.Times{Count: 3, Median: 7, P90: 90}, Accepted: burden.Times{Count: 3, Median: 40, P90: 61}, Late: 2, LateShare: 2.0 / 6}
	if len(r.Responses) != 1 || r.Responses[0] != want {
		t.Errorf("got  %+v\nwant %+v", r.Responses, want)
	}
}

// Ten alarms of one unit in ten minutes are a flood, nine are none, and those of
// another unit do not count.
func TestFloods(t *testing.T) {
	var list []*lives.Life
	for i := range int64(9) {
		list = append(list, alarm("p01", "pvc", low, 1000+i*60, 5), alarm("p03", "pvc", low, 1000+i*60, 5))
	}
	if r := burden.New(input(list...)); len(r.Floods) != 0 {
		t.Fatalf("nine: %+v", r.Floods)
	}
	list = append(list, alarm("p02", "pvc", low, 1590, 5), alarm("p02", "pvc", low, 1650, 5), alarm("p02", "pvc", low, 4000, 5))
	r := burden.New(input(list...))
	at := func(s int64) time.Time { return topics.MicroTime(began + s*second) }
	want := burden.Flood{Unit: "4W", From: at(1000), To: at(1650 + 600), Alarms: 11, Most: 10}
	if len(r.Floods) != 1 || r.Floods[0] != want {
		t.Errorf("got  %+v\nwant %+v", r.Floods, want)
	}
}

func TestHoursAreTheSites(t *testing.T) {
	in := input(alarm("p01", "pvc", low, 3600, 5), alarm("p01", "vt", high, 3700, 5), alarm("p01", "hr.low", medium, day/second+3600, 5))
	var err error
	if in.Zone, err = time.LoadLocation("Europe/Berlin"); err != nil {
		t.Fatal(err)
	}
	if r := burden.New(in); r.Hours[2] != (burden.Hour{Hour: 2, High: 1, Medium: 1, Low: 1}) {
		t.Errorf("%+v", r.Hours)
	}
}

// Nothing to count is a report, too, and no report asks a host for anything.
func TestSheets(t *testing.T) {
	for name, in := range map[string]burden.Input{"nothing": input(), "something": input(alarm("p01", "vt", high, 3, 5), alarm("p02", "hr.high", medium, 9, 70))} {
		r := burden.New(in)
		var text, html, table strings.Builder
		if err := r.Sheet().WriteText(&text); err != nil || !strings.Contains(text.String(), "3.0 bed-days") {
			t.Errorf("%s: %v\n%s", name, err, text.String())
		}
		if err := r.Sheet().WriteHTML(&html); err != nil || strings.Contains(html.String(), "NaN") || strings.Contains(html.String(), "https:") {
			t.Errorf("%s: %v\n%s", name, err, html.String())
		}
		if err := r.WriteCSV(&table); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(table.String())).ReadAll()
		if err != nil || !slices.Equal(rows[1], []string{"all", "", "", "", "beds", "2"}) {
			t.Errorf("%s: %v %v", name, err, rows)
		}
		if strings.Contains(text.String()+html.String()+table.String(), "p01") {
			t.Errorf("%s: a patient's key stands where a bed has an alias", name)
		}
	}
}
