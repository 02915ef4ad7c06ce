package registry

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// A plain is a limit in force as the plainest way finds it.
type plain struct {
	Value, Duration, Hysteresis float64
	Off                         bool
	Priority                    topics.Priority
	Layer                       string
	Expires                     int64
}

// model is what was asked and accepted, as it was asked.
type model struct {
	patients map[string]*topics.Patient
	layers   map[string]*topics.Layer
	profiles map[string]*topics.Profile
}

func (m *model) accept(r *topics.Request) {
	switch k := r.Kind.(type) {
	case *topics.Request_PutPatient:
		m.patients[k.PutPatient.Patient] = k.PutPatient
		if k.PutPatient.Discharged {
			delete(m.layers, "patient/"+k.PutPatient.Patient)
		}
	case *topics.Request_PutLayer:
		m.layers[k.PutLayer.Of] = k.PutLayer
	case *topics.Request_PutProfile:
		m.profiles[k.PutProfile.Name] = k.PutProfile
		if k.PutProfile.Gone {
			delete(m.profiles, k.PutProfile.Name)
		}
	}
}

func (m *model) tick(wall int64) {
	for _, l := range m.layers {
		l.Limits = slices.DeleteFunc(l.Limits, func(x *topics.Limit) bool { return x.ExpiresUs > 0 && x.ExpiresUs <= wall })
	}
}

// force recomputes a patient's set from nothing.
func (m *model) force(p *topics.Patient) map[string]plain {
	out, rules := map[string]plain{}, map[string]*topics.Rule{}
	over := func(list []*topics.Limit, as string) {
		for _, l := range list {
			b := topics.FindBuiltIn(l.Rule)
			x := plain{l.Value, l.DurationS, l.Hysteresis, l.Off, l.Priority, as, l.ExpiresUs}
			if b != nil && x.Priority == 0 {
				x.Priority = b.Priority
			}
			if b != nil && b.Value.Fixed() {
				x.Value = b.Value.Default
			}
			if _, written := rules[l.Rule]; b == nil && written {
				x.Duration = cmp.Or(x.Duration, rules[l.Rule].DurationS)
				x.Priority = cmp.Or(x.Priority, rules[l.Rule].Priority)
			} else if b == nil {
				continue
			}
			out[l.Rule] = x
		}
	}
	for _, b := range topics.BuiltIns() {
		over([]*topics.Limit{b.Limit()}, "default")
	}
	age := topics.AgeGroup_AGE_GROUP_ADULT
	for _, step := range []struct{ name, as string }{{"site", "site"}, {"unit/" + p.Unit, "unit"}, {"patient/" + p.Patient, "patient"}} {
		l := m.layers[step.name]
		named := l.GetProfile()
		if named == "" && step.as == "patient" && p.AgeGroup != age {
			named = []string{"adult", "paediatric", "neonate"}[p.AgeGroup]
		}
		if named != "" {
			set := m.profiles[named]
			for _, b := range Profiles() {
				if b.Name == named {
					set = b
				}
			}
			over(set.Limits, "profile")
			age = set.AgeGroup
		}
		for _, r := range l.GetRules() {
			rules[r.Name] = r
			delete(out, r.Name) // its limit was for the other
		}
		over(l.GetLimits(), step.as)
	}
	from := func(rule, of string, value float64, all bool) {
		x, o := out[rule], out[of]
		x.Value = value
		if all {
			x.Duration, x.Hysteresis = o.Duration, o.Hysteresis
		}
		if x.Layer == "default" || x.Layer == "profile" {
			x.Layer, x.Expires = o.Layer, o.Expires
		}
		out[rule] = x
	}
	high, low := out["hr.high"].Value, out["hr.low"].Value
	from("af-fast", "hr.high", high, true)
	if high+20 > out["hr.extreme-high"].Value {
		from("hr.extreme-high", "hr.high", high+20, false)
	}
	if low-10 < out["hr.extreme-low"].Value {
		from("hr.extreme-low", "hr.low", low-10, false)
	}
	return out
}

// Whatever is asked in whatever order, and however often the registry is
// restarted: what was said last of each patient is what the plainest
// recomputation from the accepted requests gives, no set is inverted, versions
// of what is said of a patient only rise, and a restart changes nothing.
func TestWhatIsSaidIsWhatHolds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	accepted, refused, expiries := 0, 0, 0
	for range 40 {
		s := newSite(t)
		m := model{map[string]*topics.Patient{}, map[string]*topics.Layer{}, map[string]*topics.Profile{}}
		said := map[string]*topics.Limits{}
		var settings []*topics.Setting
		hear := func(v proto.Message) {
			switch v := v.(type) {
			case *topics.Chart:
				if was := said[v.Patient]; was.GetVersion() > v.GetLimits().Version {
					t.Fatalf("%s: version %d after %d", v.Patient, v.GetLimits().Version, was.GetVersion())
				}
				said[v.Patient] = v.GetLimits()
			case *topics.Setting:
				settings = append(settings, v)
				if v.Version > s.state.Version && v.GetOutcome() == nil {
					t.Fatalf("%s has version %d, and the site %d", v.Object, v.Version, s.state.Version)
				}
			}
		}
		for i := range 150 {
			s.now += 1e6
			switch rnd.IntN(8) {
			case 0, 1:
				version := s.state.Version
				m.tick(s.now)
				if err := s.proc.Advance(&s.state, &topics.Tick{N: uint64(i + 1), Owner: 1, ElapsedUs: 1e6, WallUs: s.now}, hear); err != nil {
					t.Fatal(err)
				}
				if s.state.Version > version {
					expiries++
				}
			case 2:
				b, err := s.state.AppendBinary(nil)
				if err != nil {
					t.Fatal(err)
				}
				s.state = State{}
				if err := s.state.UnmarshalBinary(b); err != nil {
					t.Fatal(err)
				}
			default:
				r := anyChange(rnd, s.now)
				if rnd.IntN(6) == 0 {
					r = put(&topics.Patient{
						Patient: fmt.Sprint("p", rnd.IntN(3)), Unit: []string{"4W", "5E"}[rnd.IntN(2)],
						AgeGroup: topics.AgeGroup(max(rnd.IntN(5)-2, 0)), Discharged: rnd.IntN(8) == 0,
					})
				}
				r.Site, r.Author, r.Id, r.TimeUs = "west", "nurse", fmt.Sprint("r", i), s.now
				asked := proto.CloneOf(r)
				err := s.proc.Process(&s.state, topics.Record[*topics.Request]{Value: r}, hear)
				if err != nil {
					t.Fatal(err)
				}
				if s.state.Outcomes[len(s.state.Outcomes)-1].Accepted {
					accepted++
					m.accept(asked)
				} else {
					refused++
				}
			}
			for name, p := range m.patients {
				if !p.Discharged {
					compare(t, name, m.force(p), said[name])
				}
			}
		}
		sameView(t, &s.state, Read(settings), said)
	}
	t.Logf("%d changes accepted, %d refused, %d ticks at which something expired", accepted, refused, expiries)
	if accepted < 500 || refused < 200 || expiries < 50 {
		t.Error("the property was hardly tried")
	}
}

// sameView: who reads settings sees what holds, and the versions to expect.
func sameView(t *testing.T, s *State, v *View, said map[string]*topics.Limits) {
	t.Helper()
	for _, p := range s.Patients {
		force, err := v.Force("patient/" + p.Name)
		if (err == nil) == p.Discharged {
			t.Fatalf("%s: %v", p.Name, err)
		}
		_, version := v.Layer("patient/" + p.Name)
		want := uint64(0)
		if l := find(s.Layers, "patient/"+p.Name); l != nil {
			want = l.Version
		}
		if version != want {
			t.Fatalf("%s: the view has the layer at version %d, the registry at %d", p.Name, version, want)
		}
		if !p.Discharged {
			force.Version = said[p.Name].Version
			if !proto.Equal(force, said[p.Name]) {
				t.Fatalf("%s: the view is\n%v\nand said was\n%v", p.Name, force, said[p.Name])
			}
		}
	}
}

func compare(t *testing.T, patient string, want map[string]plain, said *topics.Limits) {
	t.Helper()
	if len(said.GetLimits()) != len(want) {
		t.Fatalf("%s has %d limits, want %d", patient, len(said.GetLimits()), len(want))
	}
	for _, l := range said.Limits {
		if got := (plain{l.Value, l.DurationS, l.Hysteresis, l.Off, l.Priority, l.Layer, l.ExpiresUs}); got != want[l.Rule] {
			t.Fatalf("%s: %s is %+v, want %+v", patient, l.Rule, got, want[l.Rule])
		}
	}
	if want["hr.low"].Value >= want["hr.high"].Value {
		t.Fatalf("%s is inverted", patient)
	}
}

// A state that was written down before there were layers is read, and goes on.
func TestAStateOfVersion1IsBroughtUp(t *testing.T) {
	b, err := os.ReadFile("testdata/state.1.golden")
	if err != nil {
		t.Fatal(err)
	}
	now, err := migrate(1, b)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	if err := s.state.UnmarshalBinary(now); err != nil {
		t.Fatal(err)
	}
	if s.state.Version != 5 || len(s.state.Patients) != 2 || len(s.state.Outcomes) != 6 || s.state.Outcomes[4].Problem == "" {
		t.Fatalf("read %+v", s.state)
	}
	s.now = s.state.Wall + 10e6
	again := 0
	for range 60 {
		again += len(s.tick(s.state.Wall + 1e6))
	}
	if again != 2 { // p2 and its device
		t.Errorf("%d things said within a minute, want 2", again)
	}
	expect(t, s.says("p2", topics.RuleHRHigh), "160 for 3 s by 2 from profile")
	r := lay("patient/p2", "clinical-order", limit(topics.RuleHRHigh, 170, 3))
	r.Id = "first"
	expect(t, s.ask(r), "layer/patient/p2 v6\nlimits/p2 v6\np2 has a whole set\naccepted, version 6")
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(slices.Clone(b), 0)} {
		if _, err := migrate(1, bad); err == nil {
			t.Errorf("%d bytes are taken for a state of version 1", len(bad))
		}
	}
	if _, err := migrate(0, b); err == nil {
		t.Error("there was no version 0")
	}
}

// What can be set takes a bounded part of the one record that holds the state.
func TestTheStateIsBounded(t *testing.T) {
	s := newSite(t)
	words := ""
	for len(words) < maxRuleText {
		words += "x > limit || "
	}
	full := 0
	for i := range 400 {
		p := fmt.Sprint("p", i)
		s.ask(put(&topics.Patient{Patient: p}))
		r := lay("patient/"+p, "policy")
		for k := range maxRules {
			r.GetPutLayer().Rules = append(r.GetPutLayer().Rules, &topics.Rule{Name: fmt.Sprint("r", k), When: words[:maxRuleText], Words: "X", Priority: 1})
		}
		s.ask(r)
		if s.state.Outcomes[len(s.state.Outcomes)-1].Code == CodeTooMany {
			full++
		}
	}
	b, err := s.state.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of 400 were refused, and the state has %d bytes", full, len(b))
	if full == 0 || len(b) > maxLayerBytes+1<<19 {
		t.Error("there is no bound")
	}
}

// A change of the site's concerns all: 10,000 patients, each with a set that becomes another.
func BenchmarkSiteChange(b *testing.B) {
	s := State{Wall: start, Version: 1}
	for i := range 10_000 {
		s.Patients = append(s.Patients, patient{Name: fmt.Sprintf("p%05d", i), Version: 1, Unit: fmt.Sprint("U", i%50)})
	}
	proc := processor{siteKey: siteKey}
	for i := 0; b.Loop(); i++ {
		r := lay("site", "policy", limit(topics.RuleHRHigh, 121+float64(i%2), 3))
		r.Site, r.Author, r.Id, r.TimeUs = "west", "nurse", fmt.Sprint(i), start
		said := 0
		if err := proc.Process(&s, topics.Record[*topics.Request]{Value: r}, func(proto.Message) { said++ }); err != nil || said != 20_002 {
			b.Fatal(said, err)
		}
	}
}
