package watch

import (
	"time"

	"heartwire/topics"
)

// Script is how the synthetic patient lives: its heart stands still for a
// quarter of each minute, longer than any limit of asystole lets pass.
const Script = "30s sinus 70; 15s asystole; 15s sinus 70; loop"

// ScriptRate is the Hz of its patch.
const ScriptRate = 250

const (
	// within is how long the next alarm of the synthetic patient may take to
	// come: its minute, and what all else has to be said within.
	within = 75 * time.Second
	// doubt is how late it may be until it is looked for, topic by topic, so that
	// where it was last seen is known when it is missed.
	doubt = 66 * time.Second
)

// trial is what is known of the synthetic patient.
type trial struct {
	patient topics.Key
	took    func(seconds float64) // is told from the onset of each to its alarm
	missed  func()                // is told of each time that none came

	last     time.Time // when its last alarm came, or when it began
	alarmID  string
	raisedUs int64 // when that was decided, as a label

	boot      uint64
	taken     time.Time // when sample 0 of that boot was taken
	delivered time.Time // when the MQTT broker took its last frame
	lastSeen  string    // where its records still are
	late      bool
}

// sent takes that the MQTT broker has a frame whose last sample, by number, was
// measured at a moment.
func (t *trial) sent(now time.Time, boot, last uint64, measured time.Time) {
	t.boot, t.delivered = boot, now
	t.taken = measured.Add(-time.Duration(last) * time.Second / ScriptRate)
}

// alarm takes a state of one of its alarms. Each new one of asystole is what
// is waited for.
func (t *trial) alarm(now time.Time, s *topics.AlarmState) {
	if s.GetRule() != topics.RuleAsystole || s.GetCondition() != topics.AlarmCondition_ALARM_CONDITION_ACTIVE || s.GetId() == t.alarmID {
		return
	}
	t.last, t.alarmID, t.raisedUs, t.late, t.lastSeen = now, s.GetId(), s.GetRaisedUs(), false, ""
	if s.GetBoot() == t.boot && t.boot > 0 && s.GetOnsetSample() > 0 {
		onset := t.taken.Add(time.Duration(s.GetOnsetSample()) * time.Second / ScriptRate)
		t.took(now.Sub(onset).Seconds())
	}
}

// overdue reports whether its alarm did not come.
func (t *trial) overdue(now time.Time) bool {
	if now.Sub(t.last) <= within {
		return false
	}
	if !t.late {
		t.late = true
		t.missed()
	}
	return true
}

// doubtful reports whether it is time to look where its records still are.
func (t *trial) doubtful(now time.Time) bool { return now.Sub(t.last) > doubt }

// hops are the topics that it has to come through, the last one first, and
// those that only a look back tells of.
var hops = []topics.Any{topics.Charts, topics.Annotations, topics.Frames}
