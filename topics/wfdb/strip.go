package wfdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"heartwire/topics"
)

// WriteStrip writes a strip into a folder as the record of that name: NAME.hea,
// NAME.dat in format 16, and in NAME.hw what was found in it: beats, pace pulses,
// ventricular fibrillation, and a note where the alarm's condition began. A sample
// that is missing, or was taken while its lead was off, is marked as invalid.
//
// The rate is that of the run in which the alarm began, or else of the first; what
// has another is left out, and a comment of the header says so. Counts are the
// patch's own, unless they are too large for 16 bits.
func WriteStrip(dir, name string, s *topics.Strip) error {
	r := newStripRecord(s)
	if r == nil {
		return fmt.Errorf("record %s: the strip has no sample", name)
	}
	marks, err := AppendAnnotations(nil, r.annotations())
	if err != nil {
		return fmt.Errorf("record %s: %w", name, err)
	}
	path := filepath.Join(dir, name)
	return errors.Join(
		os.WriteFile(path+".dat", r.data(), 0o644),
		os.WriteFile(path+".hea", []byte(r.header(name)), 0o644),
		os.WriteFile(path+".hw", marks, 0o644),
	)
}

type stripRecord struct {
	strip  *topics.Strip // of the runs of one rate alone
	left   int           // runs of another
	rate   float64
	length int // rows
	leads  []string
	scale  []float64 // µV a count
	rows   [][]int16 // of each lead
}

// invalid is what a missing sample is in format 16.
const invalid = math.MinInt16

func newStripRecord(s *topics.Strip) *stripRecord {
	r := &stripRecord{}
	for _, run := range s.GetRuns() {
		usable := run.GetRate() >= minRate && run.GetRate() <= maxRate
		if usable && (r.rate == 0 || run.GetTimeUs() <= s.GetOnsetUs()) {
			r.rate = run.GetRate()
		}
	}
	if r.rate == 0 {
		return nil
	}
	r.strip = &topics.Strip{FromUs: s.GetFromUs(), ToUs: s.GetToUs(), OnsetUs: s.GetOnsetUs(), Annotations: s.GetAnnotations(), Holes: s.GetHoles()}
	r.strip.Alarm, r.strip.Rule, r.strip.Text = s.GetAlarm(), s.GetRule(), s.GetText()
	for _, run := range s.GetRuns() {
		if run.GetRate() == r.rate {
			r.strip.Runs = append(r.strip.Runs, run)
		} else {
			r.left++
		}
	}
	r.length = r.row(s.GetToUs())
	r.leads = r.strip.LeadNames()
	for _, name := range r.leads {
		r.take(name)
	}
	return r
}

// row is the row of a sample time.
func (r *stripRecord) row(us int64) int {
	return int(math.Round(float64(us-r.strip.GetFromUs()) / 1e6 * r.rate))
}

func (r *stripRecord) take(name string) {
	var scale, most float64
	for _, run := range r.strip.GetRuns() {
		for _, l := range run.GetLeads() {
			if l.GetName() == name && scale == 0 {
				scale = l.GetMicrovoltsPerCount()
			}
		}
	}
	for _, uv := range r.strip.Lead(name) {
		if !math.IsNaN(uv) {
			most = max(most, math.Abs(uv))
		}
	}
	if scale = max(scale, most/math.MaxInt16); !(scale > 0) || math.IsInf(scale, 0) {
		scale = 1 // what is no number, or all zero
	}
	column := make([]int16, r.length)
	for i := range column {
		column[i] = invalid
	}
	for us, uv := range r.strip.Lead(name) {
		if i := r.row(us); !math.IsNaN(uv) && i >= 0 && i < r.length {
			column[i] = int16(math.Round(uv / scale))
		}
	}
	r.scale, r.rows = append(r.scale, scale), append(r.rows, column)
}

func (r *stripRecord) data() (b []byte) {
	for i := range r.length {
		for _, column := range r.rows {
			b = binary.LittleEndian.AppendUint16(b, uint16(column[i]))
		}
	}
	return b
}

func (r *stripRecord) header(name string) string {
	var b strings.Builder
	began := topics.MicroTime(r.strip.GetFromUs())
	fmt.Fprintf(&b, "%s %d %g %d %s %s\n", name, len(r.leads), r.rate, r.length, began.Format("15:04:05.000"), began.Format("02/01/2006"))
	for i, lead := range r.leads {
		var sum int16
		for _, v := range r.rows[i] {
			sum += v
		}
		fmt.Fprintf(&b, "%s.dat 16 %g(0)/mV 16 0 %d %d 0 %s\n", name, 1e3/r.scale[i], r.rows[i][0], sum, lead)
	}
	fmt.Fprintf(&b, "# %s (%s), alarm %s; its condition began at sample %d\n", r.strip.GetText(), r.strip.GetRule(), r.strip.GetAlarm(), r.row(r.strip.GetOnsetUs()))
	for _, h := range r.strip.GetHoles() {
		fmt.Fprintf(&b, "# no samples from %d to %d: %s\n", r.row(h.GetFromUs()), r.row(h.GetToUs()), h.GetWhy())
	}
	if r.left > 0 {
		fmt.Fprintf(&b, "# left out: %d runs of another sampling rate\n", r.left)
	}
	return b.String()
}

func (r *stripRecord) annotations() (list []Annotation) {
	onset := false
	note := func(until int64) {
		if at := r.strip.GetOnsetUs(); !onset && at <= until {
			onset = true
			list = append(list, Annotation{Sample: int64(r.row(at)), Code: Note, Aux: r.strip.GetText()[:min(len(r.strip.GetText()), 200)]})
		}
	}
	for _, a := range r.strip.GetAnnotations() {
		at := Annotation{Sample: int64(r.row(a.GetTimeUs()))}
		switch k := a.GetKind().(type) {
		case *topics.Annotation_Beat:
			at.Code = CodeOf(k.Beat.GetClass())
		case *topics.Annotation_PacePulse:
			at.Code = PaceSpike
		case *topics.Annotation_Fibrillation:
			if at.Code = VFOff; k.Fibrillation.GetOn() {
				at.Code = VFOn
			}
		default:
			continue
		}
		if a.GetLate() {
			continue
		}
		note(a.GetTimeUs())
		list = append(list, at)
	}
	note(r.strip.GetOnsetUs())
	return list
}
