package wfdb

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"heartwire/topics"
)

// FrameOptions say whose samples a record becomes, and how they are cut.
type FrameOptions struct {
	Patient string    // the key
	Device  string    //
	Boot    uint64    //
	First   uint64    // number of the record's first sample
	Start   time.Time // sample time of the record's first sample
	Samples int       // in a frame, 20 ms to 10 s of them; 0 is 250 ms
	Leads   []string  // names of the leads to send; nil is all
	Lost    int       // samples after the last one that are stated to be missing, as by a link that drops out: whoever waited for more says what it has
	Kept    int       // a frame is used again when so many more have been cut; 0: each is a new one
}

// Bounds of a frame: the patch's protocol.
const (
	maxLeads             = 12
	minRate, maxRate     = 10, 5000 // Hz
	minLength, maxLength = 0.02, 10 // s
)

// Leads are the names of the record's ECG signals as its frames have them:
// the descriptions, made distinct ("ECG", "ECG 2").
func (r *Record) Leads() []string {
	var names []string
	for _, l := range r.leads() {
		names = append(names, l.name)
	}
	return names
}

type lead struct {
	name   string
	column int
}

func (r *Record) leads() []lead {
	var leads []lead
	taken := make(map[string]bool)
	for i, s := range r.Signals {
		if !s.ECG() {
			continue
		}
		base := s.Description
		if base == "" {
			base = "ECG"
		}
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s %d", base, n)
		}
		taken[name] = true
		leads = append(leads, lead{name, i})
	}
	return leads
}

// Frames is the record as a patch would have sent it, each frame accepted when
// its last sample was taken. A count of 0 is 0 µV. A sample that no lead has
// is missing; a lead that lacks a sample which another has is off for that
// frame, because a frame marks missing samples for all leads alike. Signals
// other than ECG are left out; a record without ECG is an error. An error ends
// the sequence with a nil frame.
func (r *Record) Frames(o FrameOptions) iter.Seq2[*topics.Frame, error] {
	return func(yield func(*topics.Frame, error) bool) {
		c, err := r.newCutter(o)
		if err != nil {
			yield(nil, fmt.Errorf("frames of record %s: %w", r.Name, err))
			return
		}
		for b, err := range r.blocks(c.size) {
			if b.rows == c.size || err == nil && b.rows > 0 {
				if c.take(b); !yield(c.cut(), nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if o.Lost > 0 {
			yield(c.lost(), nil)
		}
	}
}

// cutter makes frames of rows.
type cutter struct {
	options FrameOptions
	record  *Record
	leads   []lead
	size    int       // rows a frame
	done    int       // rows in earlier frames
	count   int       // rows of this one
	values  [][]int32 // of each lead
	used    []*cut    // frames to be used again, the one at turn next
	turn    int
}

// cut is a frame, allocated at once: it lives and dies together.
type cut struct {
	frame   topics.Frame
	kind    topics.Frame_Samples
	samples topics.Samples
	leads   []topics.Lead
	list    []*topics.Lead
	deltas  []int32
	first   [1]topics.Lead // for one lead,
	only    [1]*topics.Lead
}

// fresh is memory for a frame.
func (c *cutter) fresh() *cut {
	if c.options.Kept > 0 && len(c.used) == c.options.Kept {
		f := c.used[c.turn]
		c.turn = (c.turn + 1) % len(c.used)
		return f
	}
	f := new(cut)
	f.leads, f.list = f.first[:], f.only[:]
	if n := len(c.leads); n > 1 {
		f.leads, f.list = make([]topics.Lead, n), make([]*topics.Lead, n)
	}
	f.frame.Kind, f.kind.Samples = &f.kind, &f.samples
	for i := range f.leads {
		f.list[i] = &f.leads[i]
	}
	if c.options.Kept > 0 {
		c.used = append(c.used, f)
	}
	return f
}

func (r *Record) newCutter(o FrameOptions) (*cutter, error) {
	leads := r.leads()
	if o.Leads != nil {
		leads = slices.DeleteFunc(leads, func(l lead) bool { return !slices.Contains(o.Leads, l.name) })
	}
	if len(leads) == 0 {
		return nil, errors.New("no ECG signal, or none of those asked for")
	}
	if len(leads) > maxLeads {
		return nil, fmt.Errorf("%d leads, a frame holds %d: choose by name", len(leads), maxLeads)
	}
	if r.Rate < minRate || r.Rate > maxRate {
		return nil, fmt.Errorf("%g samples/s: frames have %d to %d", r.Rate, minRate, maxRate)
	}
	size := o.Samples
	if size == 0 {
		size = max(int(r.Rate/4), 1)
	}
	if length := float64(size) / r.Rate; length < minLength || length > maxLength {
		return nil, fmt.Errorf("frames of %d samples are %.3g s long: want %g to %d s", size, length, minLength, maxLength)
	}
	if length := float64(o.Lost) / r.Rate; length != 0 && !(length >= minLength && length <= maxLength) {
		return nil, fmt.Errorf("%d samples lost are %.3g s: want %g to %d s", o.Lost, length, minLength, maxLength)
	}
	return &cutter{options: o, record: r, leads: leads, size: size, values: make([][]int32, len(leads))}, nil
}

func (c *cutter) take(b block) {
	for i, l := range c.leads {
		c.values[i] = b.columns[l.column][:b.rows]
	}
	c.count = b.rows
}

// at is the sample time of row n in µs.
func (c *cutter) at(n int) int64 {
	return c.options.Start.UnixMicro() + int64(float64(n)/c.record.Rate*1e6+0.5)
}

// lost is a frame of samples that no lead has.
func (c *cutter) lost() *topics.Frame {
	c.count = c.options.Lost
	for i := range c.values {
		c.values[i] = slices.Repeat([]int32{Missing}, c.count)
	}
	return c.cut()
}

func (c *cutter) cut() *topics.Frame {
	f := c.fresh()
	if n := len(c.leads) * c.count; cap(f.deltas) < n {
		f.deltas = make([]int32, n)
	}
	missing, absent := c.missing()
	s := &f.samples
	f.frame.Patient = c.options.Patient
	s.Device, s.Boot, s.First = c.options.Device, c.options.Boot, c.options.First+uint64(c.done)
	s.Rate, s.Count, s.Missing, s.Leads = c.record.Rate, uint32(c.count), missing, f.list
	s.TimeUs, s.ArrivalUs = c.at(c.done), c.at(c.done+c.count)
	for i, l := range c.leads {
		signal := &c.record.Signals[l.column]
		to, lead := f.deltas[i*c.count:(i+1)*c.count:(i+1)*c.count], &f.leads[i]
		n := deltas(to, c.values[i], int32(signal.Baseline))
		lead.Name, lead.MicrovoltsPerCount, lead.Off, lead.Deltas = l.name, signal.MicrovoltsPerCount(), n > absent, to
	}
	c.done, c.count = c.done+c.count, 0
	return &f.frame
}

// missing is the bitmap of the samples that no lead has, and their number.
func (c *cutter) missing() (bitmap []byte, n int) {
	if !slices.ContainsFunc(c.values, func(v []int32) bool { return slices.Contains(v, Missing) }) {
		return nil, 0
	}
	for i := range c.count {
		if slices.ContainsFunc(c.values, func(v []int32) bool { return v[i] != Missing }) {
			continue
		}
		if bitmap == nil {
			bitmap = make([]byte, (c.count+7)/8)
		}
		bitmap[i/8] |= 1 << (i % 8)
		n++
	}
	return bitmap, n
}

// deltas gives counts above the baseline, the first and then the differences,
// and how many samples are missing: each repeats the one before.
func deltas(to, values []int32, baseline int32) (missing int) {
	to = to[:len(values)]
	last := baseline
	for i, v := range values {
		if v == Missing {
			missing++
			to[i] = 0
			continue
		}
		to[i] = v - last
		last = v
	}
	return missing
}
