package registry

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

const (
	maxUnitLayers = 500
	// maxLayerBytes bounds what all layers, profiles and accounts take of the
	// one record in which the state is kept.
	maxLayerBytes = 1 << 20
)

var reasonCode = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// authored refuses what nobody has asked for.
func (t *turn) authored() error {
	if !accountName.MatchString(t.req.GetAuthor()) {
		return refuse(CodeNoAuthor, "author %q: name the account that asks, 1 to 64 letters, digits, dots, dashes, underscores or @", t.req.GetAuthor())
	}
	return nil
}

// accountable refuses a change of what judges without who and why.
func (t *turn) accountable() error {
	if err := t.authored(); err != nil {
		return err
	}
	if !reasonCode.MatchString(t.req.GetReason()) {
		return refuse(CodeNoReason, "reason %q: say why by a code of small letters, digits and dashes, such as clinical-order or nuisance", t.req.GetReason())
	}
	return nil
}

// place is what a layer is of.
type place struct {
	of   string // site, unit/4W, patient/p01
	kind string // topics.LayerSite, LayerUnit or LayerPatient
	name string // of the unit or the patient
}

func placeOf(of string) (place, error) {
	kind, name, named := strings.Cut(of, "/")
	switch {
	case of == topics.LayerSite:
		return place{of, kind, ""}, nil
	case named && kind == topics.LayerUnit:
		return place{of, kind, name}, checkUnit(name)
	case named && kind == topics.LayerPatient && pseudonym.MatchString(name):
		return place{of, kind, name}, nil
	}
	return place{}, refuse(CodeBadName, "%q is no layer: say site, unit/NAME or patient/NAME", of)
}

// subject is for whom a layer is looked at by itself.
func (s *State) subject(p place) (subject, error) {
	switch p.kind {
	case topics.LayerUnit:
		return subject{unit: p.name}, nil
	case topics.LayerPatient:
		pt := find(s.Patients, p.name)
		switch {
		case pt == nil:
			return subject{}, refuse(CodeUnknownPatient, "patient %q is not admitted: put the patient first", p.name)
		case pt.Discharged:
			return subject{}, refuse(CodeDischarged, "patient %q is discharged: admit the patient again first", p.name)
		}
		return pt.subject(), nil
	}
	return subject{}, nil
}

// putLayer takes the whole of a layer in place of what it said before. A value
// that stays keeps its author, time and reason.
func (t *turn) putLayer(l *topics.Layer) error {
	if err := t.accountable(); err != nil {
		return err
	}
	of, err := placeOf(l.GetOf())
	if err != nil {
		return err
	}
	who, err := t.state.subject(of)
	if err != nil {
		return err
	}
	old := layer{Name: of.of}
	if l := find(t.state.Layers, of.of); l != nil {
		old = *l
	}
	if err := t.seen(old.Version); err != nil {
		return err
	}
	if old.Set == nil && of.kind == topics.LayerUnit && t.units() >= maxUnitLayers {
		return refuse(CodeTooMany, "%d units have limits of their own, and no more can", maxUnitLayers)
	}
	next, err := t.layer(of, who, l, old.Set)
	if err != nil {
		return err
	}
	if old.Set == nil && proto.Equal(next, &topics.Layer{Of: of.of}) || old.Set != nil && proto.Equal(old.Set, next) {
		return nil
	}
	t.state.Layers = insert(t.state.Layers, layer{Name: of.of, Version: t.version, Set: next})
	if t.state.layerBytes() > maxLayerBytes {
		return refuse(CodeTooMany, "the limits, rules and accounts of this site take over %d bytes: clear what is not needed", maxLayerBytes)
	}
	t.state.schedule()
	t.say(t.layerSetting(next))
	return t.resolve(of)
}

// layer is the layer as it will be kept, checked.
func (t *turn) layer(of place, who subject, l, old *topics.Layer) (*topics.Layer, error) {
	next := &topics.Layer{Of: of.of, Profile: l.GetProfile(), PauseS: l.GetPauseS(), AnswerWaitS: l.GetAnswerWaitS()}
	if next.Profile != "" {
		if set, _ := t.state.profile(next.Profile); set == nil {
			return nil, refuse(CodeUnknownProfile, "profile %q: there are %s", next.Profile, strings.Join(t.state.profileNames(), ", "))
		}
	}
	if err := t.checkPause(of, next.PauseS); err != nil {
		return nil, err
	}
	if err := checkAnswerWait(of, next.AnswerWaitS); err != nil {
		return nil, err
	}
	rules, err := t.rules(of.kind, l.GetRules(), old.GetRules())
	if err != nil {
		return nil, err
	}
	next.Rules = rules
	c := limitCheck{turn: t, layer: of.kind, old: old.GetLimits(), rules: rules, lethalOff: l.GetLethalOff(), beneath: t.state.beneath(of, who, next.Profile)}
	if next.Limits, err = c.limits(l.GetLimits()); err != nil {
		return nil, err
	}
	if next.LethalOff, err = c.words(next.Limits); err != nil {
		return nil, err
	}
	return next, nil
}

// beneath is what holds where a layer says nothing.
func (s *State) beneath(of place, who subject, profile string) picks {
	bare := *s
	bare.Layers = insert(s.Layers, layer{Name: of.of, Set: &topics.Layer{Of: of.of, Profile: profile}})
	return bare.pick(who, 0)
}

func (t *turn) checkPause(of place, seconds float64) error {
	if err := checkNumber("pause_s", seconds); err != nil {
		return err
	}
	switch most := t.state.pauseMax(); {
	case seconds == 0:
	case of.kind == topics.LayerPatient:
		return refuse(CodeBadRequest, "pause_s: the site and units say how long a pause lasts; of a patient leave it at 0")
	case seconds < leastPauseS || seconds > most:
		return refuse(CodeOutOfBounds, "pause_s of %v: want %v to %v s", seconds, leastPauseS, most)
	}
	return nil
}

func checkAnswerWait(of place, seconds float64) error {
	if err := checkNumber("answer_wait_s", seconds); err != nil {
		return err
	}
	switch {
	case seconds == 0:
	case of.kind == topics.LayerPatient:
		return refuse(CodeBadRequest, "answer_wait_s: the site and units say how long a HIGH alarm waits for an answer; of a patient leave it at 0")
	case !topics.AnswerWaitS.Holds(seconds):
		return refuse(CodeOutOfBounds, "answer_wait_s of %v: want %v to %v s", seconds, topics.AnswerWaitS.From, topics.AnswerWaitS.To)
	}
	return nil
}

func (t *turn) units() (n int) {
	for _, l := range t.state.Layers {
		if strings.HasPrefix(l.Name, "unit/") {
			n++
		}
	}
	return n
}

func (s *State) profileNames() (names []string) {
	for _, p := range builtInProfiles {
		names = append(names, p.Name)
	}
	for _, p := range s.Profiles {
		names = append(names, p.Set.GetName())
	}
	return names
}

// layerBytes is about what layers, profiles and accounts take.
func (s *State) layerBytes() (n int) {
	for _, l := range s.Layers {
		n += proto.Size(l.Set) + len(l.Name) + 12
	}
	for _, p := range s.Profiles {
		n += proto.Size(p.Set) + 12
	}
	for _, a := range s.Accounts {
		n += proto.Size(a.Set) + 12
	}
	return n
}

// schedule notes when the next value expires.
func (s *State) schedule() {
	s.due = 0
	for _, l := range s.Layers {
		each := func(us int64) {
			if us > 0 && (s.due == 0 || us < s.due) {
				s.due = us
			}
		}
		for _, x := range l.Set.GetLimits() {
			each(x.GetExpiresUs())
		}
		for _, r := range l.Set.GetRules() {
			each(r.GetExpiresUs())
		}
	}
}

// expired is a layer without what is over, and whether that is another.
func (l *layer) expired(now int64) (*topics.Layer, bool) {
	next := proto.CloneOf(l.Set)
	next.Limits = slices.DeleteFunc(next.Limits, func(x *topics.Limit) bool { return gone(x.GetExpiresUs(), now) })
	next.Rules = slices.DeleteFunc(next.Rules, func(x *topics.Rule) bool { return gone(x.GetExpiresUs(), now) })
	next.LethalOff = slices.DeleteFunc(next.LethalOff, func(rule string) bool {
		return !slices.ContainsFunc(next.Limits, func(x *topics.Limit) bool { return x.GetRule() == rule })
	})
	return next, len(next.Limits) != len(l.Set.Limits) || len(next.Rules) != len(l.Set.Rules)
}

// checkExpiry refuses what would be over before it begins.
func (t *turn) checkExpiry(name string, us int64) error {
	now := t.now()
	switch {
	case us < 0:
		return refuse(CodeNegative, "%s: expires_us of %d is below 0: say when it is over, in µs since 1970, or 0 for never", name, us)
	case us > 0 && us <= now:
		return refuse(CodeExpired, "%s would be over at %s, and it is %s: say a later time, or none", name,
			topics.MicroTime(us).Format(time.DateTime), topics.MicroTime(now).Format(time.DateTime))
	}
	return nil
}

// now is the time of the log, or where there is none yet of the request.
func (t *turn) now() int64 {
	if t.state.Wall > 0 {
		return t.state.Wall
	}
	return t.req.GetTimeUs()
}

func (t *turn) layerSetting(l *topics.Layer) *topics.Setting {
	set := t.setting("layer/" + l.Of)
	set.Kind = &topics.Setting_Layer{Layer: proto.CloneOf(l)}
	return set
}
