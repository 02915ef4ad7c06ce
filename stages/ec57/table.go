package ec57

import (
	"fmt"
	"io"
	"strings"
)

// WriteBeats prints the records in the line format of bxb, then gross figures
// over all and the average over the records. Records with paced beats are
// printed but stay out of both: EC57. In the columns, capitals are the
// reference, F' is F and Q, o' is no beat, suspended or not.
func WriteBeats(w io.Writer, rows []Scored[BeatResult]) error {
	var b strings.Builder
	b.WriteString("Record Nn' Sn' Vn' Fn' On'  Ns  Ss  Vs  Fs' Os' Nv  Sv   Vv  Fv' Ov' No' So' Vo' Fo'" +
		"  Q Se   Q +P   V Se   V +P   S Se   S +P RR err\n")
	var gross BeatResult
	var counted []Scored[BeatResult]
	for _, row := range rows {
		beatLine(&b, row.Record, &row.Result)
		if !row.Result.Paced {
			gross.Add(row.Result)
			counted = append(counted, row)
		}
	}
	fmt.Fprintf(&b, "records %d", len(counted))
	if n := len(rows) - len(counted); n > 0 {
		fmt.Fprintf(&b, " and %d paced, left out below", n)
	}
	se, _ := gross.QRS()
	fmt.Fprintf(&b, " | Total QRS complexes: %d  Total VEBs: %d  Total SVEBs: %d\n", se.Den, gross.Total(V), gross.Total(S))
	b.WriteString("            QRS Se   QRS +P   VEB Se   VEB +P  SVEB Se  SVEB +P\ngross    ")
	for _, statistic := range beatStatistics {
		percent(&b, "%9.2f", "%9s", statistic(gross))
	}
	b.WriteString("\naverage  ")
	for _, statistic := range beatStatistics {
		average(&b, "%9.2f", "%9s", counted, statistic)
	}
	b.WriteByte('\n')
	return flush(w, &b)
}

// beatStatistics are the columns of percentages.
var beatStatistics = []func(BeatResult) Ratio{
	func(r BeatResult) Ratio { se, _ := r.QRS(); return se },
	func(r BeatResult) Ratio { _, ppv := r.QRS(); return ppv },
	func(r BeatResult) Ratio { se, _ := r.VEB(); return se },
	func(r BeatResult) Ratio { _, ppv := r.VEB(); return ppv },
	func(r BeatResult) Ratio { se, _ := r.SVEB(); return se },
	func(r BeatResult) Ratio { _, ppv := r.SVEB(); return ppv },
}

func beatLine(b *strings.Builder, record string, r *BeatResult) {
	notEctopic, fusion, absent := []Label{N, F, Q}, []Label{F, Q}, absentLabels
	rows := [][]Label{{N}, {S}, {V}, fusion, absent}
	cells := func(rows [][]Label, test []Label) {
		for _, ref := range rows {
			width := 3
			switch n := test[0]; {
			case n == N && ref[0] == N:
				width = 5
			case n == V && ref[0] == V:
				width = 4
			}
			fmt.Fprintf(b, " %*d", width, r.sum(ref, test))
		}
	}
	fmt.Fprintf(b, "%4s", record)
	cells(rows, notEctopic)
	cells(rows, []Label{S})
	cells(rows, []Label{V})
	cells(rows[:4], absent)
	for _, statistic := range beatStatistics {
		percent(b, " %6.2f", "%7s", statistic(*r))
	}
	if ms, ok := r.RRError(); ok {
		fmt.Fprintf(b, " %6.2f\n", ms)
	} else {
		b.WriteString("      -\n")
	}
}

// WriteRuns prints the records in the line format of rxr, then sums, gross
// figures and averages. C are couplets, S runs of 3 to 5, L longer ones.
func WriteRuns(w io.Writer, rows []Scored[RunResult]) error {
	var b strings.Builder
	b.WriteString("Record CTs CFN CTp CFP STs SFN STp SFP LTs LFN LTp LFP  CSe C+P SSe S+P LSe L+P\n")
	var gross RunResult
	for _, row := range rows {
		fmt.Fprintf(&b, "%4s", row.Record)
		runCounts(&b, &row.Result)
		b.WriteByte(' ')
		for _, statistic := range runStatistics {
			whole(&b, statistic(row.Result))
		}
		b.WriteByte('\n')
		gross.Add(row.Result)
	}
	b.WriteString("Sum ")
	runCounts(&b, &gross)
	fmt.Fprintf(&b, "\n%-53s", "Gross")
	for _, statistic := range runStatistics {
		percent(&b, " %3.0f", "%4s", statistic(gross))
	}
	fmt.Fprintf(&b, "\n%-53s", "Average")
	for _, statistic := range runStatistics {
		average(&b, " %3.0f", "%4s", rows, statistic)
	}
	b.WriteByte('\n')
	return flush(w, &b)
}

var runStatistics = []func(RunResult) Ratio{
	func(r RunResult) Ratio { se, _ := r.Score(Couplets); return se },
	func(r RunResult) Ratio { _, ppv := r.Score(Couplets); return ppv },
	func(r RunResult) Ratio { se, _ := r.Score(ShortRuns); return se },
	func(r RunResult) Ratio { _, ppv := r.Score(ShortRuns); return ppv },
	func(r RunResult) Ratio { se, _ := r.Score(LongRuns); return se },
	func(r RunResult) Ratio { _, ppv := r.Score(LongRuns); return ppv },
}

func runCounts(b *strings.Builder, r *RunResult) {
	for _, statistic := range runStatistics {
		n := statistic(*r)
		fmt.Fprintf(b, " %3d %3d", n.Num, n.Den-n.Num)
	}
}

// WriteEpisodes prints the records in the line format of epicmp, then what
// sumstats makes of them, gross durations from the samples themselves.
func WriteEpisodes(w io.Writer, kind EpisodeKind, rows []Scored[EpisodeResult]) error {
	var b strings.Builder
	fmt.Fprintf(&b, "(%s detection)\n", kind)
	b.WriteString("Record  TPs   FN  TPp   FP  ESe E+P DSe D+P  Ref duration  Test duration \n")
	var gross EpisodeResult
	for _, row := range rows {
		r := row.Result
		fmt.Fprintf(&b, "%6s %4d %4d %4d %4d ", row.Record, r.Found, r.Missed, r.True, r.False)
		for _, statistic := range episodeStatistics {
			whole(&b, statistic(r))
		}
		fmt.Fprintf(&b, "  %s   %s\n", clock(r.Reference, r.Rate), clock(r.Test, r.Rate))
		gross.Add(r)
	}
	b.WriteString(strings.Repeat("_", 72) + "\n")
	fmt.Fprintf(&b, "Sum    %4d %4d %4d %4d                   %s   %s\n", gross.Found, gross.Missed, gross.True, gross.False,
		clock(gross.Reference, gross.Rate), clock(gross.Test, gross.Rate))
	fmt.Fprintf(&b, "%-27s", "Gross")
	for _, statistic := range episodeStatistics {
		percent(&b, " %3.0f", "%4s", statistic(gross))
	}
	fmt.Fprintf(&b, "\n%-27s", "Average")
	for _, statistic := range episodeStatistics {
		average(&b, " %3.0f", "%4s", rows, statistic)
	}
	plural := "s"
	if len(rows) == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "\n\nSummary of results from %d record%s\n", len(rows), plural)
	return flush(w, &b)
}

var episodeStatistics = []func(EpisodeResult) Ratio{
	func(r EpisodeResult) Ratio { se, _ := r.Episode(); return se },
	func(r EpisodeResult) Ratio { _, ppv := r.Episode(); return ppv },
	func(r EpisodeResult) Ratio { se, _ := r.Duration(); return se },
	func(r EpisodeResult) Ratio { _, ppv := r.Duration(); return ppv },
}

func percent(b *strings.Builder, format, absent string, r Ratio) {
	if p, ok := r.Percent(); ok {
		fmt.Fprintf(b, format, p)
	} else {
		fmt.Fprintf(b, absent, "-")
	}
}

func average[R any](b *strings.Builder, format, absent string, rows []Scored[R], statistic func(R) Ratio) {
	if p, ok := Average(rows, statistic); ok {
		fmt.Fprintf(b, format, p)
	} else {
		fmt.Fprintf(b, absent, "-")
	}
}

// whole prints a percentage rounded half up.
func whole(b *strings.Builder, r Ratio) {
	if p, ok := r.Percent(); ok {
		fmt.Fprintf(b, " %3d", int(p+0.5))
	} else {
		b.WriteString("   -")
	}
}

// clock is a duration of n samples as h:mm:ss.mmm, cut off at the millisecond,
// 12 characters wide.
func clock(n int64, rate float64) string {
	seconds := int64(float64(n) / rate)
	ms := int64((float64(n) - float64(seconds)*rate) * 1000 / rate)
	if seconds < 3600 {
		return fmt.Sprintf("   %2d:%02d.%03d", seconds/60, seconds%60, ms)
	}
	return fmt.Sprintf("%2d:%02d:%02d.%03d", seconds/3600, seconds/60%60, seconds%60, ms)
}

func flush(w io.Writer, b *strings.Builder) error {
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write a table of scores: %w", err)
	}
	return nil
}
