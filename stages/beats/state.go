package beats

import (
	"time"

	"heartwire/topics"
)

const (
	maxSpans   = 64               // gaps that late data may still fill
	maxBound   = 8                // devices of one patient
	lateIdle   = 5 * time.Second  // of ticks, after which late data is taken to be over
	silentFor  = 10 * time.Second // of ticks, after which another device may take over without a binding
	frameShift = 0.2              // share by which the length of frames must change to be said
	clockShift = int64(1e6)       // µs by which the device's clock must change to be said
)

// State is what the stage keeps for one patient. The zero State is that of a
// patient never seen.
type State struct {
	patient string

	live   *analysis     // nil before the first frame
	silent time.Duration // of ticks since live took a frame
	gaps   []span        // of live's boot, stated, not filled by late data
	held   []held        // runs that came before what precedes them, in order

	late     *analysis     // of data that came too late; nil: none
	lateIdle time.Duration // of ticks since it took any
	lateDone []span        // that were folded late, of live's boot
	lateLife life          // what was folded late last
	lateNext uint64        // the sample after it

	bound []bound // devices, the one bound newest last
	paced bool
	age   topics.AgeGroup
	left  bool // the last device was unbound: nothing more is to be said

	overtaken bool // a gap was stated that goes on to the next samples, wherever they begin

	device deviceState
}

// span is samples from up to, not including, to.
type span struct{ from, to uint64 }

// life is one boot of a device.
type life struct {
	device string
	boot   uint64
}

// held is a run that waits for those before it.
type held struct {
	age     time.Duration // by ticks
	samples *topics.Samples
}

func (h held) end() uint64 { return end(h.samples) }

func end(s *topics.Samples) uint64 { return s.GetFirst() + uint64(s.GetCount()) }

// bound is a device that belongs to the patient.
type bound struct {
	device string
	at     int64 // UTC µs
}

// deviceState is what was said last of the device.
type deviceState struct {
	battery    int32 // %; -1 unknown
	known      bool  // battery is
	clock      int64 // µs
	frame      int64 // µs
	online     bool
	onlineSaid bool
}

// Gone reports that the patient's last device was taken away and all has been said.
func (s *State) Gone() bool { return s.left }

// owner is the device whose samples are live, as far as bindings tell.
func (s *State) owner() string {
	if len(s.bound) == 0 {
		return ""
	}
	return s.bound[len(s.bound)-1].device
}
