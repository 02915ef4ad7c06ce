package beats

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// samples puts a run of samples where it belongs: into the live analysis in
// order, aside until what precedes it has come, or to the late data.
func (s *State) samples(c Config, r *topics.Samples, v voice) {
	if s.isLate(c, r) {
		s.takeLate(r, true, v)
		return
	}
	switch {
	case s.live == nil:
		s.begin(r, false, v)
	case r.GetDevice() != s.live.device:
		s.end(v)
		s.between(r, topics.GapCause_GAP_CAUSE_DEVICE, v)
		s.begin(r, false, v)
	case r.GetBoot() != s.live.boot:
		s.end(v)
		s.between(r, topics.GapCause_GAP_CAUSE_REBOOT, v)
		s.begin(r, true, v)
	case s.overtaken:
		s.resume(r)
	}
	s.silent = 0
	if end(r) <= s.live.next {
		s.takeLate(r, false, v) // what of it was stated as a gap; the rest is twice
		return
	}
	if r.GetFirst() > s.live.next {
		s.hold(c, r, v)
		return
	}
	if r.GetFirst() < s.live.next {
		s.takeLate(r, false, v)
	}
	s.take(r, v)
	s.release(v)
}

// isLate reports a run that must not touch the live analysis.
func (s *State) isLate(c Config, r *topics.Samples) bool {
	last := r.GetTimeUs() + int64(float64(r.GetCount())*1e6/r.GetRate())
	if r.GetArrivalUs() > 0 && r.GetArrivalUs()-last > c.Late.Microseconds() {
		return true
	}
	owner := s.owner()
	if s.live == nil {
		return owner != "" && r.GetDevice() != owner
	}
	if r.GetDevice() == s.live.device {
		return r.GetBoot() < s.live.boot
	}
	if owner != "" {
		return r.GetDevice() != owner
	}
	return s.silent < silentFor
}

// begin makes the run's device, boot, rate and leads the live ones. What the
// boot had before may yet come, late.
func (s *State) begin(r *topics.Samples, rebooted bool, v voice) {
	s.live, s.overtaken = newAnalysis(r, r.GetFirst(), false), false
	s.gaps, s.lateDone = s.gaps[:0], s.lateDone[:0]
	if r.GetFirst() > 0 {
		s.gaps = append(s.gaps, span{0, r.GetFirst()})
	}
	if s.lateNext > 0 && s.lateLife == (life{r.GetDevice(), r.GetBoot()}) {
		s.lateDone = append(s.lateDone, span{0, s.lateNext}) // which of it came is not known any more: rather not than twice
	}
	s.device = deviceState{battery: -1, online: s.device.online, onlineSaid: s.device.onlineSaid}
	s.describe(r, rebooted, v)
}

// end folds what is held and ends the live analysis.
func (s *State) end(v voice) {
	s.releaseAll(v)
	s.live.finish(v)
}

// between states that nothing connects the live analysis with the run.
func (s *State) between(r *topics.Samples, cause topics.GapCause, v voice) {
	if s.overtaken {
		return // that has been said
	}
	out := s.live.say(v, s.live.next)
	out.Kind = &topics.Annotation_Gap{Gap: &topics.Gap{DurationUs: max(r.GetTimeUs()-out.TimeUs, 0), Cause: cause}}
	v.emit(out)
}

// take folds a run that has come in order.
func (s *State) take(r *topics.Samples, v voice) {
	a := s.live
	if !sameLayout(a.leads, a.rate, r.GetRate(), r.GetLeads()) {
		a.gap(0, topics.GapCause_GAP_CAUSE_RATE, v)
		next := newAnalysis(r, a.next, false)
		next.hasAny, next.lastAny = a.hasAny, a.lastAny
		s.live = next
	}
	s.describe(r, false, v)
	s.live.fold(r, s.live.next, end(r), v)
}

// hold keeps a run until what is before it has come or is given up.
func (s *State) hold(c Config, r *topics.Samples, v voice) {
	at, _ := slices.BinarySearchFunc(s.held, r, func(h held, r *topics.Samples) int {
		if h.samples.GetFirst() != r.GetFirst() {
			if h.samples.GetFirst() < r.GetFirst() {
				return -1
			}
			return 1
		}
		return int(h.samples.GetCount()) - int(r.GetCount())
	})
	for _, h := range s.held {
		if h.samples.GetFirst() <= r.GetFirst() && end(r) <= h.end() {
			return // it is held already
		}
	}
	s.held = slices.Insert(s.held, at, held{samples: proto.Clone(r).(*topics.Samples)})
	for s.waiting() > c.Buffer {
		s.giveUp(v)
	}
}

// waiting is the time that the held samples last, and their number bounded
// by that: runs of one sample each cannot fill the memory.
func (s *State) waiting() time.Duration {
	var sum float64
	for _, h := range s.held {
		sum += max(float64(h.samples.GetCount())/h.samples.GetRate(), shortest)
	}
	return time.Duration(sum * float64(time.Second))
}

// release folds the held runs that have become next in order.
func (s *State) release(v voice) {
	for len(s.held) > 0 && s.held[0].samples.GetFirst() <= s.live.next {
		r := s.held[0].samples
		s.held = slices.Delete(s.held, 0, 1)
		if end(r) > s.live.next {
			s.take(r, v)
		}
	}
}

func (s *State) releaseAll(v voice) {
	for len(s.held) > 0 {
		s.giveUp(v)
	}
}

// giveUp states the gap before the first run that is held, and goes on from there.
func (s *State) giveUp(v voice) {
	if from, to := s.live.next, s.held[0].samples.GetFirst(); to > from {
		s.live.gap(to-from, topics.GapCause_GAP_CAUSE_MISSING, v)
		s.stated(span{from, to})
	}
	s.release(v)
}

// stated keeps a gap, so that what of it still comes is folded late.
func (s *State) stated(gap span) {
	if gap.from >= gap.to {
		return
	}
	s.gaps = append(s.gaps, gap)
	if len(s.gaps) > maxSpans {
		s.gaps = slices.Delete(s.gaps, 0, 1)
	}
}

// advance lets time pass: a run that has been held for the bound shows that
// what precedes it will not come.
func (s *State) advance(c Config, elapsed time.Duration, v voice) {
	s.silent = min(s.silent+elapsed, silentFor)
	for i := range s.held {
		s.held[i].age += elapsed
	}
	for s.overdue(c.Wait) {
		s.giveUp(v)
	}
	if s.late == nil {
		return
	}
	if s.lateIdle += elapsed; s.lateIdle >= lateIdle {
		s.late.finish(v)
		s.late = nil
	}
}

func (s *State) overdue(wait time.Duration) bool {
	for _, h := range s.held {
		if h.age >= wait {
			return true
		}
	}
	return false
}
