//go:build real

package ec57_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heartwire/stages/ec57"
	"heartwire/test/real"
	"heartwire/topics/wfdb"
)

// golden is a table of a reference tool.
func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(real.Data(t), "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pair reads the reference annotations of a record, what a detector found in it, and the options.
func pair(t *testing.T, folder, record, annotator string) (ref, test []wfdb.Annotation, o ec57.Options) {
	t.Helper()
	r, err := wfdb.Open(filepath.Join(real.Data(t), folder, record))
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) []wfdb.Annotation {
		list, err := wfdb.ReadAnnotations(filepath.Join(real.Data(t), path))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	return read(folder + "/" + record + ".atr"), read("golden/" + record + "." + annotator), ec57.Standard(r.Rate, r.Length)
}

func score[R any](t *testing.T, folder, annotator string, records []string,
	compare func(ref, test []wfdb.Annotation, o ec57.Options) R) []ec57.Scored[R] {
	t.Helper()
	var rows []ec57.Scored[R]
	for _, record := range records {
		rows = append(rows, ec57.Scored[R]{Record: record, Result: compare(pair(t, folder, record, annotator))})
	}
	return rows
}

var arrhythmia = []string{"106", "119", "201", "203", "207", "208", "223"}

// Beat by beat, every column of every record, the totals, gross and average
// are what bxb and sumstats print.
func TestBeatsEqualReferenceTool(t *testing.T) {
	for _, detector := range []string{"osea", "gqrs"} {
		t.Run(detector, func(t *testing.T) {
			var b strings.Builder
			if err := ec57.WriteBeats(&b, score(t, "mitdb", detector, arrhythmia, ec57.Beats)); err != nil {
				t.Fatal(err)
			}
			want := golden(t, "bxb-"+detector+".txt")
			want = strings.Replace(want, " set 106 119 201 203 207 208 223 start EC57 5:00", "", 1)
			if d := cmp.Diff(want, b.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

// Ventricular runs are what rxr prints.
func TestRunsEqualReferenceTool(t *testing.T) {
	var b strings.Builder
	rows := score(t, "mitdb", "osea", arrhythmia, func(ref, test []wfdb.Annotation, o ec57.Options) ec57.RunResult {
		return ec57.Runs(ref, test, o, ec57.Ventricular)
	})
	if err := ec57.WriteRuns(&b, rows); err != nil {
		t.Fatal(err)
	}
	got, _, _ := strings.Cut(b.String(), "Sum ")
	if d := cmp.Diff(golden(t, "rxr-ventricular-osea.txt"), got); d != "" {
		t.Error(d)
	}
}

// Episodes of atrial fibrillation are what epicmp and sumstats print, but for
// one figure: sumstats takes the gross overlap from percentages that epicmp has
// rounded and says 95, where the samples say 95.51.
func TestEpisodesEqualReferenceTool(t *testing.T) {
	var b strings.Builder
	rows := score(t, "afdb", "rr-af", []string{"04043", "04936", "05121", "08378"},
		func(ref, test []wfdb.Annotation, o ec57.Options) ec57.EpisodeResult {
			return ec57.Episodes(ref, test, o, ec57.AF)
		})
	if err := ec57.WriteEpisodes(&b, ec57.AF, rows); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(golden(t, "epicmp-af.txt"), "85  89  89  95\n", "85  89  89  96\n", 1)
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}
