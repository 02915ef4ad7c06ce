package alarms

import (
	"time"

	"heartwire/topics"
)

// why is what kept a candidate from being an alarm.
type why uint8

const (
	whyShort     why = iota // it was over before it had lasted
	whyInhibited            // a worse one spoke for it
	whyQuality              // the signal was too poor to decide, or it could no longer be told
	whyOff                  // its rule is off
	whyStandby
	whys
)

// String is how a record names it.
func (w why) String() string {
	return [...]string{"short", "inhibited", "quality", "off", "standby", "?"}[min(w, whys)]
}

// ending is how an alarm ends that this has withdrawn.
func (w why) ending() ending {
	switch w {
	case whyInhibited:
		return endInhibited
	case whyStandby:
		return endStandby
	}
	return endOff
}

const (
	// What flickers about a limit all night would write thousands of records.
	// The first candidate of a rule and a reason is said at once, what comes
	// within this time after it is counted and said as one: at most 48 a rule and
	// reason in a night, and none is lost.
	tallyFor = 10 * time.Minute
	// There are never more kinds of them than this at a time: the one that was
	// said the longest ago makes room.
	mostTallies = 16
)

// tally is the candidates of one rule and one reason since they were said.
type tally struct {
	rule     string
	why      why
	by       string
	priority topics.Priority
	onsetUs  int64
	endedUs  int64
	worst    float64
	limit    float64
	count    uint32
	saidAt   time.Duration
}

// suppress notes a candidate that is over and became no alarm.
func (s *State) suppress(i int, emit func(*topics.Alarm)) {
	r, c, l := s.rule(i), s.condition(i), s.limitOf(i)
	now := tally{
		rule: r.name, why: c.why, priority: l.priority, onsetUs: c.onset.us, endedUs: s.now, worst: number(c.worst), limit: l.value, count: 1,
	}
	if c.by != none {
		now.by = rules[c.by-1].name
	}
	for k := range s.tallies {
		t := &s.tallies[k]
		if t.rule != now.rule || t.why != now.why {
			continue
		}
		now.count, now.saidAt = t.count+1, t.saidAt
		if t.count > 0 {
			now.onsetUs, now.priority = t.onsetUs, max(now.priority, t.priority)
			if r.sign()*(t.worst-now.worst) > 0 {
				now.worst = t.worst
			}
		}
		*t = now
		return
	}
	if len(s.tallies) == mostTallies {
		s.makeRoom(emit)
	}
	s.sayTally(&now, emit)
	s.tallies = append(s.tallies, now)
}

// makeRoom says and forgets the tally that was said the longest ago.
func (s *State) makeRoom(emit func(*topics.Alarm)) {
	oldest := 0
	for k := range s.tallies {
		if s.tallies[k].saidAt < s.tallies[oldest].saidAt {
			oldest = k
		}
	}
	s.sayTally(&s.tallies[oldest], emit)
	s.tallies = append(s.tallies[:oldest], s.tallies[oldest+1:]...)
}

// sayTally says what has been counted, if anything, and begins to count anew.
func (s *State) sayTally(t *tally, emit func(*topics.Alarm)) {
	if t.count == 0 {
		return
	}
	emit(&topics.Alarm{Patient: s.patient, TimeUs: s.now, Kind: &topics.Alarm_Suppressed{Suppressed: &topics.Suppressed{
		Rule: t.rule, Why: t.why.String(), By: t.by, Priority: t.priority, OnsetUs: t.onsetUs, EndedUs: t.endedUs,
		Worst: t.worst, Limit: t.limit, Unit: s.unitOf(t.rule), Count: t.count,
	}}})
	t.count, t.saidAt = 0, s.time
}

// count says what has been counted for long enough, and forgets what has not
// come again; all of it when the key is left.
func (s *State) count(all bool, emit func(*topics.Alarm)) {
	kept := s.tallies[:0]
	for k := range s.tallies {
		t := s.tallies[k]
		due := all || s.time-t.saidAt >= tallyFor
		again := t.count > 0
		if due {
			s.sayTally(&t, emit)
		}
		if !due || again && !all {
			kept = append(kept, t)
		}
	}
	s.tallies = kept
}
