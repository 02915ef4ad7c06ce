package strips

import (
	"cmp"
	"errors"
	"time"

	"heartwire/sinks"
	"heartwire/topics"
)

const (
	// late is how long beats waits for a run of samples: what comes later is
	// late, and was not there for any decision.
	late = 2 * time.Second
	// partial is what the first tick after an alarm may tell of the time before it.
	partial = time.Second
)

// alarm is one that was raised, and the strip that is made of it.
type alarm struct {
	index  int // in the batch
	record topics.Record[*topics.Alarm]
	need   time.Duration // of ticks behind it, until its samples are known
	passed time.Duration
	n      uint64 // the last tick that counted, and its owner
	owner  uint64
	tick   *topics.Tick // with which it was due; nil: not yet

	strip  *topics.Strip
	closed bool // all of it has been read
	seen   map[run]bool
	bytes  int
}

// raised are the alarms that a batch raises, in order, each with the tick with
// which it is due, if that is in the batch. Whether and with which is told by the
// records behind the alarm alone, so a batch that begins elsewhere gives the same.
func raised(batch []topics.Record[*topics.Alarm]) (list []*alarm, bad error) {
	var reject sinks.RejectError
	waiting := 0 // before it in list all are due
	for i, r := range batch {
		v := r.Value
		if v == nil || !v.ProtoReflect().IsValid() {
			reject.Index, reject.Err = append(reject.Index, i), errors.New("an alarm without a value")
			continue
		}
		if t := v.GetTick(); t != nil {
			for _, a := range list[waiting:] {
				a.pass(t)
			}
			for waiting < len(list) && list[waiting].tick != nil {
				waiting++
			}
			continue
		}
		if s := v.GetState(); s.GetChange().GetWhat() == "raised" {
			if s.GetId() == "" || r.Key == "" {
				reject.Index, reject.Err = append(reject.Index, i), errors.New("an alarm was raised without an id, or for nobody")
				continue
			}
			list = append(list, newAlarm(i, r))
		}
	}
	if reject.Index != nil {
		return list, &reject
	}
	return list, nil
}

func newAlarm(index int, r topics.Record[*topics.Alarm]) *alarm {
	s := r.Value.GetState()
	decided := cmp.Or(s.GetRaisedUs(), r.Value.GetTimeUs())
	onset := cmp.Or(s.GetOnsetUs(), decided)
	to := onset + After.Microseconds()
	return &alarm{
		index: index, record: r,
		need: min(max(time.Duration(to-decided)*time.Microsecond, 0), After) + late + partial,
		seen: map[run]bool{},
		strip: &topics.Strip{
			Patient: string(r.Key), Alarm: s.GetId(), Rule: s.GetRule(), Priority: s.GetPriority(), Text: s.GetText(),
			OnsetUs: onset, FromUs: onset - Before.Microseconds(), ToUs: to,
		},
	}
}

// pass counts a tick behind the alarm, as every reader counts them.
func (a *alarm) pass(t *topics.Tick) {
	if a.tick != nil || !t.Follows(a.n, a.owner) {
		return
	}
	a.n, a.owner = t.GetN(), t.GetOwner()
	a.passed += min(max(time.Duration(t.GetElapsedUs())*time.Microsecond, 0), 5*time.Second)
	if a.passed >= a.need {
		a.tick, a.strip.Tick = t, t.GetN()
	}
}

// A group is read at one go, so it must be of one time, and fit into memory.
const (
	groupSpan  = 2 * time.Minute
	groupCount = 200
)

// together is how many of the first alarms of list are copied in one reading.
func together(list []*alarm) int {
	from, to := list[0].strip.GetFromUs(), list[0].strip.GetToUs()
	for i, a := range list {
		from, to = min(from, a.strip.GetFromUs()), max(to, a.strip.GetToUs())
		if a.tick == nil || i == groupCount || to-from > groupSpan.Microseconds() {
			return i
		}
	}
	return len(list)
}
