//go:build train

package beats

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// TestWriteRuns is half of train/fastrun.py: of the recordings in the folders
// cinc2015vt, mitdb and vfdb of HEARTWIRE_DATA it writes to HEARTWIRE_RUNS a row of
// float32 for each run that was judged, by the very code that watches patients:
// onset and end in s, lead, features. FOLDER.RECORD.all has all leads, .first the first alone.
func TestWriteRuns(t *testing.T) {
	out := os.Getenv("HEARTWIRE_RUNS")
	for _, folder := range []string{"cinc2015vt", "mitdb", "vfdb"} {
		paths, err := filepath.Glob(filepath.Join(os.Getenv("HEARTWIRE_DATA"), folder, "*.hea"))
		if err != nil || len(paths) == 0 || out == "" {
			t.Fatalf("HEARTWIRE_DATA or HEARTWIRE_RUNS is not set, or has no %s: %v", folder, err)
		}
		for _, path := range paths {
			path = strings.TrimSuffix(path, ".hea")
			to := filepath.Join(out, folder+"."+filepath.Base(path))
			writeRuns(t, path, to+".all", 0)
			if folder != "cinc2015vt" {
				writeRuns(t, path, to+".first", 1)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(out, "names"), []byte(strings.Join(fastNames[:], "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeRuns takes so many leads of a recording; 0: all.
func writeRuns(t *testing.T, path, to string, leads int) {
	r, err := wfdb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	w := newRows(t, to)
	defer w.close()
	standard.run = func(onset, last uint64, lead int, x []float32) {
		if x[fastMean] < -2.5 {
			return // by far no run
		}
		w.add(float32(float64(onset)/r.Rate), float32(float64(last)/r.Rate), float32(lead))
		w.add(x...)
	}
	defer func() { standard.run = nil }()
	names := r.Leads()
	if leads > 0 {
		names = names[:leads]
	}
	var s State
	p := New(DefaultConfig()).Processor
	o := wfdb.FrameOptions{Patient: "p", Device: "recorder", Boot: 1, Start: time.Unix(0, 0), Leads: names, Lost: int(r.Rate)}
	for f, err := range r.Frames(o) {
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Process(&s, topics.Record[*topics.Frame]{Key: "p", Value: f}, func(*topics.Annotation) {}); err != nil {
			t.Fatal(err)
		}
	}
}
