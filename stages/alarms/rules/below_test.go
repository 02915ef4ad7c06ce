package rules

import "testing"

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		when, value string
		want        bool
	}{
		{"hr > limit", "hr", false},
		{"hr < limit", "hr", true},
		{"limit > hr", "hr", true},
		{"!(hr >= limit)", "", true},
		{"spo2 < 88 || hr > 140", "spo2", true},
		{"spo2 < 88 || hr > 140", "hr", false},
		{"spo2 < 88 || hr > 140", "", false},
		{"rhythm.af && hr.mean(30s) + 5 <= limit - 3", "", true},
		{"rhythm.af", "hr", false},
	} {
		r := written(c.when)
		r.Value = c.value
		rule, err := Compile(r)
		if err != nil {
			t.Fatal(err)
		}
		if rule.Below() != c.want {
			t.Errorf("%s, value %s: below %v", c.when, c.value, rule.Below())
		}
	}
}
