package alarms

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// program judges one rule that people wrote. It keeps nothing: what it looks
// back on is in the State.
type program interface {
	// judge says what a second means. limit is the number that the rule's own
	// limit sets; open says that an alarm of it is open, so that what must hold
	// before it is over counts.
	judge(s *State, sec *topics.Second, limit float64, open bool) judgement
}

// judgement is what a rule says of a second. The machine does the rest: it
// waits, raises, calms, latches and suppresses as for the rules of the table.
type judgement struct {
	verdict verdict
	value   float64 // that the text carries
	known   bool
}

// compile makes a rule ready. It is a function of the rule alone.
var compile = func(r *topics.Rule) (program, error) {
	return nil, errors.New("this version judges no rules that people wrote")
}

// free is a rule that people wrote, in a patient.
type free struct {
	rule
	raw     []byte // the rule as it was said
	limit   limit
	program program
	gone    bool // it is no longer in the set, and has an alarm to end
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
		f, err := newFree(text)
		if err != nil {
			return nil, err
		}
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
	f.limit = set
	if one.GetUnit() != "" {
		f.unit = strings.Clone(one.GetUnit())
	}
}

func newFree(text *topics.Rule) (free, error) {
	if text.GetName() == "" || ruleNamed(text.GetName()) >= 0 {
		return free{}, fmt.Errorf("a rule of the name %q: want one that is none of the built-in rules'", text.GetName())
	}
	p, err := compile(text)
	if err != nil {
		return free{}, fmt.Errorf("rule %s: %w", text.GetName(), err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(text)
	if err != nil {
		return free{}, fmt.Errorf("rule %s: %w", text.GetName(), err)
	}
	f := free{raw: raw, program: p, rule: rule{
		name: strings.Clone(text.GetName()), version: max(text.GetVersion(), 1), calm: seconds64(text.GetCalmS()),
		words: strings.Clone(text.GetWords()), unit: strings.Clone(text.GetUnit()), bare: text.GetValue() == "", written: true, step: 1, grow: 0.1,
	}}
	if f.calm == 0 {
		f.calm = calmFree
	}
	if f.words == "" {
		f.words = f.name
	}
	return f, nil
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
