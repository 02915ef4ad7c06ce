package rhythm

import (
	"fmt"
	"time"

	"heartwire/stages"
	"heartwire/topics"
)

// State is what is known of one key.
type State struct {
	patient string
	now     int64 // µs: the newest sample time, and what has passed since

	live   bool          // a Second is said each tick
	left   bool          // and what still comes for it is a straggler
	leftAt int64         // µs
	away   time.Duration // for which it has not been live

	devices []string // bound to it

	device   string // whose samples are folded
	boot     uint64
	rate     float64 // Hz
	has      bool    // sample and sampleUs are known
	sample   uint64  // the last one in order
	sampleUs int64

	fresh       bool // samples came since the last tick
	sinceSample time.Duration
	suspended   bool
	behind      bool // detection is too far behind to say that there was no beat

	silence silence
	beatAt  uint64 // sample of the last beat
	hasBeat bool
	rr      []float64  // the last intervals in ms, oldest first
	ended   []interval // since the last tick
	v       []int64    // sample times of class V beats in the last minute

	leadsOff []string // sorted
	allOff   bool
	offFrom  uint64 // sample from which all have been off
	lead     string // analysed
	quality  float64

	battery    uint32
	hasBattery bool
	clockUs    int64
	frameUs    int64
	rebooted   bool // since the last tick

	unpaced bool // the registry says that the patient has no pacemaker
	rhythms rhythms
}

// interval is an RR interval with the beat that ended it.
type interval struct {
	class  topics.BeatClass
	ms     float64
	sample uint64
	timeUs int64
}

// Gone says that the key is done with: nothing of it is in use, and nothing
// that was under way for it is expected any more.
func (s *State) Gone() bool { return !s.live && s.away >= lingers }

// AppendBinary appends the state.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: b}
	e.String(s.patient)
	e.Int(s.now)
	e.Bool(s.live)
	e.Bool(s.left)
	e.Int(s.leftAt)
	e.Int(int64(s.away))
	appendStrings(&e, s.devices)
	e.String(s.device)
	e.Uint(s.boot)
	e.Float(s.rate)
	e.Bool(s.has)
	e.Uint(s.sample)
	e.Int(s.sampleUs)
	e.Bool(s.fresh)
	e.Int(int64(s.sinceSample))
	e.Bool(s.suspended)
	e.Bool(s.behind)
	s.silence.append(&e)
	e.Uint(s.beatAt)
	e.Bool(s.hasBeat)
	e.Floats(s.rr)
	e.Uint(uint64(len(s.ended)))
	for _, i := range s.ended {
		e.Int(int64(i.class))
		e.Float(i.ms)
		e.Uint(i.sample)
		e.Int(i.timeUs)
	}
	e.Uint(uint64(len(s.v)))
	for _, at := range s.v {
		e.Int(at)
	}
	appendStrings(&e, s.leadsOff)
	e.Bool(s.allOff)
	e.Uint(s.offFrom)
	e.String(s.lead)
	e.Float(s.quality)
	e.Uint(uint64(s.battery))
	e.Bool(s.hasBattery)
	e.Int(s.clockUs)
	e.Int(s.frameUs)
	e.Bool(s.rebooted)
	e.Bool(s.unpaced)
	s.rhythms.append(&e)
	return e.B, nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (s *State) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
	n := State{
		patient: d.String(), now: d.Int(), live: d.Bool(), left: d.Bool(), leftAt: d.Int(), away: time.Duration(d.Int()),
		devices: decodeStrings(d, maxDevices), device: d.String(), boot: d.Uint(), rate: d.Float(),
		has: d.Bool(), sample: d.Uint(), sampleUs: d.Int(), fresh: d.Bool(), sinceSample: time.Duration(d.Int()),
		suspended: d.Bool(), behind: d.Bool(),
	}
	n.silence.decode(d)
	n.beatAt, n.hasBeat = d.Uint(), d.Bool()
	if n.rr = d.Floats(nil); len(n.rr) > keptRR {
		d.Fail("%d intervals", len(n.rr))
	}
	for k := d.Len(11); k > 0; k-- {
		n.ended = append(n.ended, interval{topics.BeatClass(d.Int()), d.Float(), d.Uint(), d.Int()})
	}
	for k := d.Len(1); k > 0; k-- {
		n.v = append(n.v, d.Int())
	}
	n.leadsOff, n.allOff, n.offFrom = decodeStrings(d, maxLeads), d.Bool(), d.Uint()
	n.lead, n.quality = d.String(), d.Float()
	n.battery, n.hasBattery = uint32(d.Uint()), d.Bool()
	n.clockUs, n.frameUs, n.rebooted = d.Int(), d.Int(), d.Bool()
	n.unpaced = d.Bool()
	n.rhythms.decode(d)
	if err := d.Err(); err != nil {
		return err
	}
	*s = n
	return nil
}

// migrate brings up a state of version 1, in which no rhythm was followed.
func migrate(version uint32, state []byte) ([]byte, error) {
	if version != 1 {
		return nil, fmt.Errorf("there is no version %d", version)
	}
	e := stages.Encoder{B: state}
	e.Bool(false)
	new(rhythms).append(&e)
	return e.B, nil
}

func (c *silence) append(e *stages.Encoder) {
	e.Bool(c.begun)
	e.Uint(c.from)
	e.Uint(c.candidate)
	e.Uint(c.stated)
	e.Uint(uint64(len(c.holes)))
	for _, h := range c.holes {
		e.Uint(h.at)
		e.Uint(h.n)
	}
}

func (c *silence) decode(d *stages.Decoder) {
	c.begun, c.from, c.candidate, c.stated = d.Bool(), d.Uint(), d.Uint(), d.Uint()
	for k := d.Len(2); k > 0; k-- {
		c.holes = append(c.holes, hole{d.Uint(), d.Uint()})
	}
	if len(c.holes) > maxHoles {
		d.Fail("%d holes", len(c.holes))
	}
}

func appendStrings(e *stages.Encoder, list []string) {
	e.Uint(uint64(len(list)))
	for _, v := range list {
		e.String(v)
	}
}

func decodeStrings(d *stages.Decoder, most int) (list []string) {
	for k := d.Len(1); k > 0; k-- {
		list = append(list, d.String())
	}
	if len(list) > most {
		d.Fail("%d names", len(list))
	}
	return list
}
