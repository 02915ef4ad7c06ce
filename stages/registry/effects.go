package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// everybody is where a change is that concerns all.
var everybody = place{kind: topics.LayerSite}

// concerns reports somebody for whom a change there may change what is in force.
func (p place) concerns(who subject) bool {
	switch p.kind {
	case topics.LayerUnit:
		return who.unit == p.name
	case topics.LayerPatient:
		return who.patient == p.name
	}
	return true
}

// resolve says the new sets of those for whom a change makes another, or
// refuses it where a set would be inverted.
func (t *turn) resolve(of place) error {
	if err := t.state.checkSets(of); err != nil {
		return err
	}
	t.state.tell(t.processor, t.before, of, t.setting, t.say)
	return nil
}

// tell says each set that is another than before. set begins a setting.
func (s *State) tell(proc processor, before State, of place, set func(object string) *topics.Setting, say func(proto.Message)) {
	us := set("").TimeUs
	for i := range s.Patients {
		p := &s.Patients[i]
		if p.Discharged || !of.concerns(p.subject()) {
			continue
		}
		was, now := before.pick(p.subject(), 0), s.pick(p.subject(), 0)
		if !was.same(&now) {
			limits := set("limits/" + p.Name)
			limits.Kind = &topics.Setting_Limits{Limits: now.record(p.Unit)}
			say(limits)
			say(chart(p.Name, us, now.record(p.Unit)))
		}
	}
	nobody := subject{unit: unassigned}
	if !of.concerns(nobody) {
		return
	}
	if was, now := before.pick(nobody, 0), s.pick(nobody, 0); !was.same(&now) {
		for i := range s.Devices {
			if d := &s.Devices[i]; d.open() == nil {
				say(s.unboundLimits(proc, d, us))
			}
		}
	}
}

// unboundLimits are the limits of a device that is bound to nobody.
func (s *State) unboundLimits(proc processor, d *deviceState, us int64) *topics.Chart {
	p := s.pick(subject{unit: unassigned, version: d.Version}, 0)
	return chart(string(topics.Unassigned(proc.siteKey, d.Name)), us, p.record(unassigned))
}

// limits are the patient's limits in force.
func (s *State) limits(p *patient) *topics.Limits {
	set := s.pick(p.subject(), 0)
	return set.record(p.Unit)
}

func chart(key string, us int64, l *topics.Limits) *topics.Chart {
	return &topics.Chart{Patient: key, TimeUs: us, Kind: &topics.Chart_Limits{Limits: l}}
}

// expire takes away what is over by the time of the log: the layer beneath
// holds again, and those whom it concerns are told.
func (s *State) expire(proc processor, emit func(proto.Message)) {
	before := *s
	version := s.Version + 1
	set := func(object string) *topics.Setting {
		return &topics.Setting{Object: object, Version: version, Author: expiryAuthor, TimeUs: s.Wall}
	}
	var said []proto.Message
	for i := range before.Layers {
		l := &before.Layers[i]
		next, changed := l.expired(s.Wall)
		if !changed {
			continue
		}
		s.Layers = insert(s.Layers, layer{Name: l.Name, Version: version, Set: next})
		x := set("layer/" + l.Name)
		x.Kind = &topics.Setting_Layer{Layer: proto.CloneOf(next)}
		said = append(said, x)
	}
	s.schedule()
	if len(said) == 0 {
		return
	}
	s.Version = version
	for _, v := range said {
		emit(v)
	}
	s.tell(proc, before, everybody, set, emit)
}

// expiryAuthor is in whose name a setting is said when time has changed it.
const expiryAuthor = "registry"

// checkSets refuses what would give anybody an impossible set: a low limit not
// below the high one, now or when something that is set for a time is over, or
// more rules than are judged.
func (s *State) checkSets(of place) error {
	var whom []string
	var first string
	for _, who := range s.subjects(of) {
		if p := s.pick(who, 0); len(p.rules) > maxRules {
			return refuse(CodeTooMany, "%s would have %d rules that people wrote, with those of all layers, and %d are judged: take some away",
				who.label(), len(p.rules), maxRules)
		}
		how := s.inverted(who)
		if how == "" {
			continue
		}
		if first == "" {
			first = how
		}
		if name := who.label(); !slices.Contains(whom, name) {
			whom = append(whom, name)
		}
	}
	if len(whom) == 0 {
		return nil
	}
	if of.kind == topics.LayerPatient {
		return refuse(CodeInverted, "%s: set both, or one of them otherwise", first)
	}
	const most = 3
	names := strings.Join(whom[:min(most, len(whom))], ", ")
	if n := len(whom) - most; n > 0 {
		names += fmt.Sprintf(" and %d more", n)
	}
	return refuse(CodeInverted, "%s, for %s: change that first, or set both", first, names)
}

// subjects are those whom a change concerns, and a patient of each age in each
// unit that has limits, who may come tomorrow.
func (s *State) subjects(of place) (out []subject) {
	for i := range s.Patients {
		if p := &s.Patients[i]; !p.Discharged && of.concerns(p.subject()) {
			out = append(out, p.subject())
		}
	}
	if of.kind == topics.LayerPatient {
		return out
	}
	units := []string{"", unassigned}
	for _, l := range s.Layers {
		if name, ok := strings.CutPrefix(l.Name, "unit/"); ok {
			units = append(units, name)
		}
	}
	for _, u := range units {
		for age := range topics.AgeGroup(len(topics.AgeGroup_name)) {
			if who := (subject{unit: u, aged: true, age: age}); of.concerns(who) {
				out = append(out, who)
			}
		}
		if who := (subject{unit: u}); of.concerns(who) {
			out = append(out, who)
		}
	}
	return out
}

func (w subject) label() string {
	switch {
	case w.patient != "":
		return w.patient
	case w.unit != "":
		return fmt.Sprintf("unit %q", w.unit)
	}
	return "the site"
}

// inverted says how somebody's set is or will be inverted; empty: it is not.
func (s *State) inverted(who subject) string {
	for _, at := range s.changes(who) {
		p := s.pick(who, at)
		low, high := p.limits[lowAt], p.limits[highAt]
		if low.limit.GetValue() < high.limit.GetValue() {
			continue
		}
		when := ""
		if at > 0 {
			when = ", from " + topics.MicroTime(at).Format(time.DateTime) + " on, when what is set until then is over"
		}
		return fmt.Sprintf("%s of %v /min (%s) would not be below %s of %v /min (%s)%s",
			topics.RuleHRLow, low.limit.GetValue(), low.layer, topics.RuleHRHigh, high.limit.GetValue(), high.layer, when)
	}
	return ""
}

// changes are 0, which is now, and the times at which a rate limit expires.
func (s *State) changes(who subject) []int64 {
	out := []int64{0}
	for _, name := range []string{topics.LayerSite, "unit/" + who.unit, "patient/" + who.patient} {
		l := find(s.Layers, name)
		if l == nil {
			continue
		}
		for _, x := range l.Set.GetLimits() {
			if rule := x.GetRule(); x.GetExpiresUs() > 0 && (rule == topics.RuleHRHigh || rule == topics.RuleHRLow) {
				out = append(out, x.ExpiresUs)
			}
		}
	}
	return out
}
