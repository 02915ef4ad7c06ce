package registry

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/topics"
)

// AppendBinary writes the state down.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: b}
	e.String(s.Site)
	e.Uint(s.Version)
	e.Int(s.Wall)
	e.Int(int64(s.Since))
	e.Uint(uint64(len(s.Patients)))
	for _, p := range s.Patients {
		e.String(p.Name)
		e.Uint(p.Version)
		e.String(p.Unit)
		e.String(p.Bed)
		e.String(p.Alias)
		e.Bool(p.Paced)
		e.Int(int64(p.AgeGroup))
		e.Bool(p.Discharged)
	}
	e.Uint(uint64(len(s.Devices)))
	for _, d := range s.Devices {
		e.String(d.Name)
		e.Uint(d.Version)
		e.Uint(uint64(len(d.Bindings)))
		for _, b := range d.Bindings {
			e.String(b.Patient)
			e.Int(b.From)
			e.Int(b.Until)
		}
	}
	e.Uint(uint64(len(s.Outcomes)))
	for _, o := range s.Outcomes {
		e.String(o.Request)
		e.Bool(o.Accepted)
		e.String(o.Problem)
		e.Uint(o.Version)
		e.String(o.Code)
	}
	return s.appendSets(&e)
}

var marshal = proto.MarshalOptions{Deterministic: true}

// appendSets writes what was put as the messages that it is.
func (s *State) appendSets(e *stages.Encoder) ([]byte, error) {
	var failed error
	set := func(m proto.Message) {
		b, err := marshal.Marshal(m)
		if err != nil && failed == nil {
			failed = fmt.Errorf("write a setting down: %w", err)
		}
		e.Bytes(b)
	}
	e.Uint(uint64(len(s.Layers)))
	for _, l := range s.Layers {
		e.String(l.Name)
		e.Uint(l.Version)
		set(l.Set)
	}
	e.Uint(s.Bounds.Version)
	set(s.Bounds.Set)
	e.Uint(uint64(len(s.Profiles)))
	for _, p := range s.Profiles {
		e.Uint(p.Version)
		set(p.Set)
	}
	e.Uint(uint64(len(s.Accounts)))
	for _, a := range s.Accounts {
		e.Uint(a.Version)
		set(a.Set)
	}
	return e.B, failed
}

// UnmarshalBinary overwrites the state with what AppendBinary wrote.
func (s *State) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
	s.decodePlain(d, Version)
	s.decodeSets(d)
	s.schedule()
	return d.Err()
}

// decodePlain reads all but what was put in as messages: of version 1 the whole state.
func (s *State) decodePlain(d *stages.Decoder, version uint32) {
	*s = State{Site: d.String(), Version: d.Uint(), Wall: d.Int(), Since: time.Duration(d.Int())}
	for n := d.Len(8); n > 0; n-- {
		s.Patients = append(s.Patients, patient{
			Name: d.String(), Version: d.Uint(), Unit: d.String(), Bed: d.String(), Alias: d.String(),
			Paced: d.Bool(), AgeGroup: topics.AgeGroup(d.Int()), Discharged: d.Bool(),
		})
	}
	for n := d.Len(3); n > 0; n-- {
		dev := deviceState{Name: d.String(), Version: d.Uint()}
		for k := d.Len(3); k > 0; k-- {
			dev.Bindings = append(dev.Bindings, binding{Patient: d.String(), From: d.Int(), Until: d.Int()})
		}
		s.Devices = append(s.Devices, dev)
	}
	for n := d.Len(4); n > 0; n-- {
		o := outcome{Request: d.String(), Accepted: d.Bool(), Problem: d.String(), Version: d.Uint()}
		if version > 1 {
			o.Code = d.String()
		}
		s.Outcomes = append(s.Outcomes, o)
	}
}

func (s *State) decodeSets(d *stages.Decoder) {
	set := func(m proto.Message) {
		if err := proto.Unmarshal(d.Bytes(), m); err != nil {
			d.Fail("a setting: %v", err)
		}
	}
	for n := d.Len(3); n > 0; n-- {
		l := layer{Name: d.String(), Version: d.Uint(), Set: &topics.Layer{}}
		set(l.Set)
		s.Layers = append(s.Layers, l)
	}
	s.Bounds = bounds{Version: d.Uint(), Set: &topics.Bounds{}}
	set(s.Bounds.Set)
	if s.Bounds.Version == 0 {
		s.Bounds.Set = nil
	}
	for n := d.Len(2); n > 0; n-- {
		p := profile{Version: d.Uint(), Set: &topics.Profile{}}
		set(p.Set)
		s.Profiles = append(s.Profiles, p)
	}
	for n := d.Len(2); n > 0; n-- {
		a := account{Version: d.Uint(), Set: &topics.Account{}}
		set(a.Set)
		s.Accounts = append(s.Accounts, a)
	}
}

// migrate brings a state of version 1, which knew patients and devices alone,
// to this version. What holds is said again soon, for it may be another set: by
// then what was folded again in silence is over.
func migrate(version uint32, state []byte) ([]byte, error) {
	if version != 1 {
		return nil, fmt.Errorf("there is no state of version %d", version)
	}
	var s State
	d := stages.NewDecoder(state)
	s.decodePlain(d, version)
	if err := d.Err(); err != nil {
		return nil, err
	}
	s.Since = restateAfter - time.Minute
	return s.AppendBinary(nil)
}
