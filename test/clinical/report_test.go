//go:build real

package clinical

import (
	"bytes"
	"fmt"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestReport writes report.md with what is measured and the ten worst misses,
// each drawn over its signal, to the folder that HEARTWIRE_REPORT names: make
// clinical. Without that it writes to one that goes again.
func TestReport(t *testing.T) {
	folder := os.Getenv("HEARTWIRE_REPORT")
	if folder == "" {
		folder = t.TempDir()
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	m := measure(t)
	var b bytes.Buffer
	b.WriteString(`# What the stages find in public recordings

Scored as ANSI/AAMI EC57 prescribes, by the code that watches patients: samples in frames of 250 ms, a tick each second, beats, rhythm and alarms with the
default limits. Beats match within 150 ms; beats in reference fibrillation are skipped; time in which analysis was suspended counts as missed.

**These are the recordings that the detectors were tuned on.** What holds for a patient who was not there is told by leaving each recording out in turn, in the
documents that the last column names, and by recordings that are not here. Figures are percent, gross over the recordings: each beat counts the same, so that a long or a
difficult one weighs more.

`)
	m.writeGoals(&b)
	writeCost(t, &b)
	b.WriteString(`
## Floors

A change that falls below one has lost something.

| statistic | measured | floor |
|---|---|---|
`)
	for _, name := range slices.Sorted(maps.Keys(m.percent)) {
		fmt.Fprintf(&b, "| %s | %.2f | %g |\n", name, m.percent[name], floors[name])
	}
	b.WriteString("\n## By recording\n")
	writeRecords(t, &b)
	writeBurden(t, &b)
	b.WriteString(`
## The ten worst misses

The grid is that of ECG paper: 25 mm/s and 10 mm/mV; what lies more than 2 mV from the middle is cut off. Blue is the reference, green what Heartwire says; beats are N S V F Q,
[ and ] are fibrillation, rhythms begin at the bar. Beats that differ are red. At most ` + fmt.Sprint(perRecord) + ` are of one recording and ` + fmt.Sprint(perKind) + ` of one kind.
`)
	misses := worst(t, 10)
	for i, miss := range misses {
		name := fmt.Sprintf("miss-%02d.png", i+1)
		if err := miss.draw(filepath.Join(folder, name)); err != nil {
			t.Errorf("%s %s: %v", miss.folder, miss.name, err)
			continue
		}
		fmt.Fprintf(&b, "\n### %d. %s %s at %s\n\n%s.\n\n![%s %s](%s)\n", i+1, miss.folder, miss.name, clock(miss.middle), miss.what, miss.folder, miss.name, name)
		checkPNG(t, filepath.Join(folder, name))
	}
	fmt.Fprintf(&b, "\n## Counts\n\nIn the form of the reference tools: bxb, rxr and epicmp.\n\n```%s```\n", &m.tables)
	if err := os.WriteFile(filepath.Join(folder, "report.md"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if len(misses) == 0 {
		t.Log("nothing is missed")
	}
	t.Logf("report in %s", filepath.Join(folder, "report.md"))
}

// checkPNG sees that a picture is one, and large enough for a strip of 10 s.
func checkPNG(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c, err := png.DecodeConfig(f); err != nil || c.Width < 1000 || c.Height < 200 {
		t.Errorf("%s: %dx%d, %v", filepath.Base(path), c.Width, c.Height, err)
	}
}
