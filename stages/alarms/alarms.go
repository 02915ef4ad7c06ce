// Package alarms decides when somebody must come: it folds a patient's chart
// into the lives of alarms. It alone knows limits and priorities.
//
// It promises that
//
//   - one episode is one alarm, under one identity, however often its log is
//     played again (identity.go);
//   - an alarm that is open goes on until its condition is seen to be over:
//     that samples stop, leads fall off or noise comes ends none;
//   - missing samples are a technical alarm and never a bodily one, and so are
//     records that were forgotten before anybody read them (lost.go);
//   - what a person asks is done once, or refused in words, and nothing is
//     changed by what is refused (answer.go);
//   - what quietens an alarm keeps it from nobody: what was suppressed is said
//     and counted (suppressed.go).
//
// rules.go is the table of rules, free.go those that people write, limits.go by
// what they are judged. Three small machines run side by side for each:
// condition.go, signal.go, responsibility.go. DESIGN.md has them as tables, and
// why they are as they are.
package alarms

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"heartwire/stages"
	cel "heartwire/stages/alarms/rules"
	"heartwire/topics"
)

// Name is the stage's name, and Version the version of its state's encoding.
const (
	Name    = "alarms"
	Version = 5
)

const (
	// restateEvery bounds how far back a reader must look to know all open alarms.
	restateEvery = time.Hour
	// A key of which nothing has been heard for so long is forgotten, unless
	// an alarm is open. The registry says the limits again when it is bound.
	forgetAfter = 10 * time.Minute
)

// Config is what the stage must know of the site.
type Config struct {
	// Zone is the site's IANA time zone, as in Europe/Berlin: the time of day of
	// rules that people write is that of the samples there.
	Zone string `yaml:"zone"`
}

// DefaultConfig is a site in UTC.
func DefaultConfig() Config { return Config{Zone: "UTC"} }

// Validate says what is wrong with it.
func (c Config) Validate() error {
	if _, err := c.location(); err != nil {
		return fmt.Errorf("alarms.zone: %q: want an IANA time zone such as Europe/Berlin", c.Zone)
	}
	return nil
}

func (c Config) location() (*time.Location, error) {
	if c.Zone == "Local" || c.Zone == "" { // that of the machine, or a forgotten one
		return nil, errors.New("no zone")
	}
	return time.LoadLocation(c.Zone)
}

// New is the stage of a site whose Config has been validated. It is for any
// number of keys and goroutines: all that it remembers is in the State.
func New(c Config) stages.Stage[State, *topics.Chart, *topics.Alarm] {
	zone, err := c.location()
	if err != nil {
		zone = time.UTC
	}
	return stages.Stage[State, *topics.Chart, *topics.Alarm]{Name: Name, Version: Version, Processor: processor{zone}, Migrate: migrate}
}

// Stage is the stage of a site in UTC.
func Stage() stages.Stage[State, *topics.Chart, *topics.Alarm] { return New(DefaultConfig()) }

type processor struct{ zone *time.Location }

// Process folds one record of the chart. An error says what about it cannot be.
func (p processor) Process(s *State, r topics.Record[*topics.Chart], emit func(*topics.Alarm)) error {
	s.patient = string(r.Key)
	c := r.Value
	switch k := c.GetKind().(type) {
	case *topics.Chart_Second:
		s.alive(c.GetTimeUs())
		s.judge(&r, k.Second, p.zone, emit)
	case *topics.Chart_Limits:
		return s.limit(k.Limits)
	case *topics.Chart_Binding:
		s.alive(c.GetTimeUs())
		if !k.Binding.GetBound() {
			s.leave(emit)
		}
	case *topics.Chart_Gap:
		if k.Gap.GetCause() == topics.GapCause_GAP_CAUSE_OVERTAKEN {
			s.alive(c.GetTimeUs())
			s.lose()
		}
	case *topics.Chart_Episode:
		s.alive(c.GetTimeUs())
		return s.episode(&r, k.Episode, emit)
	case *topics.Chart_Answer:
		return s.answer(k.Answer, emit)
	case *topics.Chart_Standby:
		return s.stand(k.Standby, emit)
	case *topics.Chart_Vital:
		if s.set != nil {
			s.history.Vital(s.set, k.Vital, c.GetTimeUs())
		}
	case *topics.Chart_Variability:
		if s.set != nil {
			s.history.Variability(s.set, k.Variability, c.GetTimeUs())
		}
	default:
		return fmt.Errorf("a chart record of no kind that this version knows")
	}
	return nil
}

// Advance counts time: what lasts for a time ends, and open alarms are said
// again each hour.
func (processor) Advance(s *State, t *topics.Tick, emit func(*topics.Alarm)) error {
	s.time += t.Elapsed()
	s.idle += t.Elapsed()
	if !s.fresh {
		s.now += t.Elapsed().Microseconds()
	}
	s.fresh = false
	s.quieten(emit)
	for i := range s.lines() {
		c := s.condition(i)
		if c.open != nil {
			s.remind(i, c.open, emit)
		}
		if c.latched != nil {
			s.remind(i, c.latched, emit)
		}
		if c.phase == held && s.time-c.since >= restateEvery {
			s.suppress(i, emit) // a heart that stands still beneath a rule that is off is not over
			c.since, c.onset = s.time, s.place(s.now)
		}
	}
	if len(s.tallies) > 0 {
		s.count(false, emit)
	}
	return nil
}

// remind does to an alarm what time does.
func (s *State) remind(i int, a *alarm, emit func(*topics.Alarm)) {
	goesOn := a.signal.is == paused || s.condition(i).phase == active
	if a.signal.until != 0 && s.time >= a.signal.until && goesOn {
		a.signal.ring(signalTime)
		a.rang = a.version + 1
		ch := change{what: changeSounding, reason: silenceOver}
		if s.pause.on {
			ch.what = changePaused // by the pause of all, which lasts longer
		}
		s.say(i, a, ch, emit)
	}
	if a.priority == topics.Priority_PRIORITY_HIGH && a.duty.waits() && s.time-a.duty.since >= s.limits.answerWithin() {
		a.duty.pass(dutyTime, "", s.time)
		a.passed = a.version + 1
		s.say(i, a, change{what: changeTimedOut}, emit)
	}
	if s.time-a.saidAt >= restateEvery {
		a.saidAt = s.time
		out := s.record(i, a, s.conditionOf(i, a), change{what: changeRestated})
		out.GetState().Restated = true
		emit(out)
	}
}

// alive notes that the key is.
func (s *State) alive(us int64) {
	s.now, s.fresh, s.idle = max(s.now, us), true, 0
}

// judge puts each rule to what is known of this second. The table is in an
// order in which what inhibits comes before what is inhibited.
func (s *State) judge(r *topics.Record[*topics.Chart], sec *topics.Second, zone *time.Location, emit func(*topics.Alarm)) {
	s.quality = sec.GetQuality()
	s.locate(sec)
	s.watch(sec)
	for i := range rules {
		e := event{second: sec, nowUs: s.now}
		s.verdict(i, r, &e)
		if c := &s.conditions[i]; e.verdict != over && c.phase == idle && c.latched == nil {
			continue // as nearly every rule nearly always
		}
		s.put(i, r, &e, emit)
	}
	if len(s.free) > 0 {
		s.judgeFree(r, &event{second: sec, nowUs: s.now, onsetUs: s.now}, zone, emit)
	}
}

// judgeFree puts the rules that people wrote to what is known of this second.
func (s *State) judgeFree(r *topics.Record[*topics.Chart], second *event, zone *time.Location, emit func(*topics.Alarm)) {
	m := s.moment(second.second, zone)
	if s.set != nil {
		s.history.Add(s.set, s.time, &m)
	}
	for k := range s.free {
		e := *second
		s.free[k].judge(s, &m, &e)
		s.put(ruleCount+k, r, &e, emit)
	}
	s.tidy()
}

// verdict is what a second says of a rule of the table.
func (s *State) verdict(i int, record *topics.Record[*topics.Chart], e *event) {
	rule, l, open := &rules[i], s.limits.at(i), s.conditions[i].phase.open()
	switch {
	case i == ruleDataLost:
		e.verdict, e.nowUs = s.lost(record)
	case i == ruleBroken:
		e.verdict = s.judgeBroken()
	case i == ruleAFFast:
		e.verdict = s.fastAF(e.second, l, open)
	case i == rulePVC && s.explained():
	case len(rule.of) > 0:
		e.verdict = s.rhythm(rule)
	default:
		e.verdict = rule.verdict(e.second, l, open)
	}
}

// put gives the machine of a rule what there is to know of this second.
func (s *State) put(i int, record *topics.Record[*topics.Chart], e *event, emit func(*topics.Alarm)) {
	switch r := s.rule(i); {
	case r.written:
	case len(r.of) == 0:
		e.value, e.known = r.value(e.second)
		e.onsetUs = r.onset(e.nowUs, e.second)
	default:
		_, h := s.latest(r)
		e.value, e.known, e.onsetUs, e.detail = r.told(e.nowUs, h), true, h.onsetUs, s.detail(r)
	}
	s.step(i, record, e, emit)
	if c := s.condition(i); c.latched != nil && s.limitOf(i).off {
		s.conclude(i, &c.latched, endOff, change{what: changeEnded}, emit)
	}
}

// locate notes the newest sample, and by it and the one before how many there
// are a second.
func (s *State) locate(sec *topics.Second) {
	at := &s.at
	if sec.GetDevice() != at.device || sec.GetBoot() != at.boot {
		if sec.GetDevice() != at.device {
			at.device = strings.Clone(sec.GetDevice())
		}
		at.boot, at.rate = sec.GetBoot(), 0
	} else if us := sec.GetSampleUs() - at.us; us >= 500_000 && sec.GetSample() > at.sample {
		at.rate = float64(sec.GetSample()-at.sample) / (float64(us) / 1e6)
	}
	at.sample, at.us = sec.GetSample(), sec.GetSampleUs()
}

// inhibitor is the worse rule that speaks for one, or none. A worse one whose
// condition seems over, though it is still open, speaks only for what is less
// than HIGH: a heart that stood still and comes back far too fast is said at
// once. But a rate after VT or VF is still that of their beats, for as long as
// they calm. One that has latched is over, and speaks for nothing.
func (s *State) inhibitor(i int) int16 {
	r := s.rule(i)
	for _, by := range r.under {
		switch p := s.conditions[by].phase; {
		case p == active, p == calming && (s.limitOf(i).priority < topics.Priority_PRIORITY_HIGH || r.lags && by != ruleAsystole):
			return int16(by) + 1
		}
	}
	return none
}

// none is no rule: inhibitor counts them from 1.
const none int16 = 0

// high reports that a HIGH alarm is open or has latched.
func (s *State) high() bool {
	for i := range s.lines() {
		c := s.condition(i)
		for _, a := range [...]*alarm{c.open, c.latched} {
			if a != nil && a.priority == topics.Priority_PRIORITY_HIGH {
				return true
			}
		}
	}
	return false
}

// endAll ends all alarms, and all candidates.
func (s *State) endAll(by ending, ch change, emit func(*topics.Alarm)) {
	for i := range s.lines() {
		c := s.condition(i)
		for _, at := range [...]**alarm{&c.open, &c.latched} {
			if *at != nil {
				s.conclude(i, at, by, ch, emit)
			}
		}
		if c.phase == held || c.phase == pending && c.why == whyInhibited {
			s.suppress(i, emit) // one that has not lasted yet was cut, and says nothing
		}
		*c = condition{}
	}
}

// leave is for a key that its device has left: there is nobody any more.
func (s *State) leave(emit func(*topics.Alarm)) {
	s.endAll(endMoved, change{what: changeEnded}, emit)
	for _, v := range [...]*silence{&s.pause, &s.standby} {
		if v.on {
			v.on = false
			s.tell(v, silenceMoved, "", false, emit)
			*v = silence{}
		}
	}
	s.count(true, emit)
	s.lostUs, s.heard = 0, [rhythms]heard{}
	s.history = cel.History{} // of another patient's, whoever comes next
	s.tidy()
}
