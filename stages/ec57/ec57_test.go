package ec57_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heartwire/stages/ec57"
	"heartwire/topics/wfdb"
)

// annotations reads "100N 200V 300+(AFIB 400~s": a sample, a mnemonic and the
// text; ~s is noise on all signals.
func annotations(t testing.TB, text string) (list []wfdb.Annotation) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		var a wfdb.Annotation
		var rest string
		if n, err := fmt.Sscanf(word, "%d%s", &a.Sample, &rest); n != 2 {
			t.Fatalf("%s: %v", word, err)
		}
		code, ok := wfdb.ParseCode(rest[:1])
		if !ok {
			t.Fatalf("%s: no such code", word)
		}
		if a.Code, a.Aux = code, rest[1:]; rest == "~s" {
			a.Subtype, a.Aux = 0x30, ""
		}
		list = append(list, a)
	}
	return list
}

// options are of a record of 1000 samples, a tenth of a second apart, all of
// which is scored; beats match within 10 samples.
var options = ec57.Options{Rate: 10, End: 1000, Window: 10}

// learn leaves out the first 100 samples; open does not know the length.
var (
	learn = ec57.Options{Rate: 10, Start: 100, End: 1000, Window: 10}
	open  = ec57.Options{Rate: 10, Window: 10}
)

func TestBeats(t *testing.T) {
	for _, c := range []struct {
		name      string
		o         ec57.Options
		ref, test string
		want      string // pairs, reference then test
	}{
		{"equal", options, "100N 200S 300V 400F 500Q", "100N 200S 300V 400F 500Q", "NN SS VV FF QQ"},
		{"as EC57 groups the codes", options, "100L 200a 300E 400F 500/", "100R 200j 300r 400F 500?", "NN SS VV FF QQ"},
		{"at the edge of the window and past it", options, "100N 200V 300N", "90N 210V 311N", "NN VV NO ON"},
		{"nothing found", options, "100N 200V", "", "NO VO"},
		{"nothing there", options, "", "100N 200V", "ON OV"},
		{"the closer of two test beats", options, "100N", "92N 97V", "ON NV"},
		{"the closer of two reference beats", options, "92N 97V", "100N", "NO VN"},
		{"a rival with a closer match of its own does not count", options, "100N 116V", "108N 120V", "NN VV"},
		{"marks that are no beats", options, "50+(N 100N 150~ 160\"x 170| 200N", "100N 200N 210+(AFIB", "NN NN"},
		{"a flutter wave is no beat and matches none", options, "100! 200N", "100N 200N", "ON NN"},
		{"test beats in reference fibrillation", options, "100N 200[ 300V 400] 500N", "100N 200V 300V 400V 401V 500N", "NN OV NN"},
		{"reference beats in test fibrillation", options, "100N 300N 500N", "100N 200[ 300V 400] 500N", "NN NO NN"},
		{"test fibrillation that never ends", options, "100N 300N 500N", "100N 200[ 300N 500N", "NN NO NO"},
		{"reference fibrillation that never ends", options, "100N 200[ 500N", "100N 300N 500N", "NN"},
		{"beats in test suspension", options, "100N 300N 500N", "100N 200~s 400~ 500N", "NN NX NN"},
		{"beats in reference suspension", options, "100N 200~s 400~ 500N", "100N 300N 500N", "NN XN NN"},
		{"a suspension marked in its middle reaches from beat to beat", options, "100N 300~s 500N", "100N 111N 201N 489N 500N 520N", "NN XN XN XN NN ON"},
		{"suspended to the end", options, "100N 200N 300N", "100N 150~s", "NN NX NX"},
		{"what is learned from is not counted", learn, "50N 150N", "50N 99V 150N", "NN"},
		{"a test beat before the start matches one after it", learn, "102N 200N", "95V 200N", "NV NN"},
		{"a test beat after the start that matches one before it", learn, "98N 200N", "104N 200N", "NN"},
		{"an extra beat soon after the start", learn, "150N", "104V 150N", "NN"},
		{"after the end", options, "900N 1001N", "900N 1001V 1100V", "NN"},
		{"length unknown: to the last reference beat", open, "100N 5000N", "100N 5000N 6000N", "NN NN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ec57.Beats(annotations(t, c.ref), annotations(t, c.test), c.o)
			var want ec57.Confusion
			for _, p := range strings.Fields(c.want) {
				want[strings.Index("NSVFQOX", p[:1])][strings.Index("NSVFQOX", p[1:])]++
			}
			if d := cmp.Diff(want, got.Confusion); d != "" {
				t.Error(d)
			}
		})
	}
}

func ratio(t *testing.T, what string, got ec57.Ratio, num, den int64) {
	t.Helper()
	if got != (ec57.Ratio{Num: num, Den: den}) {
		t.Errorf("%s: %d of %d, want %d of %d", what, got.Num, got.Den, num, den)
	}
}

// Each cell of the confusion matrix counts where EC57 has it count: with
// distinct powers of two in the cells, a sum names its cells.
func TestConfusionScores(t *testing.T) {
	var c ec57.Confusion
	n := int64(1)
	cell := map[string]int64{}
	for r, ref := range "NSVFQOX" {
		for s, test := range "NSVFQOX" {
			if r < 5 || s < 5 {
				c[r][s], cell[string(ref)+string(test)] = n, n
				n *= 2
			}
		}
	}
	sum := func(pairs string) (n int64) {
		for _, p := range strings.Fields(pairs) {
			n += cell[p]
		}
		return n
	}
	found := sum("NN NS NV NF NQ SN SS SV SF SQ VN VS VV VF VQ FN FS FV FF FQ QN QS QV QF QQ")
	se, ppv := c.QRS()
	ratio(t, "QRS Se", se, found, found+sum("NO NX SO SX VO VX FO FX QO QX"))
	ratio(t, "QRS +P", ppv, found, found+sum("ON OS OV OF OQ XN XS XV XF XQ"))
	se, ppv = c.VEB()
	ratio(t, "V Se", se, sum("VV"), sum("VN VS VV VF VQ VO VX"))
	ratio(t, "V +P", ppv, sum("VV"), sum("NV SV VV OV XV")) // neither FV nor QV
	se, ppv = c.SVEB()
	ratio(t, "S Se", se, sum("SS"), sum("SN SS SV SF SQ SO SX"))
	ratio(t, "S +P", ppv, sum("SS"), sum("NS SS VS FS OS XS")) // not QS
	ratio(t, "N missed while suspended", c.Missed(ec57.N), sum("NX"), sum("NN NS NV NF NQ NO NX"))
}

func TestBeatResult(t *testing.T) {
	got := ec57.Beats(annotations(t, "100N 200N 300N 400/"), annotations(t, "50~s 150~ 201N 303N 400N 900~s"), learn)
	if got.Suspended != 50+100 || got.Period != 900 {
		t.Errorf("suspended %d of %d, want 150 of 900", got.Suspended, got.Period)
	}
	if !got.Paced {
		t.Error("a record with paced beats is not marked")
	}
	// RR 100 and 100 against 102 and 97 samples; the first beat of the test has none.
	if ms, ok := got.RRError(); !ok || ms < 254.9 || ms > 255 {
		t.Errorf("RR error %v ms %v, want 100 ms × √((2² + 3²)/2) = 254.95", ms, ok)
	}
	twice := got
	twice.Add(got)
	if twice.Total(ec57.N) != 6 || twice.Suspended != 300 {
		t.Errorf("two records together have %d N and %d suspended, want 6 and 300", twice.Total(ec57.N), twice.Suspended)
	}
	if _, ok := (&ec57.BeatResult{}).RRError(); ok {
		t.Error("an RR error of nothing")
	}
}

func TestRuns(t *testing.T) {
	for _, c := range []struct {
		name      string
		o         ec57.Options
		kind      ec57.RunKind
		ref, test string
		want      string // se:12 is a reference run of 1 with a test run of 2, +p:12 what the other direction has
	}{
		{"equal", options, ec57.Ventricular, "100V 150N 200V 210F 250N", "100V 150N 200F 210V 250N", "se:11 se:22 +p:11 +p:22"},
		{"a run broken in two", options, ec57.Ventricular, "100V 200V 300V 400V 500N", "100V 200V 300N 400V 500N", "se:42 +p:22 +p:11"},
		{"a run that is not there", options, ec57.Ventricular, "100N 200N 300N", "100V 200V 300N", "+p:02"},
		{"runs over 5 are alike", options, ec57.Ventricular, "100V 110V 120V 130V 140V 150V 160V 200N", "100V 110V 120V 130V 140V 150V 200N", "se:66 +p:66"},
		{"what breaks a run", options, ec57.Ventricular, "10V 20Q 30V 40S 50V 60~s 70V 80/ 90V 99N", "", "se:10 se:10 se:10 se:10 se:10"},
		{"what does not", options, ec57.Ventricular, "10V 20~ 30| 40+(VT 50V 99N", "", "se:20"},
		{"the end breaks a run", options, ec57.Ventricular, "10V 20V", "10V 20V", "se:22 +p:22"},
		{"fibrillation is a run of 6", options, ec57.Ventricular, "100[ 200] 210N", "100V 110V 120N", "se:62 +p:62"},
		{"found by its rhythm", options, ec57.Ventricular, "100+(VFIB 200+(N 210N", "110[ 180] 220N", "se:66 +p:66"},
		{"fibrillation that never ends", options, ec57.Ventricular, "100V 150N 200V 250N", "100[", "se:16 se:16 +p:16"},
		{"fibrillation that began while learning", learn, ec57.Ventricular, "50[ 200] 300N", "50[ 200] 300N", "se:66 +p:66"},
		{"a run while learning", learn, ec57.Ventricular, "50V 60V 200N", "50V 60V 200N", ""},
		{"atrial fibrillation ends the ventricular kind", options, ec57.Ventricular, "100+(VF 200+(AF 250N 400V 450N", "400V 450N", "se:60 se:11 +p:11"},
		{"supraventricular", options, ec57.Supraventricular, "100S 110A 150N 200V 250S 300V", "100S 110S 150N 250N", "se:22 se:10 +p:22"},
		{"normal beats in atrial fibrillation", options, ec57.Supraventricular, "100+(AFIB 110N 120N 200+(N 210N", "100N 110S 120S 150N", "se:62 +p:62"},
		{"after the end", options, ec57.Ventricular, "1001V 1002N", "1001V 1002N", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ec57.Runs(annotations(t, c.ref), annotations(t, c.test), c.o, c.kind)
			var want ec57.RunResult
			for _, p := range strings.Fields(c.want) {
				m, cell, _ := strings.Cut(p, ":")
				to := &want.Sensitivity
				if m == "+p" {
					to = &want.Predictivity
				}
				to[cell[0]-'0'][cell[1]-'0']++
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// As TestConfusionScores, for runs.
func TestRunScores(t *testing.T) {
	var r ec57.RunResult
	for i := range 7 {
		for j := range 7 {
			r.Sensitivity[i][j], r.Predictivity[i][j] = 1<<(i*7+j), 1<<(i*7+j)
		}
	}
	cells := func(refs, tests string) (n int64) {
		for _, i := range refs {
			for _, j := range tests {
				n += 1 << ((i-'0')*7 + j - '0')
			}
		}
		return n
	}
	for _, c := range []struct {
		length              ec57.RunLength
		is, enough, notThat string
	}{
		{ec57.Couplets, "2", "23456", "01"},
		{ec57.ShortRuns, "345", "3456", "012"},
		{ec57.LongRuns, "6", "6", "012345"},
	} {
		se, ppv := r.Score(c.length)
		ratio(t, "Se "+c.is, se, cells(c.is, c.enough), cells(c.is, c.enough+c.notThat))
		ratio(t, "+P "+c.is, ppv, cells(c.enough, c.is), cells(c.enough+c.notThat, c.is))
	}
}

func TestEpisodes(t *testing.T) {
	for _, c := range []struct {
		name      string
		o         ec57.Options
		kind      ec57.EpisodeKind
		ref, test string
		want      ec57.EpisodeResult
	}{
		{"equal", options, ec57.AF, "100+(AFIB 300+(N", "100+(AFIB 300+(N",
			ec57.EpisodeResult{Found: 1, True: 1, Reference: 200, Test: 200, RefOverlap: 200, TestOverlap: 200}},
		{"one found as two, a third that is not there", options, ec57.AF, "100+(AFIB 300+(N", "110+(AFIB 120+(N 250+(AFIB 320+(N 500+(AFIB 600+(N",
			ec57.EpisodeResult{Found: 1, True: 2, False: 1, Reference: 200, Test: 180, RefOverlap: 60, TestOverlap: 60}},
		{"touching is not overlapping", options, ec57.AF, "100+(AFIB 200+(N", "200+(AFIB 300+(N",
			ec57.EpisodeResult{Missed: 1, False: 1, Reference: 100, Test: 100}},
		{"one that goes on to the end, beats in it", options, ec57.AF, "100+(AFIB 200N 300N", "900+(AFIB",
			ec57.EpisodeResult{Found: 1, True: 1, Reference: 900, Test: 100, RefOverlap: 100, TestOverlap: 100}},
		{"length unknown: to the last annotation", open, ec57.AF, "100+(AFIB 400N", "100+(AFIB 300+(N",
			ec57.EpisodeResult{Found: 1, True: 1, Reference: 300, Test: 200, RefOverlap: 200, TestOverlap: 200}},
		{"while learning, and across its end", learn, ec57.AF, "10+(AFIB 50+(N 80+(AFIB 200+(N", "90+(AFIB 150+(N",
			ec57.EpisodeResult{Found: 1, True: 1, Reference: 100, Test: 50, RefOverlap: 50, TestOverlap: 50}},
		{"after the end", options, ec57.AF, "990+(AFIB 1100+(N 1200+(AFIB 1300+(N", "",
			ec57.EpisodeResult{Missed: 1, Reference: 10}},
		{"flutter is not fibrillation", options, ec57.AF, "100+(AFL 300+(AFIB 400+(N", "150+(AFIB 200+(N 250+(AFIB 350+(N",
			ec57.EpisodeResult{Found: 1, True: 1, False: 1, Reference: 100, Test: 150, RefOverlap: 50, TestOverlap: 50}},
		{"flutter left out", options, ec57.AFNoFlutter, "100+(AFL 300+(AFIB 400+(N", "150+(AFIB 200+(N 250+(AFIB 350+(N",
			ec57.EpisodeResult{Found: 1, True: 1, Reference: 100, Test: 50, RefOverlap: 50, TestOverlap: 50}},
		{"flutter at the end and in the midst", options, ec57.AFNoFlutter, "100+(AFL 200+(N 500+(AFL 600+(N", "50+(AFIB 150+(N 400+(AFIB 700+(N",
			ec57.EpisodeResult{False: 2, Test: 50 + 200}},
		{"ventricular fibrillation by its marks", options, ec57.VF, "100[ 200] 300+(VF 400+(N", "150[ 170V 250]",
			ec57.EpisodeResult{Found: 1, True: 1, Reference: 100, Test: 100, RefOverlap: 50, TestOverlap: 50}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ec57.Episodes(annotations(t, c.ref), annotations(t, c.test), c.o, c.kind)
			c.want.Rate = c.o.Rate
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestStandard(t *testing.T) {
	if got, want := ec57.Standard(250, 525000), (ec57.Options{Rate: 250, Start: 75000, End: 525000, Window: 38}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := ec57.FromStart(360, 650000); got.Start != 0 || got.Window != 54 {
		t.Errorf("%+v, want a start at 0 and a window of 54", got)
	}
}

// No annotations, however odd, make a comparison fail to end or to add up.
func FuzzCompare(f *testing.F) {
	f.Add([]byte{1, 10, 5, 20, 32, 3, 33, 9, 14, 4}, []byte{1, 11, 5, 19, 32, 3}, int64(20))
	f.Add([]byte{28, 10, 28, 20, 1, 3, 31, 9}, []byte{14, 11, 14, 19, 14, 3}, int64(0))
	f.Fuzz(func(t *testing.T, r, s []byte, start int64) {
		read := func(b []byte) (list []wfdb.Annotation) {
			at := int64(0)
			for ; len(b) > 1; b = b[2:] {
				at += int64(b[1] % 64)
				list = append(list, wfdb.Annotation{Sample: at, Code: wfdb.Code(b[0] % 50), Subtype: int8(b[0]), Aux: []string{"", "(AFIB", "(AFL", "(VF"}[b[1]/64]})
			}
			return list
		}
		ref, test := read(r), read(s)
		o := ec57.Options{Rate: 10, Start: min(max(start, 0), 1<<20), End: 1 << 20, Window: 10}
		beats := ec57.Beats(ref, test, o)
		var pairs int64
		for _, row := range beats.Confusion {
			for _, n := range row {
				pairs += n
			}
		}
		if pairs > int64(len(ref)+len(test)) {
			t.Fatalf("%d pairs of %d and %d annotations", pairs, len(ref), len(test))
		}
		ec57.Runs(ref, test, o, ec57.Ventricular)
		ec57.Runs(ref, test, o, ec57.Supraventricular)
		e := ec57.Episodes(ref, test, o, ec57.AF)
		if e.RefOverlap > e.Reference || e.RefOverlap != e.TestOverlap {
			t.Fatalf("overlap of %d and %d in %d", e.RefOverlap, e.TestOverlap, e.Reference)
		}
	})
}
