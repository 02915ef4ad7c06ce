package scenario

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heartwire/stages/alarms"
	"heartwire/topics"
)

// What a device says of itself, and what a log has lost, is in no ECG that a
// script could write: these rules have their stories elsewhere.
var elsewhere = map[string]string{
	"battery-low": "stages/alarms", "clock-wrong": "stages/alarms", "frames-long": "stages/alarms",
	"rebooted": "stages/alarms", "data-lost": "TestForgottenFramesAreOneAlarm", "rule-broken": "stages/alarms",
}

// Each rule of the stage alarms and each rhythm of the stage rhythm has a
// scenario in which it must be said, and one, of what is next to it, in which it
// must never be.
func TestEveryRuleAndRhythmFiresAndIsQuiet(t *testing.T) {
	fires, quiet := map[string][]string{}, map[string][]string{}
	files, err := filepath.Glob("*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		s, err := read(file)
		if err != nil {
			t.Fatal(err)
		}
		if s.gap != "" {
			continue
		}
		for _, a := range s.alarms {
			if how, rule, _ := strings.Cut(a.what, " "); how == "raised" {
				_, rule, _ = strings.Cut(rule, " ")
				fires["alarm "+rule] = append(fires["alarm "+rule], file)
			}
		}
		for _, r := range s.rhythm {
			fires["rhythm "+r.name] = append(fires["rhythm "+r.name], file)
		}
		for _, n := range s.never {
			if n.at == always {
				quiet[n.kind+" "+n.name] = append(quiet[n.kind+" "+n.name], file)
			}
		}
	}
	var all []string
	for _, rule := range alarms.Rules() {
		if _, told := elsewhere[rule]; !told {
			all = append(all, "alarm "+rule)
		}
	}
	for r := topics.Rhythm(1); topics.Rhythm_name[int32(r)] != ""; r++ {
		all = append(all, "rhythm "+rhythmName(r))
	}
	for _, what := range all {
		t.Logf("%-28s fires in %v, is quiet in %v", what, fires[what], quiet[what])
		if len(fires[what]) == 0 {
			t.Errorf("%s: no scenario in which it must be said", what)
		}
		if len(quiet[what]) == 0 {
			t.Errorf("%s: no scenario in which it must never be", what)
		}
	}
	for rule := range elsewhere {
		if !slices.Contains(alarms.Rules(), rule) {
			t.Errorf("there is no rule %s any more", rule)
		}
	}
	for what := range quiet {
		if kind, rule, _ := strings.Cut(what, " "); kind == "alarm" && !slices.Contains(alarms.Rules(), rule) {
			t.Errorf("never alarm %s, which is no rule, in %v", rule, quiet[what])
		}
	}
}
