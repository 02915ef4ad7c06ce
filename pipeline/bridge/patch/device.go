package patch

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// device is a patch without its radio: it measures, counts and cuts into
// frames.
type device struct {
	conf   *Config
	name   string
	source Source
	boots  func(device string) (uint64, error)
	luck   *chance
	begin  time.Time // when its first sample was measured
	frame  int       // samples in a frame

	due      time.Time // when the next frame is complete
	boot     uint64
	first    uint64 // of the next frame, since the boot
	taken    uint64 // samples since the beginning, over all boots
	reboot   uint64 // taken at which it starts anew; 0 never
	vitals   uint64 // taken at which the next vitals are due
	held     *message
	over     bool // the source has ended
	block    Block
	measured int // samples of block that the source gave; more is padding
	out      topics.PatchFrame
}

// message is something to publish.
type message struct {
	topic   string
	payload []byte
	retain  bool
	copied  bool // an intended duplicate: it has no fate of its own
	entry   Entry
	isFrame bool
	id      uint16 // of the packet; 0 before it is sent
}

// DeviceName is the name of the patch of patient i, from 0: patch-01, patch-02, …
func DeviceName(i int) string { return fmt.Sprintf("patch-%02d", i+1) }

// device is the name of the patch of patient i.
func (c *Config) device(i int) string {
	if i < len(c.Devices) {
		return c.Devices[i]
	}
	return DeviceName(i)
}

func newDevice(conf *Config, i int, source Source, boots func(string) (uint64, error), begin time.Time) (*device, error) {
	d := &device{
		conf: conf, name: conf.device(i), source: source, boots: boots, begin: begin,
		luck:  newChance(conf.Seed<<20+uint64(i), "patch"),
		frame: frameSamples(source.Rate(), conf.Frame),
	}
	for _, l := range source.Leads() {
		d.out.Leads = append(d.out.Leads, &topics.Lead{Name: l.Name, MicrovoltsPerCount: l.MicrovoltsPerCount})
	}
	if every := conf.Behaviour.RebootEvery; every > 0 {
		d.reboot = d.samples(every)
	}
	d.due = d.at(uint64(d.frame))
	return d, d.start()
}

// frameSamples is how many samples a frame has: no more than fit, unless
// that would be less than 20 ms.
func frameSamples(rate float64, frame time.Duration) int {
	n := math.Floor(rate*frame.Seconds() + 1e-9)
	return int(max(n, math.Ceil(rate*minFrame.Seconds()-1e-9)))
}

// start begins a boot.
func (d *device) start() error {
	boot, err := d.boots(d.name)
	if err != nil {
		return err
	}
	if boot <= d.boot {
		return fmt.Errorf("boot counter of %s: %d does not follow %d", d.name, boot, d.boot)
	}
	d.boot, d.first = boot, 0
	return nil
}

// samples is a duration of the patient's time in samples.
func (d *device) samples(t time.Duration) uint64 {
	return uint64(math.Round(t.Seconds() * d.source.Rate()))
}

// at is the wall time at which the n-th sample since the beginning has been measured.
func (d *device) at(n uint64) time.Time {
	return d.begin.Add(time.Duration(float64(n) / d.source.Rate() / d.conf.Speed * 1e9))
}

// next measures the next frame and gives what is to be published for it, in
// order, and the fate of what never will be. rebooted says that instead a new
// boot begins, with the next call. After the end of its source a device is over.
func (d *device) next(send func(*message), fate func(Entry)) (rebooted bool, err error) {
	defer func() { d.due = d.at(d.taken + uint64(d.frame)) }()
	if d.reboot > 0 && d.taken >= d.reboot {
		d.reboot = d.taken + d.samples(d.conf.Behaviour.RebootEvery)
		d.release(send)
		if !d.skip(d.samples(rebootTakes)) {
			return false, nil
		}
		return true, d.start()
	}
	if !d.read(d.frame) {
		d.release(send)
		return false, nil
	}
	// The rest of a source may be shorter than a frame can be.
	d.block.pad(frameSamples(d.source.Rate(), minFrame))
	m, err := d.message()
	if err != nil {
		return false, err
	}
	d.behave(m, send, fate)
	if every := d.conf.Vitals; every > 0 && d.taken >= d.vitals {
		step := max(1, d.samples(every))
		d.vitals += step * (1 + (d.taken-d.vitals)/step)
		if v := d.block.vital(); len(v) > 0 {
			m, err := d.vital(v)
			if err != nil {
				return false, err
			}
			send(m)
		}
	}
	return false, nil
}

// behave sends a frame, or not, or twice, or late.
func (d *device) behave(m *message, send func(*message), fate func(Entry)) {
	b := &d.conf.Behaviour
	switch {
	case m == nil: // nothing was measured
	case d.luck.happens(b.Lost):
		m.entry.Fate, m.entry.Done = Lost, m.entry.Due
		fate(m.entry)
	case d.held == nil && d.luck.happens(b.Reorder):
		d.held = m
		return
	default:
		send(m)
		if d.luck.happens(b.Duplicate) {
			again := *m
			again.copied = true
			send(&again)
		}
	}
	d.release(send)
}

// release sends the frame that was held back.
func (d *device) release(send func(*message)) {
	if d.held != nil {
		send(d.held)
		d.held = nil
	}
}

// read takes up to n samples from the source into block; false at its end.
func (d *device) read(n int) bool {
	if err := d.source.Read(&d.block, n); err != nil {
		// A source of samples in memory can only end.
		d.over = true
		return false
	}
	d.measured = d.block.Len()
	d.taken += uint64(d.measured)
	return true
}

// skip lets n samples pass that nobody measures.
func (d *device) skip(n uint64) bool {
	for n > 0 {
		if !d.read(int(min(n, 4096))) {
			return false
		}
		n -= uint64(d.block.Len())
	}
	return true
}

// message is the block as the patch publishes it; nil if all of it is missing.
func (d *device) message() (*message, error) {
	b, f := &d.block, &d.out
	n := b.Len()
	before := d.taken - uint64(d.measured)
	missing, some := d.missing()
	first := d.first
	d.first += uint64(n)
	if !some {
		return nil, nil
	}
	f.Device, f.Boot, f.First, f.Rate = d.name, d.boot, first, d.source.Rate()
	f.Missing, f.PacePulses = missing, b.Pulses
	f.DeviceTimeUs = d.clock(before)
	f.BatteryPercent = d.battery()
	for k, l := range f.Leads {
		l.Off, l.Deltas = b.Off[k], l.Deltas[:0]
		last := int32(0)
		for _, v := range b.Counts[k] {
			l.Deltas = append(l.Deltas, v-last)
			last = v
		}
	}
	m := &message{topic: d.topic("frames"), isFrame: true}
	m.entry = Entry{Device: d.name, Boot: d.boot, First: first, Count: n, Due: d.at(d.taken)}
	if d.conf.Entries != nil || d.conf.Ledger != "" {
		m.entry.Digest = Digest(f.Leads)
	}
	var err error
	m.payload, err = d.encode(f)
	return m, err
}

// missing is the bitmap of samples that the patch has not got, nil when it has
// all; some is false when it has none.
func (d *device) missing() (bitmap []byte, some bool) {
	n := d.block.Len()
	for i := range n {
		gone := d.block.Missing != nil && d.block.Missing[i]
		if d.luck.happens(d.conf.Behaviour.Missing) {
			gone = true
		}
		if !gone {
			some = true
			continue
		}
		if bitmap == nil {
			bitmap = make([]byte, (n+7)/8)
		}
		bitmap[i/8] |= 1 << (i % 8)
	}
	return bitmap, some
}

// vital is the newest vitals as the patch publishes them.
func (d *device) vital(values []*topics.Vital) (*message, error) {
	payload, err := d.encode(&topics.PatchVitals{Device: d.name, Boot: d.boot, DeviceTimeUs: d.clock(d.taken), Vitals: values})
	return &message{topic: d.topic("vitals"), payload: payload}, err
}

// status is the patch's presence.
func (d *device) status(online bool) (*message, error) {
	payload, err := d.encode(&topics.PatchStatus{Device: d.name, Boot: d.boot, Online: online, Firmware: "simulated"})
	return &message{topic: d.topic("status"), payload: payload, retain: true}, err
}

// clock is what the device's clock showed at the n-th sample since the beginning.
func (d *device) clock(n uint64) int64 {
	b, t := &d.conf.Behaviour, d.at(n)
	drift := time.Duration(float64(t.Sub(d.begin)) * b.ClockDrift / 1e6)
	return t.Add(b.ClockOffset + drift).UnixMicro()
}

func (d *device) battery() *uint32 {
	b := &d.conf.Behaviour
	if b.Battery < 0 {
		return nil
	}
	hours := float64(d.taken) / d.source.Rate() / 3600
	return proto.Uint32(uint32(math.Ceil(max(0, b.Battery-b.BatteryUse*hours))))
}

func (d *device) topic(kind string) string { return d.conf.Site + "/v1/" + d.name + "/" + kind }

func (d *device) encode(m proto.Message) ([]byte, error) {
	if d.conf.Encoding == "json" {
		return protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	}
	return proto.Marshal(m)
}
