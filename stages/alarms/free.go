package alarms

import (
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	cel "heartwire/stages/alarms/rules"
	"heartwire/topics"
)

// programs compiles them, once for all patients of a site. What it gives is a
// function of the rules alone.
var programs cel.Programs

// free is a rule that people wrote, in a patient.
type free struct {
	rule
	raw   []byte // the rule as it was said
	limit limit
	gone  bool // it is no longer in the set, and has an alarm to end
	condition
}

const (
	mostFree = 32 // of a patient: the registry allows no more
	calmFree = 10 * time.Second
)

// rewrite is the list of the rules that people wrote as a set says it. A rule
// keeps its life under its name, whatever version it is of; an alarm of one that
// is no more ends as off with the next second.
func (s *State) rewrite(l *topics.Limits, layers *[]*layer) ([]free, error) {
	if len(l.GetRules()) > mostFree {
		return nil, fmt.Errorf("%d rules that people wrote: want at most %d of a patient", len(l.GetRules()), mostFree)
	}
	var list []free
	for _, text := range l.GetRules() {
		f := newFree(text)
		for k := range list {
			if list[k].name == f.name {
				return nil, fmt.Errorf("rule %s stands twice", f.name)
			}
		}
		f.limit = limit{
			duration: seconds64(text.GetDurationS()), quality: text.GetQuality(), priority: text.GetPriority(), latching: text.GetLatching(),
			layer: intern(layers, layer{text.GetLayer(), text.GetAuthor(), text.GetReason(), text.GetSetUs(), text.GetExpiresUs()}),
		}
		for _, one := range l.GetLimits() {
			if one.GetRule() == f.name {
				f.override(one, layers)
			}
		}
		if err := f.possible(); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	for k := range s.free {
		f := &s.free[k]
		at := -1
		for n := range list {
			if list[n].name == f.name {
				at = n
			}
		}
		switch {
		case at >= 0:
			list[at].condition = f.condition
		case f.open != nil || f.latched != nil:
			f.limit.off, f.gone = true, true
			list = append(list, *f)
		}
	}
	return list, nil
}

// override lays a rule's own limit over what the rule says of itself.
func (f *free) override(one *topics.Limit, layers *[]*layer) {
	set := asLimit(one, intern(layers, layer{one.GetLayer(), one.GetAuthor(), one.GetReason(), one.GetSetUs(), one.GetExpiresUs()}))
	if one.Priority == topics.Priority_PRIORITY_UNSPECIFIED {
		set.priority = f.limit.priority
	}
	if one.Latching == nil {
		set.latching = f.limit.latching
	}
	if one.Quality == nil {
		set.quality = f.limit.quality
	}
	f.limit, f.limited = set, true
	if one.GetUnit() != "" {
		f.unit = strings.Clone(one.GetUnit())
	}
}

// newFree is a rule in words. What it is judged by comes with compose.
func newFree(text *topics.Rule) free {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(text)
	if err != nil { // no field is of a kind that cannot be written down
		raw = nil
	}
	f := free{raw: raw, rule: rule{
		name: strings.Clone(text.GetName()), version: max(text.GetVersion(), 1), calm: seconds64(text.GetCalmS()),
		words: strings.Clone(text.GetWords()), unit: strings.Clone(text.GetUnit()), written: true, step: 1, grow: 0.1,
	}}
	if f.calm == 0 {
		f.calm = calmFree
	}
	if f.words == "" {
		f.words = f.name
	}
	return f
}

// compose compiles the rules in force, and fits to them what is remembered. One
// that cannot be judged, though the registry let it in or an older version could,
// takes nothing from the others: rule-broken says so.
func (s *State) compose() {
	var texts []*topics.Rule
	for k := range s.free {
		f, text := &s.free[k], new(topics.Rule)
		switch err := proto.Unmarshal(f.raw, text); {
		case err != nil:
		case f.gone: // it is judged no more, and tells its end
			f.program, _ = programs.Rule(text)
		default:
			texts = append(texts, text)
		}
	}
	s.set, _ = programs.Set(texts)
	for k := range s.free {
		f := &s.free[k]
		if !f.gone {
			f.program = s.set.Find(f.name)
		}
		if f.program != nil && f.program.NeedsLimit() && !f.limited {
			f.program = nil // it could never be told
		}
		f.below = f.program != nil && f.program.Below()
	}
	s.history.Fit(s.set)
}

// broken is the name of the first rule that cannot be judged; empty: all can.
func (s *State) broken() string {
	for k := range s.free {
		if f := &s.free[k]; f.program == nil && !f.gone && !f.limit.off {
			return f.name
		}
	}
	return ""
}

// judgeBroken is the verdict of rule-broken.
func (s *State) judgeBroken() verdict {
	if s.broken() != "" {
		return over
	}
	return clear
}

// moment is what rules that people wrote are judged by.
func (s *State) moment(sec *topics.Second, zone *time.Location) cel.Moment {
	m := cel.Moment{Second: sec, NowUs: s.now, Zone: zone}
	for is := range s.heard {
		needs := settled
		if topics.Rhythm(is) == topics.Rhythm_RHYTHM_AF {
			needs = settledAF
		}
		switch h := &s.heard[is]; {
		case h.open:
			m.Open |= 1 << is
		case h.cut && h.seen < needs:
			m.Unsure |= 1 << is
		}
	}
	return m
}

// judge is what a second says of a rule that people wrote.
func (f *free) judge(s *State, m *cel.Moment, e *event) {
	if f.gone || f.program == nil {
		e.verdict = clear
		if !f.gone {
			e.verdict = unknown
		}
		return
	}
	l := f.own(f.limit.value)
	l.Hysteresis = f.limit.hysteresis
	e.verdict = verdict(f.program.Judge(&s.history, m, l, f.phase.open()))
	if e.verdict == over || f.phase.open() {
		e.value, e.known = f.program.Value(&s.history, m, l)
	}
	if !e.known {
		e.value = math.NaN() // there is none: 0 would be one
	}
}

// own is a rule's own limit.
func (r *rule) own(value float64) cel.Limit {
	if !r.limited {
		return cel.NoLimit
	}
	return cel.Limit{Value: value}
}

// possible checks what a machine cannot run on.
func (f *free) possible() error {
	l := &f.limit
	switch {
	case !(l.duration >= 0 && l.duration <= time.Hour):
		return fmt.Errorf("rule %s for %v: want 0 to 1 h", f.name, l.duration)
	case !(f.calm > 0 && f.calm <= time.Hour):
		return fmt.Errorf("rule %s with a calm of %v: want up to 1 h", f.name, f.calm)
	case !(l.quality >= 0 && l.quality < 1):
		return fmt.Errorf("rule %s with a quality of %v: want 0 to below 1", f.name, l.quality)
	case l.value != l.value:
		return fmt.Errorf("rule %s with a limit that is no number", f.name)
	case l.priority < topics.Priority_PRIORITY_LOW || l.priority > topics.Priority_PRIORITY_HIGH:
		return fmt.Errorf("rule %s of %v: want LOW, MEDIUM or HIGH", f.name, l.priority)
	}
	return nil
}

// Lines are the rules of the table, then those that people wrote.
func (s *State) lines() int { return ruleCount + len(s.free) }

func (s *State) rule(i int) *rule {
	if i < ruleCount {
		return &rules[i]
	}
	return &s.free[i-ruleCount].rule
}

func (s *State) condition(i int) *condition {
	if i < ruleCount {
		return &s.conditions[i]
	}
	return &s.free[i-ruleCount].condition
}

func (s *State) limitOf(i int) *limit {
	if i < ruleCount {
		return s.limits.at(i)
	}
	return &s.free[i-ruleCount].limit
}

// unitOf is the unit of a rule's values.
func (s *State) unitOf(name string) string {
	for i := range s.lines() {
		if r := s.rule(i); r.name == name {
			return r.unit
		}
	}
	return ""
}

// tidy forgets the rules that are no more, once their alarms have ended.
func (s *State) tidy() {
	kept := s.free[:0]
	for k := range s.free {
		if f := &s.free[k]; !f.gone || f.open != nil || f.latched != nil {
			kept = append(kept, *f)
		}
	}
	for k := len(kept); k < len(s.free); k++ {
		s.free[k] = free{}
	}
	s.free = kept
}
