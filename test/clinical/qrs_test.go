//go:build real

package clinical

import (
	"bytes"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"heartwire/stages/beats"
	"heartwire/stages/ec57"
	"heartwire/test/real"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// Floors in percent, gross over the records from 5:00:
// below the floor a change has lost something.
const (
	floorSe  = 99.8
	floorPPV = 99.8
)

// start is a sample time for recordings that have none.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func records(t testing.TB, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(real.Data(t), folder, "*.hea"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings in %s: %v", folder, err)
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(p, ".hea")
	}
	return paths
}

// frames are a record's frames of 250 ms; leads by number, none: all.
func frames(t testing.TB, r *wfdb.Record, leads ...int) []*topics.Frame {
	t.Helper()
	var names []string
	for _, l := range leads {
		names = append(names, r.Leads()[l])
	}
	var list []*topics.Frame
	for f, err := range r.Frames(wfdb.FrameOptions{Patient: "p", Device: "recorder", Boot: 1, Start: start, Leads: names}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

// fold is what the stage says to frames of one patient, with a tick each second.
func fold(t testing.TB, frames []*topics.Frame) []*topics.Annotation {
	t.Helper()
	var state beats.State
	var said []*topics.Annotation
	emit := func(a *topics.Annotation) { said = append(said, a) }
	p := beats.New(beats.DefaultConfig()).Processor
	for i, f := range frames {
		if err := p.Process(&state, topics.Record[*topics.Frame]{Key: "p", Value: f}, emit); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if i%4 == 3 {
			if err := p.Advance(&state, &topics.Tick{N: uint64(i/4 + 1), ElapsedUs: 1e6}, emit); err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
		}
	}
	// The end of the recording is the end of the patient's time: what waited for more is said.
	over := &topics.Frame{Patient: "p", Kind: &topics.Frame_Binding{Binding: &topics.Binding{Device: "recorder"}}}
	if err := p.Process(&state, topics.Record[*topics.Frame]{Key: "p", Value: over}, emit); err != nil {
		t.Fatal(err)
	}
	return said
}

// annotations are the beats, as a scorer reads them.
func annotations(said []*topics.Annotation) []wfdb.Annotation {
	var list []wfdb.Annotation
	for _, a := range said {
		if b := a.GetBeat(); b != nil {
			list = append(list, wfdb.Annotation{Sample: int64(a.GetSample()), Code: wfdb.CodeOf(b.GetClass())})
		}
	}
	return list
}

// each scores records side by side, in order.
func each(t *testing.T, paths []string, score func(path string) ec57.BeatResult) []ec57.Scored[ec57.BeatResult] {
	rows := make([]ec57.Scored[ec57.BeatResult], len(paths))
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, path := range paths {
		all.Add(1)
		go func() {
			defer all.Done()
			places <- struct{}{}
			defer func() { <-places }()
			rows[i] = ec57.Scored[ec57.BeatResult]{Record: filepath.Base(path), Result: score(path)}
		}()
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	var table bytes.Buffer
	if err := ec57.WriteBeats(&table, rows); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", table.String())
	return rows
}

func gross(rows []ec57.Scored[ec57.BeatResult]) (se, ppv float64, sum ec57.BeatResult) {
	for _, row := range rows {
		if !row.Result.Paced {
			sum.Add(row.Result)
		}
	}
	s, p := sum.QRS()
	se, _ = s.Percent()
	ppv, _ = p.Percent()
	return se, ppv, sum
}

func scoreOne(t *testing.T, path string, leads ...int) ec57.BeatResult {
	r, err := wfdb.Open(path)
	if err != nil {
		t.Error(err)
		return ec57.BeatResult{}
	}
	ref, err := wfdb.ReadAnnotations(path + ".atr")
	if err != nil {
		t.Error(err)
		return ec57.BeatResult{}
	}
	return ec57.Beats(ref, annotations(fold(t, frames(t, r, leads...))), ec57.Standard(r.Rate, r.Length))
}

// TestQRS holds the detector to its floor on the 22 records of the MIT-BIH
// Arrhythmia Database that are there, on their first lead alone.
func TestQRS(t *testing.T) {
	rows := each(t, records(t, "mitdb"), func(path string) ec57.BeatResult { return scoreOne(t, path, 0) })
	se, ppv, _ := gross(rows)
	t.Logf("first lead: sensitivity %.3f %%, positive predictivity %.3f %%", se, ppv)
	if len(rows) != 22 || se < floorSe || ppv < floorPPV {
		t.Errorf("QRS of %d records: %.3f / %.3f, want 22 records and at least %v / %v", len(rows), se, ppv, floorSe, floorPPV)
	}
	for _, row := range rows {
		s, p := row.Result.QRS()
		if s, _ := s.Percent(); s < 98.5 {
			t.Errorf("%s: sensitivity %.2f, want 98.5 in each record", row.Record, s)
		}
		if p, _ := p.Percent(); p < 98 {
			t.Errorf("%s: positive predictivity %.2f, want 98 in each record", row.Record, p)
		}
	}
}

// TestQRSWithBothLeads lets the stage choose between the leads: the choice
// must not cost what the lead alone would have given.
func TestQRSWithBothLeads(t *testing.T) {
	rows := each(t, records(t, "mitdb"), func(path string) ec57.BeatResult { return scoreOne(t, path) })
	se, ppv, _ := gross(rows)
	t.Logf("both leads: sensitivity %.3f %%, positive predictivity %.3f %%", se, ppv)
	if se < 99.7 || ppv < 99.7 {
		t.Errorf("QRS with both leads: %.3f / %.3f, want at least 99.7 / 99.7", se, ppv)
	}
}
