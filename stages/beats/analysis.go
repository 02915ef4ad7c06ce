package beats

import (
	"math"
	"slices"

	"heartwire/topics"
)

const (
	joinMS        = 150.0 // two leads' annotations of one beat: the matching window of AAMI EC57
	refractory    = 0.2   // s between two beats
	pacedWithin   = 0.15  // s after a pace pulse in which a beat is paced
	blankBefore   = 0.002 // s before and
	blankAfter    = 0.012 // after a pace pulse in which the signal is the pulse's (IEC 60601-2-27: pulses of 0.1 to 2 ms, with their overshoot)
	betterBy      = 0.3   // another lead must be so much better,
	betterFor     = 3     // for so many seconds, before it is chosen
	contrastSlack = 0.05  // by which its beats may stand out less from its other peaks
	silentFrom    = 432   // 2.4 s in samples of internalRate without a beat: before asystole is said, at 3 s at the earliest,
	silentBeats   = 2     // another lead that has shown so many intervals
	standsOut     = 0.5   // with beats so far above its noise is looked at
	sayStep       = 0.25  // the change of an index that is said
	pairWait      = 9     // samples of internalRate, 50 ms, for which a beat waits for its class from the other lead
	pulseKept     = 2.5   // s for which a pace pulse is kept
	maxPulses     = 256   // pace pulses taken from a frame, and kept; no pacemaker gives so many in 10 s
	shortest      = 0.020 // s: what lies between two gaps and is shorter belongs to them
)

// analysis is one unbroken life of a device: samples of one boot, rate and
// set of leads, in order.
type analysis struct {
	device string
	boot   uint64
	rate   float64
	late   bool
	leads  []lead

	next      uint64 // the first sample not yet folded or given up
	timeFirst uint64 // the sample that timeUs belongs to
	timeUs    int64

	chosen, spare tracker // the lead that is analysed, and another that has learned in case it fails
	better        int     // seconds for which the spare has been better
	doubted       bool    // no lead's beats can be trusted
	episode       episode // of the ventricles
	inRun         bool    // samples have come since the last gap
	lastBeat      uint64  // device sample, if hasBeat
	hasBeat       bool    // since the last gap
	said          uint64  // every beat before it has been said
	lastAny       uint64  // the last beat that was said, gap or not, if any
	hasAny        bool
	held          []float32 // the last value of each lead that no pace pulse covered
	pulses        []uint64  // pace pulses of the last seconds, in order

	kernel *kernel        // of rate
	walks  []walk         // used within fold
	mv     [chunk]float32 // used within walk
}

func newAnalysis(s *topics.Samples, first uint64, late bool) *analysis {
	a := &analysis{
		device: s.GetDevice(), boot: s.GetBoot(), rate: s.GetRate(), late: late,
		leads: make([]lead, len(s.GetLeads())), held: make([]float32, len(s.GetLeads())),
		next: first, said: first, chosen: newTracker(), spare: newTracker(),
	}
	for i, l := range s.GetLeads() {
		a.leads[i] = lead{name: l.GetName(), gain: l.GetMicrovoltsPerCount(), usable: true}
	}
	a.derive()
	return a
}

// derive makes what follows from the rest.
func (a *analysis) derive() {
	a.kernel = newKernel(a.rate)
	a.walks = make([]walk, len(a.leads))
}

// at is the sample time of a sample.
func (a *analysis) at(sample uint64) int64 {
	return a.timeUs + int64(math.Round(float64(int64(sample-a.timeFirst))*1e6/a.rate))
}

func (a *analysis) say(v voice, sample uint64) *topics.Annotation {
	out := new(topics.Annotation)
	a.fill(out, v, sample)
	return out
}

func (a *analysis) fill(out *topics.Annotation, v voice, sample uint64) {
	out.Patient, out.Device, out.Boot, out.Sample, out.TimeUs, out.Late = v.patient, a.device, a.boot, sample, a.at(sample), a.late
}

// fold takes the samples from up to to of a frame; from is a.next.
func (a *analysis) fold(s *topics.Samples, from, to uint64, v voice) {
	a.timeFirst, a.timeUs = s.GetFirst(), s.GetTimeUs()
	a.electrodes(s, from, v)
	a.choose(from, v)
	for i := range a.walks {
		a.walks[i] = walk{}
	}
	valid := 0
	a.stretches(s, from, to, func(begin, end uint64) {
		if begin > a.next {
			a.gap(begin-a.next, topics.GapCause_GAP_CAUSE_MISSING, v)
		}
		a.stretch(s, begin, end, v)
		if !a.suspended() {
			valid += int(end - begin)
		}
	})
	if a.next < to {
		a.gap(to-a.next, topics.GapCause_GAP_CAUSE_MISSING, v)
	}
	a.forget()
	if !a.late {
		a.progress(uint32(valid), v)
	}
}

// stretches gives the stretches of from..to that are there.
func (a *analysis) stretches(s *topics.Samples, from, to uint64, do func(begin, end uint64)) {
	bits := s.GetMissing()
	if len(bits) == 0 {
		do(from, to)
		return
	}
	missing := func(n uint64) bool { i := n - s.GetFirst(); return bits[i/8]>>(i%8)&1 == 1 }
	for n := from; n < to; {
		if missing(n) {
			n++
			continue
		}
		begin := n
		for n < to && !missing(n) {
			n++
		}
		if float64(n-begin) >= shortest*a.rate || begin == from || n == to {
			do(begin, n)
		}
	}
}

// stretch takes samples that are there and follow each other.
func (a *analysis) stretch(s *topics.Samples, begin, end uint64, v voice) {
	if !a.inRun {
		clear(a.held) // no value from before is held
		a.chosen.restart(a.kernel, begin)
		a.spare.restart(a.kernel, begin)
		a.still(begin, v)
		a.inRun = true
	}
	a.pace(s, begin, end, v)
	for i := range a.leads {
		a.walk(s, i, begin, end)
	}
	a.next = end
	a.beats(false, v)
	a.watch(v)
}

// pace says the pace pulses among begin..end and keeps them.
func (a *analysis) pace(s *topics.Samples, begin, end uint64, v voice) {
	for _, p := range s.GetPacePulses()[:min(len(s.GetPacePulses()), maxPulses)] {
		n := s.GetFirst() + uint64(p)
		if n < begin || n >= end {
			continue
		}
		at, known := slices.BinarySearch(a.pulses, n)
		if known {
			continue
		}
		a.pulses = slices.Insert(a.pulses, at, n)
		out := a.say(v, n)
		out.Kind = &topics.Annotation_PacePulse{PacePulse: &topics.PacePulse{}}
		v.emit(out)
	}
}

// forget drops the pace pulses that no beat can follow any more.
func (a *analysis) forget() {
	old, _ := slices.BinarySearch(a.pulses, a.next-min(a.next, uint64(pulseKept*a.rate)))
	a.pulses = slices.Delete(a.pulses, 0, max(old, len(a.pulses)-maxPulses))
}

// beats says what the analysed lead's tracker has found. all says what waits
// for the other lead too.
func (a *analysis) beats(all bool, v voice) {
	c := &a.chosen
	if a.suspended() {
		c.read.ready, a.spare.read.ready = c.read.ready[:0], a.spare.read.ready[:0]
		return
	}
	done := 0
	for _, b := range c.read.ready {
		if !all && a.spare.lead >= 0 && c.qrs.now() < b.ready+pairWait+2 {
			break
		}
		done++
		n := min(c.sample(b.r), a.next-1)
		if n < a.said || a.hasAny && float64(n) < float64(a.lastAny)+refractory*a.rate {
			continue // it was said already, from another lead
		}
		a.sayBeat(n, b, v)
	}
	c.read.ready = slices.Delete(c.read.ready, 0, done)
	passed := 0
	for _, b := range a.spare.read.ready {
		if float64(a.spare.sample(b.r))+joinMS*a.rate/1000 < float64(a.said) || len(a.spare.read.ready)-passed > maxOpen {
			passed++
		}
	}
	a.spare.read.ready = slices.Delete(a.spare.read.ready, 0, passed)
	a.forgetMarks()
}

func (a *analysis) sayBeat(n uint64, of beat, v voice) {
	said := new(struct { // allocated at once
		out  topics.Annotation
		kind topics.Annotation_Beat
		beat topics.Beat
		run  topics.FastRun
	})
	o, b := a.fused(of, n), &said.beat
	b.Class, b.Lead, b.Ventricular, b.Run = o.class(), a.leads[a.chosen.lead].name, probability(o.v), &said.run
	if v.paced && a.followsPulse(n) {
		b.Class = topics.BeatClass_BEAT_CLASS_Q
	} else {
		a.fastRun(of, n, b.Run)
	}
	if a.hasBeat {
		b.RrMs = float64(n-a.lastBeat) * 1000 / a.rate
	}
	a.lastBeat, a.hasBeat = n, true
	a.lastAny, a.hasAny = n, true
	a.fill(&said.out, v, n)
	said.kind.Beat = b
	said.out.Kind = &said.kind
	v.emit(&said.out)
}

// fused is what both leads say of a beat, the one in which complexes stand out as a rule first. The other lead counts if it has
// found the same beat by the time at which it would be said in any case, so that the
// length of the frames does not matter.
func (a *analysis) fused(b beat, n uint64) odds {
	s := &a.spare
	if s.lead < 0 || a.worth(s.lead) < betterBy {
		return b.odds
	}
	for _, o := range s.read.ready {
		at := s.sample(o.r)
		if math.Abs(float64(at)-float64(n))*1000 <= joinMS*a.rate && s.sample(o.ready) <= a.chosen.sample(b.ready+pairWait) {
			if bonus(a.leads[s.lead].name) > bonus(a.leads[a.chosen.lead].name) {
				return o.odds.with(b.odds)
			}
			return b.odds.with(o.odds)
		}
	}
	return b.odds
}

// followsPulse reports a beat that a pace pulse precedes.
func (a *analysis) followsPulse(n uint64) bool {
	for _, p := range a.pulses {
		if n >= p && float64(n-p) <= pacedWithin*a.rate {
			return true
		}
	}
	return false
}

// finish ends what belongs together: beats that were waiting for more are said.
func (a *analysis) finish(v voice) {
	if !a.inRun {
		return
	}
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		if t.lead >= 0 {
			t.finish()
		}
	}
	a.beats(true, v)
	a.still(a.next, v)
	for i := range a.leads {
		a.leads[i].quality.interrupt()
	}
	a.inRun, a.hasBeat = false, false
	a.said = a.next
}

// gap states that count samples from a.next on are not there.
func (a *analysis) gap(count uint64, cause topics.GapCause, v voice) {
	a.finish(v)
	out := a.say(v, a.next)
	out.Kind = &topics.Annotation_Gap{Gap: &topics.Gap{
		Count: count, DurationUs: int64(math.Round(float64(count) * 1e6 / a.rate)), Cause: cause,
	}}
	v.emit(out)
	a.next += count
	a.said = a.next
}

// suspended reports that nothing can be said of beats.
func (a *analysis) suspended() bool { return a.chosen.lead < 0 || a.doubted }

// progress says how far detection has come.
func (a *analysis) progress(valid uint32, v voice) {
	said := new(struct { // it is said with each frame: allocated at once
		out       topics.Annotation
		kind      topics.Annotation_Progress
		progress  topics.Progress
		candidate uint64
	})
	p := &said.progress
	p.Complete, p.Rate, p.Suspended, p.Valid = a.next, a.rate, a.suspended(), valid
	if a.inRun && !a.suspended() {
		complete, candidate, undecided := a.chosen.progress()
		a.said = max(a.said, a.chosen.sample(complete))
		if undecided {
			said.candidate = a.chosen.sample(candidate)
			p.Candidate = &said.candidate
		}
		p.Complete = a.said
	}
	a.fill(&said.out, v, a.next-1)
	said.kind.Progress = p
	said.out.Kind = &said.kind
	v.emit(&said.out)
}
