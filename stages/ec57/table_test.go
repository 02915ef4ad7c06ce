package ec57_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heartwire/stages/ec57"
)

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// The tables have the columns of the reference tools; paced records stay out
// of gross and average, and what cannot be said is a dash.
func TestTables(t *testing.T) {
	ref := annotations(t, "100N 200N 300V 310V 400N 500+(AFIB 700+(N")
	test := annotations(t, "101N 200V 300V 310V 450N 500+(AFIB 600+(N 700+(AFIB 750+(N")
	beats := []ec57.Scored[ec57.BeatResult]{
		{Record: "a", Result: ec57.Beats(ref, test, options)},
		{Record: "b", Result: ec57.Beats(annotations(t, "100/ 200N"), annotations(t, "100N 200N"), options)},
		{Record: "c", Result: ec57.Beats(nil, nil, options)},
	}
	runs := []ec57.Scored[ec57.RunResult]{{Record: "a", Result: ec57.Runs(ref, test, options, ec57.Ventricular)}}
	episodes := []ec57.Scored[ec57.EpisodeResult]{{Record: "a", Result: ec57.Episodes(ref, test, options, ec57.AF)}}
	var b strings.Builder
	for _, err := range []error{
		ec57.WriteBeats(&b, beats), ec57.WriteRuns(&b, runs), ec57.WriteEpisodes(&b, ec57.AF, episodes),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := `Record Nn' Sn' Vn' Fn' On'  Ns  Ss  Vs  Fs' Os' Nv  Sv   Vv  Fv' Ov' No' So' Vo' Fo'  Q Se   Q +P   V Se   V +P   S Se   S +P RR err
   a     1   0   0   0   1   0   0   0   0   0   1   0    2   0   0   1   0   0   0  80.00  80.00 100.00  66.67      -      - 2500.50
   b     1   0   0   1   0   0   0   0   0   0   0   0    0   0   0   0   0   0   0 100.00 100.00      -      -      -      -   0.00
   c     0   0   0   0   0   0   0   0   0   0   0   0    0   0   0   0   0   0   0      -      -      -      -      -      -      -
records 2 and 1 paced, left out below | Total QRS complexes: 5  Total VEBs: 2  Total SVEBs: 0
            QRS Se   QRS +P   VEB Se   VEB +P  SVEB Se  SVEB +P
gross        80.00    80.00   100.00    66.67        -        -
average      80.00    80.00   100.00    66.67        -        -
Record CTs CFN CTp CFP STs SFN STp SFP LTs LFN LTp LFP  CSe C+P SSe S+P LSe L+P
   a   1   0   0   0   0   0   0   1   0   0   0   0  100   -   -   0   -   -
Sum    1   0   0   0   0   0   0   1   0   0   0   0
Gross                                                 100   -   -   0   -   -
Average                                               100   -   -   0   -   -
(AF detection)
Record  TPs   FN  TPp   FP  ESe E+P DSe D+P  Ref duration  Test duration 
     a    1    0    1    1  100  50  50  67      0:20.000       0:15.000
________________________________________________________________________
Sum       1    0    1    1                       0:20.000       0:15.000
Gross                       100  50  50  67
Average                     100  50  50  67

Summary of results from 1 record
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	if err := ec57.WriteRuns(fullDisk{}, runs); !errors.Is(err, errFull) {
		t.Errorf("%v, want %v", err, errFull)
	}
}
