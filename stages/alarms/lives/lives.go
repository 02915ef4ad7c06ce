// Package lives gathers records of the topic alarms into the lives of alarms: one
// Life an episode, with when it was raised, when its condition was over and what
// people did. It is for those who look back, and holds no patient's identity but
// the key.
package lives

import (
	"cmp"
	"fmt"
	"slices"

	"heartwire/topics"
)

// Life is one alarm from its beginning to its end. Times are UTC µs in the time of
// the log; 0: it did not happen, or not yet.
type Life struct {
	Patient   string
	ID        string
	Rule      string
	Priority  topics.Priority // the highest that it had
	Technical bool
	Text      string // as it was raised
	Limit     float64
	Worst     float64
	OnsetUs   int64 // sample time
	RaisedUs  int64
	OverUs    int64  // when its condition was over
	End       string // why it ended: over, inhibited, …; empty: it is open
	Truth     Truth
	Begun     bool // that it was raised is among the records

	AcknowledgedUs int64 // the first of each
	AcceptedUs     int64
	RejectedUs     int64
	Rejections     int
	TimedOut       bool // nobody answered in time, at least once
	PausedUs       int64
}

// Truth is what somebody who knows says of an alarm.
type Truth uint8

const (
	Unknown Truth = iota
	True
	False
)

// String is the truth in a word.
func (t Truth) String() string { return [...]string{"unknown", "true", "false"}[t] }

// MarshalText is String.
func (t Truth) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Truth) UnmarshalText(b []byte) error {
	for _, v := range []Truth{Unknown, True, False} {
		if v.String() == string(b) {
			*t = v
			return nil
		}
	}
	return fmt.Errorf("%q: want true, false or unknown", b)
}

// Until is when its condition was over, or end where it went on, in µs; not
// before it was raised.
func (l *Life) Until(end int64) int64 {
	if l.OverUs == 0 {
		return max(end, l.RaisedUs)
	}
	return max(l.OverUs, l.RaisedUs)
}

// Beside reports that two alarms of one patient were there at the same time.
func (l *Life) Beside(o *Life, end int64) bool {
	return l.RaisedUs <= o.Until(end) && o.RaisedUs <= l.Until(end)
}

// Overlaps reports that the conditions of two alarms of one patient went on at
// the same time, slack µs more or less.
func (l *Life) Overlaps(o *Life, end, slack int64) bool {
	return l.OnsetUs <= o.Until(end)+slack && o.OnsetUs <= l.Until(end)+slack
}

// Candidate is what was suppressed, with for how many it stands.
type Candidate struct {
	Patient, Rule, Why string
	Priority           topics.Priority
	OnsetUs            int64
	Count              int
}

// Log gathers records. The zero Log is empty.
type Log struct {
	of         map[string]*Life
	Candidates []Candidate
}

// Take takes the next record of a patient.
func (l *Log) Take(a *topics.Alarm) {
	switch k := a.GetKind().(type) {
	case *topics.Alarm_State:
		l.state(a, k.State)
	case *topics.Alarm_Suppressed:
		s := k.Suppressed
		l.Candidates = append(l.Candidates, Candidate{
			Patient: a.GetPatient(), Rule: s.GetRule(), Why: s.GetWhy(), Priority: s.GetPriority(), OnsetUs: s.GetOnsetUs(), Count: int(max(s.GetCount(), 1)),
		})
	}
}

func (l *Log) state(a *topics.Alarm, s *topics.AlarmState) {
	v := l.of[s.GetId()]
	if v == nil {
		v = &Life{
			Patient: a.GetPatient(), ID: s.GetId(), Rule: s.GetRule(), Technical: s.GetTechnical(), Text: s.GetText(), Limit: s.GetLimit(),
			OnsetUs: s.GetOnsetUs(), RaisedUs: s.GetRaisedUs(),
		}
		if l.of == nil {
			l.of = map[string]*Life{}
		}
		l.of[v.ID] = v
	}
	v.Priority, v.Worst = max(v.Priority, counted(s.GetPriority())), s.GetWorst()
	if us := s.GetEndedUs(); us != 0 {
		v.OverUs = us
	}
	if s.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED {
		v.End = s.GetEndReason()
		if v.OverUs == 0 {
			v.OverUs = a.GetTimeUs()
		}
	}
	if s.GetRestated() {
		return
	}
	first := func(at *int64) {
		if *at == 0 {
			*at = a.GetTimeUs()
		}
	}
	switch s.GetChange().GetWhat() {
	case "raised":
		v.Begun = true
	case "acknowledged":
		first(&v.AcknowledgedUs)
	case "accepted":
		first(&v.AcceptedUs)
	case "rejected":
		first(&v.RejectedUs)
		v.Rejections++
	case "timed-out":
		v.TimedOut = true
	case "paused":
		first(&v.PausedUs)
	}
}

// counted is a priority as a reader takes it: one that is not said is HIGH.
func counted(p topics.Priority) topics.Priority {
	if p == topics.Priority_PRIORITY_UNSPECIFIED {
		return topics.Priority_PRIORITY_HIGH
	}
	return p
}

// Has reports that something was said of an alarm.
func (l *Log) Has(id string) bool { return l.of[id] != nil }

// Lives are all, in the order in which they were raised.
func (l *Log) Lives() []*Life {
	list := make([]*Life, 0, len(l.of))
	for _, v := range l.of {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b *Life) int {
		return cmp.Or(cmp.Compare(a.RaisedUs, b.RaisedUs), cmp.Compare(a.Patient, b.Patient), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Minutes is for how many minutes from from to to (µs) at least one of the alarms
// was there: what lies one over another counts once.
func Minutes(list []*Life, from, to int64) float64 {
	type span struct{ from, to int64 }
	var spans []span
	for _, l := range list {
		if s := (span{max(l.RaisedUs, from), min(l.Until(to), to)}); s.to > s.from {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	sum, until := int64(0), from
	for _, s := range spans {
		if s.to > until {
			sum += s.to - max(s.from, until)
			until = s.to
		}
	}
	return float64(sum) / 60e6
}
