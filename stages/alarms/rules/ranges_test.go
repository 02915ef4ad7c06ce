package rules

import (
	"math"
	"strings"
	"testing"

	"heartwire/topics"
)

func TestWhatCanNeverBe(t *testing.T) {
	for _, c := range []struct {
		when   string
		limit  float64
		never  string // a part of why not; empty: it can be
		always bool
	}{
		{"hr > 130 && hr < 100", math.NaN(), "no value of hr, which is 0 to 300 /min, is left", false},
		{"hr > 130 && hr < 130", math.NaN(), "no value of hr", false},
		{"hr >= 130 && hr <= 130", math.NaN(), "", false},
		{"hr > 130 || hr < 100", math.NaN(), "", false},
		{"hr > 350", math.NaN(), "0 to 300 /min", false},
		{"350 < hr.mean(30s)", math.NaN(), "hr.mean(30s)", false},
		{"hr > limit", 400, "no value of hr", false},
		{"hr > limit", 130, "", false},
		{"hr > limit", math.NaN(), "", false},
		{"hr > limit", -3, "", true},
		{"hr >= 0", math.NaN(), "", true},
		{"spo2 <= 100 || hr > 3", math.NaN(), "", true},
		{"false", math.NaN(), "it can never be true", false},
		{"true", math.NaN(), "", true},
		{"hr > 5 && 2 > 3", math.NaN(), "it can never be true", false},
		{"rhythm.af && !rhythm.af", math.NaN(), "rhythm.af would have to be true and false", false},
		{"rhythm.af || !rhythm.af", math.NaN(), "", true},
		{"!(hr > 100 || hr <= 100)", math.NaN(), "no value of hr", false},
		{"timeOfDay > 24h", math.NaN(), "timeOfDay", false},
		{"timeOfDay >= 22h && timeOfDay < 6h", math.NaN(), "no timeOfDay", false},
		{"timeOfDay >= 22h || timeOfDay < 6h", math.NaN(), "", false},
		{"hr.min(1min) > 130 && hr.max(1min) < 120", math.NaN(), "hr.m", false},
		{"hr.min(1min) > 130 && hr.max(2min) < 120", math.NaN(), "", false},
		{"hr > hr.mean(10min) + 400", math.NaN(), "it can never be true", false},
		{"hr - 30 > 300", math.NaN(), "it can never be true", false},
		{"hr * 2 > 500 && hr < 200", math.NaN(), "it can never be true", false},
		{"hr * 2 > 500 && hr < 260", math.NaN(), "", false},
		{"hr > 100 ? hr < 90 : hr > 110", math.NaN(), "no value of hr", false},
		{"known(spo2) && !known(spo2)", math.NaN(), "", false}, // what is known is not reckoned with
		{"known(spo2) ? spo2 < 90 : hr > 120", math.NaN(), "", false},
		{"abs(hr - 80) > 300", math.NaN(), "it can never be true", false},
		{"hr / spo2 > 3", math.NaN(), "", false},
		{"rhythm.af == true && !rhythm.af", math.NaN(), "", false},
		{"temperature < 10", math.NaN(), "13 to 46 °C", false},
		{"loinc('8867-4') > 1e9 && loinc('8867-4') < 3", math.NaN(), "it can never be true", false},
	} {
		r, err := Compile(written(c.when))
		if err != nil {
			t.Errorf("%s: %v", c.when, err)
			continue
		}
		l := Limit{c.limit, 0}
		p := r.never(l)
		switch {
		case p == nil && c.never != "":
			t.Errorf("%s: it can be", c.when)
		case p != nil && (c.never == "" || !strings.Contains(p.Message, c.never)):
			t.Errorf("%s: %v; want %q", c.when, p, c.never)
		}
		if got := r.always(l) != nil; got != c.always {
			t.Errorf("%s: always %v, want %v", c.when, got, c.always)
		}
	}
}

func TestAClearThatCanNeverBe(t *testing.T) {
	r := written("hr > 130")
	r.Clear = "hr > 350"
	if err := Check(r); err == nil || !strings.Contains(err.Error(), "clear: it can never be true, and its alarm would never end") {
		t.Error(err)
	}
	r.Clear = "hr < 120"
	if err := Check(r); err != nil {
		t.Error(err)
	}
	if err := Check(&topics.Rule{}); err == nil {
		t.Error("the empty rule is accepted")
	}
}
