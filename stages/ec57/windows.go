package ec57

import (
	"fmt"
	"io"
	"strings"

	"heartwire/topics/wfdb"
)

// Windows of ventricular rhythms that may need a shock: 8 s, one each second.
const (
	windowSeconds = 8.0
	windowStep    = 1.0
)

// WindowKind is what the reference says of a window. The kinds are those of
// the recommendation of the American Heart Association for automated
// defibrillators (Kerber et al., Circulation 1997, 95:1677).
type WindowKind uint8

const (
	WindowVF    WindowKind = iota // ventricular fibrillation or flutter
	WindowVT                      // ventricular tachycardia
	WindowSinus                   // normal
	WindowOther                   // any other rhythm
	windowKinds
)

func (k WindowKind) String() string {
	return [...]string{"VF", "VT", "sinus", "other", "?"}[min(k, windowKinds)]
}

// WindowResult counts windows: those with ventricular fibrillation, flutter or
// tachycardia, and those without.
type WindowResult struct {
	Decision
	Kinds [windowKinds]Ratio // of each kind, those that were told for what they are
}

// Add adds up another record's counts.
func (r *WindowResult) Add(o WindowResult) {
	r.Decision.Add(o.Decision)
	for k := range r.Kinds {
		r.Kinds[k].Num += o.Kinds[k].Num
		r.Kinds[k].Den += o.Kinds[k].Den
	}
}

// Windows compares the rhythms (+) of the reference with those of the test
// side in windows of 8 s, one each second. A window in which the reference has
// both kinds of rhythm, NOISE or nothing is left out. One is said to be
// ventricular if the test side has such rhythms in more than half of it.
func Windows(ref, test []wfdb.Annotation, o Options) (result WindowResult) {
	end := o.End
	if end <= 0 && len(ref) > 0 {
		end = ref[len(ref)-1].Sample
	}
	length := samples(windowSeconds, o.Rate)
	is, said := rhythmSpans(ref, end), rhythmSpans(test, end)
	for k := 0; ; k++ {
		from := o.Start + samples(float64(k)*windowStep, o.Rate)
		to := from + length
		if to > end {
			return result
		}
		var of [3]int64
		kind := WindowOther
		most := int64(-1)
		for _, s := range overlapping(&is, from, to) {
			n := min(s.end, to) - max(s.start, from)
			of[s.truth] += n
			if n > most {
				most, kind = n, s.kind
			}
		}
		if of[shock] != length && of[calm] != length {
			continue
		}
		var yes int64
		for _, s := range overlapping(&said, from, to) {
			if s.truth == shock {
				yes += min(s.end, to) - max(s.start, from)
			}
		}
		truth, answer := of[shock] == length, 2*yes > length
		result.Note(truth, answer)
		result.Kinds[kind].Den++
		if truth == answer {
			result.Kinds[kind].Num++
		}
	}
}

// truth is what a rhythm is for a window.
type truth uint8

const (
	nobodyKnows truth = iota
	calm
	shock
)

type rhythmSpan struct {
	span
	truth truth
	kind  WindowKind
}

// rhythmSpans reads the rhythms of one side, end being the end of the record.
func rhythmSpans(list []wfdb.Annotation, end int64) (spans []rhythmSpan) {
	for _, a := range list {
		if a.Code != wfdb.Rhythm {
			continue
		}
		if n := len(spans); n > 0 {
			spans[n-1].end = a.Sample
		}
		s := rhythmSpan{span: span{a.Sample, end}, truth: calm, kind: WindowOther}
		switch {
		case isVF(a.Aux):
			s.truth, s.kind = shock, WindowVF
		case a.Aux == "(VT":
			s.truth, s.kind = shock, WindowVT
		case a.Aux == "(N" || a.Aux == "(NSR":
			s.kind = WindowSinus
		case a.Aux == "(NOISE":
			s.truth = nobodyKnows
		}
		spans = append(spans, s)
	}
	return spans
}

// isVF reports a name of ventricular fibrillation or flutter: (VF (VFIB (VFL.
func isVF(name string) bool { return strings.HasPrefix(name, "(VF") }

// overlapping are the spans that reach into from..to. What lies before is
// dropped: the next question is for later.
func overlapping(spans *[]rhythmSpan, from, to int64) []rhythmSpan {
	list := *spans
	for len(list) > 0 && list[0].end <= from {
		list = list[1:]
	}
	*spans = list
	n := 0
	for n < len(list) && list[n].start < to {
		n++
	}
	return list[:n]
}

// Fibrillations are the annotations with marks of ventricular fibrillation ([
// and ]) where its rhythm begins and ends, for databases that have only the
// rhythms. Where there is a mark already they are returned as they are.
func Fibrillations(list []wfdb.Annotation) []wfdb.Annotation {
	var out []wfdb.Annotation
	on := false
	for _, a := range list {
		if a.Code == wfdb.VFOn {
			return list
		}
		if a.Code == wfdb.Rhythm && isVF(a.Aux) != on {
			on = !on
			code := wfdb.VFOff
			if on {
				code = wfdb.VFOn
			}
			out = append(out, wfdb.Annotation{Sample: a.Sample, Code: code})
		}
		out = append(out, a)
	}
	return out
}

// WriteWindows prints the records, their sum and the average, and what was
// told right of each kind of rhythm.
func WriteWindows(w io.Writer, rows []Scored[WindowResult]) error {
	decisions := make([]Scored[Decision], len(rows))
	var gross WindowResult
	for i, row := range rows {
		decisions[i] = Scored[Decision]{row.Record, row.Result.Decision}
		gross.Add(row.Result)
	}
	if err := WriteDecisions(w, "VF and VT, windows of 8 s each second", decisions); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("told right:")
	for k, r := range gross.Kinds {
		fmt.Fprintf(&b, "  %v ", WindowKind(k))
		percent(&b, "%.2f", "%s", r)
		fmt.Fprintf(&b, " of %d", r.Den)
	}
	b.WriteByte('\n')
	return flush(w, &b)
}
