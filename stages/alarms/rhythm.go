package alarms

import (
	"fmt"
	"math"
	"time"

	"heartwire/stages"
	"heartwire/topics"
)

const (
	// Rhythms that come and go by the minute are one alarm.
	calmEctopy = 30 * time.Second
	calmAF     = time.Minute
	// After an episode was cut, by a gap or a lead that fell off, the heart must
	// have been seen for as long as it takes to find the rhythm again, before
	// that it is not found means that it is over.
	settled   = 10 * time.Second
	settledAF = 75 * time.Second // AF is decided within 60 s

	sustained = 30 * time.Second // VT: AHA/ACC/HRS 2017 guideline for ventricular arrhythmias
)

const rhythms = int(topics.Rhythm_RHYTHM_NO_CAPTURE) + 1

// heard is the newest episode of a rhythm.
type heard struct {
	open    bool
	cut     bool          // it ended where nothing more could be seen
	seen    time.Duration // for which the heart has been seen since it was cut
	onsetUs int64
	endUs   int64 // 0 while it is open
	beats   uint32
	rate    float64
}

// Families of rhythms of which one becomes another, with the same onset.
var families = [...][]topics.Rhythm{
	{topics.Rhythm_RHYTHM_V_RUN, topics.Rhythm_RHYTHM_VT, topics.Rhythm_RHYTHM_IDIOVENTRICULAR},
	{topics.Rhythm_RHYTHM_VF, topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER},
}

// episode takes what rhythm says of one, and judges at once: a VF must not wait
// for the second to end. The rest of what is known is that of the last Second.
func (s *State) episode(r *topics.Record[*topics.Chart], e *topics.Episode, emit func(*topics.Alarm)) error {
	is := e.GetRhythm()
	if is <= topics.Rhythm_RHYTHM_UNSPECIFIED || int(is) >= rhythms {
		return fmt.Errorf("an episode of rhythm %d: this version knows 1 to %d", is, rhythms-1)
	}
	if rate := e.GetRate(); !(rate >= 0 && rate <= 1e4) {
		return fmt.Errorf("an episode at a rate of %v /min", rate)
	}
	for _, f := range families {
		for _, other := range f {
			if h := &s.heard[other]; includes(f, is) && other != is && h.open && h.onsetUs == e.GetOnsetUs() {
				*h = heard{onsetUs: h.onsetUs, endUs: max(s.now, h.onsetUs), beats: h.beats, rate: h.rate}
			}
		}
	}
	s.heard[is] = heard{
		open: e.End == nil, cut: e.GetCut(), onsetUs: e.GetOnsetUs(), endUs: e.GetEndUs(), beats: e.GetBeats(), rate: e.GetRate(),
	}
	sec := &topics.Second{Lead: s.leadName, Quality: s.quality}
	for i := range rules {
		if includes(rules[i].of, is) && !(rules[i].whole && e.End == nil) {
			s.put(i, r, &event{second: sec, nowUs: s.now, verdict: over}, emit)
		}
	}
	return nil
}

func includes(list []topics.Rhythm, r topics.Rhythm) bool {
	for _, x := range list {
		if x == r {
			return true
		}
	}
	return false
}

// rhythm is what this second says about a rule on rhythms.
func (s *State) rhythm(r *rule) verdict {
	v := clear
	for _, is := range r.of {
		switch h := &s.heard[is]; {
		case h.open && !r.whole:
			return over
		case h.cut && h.seen < r.settled():
			v = unknown
		}
	}
	return v
}

// latest is the newest episode of a rule's rhythms.
func (s *State) latest(r *rule) (topics.Rhythm, *heard) {
	is := r.of[0]
	for _, x := range r.of {
		if a, b := &s.heard[x], &s.heard[is]; a.open && !b.open || a.open == b.open && a.onsetUs > b.onsetUs {
			is = x
		}
	}
	return is, &s.heard[is]
}

// settled is how long a heart must be seen to be out of the rhythm.
func (r *rule) settled() time.Duration {
	if includes(r.of, topics.Rhythm_RHYTHM_AF) {
		return settledAF
	}
	return settled
}

// watch counts the time for which the heart is seen after an episode was cut.
func (s *State) watch(sec *topics.Second) {
	if !live(sec) || sec.Rate == nil {
		return
	}
	for i := range s.heard {
		if h := &s.heard[i]; h.cut && h.seen < settledAF {
			h.seen += time.Second // a Second is said each
		}
	}
}

// cutAll is for when it is not known what has been missed.
func (s *State) cutAll() {
	for i := range s.heard {
		if h := &s.heard[i]; h.open {
			h.open, h.cut, h.endUs = false, true, max(s.now, h.onsetUs)
		}
	}
}

// fastAF judges the rate while the atria fibrillate. When they do no more, the
// rate is for the rules on rates.
func (s *State) fastAF(sec *topics.Second, l *limit, open bool) verdict {
	af := s.rhythm(&rules[ruleAF])
	if af != over {
		return af
	}
	return rules[ruleAFFast].verdict(sec, l, open)
}

// explained reports that the class V beats of the last minute may be those of a
// rhythm that has been told, or is.
func (s *State) explained() bool {
	for _, is := range [...]topics.Rhythm{
		topics.Rhythm_RHYTHM_VT, topics.Rhythm_RHYTHM_IDIOVENTRICULAR, topics.Rhythm_RHYTHM_BIGEMINY, topics.Rhythm_RHYTHM_TRIGEMINY,
		topics.Rhythm_RHYTHM_VF, topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER,
	} {
		if h := &s.heard[is]; h.open || h.endUs > 0 && s.now-h.endUs < time.Minute.Microseconds() {
			return true
		}
	}
	return false
}

// longest is the longest RR interval that ended in this second, in s as it is
// shown. One that has not ended yet becomes a pause or an asystole.
func longest(s *topics.Second) (float64, bool) {
	ms := 0.0
	for _, rr := range s.GetRr() {
		ms = max(ms, rr.GetMs())
	}
	return math.Floor(ms/100) / 10, len(s.GetRr()) > 0 || live(s)
}

func pauseBegan(nowUs int64, s *topics.Second) int64 {
	at, ms := nowUs, 0.0
	for _, rr := range s.GetRr() {
		if rr.GetMs() > ms {
			at, ms = rr.GetTimeUs(), rr.GetMs()
		}
	}
	return at - int64(ms*1000)
}

func pvcs(s *topics.Second) (float64, bool) { return float64(s.GetVPerMinute()), live(s) }

// What is told of an episode: how many beats it has, its rate, how long it has
// lasted, the interval that it is.
func beats(_ int64, h *heard) float64       { return float64(h.beats) }
func perMinute(_ int64, h *heard) float64   { return math.Round(h.rate) }
func seconds(nowUs int64, h *heard) float64 { return math.Floor(h.lasted(nowUs).Seconds()) }
func tenths(nowUs int64, h *heard) float64  { return math.Floor(h.lasted(nowUs).Seconds()*10) / 10 }
func millis(nowUs int64, h *heard) float64  { return math.Round(h.lasted(nowUs).Seconds() * 1000) }

// lasted is how long it has been so far.
func (h *heard) lasted(nowUs int64) time.Duration {
	if !h.open {
		nowUs = h.endUs
	}
	return time.Duration(max(nowUs-h.onsetUs, 0)) * time.Microsecond
}

// detail is what an alarm on a rhythm tells beside its value.
type detail struct {
	rhythm    topics.Rhythm
	rate      float64
	sustained bool
}

func (s *State) detail(r *rule) detail {
	if len(r.of) == 0 {
		return detail{}
	}
	is, h := s.latest(r)
	d := detail{rhythm: is, rate: math.Round(h.rate)}
	if is == topics.Rhythm_RHYTHM_VT {
		d.sustained = h.lasted(s.now) >= sustained
	}
	return d
}

// changed reports what must be said at once.
func (d detail) changed(from detail) bool {
	return d.rhythm != from.rhythm || d.sustained && !from.sustained
}

// tell is the text of an alarm on a rhythm: VT 7 beats, 180 /min.
func (d detail) tell(r *rule, value float64) string {
	words := r.words
	switch {
	case d.rhythm == topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER:
		words = "V FLUTTER"
	case d.sustained:
		words = "SUSTAINED " + words
	}
	if value == 0 && r.suffix == inBeats {
		return words // it is told by its waveform, in which no beats can be counted
	}
	text := fmt.Sprintf("%s %.*f%s", words, r.places, value, r.suffix)
	if d.rate > 0 && r.suffix == inBeats {
		text += fmt.Sprintf(", %.0f /min", d.rate)
	}
	return text
}

func (d *detail) append(e *stages.Encoder) {
	e.Uint(uint64(d.rhythm))
	e.Float(d.rate)
	e.Bool(d.sustained)
}

func (d *detail) decode(dec *stages.Decoder) {
	*d = detail{topics.Rhythm(dec.Uint()), dec.Float(), dec.Bool()}
}

// appendHeard writes the rhythms of which there has been an episode.
func (s *State) appendHeard(e *stages.Encoder) {
	n := 0
	for i := range s.heard {
		if s.heard[i] != (heard{}) {
			n++
		}
	}
	e.Uint(uint64(n))
	for i := range s.heard {
		if h := &s.heard[i]; *h != (heard{}) {
			e.Uint(uint64(i))
			e.Bool(h.open)
			e.Bool(h.cut)
			e.Int(int64(h.seen))
			e.Int(h.onsetUs)
			e.Int(h.endUs)
			e.Uint(uint64(h.beats))
			e.Float(h.rate)
		}
	}
}

func (s *State) decodeHeard(d *stages.Decoder) {
	last := -1
	for n := d.Len(8); n > 0; n-- {
		i := int(d.Uint())
		if i <= last || i >= rhythms {
			d.Fail("an episode of rhythm %d", i)
			return
		}
		s.heard[i] = heard{d.Bool(), d.Bool(), time.Duration(d.Int()), d.Int(), d.Int(), uint32(d.Uint()), d.Float()}
		last = i
	}
}
