package wfdb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heartwire/topics"
	"heartwire/topics/wfdb"
)

func someStrip() *topics.Strip {
	const onset = 1_700_000_000_250_000
	s := &topics.Strip{Alarm: "a1", Rule: "vt", Text: "VT 6 beats, 150 /min", OnsetUs: onset, FromUs: onset - 2e6, ToUs: onset + 2e6}
	for i := range 5 { // from half a second before the strip on
		if i == 3 {
			continue // a hole
		}
		s.Runs = append(s.Runs, &topics.Samples{
			Device: "d", Boot: 1, First: uint64(i * 100), Rate: 100, Count: 100, TimeUs: s.FromUs - 500_000 + int64(i)*1e6, Missing: []byte{0, 0, 0, 0, 0, 0, 0, 1},
			Leads: []*topics.Lead{
				{Name: "II", MicrovoltsPerCount: 5, Deltas: append([]int32{int32(i * 100)}, make([]int32, 99)...)},
				{Name: "V1", MicrovoltsPerCount: 0.01, Deltas: append([]int32{100_000}, make([]int32, 99)...), Off: i == 4},
			},
		})
	}
	s.Holes = []*topics.StripHole{{FromUs: s.FromUs + 2_500_000, ToUs: s.FromUs + 3_500_000, Why: topics.HoleMissing}}
	at := func(us int64, a *topics.Annotation) {
		a.TimeUs = s.FromUs + us
		s.Annotations = append(s.Annotations, a)
	}
	at(500_000, &topics.Annotation{Kind: &topics.Annotation_Beat{Beat: &topics.Beat{Class: topics.BeatClass_BEAT_CLASS_N}}})
	at(600_000, &topics.Annotation{Late: true, Kind: &topics.Annotation_Beat{Beat: &topics.Beat{Class: topics.BeatClass_BEAT_CLASS_N}}})
	at(2_100_000, &topics.Annotation{Kind: &topics.Annotation_Beat{Beat: &topics.Beat{Class: topics.BeatClass_BEAT_CLASS_V}}})
	at(2_200_000, &topics.Annotation{Kind: &topics.Annotation_Gap{Gap: &topics.Gap{}}})
	return s
}

func TestAStripIsARecord(t *testing.T) {
	dir := t.TempDir()
	s := someStrip()
	if err := wfdb.WriteStrip(dir, "a1", s); err != nil {
		t.Fatal(err)
	}
	r, err := wfdb.Open(filepath.Join(dir, "a1"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Rate != 100 || r.Length != 400 || r.StartTime != "22:13:18.250" || r.StartDate != "14/11/2023" || len(r.Signals) != 2 || r.Signals[0].Description != "II" {
		t.Errorf("header %+v", r)
	}
	if c := strings.Join(r.Comments, "\n"); !strings.Contains(c, "began at sample 200") || !strings.Contains(c, "no samples from 250 to 350: missing") {
		t.Errorf("comments %q", c)
	}
	columns, err := r.Samples() // and its checksums hold
	if err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		run, n := (i+50)/100, (i+50)%100
		want := int32(run * 100) // counts as the patch sent them
		if run == 3 || n == 56 {
			want = wfdb.Missing
		}
		if columns[0][i] != want {
			t.Fatalf("sample %d of II is %d, want %d", i, columns[0][i], want)
		}
		uv := float64(columns[1][i]) * r.Signals[1].MicrovoltsPerCount()
		if off := want == wfdb.Missing || run == 4; off != (columns[1][i] == wfdb.Missing) || !off && (uv < 999.9 || uv > 1000.1) {
			t.Fatalf("sample %d of V1 is %.1f µV, want 1000, or none while it is off", i, uv)
		}
	}
	list, err := wfdb.ReadAnnotations(filepath.Join(dir, "a1.hw"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		got = append(got, fmt.Sprintf("%d%v%s", a.Sample, a.Code, a.Aux))
	}
	if want := `50N 200"VT 6 beats, 150 /min 210V`; strings.Join(got, " ") != want {
		t.Errorf("annotations %v, want %s", got, want)
	}
}

func TestAStripWithoutSamplesIsNoRecord(t *testing.T) {
	dir := t.TempDir()
	s := someStrip()
	s.Runs[3].Rate = 200
	if err := wfdb.WriteStrip(dir, "other", s); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "other.hea")); err != nil || !strings.Contains(string(b), "left out: 1 runs of another sampling rate") {
		t.Errorf("%s, %v", b, err)
	}
	s.Runs = nil
	if err := wfdb.WriteStrip(dir, "none", s); err == nil || !strings.Contains(err.Error(), "no sample") {
		t.Errorf("no error of a strip without samples: %v", err)
	}
}
