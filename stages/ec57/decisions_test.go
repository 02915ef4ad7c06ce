package ec57_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heartwire/stages/ec57"
	"heartwire/topics/wfdb"
)

func TestAFByBeat(t *testing.T) {
	ref := annotations(t, "100+(N 300+(AFIB 500+(AFL 600+(J 800+(AFIB")
	test := annotations(t, "0+(N 350+(AFIB 650+(N")
	beats := annotations(t, "50N 250N 299V 300N 340+(N 349N 350N 450N 550N 620N 700N 799N 800N 900N 1000N")
	got := ec57.AFByBeat(ref, test, beats, ec57.Options{Rate: 10, Start: 100, End: 1000})
	// 50 is before the start, 1000 at the end, 550 in flutter.
	if want := (ec57.Decision{TP: 2, FN: 4, FP: 1, TN: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestWindows(t *testing.T) {
	o := ec57.Options{Rate: 10, End: 600} // a minute
	for _, c := range []struct {
		name, ref, test string
		want            ec57.Decision
		kinds           [4]ec57.Ratio // VF, VT, sinus, other
	}{
		// From 0 to 20 s 13 windows fit, and the same from 20 to 40 and to 60.
		{"mixed ones are left out", "0+(N 200+(VT 400+(B", "0+(N", ec57.Decision{FN: 13, TN: 26}, [4]ec57.Ratio{{}, {Num: 0, Den: 13}, {Num: 13, Den: 13}, {Num: 13, Den: 13}}},
		{"noise and what nobody has named as well", "200+(VFL 400+(NOISE", "200+(VF", ec57.Decision{TP: 13}, [4]ec57.Ratio{{Num: 13, Den: 13}}},
		{"two rhythms of one kind are not mixed", "0+(VT 200+(VFIB 400+(N", "0+(VT", ec57.Decision{TP: 33, FP: 13}, [4]ec57.Ratio{{Num: 16, Den: 16}, {Num: 17, Den: 17}, {Num: 0, Den: 13}}},
		// Half of a window is not enough: the one from 16 s has 4 s of it, that from 17 s 5 s.
		{"more than half", "0+(N", "200+(VT 260+(N", ec57.Decision{FP: 5, TN: 48}, [4]ec57.Ratio{{}, {}, {Num: 48, Den: 53}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ec57.Windows(annotations(t, c.ref), annotations(t, c.test), o)
			if got.Decision != c.want || got.Kinds != c.kinds {
				t.Errorf("%+v, want %+v %v", got, c.want, c.kinds)
			}
		})
	}
	if got := ec57.Windows(nil, nil, ec57.Options{Rate: 10}); got != (ec57.WindowResult{}) {
		t.Errorf("%+v of nothing", got)
	}
}

func TestFibrillations(t *testing.T) {
	got := ec57.Fibrillations(annotations(t, "0+(N 100+(VFL 200+(VF 300+(N 400+(VFIB"))
	want := annotations(t, "0+(N 100[ 100+(VFL 200+(VF 300] 300+(N 400[ 400+(VFIB")
	if d := cmp.Diff(want, got, cmp.AllowUnexported(wfdb.Annotation{})); d != "" {
		t.Error(d)
	}
	marked := annotations(t, "0+(VF 10[ 20]")
	if d := cmp.Diff(marked, ec57.Fibrillations(marked), cmp.AllowUnexported(wfdb.Annotation{})); d != "" {
		t.Error(d)
	}
}

func TestDecisionTables(t *testing.T) {
	var b strings.Builder
	rows := []ec57.Scored[ec57.WindowResult]{
		{Record: "a", Result: ec57.WindowResult{Decision: ec57.Decision{TP: 3, FN: 1, TN: 4}, Kinds: [4]ec57.Ratio{{}, {Num: 3, Den: 4}, {Num: 4, Den: 4}}}},
		{Record: "b", Result: ec57.WindowResult{Decision: ec57.Decision{FP: 1, TN: 1}, Kinds: [4]ec57.Ratio{{}, {}, {Num: 1, Den: 2}}}},
	}
	if err := ec57.WriteWindows(&b, rows); err != nil {
		t.Fatal(err)
	}
	want := `(VF and VT, windows of 8 s each second)
Record       TP     FN     FP     TN     Se     Sp     +P
a             3      1      0      4  75.00 100.00 100.00
b             0      0      1      1      -  50.00   0.00
gross         3      1      1      5  75.00  83.33  75.00
average                               75.00  75.00  50.00
told right:  VF - of 0  VT 75.00 of 4  sinus 83.33 of 6  other - of 0
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	// A true alarm that is silenced weighs five false ones.
	if r := (ec57.Decision{TP: 2, FN: 1, FP: 3, TN: 4}).Challenge(); r != (ec57.Ratio{Num: 6, Den: 14}) {
		t.Errorf("%v, want 6 of 14", r)
	}
}
