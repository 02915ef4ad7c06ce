package registry

import (
	"slices"
	"time"

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
	Layers   []layer
	Bounds   bounds
	Profiles []profile
	Accounts []account

	due int64 // µs: when the next value of a layer expires; 0: none does. It follows from Layers
}

// layer, bounds, profile and account are as they were put, completed. What they
// point to is replaced and never changed.
type layer struct {
	Name    string // site, unit/4W, patient/p01
	Version uint64
	Set     *topics.Layer
}

type bounds struct {
	Version uint64
	Set     *topics.Bounds // nil: none were put
}

type profile struct {
	Version uint64
	Set     *topics.Profile
}

type account struct {
	Version uint64
	Set     *topics.Account
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
	Code     string
}

const (
	keepBindings = 16   // a patch that was away for long may still hold data of them
	keepOutcomes = 1024 // requests that can be repeated without a second effect
)

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
	if n := len(s.Outcomes); n >= keepOutcomes {
		s.Outcomes = slices.Delete(s.Outcomes, 0, 1+n-keepOutcomes)
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

func (o outcome) setting(req *topics.Request) *topics.Setting {
	return &topics.Setting{
		Object: "outcome/" + o.Request, Version: o.Version, Author: req.GetAuthor(), TimeUs: req.GetTimeUs(),
		Kind: &topics.Setting_Outcome{Outcome: &topics.Outcome{Request: o.Request, Accepted: o.Accepted, Problem: o.Problem, Version: o.Version, Code: o.Code}},
	}
}
