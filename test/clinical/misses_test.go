//go:build real

package clinical

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"heartwire/stages/ec57"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// miss is a stretch of a recording in which what was said is not what the
// reference says.
type miss struct {
	*pass
	middle float64 // s
	weight float64 // how bad it is
	kind   string
	what   string // in words
}

// What a miss weighs. A lethal rhythm comes before any number of beats, and
// what is not said before what is said for nothing.
const (
	weightAlarmMissed = 100.0
	weightWaveMissed  = 50.0 // and 1 a second
	weightAlarmFalse  = 30.0
	weightWaveFalse   = 20.0 // and 1 a second
	weightV           = 3.0  // a ventricular beat that is not found, or not for what it is
	weightBeat        = 2.0  // another beat that is not found, one that is none, or one that is taken for ventricular
)

const (
	strip     = 10.0 // s that are shown of a miss
	perRecord = 2    // misses of one recording, so that the report is not about one patient
	perKind   = 3    // and of one kind
)

// worst are the n worst misses of all recordings whose signals are there.
func worst(t testing.TB, n int) []miss {
	var all []miss
	for _, p := range sets.alarms(t) {
		all = append(all, p.wrongAlarm()...)
	}
	for _, p := range sets.vfdb(t) {
		all = append(all, p.wrongWaves()...)
	}
	for _, p := range sets.mitdb(t) {
		all = append(all, p.wrongBeats()...)
	}
	slices.SortStableFunc(all, func(a, b miss) int { return cmp.Compare(b.weight, a.weight) })
	var list []miss
	kinds, records := make(map[string]int), make(map[string]int)
	// Where the bounds leave too few, they give way, that of the kinds first.
	for _, bound := range []struct{ kind, record int }{{perKind, perRecord}, {n, perRecord}, {n, n}} {
		all = slices.DeleteFunc(all, func(m miss) bool {
			take := len(list) < n && kinds[m.kind] < bound.kind && records[m.path] < bound.record
			if take {
				list = append(list, m)
				kinds[m.kind]++
				records[m.path]++
			}
			return take
		})
	}
	slices.SortStableFunc(list, func(a, b miss) int { return cmp.Compare(b.weight, a.weight) })
	return list
}

func (p *pass) wrongAlarm() []miss {
	m := miss{pass: p, middle: alarmTo - strip/2}
	switch kept := p.kept(); {
	case p.truth && !kept:
		m.weight, m.kind, m.what = weightAlarmMissed, "alarm missed", "the bedside monitor's VT alarm at 5:00 is true and is not kept: Heartwire says "+strings.Join(p.named(p.test, alarmFrom, alarmTo), " ")
	case !p.truth && kept:
		m.weight, m.kind, m.what = weightAlarmFalse, "alarm false", "the bedside monitor's VT alarm at 5:00 is false and is kept"
		for _, s := range p.onsets {
			if s >= alarmFrom && s <= alarmTo {
				m.middle = s + strip/2 - 2
			}
		}
	default:
		return nil
	}
	return []miss{m}
}

// wrongWaves are stretches in which all windows of 8 s are judged wrongly.
func (p *pass) wrongWaves() (list []miss) {
	o := p.options(0)
	length := 8 * time.Second
	var run miss
	var begin, last float64
	finish := func() {
		if run.kind != "" {
			wrong := last - begin + length.Seconds()
			run.middle, run.weight = (begin+last+length.Seconds())/2, run.weight+wrong
			run.what = fmt.Sprintf("%.0f s of %s: the reference has %s, Heartwire says %s", wrong, run.what,
				strings.Join(p.named(p.ref, begin, last+length.Seconds()), " "), strings.Join(p.named(p.test, begin, last+length.Seconds()), " "))
			list = append(list, run)
		}
		run = miss{}
	}
	for from := time.Duration(0); ; from += time.Second {
		o.Start = int64(from.Seconds() * p.rate)
		o.End = o.Start + int64(length.Seconds()*p.rate)
		if o.End > p.length {
			finish()
			return list
		}
		r := ec57.Windows(p.ref, p.test, o)
		m := miss{pass: p}
		switch {
		case r.FN > 0:
			m.weight, m.kind, m.what = weightWaveMissed, "VF or VT missed", "ventricular fibrillation, flutter or tachycardia that are not told"
		case r.FP > 0:
			m.weight, m.kind, m.what = weightWaveFalse, "VF or VT false", "another rhythm that are taken for ventricular fibrillation, flutter or tachycardia"
		}
		if m.kind != run.kind {
			finish()
			run, begin = m, from.Seconds()
		}
		last = from.Seconds()
	}
}

// named are the rhythms that annotations name between two times in s, each once.
func (p *pass) named(list []wfdb.Annotation, from, to float64) (names []string) {
	before := ""
	for _, a := range list {
		at := float64(a.Sample) / p.rate
		switch {
		case a.Code != wfdb.Rhythm || at >= to:
		case at <= from:
			before = a.Aux
		case !slices.Contains(names, a.Aux):
			names = append(names, a.Aux)
		}
	}
	if before != "" && !slices.Contains(names, before) {
		names = slices.Insert(names, 0, before)
	}
	return names
}

// wrongBeats are strips with beats that are not found, are none, or are of
// another class as far as ventricular beats go.
func (p *pass) wrongBeats() (list []miss) {
	strips := make(map[int]map[string]int)
	for _, e := range p.beatErrors() {
		k := int(float64(e.sample) / p.rate / strip)
		if strips[k] == nil {
			strips[k] = make(map[string]int)
		}
		strips[k][e.what]++
	}
	for k, counts := range strips {
		m := miss{pass: p, middle: (float64(k) + 0.5) * strip, kind: "beats"}
		var words []string
		for _, what := range beatErrors {
			if n := counts[what.name]; n > 0 {
				words = append(words, fmt.Sprintf("%d %s", n, what.name))
				m.weight += float64(n) * what.weight
			}
		}
		m.what = strings.Join(words, ", ")
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b miss) int { return cmp.Compare(a.middle, b.middle) })
	return list
}

var beatErrors = []struct {
	name   string
	weight float64
}{
	{"V not found", weightV}, {"V taken for another class", weightV}, {"not found", weightBeat},
	{"no beat, but said to be one", weightBeat}, {"taken for V", weightBeat},
}

type beatError struct {
	sample int64
	what   string
	said   int64 // the sample of the beat that was said for it, or the same
}

// beatErrors compares beats as EC57 does, in short: the nearest within 150 ms
// match. Beats in reference fibrillation and of class F and Q are passed over.
func (p *pass) beatErrors() (list []beatError) {
	window := int64(0.15 * p.rate)
	var ref, test []wfdb.Annotation
	off := p.fibrillating()
	for _, a := range p.ref {
		if _, ok := a.Code.Class(); ok {
			ref = append(ref, a)
		}
	}
	for _, a := range p.test {
		if _, ok := a.Code.Class(); ok {
			test = append(test, a)
		}
	}
	taken := make([]bool, len(test))
	j := 0
	for _, r := range ref {
		for j < len(test) && test[j].Sample < r.Sample-window {
			j++
		}
		best := -1
		for k := j; k < len(test) && test[k].Sample <= r.Sample+window; k++ {
			if !taken[k] && (best < 0 || distance(test[k], r) < distance(test[best], r)) {
				best = k
			}
		}
		class, _ := r.Code.Class()
		isV := class == topics.BeatClass_BEAT_CLASS_V
		switch {
		case best < 0 && isV:
			list = append(list, beatError{r.Sample, "V not found", r.Sample})
		case best < 0:
			list = append(list, beatError{r.Sample, "not found", r.Sample})
		case isV && test[best].Code != wfdb.PVC:
			list = append(list, beatError{r.Sample, "V taken for another class", test[best].Sample})
		case test[best].Code == wfdb.PVC && (class == topics.BeatClass_BEAT_CLASS_N || class == topics.BeatClass_BEAT_CLASS_S):
			list = append(list, beatError{r.Sample, "taken for V", test[best].Sample})
		}
		if best >= 0 {
			taken[best] = true
		}
	}
	for k, a := range test {
		if !taken[k] && !off(a.Sample) {
			list = append(list, beatError{a.Sample, "no beat, but said to be one", a.Sample})
		}
	}
	return list
}

func distance(a, b wfdb.Annotation) int64 { return max(a.Sample-b.Sample, b.Sample-a.Sample) }

// fibrillating asks whether the reference has fibrillation at a sample.
func (p *pass) fibrillating() func(int64) bool {
	var spans [][2]int64
	for _, a := range p.ref {
		switch {
		case a.Code == wfdb.VFOn:
			spans = append(spans, [2]int64{a.Sample, p.length})
		case a.Code == wfdb.VFOff && len(spans) > 0:
			spans[len(spans)-1][1] = a.Sample
		}
	}
	return func(n int64) bool {
		return slices.ContainsFunc(spans, func(s [2]int64) bool { return n >= s[0] && n <= s[1] })
	}
}
