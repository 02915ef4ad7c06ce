package rhythm

import (
	"heartwire/stages"
	"heartwire/topics"
)

// follower follows one rhythm through a patient's beats, and says its
// episodes. All that it remembers is its own; followers look at each other
// only through State.
type follower interface {
	// beat takes the next beat. One that has no interval to count from comes
	// after a stop.
	beat(v voice, b beat)
	// pass tells that every beat before the sample has been taken.
	pass(v voice, complete uint64)
	// stop ends what is open with its last beat, and joins nothing across. cut:
	// the end is not known (a gap, a lead that fell off), else the beats that
	// follow are known to be of something else, or not to be beats.
	stop(v voice, cut bool)

	append(e *stages.Encoder)
	decode(d *stages.Decoder)
}

// rhythms are those of a patient: what the waveform tells, and what beats tell.
type rhythms struct {
	vf        vf
	run       run
	bigeminy  bigeminy
	trigeminy trigeminy
	rOnT      rOnT
	svt       svt
	af        af
	dropped   dropped
	capture   capture
	hrv       variability
}

// list is every rhythm that is told by beats. The order is that in which they speak
// of one beat, and that of the state's encoding.
func (r *rhythms) list() [9]follower {
	return [...]follower{&r.run, &r.bigeminy, &r.trigeminy, &r.rOnT, &r.svt, &r.af, &r.dropped, &r.capture, &r.hrv}
}

// beat is a beat as followers see it.
type beat struct {
	class  topics.BeatClass
	sample uint64
	us     int64           // sample time
	ms     float64         // since the beat before; 0: there is none to count from
	fast   *topics.FastRun // what the last five look like together; nil: nobody has looked
}

func (b beat) ventricular() bool { return b.class == topics.BeatClass_BEAT_CLASS_V }

// voice is how a follower speaks, and what it may look at.
type voice struct {
	*State
	emit func(*topics.Chart)
}

// episode is a stretch of a rhythm, or of what may become one.
type episode struct {
	rhythm      topics.Rhythm // unspecified: nothing has been said of it
	onset, last uint64        // samples of its first and last beat
	onsetUs     int64
	lastUs      int64
	beats       uint32 // 0: there is none
}

func begun(b beat) episode {
	return episode{onset: b.sample, onsetUs: b.us, last: b.sample, lastUs: b.us, beats: 1}
}

// add takes a beat in. No record has so many that they could not be counted.
func (p *episode) add(b beat) {
	p.last, p.lastUs = b.sample, b.us
	p.beats++
}

// rate is the mean rate in beats /min; 0: unknown.
func (p *episode) rate() float64 {
	if p.beats < 2 || p.lastUs <= p.onsetUs {
		return 0
	}
	return float64(p.beats-1) * 60e6 / float64(p.lastUs-p.onsetUs)
}

// say says an episode that goes on.
func (v voice) say(p *episode) { v.emit(v.chartOf(p)) }

// end says that it has ended with its last beat, if anything was said of it,
// and forgets it.
func (v voice) end(p *episode, cut bool) {
	if p.rhythm != topics.Rhythm_RHYTHM_UNSPECIFIED {
		c := v.chartOf(p)
		e := c.GetEpisode()
		end := p.last
		e.End, e.EndUs, e.Cut = &end, p.lastUs, cut
		v.emit(c)
	}
	*p = episode{}
}

// once says what is over as it is known.
func (v voice) once(rhythm topics.Rhythm, p episode) {
	p.rhythm = rhythm
	v.end(&p, false)
}

func (v voice) chartOf(p *episode) *topics.Chart {
	return &topics.Chart{Patient: v.patient, TimeUs: v.now, Kind: &topics.Chart_Episode{Episode: &topics.Episode{
		Rhythm: p.rhythm, Device: v.device, Boot: v.boot,
		Onset: p.onset, OnsetUs: p.onsetUs, Beats: p.beats, Rate: p.rate(),
	}}}
}

// still reports that there has been no beat for so long that the heart is in
// no rhythm at all.
func (v voice) still(complete uint64) bool {
	return v.hasBeat && complete > v.beatAt+v.samples(standstill)
}

// samples is a time in s as samples of the device.
func (v voice) samples(s float64) uint64 { return uint64(s * v.rate) }

// us is a number of samples as µs; 0 before the rate is known.
func (v voice) us(samples uint64) int64 {
	if v.rate <= 0 {
		return 0
	}
	return int64(float64(samples) * 1e6 / v.rate)
}

// follow gives a beat to the rhythms. While the waveform is that of
// ventricular fibrillation, what looks like a beat is none.
func (v voice) follow(b beat) {
	if v.rhythms.vf.open() {
		return
	}
	for _, f := range v.rhythms.list() {
		f.beat(v, b)
	}
}

// pass tells the rhythms how far detection is complete.
func (v voice) pass(complete uint64) {
	v.rhythms.vf.pass(v)
	for _, f := range v.rhythms.list() {
		f.pass(v, complete)
	}
}

// quiet ends all that beats told; see follower.stop.
func (v voice) quiet(cut bool) {
	for _, f := range v.rhythms.list() {
		f.stop(v, cut)
	}
}

func (r *rhythms) append(e *stages.Encoder) {
	r.vf.append(e)
	for _, f := range r.list() {
		f.append(e)
	}
}

func (r *rhythms) decode(d *stages.Decoder) {
	r.vf.decode(d)
	for _, f := range r.list() {
		f.decode(d)
	}
}

func (p *episode) append(e *stages.Encoder) {
	e.Uint(uint64(p.beats))
	if p.beats == 0 {
		return
	}
	e.Uint(uint64(p.rhythm))
	e.Uint(p.onset)
	e.Int(p.onsetUs)
	e.Uint(p.last - p.onset)
	e.Int(p.lastUs - p.onsetUs)
}

func (p *episode) decode(d *stages.Decoder) {
	*p = episode{beats: uint32(d.Uint())}
	if p.beats == 0 {
		return
	}
	p.rhythm, p.onset, p.onsetUs = topics.Rhythm(d.Uint()), d.Uint(), d.Int()
	p.last, p.lastUs = p.onset+d.Uint(), p.onsetUs+d.Int()
}

func (b *beat) append(e *stages.Encoder) {
	e.Uint(uint64(b.class))
	e.Uint(b.sample)
	e.Int(b.us)
	e.Float(b.ms)
}

func (b *beat) decode(d *stages.Decoder) {
	*b = beat{class: topics.BeatClass(d.Uint()), sample: d.Uint(), us: d.Int(), ms: d.Float()}
}
