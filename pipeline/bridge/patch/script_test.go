package patch

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	sinus := func(r float64) Rhythm { return Rhythm{Sinus, r, r} }
	for _, c := range []struct {
		text string
		want Script
	}{
		{"sinus 72", Script{Steps: []Step{{Rhythm: sinus(72)}}}},
		{"sinus 72/min # calm\n\n", Script{Steps: []Step{{Rhythm: sinus(72)}}}},
		{"20s sinus 66; 12s asystole; loop", Script{Loop: true, Steps: []Step{
			{For: 20 * time.Second, Rhythm: sinus(66)},
			{For: 12 * time.Second, Rhythm: Rhythm{Kind: Asystole}},
		}}},
		{"sinus 60; 20s pvc 6/min\n 15s bigeminy", Script{Steps: []Step{
			{For: 20 * time.Second, Rhythm: sinus(60), Ectopy: Ectopy{PVC, 6}},
			{For: 15 * time.Second, Rhythm: sinus(60), Ectopy: Ectopy{Kind: Bigeminy}},
			{Rhythm: sinus(60)},
		}}},
		{"1m30s sinus 80..134; vt 180", Script{Steps: []Step{
			{For: 90 * time.Second, Rhythm: Rhythm{Sinus, 80, 134}},
			{Rhythm: Rhythm{VT, 180, 180}},
		}}},
		{"2s pace 70; 3s lead-off II + noise 300uV+gain .5; vf", Script{Steps: []Step{
			{For: 2 * time.Second, Rhythm: Rhythm{Paced, 70, 70}},
			{For: 3 * time.Second, Rhythm: Rhythm{Paced, 70, 70}, Conditions: []Condition{{Kind: LeadOff, Lead: "II"}, {Kind: Noise, Value: 0.3}, {Kind: Gain, Value: 0.5}}},
			{Rhythm: Rhythm{Kind: VF}},
		}}},
		// Ectopy brings the last sinus rhythm back, not the one in force.
		{"5s sinus 90; 5s vt 170; 5s pvc 3 + dropout; loop", Script{Loop: true, Steps: []Step{
			{For: 5 * time.Second, Rhythm: sinus(90)},
			{For: 5 * time.Second, Rhythm: Rhythm{VT, 170, 170}},
			{For: 5 * time.Second, Rhythm: sinus(90), Ectopy: Ectopy{PVC, 3}, Conditions: []Condition{{Kind: Dropout}}},
		}}},
	} {
		got, err := Parse(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q:\n got %v\nwant %v", c.text, got, c.want)
		}
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "there is no step",
		"  # nothing":               "there is no step",
		"sinsu 72":                  `line 1, column 1: "sinsu" is no rhythm`,
		"sinus 72;\n 20s pvc":       "line 2, column 6: pvc needs a number",
		"sinus":                     "line 1, column 1: sinus needs a rate",
		"sinus 7":                   `line 1, column 7: "7" is not a rate from 10 to 350`,
		"sinus NaN":                 `"NaN" is not a rate`,
		"sinus 1e2":                 `"1e2" is not a rate`,
		"sinus 72..":                `"72.." is not a rate`,
		"sinus 72 80":               `line 1, column 10: "80" cannot stand here`,
		"20s":                       "line 1, column 1: a rhythm or a condition must follow",
		"20 sinus 70":               `"20" is not a duration`,
		"-5s sinus 70":              `"-5s" is not a duration`,
		"1ms sinus 70":              `"1ms" is not a duration from 20ms`,
		"5s vf + pvc 3":             "line 1, column 9: pvc needs a sinus rhythm, not vf",
		"5s pvc 3 + vf":             "line 1, column 4: pvc needs a sinus rhythm, not vf",
		"5s vf + vt 180":            "line 1, column 9: a step can have one rhythm",
		"5s bigeminy + trigeminy":   "one kind of ectopy",
		"5s + sinus 70":             "line 1, column 4: a term must stand on both sides",
		"5s sinus 70 +":             "line 1, column 13: a term must stand on both sides",
		"vf 3":                      "nothing can follow vf",
		"sinus 70; lead-off VX":     `line 1, column 20: "VX" is not a lead`,
		"sinus 70; lead-off":        "lead-off needs the name of a lead",
		"sinus 70; noise 3":         `"3" is not an amplitude`,
		"sinus 70; noise 30mV":      `"30mV" is not an amplitude up to 10mV`,
		"sinus 70; gain 0":          `"0" is not a factor`,
		"sinus 70; loop":            "line 1, column 11: loop needs a step with a duration",
		"5s vf; loop; vf":           "line 1, column 14: nothing can follow loop",
		"5s vf; loop 3":             "line 1, column 13: nothing can follow loop",
		"5s sinus 70; loop\nloop":   "line 2, column 1: nothing can follow loop",
		strings.Repeat("vf;", 3e4):  "more than",
		"µµ; sinus 70":              "line 1, column 1",
		"sinus 70; µµµ + µ; vf":     "line 1, column 11",
		"sinus 70 + lead-off all 3": "line 1, column 25",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q in it", text, err, want)
		}
	}
}

func TestDemoIsValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range Demo() {
		f.Add(s)
	}
	f.Add("1s af 50..190 + noise 0.000001mV + wander 1uV + mains 3µV + gain 20;2s nocapture 30 + lead-off all;loop")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "script: ") {
				t.Fatalf("error without its place: %v", err)
			}
			return
		}
		again, err := Parse(s.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, s, err)
		}
		if again.String() != s.String() {
			t.Fatalf("%q became %q", s, again)
		}
		conf := DefaultSynthConfig()
		conf.Script, conf.Leads = s, LeadNames
		synth, err := NewSynth(conf)
		if err != nil {
			t.Fatal(err)
		}
		var b Block
		if err := synth.Read(&b, 1000); err != nil || b.Len() != 1000 {
			t.Fatalf("%d samples, %v", b.Len(), err)
		}
	})
}
