package rules

import (
	"strings"
	"testing"
	"time"
)

const good = `of: unit/4W
rules:
  - name: fever
    when: temperature > 38.3 && hr.mean(5min) > limit
    clear: hr.mean(5min) < limit - hysteresis
    value: hr.mean(5min)
    words: HR MEAN WITH FEVER
    unit: /min
    priority: MEDIUM
    duration: 10s
    calm: 1min
    limit: 110
    hysteresis: 5
    cases:
      - name: a fast heart with fever
        given:
          - for: 10min
            hr: 120
            temperature: 38.9
            rhythm.af: true
        expect:
          - raised: 150s..200s
            text: HR MEAN WITH FEVER 120 > 110 /min
limits:
  - rule: hr.high
    value: 130
    duration: 10s
  - rule: vf
    off: true
lethal-off: [vf]
`

func TestAFile(t *testing.T) {
	f, err := ParseFile("ward.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	r := f.Layer.GetRules()[0]
	if r.GetName() != "fever" || r.GetDurationS() != 10 || r.GetCalmS() != 60 || r.GetPriority() != 2 || f.Layer.GetOf() != "unit/4W" || len(f.Layer.GetLimits()) != 3 {
		t.Errorf("%v", f.Layer)
	}
	own := ownLimit(f.Layer, "fever")
	if own.GetValue() != 110 || own.GetHysteresis() != 5 || own.GetDurationS() != 10 || own.GetUnit() != "/min" {
		t.Errorf("%v", own)
	}
	if high := ownLimit(f.Layer, "hr.high"); high.GetValue() != 130 || high.GetDurationS() != 10 || high.GetHysteresis() != 2 {
		t.Errorf("%v", high)
	}
	c := f.Cases[0]
	if c.Line != 15 || c.Given[0].For != 10*time.Minute || len(c.Given[0].Values) != 3 || c.Given[0].Values[2] != (Value{"rhythm.af", 1}) || c.Expect[0].From != 150*time.Second {
		t.Errorf("%+v", c)
	}
	if found := f.Lint(); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

func TestWhatAFileMayNotBe(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"    calm: 1min", "    clam: 1min", "ward.yaml:[11:5] unknown field \"clam\""},
		{"calm: 1min", "calm: soon", "want a time such as 30s"},
		{"calm: 1min", "calm: -1s", "want a time such as 30s"},
		{"priority: MEDIUM", "priority: HIHG", "want LOW, MEDIUM or HIGH"},
		{"hr: 120", "hr: fast", "ward.yaml:15: rule fever: case \"a fast heart with fever\": given: hr: \"fast\": want a number from 0 to 300"},
		{"hr: 120", "hrt: 120", "there is no hrt: did you mean hr?"},
		{"hr: 120", "limit: 120", "limit is the rule's own"},
		{"hr: 120", "loinc(\"8867-5\"): 120", "check digit"},
		{"rhythm.af: true", "rhythm.af: 7", "want true, false or unknown"},
		{"rhythm.af: true", "timeOfDay: 25h", "want a time of day"},
		{"for: 10min", "hr.fast: 3", "say for how long"},
		{"for: 10min", "for: 100h", "want 1s to 48h"},
		{"raised: 150s..200s", "raised: 200s..150s", "want FROM..TO"},
		{"raised: 150s..200s", "risen: 200s..150s", "unknown field \"risen\""},
		{"    limit: 110\n", "", "a hysteresis is of a limit"},
		{good, "rules: [", "ward.yaml: "},
		{good, "", "want one document"},
		{good, "---\na: 1\n---\nb: 1\n", "want one document"},
	} {
		_, err := ParseFile("ward.yaml", []byte(strings.Replace(good, c.was, c.is, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: %v; want %s", c.is, err, c.want)
		}
	}
}

func TestLint(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"temperature > 38.3", "temprature > 38.3", "4:11: rule fever: when 1:1: there is no temprature: did you mean temperature?"},
		{"hr.mean(5min) > limit\n", "hr.maen(5min) > limit\n", "4:33: rule fever: when 1:23: there is no hr.maen: did you mean hr.mean(30s)?"},
		{"when: temperature > 38.3 &&", "when: \"temperature > 38.3 && hr > true\" #", "4:37: rule fever: when 1:26: > does not go with a number and a truth"},
		{"when: temperature > 38.3 &&", "when: |\n      temperature > 38.3\n      && hr > true\n    reason: was", "6: rule fever: when 2:7: > does not go with a number and a truth"},
		{"temperature > 38.3", "temperature > 48.3", "4: rule fever: when: it can never be true: no value of temperature, which is 13 to 46 °C, is left"},
		{"    limit: 110\n", "    limit: 400\n", "4: rule fever: when: it can never be true: no value of hr.mean(5min)"},
		{"temperature > 38.3 && hr.mean(5min) > limit\n", "hr.mean(5min) > limit || hr.mean(5min) <= limit\n", ""},
		{"temperature > 38.3 && hr.mean(5min) > limit\n", "hr.mean(5min) >= 0 || limit > 3\n", "4: rule fever: when: it is always true"},
		{"    limit: 110\n    hysteresis: 5\n", "", "4: rule fever: when: it reads its limit, and none is set: add limit: 130"},
		{"name: fever", "name: vt", "3: rule vt: name: vt is a built-in rule"},
		{"name: fever", "name: Fever", "3: rule Fever: name: \"Fever\": want a small letter"},
		{"words: HR MEAN WITH FEVER", "words: \"\"", "7: rule fever: words: \"\": want the words"},
		{"    priority: MEDIUM\n", "", "rule fever: priority: missing"},
		{"limit: 110", "limit: .nan", "12: rule fever: limit: want a number"},
		{"hysteresis: 5", "hysteresis: -5", "13: rule fever: hysteresis: want a number from 0 on"},
		{"    clear: hr.mean(5min) < limit - hysteresis\n", "", "12: rule fever: hysteresis: no expression reads it: add clear"},
		{"hr.mean(5min) > limit\n    clear: hr.mean(5min) < limit - hysteresis\n", "hr.mean(5min) > 110\n", "11: rule fever: limit: no expression reads it"},
		{"    quality: 1", "", ""},
		{"    calm: 1min", "    quality: 1", "11: rule fever: quality: 1: want 0 to 0.9"},
		{"lethal-off: [vf]\n", "", "28: rule vf: it is lethal and switched off: if that is meant, say so: lethal-off: [vf]"},
		{"lethal-off: [vf]\n", "lethal-off: [vf, svt]\n", "rule svt: lethal-off names it, which is no lethal rule"},
		{"lethal-off: [vf]\n", "lethal-off: [vf, vt]\n", "rule vt: lethal-off names it, and it is not switched off"},
		{"rule: vf\n    off: true", "rule: no-data\n    off: true", "28: rule no-data: it says that a patient is not watched, and cannot be switched off"},
		{"rule: hr.high", "rule: hr.hihg", "25: rule hr.hihg: there is no rule of that name: did you mean hr.high?"},
		{"value: 130\n", "value: 400\n", "25: rule hr.high: a value of 400: want 30 to 250"},
		{"value: 130\n", "value: 45\n", "rule hr.low: 50 is not below hr.high of 45"},
		{"rule: hr.high\n    value: 130", "rule: vt\n    value: 7", "rule vt: its value is 5, the same for everybody, and not 7"},
		{"rule: hr.high", "rule: vf", "rule vf: its limit stands here twice"},
	} {
		text := strings.Replace(good, c.was, c.is, 1)
		f, err := ParseFile("ward.yaml", []byte(text))
		if err != nil {
			t.Errorf("%.40s: %v", c.is, err)
			continue
		}
		found := f.Lint()
		var lines []string
		for _, x := range found {
			lines = append(lines, x.Error())
		}
		if all := strings.Join(lines, "\n"); c.want == "" && all != "" && !strings.Contains(c.is, "||") || c.want != "" && !strings.Contains("\n"+all, "\n"+c.want) && !strings.Contains(all, c.want) {
			t.Errorf("%.40s: found\n%s\nwant %s", c.is, all, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	f, err := ParseFile("ward.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Compile(f.Layer.GetRules()[0])
	if err != nil {
		t.Fatal(err)
	}
	e := r.Explain(Limit{110, 5})
	if want := "temperature is above 38.3 and the mean of hr over 5min is above the limit of 110"; e.When != want {
		t.Errorf("%s", e.When)
	}
	if want := "the mean of hr over 5min is below the limit of 110 - the hysteresis of 5"; e.Clear != want {
		t.Errorf("%s", e.Clear)
	}
	if e.Value != "the mean of hr over 5min" || len(e.Reads) != 4 || e.Reads[1].Window != "60 × 5s, known when half of it is" || e.Reads[0].Holds != "4h" {
		t.Errorf("%+v", e)
	}
	for when, want := range map[string]string{
		"!(rhythm.af || known(spo2)) && (hr > 3 || hr < 2)": "not (rhythm.af or spo2 is known) and (hr is above 3 or hr is below 2)",
		"timeOfDay >= 22h ? hr > 3 : -hr * 2 < abs(hr - 3)": "if timeOfDay is at least 22h: hr is above 3; else: (-hr) * 2 is below the absolute of (hr - 3)",
		"hr.slope(10min) > 2 && beats.v.count(1min) == 3":   "the change of hr a minute, over 10min, is above 2 and the number of beats.v over 1min is equal to 3",
		"loinc('8867-4') != 3 && hr > limit":                "the vital 8867-4 is not equal to 3 and hr is above its limit",
	} {
		r, err := Compile(written(when))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Explain(NoLimit).When; got != want {
			t.Errorf("%s\n%s\nwant\n%s", when, got, want)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("rules:\n- when: |\n    hr >"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := ParseFile("f", b)
		if err != nil {
			return
		}
		for _, x := range file.Lint() {
			_ = x.Error()
		}
	})
}
