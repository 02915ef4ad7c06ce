//go:build real

package clinical

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"heartwire/stages/ec57"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// goals are what detection must reach and what it aims at, in percent; the
// measured statistics of each row are those of floors_test.go.
var goals = []struct {
	row       string
	names     []string
	must, aim string
	left      string // which validation tells of patients not seen
}{
	{"QRS Se / +P, from 5:00, one lead", []string{"QRS Se", "QRS +P"}, "99.80 / 99.85", "99.90 / 99.92", "beats"},
	{"QRS Se / +P, from 0:00, one lead", []string{"QRS Se from 0:00", "QRS +P from 0:00"}, "99.75 / 99.80", "99.88 / 99.90", "beats"},
	{"VEB Se / +P", []string{"VEB Se", "VEB +P"}, "90 / 92, not seen 95.5 / 96.8", "95 / 96, not seen 98 / 98", "beats"},
	{"SVEB Se / +P", []string{"SVEB Se", "SVEB +P"}, "60 / 60, not seen", "80 / 65, not seen", "beats"},
	{"QRS Se / +P, electrode motion at 12 dB on 118 and 119", []string{"electrode motion 12 dB QRS Se", "electrode motion 12 dB QRS +P"}, "99.8 / 97", "99.9 / 99", "beats"},
	{"AF Se / Sp, by beat, as it is said", []string{"AF by beat Se", "AF by beat Sp"}, "96.5 / 98, left out", "97.5 / 98.5, left out", "rhythm"},
	{"AF episodes of a minute said within 60 s of their onset", []string{"AF said within 60 s"}, "all", "all", "rhythm"},
	{"VF and VT Se / Sp, windows of 8 s", []string{"VF and VT windows Se", "VF and VT windows Sp"}, "93 / 93, left out", "96 / 97, left out", "beats"},
	{"VT alarms of bedside monitors, score", []string{"VT alarm score"}, "70, in folds", "82, in folds", "beats"},
}

// writeGoals sets what is measured beside what was asked for.
func (m *measured) writeGoals(w io.Writer) {
	fmt.Fprint(w, "| | must | aim | measured here, in sample | patients left out |\n|---|---|---|---|---|\n")
	for _, g := range goals {
		text := ""
		for i, name := range g.names {
			if i > 0 {
				text += " / "
			}
			text += fmt.Sprintf("%.2f", m.percent[name])
		}
		fmt.Fprintf(w, "| %s | %s | %s | **%s** | `stages/%s/DESIGN.md` |\n", g.row, g.must, g.aim, text, g.left)
	}
}

// writeRecords are the figures of each recording, as few columns as tell how a
// patient would fare: the tables at the end have the counts.
func writeRecords(t testing.TB, w io.Writer) {
	fmt.Fprint(w, "\n### Beats: MIT-BIH Arrhythmia Database, first lead, from 5:00\n\nA record without such beats has no figure. In 102, 104, 107 and 217 beats are paced: they would stay out of the sum.\n\n"+
		"| record | beats | missed | false | QRS Se | QRS +P | V beats | VEB Se | VEB +P | S beats | SVEB Se | SVEB +P | suspended |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	rows := scores(sets.mitdb(t), learning, compareBeats)
	for _, row := range append(rows, ec57.Scored[ec57.BeatResult]{Record: "**all**", Result: gross(rows)}) {
		r := row.Result
		se, ppv := r.QRS()
		vse, vppv := r.VEB()
		sse, sppv := r.SVEB()
		fmt.Fprintf(w, "| %s | %d | %d | %d | %s | %s | %d | %s | %s | %d | %s | %s | %s |\n", row.Record, se.Den, se.Den-se.Num, ppv.Den-ppv.Num,
			cell(se), cell(ppv), vse.Den, cell(vse), cell(vppv), sse.Den, cell(sse), cell(sppv), cell(ec57.Ratio{Num: r.Suspended, Den: r.Period}))
	}
	fmt.Fprint(w, "\n### Ventricular fibrillation, flutter and tachycardia: MIT-BIH Malignant Ventricular Ectopy Database\n\nWindows of 8 s, one each second, from 0:00; mixed and (NOISE windows are left out.\n\n"+
		"| record | with | missed | without | false | Se | Sp |\n|---|---|---|---|---|---|---|\n")
	var waves ec57.WindowResult
	for _, p := range sets.vfdb(t) {
		r := ec57.Windows(p.ref, p.test, p.options(0))
		waves.Add(r)
		decided(w, p.name, r.Decision)
	}
	decided(w, "**all**", waves.Decision)
	fmt.Fprint(w, "\n### Atrial fibrillation: MIT-BIH Atrial Fibrillation Database\n\nIts own beats; is each in atrial fibrillation, as it was said with onset and end? Flutter is left out. "+
		"Said after is the time from the reference's onset of an episode of a minute and more to when it was said: the median, the longest, and of how many it never was.\n\n"+
		"| record | in AF | missed | not in AF | false | Se | Sp | episodes | said after, s | longest | never |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	var af ec57.Decision
	var all delays
	for _, p := range sets.afdb(t) {
		d := ec57.AFByBeat(p.ref, p.test, p.test, p.options(0))
		af.Add(d)
		after := afAfter(charted(t, onlyBeats(p.test), p.rate), p.ref, p.rate)
		all.seconds, all.never = append(all.seconds, after.seconds...), all.never+after.never
		decided(w, p.name, d, after.cells()...)
	}
	decided(w, "**all**", af, all.cells()...)
	fmt.Fprint(w, "\n### Alarms of ventricular tachycardia: PhysioNet Challenge 2015\n\nThe bedside monitor's alarm at 5:00 is kept when an alarm vt has its onset in 4:44 to 5:00.\n\n| | kept | silenced |\n|---|---|---|\n")
	var names [2][2][]string
	for _, p := range sets.alarms(t) {
		names[place(p.truth)][place(p.kept())] = append(names[place(p.truth)][place(p.kept())], p.name)
	}
	for i, truth := range []string{"true", "false"} {
		fmt.Fprintf(w, "| %s | %d | %d |\n", truth, len(names[i][0]), len(names[i][1]))
	}
	fmt.Fprintf(w, "\nTrue and silenced: %s. False and kept: %s.\n", list(names[0][1]), list(names[1][0]))
}

// delays are how long after the onsets of episodes these were said, in s.
type delays struct {
	seconds []float64
	never   int
}

// within is how many were said so soon.
func (d delays) within(seconds float64) (n int64) {
	for _, s := range d.seconds {
		if s <= seconds {
			n++
		}
	}
	return n
}

func (d delays) cells() []string {
	median, longest := "–", "–"
	if n := len(d.seconds); n > 0 {
		slices.Sort(d.seconds)
		median, longest = fmt.Sprintf("%.0f", d.seconds[n/2]), fmt.Sprintf("%.0f", d.seconds[n-1])
	}
	return []string{fmt.Sprint(len(d.seconds) + d.never), median, longest, fmt.Sprint(d.never)}
}

// afAfter looks at each reference episode of AF that lasts for a minute, and so
// for long enough to be said.
func afAfter(said []*topics.Chart, ref []wfdb.Annotation, rate float64) (d delays) {
	type span struct{ from, to float64 } // s in which AF was known to be
	var known []span
	for _, c := range said {
		at := float64(c.GetTimeUs()-start.UnixMicro()) / 1e6
		switch e := c.GetEpisode(); {
		case e.GetRhythm() != topics.Rhythm_RHYTHM_AF:
		case e.End == nil:
			known = append(known, span{at, math.Inf(1)})
		default:
			known[len(known)-1].to = at
		}
	}
	began := -1.0
	episode := func(from, to float64) {
		if from < 0 || to-from < 60 {
			return
		}
		for _, k := range known {
			if k.to > from && k.from < to {
				d.seconds = append(d.seconds, max(k.from-from, 0))
				return
			}
		}
		d.never++
	}
	for _, a := range ref {
		if a.Code != wfdb.Rhythm {
			continue
		}
		at := float64(a.Sample) / rate
		episode(began, at)
		if began = -1; strings.HasPrefix(a.Aux, "(AFIB") {
			began = at
		}
	}
	episode(began, math.Inf(1))
	return d
}

func place(yes bool) int {
	if yes {
		return 0
	}
	return 1
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	text := names[0]
	for _, n := range names[1:] {
		text += ", " + n
	}
	return text
}

// cell is a percentage, or a dash where there is nothing to take it of.
func cell(r ec57.Ratio) string {
	if v, ok := r.Percent(); ok {
		return fmt.Sprintf("%.2f", v)
	}
	return "–"
}

func decided(w io.Writer, name string, d ec57.Decision, more ...string) {
	fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %s | %s |", name, d.TP+d.FN, d.FN, d.TN+d.FP, d.FP, cell(d.Sensitivity()), cell(d.Specificity()))
	for _, m := range more {
		fmt.Fprintf(w, " %s |", m)
	}
	fmt.Fprintln(w)
}

// writeCost is the processor time of two recordings, one plain and one with much
// ectopy, from the file to the alarms.
func writeCost(t testing.TB, w io.Writer) {
	used, hours := cpuSeconds(t), 0.0
	for _, p := range sets.mitdb(t) {
		if p.name != "119" && p.name != "208" {
			continue
		}
		again := &pass{folder: p.folder, path: p.path, name: p.name}
		if again.fold(0); again.err != nil {
			t.Error(again.err)
		}
		hours += float64(again.length) / again.rate / 3600
	}
	fmt.Fprintf(w, "\nCost, reading included: %.3f CPU s an hour of one lead at 360 Hz (must 0.12, aim 0.06). A machine that is busy with other work measures more.\n", (cpuSeconds(t)-used)/hours)
}
