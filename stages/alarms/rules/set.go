package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"

	"heartwire/topics"
)

// What the rules of one patient may be together.
const (
	MaxRules  = 32
	maxSeries = 16
	maxHeld   = 16
)

// Set is the rules in force for a patient, with what must be remembered for
// them. It is for any number of patients and goroutines.
type Set struct {
	Rules []*Rule

	series []spec
	held   []string
}

// Find is the rule of that name, or nil.
func (s *Set) Find(name string) *Rule {
	if s == nil {
		return nil
	}
	for _, r := range s.Rules {
		if r.Written.GetName() == name {
			return r
		}
	}
	return nil
}

// MarshalText is the names of the rules: a set is shown as these.
func (s Set) MarshalText() ([]byte, error) {
	var names []string
	for _, r := range s.Rules {
		names = append(names, r.String())
	}
	return []byte(strings.Join(names, ", ")), nil
}

// spec is a series that the rules of a set read.
type spec struct {
	key
	quantity *Quantity
	closed   int
}

// Failed is a rule that cannot be in force.
type Failed struct {
	Rule *topics.Rule
	Err  error
}

// Programs compiles rules and keeps what it compiled: patients of a site have
// mostly the same rules. The zero Programs is ready, and for any number of
// goroutines. What it gives is a function of what it is given alone: that it
// remembers saves time, and nothing else.
type Programs struct {
	mu    sync.Mutex
	known map[string]compiled
	sets  map[string]*entry
}

type compiled struct {
	rule *Rule
	err  error
}

type entry struct {
	set    *Set
	failed []Failed
}

// remembered is how many texts are kept; when there are more, all are
// forgotten and compiled again as they come: who comes first must not decide
// who stays.
const remembered = 4096

// Rule compiles one rule.
func (p *Programs) Rule(r *topics.Rule) (*Rule, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rule(r)
}

func (p *Programs) rule(r *topics.Rule) (*Rule, error) {
	name := string(appendIdentity(nil, r))
	if c, ok := p.known[name]; ok {
		return c.rule, c.err
	}
	var c compiled
	c.rule, c.err = Compile(judged(r))
	if p.known == nil || len(p.known) >= remembered {
		p.known = map[string]compiled{}
	}
	p.known[name] = c
	return c.rule, c.err
}

// judged is the part of a rule by which it is judged and told. Who wrote it, when
// and in which layer makes it no other one: a unit's rule that 1,000 doctors have
// set for their patients is compiled once.
func judged(r *topics.Rule) *topics.Rule {
	return &topics.Rule{
		Name: r.GetName(), Version: r.GetVersion(), When: r.GetWhen(), Clear: r.GetClear(), Value: r.GetValue(), Words: r.GetWords(), Unit: r.GetUnit(),
		Priority: r.GetPriority(), Latching: r.GetLatching(), DurationS: r.GetDurationS(), CalmS: r.GetCalmS(), Quality: r.GetQuality(),
	}
}

// appendIdentity appends all of that: equal rules have equal ones.
func appendIdentity(b []byte, r *topics.Rule) []byte {
	for _, s := range [...]string{r.GetName(), r.GetWhen(), r.GetClear(), r.GetValue(), r.GetWords(), r.GetUnit()} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, f := range [...]float64{r.GetDurationS(), r.GetCalmS(), r.GetQuality()} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	b = binary.AppendUvarint(b, uint64(r.GetVersion()))
	b = binary.AppendVarint(b, int64(r.GetPriority()))
	if r.GetLatching() {
		return append(b, 1)
	}
	return append(b, 0)
}

// Set compiles the rules of one patient. One that cannot be in force is left
// out and said; the others hold. nil: none can.
func (p *Programs) Set(list []*topics.Rule) (*Set, []Failed) {
	if len(list) == 0 {
		return nil, nil
	}
	var name []byte
	for _, r := range list {
		name = appendIdentity(name, r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.sets[string(name)]; ok {
		return e.set, e.failed
	}
	e := p.set(list)
	if p.sets == nil || len(p.sets) >= remembered {
		p.sets = map[string]*entry{}
	}
	p.sets[string(name)] = e
	return e.set, e.failed
}

func (p *Programs) set(list []*topics.Rule) *entry {
	e := &entry{}
	s := &Set{}
	for _, r := range list {
		rule, err := p.rule(r)
		if err == nil {
			err = s.add(rule)
		}
		if err != nil {
			e.failed = append(e.failed, Failed{judged(r), err})
		}
	}
	if len(s.Rules) > 0 {
		e.set = s
	}
	return e
}

// add takes a rule into the set, with what must be remembered for it.
func (s *Set) add(r *Rule) error {
	next := Set{series: slices.Clone(s.series), held: slices.Clone(s.held)}
	for i := range r.reads {
		next.remember(&r.reads[i])
	}
	wrong := func(field, format string, args ...any) error {
		return &Problem{Rule: r.Written.GetName(), Field: field, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.Find(r.Written.GetName()) != nil:
		return wrong("name", "there are two rules of that name")
	case len(s.Rules) == MaxRules:
		return wrong("", "a patient has at most %d rules", MaxRules)
	case len(next.series) > maxSeries:
		return wrong("", "with it the patient's rules would need %d windows: at most %d are kept", len(next.series), maxSeries)
	case len(next.held) > maxHeld:
		return wrong("", "with it the patient's rules would read %d measurements: at most %d are kept", len(next.held), maxHeld)
	}
	s.Rules, s.series, s.held = append(s.Rules, r), next.series, next.held
	return nil
}

func (s *Set) remember(r *read) {
	if r.held() {
		i := sort.SearchStrings(s.held, r.name())
		if i == len(s.held) || s.held[i] != r.name() {
			s.held = append(s.held[:i:i], append([]string{r.name()}, s.held[i:]...)...)
		}
	}
	if r.stat == none {
		return
	}
	k, closed := r.key(), r.buckets()-1
	for i := range s.series {
		if s.series[i].key == k {
			s.series[i].closed = max(s.series[i].closed, closed)
			return
		}
	}
	s.series = append(s.series, spec{k, r.quantity, closed})
	sort.Slice(s.series, func(i, j int) bool { return s.series[i].key.before(s.series[j].key) })
}

func (k key) before(o key) bool {
	if k.name != o.name {
		return k.name < o.name
	}
	if k.stat != o.stat {
		return k.stat < o.stat
	}
	return k.step < o.step
}

// CheckSet says what is wrong with rules that one patient would have together:
// each by itself, two of one name, more than can be remembered.
func CheckSet(list []*topics.Rule) error {
	var p Programs
	_, failed := p.Set(list)
	var errs []error
	for _, f := range failed {
		errs = append(errs, f.Err)
	}
	return errors.Join(errs...)
}

// Problems are the problems that an error of this package joins, in order.
func Problems(err error) (list []*Problem) {
	if err == nil {
		return nil
	}
	var p *Problem
	switch e := err.(type) {
	case *Problem:
		return []*Problem{e}
	case interface{ Unwrap() []error }:
		for _, x := range e.Unwrap() {
			list = append(list, Problems(x)...)
		}
		return list
	}
	if errors.As(err, &p) {
		return []*Problem{p}
	}
	return []*Problem{{Message: strings.TrimSpace(err.Error())}}
}
