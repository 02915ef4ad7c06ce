package rules

import (
	"strings"
	"testing"

	"heartwire/topics"
)

func written(when string) *topics.Rule {
	return &topics.Rule{Name: "mine", Version: 1, When: when, Words: "MINE", Priority: topics.Priority_PRIORITY_MEDIUM}
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range []struct{ when, want string }{
		{"hr >", "when 1:5: "},
		{"hr > 130 && hr.maen(30s) > 2", "when 1:13: there is no hr.maen: did you mean hr.mean(30s)?"},
		{"hr.average > 130", "when 1:1: there is no hr.average: did you mean hr.mean(30s)?"},
		{"hr.mean > 130", "when 1:1: hr.mean wants a time: hr.mean(30s)"},
		{"pulze > 3", "when 1:1: there is no pulze: did you mean pulse?"},
		{"xyzzyplugh > 3", "when 1:1: there is no xyzzyplugh: `heartwire rules ls` lists what there is"},
		{"hr.mean(30s) > 130 &&\n pvc.perMinute > true", "when 2:16: > does not go with a number and a truth"},
		{"hr.mean(30s) > 30s", "when 1:14: > does not go with a number and a time"},
		{"hr.mean(1s) > 30", "when 1:9: a window of 1s: want 2s to 24h"},
		{"hr.mean(25h) > 30", "when 1:9: a window of 25h: want 2s to 24h"},
		{"hr.mean(90s) > 30", "when 1:9: a window of 1min30s: above a minute, want whole minutes"},
		{"hr.mean(2500ms) > 30", "when 1:9: a window of 2.5s: want whole seconds"},
		{"hr.mean(hr) > 30", "when 1:9: hr.mean wants a time that is written out: hr.mean(30s)"},
		{"hr.mean() > 30", "when 1:1: hr.mean wants one time: hr.mean(30s)"},
		{"(hr + 2).mean(30s) > 30", "only a quantity has a window, no value that was computed"},
		{"hr.count(30s) > 30", "hr has no count: that is for beats"},
		{"beats.v.mean(30s) > 30", "beats.v has no mean: write beats.v.count(1min)"},
		{"device.clockOffset > 3", "there is no device.clockOffset"},
		{"rhythm.af.mean(30s) > 3", "rhythm.af has no mean, nor any other window"},
		{"hr", "when 1:1: this is a number: want a truth"},
		{"[1, 2].all(x, x > 0)", "all: a rule has no loops"},
		{"[1, 2, 3].map(x, [1,2,3].map(y, y)) == []", "map: a rule has no loops"},
		{"hr in [1, 2]", "a rule has no lists"},
		{"{'a': 1}.a == 1", "a name cannot be taken from a value"},
		{"'a' == 'a'", "a rule has no texts"},
		{"hr % 2 == 0", "a rule has no %"},
		{"has(spo2)", "there is no has: did you mean known?"},
		{"loinc('8867-5') > 3", "no LOINC code has that check digit"},
		{"loinc(hr) > 3", "loinc wants one code that is written out"},
		{"pvc.perMinute() > 3", "pvc.perMinute is no function: write pvc.perMinute"},
		{"duration(hr) > 3s", "want a time such as 30s"},
		{"hr > 1e999", "when"},
		{"n00 > 3", "there is no n00"},
		{strings.Repeat("(", 300) + "hr > 1" + strings.Repeat(")", 300), "nested deeper than 40"},
		{"hr > 1" + strings.Repeat(" && hr > 1", 150), "more than 200 parts"},
		{"hr > 1" + strings.Repeat(" ", 3000), "3006 characters: want at most 2000"},
		{"hr.mean(20s)+hr.mean(60s)+hr.mean(2min)+hr.mean(3min)+hr.mean(4min)+hr.mean(5min)+hr.mean(6min)+hr.mean(7min)+hr.mean(8min)+hr.mean(9min)+hr.mean(10min)+hr.mean(11min)+hr.mean(12min) > 1", "it costs 7"},
		{"hr > \xff", "not in UTF-8"},
		{"", "missing: say when"},
	} {
		_, err := Compile(written(c.when))
		if err == nil {
			t.Errorf("%.60q is accepted", c.when)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v; want %s", c.when, err, c.want)
		}
	}
}
