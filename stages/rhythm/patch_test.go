package rhythm_test

import (
	"fmt"
	"strings"
	"testing"

	"heartwire/pipeline/fold"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

const (
	rate  = 250.0
	frame = 62 // samples: a quarter of a second
)

// ward plays what the stage beats would say of one patient, in steps of a
// second, and keeps what rhythm answers.
type ward struct {
	t       *testing.T
	fold    *fold.Partition[rhythm.State, *rhythm.State, *topics.Annotation, *topics.Chart]
	log     []topics.Record[*topics.Annotation] // everything, for the conformance suite
	key     string
	device  string
	boot    uint64
	next    uint64 // sample
	base    int64  // µs of sample 0
	ticks   uint64
	beatDue float64 // samples until the next beat; counts on through holes, as a heart does
	last    uint64  // sample of the last beat
	joined  bool    // an RR can be counted from last
	skipped int64   // offsets that were forgotten
	frames  int     // since the start, for periodic losses

	heart   float64 // /min; 0: stands still
	class   topics.BeatClass
	lost    func(n int) bool // frames that are lost
	gone    bool             // no samples at all
	noise   bool             // suspended
	late    bool
	seconds []*topics.Second
	charts  []*topics.Chart
}

func newWard(t *testing.T, key string) *ward {
	return &ward{
		t: t, key: key, device: "patch-1", boot: 1, base: 1_700_000_000_000_000, heart: 60, beatDue: 100, class: topics.BeatClass_BEAT_CLASS_N,
		fold: fold.New[rhythm.State, *rhythm.State](rhythm.Stage(), topics.Annotations, 0, 0),
	}
}

func (w *ward) at(sample uint64) int64 { return w.base + int64(float64(sample)*1e6/rate) }

func (w *ward) annotation(sample uint64) *topics.Annotation {
	return &topics.Annotation{Patient: w.key, Device: w.device, Boot: w.boot, Sample: sample, TimeUs: w.at(sample), Late: w.late}
}

// put folds an annotation and keeps what is said.
func (w *ward) put(a *topics.Annotation) {
	w.t.Helper()
	r := topics.Record[*topics.Annotation]{Key: topics.Key(a.GetPatient()), Offset: int64(len(w.log)) + w.skipped, Value: a}
	w.log = append(w.log, r)
	if err := w.fold.Fold(r); err != nil {
		w.t.Fatal(err)
	}
	said, bad := w.fold.Take()
	for _, b := range bad {
		w.t.Fatalf("condemned %v: %v", b.Record.Value, b.Err)
	}
	for _, s := range said {
		w.charts = append(w.charts, s.Value)
		if sec := s.Value.GetSecond(); sec != nil {
			w.seconds = append(w.seconds, sec)
		}
	}
	w.fold.Commit()
}

func (w *ward) tick() {
	w.t.Helper()
	w.ticks++
	w.put(topics.Annotations.Wrap(&topics.Tick{N: w.ticks, Owner: 1, ElapsedUs: 1e6}))
}

func (w *ward) binding(device string, bound bool) {
	w.t.Helper()
	w.put(&topics.Annotation{Patient: w.key, Device: device, TimeUs: w.at(w.next), Kind: &topics.Annotation_Binding{
		Binding: &topics.Binding{Device: device, Bound: bound, AtUs: w.at(w.next)},
	}})
}

func (w *ward) lead(name string, off, all bool) {
	w.t.Helper()
	a := w.annotation(w.next)
	a.Kind = &topics.Annotation_Lead{Lead: &topics.LeadState{Lead: name, Off: off, All: all}}
	w.put(a)
}

func (w *ward) gap(count uint64, cause topics.GapCause) {
	w.t.Helper()
	a := w.annotation(w.next)
	a.Kind = &topics.Annotation_Gap{Gap: &topics.Gap{Count: count, Cause: cause}}
	w.put(a)
	w.next += count
	w.joined = false
}

// play plays n seconds, each with its tick.
func (w *ward) play(n int) {
	w.t.Helper()
	for range n {
		for end := w.next + uint64(rate); w.next < end; {
			w.frame(min(frame, end-w.next))
		}
		w.tick()
	}
}

func (w *ward) frame(n uint64) {
	w.t.Helper()
	w.frames++
	beat, is := w.beatIn(n)
	if w.gone {
		w.next += n
		w.joined = false
		return
	}
	if w.lost != nil && w.lost(w.frames) {
		w.gap(n, topics.GapCause_GAP_CAUSE_MISSING)
		return
	}
	if is && !w.noise {
		a := w.annotation(beat)
		b := &topics.Beat{Class: w.class, Lead: "II"}
		if w.joined {
			b.RrMs = float64(beat-w.last) * 1000 / rate
		}
		a.Kind = &topics.Annotation_Beat{Beat: b}
		w.last, w.joined = beat, true
		w.put(a)
	}
	w.next += n
	a := w.annotation(w.next - 1)
	p := &topics.Progress{Complete: w.next, Rate: rate, Suspended: w.noise, Valid: uint32(n)}
	if w.noise {
		p.Valid, w.joined = 0, false
	}
	a.Kind = &topics.Annotation_Progress{Progress: p}
	w.put(a)
}

// beatIn is the sample of the heart's beat among the next n, seen or not.
func (w *ward) beatIn(n uint64) (uint64, bool) {
	if w.heart == 0 {
		w.beatDue = 0
		return 0, false
	}
	if w.beatDue >= float64(n) {
		w.beatDue -= float64(n)
		return 0, false
	}
	beat := w.next + uint64(w.beatDue)
	w.beatDue += 60/w.heart*rate - float64(n)
	return beat, true
}

func (w *ward) now() *topics.Second {
	w.t.Helper()
	if len(w.seconds) == 0 {
		w.t.Fatal("no second was said")
	}
	return w.seconds[len(w.seconds)-1]
}

// story prints the seconds, one a line: rate, time since the beat, since the sample.
func (w *ward) story() string {
	var b strings.Builder
	for i, s := range w.seconds {
		fmt.Fprintf(&b, "%2d  %s\n", i+1, line(s))
	}
	return b.String()
}

func line(s *topics.Second) string {
	hr, since := "---", "---"
	if s.Rate != nil {
		hr = fmt.Sprintf("%3.0f", s.GetRate())
	}
	if s.SinceBeatS != nil {
		since = fmt.Sprintf("%3.1f", s.GetSinceBeatS())
	}
	text := fmt.Sprintf("%s /min, beat %s s ago, sample %.0f s ago", hr, since, s.GetSinceSampleS())
	if s.GetSuspended() {
		text += ", suspended"
	}
	if s.GetLeadOff() {
		text += fmt.Sprintf(", leads off for %.0f s", s.GetLeadOffS())
	}
	return text
}
