package wfdb

import (
	"cmp"
	"math"
	"slices"
	"time"

	"heartwire/topics"
)

// Transcript gathers what the stages say of one record, sample 0 of boot 1
// being its first, for annotation files. What is late is passed over.
type Transcript struct {
	Rate   float64   // samples/s
	Start  time.Time // sample time of sample 0
	Length int64     // samples; what was said beyond is left out of what is given

	beats     []Annotation
	episodes  []span // of rhythms
	waves     []span // of ventricular fibrillation and flutter, with what they are
	marks     []span // the same from [ to ]
	asystoles []span
	hidden    []span // no signal to analyse
	notes     []Annotation
	progress  int64 // samples
	dark      bool  // the last span of hidden is open
}

// span is from ≤ sample < to; to is open while it goes on.
type span struct {
	from, to int64
	rhythm   topics.Rhythm
	name     string
}

const open = math.MaxInt64

// rhythms are the names that annotation files have for rhythms. Where several
// are there at one time the first of them is the rhythm in force: what kills
// first, then what is decided by more than the order of beats. AF comes before
// SVT and the patterns of premature beats, which occur within it.
var rhythms = []struct {
	name string
	of   topics.Rhythm
}{
	{"(VF", topics.Rhythm_RHYTHM_VF},
	{"(VFL", topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER},
	{"(ASYS", topics.Rhythm_RHYTHM_UNSPECIFIED}, // by the alarm
	{"(VT", topics.Rhythm_RHYTHM_VT},
	{"(IVR", topics.Rhythm_RHYTHM_IDIOVENTRICULAR},
	{"(AFIB", topics.Rhythm_RHYTHM_AF},
	{"(SVTA", topics.Rhythm_RHYTHM_SVT},
	{"(B", topics.Rhythm_RHYTHM_BIGEMINY},
	{"(T", topics.Rhythm_RHYTHM_TRIGEMINY},
}

const (
	asystoleName = "(ASYS"
	normalName   = "(N"
	apart        = 0.2 // s between two beats
	afterLast    = 3.0 // s after the last beat of an episode in which the next beat tells where it was over
)

func rhythmName(r topics.Rhythm) string {
	for _, known := range rhythms {
		if known.of == r && r != topics.Rhythm_RHYTHM_UNSPECIFIED {
			return known.name
		}
	}
	return ""
}

// Annotation takes what the stage beats has said.
func (t *Transcript) Annotation(a *topics.Annotation) {
	if a.GetLate() {
		return
	}
	n := int64(a.GetSample())
	switch k := a.GetKind().(type) {
	case *topics.Annotation_Beat:
		t.beats = append(t.beats, Annotation{Sample: n, Code: CodeOf(k.Beat.GetClass())})
	case *topics.Annotation_Fibrillation:
		t.fibrillation(n, k.Fibrillation)
	case *topics.Annotation_Gap:
		closeLast(t.waves, n)
		closeLast(t.marks, n)
		t.hide(n)
		if k.Gap.GetCount() > 0 {
			t.progress = n + int64(k.Gap.GetCount())
			t.show(t.progress)
		}
	case *topics.Annotation_Progress:
		if k.Progress.GetSuspended() {
			t.hide(t.progress)
		} else {
			t.show(t.progress)
		}
		t.progress = n + 1
	}
}

func (t *Transcript) fibrillation(n int64, f *topics.Fibrillation) {
	closeLast(t.waves, n)
	if !f.GetOn() {
		closeLast(t.marks, n)
		return
	}
	of := topics.Rhythm_RHYTHM_VF
	switch f.GetRhythm() {
	case topics.VentricularRhythm_VENTRICULAR_RHYTHM_FLUTTER:
		of = topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER
	case topics.VentricularRhythm_VENTRICULAR_RHYTHM_TACHYCARDIA:
		of = topics.Rhythm_RHYTHM_VT
	}
	t.waves = append(t.waves, span{from: n, to: open, name: rhythmName(of)})
	if of == topics.Rhythm_RHYTHM_VT {
		closeLast(t.marks, n) // it has no marks
		return
	}
	switch i := len(t.marks) - 1; {
	case i >= 0 && t.marks[i].to == open:
	case i >= 0 && t.marks[i].to == n:
		t.marks[i].to = open // its rhythm has become another
	default:
		t.marks = append(t.marks, span{from: n, to: open})
	}
}

func closeLast(list []span, n int64) {
	if i := len(list) - 1; i >= 0 && list[i].to == open {
		list[i].to = max(n, list[i].from)
	}
}

// hide begins a time of which nothing is known; show ends it.
func (t *Transcript) hide(n int64) {
	if !t.dark {
		if i := len(t.hidden) - 1; i >= 0 && t.hidden[i].to >= n {
			t.hidden[i].to = open // it goes on
		} else {
			t.hidden = append(t.hidden, span{from: n, to: open})
		}
		t.dark = true
	}
}

func (t *Transcript) show(n int64) {
	if t.dark {
		closeLast(t.hidden, n)
		t.dark = false
	}
}

// Chart takes what the stage rhythm has said: of it, the episodes of rhythms
// that annotation files have a name for, but for fibrillation, which the
// stage beats tells.
func (t *Transcript) Chart(c *topics.Chart) {
	e := c.GetEpisode()
	if e == nil {
		return
	}
	s := span{from: int64(e.GetOnset()), to: open, rhythm: e.GetRhythm(), name: rhythmName(e.GetRhythm())}
	if e.End != nil {
		s.to = max(int64(e.GetEnd()), s.from)
	}
	for i := len(t.episodes) - 1; i >= 0; i-- {
		if o := t.episodes[i]; o.from == s.from && family(o.rhythm) == family(s.rhythm) {
			t.episodes[i] = s
			return
		}
	}
	t.episodes = append(t.episodes, s)
}

// family is what the rhythm of one episode can turn into while it goes on.
func family(r topics.Rhythm) topics.Rhythm {
	switch r {
	case topics.Rhythm_RHYTHM_COUPLET, topics.Rhythm_RHYTHM_V_RUN, topics.Rhythm_RHYTHM_IDIOVENTRICULAR:
		return topics.Rhythm_RHYTHM_VT
	case topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER:
		return topics.Rhythm_RHYTHM_VF
	}
	return r
}

// Alarm takes what the stage alarms has said: asystole as a rhythm, and each
// alarm of the body as a comment.
func (t *Transcript) Alarm(a *topics.Alarm) {
	s := a.GetState()
	if s == nil || s.GetTechnical() {
		return
	}
	from := t.SampleAt(s.GetOnsetUs())
	if s.GetVersion() == 1 {
		t.notes = append(t.notes, Annotation{Sample: from, Code: Note, Aux: s.GetText()})
	}
	if s.GetRule() != topics.RuleAsystole {
		return
	}
	if s.GetVersion() == 1 {
		t.asystoles = append(t.asystoles, span{from: from, to: open, name: asystoleName})
	} else if s.GetEndedUs() != 0 {
		closeLast(t.asystoles, t.SampleAt(s.GetEndedUs()))
	}
}

// SampleAt is the sample at a time in UTC µs, not before the first.
func (t *Transcript) SampleAt(us int64) int64 {
	return max(int64(math.Round(float64(us-t.Start.UnixMicro())*t.Rate/1e6)), 0)
}

// Beats are the beats in order, each with the code of its class: N, S, V, F or Q.
func (t *Transcript) Beats() []Annotation {
	slices.SortStableFunc(t.beats, bySample)
	n := len(t.beats)
	for n > 0 && t.beats[n-1].Sample >= t.Length {
		n--
	}
	return t.beats[:n]
}

// Suspended is the number of samples of which nothing is known.
func (t *Transcript) Suspended() (n int64) {
	for _, s := range t.hidden {
		n += max(min(s.to, t.Length)-s.from, 0)
	}
	return n
}

// Rhythms are the changes of rhythm (+), the beginning and end of ventricular
// fibrillation and flutter ([ and ]), of times in which no signal can be
// analysed (~, subtype -1 and 0), and comments ("), in order. The rhythm in
// force is the first in the list of rhythms of those that are there, else (N.
func (t *Transcript) Rhythms() []Annotation {
	list := t.changes(t.inForce())
	for _, m := range t.marks {
		if m.from < t.Length {
			list = append(list, Annotation{Sample: m.from, Code: VFOn}, Annotation{Sample: min(m.to, t.Length-1), Code: VFOff})
		}
	}
	for _, h := range t.hidden {
		if h.from >= t.Length {
			continue
		}
		list = append(list, Annotation{Sample: h.from, Code: Noise, Subtype: -1})
		if h.to < t.Length {
			list = append(list, Annotation{Sample: h.to, Code: Noise})
		}
	}
	for _, n := range t.notes {
		if n.Sample < t.Length {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, bySample)
	return list
}

func bySample(a, b Annotation) int { return cmp.Compare(a.Sample, b.Sample) }

// inForce are the spans of all rhythms, each up to where the next one begins:
// the first beat after its last.
func (t *Transcript) inForce() []span {
	beats := t.Beats()
	next := func(n int64) (int64, bool) {
		i, _ := slices.BinarySearchFunc(beats, n+1, func(a Annotation, n int64) int { return cmp.Compare(a.Sample, n) })
		if i == len(beats) {
			return 0, false
		}
		return beats[i].Sample, true
	}
	list := slices.Clone(t.waves)
	for _, e := range t.episodes {
		if e.name == "" || family(e.rhythm) == topics.Rhythm_RHYTHM_VF {
			continue
		}
		if e.to != open {
			if at, ok := next(e.to); ok && float64(at-e.to) <= afterLast*t.Rate {
				e.to = at
			} else {
				e.to++
			}
		}
		list = append(list, e)
	}
	for _, a := range t.asystoles {
		if at, ok := next(a.from + int64(apart*t.Rate)); ok { // its onset is the last beat before it
			a.to = min(a.to, at)
		}
		list = append(list, a)
	}
	return list
}

// changes are where the rhythm in force becomes another.
func (t *Transcript) changes(spans []span) []Annotation {
	edges := []int64{0}
	for _, s := range spans {
		edges = append(edges, s.from, s.to)
	}
	slices.Sort(edges)
	var list []Annotation
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	begun := 0
	var now []span // those that have begun and may go on
	for _, at := range slices.Compact(edges) {
		if at >= t.Length {
			break
		}
		for ; begun < len(spans) && spans[begun].from <= at; begun++ {
			now = append(now, spans[begun])
		}
		now = slices.DeleteFunc(now, func(s span) bool { return s.to <= at })
		if name := first(now); len(list) == 0 || list[len(list)-1].Aux != name {
			list = append(list, Annotation{Sample: at, Code: Rhythm, Aux: name})
		}
	}
	return list
}

// first is the name of the rhythm that goes before the others.
func first(now []span) string {
	for _, r := range rhythms {
		if slices.ContainsFunc(now, func(s span) bool { return s.name == r.name }) {
			return r.name
		}
	}
	return normalName
}
