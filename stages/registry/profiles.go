package registry

import (
	"regexp"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Names of the profiles that are built in.
const (
	profileAdult       = "adult"
	profilePaediatric  = "paediatric"
	profileNeonate     = "neonate"
	profilePostSurgery = "post-surgery"
	profilePaced       = "paced"
)

const maxProfiles = 64

// builtInProfiles, with the source of each number in DESIGN.md. Those of ages
// name the same rules, so that one of them replaces another wholly.
var builtInProfiles = []*topics.Profile{
	{Name: profileAdult, AgeGroup: topics.AgeGroup_AGE_GROUP_ADULT, Limits: []*topics.Limit{
		with(topics.RuleAsystole, 4), with(topics.RuleHRExtremeHigh, 140), with(topics.RuleHRExtremeLow, 40),
		with(topics.RuleHRHigh, 120), with(topics.RuleHRLow, 50), with(topics.RulePause, 3),
	}},
	{Name: profilePaediatric, AgeGroup: topics.AgeGroup_AGE_GROUP_PAEDIATRIC, Limits: []*topics.Limit{
		with(topics.RuleAsystole, 4), with(topics.RuleHRExtremeHigh, 180), with(topics.RuleHRExtremeLow, 60),
		with(topics.RuleHRHigh, 160), with(topics.RuleHRLow, 75), with(topics.RulePause, 3),
	}},
	{Name: profileNeonate, AgeGroup: topics.AgeGroup_AGE_GROUP_NEONATE, Limits: []*topics.Limit{
		with(topics.RuleAsystole, 3), with(topics.RuleHRExtremeHigh, 220), with(topics.RuleHRExtremeLow, 60),
		with(topics.RuleHRHigh, 200), with(topics.RuleHRLow, 100), with(topics.RulePause, 2),
	}},
	{Name: profilePostSurgery, AgeGroup: topics.AgeGroup_AGE_GROUP_ADULT, Limits: []*topics.Limit{
		lasting(with(topics.RuleHRHigh, 130), 10), lasting(with(topics.RuleHRLow, 50), 10),
		lasting(ranked(with(topics.RuleAF, 0), topics.Priority_PRIORITY_MEDIUM), 30),
	}},
	{Name: profilePaced, AgeGroup: topics.AgeGroup_AGE_GROUP_ADULT, Limits: []*topics.Limit{
		with(topics.RuleHRHigh, 130), with(topics.RuleHRLow, 50), with(topics.RulePause, 2),
		ranked(with(topics.RuleNoCapture, 3), topics.Priority_PRIORITY_HIGH),
	}},
}

// with is a built-in rule's limit with another value.
func with(rule string, value float64) *topics.Limit {
	l := topics.FindBuiltIn(rule).Limit()
	l.Value, l.Layer = value, topics.LayerProfile
	return l
}

func lasting(l *topics.Limit, seconds float64) *topics.Limit {
	l.DurationS = seconds
	return l
}

func ranked(l *topics.Limit, p topics.Priority) *topics.Limit {
	l.Priority = p
	return l
}

// Profiles are those that are built in.
func Profiles() []*topics.Profile {
	out := make([]*topics.Profile, len(builtInProfiles))
	for i, p := range builtInProfiles {
		out[i] = proto.CloneOf(p)
	}
	return out
}

// profile is the profile of that name with its version, or nil.
func (s *State) profile(name string) (*topics.Profile, uint64) {
	for _, p := range builtInProfiles {
		if p.Name == name {
			return p, 0
		}
	}
	if p := find(s.Profiles, name); p != nil {
		return p.Set, p.Version
	}
	return nil, 0
}

// ofAge is the built-in profile for an age group.
func ofAge(age topics.AgeGroup) *topics.Profile {
	for _, p := range builtInProfiles {
		if p.AgeGroup == age {
			return p
		}
	}
	return builtInProfiles[0]
}

var profileName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// putProfile takes a profile of the site's own, or takes it away.
func (t *turn) putProfile(p *topics.Profile) error {
	if err := t.accountable(); err != nil {
		return err
	}
	if !profileName.MatchString(p.GetName()) {
		return refuse(CodeBadName, "profile %q: a name is 1 to 40 small letters, digits and dashes, and begins with none of these", p.GetName())
	}
	for _, b := range builtInProfiles {
		if b.Name == p.Name {
			return refuse(CodeBadName, "profile %q is built in: choose another name", p.Name)
		}
	}
	old := find(t.state.Profiles, p.Name)
	var version uint64
	if old != nil {
		version = old.Version
	}
	if err := t.seen(version); err != nil {
		return err
	}
	if p.Gone {
		return t.removeProfile(p.Name, old != nil)
	}
	if old == nil && len(t.state.Profiles) >= maxProfiles {
		return refuse(CodeTooMany, "the site has %d profiles: take one away first", maxProfiles)
	}
	if err := checkAge(p.AgeGroup); err != nil {
		return err
	}
	next := &topics.Profile{Name: p.Name, AgeGroup: p.AgeGroup}
	c := limitCheck{turn: t, layer: topics.LayerProfile, beneath: t.state.pick(subject{}, 0)}
	if old != nil {
		c.old = old.Set.Limits
	}
	var err error
	if next.Limits, err = c.limits(p.Limits); err != nil {
		return err
	}
	if old != nil && proto.Equal(old.Set, next) {
		return nil
	}
	t.state.Profiles = insert(t.state.Profiles, profile{Version: t.version, Set: next})
	t.sayProfile(next)
	return t.resolve(everybody)
}

func (t *turn) removeProfile(name string, there bool) error {
	if !there {
		return refuse(CodeUnknownProfile, "profile %q: the site has none of this name", name)
	}
	for _, l := range t.state.Layers {
		if l.Set.GetProfile() == name {
			return refuse(CodeInUse, "profile %q is used by %s: give that another one first", name, l.Name)
		}
	}
	t.state.Profiles = without(t.state.Profiles, name)
	t.sayProfile(&topics.Profile{Name: name, Gone: true})
	return nil
}

func (t *turn) sayProfile(p *topics.Profile) {
	set := t.setting("profile/" + p.Name)
	set.Kind = &topics.Setting_Profile{Profile: proto.CloneOf(p)}
	t.say(set)
}
