// Package rhythm says each second what is known of a patient's heart: it folds
// annotations into the chart. It measures and never judges: its definitions
// are the same for every patient, and only the stage alarms knows a limit.
//
// It promises that
//
//   - each tick gives exactly one Second for each key that is in use;
//   - missing samples never look like a heart that stands still, and samples
//     that are missing now and then do not hide one that does (silence.go);
//   - nothing is averaged over a hole in which a beat may have been lost;
//   - what came too late, or came for a key that was left, changes nothing;
//   - that records were forgotten unread is said in the chart, as a gap of
//     that cause, whether the stage before lost them or this one.
package rhythm

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/topics"
)

// Name is the stage's name, and Version the version of its state's encoding.
const (
	Name    = "rhythm"
	Version = 2
)

const (
	// A key that is not in use is remembered for so long, so that what was
	// still under way is known for what it is.
	lingers = time.Minute
	// Samples this much newer than the end of a binding are no stragglers:
	// a patient is never unwatched while data come.
	stragglers = 10 * time.Second
	// A device that is bound to nobody and has been silent for so long is not
	// worn any more: nobody could ever end its "no data" otherwise.
	forsaken = time.Hour
	// From so long without a sample no rate is said: it would look like now.
	staleSample = 10 * time.Second

	maxDevices = 8
	maxLeads   = 12
	maxEnded   = 256 // RR intervals in a Second: 10 s of samples in one frame at 300 /min are 50
	maxV       = 512 // class V beats kept of a minute
)

// Stage is the stage. It is for any number of keys and goroutines: all that it
// remembers is in the State.
func Stage() stages.Stage[State, *topics.Annotation, *topics.Chart] {
	return stages.Stage[State, *topics.Annotation, *topics.Chart]{Name: Name, Version: Version, Processor: processor{}, Migrate: migrate}
}

type processor struct{}

// Process folds one annotation. An error says what about it cannot be.
func (processor) Process(s *State, r topics.Record[*topics.Annotation], emit func(*topics.Chart)) error {
	a := r.Value
	s.patient = string(r.Key)
	if b := a.GetBinding(); b != nil {
		s.binding(b, emit)
		return nil
	}
	if a.GetLate() || s.straggler(a) {
		return nil
	}
	v := voice{s, emit}
	switch k := a.GetKind().(type) {
	case *topics.Annotation_Beat:
		return v.beat(a, k.Beat)
	case *topics.Annotation_Progress:
		return v.progress(a, k.Progress)
	case *topics.Annotation_Gap:
		v.gap(a, k.Gap)
	case *topics.Annotation_Lead:
		v.life(a)
		v.leadState(a, k.Lead)
	case *topics.Annotation_Quality:
		v.life(a)
		s.qualityOf(k.Quality)
	case *topics.Annotation_DeviceState:
		s.deviceState(k.DeviceState)
	case *topics.Annotation_PacePulse:
		v.life(a)
		s.rhythms.capture.pulse(v, instant{a.GetSample(), a.GetTimeUs()})
	case *topics.Annotation_Fibrillation:
		v.life(a)
		s.rhythms.vf.waveform(v, k.Fibrillation, instant{a.GetSample(), a.GetTimeUs()})
	default:
		return fmt.Errorf("an annotation of no kind that this version knows")
	}
	return nil
}

// Overtaken forgets what may have changed in what was not read, and says so.
// Numbers that are still known of the device, such as its battery, stay.
func (processor) Overtaken(s *State, _ int64, emit func(*topics.Chart)) error {
	voice{s, emit}.overtaken()
	return nil
}

// Advance says the second that has passed.
func (processor) Advance(s *State, t *topics.Tick, emit func(*topics.Chart)) error {
	if !s.live {
		s.away += t.Elapsed()
		return nil
	}
	if s.fresh {
		s.sinceSample = 0
	} else {
		s.sinceSample += t.Elapsed()
		s.now += t.Elapsed().Microseconds()
	}
	emit(s.second())
	s.ended, s.rebooted, s.fresh = s.ended[:0], false, false
	if s.unassigned() && s.sinceSample >= forsaken {
		s.leave(&topics.Binding{Device: s.device, AtUs: s.now}, emit)
	}
	return nil
}

func (s *State) unassigned() bool { return strings.HasPrefix(s.patient, "u-") }

// straggler reports what came for a key that was left.
func (s *State) straggler(a *topics.Annotation) bool {
	if s.left && a.GetTimeUs() > s.leftAt+stragglers.Microseconds() {
		s.left = false
	}
	return s.left
}

// binding passes a binding on. That a device leaves while another one stays is
// not said: in the chart, a binding that ends is a key that is left.
func (s *State) binding(b *topics.Binding, emit func(*topics.Chart)) {
	s.devices = slices.DeleteFunc(s.devices, func(d string) bool { return d == b.GetDevice() })
	if !b.GetBound() {
		if len(s.devices) == 0 && (s.device == "" || s.device == b.GetDevice()) {
			s.leave(b, emit)
		}
		return
	}
	if len(s.devices) == maxDevices {
		s.devices = slices.Delete(s.devices, 0, 1)
	}
	s.devices = append(s.devices, strings.Clone(b.GetDevice()))
	s.left, s.away = false, 0
	s.unpaced = !b.GetPaced() && !s.unassigned()
	s.now = max(s.now, b.GetAtUs())
	if !s.unassigned() {
		// From now on its silence counts. A device that is bound to nobody
		// is not waited for before its first sample: it may lie in a drawer.
		s.live = true
	}
	s.sayBinding(b, b.GetBound(), emit)
}

// leave ends everything about the key.
func (s *State) leave(b *topics.Binding, emit func(*topics.Chart)) {
	s.now = max(s.now, b.GetAtUs())
	voice{s, emit}.begin()
	s.sayBinding(b, false, emit)
	*s = State{patient: s.patient, now: s.now, left: true, leftAt: s.now}
}

func (s *State) sayBinding(b *topics.Binding, bound bool, emit func(*topics.Chart)) {
	emit(&topics.Chart{Patient: s.patient, TimeUs: s.now, Kind: &topics.Chart_Binding{Binding: &topics.Binding{
		Device: b.GetDevice(), Bound: bound, AtUs: b.GetAtUs(), Other: b.GetOther(),
		Paced: b.GetPaced(), AgeGroup: b.GetAgeGroup(), Restated: b.GetRestated(),
	}}})
}

// life begins a new one when the samples are no longer numbered as before.
func (v voice) life(a *topics.Annotation) {
	if a.GetDevice() != v.device || a.GetBoot() != v.boot {
		v.begin()
		v.device, v.boot = strings.Clone(a.GetDevice()), a.GetBoot()
	}
}

// begin forgets what was known of the signal: nothing connects it with what comes.
func (v voice) begin() {
	v.rhythms.vf.over(v, true)
	v.quiet(true)
	v.has, v.hasBeat, v.suspended, v.behind = false, false, false, false
	v.silence = silence{holes: v.silence.holes[:0]}
	v.rr = v.rr[:0]
	v.leadsOff, v.allOff, v.lead, v.quality = v.leadsOff[:0], false, "", 0
}

func (v voice) beat(a *topics.Annotation, b *topics.Beat) error {
	ms := b.GetRrMs()
	if !(ms >= 0 && ms <= maxRR) {
		return fmt.Errorf("a beat with an RR interval of %v ms: want 0 to %d", ms, maxRR)
	}
	v.life(a)
	v.live = true
	v.silence.beat(a.GetSample())
	v.beatAt, v.hasBeat = a.GetSample(), true
	if b.GetClass() == topics.BeatClass_BEAT_CLASS_V {
		if len(v.v) == maxV {
			v.v = slices.Delete(v.v, 0, 1)
		}
		v.v = append(v.v, a.GetTimeUs())
	}
	if ms == 0 {
		v.quiet(true) // there was none to count from
	}
	v.follow(beat{b.GetClass(), a.GetSample(), a.GetTimeUs(), ms, b.GetRun()})
	if ms == 0 {
		return nil
	}
	v.addRR(ms)
	if len(v.ended) < maxEnded {
		v.ended = append(v.ended, interval{b.GetClass(), ms, a.GetSample(), a.GetTimeUs()})
	}
	return nil
}

func (v voice) progress(a *topics.Annotation, p *topics.Progress) error {
	if !(p.GetRate() > 0 && p.GetRate() <= 1e6) {
		return fmt.Errorf("progress at a rate of %v Hz: want more than 0", p.GetRate())
	}
	if a.GetSample() == math.MaxUint64 {
		return fmt.Errorf("progress to a sample that cannot be counted")
	}
	v.life(a)
	v.live = true
	if v.has && a.GetSample() < v.sample {
		return nil
	}
	v.rate = p.GetRate()
	run := uint64(p.GetValid())
	if v.has {
		run = a.GetSample() - v.sample
	}
	// A frame whose samples are all stated missing brought none.
	empty := v.silence.stated > 0 && v.silence.stated >= run
	if v.silence.run(a.GetSample(), run, uint64(p.GetValid()), v.rate) {
		v.rr = v.rr[:0]
	}
	v.silence.candidate = 0
	if p.Candidate != nil && p.GetCandidate() <= a.GetSample() {
		v.silence.candidate = p.GetCandidate() + 1
	}
	v.sample, v.sampleUs, v.has, v.fresh = a.GetSample(), a.GetTimeUs(), true, v.fresh || !empty
	v.suspended = p.GetSuspended()
	v.behind = a.GetSample() > p.GetComplete() && float64(a.GetSample()-p.GetComplete()) > undecided*v.rate
	v.now = max(v.now, a.GetTimeUs())
	if v.suspended {
		v.quiet(true)
	}
	v.pass(p.GetComplete())
	return nil
}

// gap cuts what may not be joined: everything where the numbering or the
// signal is another one, the averages where a beat may have been lost.
func (v voice) gap(a *topics.Annotation, g *topics.Gap) {
	switch {
	case g.GetCause() == topics.GapCause_GAP_CAUSE_OVERTAKEN:
		v.overtaken()
	case g.GetCause() != topics.GapCause_GAP_CAUSE_MISSING || g.GetCount() == 0:
		v.begin()
	case v.has && v.rate > 0 && a.GetDevice() == v.device && a.GetBoot() == v.boot:
		if v.silence.hole(a.GetSample(), g.GetCount(), v.rate) {
			v.rr = v.rr[:0]
		}
		v.silence.stated += min(g.GetCount(), math.MaxUint64-v.silence.stated)
		v.rhythms.vf.over(v, true)
		v.quiet(true)
	}
}

// overtaken says in the chart that nothing is known of a time, for a key that
// is in use. Which devices are bound may have been among it: the registry says
// them again, and until then the one that sends is the one that counts.
func (v voice) overtaken() {
	v.begin()
	v.devices, v.v = v.devices[:0], v.v[:0]
	if v.live {
		v.emit(&topics.Chart{Patient: v.patient, TimeUs: v.now, Kind: &topics.Chart_Gap{
			Gap: &topics.Gap{Cause: topics.GapCause_GAP_CAUSE_OVERTAKEN},
		}})
	}
}

func (v voice) leadState(a *topics.Annotation, l *topics.LeadState) {
	at, there := slices.BinarySearch(v.leadsOff, l.GetLead())
	switch {
	case l.GetOff() && !there && len(v.leadsOff) < maxLeads:
		v.leadsOff = slices.Insert(v.leadsOff, at, strings.Clone(l.GetLead()))
	case !l.GetOff() && there:
		v.leadsOff = slices.Delete(v.leadsOff, at, at+1)
	}
	if all := l.GetOff() && l.GetAll(); all != v.allOff {
		v.allOff, v.offFrom = all, a.GetSample()
		v.quiet(true)
	}
}

func (s *State) qualityOf(q *topics.Quality) {
	index := q.GetIndex()
	if !(index >= 0 && index <= 1) {
		index = 0 // what is no number is no quality
	}
	switch {
	case q.GetAnalysed():
		s.lead, s.quality = strings.Clone(q.GetLead()), index
	case q.GetLead() == s.lead:
		s.lead, s.quality = "", 0 // given up; the next one is said of itself
	}
}

func (s *State) deviceState(d *topics.DeviceState) {
	if d.BatteryPercent != nil {
		s.battery, s.hasBattery = d.GetBatteryPercent(), true
	}
	s.clockUs = d.GetClockOffsetUs()
	s.frameUs = d.GetFrameUs()
	s.rebooted = s.rebooted || d.GetRebooted()
}

// second is what is known now.
func (s *State) second() *topics.Chart {
	out := new(second)
	out.chart.Patient, out.chart.TimeUs, out.chart.Kind = s.patient, s.now, &out.kind
	sec := &out.second
	out.kind.Second = sec
	sec.SinceSampleS, sec.Suspended, sec.LeadOff = s.sinceSample.Seconds(), s.suspended, s.allOff
	sec.Quality, sec.Lead, sec.VPerMinute = s.quality, s.lead, s.vPerMinute()
	sec.ClockOffsetS, sec.FrameS = float64(s.clockUs)/1e6, float64(s.frameUs)/1e6
	sec.Device, sec.Boot, sec.Sample, sec.SampleUs, sec.Rebooted = s.device, s.boot, s.sample, s.sampleUs, s.rebooted
	if len(s.leadsOff) > 0 {
		sec.LeadsOff = slices.Clone(s.leadsOff)
	}
	if s.hasBattery {
		sec.BatteryPercent = proto.Uint32(s.battery)
	}
	if s.allOff && s.sample >= s.offFrom && s.rate > 0 {
		sec.LeadOffS = float64(s.sample+1-s.offFrom) / s.rate
	}
	for _, i := range s.ended {
		sec.Rr = append(sec.Rr, &topics.RR{Class: i.class, Ms: i.ms, Sample: i.sample, TimeUs: i.timeUs})
	}
	s.measure(out)
	return &out.chart
}

// second is allocated at once, for it is said each second of each patient.
type second struct {
	chart                   topics.Chart
	kind                    topics.Chart_Second
	second                  topics.Second
	since, mean, fast, slow float64
}

// measure fills in what is only known while there is a signal to measure.
func (s *State) measure(out *second) {
	sec := &out.second
	if !s.has || s.suspended || s.allOff || s.sinceSample >= staleSample {
		return
	}
	standing := false
	if since, known := s.silence.since(s.sample); known && !s.behind {
		out.since = float64(since) / s.rate
		sec.SinceBeatS, standing = &out.since, out.since >= standstill
	}
	switch {
	case standing:
		sec.Rate = &out.mean
	case s.hasBeat && s.sample > s.beatAt && float64(s.sample-s.beatAt) > staleBeat*s.rate:
	default:
		sec.Rate = perMinute(s.meanRR(), &out.mean)
		sec.RateFast = perMinute(s.window(fastRR), &out.fast)
		sec.RateSlow = perMinute(s.window(slowRR), &out.slow)
	}
}

func (s *State) vPerMinute() uint32 {
	from := s.now - time.Minute.Microseconds()
	s.v = slices.DeleteFunc(s.v, func(at int64) bool { return at <= from })
	return uint32(len(s.v))
}
