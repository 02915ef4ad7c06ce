//go:build real

package clinical

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"heartwire/stages/rhythm"
	"heartwire/test/real"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// Floors in percent by beat, gross, on the MIT-BIH Atrial Fibrillation Database:
// the intervals of its own beat annotations, atrial flutter left out. The aims
// are 97.5 and 98.5, the best published of its kind 97.1 and 98.3 on all of it.
const (
	floorAFSe = 97.4
	floorAFSp = 98.5
)

// charted is the episodes that rhythm says to reference beats, in the order in
// which they were said.
func charted(t testing.TB, list []wfdb.Annotation, rate float64) []*topics.Chart {
	t.Helper()
	return slices.DeleteFunc(charts(t, list, rate), func(c *topics.Chart) bool { return c.GetEpisode() == nil })
}

// charts is all that rhythm says to reference beats.
func charts(t testing.TB, list []wfdb.Annotation, rate float64) (said []*topics.Chart) {
	t.Helper()
	var state rhythm.State
	stage := rhythm.Stage().Processor
	put := func(sample int64, a *topics.Annotation) {
		a.Patient, a.Device, a.Boot, a.Sample = "p", "recorder", 1, uint64(sample)
		a.TimeUs = start.UnixMicro() + int64(float64(sample)*1e6/rate)
		if err := stage.Process(&state, topics.Record[*topics.Annotation]{Key: "p", Value: a}, func(c *topics.Chart) {
			said = append(said, c)
		}); err != nil {
			t.Fatal(err)
		}
	}
	last := int64(-1)
	for _, a := range list {
		class, is := a.Code.Class()
		if !is {
			continue
		}
		b := &topics.Beat{Class: class}
		if last >= 0 {
			b.RrMs = float64(a.Sample-last) * 1000 / rate
		}
		last = a.Sample
		put(a.Sample, &topics.Annotation{Kind: &topics.Annotation_Beat{Beat: b}})
		// A beat is said up to 2 s late: by then so much more has come.
		put(a.Sample+int64(2*rate), &topics.Annotation{Kind: &topics.Annotation_Progress{Progress: &topics.Progress{
			Complete: uint64(a.Sample) + 1, Rate: rate, Valid: 1,
		}}})
	}
	return said
}

// afOf marks the beats that lie in an episode of AF, and says the longest time
// in s from an onset to when it was said.
func afOf(said []*topics.Chart, list []wfdb.Annotation) (in []bool, slowest float64) {
	in = make([]bool, len(list))
	mark := func(from uint64, is bool) {
		first := sort.Search(len(list), func(i int) bool { return uint64(list[i].Sample) >= from })
		for i := first; i < len(list); i++ {
			in[i] = is
		}
	}
	for _, c := range said {
		e := c.GetEpisode()
		if e.GetRhythm() != topics.Rhythm_RHYTHM_AF {
			continue
		}
		if e.End == nil {
			slowest = max(slowest, float64(c.GetTimeUs()-e.GetOnsetUs())/1e6)
			mark(e.GetOnset(), true)
			continue
		}
		mark(e.GetEnd()+1, false)
	}
	return in, slowest
}

// tally counts beats by what they are and what was said of them.
type tally struct{ tp, fn, tn, fp int }

func (c *tally) add(o tally) { c.tp += o.tp; c.fn += o.fn; c.tn += o.tn; c.fp += o.fp }

func (c *tally) se() float64 { return 100 * float64(c.tp) / float64(max(c.tp+c.fn, 1)) }
func (c *tally) sp() float64 { return 100 * float64(c.tn) / float64(max(c.tn+c.fp, 1)) }

// compare goes by the rhythm that the reference names at each beat.
func compareAF(in []bool, beats, ref []wfdb.Annotation) (c tally) {
	rhythm, next := "", 0
	for i, b := range beats {
		for next < len(ref) && ref[next].Sample <= b.Sample {
			if ref[next].Code == wfdb.Rhythm {
				rhythm = ref[next].Aux
			}
			next++
		}
		switch is := strings.HasPrefix(rhythm, "(AFIB"); {
		case strings.HasPrefix(rhythm, "(AFL") || rhythm == "":
		case is && in[i]:
			c.tp++
		case is:
			c.fn++
		case in[i]:
			c.fp++
		default:
			c.tn++
		}
	}
	return c
}

// records are the paths of a folder's recordings, in order, without ending.
func records(t testing.TB, folder string) (paths []string) {
	t.Helper()
	headers, err := filepath.Glob(filepath.Join(real.Data(t), folder, "*.hea"))
	if err != nil || len(headers) == 0 {
		t.Fatalf("no recordings in %s: %v", folder, err)
	}
	for _, h := range headers {
		paths = append(paths, strings.TrimSuffix(h, ".hea"))
	}
	return paths
}

func annotationsOf(t testing.TB, paths ...string) []wfdb.Annotation {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		list, err := wfdb.ReadAnnotations(path)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	t.Fatalf("none of %v is there", paths)
	return nil
}

func onlyBeats(list []wfdb.Annotation) (beats []wfdb.Annotation) {
	for _, a := range list {
		if _, is := a.Code.Class(); is {
			beats = append(beats, a)
		}
	}
	return beats
}

// TestAF holds atrial fibrillation to its floors.
func TestAF(t *testing.T) {
	var all tally
	paths := records(t, "afdb")
	for _, path := range paths {
		beats := onlyBeats(annotationsOf(t, path+".qrsc", path+".qrs"))
		in, slowest := afOf(charted(t, beats, 250), beats)
		c := compareAF(in, beats, annotationsOf(t, path+".atr"))
		t.Logf("%s: Se %6.2f Sp %6.2f (%d beats missed, %d false), said after %.0f s at most", filepath.Base(path), c.se(), c.sp(), c.fn, c.fp, slowest)
		all.add(c)
		if slowest > 60 {
			t.Errorf("%s: AF was said %.0f s after its onset, want 60 at most", filepath.Base(path), slowest)
		}
	}
	t.Logf("AF by beat: sensitivity %.2f %%, specificity %.2f %%", all.se(), all.sp())
	if len(paths) != 13 || all.se() < floorAFSe || all.sp() < floorAFSp {
		t.Errorf("AF of %d records: %.2f / %.2f, want 13 records and at least %v / %v", len(paths), all.se(), all.sp(), floorAFSe, floorAFSp)
	}
}

// TestNoAF looks at the records of the MIT-BIH Arrhythmia Database that have
// none, with all their ectopic beats by class: of them nothing may be said.
func TestNoAF(t *testing.T) {
	var all tally
	for _, path := range records(t, "mitdb") {
		ref := annotationsOf(t, path+".atr")
		beats := onlyBeats(ref)
		in, _ := afOf(charted(t, beats, 360), beats)
		c := compareAF(in, beats, ref)
		t.Logf("%s: Se %6.2f Sp %6.2f (%d of %d beats missed, %d of %d false)", filepath.Base(path), c.se(), c.sp(), c.fn, c.fn+c.tp, c.fp, c.fp+c.tn)
		if c.tp+c.fn > 0 {
			continue
		}
		if all.add(c); c.fp > 0 {
			t.Errorf("%s: %d beats are said to be in AF, and there is none", filepath.Base(path), c.fp)
		}
	}
	t.Logf("no AF by beat: specificity %.2f %%", all.sp())
}
