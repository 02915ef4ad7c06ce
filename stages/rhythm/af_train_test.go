//go:build train

package rhythm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heartwire/stages/ec57"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// TestChooseAF chooses the number of cells at which atrial fibrillation has
// ended by the records of a folder such as that of the MIT-BIH AF Database, which
// HEARTWIRE_AF names, and says what comes of it for a patient who was not there: of each
// record, by the limit that the others choose. The figures of DESIGN.md are its own:
//
//	HEARTWIRE_AF=../../../shared/data/afdb go test -tags train -run ChooseAF -v -timeout 60m ./stages/rhythm
//
// It runs the very code that watches patients. Where it begins is not for these
// records to choose: what it must not be taken for, extra beats, is in others.
func TestChooseAF(t *testing.T) {
	headers, err := filepath.Glob(filepath.Join(os.Getenv("HEARTWIRE_AF"), "*.hea"))
	if err != nil || len(headers) < 2 || os.Getenv("HEARTWIRE_AF") == "" {
		t.Fatalf("HEARTWIRE_AF names no folder with records: %q, %v", os.Getenv("HEARTWIRE_AF"), err)
	}
	kept := afBy
	defer func() { afBy = kept }()
	var records []afRecord
	for _, h := range headers {
		records = append(records, readAF(t, strings.TrimSuffix(h, ".hea")))
	}
	var tries []afTry
	for afBy.to = kept.to - 6; afBy.to <= kept.to+6; afBy.to++ {
		try := afTry{to: afBy.to}
		for _, r := range records {
			try.of = append(try.of, r.decide())
		}
		tries = append(tries, try)
	}
	var out ec57.Decision
	for i, r := range records {
		chosen := choose(tries, i)
		t.Logf("%s: the others choose %d: %s; all of them %s", r.name, chosen.to, percents(chosen.of[i]), percents(choose(tries, -1).of[i]))
		out.Add(chosen.of[i])
	}
	best := choose(tries, -1)
	t.Logf("records left out in turn: %s", percents(out))
	t.Logf("in sample, %d: %s", best.to, percents(best.without(-1)))
	if best.to != kept.to {
		t.Errorf("the code has %d", kept.to)
	}
}

type afTry struct {
	to int
	of []ec57.Decision // a record each
}

func (a afTry) without(i int) (sum ec57.Decision) {
	for k, d := range a.of {
		if k != i {
			sum.Add(d)
		}
	}
	return sum
}

// choose is the try that, without record i, is farthest from what must be
// reached, 96.5 and 98 %: as a share of the errors that these allow, the worse of the two
// is smallest.
func choose(tries []afTry, i int) afTry {
	used := func(a afTry) float64 {
		d := a.without(i)
		return max(errs(d.FN, d.TP)/3.5, errs(d.FP, d.TN)/2)
	}
	best := tries[0]
	for _, a := range tries[1:] {
		if cmp.Less(used(a), used(best)) {
			best = a
		}
	}
	return best
}

func errs(wrong, right int64) float64 { return 100 * float64(wrong) / float64(max(wrong+right, 1)) }

func percents(d ec57.Decision) string {
	return fmt.Sprintf("%.2f / %.2f", 100-errs(d.FN, d.TP), 100-errs(d.FP, d.TN))
}

type afRecord struct {
	name       string
	rate       float64
	beats, ref []wfdb.Annotation
}

func readAF(t *testing.T, path string) afRecord {
	r, err := wfdb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := wfdb.ReadAnnotations(path + ".qrsc")
	if errors.Is(err, fs.ErrNotExist) {
		list, err = wfdb.ReadAnnotations(path + ".qrs")
	}
	if err != nil {
		t.Fatal(err)
	}
	ref, err := wfdb.ReadAnnotations(path + ".atr")
	if err != nil {
		t.Fatal(err)
	}
	a := afRecord{name: filepath.Base(path), rate: r.Rate, ref: ref}
	for _, b := range list {
		if _, is := b.Code.Class(); is {
			a.beats = append(a.beats, b)
		}
	}
	return a
}

// decide gives the record's beats to the follower.
func (r afRecord) decide() ec57.Decision {
	var follower af
	said := []wfdb.Annotation{{Code: wfdb.Rhythm, Aux: "(N"}}
	v := voice{&State{rate: r.rate}, func(c *topics.Chart) {
		e := c.GetEpisode()
		if e.End == nil {
			said = append(said, wfdb.Annotation{Sample: int64(e.GetOnset()), Code: wfdb.Rhythm, Aux: "(AFIB"})
			return
		}
		said = append(said, wfdb.Annotation{Sample: int64(e.GetEnd()) + 1, Code: wfdb.Rhythm, Aux: "(N"})
	}}
	last := int64(-1)
	for _, a := range r.beats {
		class, _ := a.Code.Class()
		b := beat{class: class, sample: uint64(a.Sample), us: int64(float64(a.Sample) * 1e6 / r.rate)}
		if last >= 0 {
			b.ms = float64(a.Sample-last) * 1000 / r.rate
		}
		last = a.Sample
		v.hasBeat, v.beatAt = true, b.sample
		follower.beat(v, b)
	}
	return ec57.AFByBeat(r.ref, said, r.beats, ec57.FromStart(r.rate, 0))
}
