package registry

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// unassigned is the unit of devices that are bound to nobody.
const unassigned = "unassigned"

// subject is whose limits are asked for. The zero subject is a patient of no
// unit, of whom nothing is known.
type subject struct {
	patient string // empty: nobody in particular
	unit    string
	aged    bool // age is known
	age     topics.AgeGroup
	version uint64 // of what is known of the subject
}

func (p *patient) subject() subject {
	return subject{patient: p.Name, unit: p.Unit, aged: true, age: p.AgeGroup, version: p.Version}
}

// pick is a limit in force. It points to where it is set, so that sets can be
// compared without being made.
type pick struct {
	limit *topics.Limit // not to be changed
	layer string
}

// rulePick is a rule that people wrote, in force, with its limit, if one is set.
type rulePick struct {
	rule  *topics.Rule // not to be changed
	layer string
	limit pick
}

// picks is a whole set in force.
type picks struct {
	limits    []pick     // one for each of topics.BuiltIns, in that order
	rules     []rulePick // by name
	profile   string
	pauseS    float64
	answerS   float64 // for which a HIGH alarm waits for an answer
	pauseMaxS float64
	version   uint64 // of settings: the newest of what it was resolved from
}

// defaults and places are topics.BuiltIns as they are looked up here.
var defaults, places = func() (list []pick, at map[string]int) {
	at = map[string]int{}
	for i, b := range topics.BuiltIns() {
		list = append(list, pick{b.Limit(), topics.LayerDefault})
		at[b.Rule] = i
	}
	return list, at
}()

var (
	highAt        = places[topics.RuleHRHigh]
	lowAt         = places[topics.RuleHRLow]
	extremeHighAt = places[topics.RuleHRExtremeHigh]
	extremeLowAt  = places[topics.RuleHRExtremeLow]
)

// Extremes lie at least so far outside of the limits: ALARMS.
const (
	extremeAbove = 20 // /min
	extremeBelow = 10 // /min
)

// pick resolves what is in force for somebody, the lowest first: default, site,
// unit, patient, and right beneath each of these layers the profile that it
// names. at is a time, µs, from which on what expires until then holds no more;
// 0 is now.
func (s *State) pick(who subject, at int64) picks {
	p := picks{
		limits: slices.Clone(defaults), profile: profileAdult, pauseS: topics.DefaultPauseS, pauseMaxS: s.pauseMax(),
		answerS: topics.AnswerWaitS.Default, version: max(who.version, s.Bounds.Version),
	}
	age := topics.AgeGroup_AGE_GROUP_ADULT
	layer := func(name, as string) {
		l := find(s.Layers, name)
		chosen := l != nil && l.Set.GetProfile() != ""
		if chosen {
			set, version := s.profile(l.Set.Profile)
			p.use(set, version)
			age = set.GetAgeGroup()
		}
		if as == topics.LayerPatient && !chosen && who.aged && who.age != age {
			p.use(ofAge(who.age), 0)
		}
		if l != nil {
			p.lay(l, as, at)
		}
	}
	layer(topics.LayerSite, topics.LayerSite)
	if who.unit != "" {
		layer("unit/"+who.unit, topics.LayerUnit)
	}
	layer("patient/"+who.patient, topics.LayerPatient)
	p.pauseS = min(p.pauseS, p.pauseMaxS)
	return p
}

// use lays a profile over what is beneath it.
func (p *picks) use(set *topics.Profile, version uint64) {
	p.profile, p.version = set.GetName(), max(p.version, version)
	for _, l := range set.GetLimits() {
		if i, ok := places[l.GetRule()]; ok {
			p.limits[i] = pick{l, topics.LayerProfile}
		}
	}
}

// lay lays a layer over what is beneath it. A rule that people wrote takes the
// place of the one of its name, and of its limit, which was for that one.
func (p *picks) lay(l *layer, as string, at int64) {
	p.version = max(p.version, l.Version)
	if l.Set.GetPauseS() > 0 {
		p.pauseS = l.Set.PauseS
	}
	if l.Set.GetAnswerWaitS() > 0 {
		p.answerS = l.Set.AnswerWaitS
	}
	for _, r := range l.Set.GetRules() {
		if gone(r.GetExpiresUs(), at) {
			continue
		}
		i, there := slices.BinarySearchFunc(p.rules, r.GetName(), func(x rulePick, n string) int { return strings.Compare(x.rule.GetName(), n) })
		if !there {
			p.rules = slices.Insert(p.rules, i, rulePick{})
		}
		p.rules[i] = rulePick{rule: r, layer: as}
	}
	for _, x := range l.Set.GetLimits() {
		if gone(x.GetExpiresUs(), at) {
			continue
		}
		if i, ok := places[x.GetRule()]; ok {
			p.limits[i] = pick{x, as}
		} else if r := p.rule(x.GetRule()); r != nil {
			r.limit = pick{x, as}
		}
	}
}

func (p *picks) rule(name string) *rulePick {
	for i := range p.rules {
		if p.rules[i].rule.GetName() == name {
			return &p.rules[i]
		}
	}
	return nil
}

func gone(expires, at int64) bool { return expires > 0 && expires <= at }

// same reports that two sets say the same, from the same layers.
func (p *picks) same(q *picks) bool {
	return p.profile == q.profile && p.pauseS == q.pauseS && p.pauseMaxS == q.pauseMaxS && p.answerS == q.answerS &&
		slices.EqualFunc(p.limits, q.limits, pick.same) &&
		slices.EqualFunc(p.rules, q.rules, func(a, b rulePick) bool {
			return a.layer == b.layer && (a.rule == b.rule || proto.Equal(a.rule, b.rule)) && a.limit.same(b.limit)
		})
}

func (p pick) same(q pick) bool {
	return p.layer == q.layer && (p.limit == q.limit || proto.Equal(p.limit, q.limit))
}

// record is the set as it is said: every field of every limit, what follows
// another rule resolved.
func (p *picks) record(unit string) *topics.Limits {
	out := &topics.Limits{Unit: unit, Version: p.version, Profile: p.profile, PauseS: p.pauseS, PauseMaxS: p.pauseMaxS, AnswerWaitS: p.answerS}
	out.Limits = copied(p.limits)
	for i, b := range topics.BuiltIns() {
		if b.Follows != "" {
			follow(out.Limits[i], out.Limits[places[b.Follows]])
		}
	}
	if high, x := out.Limits[highAt], out.Limits[extremeHighAt]; high.Value+extremeAbove > x.Value {
		x.Value = high.Value + extremeAbove
		originate(x, high)
	}
	if low, x := out.Limits[lowAt], out.Limits[extremeLowAt]; low.Value-extremeBelow < x.Value {
		x.Value = low.Value - extremeBelow
		originate(x, low)
	}
	for _, r := range p.rules {
		rule := proto.CloneOf(r.rule)
		rule.Layer = r.layer
		out.Rules = append(out.Rules, rule)
		if r.limit.limit != nil {
			out.Limits = append(out.Limits, r.said())
		}
	}
	return out
}

// copied are limits as they are said. A site's change makes one such set a
// patient, thousands at once: they are made in one piece.
func copied(from []pick) []*topics.Limit {
	out, made := make([]*topics.Limit, len(from)), make([]topics.Limit, len(from))
	latching, quality := make([]bool, len(from)), make([]float64, len(from))
	for i, p := range from {
		l, c := p.limit, &made[i]
		c.Rule, c.Value, c.Unit, c.DurationS, c.Hysteresis, c.Off = l.GetRule(), l.GetValue(), l.GetUnit(), l.GetDurationS(), l.GetHysteresis(), l.GetOff()
		c.Layer, c.Author, c.SetUs, c.Reason, c.ExpiresUs = p.layer, l.GetAuthor(), l.GetSetUs(), l.GetReason(), l.GetExpiresUs()
		latching[i], quality[i] = l.GetLatching(), l.GetQuality()
		c.Priority, c.Latching, c.Quality = l.GetPriority(), &latching[i], &quality[i]
		out[i] = c
	}
	return out
}

// follow gives a limit the value of the rule that it goes by.
func follow(l, by *topics.Limit) {
	l.Value, l.DurationS, l.Hysteresis = by.Value, by.DurationS, by.Hysteresis
	originate(l, by)
}

// originate says where a value comes from, unless somebody has set the rule itself.
func originate(l, from *topics.Limit) {
	if l.Layer == topics.LayerDefault || l.Layer == topics.LayerProfile {
		l.Layer, l.Author, l.SetUs, l.Reason, l.ExpiresUs = from.Layer, from.Author, from.SetUs, from.Reason, from.ExpiresUs
	}
}

// said is the limit of a rule that people wrote: what is not set of it is the rule's own.
func (r *rulePick) said() *topics.Limit {
	latching, quality := r.rule.GetLatching(), r.rule.GetQuality()
	out := &topics.Limit{
		Rule: r.rule.GetName(), Unit: r.rule.GetUnit(), DurationS: r.rule.GetDurationS(), Priority: r.rule.GetPriority(),
		Latching: &latching, Quality: &quality,
		Layer: r.layer, Author: r.rule.GetAuthor(), SetUs: r.rule.GetSetUs(), Reason: r.rule.GetReason(), ExpiresUs: r.rule.GetExpiresUs(),
	}
	l := r.limit.limit
	if l == nil {
		return out
	}
	out.Value, out.Hysteresis, out.Off = l.Value, l.Hysteresis, l.Off
	out.Layer, out.Author, out.SetUs, out.Reason, out.ExpiresUs = r.limit.layer, l.Author, l.SetUs, l.Reason, l.ExpiresUs
	if l.DurationS > 0 {
		out.DurationS = l.DurationS
	}
	if l.Priority != topics.Priority_PRIORITY_UNSPECIFIED {
		out.Priority = l.Priority
	}
	if l.Latching != nil {
		latching = l.GetLatching()
	}
	if l.Quality != nil {
		quality = l.GetQuality()
	}
	return out
}
