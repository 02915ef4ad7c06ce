package trial

import (
	"bytes"

	"heartwire/stages"
	"heartwire/stages/alarms"
	"heartwire/topics"
)

// State is the variants of one key.
type State struct {
	base    alarms.State
	begun   bool // the variants have their limits
	changed *alarms.State
	sweeps  [][]*alarms.State // by group; nil: as the base

	key   topics.Key
	mark  []byte // the base as it was before since
	since past   // what it has folded then
	count int    // of events since it was marked, those before a restore too
}

// Gone says that the alarms stage would have forgotten the key.
func (s *State) Gone() bool { return s.base.Gone() }

// own begins what a trial has written. No state of the alarms stage begins so: as
// a length it is no number.
var own = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// AppendBinary appends the state. Sweeps that run with the base are as it is.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: append(b, own...)}
	e.Bool(s.begun)
	e.String(string(s.key))
	e.Uint(uint64(s.count))
	var err error
	put := func(v *alarms.State) {
		e.Bool(v != nil)
		if v == nil || err != nil {
			return
		}
		var state []byte
		state, err = v.AppendBinary(nil)
		e.Bytes(state)
	}
	put(&s.base)
	put(s.changed)
	e.Uint(uint64(len(s.sweeps)))
	for _, of := range s.sweeps {
		e.Uint(uint64(len(of)))
		for _, v := range of {
			put(v)
		}
	}
	return e.B, err
}

// UnmarshalBinary reads what AppendBinary wrote, or what the alarms stage did.
func (s *State) UnmarshalBinary(b []byte) error {
	var n State
	rest, is := bytes.CutPrefix(b, own)
	if !is {
		if err := n.base.UnmarshalBinary(b); err != nil {
			return err
		}
		*s = n
		return nil
	}
	d := stages.NewDecoder(rest)
	n.begun, n.key = d.Bool(), topics.Key(d.String())
	n.count = int(d.Uint())
	get := func(v *alarms.State) bool {
		if !d.Bool() {
			return false
		}
		if err := v.UnmarshalBinary(d.Bytes()); err != nil {
			d.Fail("a variant: %v", err)
		}
		return true
	}
	get(&n.base)
	var changed alarms.State
	if get(&changed) {
		n.changed = &changed
	}
	n.sweeps = make([][]*alarms.State, d.Len(1))
	for g := range n.sweeps {
		for range d.Len(1) {
			v := new(alarms.State)
			if !get(v) {
				d.Fail("no sweep")
			}
			n.sweeps[g] = append(n.sweeps[g], v)
		}
	}
	if err := d.Err(); err != nil {
		return err
	}
	n.mark, _ = n.base.AppendBinary(nil)
	*s = n
	return nil
}

// past is events that may have to be folded again, written down: what a stage is
// given it must not keep.
type past struct {
	events []written
	bytes  []byte
}

// written is one event: a record without its value, which ends at end, or a tick.
type written struct {
	record            topics.Record[*topics.Chart]
	end               int
	tick              bool
	n, owner          uint64
	elapsedUs, wallUs int64
}

func (p *past) add(e *event) {
	w := written{record: e.record, end: len(p.bytes)}
	if t := e.tick; t != nil {
		w.tick, w.n, w.owner, w.elapsedUs, w.wallUs = true, t.GetN(), t.GetOwner(), t.GetElapsedUs(), t.GetWallUs()
	} else {
		if len(e.record.Raw) > 0 {
			p.bytes = append(p.bytes, e.record.Raw...)
		} else {
			p.bytes, _ = topics.Charts.Append(p.bytes, e.record.Value) // what was read can be written
		}
		w.record.Value, w.record.Raw, w.end = nil, nil, len(p.bytes)
	}
	p.events = append(p.events, w)
}

// each gives the events again.
func (p *past) each(do func(*event)) {
	from := 0
	for i := range p.events {
		w := &p.events[i]
		e := event{record: w.record}
		if w.tick {
			e.tick = &topics.Tick{N: w.n, Owner: w.owner, ElapsedUs: w.elapsedUs, WallUs: w.wallUs}
		} else if v, err := topics.Charts.DecodeValue(p.bytes[from:w.end]); err == nil {
			e.record.Value = v
		}
		from = w.end
		do(&e)
	}
}

func (p *past) clear() { p.events, p.bytes = p.events[:0], p.bytes[:0] }
