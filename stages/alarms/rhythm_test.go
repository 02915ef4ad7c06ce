package alarms_test

import (
	"testing"

	"heartwire/topics"
)

func TestRhythms(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"tachycardia that becomes sustained", "10 hr 72; + v-run 9 - 3 180; + vt 9 - 5 180; 2 hr 120; + vt 9 - 10 180; 29 hr 180; + vt 9 - 80 180; 3 hr 180; + vt 9 45 108 180; 30 hr 72", []string{
			"10 HIGH VT 5 beats, 180 /min (raised)", // with the episode, not with the second
			"16 HIGH VT 10 beats, 180 /min (v2)",
			"39 HIGH SUSTAINED VT 10 beats, 180 /min (v3)", // at once
			"44 HIGH SUSTAINED VT 80 beats, 180 /min (v4)",
			"55 HIGH SUSTAINED VT 108 beats, 180 /min (latched)",
			"70 HIGH SUSTAINED VT 108 beats, 180 /min (timed-out)",
		}},
		{"a run is said when it is over", "10 hr 72; + v-run 9 - 3 150; 1 hr 72; + v-run 9 10.2 4 150; 20 hr 72", []string{
			"11 MEDIUM V RUN 4 beats, 150 /min (raised)",
			"22 MEDIUM V RUN 4 beats, 150 /min (ended: over)",
		}},
		{"fibrillation silences what is beneath it", "10 hr 72; 5 hr 134; + vf 14 - 0 0; 3 hr 220; 6 flat; + ventricular-flutter 14 - 0 0; 1 hr 72; + vf 14 30 0 0; 20 hr 72", []string{
			"14 MEDIUM HR 134 > 120 (raised)",
			"15 HIGH VF 1 s (raised)",
			"16 MEDIUM HR 134 > 120 (ended: inhibited)",
			"21 HIGH VF 7 s (v2)",
			"24 HIGH V FLUTTER 10 s (v3)",
			"25 HIGH VF 16 s (v4)",
			"36 HIGH VF 16 s (latched)",
		}},
		{"a cut does not end it", "10 hr 72; + vt 9 - 5 180; 3 hr 180; + vt 9 13 12 180 cut; 30 off; 5 noise; 12 hr 72; 20 hr 72", []string{
			"10 HIGH VT 5 beats, 180 /min (raised)",
			"14 HIGH LEAD OFF (raised)",
			"54 HIGH LEAD OFF (ended: over)",
			"68 HIGH VT 12 beats, 180 /min (latched)",
			"70 HIGH VT 12 beats, 180 /min (timed-out)",
		}},
		{"nor does a gap, when it is found again", "10 hr 72; + vt 9 - 5 180; 3 hr 180; + vt 9 13 12 180 cut; 5 hr 180; + vt 15 - 5 180; 9 hr 180; + vt 15 27 30 180; 20 hr 72", []string{
			"10 HIGH VT 5 beats, 180 /min (raised)",
			"18 HIGH VT 5 beats, 180 /min (v2)",
			"27 HIGH VT 30 beats, 180 /min (v3)",
			"38 HIGH VT 30 beats, 180 /min (latched)",
		}},
		{"atrial fibrillation, slow, fast, slow and over", "10 hr 84; + af 2 - 40 84; 30 hr 84; 20 hr 134; 20 hr 90; + af 2 80 120 100; 70 hr 72", []string{
			"10 LOW AF 84 /min (raised)",
			"44 MEDIUM AF 134 > 120 /min (raised)",
			"44 LOW AF 84 /min (ended: inhibited)",
			"71 MEDIUM AF 134 > 120 /min (ended: over)",
			"71 LOW AF 84 /min (raised)",
			"80 LOW AF 100 /min (v2)",
			"141 LOW AF 100 /min (ended: over)",
		}},
		{"couplets are one alarm for half a minute", "10 hr 72; + couplet 9 9.4 2 150; 20 hr 72; + couplet 29 29.4 2 160; 40 hr 72", []string{
			"10 LOW COUPLET 2 beats, 150 /min (raised)",
			"61 LOW COUPLET 2 beats, 160 /min (ended: over)",
		}},
		{"single beats", "10 hr 72; + r-on-t 9 9.31 2 190; + dropped-beat 8 9.6 2 38; 35 hr 72", []string{
			"10 LOW R ON T 310 ms (raised)",
			"10 LOW DROPPED BEAT 1.6 s (raised)",
			"41 LOW R ON T 310 ms (ended: over)",
			"41 LOW DROPPED BEAT 1.6 s (ended: over)",
		}},
		{"many of them, and bigeminy that speaks for them", "10 hr 72 v 10; 3 hr 72 v 12; + bigeminy 8 - 6 76; 5 hr 72 v 20; + bigeminy 8 18 14 76; 40 hr 72 v 8; 30 hr 72 v 0", []string{
			"11 LOW PVC 12 > 10 /min (raised)",
			"13 LOW BIGEMINY 6 beats, 76 /min (raised)",
			"14 LOW PVC 12 > 10 /min (ended: inhibited)",
			"49 LOW BIGEMINY 14 beats, 76 /min (ended: over)",
		}},
		{"a pause", "10 hr 72; 1 hr 60 rr 3200; 20 hr 60 rr 800; 1 hr 50 rr 2900; 12 hr 60", []string{
			"11 MEDIUM PAUSE 3.2 > 3 s (raised)",
			"22 MEDIUM PAUSE 3.2 > 3 s (ended: over)",
		}},
		{"supraventricular tachycardia speaks for the rate", "10 hr 72; + svt 6 - 5 132; 10 hr 132; + svt 6 19 40 132; 20 hr 72", []string{
			"10 MEDIUM SVT 5 beats, 132 /min (raised)",
			"20 MEDIUM SVT 40 beats, 132 /min (v2)",
			"31 MEDIUM SVT 40 beats, 132 /min (ended: over)",
		}},
		{"and its extreme for it", "10 hr 72; + svt 6 - 5 180; 10 hr 180", []string{
			"10 MEDIUM SVT 5 beats, 180 /min (raised)",
			"11 HIGH HR 180 > 140 (raised)",
			"11 MEDIUM SVT 5 beats, 180 /min (ended: inhibited)",
		}},
		{"pulses without capture", "10 hr 72; + no-capture 6 - 3 70; 3 hr 60; + no-capture 6 12 6 70; 12 hr 60", []string{
			"10 MEDIUM NO CAPTURE 3 pulses (raised)",
			"24 MEDIUM NO CAPTURE 6 pulses (ended: over)",
		}},
		{"slow ventricular beats", "10 hr 72; + idioventricular 6 - 3 76; 3 hr 76; + idioventricular 6 12 6 76; 35 hr 60", []string{
			"10 LOW IDIOVENTRICULAR 3 beats, 76 /min (raised)",
			"44 LOW IDIOVENTRICULAR 6 beats, 76 /min (ended: over)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newBed(t, "p01").play(c.script).want(c.want...)
		})
	}
}

func TestOnsetIsTheEpisodes(t *testing.T) {
	b := newBed(t, "p01").play("10 hr 72; + vt 6.5 - 5 180; 1 hr 180")
	if a := b.said[0].GetState(); a.OnsetUs != began+6_500_000 || a.Rule != "vt" || a.Value != 5 || a.Limit != 5 || a.Unit != "{beats}" {
		t.Errorf("the alarm is %v", a)
	}
}

// What was lost may have been the end of the episode: it must not last for ever.
func TestAnEpisodeWhoseEndWasLostEnds(t *testing.T) {
	b := newBed(t, "p01").play("10 hr 72; + vt 6.5 - 5 180; 1 hr 180")
	b.overtake()
	b.play("30 hr 72")
	last := b.said[len(b.said)-1].GetState()
	if last.GetRule() != "vt" || last.GetCondition() != topics.AlarmCondition_ALARM_CONDITION_LATCHED {
		t.Errorf("it goes on: %v", b.story)
	}
}

func TestEpisodesThatCannotBeAreCondemned(t *testing.T) {
	for _, e := range []*topics.Episode{{}, {Rhythm: 99}, {Rhythm: topics.Rhythm_RHYTHM_VT, Rate: -1}} {
		b := newBed(t, "p01")
		r := topics.Record[*topics.Chart]{Key: "p01", Value: &topics.Chart{Patient: "p01", Kind: &topics.Chart_Episode{Episode: e}}}
		if err := b.fold.Fold(r); err != nil {
			t.Fatal(err)
		}
		if _, bad := b.fold.Take(); len(bad) != 1 {
			t.Errorf("%v is folded", e)
		}
	}
}
