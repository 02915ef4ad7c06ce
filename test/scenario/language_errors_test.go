package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heartwire/topics"
)

func TestParseSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "1: no script of any length"},
		{"script: sinus 72", "1: no script of any length"},
		{"# what\nscript: 5s waltz", `2: script: line 1, column 4: "waltz" is no rhythm`},
		{"24..26 raised HIGH asystole", "belongs to no section"},
		{"script: 5s sinus 72\n\ndreams:", `3: a section "dreams": want script, rate, leads, patient, rules, gap, people, alarms, suppressed, rhythms, beats or never`},
		{"gap:", "a gap wants words"},
		{"alarms:\n24..26 raised asystole", "2: want FROM..TO, what becomes of it, priority and rule"},
		{"alarms:\n24 raised HIGH asystole", `2: "24": want FROM..TO`},
		{"alarms:\n26..24 raised HIGH asystole", "the end comes before the beginning"},
		{"alarms:\n24..26 raised URGENT asystole", `priority "URGENT": want LOW, MEDIUM or HIGH`},
		{"alarms:\n24..26 raised HIGH asystole loud", `"loud": want latched, sounding`},
		{"suppressed:\n1..2 vt", "2: want FROM..TO, a rule and why"},
		{"suppressed:\n1..2 vt bored", `"bored": want short, inhibited, quality, off or standby`},
		{"people:\n35 acknowledge", "2: want when, what, and by whom"},
		{"people:\nnow acknowledge vt by nurse-1", `"now": want a number`},
		{"people:\n35 dance vt by nurse-1", `"dance": want acknowledge, accept, reject, pause, resume, reset, standby or limit`},
		{"people:\n35 pause vt by nurse-1 for", "want a value after each word"},
		{"people:\n35 pause vt by nurse-1 until 40", `"until": want by, for, as or refused`},
		{"people:\n35 pause vt by nurse-1 for long", `"long": want a number`},
		{"people:\n35 limit hr.high tall by doctor-1", `"tall": want a number`},
		{"people:\n35 limit height 3 by doctor-1", `"height": want a built-in rule`},
		{"alarms: none", `1: "none" after alarms`},
		{"rhythms:\n20 vt", `"20": want ONSET..END`},
		{"rhythms:\n20..x vt", `"x": want a number`},
		{"rhythms:\n20±..28 vt", `"": want a number`},
		{"rhythms:\n20..28 waltz", `a rhythm "waltz": want one of couplet, v-run, vt, `},
		{"rhythms:\n20..28 vt before 27", "and by when it must be said"},
		{"beats:\nX 4", `a class "X": want N, S, V, F or Q`},
		{"beats:\nV", "want a class and a number"},
		{"never:\nalarm", "want alarm RULE, rhythm NAME or beat CLASS"},
		{"never:\n1..2 noise vt", `"noise": want alarm, rhythm or beat`},
		{"patient: happy", `patient "happy": want paced`},
		{"rate: fast", "invalid syntax"},
		{"rules: nowhere.yaml", "nowhere.yaml"},
	} {
		if _, err := parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(file, []byte("\nwhat?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(file); err == nil || !strings.HasPrefix(err.Error(), file+":2: ") {
		t.Errorf("%v, want the file and the line", err)
	}
}

// A story that is not the one that was wanted is told from it.
func TestWrongStories(t *testing.T) {
	got := &story{
		alarms: []said{
			{at: 25, what: "raised HIGH vt", rule: "vt", is: []string{"sounding", "open"}}, {at: 28, what: "acknowledged HIGH vt", rule: "vt", is: []string{"acknowledged"}},
			{at: 40, what: "ended HIGH vt", rule: "vt", is: []string{"latched"}},
		},
		rhythm: []episode{
			{rhythm: topics.Rhythm_RHYTHM_VT, onset: 20, end: 28, ended: true, at: 23},
			{rhythm: topics.Rhythm_RHYTHM_AF, onset: 30, at: 55},
		},
		candidates: []candidate{{23, "hr.high", "inhibited"}},
		beats:      []beat{{10, "N"}, {21, "V"}, {22, "V"}},
	}
	for _, c := range []struct{ text, wrong string }{
		{"", ""},
		{"alarms:\n24..26 raised HIGH vt\n39..41 ended HIGH vt", ""},
		{"alarms:\n24..26 raised HIGH vt", "nobody wants the alarm 40.00 ended HIGH vt"},
		{"alarms: among others\n39..41 ended HIGH vt", ""},
		{"alarms: among others\n24..26 raised HIGH vf", "want the alarm 24..26 raised HIGH vf"},
		{"alarms:\n26..27 raised HIGH vt\n39..41 ended HIGH vt", "want the alarm 26..27 raised HIGH vt"},
		{"alarms:", "nobody wants the alarm 25.00"},
		{"alarms:\n24..26 raised HIGH vt open\n27..29 acknowledged HIGH vt acknowledged\n39..41 ended HIGH vt latched", ""},
		{"alarms:\n24..26 raised HIGH vt\n39..41 ended HIGH vt paused", "want the alarm 39..41 ended HIGH vt paused"},
		{"suppressed:\n22..24 hr.high inhibited", ""},
		{"suppressed:\n22..24 hr.high short", "want hr.high suppressed (short) in 22..24"},
		{"suppressed:\n24..26 hr.high inhibited", "want hr.high suppressed"},
		{"rhythms:\n20±0.5..28±0.5 vt by 24\n30.. af", ""},
		{"rhythms:\n20..28 vt by 22", "want vt with its onset in 20..20"},
		{"rhythms:\n20..29 vt", "want vt"},
		{"rhythms:\n20.. vt", "want vt"},
		{"rhythms:\n30..60 af", "want af"},
		{"rhythms:\n20..28 vt\n20..28 vt", "want vt"},
		{"rhythms:\n50.. svt", "want svt"},
		{"beats:\nV 2\nN 1..2\n0..21.5 V 1", ""},
		{"beats:\nV 4±1", "2 beats of class V in 0..+Inf, want 3..5"},
		{"never:\nrhythm vf\nalarm asystole\nbeat S\n0..19 rhythm vt\n0..29 rhythm af\n30..60 alarm hr.high", ""},
		{"never:\n20..21 rhythm vt", "never rhythm vt in 20..21"},
		{"never:\n90..99 rhythm af", "never rhythm af"},
		{"never:\nalarm vt", "never alarm vt"},
		{"never:\nbeat N", "never beat N"},
	} {
		s, err := parse("script: 60s sinus 72\n" + c.text)
		if err != nil {
			t.Fatal(err)
		}
		if w := s.wrong(got); (w == "") != (c.wrong == "") || !strings.HasPrefix(w, c.wrong) {
			t.Errorf("%q: %q, want %q", c.text, w, c.wrong)
		}
	}
}
