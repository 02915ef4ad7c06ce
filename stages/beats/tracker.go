package beats

import "heartwire/topics"

// tracker finds the beats of one lead in a run of samples without a gap.
type tracker struct {
	lead int    // which one; -1: none
	base uint64 // device sample of the resampler's first
	rs   resampler
	qrs  detector
	y    float32 // the last sample at internalRate
}

func newTracker() tracker {
	return tracker{lead: -1, qrs: detector{band: newBand()}}
}

// restart begins with the device's sample at base.
func (t *tracker) restart(k *kernel, base uint64) {
	t.base, t.y = base, 0
	t.rs.reset(k)
	t.qrs.restart()
}

// push takes one sample in mV.
func (t *tracker) push(v float32) {
	t.rs.push(v)
	for {
		y, ok := t.rs.pull()
		if !ok {
			return
		}
		t.y = y
		t.qrs.push(y)
	}
}

// sample is the device's sample nearest to one at internalRate.
func (t *tracker) sample(at uint64) uint64 {
	return t.base + uint64(float64(at)*t.rs.k.rate/internalRate+0.5)
}

// take hands over the beats found since the last take.
func (t *tracker) take() []peak {
	f := t.qrs.found
	t.qrs.found = f[:0]
	return f
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
