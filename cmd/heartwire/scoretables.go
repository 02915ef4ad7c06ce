package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"heartwire/stages/ec57"
	"heartwire/topics/wfdb"
)

var scoreTables = []string{"beats", "runs", "vf", "af", "af-beats", "windows", "vt-alarms"}

// learning is the time that EC57 leaves a detector to learn.
const learning = 5 * time.Minute

// scoreTable is one table, and each of its statistics by record.
type scoreTable struct {
	name  string
	write func(io.Writer) error
	cells []scoreCell
}

type scoreCell struct {
	record, statistic string
	ratio             ec57.Ratio
}

// tables are those that were asked for and have something to compare.
func (run *scoring) tables(from time.Duration) (tables []scoreTable, err error) {
	late, early := from, from
	if from < 0 {
		late, early = learning, 0
	}
	for _, name := range scoreTables {
		if run.what != nil && !slices.Contains(run.what, name) {
			continue
		}
		var table *scoreTable
		switch name {
		case "beats":
			table = run.beats(late)
		case "runs":
			table = run.runs(late)
		case "vf":
			table = run.episodes("vf", ec57.VF, late)
		case "af":
			table = run.episodes("af", ec57.AF, late)
		case "af-beats":
			table = run.afBeats(early)
		case "windows":
			table = run.windows(early)
		case "vt-alarms":
			if table, err = run.vtAlarms(); err != nil {
				return nil, err
			}
		}
		switch {
		case table != nil:
			table.name = name
			tables = append(tables, *table)
		case run.what != nil:
			return nil, fmt.Errorf("--what %s: nothing is there to compare for it", name)
		}
	}
	return tables, nil
}

func (run *scoring) print(out io.Writer, tables []scoreTable) error {
	w := bufio.NewWriter(out)
	if run.csv {
		c := csv.NewWriter(w)
		_ = c.Write([]string{"table", "record", "statistic", "numerator", "denominator", "percent"})
		for _, t := range tables {
			for _, s := range t.cells {
				percent := ""
				if p, ok := s.ratio.Percent(); ok {
					percent = strconv.FormatFloat(p, 'f', 3, 64)
				}
				_ = c.Write([]string{t.name, s.record, s.statistic, fmt.Sprint(s.ratio.Num), fmt.Sprint(s.ratio.Den), percent})
			}
		}
		c.Flush()
		return errors.Join(c.Error(), w.Flush())
	}
	for i, t := range tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	return w.Flush()
}

// score compares each record, and names its statistics.
func score[R any](run *scoring, from time.Duration, compare func(scored, ec57.Options) R, statistics func(R) []scoreCell) (rows []ec57.Scored[R], cells []scoreCell) {
	for _, r := range run.records {
		row := ec57.Scored[R]{Record: r.name, Result: compare(r, r.options(from))}
		rows = append(rows, row)
		for _, c := range statistics(row.Result) {
			c.record = r.name
			cells = append(cells, c)
		}
	}
	return rows, cells
}

// pair is a sensitivity and a positive predictivity.
func pair(name string, se, ppv ec57.Ratio) []scoreCell {
	return []scoreCell{{statistic: name + " Se", ratio: se}, {statistic: name + " +P", ratio: ppv}}
}

func isBeat(a wfdb.Annotation) bool { _, ok := a.Code.Class(); return ok }

// some reports whether one side of some record has such an annotation.
func (run *scoring) some(ref, test func(wfdb.Annotation) bool) bool {
	return slices.ContainsFunc(run.records, func(r scored) bool {
		return slices.ContainsFunc(r.ref, ref) || test != nil && slices.ContainsFunc(r.test, test)
	})
}

func (run *scoring) beats(from time.Duration) *scoreTable {
	if !run.some(isBeat, nil) {
		return nil
	}
	rows, cells := score(run, from, func(r scored, o ec57.Options) ec57.BeatResult {
		return ec57.Beats(r.ref, ec57.WithoutRhythms(r.test), o)
	}, func(r ec57.BeatResult) (cells []scoreCell) {
		for _, s := range []struct {
			name  string
			score func() (se, ppv ec57.Ratio)
		}{{"QRS", r.QRS}, {"VEB", r.VEB}, {"SVEB", r.SVEB}} {
			se, ppv := s.score()
			cells = append(cells, pair(s.name, se, ppv)...)
		}
		return append(cells, scoreCell{statistic: "suspended", ratio: ec57.Ratio{Num: r.Suspended, Den: r.Period}})
	})
	return &scoreTable{cells: cells, write: func(w io.Writer) error {
		if err := ec57.WriteBeats(w, rows); err != nil {
			return err
		}
		var sum ec57.BeatResult
		for _, row := range rows {
			sum.Add(row.Result)
		}
		share, _ := ec57.Ratio{Num: sum.Suspended, Den: sum.Period}.Percent()
		_, err := fmt.Fprintf(w, "analysis suspended %.2f %% of the time, all records\n", share)
		return err
	}}
}

func (run *scoring) runs(from time.Duration) *scoreTable {
	if !run.some(isBeat, nil) {
		return nil
	}
	rows, cells := score(run, from, func(r scored, o ec57.Options) ec57.RunResult {
		return ec57.Runs(r.ref, r.test, o, ec57.Ventricular)
	}, func(r ec57.RunResult) (cells []scoreCell) {
		for _, s := range []struct {
			name string
			of   ec57.RunLength
		}{{"couplets", ec57.Couplets}, {"short runs", ec57.ShortRuns}, {"long runs", ec57.LongRuns}} {
			se, ppv := r.Score(s.of)
			cells = append(cells, pair(s.name, se, ppv)...)
		}
		return cells
	})
	return &scoreTable{cells: cells, write: func(w io.Writer) error { return ec57.WriteRuns(w, rows) }}
}

func (run *scoring) episodes(name string, kind ec57.EpisodeKind, from time.Duration) *scoreTable {
	is := isAF
	if kind == ec57.VF {
		is = isVF
	}
	if !run.some(is, is) {
		return nil
	}
	rows, cells := score(run, from, func(r scored, o ec57.Options) ec57.EpisodeResult {
		if kind == ec57.VF {
			return ec57.Episodes(ec57.Fibrillations(r.ref), ec57.Fibrillations(r.test), o, kind)
		}
		return ec57.Episodes(r.ref, r.test, o, kind)
	}, func(r ec57.EpisodeResult) []scoreCell {
		se, ppv := r.Episode()
		dse, dppv := r.Duration()
		return append(pair("episodes", se, ppv), pair("duration", dse, dppv)...)
	})
	return &scoreTable{cells: cells, write: func(w io.Writer) error { return ec57.WriteEpisodes(w, kind, rows) }}
}

func isAF(a wfdb.Annotation) bool { return a.Code == wfdb.Rhythm && strings.HasPrefix(a.Aux, "(AFIB") }

func isVF(a wfdb.Annotation) bool {
	return a.Code == wfdb.VFOn || a.Code == wfdb.Rhythm && strings.HasPrefix(a.Aux, "(VF")
}

func decisionCells(d ec57.Decision) []scoreCell {
	return []scoreCell{
		{statistic: "Se", ratio: d.Sensitivity()}, {statistic: "Sp", ratio: d.Specificity()}, {statistic: "+P", ratio: d.Predictivity()},
	}
}

func (run *scoring) afBeats(from time.Duration) *scoreTable {
	if !run.some(isAF, isAF) || !run.some(isBeat, isBeat) {
		return nil
	}
	rows, cells := score(run, from, func(r scored, o ec57.Options) ec57.Decision {
		beats := r.ref
		if !slices.ContainsFunc(beats, isBeat) {
			beats = r.test
		}
		return ec57.AFByBeat(r.ref, r.test, beats, o)
	}, decisionCells)
	return &scoreTable{cells: cells, write: func(w io.Writer) error {
		return ec57.WriteDecisions(w, "AF by beat", rows)
	}}
}

func (run *scoring) windows(from time.Duration) *scoreTable {
	is := func(a wfdb.Annotation) bool { return a.Code == wfdb.Rhythm && (isVF(a) || a.Aux == "(VT") }
	if !run.some(is, is) {
		return nil
	}
	rows, cells := score(run, from, func(r scored, o ec57.Options) ec57.WindowResult {
		return ec57.Windows(r.ref, r.test, o)
	}, func(r ec57.WindowResult) []scoreCell { return decisionCells(r.Decision) })
	return &scoreTable{cells: cells, write: func(w io.Writer) error { return ec57.WriteWindows(w, rows) }}
}

// An alarm of the PhysioNet Challenge 2015 sounded at 5:00, and what it was
// for lies in the 16 s before: 10 s of the standard that monitors follow, and 6
// for the onset of what was then long enough.
const vtFrom, vtTo = 4*60 + 44.0, 5 * 60.0 // s

// vtAlarms is nil where there are none.
func (run *scoring) vtAlarms() (*scoreTable, error) {
	f, err := os.Open(filepath.Join(run.ref, "alarms.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	var rows []ec57.Scored[ec57.Decision]
	for i, line := range lines {
		if i == 0 && len(line) > 0 && line[0] == "recordname" {
			continue
		}
		if len(line) != 2 || line[1] != "0" && line[1] != "1" {
			return nil, fmt.Errorf("%s: line %d: want RECORD,1 or RECORD,0", f.Name(), i+1)
		}
		kept, err := run.keptVT(line[0])
		if err != nil {
			return nil, err
		}
		row := ec57.Scored[ec57.Decision]{Record: line[0]}
		row.Result.Note(line[1] == "1", kept)
		rows = append(rows, row)
	}
	var cells []scoreCell
	var sum ec57.Decision
	for _, row := range rows {
		sum.Add(row.Result)
		cells = append(cells, scoreCell{row.Record, "right", ec57.Ratio{Num: row.Result.TP + row.Result.TN, Den: 1}})
	}
	return &scoreTable{cells: cells, write: func(w io.Writer) error {
		if err := ec57.WriteDecisions(w, "VT alarms kept", rows); err != nil {
			return err
		}
		score, _ := sum.Challenge().Percent()
		_, err := fmt.Fprintf(w, "score (TP+TN)/(TP+TN+FP+5 FN) %.2f\n", score)
		return err
	}}, nil
}

// keptVT reports whether a VT alarm of that record is kept.
func (run *scoring) keptVT(name string) (bool, error) {
	path := filepath.Join(run.test, name+"."+extAlarms)
	b, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	kept := false
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var a alarmLine
		if err := d.Decode(&a); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		kept = kept || a.Rule == "vt" && a.OnsetS >= vtFrom && a.OnsetS <= vtTo
	}
	return kept, nil
}
