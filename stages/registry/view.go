package registry

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// View is what the topic settings says of limits, profiles, bounds and
// accounts, for those who look at it or prepare a change. It resolves as the
// registry does.
type View struct{ state State }

// Read makes a view of settings, the newest of each object last. They are not
// changed, and what the view gives is not theirs.
func Read(settings []*topics.Setting) *View {
	seen := map[string]bool{}
	v := &View{}
	s := &v.state
	for _, set := range slices.Backward(settings) {
		if seen[set.GetObject()] {
			continue
		}
		seen[set.GetObject()] = true
		s.Version = max(s.Version, set.GetVersion())
		switch k := set.GetKind().(type) {
		case *topics.Setting_Patient:
			p := k.Patient
			s.Patients = append(s.Patients, patient{
				Name: p.GetPatient(), Version: set.GetVersion(), Unit: p.GetUnit(), Bed: p.GetBed(), Alias: p.GetAlias(),
				Paced: p.GetPaced(), AgeGroup: p.GetAgeGroup(), Discharged: p.GetDischarged(),
			})
		case *topics.Setting_Layer:
			if !k.Layer.GetGone() {
				s.Layers = append(s.Layers, layer{Name: k.Layer.GetOf(), Version: set.GetVersion(), Set: k.Layer})
			}
		case *topics.Setting_Bounds:
			s.Bounds = bounds{Version: set.GetVersion(), Set: k.Bounds}
		case *topics.Setting_Profile:
			if !k.Profile.GetGone() {
				s.Profiles = append(s.Profiles, profile{Version: set.GetVersion(), Set: k.Profile})
			}
		case *topics.Setting_Account:
			if !k.Account.GetGone() {
				s.Accounts = append(s.Accounts, account{Version: set.GetVersion(), Set: k.Account})
			}
		}
	}
	sorted(s.Patients)
	sorted(s.Layers)
	sorted(s.Profiles)
	sorted(s.Accounts)
	return v
}

func sorted[T object](list []T) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(a.name(), b.name()) })
}

// Layer is what a layer (site, unit/4W, patient/p01) says itself, with its
// version; one of which nothing was said is empty, at version 0.
func (v *View) Layer(of string) (*topics.Layer, uint64) {
	l := find(v.state.Layers, of)
	if l == nil {
		return &topics.Layer{Of: of}, 0
	}
	return proto.CloneOf(l.Set), l.Version
}

// Layers are all of which something is said, by name.
func (v *View) Layers() (out []*topics.Layer) {
	for _, l := range v.state.Layers {
		out = append(out, proto.CloneOf(l.Set))
	}
	return out
}

// Force is what is in force for a patient, or in a unit or the site for an
// adult of whom nothing else is known. An error says that there is none such.
func (v *View) Force(of string) (*topics.Limits, error) {
	at, who, err := v.at(of)
	if err != nil {
		return nil, err
	}
	unit := who.unit
	if at.kind == topics.LayerUnit {
		unit = at.name
	}
	p := v.state.pick(who, 0)
	return p.record(unit), nil
}

// Limit is what is set for a rule where it is in force, before it follows
// another rule: what a change of one of its numbers begins from. nil: there is
// no such rule.
func (v *View) Limit(of, rule string) (*topics.Limit, error) {
	_, who, err := v.at(of)
	if err != nil {
		return nil, err
	}
	p := v.state.pick(who, 0)
	if i, ok := places[rule]; ok {
		return copied(p.limits[i : i+1])[0], nil
	}
	if r := p.rule(rule); r != nil {
		return r.said(), nil
	}
	names := []string{}
	for _, r := range p.rules {
		names = append(names, r.rule.GetName())
	}
	return nil, unknownRule(rule, names)
}

// Beneath is what would be in force if a layer said nothing of some rules: what
// holds when what it says of them is over.
func (v *View) Beneath(of string, rules []string) (*topics.Limits, error) {
	l, version := v.Layer(of)
	l.Limits = slices.DeleteFunc(l.Limits, func(x *topics.Limit) bool { return slices.Contains(rules, x.GetRule()) })
	under := View{v.state}
	under.state.Layers = insert(v.state.Layers, layer{Name: of, Version: version, Set: l})
	return under.Force(of)
}

func (v *View) at(of string) (place, subject, error) {
	at, err := placeOf(of)
	if err != nil {
		return place{}, subject{}, err
	}
	who, err := v.state.subject(at)
	return at, who, err
}

// Profiles are those that are built in, then the site's own by name.
func (v *View) Profiles() []*topics.Profile {
	out := Profiles()
	for _, p := range v.state.Profiles {
		out = append(out, proto.CloneOf(p.Set))
	}
	return out
}

// ProfileVersion is the version of one of the site's own profiles; 0: there is none.
func (v *View) ProfileVersion(name string) uint64 {
	if p := find(v.state.Profiles, name); p != nil {
		return p.Version
	}
	return 0
}

// Bounds are what the site lets units and patients set, with their version.
func (v *View) Bounds() (*topics.Bounds, uint64) {
	if v.state.Bounds.Set == nil {
		return &topics.Bounds{}, 0
	}
	return proto.CloneOf(v.state.Bounds.Set), v.state.Bounds.Version
}

// Accounts are those of the site, by name.
func (v *View) Accounts() (out []*topics.Account) {
	for _, a := range v.state.Accounts {
		out = append(out, proto.CloneOf(a.Set))
	}
	return out
}
