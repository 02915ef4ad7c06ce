//go:build real

package clinical

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heartwire/stages/ec57"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// Floors in percent for the windows of 8 s in which a ventricular rhythm is,
// or is not, on the records the trees were trained with; leaving each out is
// for stages/beats/train/fibrillation.py.
const (
	floorVFSe = 96
	floorVFSp = 97
)

// span is device samples from up to, not including, to.
type span struct{ from, to int64 }

// rhythms are the reference's rhythms, each up to the next.
func rhythms(ref []wfdb.Annotation, length int64) (list []span, names []string) {
	for _, a := range ref {
		if !strings.HasPrefix(a.Aux, "(") {
			continue
		}
		if n := len(list); n > 0 {
			list[n-1].to = a.Sample
		}
		list, names = append(list, span{a.Sample, length}), append(names, a.Aux)
	}
	return list, names
}

// ventricular reports a rhythm of the reference that is to be found.
func ventricular(name string) bool {
	return slices.Contains([]string{"(VF", "(VFIB", "(VFL", "(VT"}, name)
}

// fibrillations are the episodes said.
func fibrillations(t *testing.T, said []*topics.Annotation, rate float64) (list []span) {
	t.Helper()
	on := false
	for _, a := range said {
		f := a.GetFibrillation()
		if f == nil {
			continue
		}
		if f.GetOn() == on {
			t.Errorf("on %v is said twice, at sample %d", on, a.GetSample())
		}
		if on = f.GetOn(); on {
			list = append(list, span{int64(a.GetSample()), 1 << 62})
		} else {
			list[len(list)-1].to = int64(a.GetSample())
		}
	}
	return list
}

// within is how much of from..to the spans cover.
func within(list []span, from, to int64) (n int64) {
	for _, s := range list {
		n += max(min(s.to, to)-max(s.from, from), 0)
	}
	return n
}

// windows counts those of 8 s, one a second, that lie in one rhythm of the
// reference which is no noise: a window is called ventricular when most of it is.
func windows(ref []wfdb.Annotation, r *wfdb.Record, found []span) (se, sp ec57.Ratio, by map[string]ec57.Ratio) {
	spans, names := rhythms(ref, int64(r.Length))
	by = map[string]ec57.Ratio{}
	width := int64(8 * r.Rate)
	for i, s := range spans {
		if names[i] == "(NOISE" {
			continue
		}
		b := by[names[i]]
		for second := 0; ; second++ {
			from := int64(float64(second) * r.Rate)
			if from+width > s.to {
				break
			}
			if from < s.from {
				continue
			}
			hit := within(found, from, from+width)*2 >= width
			b.Den++
			if hit {
				b.Num++
			}
			which := &sp
			if ventricular(names[i]) {
				which = &se
			}
			which.Den++
			if hit == ventricular(names[i]) {
				which.Num++
			}
		}
		by[names[i]] = b
	}
	return se, sp, by
}

func TestVentricularWindows(t *testing.T) {
	var se, sp ec57.Ratio
	for _, path := range records(t, "vfdb") {
		r, err := wfdb.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := wfdb.ReadAnnotations(path + ".atr")
		if err != nil {
			t.Fatal(err)
		}
		found := fibrillations(t, fold(t, frames(t, r, 0)), r.Rate)
		a, b, by := windows(ref, r, found)
		se.Num, se.Den, sp.Num, sp.Den = se.Num+a.Num, se.Den+a.Den, sp.Num+b.Num, sp.Den+b.Den
		p, _ := a.Percent()
		q, _ := b.Percent()
		t.Logf("%s: sensitivity %.1f %%, specificity %.1f %%: %v", filepath.Base(path), p, q, by)
	}
	p, _ := se.Percent()
	q, _ := sp.Percent()
	t.Logf("windows with VF, flutter or VT: sensitivity %.2f %% of %d, specificity %.2f %% of %d", p, se.Den, q, sp.Den)
	if p < floorVFSe || q < floorVFSp {
		t.Errorf("%.2f / %.2f, want at least %v / %v", p, q, floorVFSe, floorVFSp)
	}
}
