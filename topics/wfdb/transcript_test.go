package wfdb_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
	"heartwire/topics/wfdb"
)

var began = time.Unix(1_700_000_000, 0)

// transcript is of a record of 100 s at 100 Hz.
func transcript() *wfdb.Transcript { return &wfdb.Transcript{Rate: 100, Start: began, Length: 10_000} }

func beatAt(samples ...uint64) func(*wfdb.Transcript) {
	return func(t *wfdb.Transcript) {
		for _, n := range samples {
			t.Annotation(&topics.Annotation{Sample: n, Kind: &topics.Annotation_Beat{Beat: &topics.Beat{Class: topics.BeatClass_BEAT_CLASS_N}}})
		}
	}
}

// episode is one of a rhythm; end 0: it goes on.
func episode(r topics.Rhythm, onset, end uint64) func(*wfdb.Transcript) {
	return func(t *wfdb.Transcript) {
		e := &topics.Episode{Rhythm: r, Onset: onset}
		if end > 0 {
			e.End = proto.Uint64(end)
		}
		t.Chart(&topics.Chart{Kind: &topics.Chart_Episode{Episode: e}})
	}
}

func waves(n uint64, on, flutter bool) func(*wfdb.Transcript) {
	of := topics.VentricularRhythm_VENTRICULAR_RHYTHM_FIBRILLATION
	if flutter {
		of = topics.VentricularRhythm_VENTRICULAR_RHYTHM_FLUTTER
	}
	return func(t *wfdb.Transcript) {
		t.Annotation(&topics.Annotation{Sample: n, Kind: &topics.Annotation_Fibrillation{Fibrillation: &topics.Fibrillation{On: on, Rhythm: of}}})
	}
}

func lost(n, count uint64) func(*wfdb.Transcript) {
	return func(t *wfdb.Transcript) {
		t.Annotation(&topics.Annotation{Sample: n, Kind: &topics.Annotation_Gap{Gap: &topics.Gap{Count: count}}})
	}
}

func analysed(upTo uint64, suspended bool) func(*wfdb.Transcript) {
	return func(t *wfdb.Transcript) {
		t.Annotation(&topics.Annotation{Sample: upTo - 1, Kind: &topics.Annotation_Progress{Progress: &topics.Progress{Suspended: suspended}}})
	}
}

func alarm(rule, text string, version uint32, onset, ended float64) func(*wfdb.Transcript) {
	at := func(s float64) int64 { return began.UnixMicro() + int64(s*1e6) }
	return func(t *wfdb.Transcript) {
		s := &topics.AlarmState{Rule: rule, Text: text, Version: version, OnsetUs: at(onset), Technical: rule == "no-data"}
		if ended > 0 {
			s.EndedUs = at(ended)
		}
		t.Alarm(&topics.Alarm{Kind: &topics.Alarm_State{State: s}})
	}
}

func TestTranscript(t *testing.T) {
	const (
		vt    = topics.Rhythm_RHYTHM_VT
		run   = topics.Rhythm_RHYTHM_V_RUN
		ivr   = topics.Rhythm_RHYTHM_IDIOVENTRICULAR
		af    = topics.Rhythm_RHYTHM_AF
		pairs = topics.Rhythm_RHYTHM_BIGEMINY
	)
	type said = []func(*wfdb.Transcript)
	for _, c := range []struct {
		name string
		said said
		want string
	}{
		{"nothing", nil, "0+(N"},
		{"a rhythm lasts up to the beat after its last", said{beatAt(900, 1000, 1100, 1200, 1320), episode(vt, 1000, 0), episode(vt, 1000, 1200)},
			"0+(N 1000+(VT 1320+(N"},
		{"or right behind its last, where none follows soon", said{beatAt(1000, 1200, 1600), episode(vt, 1000, 1200)}, "0+(N 1000+(VT 1201+(N"},
		{"one that goes on is not ended", said{episode(af, 0, 0)}, "0+(AFIB"},
		{"the worst is in force", said{episode(af, 500, 0), episode(pairs, 900, 1999), episode(vt, 2000, 2999), waves(2500, true, false), waves(3500, false, false)},
			"0+(N 500+(AFIB 2000+(VT 2500+(VF 2500[ 3500+(AFIB 3500]"},
		{"a run becomes tachycardia, once", said{episode(ivr, 1000, 0), episode(run, 1000, 0), episode(vt, 1000, 0), episode(vt, 1000, 1999)},
			"0+(N 1000+(VT 2000+(N"},
		{"a run alone has no name", said{episode(run, 1000, 1200)}, "0+(N"},
		{"flutter becomes fibrillation within one pair of marks", said{waves(1000, true, true), waves(2000, true, false), waves(3000, false, false)},
			"0+(N 1000+(VFL 1000[ 2000+(VF 3000+(N 3000]"},
		{"what goes on at the end is closed", said{waves(9000, true, false)}, "0+(N 9000+(VF 9000[ 9999]"},
		{"a gap ends it", said{waves(1000, true, false), lost(2000, 500)}, "0+(N 1000+(VF 1000[ 2000+(N 2000] 2000~-1 2500~"},
		{"suspended and missing are one time", said{analysed(100, false), analysed(200, true), lost(200, 50), analysed(300, true), analysed(400, false)},
			"0+(N 100~-1 300~"},
		{"suspended from the start to the end", said{analysed(10_000, true)}, "0+(N 0~-1"},
		{"beyond the record is nothing", said{beatAt(10_000), lost(10_000, 100), alarm("hr.high", "HR", 1, 100, 0), waves(10_000, true, false)}, "0+(N"},
		{"asystole ends with the beat after it", said{beatAt(1000, 2500), alarm("asystole", "ASYSTOLE 4 > 4 s", 1, 10, 0), alarm("asystole", "", 2, 10, 26)},
			"0+(N 1000+(ASYS 1000\"ASYSTOLE 4 > 4 s 2500+(N"},
		{"a technical alarm is no comment", said{alarm("no-data", "NO DATA", 1, 10, 0)}, "0+(N"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := transcript()
			for _, say := range c.said {
				say(tr)
			}
			var words []string
			for _, a := range tr.Rhythms() {
				w := fmt.Sprintf("%d%v%s", a.Sample, a.Code, a.Aux)
				if a.Subtype != 0 {
					w += fmt.Sprint(a.Subtype)
				}
				words = append(words, w)
			}
			if got := strings.Join(words, " "); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTranscriptBeatsAndSuspended(t *testing.T) {
	tr := transcript()
	beatAt(300, 200, 10_001)(tr)
	tr.Annotation(&topics.Annotation{Sample: 250, Late: true, Kind: &topics.Annotation_Beat{Beat: &topics.Beat{}}})
	for _, say := range []func(*wfdb.Transcript){analysed(100, false), analysed(200, true), analysed(300, false), analysed(12_000, true)} {
		say(tr)
	}
	if b := tr.Beats(); len(b) != 2 || b[0].Sample != 200 || b[1].Sample != 300 || b[0].Code != wfdb.Normal {
		t.Errorf("beats %v, want two in order", b)
	}
	if n := tr.Suspended(); n != 100+9700 {
		t.Errorf("%d samples suspended, want 9800", n)
	}
}

// What beats would have said of given annotations: each second its beats,
// then how far it is.
func TestGiven(t *testing.T) {
	g := wfdb.Given{Patient: "p", Device: "d", Boot: 1, Start: began, Rate: 100, Length: 250}
	var words []string
	for a, err := range g.Annotations([]wfdb.Annotation{
		{Sample: 120, Code: wfdb.PVC}, {Sample: 50, Code: wfdb.Normal}, {Sample: 60, Code: wfdb.Rhythm}, {Sample: 130, Code: wfdb.VFOn},
		{Sample: 120, Code: wfdb.PVC}, {Sample: 200, Code: wfdb.APC},
	}) {
		if err != nil {
			t.Fatal(err)
		}
		switch at := (g.Arrived(a) - began.UnixMicro()) / 1e6; {
		case a.GetBeat() != nil:
			words = append(words, fmt.Sprintf("%d:%d%v%v", at, a.Sample, wfdb.CodeOf(a.GetBeat().GetClass()), a.GetBeat().GetRrMs()))
		case a.GetProgress() != nil:
			words = append(words, fmt.Sprintf("%d:<%d+%d", at, a.GetProgress().GetComplete(), a.GetProgress().GetValid()))
		case a.GetFibrillation().GetOn():
			words = append(words, fmt.Sprintf("%d:%d[", at, a.Sample))
		}
	}
	want := "1:50N0 1:<100+100 2:120V700 2:130[ 2:<200+100 3:200S800 3:<250+50"
	if got := strings.Join(words, " "); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	for _, bad := range []struct {
		g    wfdb.Given
		list []wfdb.Annotation
		want string
	}{
		{wfdb.Given{Rate: 100}, nil, "no annotations"},
		{wfdb.Given{Rate: 0}, []wfdb.Annotation{{}}, "0 samples/s"},
		{wfdb.Given{Rate: 100}, []wfdb.Annotation{{Sample: -1}}, "samples -1 to -1"},
	} {
		for _, err := range bad.g.Annotations(bad.list) {
			if err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("%v, want %q", err, bad.want)
			}
		}
	}
}
