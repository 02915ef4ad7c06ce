package beats

import (
	"slices"

	"heartwire/topics"
)

// tracker finds the beats of one lead in a run of samples without a gap.
type tracker struct {
	lead int    // which one; -1: none
	base uint64 // device sample of the resampler's first
	rs   resampler
	qrs  detector
	read reader
	wave waveform
	y    float32 // the last sample at internalRate

	drowned bool // in noise: it only listens for fibrillation
}

func newTracker() tracker {
	return tracker{lead: -1, read: reader{models: standard}}
}

// restart begins with the device's sample at base.
func (t *tracker) restart(k *kernel, base uint64) {
	t.base, t.y = base, 0
	t.rs.reset(k)
	t.qrs.restart()
	t.read.restart()
	t.wave.restart()
}

// take takes up to chunk samples in mV.
func (t *tracker) take(v []float32) {
	y := t.rs.take(v)
	t.wave.take(y, t.rs.out-uint64(len(y)))
	t.follow(y)
}

// follow looks for beats in samples of internalRate, which it overwrites.
func (t *tracker) follow(y []float32) {
	if len(y) > 0 {
		t.y = y[len(y)-1]
	}
	for len(y) > 0 {
		n := min(len(y), ahead)
		t.qrs.band.take(y[:n])
		for _, e := range y[:n] {
			t.qrs.push(e)
			switch {
			case t.read.sleeps(&t.qrs):
			case t.drowned:
				t.qrs.seen, t.qrs.found = t.qrs.seen[:0], t.qrs.found[:0]
			default:
				t.read.push(&t.qrs)
			}
		}
		y = y[n:]
	}
}

// finish ends a signal: its last samples are decided as if the last one went on.
func (t *tracker) finish() {
	n := t.qrs.n
	if n == 0 {
		return
	}
	var still [flush]float32
	for i := range still {
		still[i] = t.y
	}
	t.follow(still[:])
	t.read.finish(&t.qrs)
	t.read.ready = slices.DeleteFunc(t.read.ready, func(b beat) bool { return b.r >= n })
}

// progress says before which sample of internalRate every beat is ready, and
// the newest candidate that is not decided or ready, if there is one.
func (t *tracker) progress() (complete, candidate uint64, undecided bool) {
	complete, candidate, undecided = t.qrs.progress()
	for _, b := range t.read.ready { // it waits for the other lead
		complete = min(complete, b.r-min(b.r, peakSpan))
		if !undecided || b.r > candidate {
			candidate, undecided = b.r, true
		}
	}
	for _, c := range t.read.list {
		if c.verdict == refused || c.verdict == open && c.measured {
			continue // what the detector may yet search back, it has told
		}
		if complete = min(complete, c.r-min(c.r, peakSpan)); (c.rule || c.verdict == accepted) && (!undecided || c.r > candidate) {
			candidate, undecided = c.r, true
		}
	}
	return complete, candidate, undecided
}

// doubt is how much a lead looks like noise rather than beats: above 1 what is
// found is not to be trusted. It asks what the crest factor of a lead (quality.go)
// asks of its signal of the beats themselves, and all three must agree:
// the slope goes on beside the complexes, the level changes across them, and
// the peaks between them are not much lower.
func (t *tracker) doubt() float64 {
	if !t.qrs.learned() || t.qrs.n-t.qrs.last.at > silentFrom {
		return 0
	}
	return float64(min(t.read.beside/doubtBeside, t.read.doubt(&t.qrs)))
}

// sample is the device's sample nearest to one at internalRate.
func (t *tracker) sample(at uint64) uint64 {
	return t.base + uint64(float64(at)*t.rs.k.rate/internalRate+0.5)
}

// lead is what is known of one lead of the device.
type lead struct {
	name    string
	gain    float64 // µV a count
	off     bool
	told    bool // off has been said
	quality quality

	said   float64 // the index that was said last
	usable bool    // as said last
	chosen bool    // analysed, as said last
}

// fit reports a lead that can be analysed.
func (l *lead) fit() bool { return !l.off && !l.quality.wild }

// worth orders leads for the choice; a lead that has not been seen for a
// second is worth a middling one.
func (l *lead) worth() float64 {
	if l.quality.blocks == 0 {
		return 0.5
	}
	return l.quality.index
}

// preferred are the leads in which QRS complexes stand out, the best first.
var preferred = []string{"II", "MLII", "I", "V5", "V4", "V2", "V1"}

// bonus is so small that it only decides between equals.
func bonus(name string) float64 {
	for i, p := range preferred {
		if p == name {
			return 0.01 - 0.001*float64(i)
		}
	}
	return 0
}

func sameLayout(leads []lead, rate, other float64, of []*topics.Lead) bool {
	if rate != other || len(leads) != len(of) {
		return false
	}
	for i, l := range of {
		if leads[i].name != l.GetName() || leads[i].gain != l.GetMicrovoltsPerCount() {
			return false
		}
	}
	return true
}
