//go:build real

package clinical

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"heartwire/stages/ec57"
)

// floors are in percent, gross over the records: below its floor, a change has
// lost something. They lie a little below what is measured.
var floors = map[string]float64{
	"QRS Se":                        99.84,
	"QRS +P":                        99.87,
	"QRS Se, worst record":          98.9,
	"QRS +P, worst record":          98.2,
	"QRS Se from 0:00":              99.75,
	"QRS +P from 0:00":              99.87,
	"QRS Se, both leads":            99.83,
	"QRS +P, both leads":            99.83,
	"VEB Se":                        96,
	"VEB +P":                        96.3,
	"SVEB Se":                       76.5,
	"SVEB +P":                       87,
	"both leads VEB Se":             96,
	"both leads VEB +P":             96,
	"both leads SVEB Se":            77,
	"both leads SVEB +P":            85,
	"couplets Se":                   84,
	"couplets +P":                   97,
	"short runs Se":                 68,
	"short runs +P":                 92,
	"long runs Se":                  68,
	"long runs +P":                  98,
	"electrode motion 12 dB QRS Se": 99.9,
	"electrode motion 12 dB QRS +P": 97.2,
	"VF episodes Se":                85,
	"VF episodes +P":                45,
	"VF duration Se":                60,
	"VF duration +P":                33,
	"VF and VT windows Se":          97.8,
	"VF and VT windows Sp":          99.5,
	"silence in asystole":           83, // 5 of 6 episodes: complexes do occur within some
	"AF episodes Se":                83,
	"AF episodes +P":                93,
	"AF duration Se":                97.5,
	"AF duration +P":                95.5,
	"AF by beat Se":                 97.4,
	"AF by beat Sp":                 98.5,
	"AF said within 60 s":           92, // of the reference's episodes of a minute and more
	"VT alarm score":                80,
	"VT and VF said in 7 s of their onset, vfdb":           100,
	"VT and VF said in 7 s of their onset, cinc2015vt":     100,
	"VT and VF said in 7 s of their onset, mitdb":          100,
	"VT and VF said in 7 s of their onset by labels, vfdb": 93,
	"time without false VF, mitdb":                         99.99,
	"time without false VF, mitdb, electrode motion 12 dB": 99.97,
	"VT +P, mitdb":                  95,
	"VT +P, mitdb, both leads":      89, // 17 of 19: the other two are 207's tachycardia with a bundle branch block
	"analysed time, mitdb":          99.9,
	"electrode motion -6 dB unsaid": 15, // of all time; half of it has noise
	"analysed time, cinc2015vt":     97,
}

// learning is what EC57 leaves a detector to learn.
const learning = 5 * time.Minute

// measured are the statistics that have a floor, and the tables behind them.
type measured struct {
	percent map[string]float64
	tables  bytes.Buffer
}

func (m *measured) note(name string, r ec57.Ratio) {
	m.percent[name], _ = r.Percent()
}

func (m *measured) pair(name string, se, ppv ec57.Ratio) {
	m.note(name+" Se", se)
	m.note(name+" +P", ppv)
}

func (m *measured) table(title string, write func(io.Writer) error) {
	fmt.Fprintf(&m.tables, "\n%s\n", title)
	if err := write(&m.tables); err != nil {
		fmt.Fprintln(&m.tables, err)
	}
}

// scores compares each recording.
func scores[R any](passes []*pass, from time.Duration, compare func(*pass, ec57.Options) R) (rows []ec57.Scored[R]) {
	for _, p := range passes {
		rows = append(rows, ec57.Scored[R]{Record: p.name, Result: compare(p, p.options(from))})
	}
	return rows
}

func compareBeats(p *pass, o ec57.Options) ec57.BeatResult {
	return ec57.Beats(p.ref, ec57.WithoutRhythms(p.test), o)
}

// gross is the sum over records without paced beats.
func gross(rows []ec57.Scored[ec57.BeatResult]) (sum ec57.BeatResult) {
	for _, row := range rows {
		if !row.Result.Paced {
			sum.Add(row.Result)
		}
	}
	return sum
}

func measure(t testing.TB) *measured {
	m := &measured{percent: make(map[string]float64)}
	m.beats(t)
	m.ventricular(t)
	m.atrial(t)
	m.alarms(t)
	m.onsets(t)
	m.calm(t)
	return m
}

func (m *measured) beats(t testing.TB) {
	rows := scores(sets.mitdb(t), learning, compareBeats)
	sum := gross(rows)
	se, ppv := sum.QRS()
	m.pair("QRS", se, ppv)
	se, ppv = sum.VEB()
	m.pair("VEB", se, ppv)
	se, ppv = sum.SVEB()
	m.pair("SVEB", se, ppv)
	m.note("analysed time, mitdb", ec57.Ratio{Num: sum.Period - sum.Suspended, Den: sum.Period})
	m.percent["QRS Se, worst record"], m.percent["QRS +P, worst record"] = 100, 100
	for _, row := range rows {
		se, ppv := row.Result.QRS()
		for name, r := range map[string]ec57.Ratio{"QRS Se, worst record": se, "QRS +P, worst record": ppv} {
			if v, ok := r.Percent(); ok {
				m.percent[name] = min(m.percent[name], v)
			}
		}
	}
	m.table("MIT-BIH Arrhythmia Database, first lead, from 5:00", func(w io.Writer) error { return ec57.WriteBeats(w, rows) })
	for name, r := range map[string][]ec57.Scored[ec57.BeatResult]{
		"QRS%s from 0:00":              scores(sets.mitdb(t), 0, compareBeats),
		"QRS%s, both leads":            scores(sets.mitdbAll(t), learning, compareBeats),
		"electrode motion 12 dB QRS%s": scores(sets.motion(t), learning, compareBeats),
	} {
		sum := gross(r)
		se, ppv := sum.QRS()
		m.note(fmt.Sprintf(name, " Se"), se)
		m.note(fmt.Sprintf(name, " +P"), ppv)
	}
	both := gross(scores(sets.mitdbAll(t), learning, compareBeats))
	se, ppv = both.VEB()
	m.pair("both leads VEB", se, ppv)
	se, ppv = both.SVEB()
	m.pair("both leads SVEB", se, ppv)
	m.runs(t)
	sum = gross(scores(sets.drowned(t), learning, compareBeats))
	m.note("electrode motion -6 dB unsaid", ec57.Ratio{Num: sum.Suspended, Den: sum.Period})
}

func (m *measured) runs(t testing.TB) {
	rows := scores(sets.mitdb(t), learning, func(p *pass, o ec57.Options) ec57.RunResult {
		return ec57.Runs(p.ref, p.test, o, ec57.Ventricular)
	})
	var sum ec57.RunResult
	for _, row := range rows {
		sum.Add(row.Result)
	}
	for name, of := range map[string]ec57.RunLength{"couplets": ec57.Couplets, "short runs": ec57.ShortRuns, "long runs": ec57.LongRuns} {
		se, ppv := sum.Score(of)
		m.pair(name, se, ppv)
	}
	m.table("Ventricular runs, from 5:00", func(w io.Writer) error { return ec57.WriteRuns(w, rows) })
}

func (m *measured) episodes(name string, kind ec57.EpisodeKind, passes []*pass) {
	rows := scores(passes, learning, func(p *pass, o ec57.Options) ec57.EpisodeResult {
		if kind == ec57.VF {
			return ec57.Episodes(ec57.Fibrillations(p.ref), p.test, o, kind)
		}
		return ec57.Episodes(p.ref, p.test, o, kind)
	})
	var sum ec57.EpisodeResult
	for _, row := range rows {
		sum.Add(row.Result)
	}
	se, ppv := sum.Episode()
	m.pair(name+" episodes", se, ppv)
	se, ppv = sum.Duration()
	m.pair(name+" duration", se, ppv)
	m.table(name+" episodes, from 5:00", func(w io.Writer) error { return ec57.WriteEpisodes(w, kind, rows) })
}

func (m *measured) ventricular(t testing.TB) {
	passes := sets.vfdb(t)
	m.episodes("VF", ec57.VF, passes)
	rows := scores(passes, 0, func(p *pass, o ec57.Options) ec57.WindowResult { return ec57.Windows(p.ref, p.test, o) })
	var sum ec57.WindowResult
	for _, row := range rows {
		sum.Add(row.Result)
	}
	m.note("VF and VT windows Se", sum.Sensitivity())
	m.note("VF and VT windows Sp", sum.Specificity())
	m.table("MIT-BIH Malignant Ventricular Ectopy Database, from 0:00", func(w io.Writer) error { return ec57.WriteWindows(w, rows) })
	var silent ec57.Ratio
	for _, p := range passes {
		silent.Num += int64(p.silences())
		silent.Den += int64(p.asystoles())
	}
	m.note("silence in asystole", silent)
}

func (m *measured) atrial(t testing.TB) {
	passes := sets.afdb(t)
	m.episodes("AF", ec57.AF, passes)
	rows := scores(passes, 0, func(p *pass, o ec57.Options) ec57.Decision { return ec57.AFByBeat(p.ref, p.test, p.test, o) })
	var sum ec57.Decision
	for _, row := range rows {
		sum.Add(row.Result)
	}
	var inTime ec57.Ratio
	for _, p := range passes {
		after := afAfter(charted(t, onlyBeats(p.test), p.rate), p.ref, p.rate)
		inTime.Num += after.within(60)
		inTime.Den += int64(len(after.seconds) + after.never)
	}
	m.note("AF said within 60 s", inTime)
	m.note("AF by beat Se", sum.Sensitivity())
	m.note("AF by beat Sp", sum.Specificity())
	m.table("MIT-BIH Atrial Fibrillation Database", func(w io.Writer) error { return ec57.WriteDecisions(w, "AF by beat", rows) })
}

func (m *measured) alarms(t testing.TB) {
	var sum ec57.Decision
	var analysed ec57.Ratio
	rows := scores(sets.alarms(t), 0, func(p *pass, o ec57.Options) (d ec57.Decision) {
		d.Note(p.truth, p.kept())
		return d
	})
	for i, p := range sets.alarms(t) {
		sum.Add(rows[i].Result)
		hidden := ec57.Beats(nil, ec57.WithoutRhythms(p.test), p.options(0)).Suspended
		analysed.Num += p.length - hidden
		analysed.Den += p.length
	}
	m.note("VT alarm score", sum.Challenge())
	m.note("analysed time, cinc2015vt", analysed)
	m.table("PhysioNet Challenge 2015, alarms of ventricular tachycardia", func(w io.Writer) error {
		return ec57.WriteDecisions(w, "VT alarms kept", rows)
	})
}

// TestFloors folds every recording once and holds what comes of it to the
// floors. Which statistic has none, and which floor no statistic, is an error.
func TestFloors(t *testing.T) {
	began, used := time.Now(), cpuSeconds(t)
	m := measure(t)
	t.Logf("%s", &m.tables)
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.percent)) {
		floor, ok := floors[name]
		fmt.Fprintf(&list, "%-32s %7.2f  floor %g\n", name, m.percent[name], floor)
		if !ok {
			t.Errorf("%s has no floor", name)
		}
		if m.percent[name] < floor {
			t.Errorf("%s is %.3f, want at least %g", name, m.percent[name], floor)
		}
	}
	for name := range floors {
		if _, ok := m.percent[name]; !ok {
			t.Errorf("a floor for %s, which nothing measures", name)
		}
	}
	t.Logf("\n%s%.1f s, %.1f CPU s, reading included", &list, time.Since(began).Seconds(), cpuSeconds(t)-used)
}

func cpuSeconds(t testing.TB) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// asystole is how long no beat may be said for, in s, before asystole can be alarmed.
const asystole = 4

// eachAsystole gives the reference episodes of asystole that are as long as
// that or longer.
func (p *pass) eachAsystole(do func(from, to int64)) {
	for i, a := range p.ref {
		end := p.length
		if i+1 < len(p.ref) {
			end = p.ref[i+1].Sample
		}
		if a.Aux == "(ASYS" && float64(end-a.Sample) >= (asystole+1)*p.rate {
			do(a.Sample, end)
		}
	}
}

func (p *pass) asystoles() (n int) {
	p.eachAsystole(func(int64, int64) { n++ })
	return n
}

// silences are those of them in which no beat is said for so long: a beat
// that is invented there is an alarm that does not come.
func (p *pass) silences() (n int) {
	p.eachAsystole(func(from, to int64) {
		last, longest := from, int64(0)
		for _, a := range p.test {
			if _, is := a.Code.Class(); is && a.Sample >= from && a.Sample < to {
				longest, last = max(longest, a.Sample-last), a.Sample
			}
		}
		if float64(max(longest, to-last)) >= asystole*p.rate {
			n++
		}
	})
	return n
}
