package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

// Runs of class V beats: couplet, V run, ventricular tachycardia, accelerated
// idioventricular rhythm.
//
// Tachycardia is faster than 100 /min (AHA/ACC/HRS 2017 guideline for ventricular
// arrhythmias, Circulation 138:e272), a run of it three beats or more; ALARMS
// calls it VT from five beats on, as bedside monitors do, and a V run below. Accelerated
// idioventricular rhythm is three beats or more at 50 to 100 /min; what is
// slower is escape, and told by the rate.
const (
	fastMS = 600.0  // 100 /min
	ivrMS  = 1200.0 // 50 /min
	// A rate about 100 /min is not two rhythms by turns: what has been called
	// fast is slow below 90 /min.
	stillFastMS = 60_000.0 / 90

	runBeats = 3
	vtBeats  = 5
	// In a VT one or two beats that are not of class V end nothing, where they
	// come in its rhythm: a capture or fusion beat, or one misread.
	strangers = 2
	inRhythm  = 1.5 // times the mean interval

	// What five beats look like together (topics.FastRun), where that was looked at.
	likely = 0.6 // from which they are VT, whatever their classes are; class V beats that look less so are a V run,
	sure   = 9   // until so many have come in a row: then classes alone decide, and within the 7 s of ALARMS at 100 /min, too
	stays  = 0.5 // to which a VT goes on
)

// run follows the class V beats that come in a row.
type run struct {
	open    episode // unspecified while it is too short to be called anything
	said    uint32  // beats, when it was said last
	ring    [vtBeats]instant
	strange uint32 // beats since the last of class V
	at      uint64 // sample of the last beat of any class in it
}

// instant is a place in time.
type instant struct {
	sample uint64
	us     int64
}

func (r *run) beat(v voice, b beat) {
	vt := r.open.rhythm == topics.Rhythm_RHYTHM_VT
	together := b.fast.GetVentricular()
	switch {
	case !vt && together >= likely && b.fast.GetRrMs() < fastMS && b.ms > 0 && !v.rhythms.vf.nears():
		r.seize(v, b)
		return
	case !b.ventricular() && !(vt && together >= stays):
		if r.open.rhythm == topics.Rhythm_RHYTHM_VT && r.strange < strangers && b.ms <= inRhythm*r.mean() {
			r.strange++
			r.note(b)
			return
		}
		r.end(v, false)
		return
	case r.open.beats > 0 && b.ms <= ivrMS && b.ms > 0:
		r.open.beats += r.strange
		r.open.add(b)
	default:
		r.end(v, false)
		r.open = begun(b)
	}
	r.strange = 0
	r.note(b)
	if r.open.rhythm == topics.Rhythm_RHYTHM_UNSPECIFIED && v.rhythms.vf.nears() {
		return // it will be said, or is over before the run ends
	}
	r.judge(v, b.fast == nil || together >= likely)
}

// seize makes a VT of five beats that look like one, though some are not of
// class V, or the other lead has them. A run that has been said becomes it.
func (r *run) seize(v voice, b beat) {
	defer func() { r.at, r.strange, r.said = b.sample, 0, r.open.beats; v.say(&r.open) }()
	if r.open.rhythm != topics.Rhythm_RHYTHM_UNSPECIFIED {
		r.open.add(b)
		r.note(b)
		r.turn(v, topics.Rhythm_RHYTHM_VT)
		return
	}
	onset := min(b.fast.GetOnset(), b.sample)
	r.open = episode{
		rhythm: topics.Rhythm_RHYTHM_VT, beats: vtBeats,
		onset: onset, onsetUs: b.us - v.us(b.sample-onset), last: b.sample, lastUs: b.us,
	}
	for i := range r.ring { // as if they were even: those of the other lead are not known here
		back := b.fast.GetRrMs() * float64(vtBeats-1-i)
		r.ring[i] = instant{b.sample - min(v.samples(back/1000), b.sample), b.us - int64(back*1000)}
	}
}

// note keeps the place of a beat in it, whatever its class.
func (r *run) note(b beat) {
	r.at = b.sample
	copy(r.ring[:], r.ring[1:])
	r.ring[vtBeats-1] = instant{b.sample, b.us}
}

// mean is the mean interval of the last beats, five at most, in ms.
func (r *run) mean() float64 {
	n := min(int(r.open.beats), vtBeats)
	if n < 2 {
		return 0
	}
	return float64(r.ring[vtBeats-1].us-r.ring[vtBeats-n].us) / 1000 / float64(n-1)
}

// judge says what the run is, when that is new, and how long, each time it has
// grown to double. tachycardia: it may be called one.
func (r *run) judge(v voice, tachycardia bool) {
	is, fast := r.open.rhythm, r.mean() < fastMS
	if is == topics.Rhythm_RHYTHM_VT {
		fast = r.mean() <= stillFastMS
	}
	switch {
	case r.open.beats < runBeats:
		return
	case is == topics.Rhythm_RHYTHM_V_RUN && r.open.beats < vtBeats:
	case fast && r.open.beats >= vtBeats && (tachycardia || is == topics.Rhythm_RHYTHM_VT || r.open.beats >= sure):
		is = topics.Rhythm_RHYTHM_VT
	case fast && is == topics.Rhythm_RHYTHM_UNSPECIFIED:
		is = topics.Rhythm_RHYTHM_V_RUN
	case !fast:
		is = topics.Rhythm_RHYTHM_IDIOVENTRICULAR
	}
	switch {
	case is != r.open.rhythm:
		r.turn(v, is)
	case r.open.beats >= 2*r.said:
	default:
		return
	}
	r.said = r.open.beats
	v.say(&r.open)
}

// turn makes it another rhythm. What has been slow for long and becomes fast,
// or the other way round, is two episodes: the second begins with the first of
// the five beats by which it was known.
func (r *run) turn(v voice, is topics.Rhythm) {
	first := r.ring[0]
	if r.open.beats > vtBeats && r.open.rhythm != topics.Rhythm_RHYTHM_UNSPECIFIED {
		last := instant{r.open.last, r.open.lastUs}
		r.open.last, r.open.lastUs = first.sample, first.us
		r.open.beats -= vtBeats - 1
		v.end(&r.open, false)
		r.open = episode{onset: first.sample, onsetUs: first.us, last: last.sample, lastUs: last.us, beats: vtBeats}
	}
	r.open.rhythm = is
}

// end ends the run with its last beat of class V.
func (r *run) end(v voice, cut bool) {
	if r.open.rhythm == topics.Rhythm_RHYTHM_UNSPECIFIED && !v.rhythms.vf.open() {
		r.judge(v, true) // which waited for fibrillation
	}
	if r.open.beats == 2 && !cut && !v.rhythms.vf.on {
		v.once(topics.Rhythm_RHYTHM_COUPLET, r.open)
	}
	v.end(&r.open, cut)
	*r = run{}
}

func (r *run) pass(v voice, complete uint64) {
	if r.open.beats > 0 && complete > r.at+v.samples(ivrMS/1000) {
		r.end(v, false)
	}
}

func (r *run) stop(v voice, cut bool) { r.end(v, cut) }

func (r *run) append(e *stages.Encoder) {
	r.open.append(e)
	if r.open.beats == 0 {
		return
	}
	e.Uint(uint64(r.said))
	e.Uint(uint64(r.strange))
	e.Uint(r.at)
	for _, m := range r.ring {
		e.Uint(m.sample)
		e.Int(m.us)
	}
}

func (r *run) decode(d *stages.Decoder) {
	*r = run{}
	if r.open.decode(d); r.open.beats == 0 {
		return
	}
	r.said, r.strange, r.at = uint32(d.Uint()), uint32(d.Uint()), d.Uint()
	for i := range r.ring {
		r.ring[i] = instant{d.Uint(), d.Int()}
	}
}
