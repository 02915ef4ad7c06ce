package cases

import (
	"fmt"
	"strings"
	"testing"

	"heartwire/stages/alarms/rules"
)

const file = `rules:
  - name: fever
    when: temperature > 38.3 && hr.mean(5min) > limit
    clear: hr.mean(5min) < limit - hysteresis
    value: hr.mean(5min)
    words: HR MEAN WITH FEVER
    unit: /min
    priority: MEDIUM
    duration: 10s
    limit: 110
    hysteresis: 5
    cases:
      - name: a fast heart with fever
        given: [{for: 10min, hr: 120, temperature: 38.9}, {for: 15min, hr: 80}]
        expect: [{raised: 155s..165s, text: HR MEAN WITH FEVER 120 > 110 /min}, {ended: 715s..760s}]
      - name: without fever
        given: [{for: 10min, hr: 120, temperature: 37.9}]
      - name: nobody knows
        given: [{for: 10min, hr: 120}]
  - name: night
    when: timeOfDay >= 22h && !(rhythm.af) && beats.v.count(1min) > 3 && loinc("8867-4") > 2 && hrv.sdnn < 20
    words: NIGHT
    priority: LOW
    cases:
      - name: all of it
        given: [{for: 2min, timeOfDay: 21h58min, hr: 60, beats.v: 1, rhythm.af: true, 'loinc("8867-4")': 3, hrv.sdnn: 12}, {for: 1min, rhythm.af: false}, {for: 90s, beats.v: 0}]
        expect: [{raised: 121s..121s}, {ended: 240s..255s}]
`

func TestPlay(t *testing.T) {
	f, err := rules.ParseFile("f", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if found := f.Lint(); len(found) > 0 {
		t.Fatal(found)
	}
	for _, c := range f.Cases {
		changes, wrong, err := Play(f.Layer, c, "Europe/Berlin")
		if err != nil || wrong != "" {
			t.Errorf("%s: %s (%v)\n%v", c.Name, wrong, err, changes)
		}
	}
}

func TestWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"raised: 155s..165s", "raised: 1s..2s", "raised at 2m36s, and must be within 1s..2s"},
		{"{raised: 155s..165s, text: HR MEAN WITH FEVER 120 > 110 /min}, ", "", "raised at 2m36s, and must be ended within"},
		{"120 > 110 /min", "120 > 111 /min", `raised as "HR MEAN WITH FEVER 120 > 110 /min", and must be`},
		{", {ended: 715s..760s}", "", "ended at 12m"},
		{"hr: 120", "hr: 100", "not raised within"},
	} {
		f, err := rules.ParseFile("f", []byte(strings.Replace(file, c.was, c.is, 1)))
		if err != nil {
			t.Fatal(err)
		}
		_, wrong, err := Play(f.Layer, f.Cases[0], "UTC")
		if err != nil || !strings.Contains(wrong, c.want) {
			t.Errorf("%s: %q (%v), want %s", c.is, wrong, err, c.want)
		}
	}
	f, _ := rules.ParseFile("f", []byte(strings.Replace(file, "{for: 1min, rhythm.af: false}", "{for: 1min, timeOfDay: 3h}", 1)))
	if _, _, err := Play(f.Layer, f.Cases[3], "UTC"); err == nil || !strings.Contains(fmt.Sprint(err), "first step alone") {
		t.Error(err)
	}
	if _, _, err := Play(f.Layer, f.Cases[0], "Nowhere/At_all"); err == nil {
		t.Error("a zone that is none")
	}
}
