package ec57

import (
	"fmt"
	"io"
	"strings"

	"heartwire/topics/wfdb"
)

// Decision counts answers of yes or no.
type Decision struct{ TP, FN, FP, TN int64 }

// Sensitivity is the share of what is so that was said to be.
func (d Decision) Sensitivity() Ratio { return Ratio{d.TP, d.TP + d.FN} }

// Specificity is the share of what is not so that was not said to be.
func (d Decision) Specificity() Ratio { return Ratio{d.TN, d.TN + d.FP} }

// Predictivity is the share of what was said to be so that is.
func (d Decision) Predictivity() Ratio { return Ratio{d.TP, d.TP + d.FP} }

// Challenge is the score of the PhysioNet Challenge 2015 (Clifford et al.,
// Physiol. Meas. 2016, 37:E5), in which a true alarm that is silenced weighs five false ones.
func (d Decision) Challenge() Ratio { return Ratio{d.TP + d.TN, d.TP + d.TN + d.FP + 5*d.FN} }

// Add adds up another record's counts.
func (d *Decision) Add(o Decision) {
	d.TP, d.FN, d.FP, d.TN = d.TP+o.TP, d.FN+o.FN, d.FP+o.FP, d.TN+o.TN
}

// Note counts one answer.
func (d *Decision) Note(is, said bool) {
	switch {
	case is && said:
		d.TP++
	case is:
		d.FN++
	case said:
		d.FP++
	default:
		d.TN++
	}
}

// AFByBeat asks of each beat whether it lies in atrial fibrillation, as the
// literature on detection from RR intervals does. Beats in reference flutter
// are left out, and so are those before the first reference rhythm.
func AFByBeat(ref, test, beats []wfdb.Annotation, o Options) (d Decision) {
	is, said := timeline(ref, rhythmOf), timeline(test, rhythmOf)
	for _, b := range beats {
		if _, ok := b.Code.Class(); !ok || b.Sample < o.Start || o.End > 0 && b.Sample >= o.End {
			continue
		}
		switch truth := is.at(b.Sample); {
		case truth == "" || strings.HasPrefix(truth, "(AFL"):
		default:
			d.Note(strings.HasPrefix(truth, "(AFIB"), strings.HasPrefix(said.at(b.Sample), "(AFIB"))
		}
	}
	return d
}

// rhythms are the changes of a record's rhythm, in order.
type rhythms struct {
	list []wfdb.Annotation
	next int // of the last question
}

func rhythmOf(a wfdb.Annotation) (string, bool) { return a.Aux, a.Code == wfdb.Rhythm }

func timeline(list []wfdb.Annotation, name func(wfdb.Annotation) (string, bool)) *rhythms {
	var r rhythms
	for _, a := range list {
		if n, ok := name(a); ok {
			r.list = append(r.list, wfdb.Annotation{Sample: a.Sample, Aux: n})
		}
	}
	return &r
}

// at is the rhythm in force at a sample, not before the last one asked for;
// empty before the first.
func (r *rhythms) at(n int64) string {
	for r.next < len(r.list) && r.list[r.next].Sample <= n {
		r.next++
	}
	if r.next == 0 {
		return ""
	}
	return r.list[r.next-1].Aux
}

// WriteDecisions prints the records, then their sum and the average over them.
func WriteDecisions(w io.Writer, title string, rows []Scored[Decision]) error {
	var b strings.Builder
	fmt.Fprintf(&b, "(%s)\nRecord       TP     FN     FP     TN     Se     Sp     +P\n", title)
	var gross Decision
	line := func(name string, d Decision) {
		fmt.Fprintf(&b, "%-7s %7d%7d%7d%7d", name, d.TP, d.FN, d.FP, d.TN)
		for _, statistic := range decisionStatistics {
			percent(&b, "%7.2f", "%7s", statistic(d))
		}
		b.WriteByte('\n')
	}
	for _, row := range rows {
		line(row.Record, row.Result)
		gross.Add(row.Result)
	}
	line("gross", gross)
	fmt.Fprintf(&b, "%-36s", "average")
	for _, statistic := range decisionStatistics {
		average(&b, "%7.2f", "%7s", rows, statistic)
	}
	b.WriteByte('\n')
	return flush(w, &b)
}

var decisionStatistics = []func(Decision) Ratio{Decision.Sensitivity, Decision.Specificity, Decision.Predictivity}
