package registry

import (
	"slices"
	"strings"
	"time"

	"heartwire/stages"
	"heartwire/topics"
)

// State is all that a site's registry knows. Lists are sorted by name.
type State struct {
	Site     string
	Version  uint64
	Wall     int64         // label of the last tick, µs
	Since    time.Duration // since what holds was said again
	Patients []patient
	Devices  []deviceState
	Outcomes []outcome // the last ones, oldest first
}

type patient struct {
	Name             string
	Version          uint64
	Unit, Bed, Alias string
	Paced            bool
	AgeGroup         topics.AgeGroup
	Discharged       bool
}

type deviceState struct {
	Name     string
	Version  uint64
	Bindings []binding // oldest first, at most keepBindings
}

type binding struct {
	Patient     string
	From, Until int64 // µs of sample time; Until 0: still bound
}

type outcome struct {
	Request  string
	Accepted bool
	Problem  string
	Version  uint64
}

const (
	keepBindings = 16   // a patch that was away for long may still hold data of them
	keepOutcomes = 1024 // requests that can be repeated without a second effect
)

func (s *State) patient(name string) *patient {
	i, ok := slices.BinarySearchFunc(s.Patients, name, func(p patient, n string) int { return strings.Compare(p.Name, n) })
	if !ok {
		return nil
	}
	return &s.Patients[i]
}

func (s *State) putPatient(p patient) {
	i, ok := slices.BinarySearchFunc(s.Patients, p.Name, func(p patient, n string) int { return strings.Compare(p.Name, n) })
	if ok {
		s.Patients[i] = p
	} else {
		s.Patients = slices.Insert(s.Patients, i, p)
	}
}

func (s *State) device(name string) *deviceState {
	i, ok := slices.BinarySearchFunc(s.Devices, name, func(d deviceState, n string) int { return strings.Compare(d.Name, n) })
	if !ok {
		return nil
	}
	return &s.Devices[i]
}

func (s *State) putDevice(d deviceState) {
	i, ok := slices.BinarySearchFunc(s.Devices, d.Name, func(d deviceState, n string) int { return strings.Compare(d.Name, n) })
	if ok {
		s.Devices[i] = d
	} else {
		s.Devices = slices.Insert(s.Devices, i, d)
	}
}

// boundTo are copies of the devices that a patient wears.
func (s *State) boundTo(patient string) (out []*deviceState) {
	for _, d := range s.Devices {
		if b := d.open(); b != nil && b.Patient == patient {
			out = append(out, &d)
		}
	}
	return out
}

func (s *State) answered(id string) (outcome, bool) {
	// Requests are few and repeats come soon: newest first.
	for i := len(s.Outcomes) - 1; i >= 0; i-- {
		if s.Outcomes[i].Request == id {
			return s.Outcomes[i], true
		}
	}
	return outcome{}, false
}

func (s *State) remember(o outcome) {
	if len(s.Outcomes) >= keepOutcomes {
		s.Outcomes = slices.Delete(s.Outcomes, 0, 1)
	}
	s.Outcomes = append(s.Outcomes, o)
}

// open is the binding that holds, or nil.
func (d *deviceState) open() *binding {
	if n := len(d.Bindings); n > 0 && d.Bindings[n-1].Until == 0 {
		return &d.Bindings[n-1]
	}
	return nil
}

// moved is the device with its binding ended, and the next begun unless patient is empty.
func (d *deviceState) moved(patient string, at int64) deviceState {
	next := deviceState{Name: d.Name, Bindings: slices.Clone(d.Bindings)}
	if b := next.open(); b != nil {
		b.Until = at
	}
	if patient != "" {
		next.Bindings = append(next.Bindings, binding{Patient: patient, From: at})
	}
	if n := len(next.Bindings); n > keepBindings {
		next.Bindings = slices.Delete(next.Bindings, 0, n-keepBindings)
	}
	return next
}

func (d *deviceState) record() *topics.Device {
	out := &topics.Device{Device: d.Name}
	for _, b := range d.Bindings {
		out.Bindings = append(out.Bindings, &topics.DeviceBinding{Patient: b.Patient, FromUs: b.From, UntilUs: b.Until})
	}
	return out
}

func (p *patient) record() *topics.Patient {
	return &topics.Patient{
		Patient: p.Name, Unit: p.Unit, Bed: p.Bed, Alias: p.Alias, Paced: p.Paced, AgeGroup: p.AgeGroup, Discharged: p.Discharged,
	}
}

func (p *patient) limits(restated bool) *topics.Limits {
	return &topics.Limits{Unit: p.Unit, Version: p.Version, Limits: topics.DefaultLimits(), Restated: restated}
}

func (p *patient) limitsChart(us int64, restated bool) *topics.Chart {
	return &topics.Chart{Patient: p.Name, TimeUs: us, Kind: &topics.Chart_Limits{Limits: p.limits(restated)}}
}

func (o outcome) setting(req *topics.Request) *topics.Setting {
	return &topics.Setting{
		Object: "outcome/" + o.Request, Version: o.Version, Author: req.GetAuthor(), TimeUs: req.GetTimeUs(),
		Kind: &topics.Setting_Outcome{Outcome: &topics.Outcome{Request: o.Request, Accepted: o.Accepted, Problem: o.Problem, Version: o.Version}},
	}
}

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
	}
	return e.B, nil
}

// UnmarshalBinary overwrites the state with what AppendBinary wrote.
func (s *State) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
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
		s.Outcomes = append(s.Outcomes, outcome{Request: d.String(), Accepted: d.Bool(), Problem: d.String(), Version: d.Uint()})
	}
	return d.Err()
}
