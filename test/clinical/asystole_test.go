//go:build real

package clinical

import (
	"path/filepath"
	"testing"

	"heartwire/stages/ec57"
	"heartwire/topics/wfdb"
)

// asystole is how long no beat may be said for, in s, before asystole can be alarmed.
const asystole = 4

// TestAsystoleIsSilence looks at the episodes of asystole, as long as that or
// longer, in the MIT-BIH Malignant Ventricular Ectopy Database: a beat that is invented
// there is an alarm that does not come. Complexes do occur within some of the
// episodes, so what counts is whether the silence is ever long enough.
func TestAsystoleIsSilence(t *testing.T) {
	var found ec57.Ratio
	for _, path := range records(t, "vfdb") {
		r, err := wfdb.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := wfdb.ReadAnnotations(path + ".atr")
		if err != nil {
			t.Fatal(err)
		}
		var test []wfdb.Annotation // only where it is needed: a fold of half an hour
		for i, a := range ref {
			end := int64(r.Length)
			if i+1 < len(ref) {
				end = ref[i+1].Sample
			}
			if a.Aux != "(ASYS" || float64(end-a.Sample) < (asystole+1)*r.Rate {
				continue
			}
			if test == nil {
				test = annotations(fold(t, frames(t, r, 0)))
			}
			n, longest := silence(test, a.Sample, end)
			t.Logf("%s: asystole of %.0f s: %d beats said, longest silence %.1f s", filepath.Base(path), float64(end-a.Sample)/r.Rate, n, float64(longest)/r.Rate)
			found.Den++
			if float64(longest) >= asystole*r.Rate {
				found.Num++
			}
		}
	}
	if found.Num < 5 || found.Den != 6 {
		t.Errorf("silence in %d of %d episodes of asystole, want at least 5 of 6", found.Num, found.Den)
	}
}

// silence is the number of beats from begin to end, and the longest time without one.
func silence(list []wfdb.Annotation, begin, end int64) (n int, longest int64) {
	last := begin
	for _, a := range list {
		if a.Sample >= begin && a.Sample < end {
			n++
			longest = max(longest, a.Sample-last)
			last = a.Sample
		}
	}
	return n, max(longest, end-last)
}
