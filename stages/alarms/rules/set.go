package rules

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// What the rules of one patient may be together.
const (
	MaxRules  = 32
	maxSeries = 16
	maxHeld   = 16
)

// Set is the rules in force for a patient. It is for any number of patients
// and goroutines.
type Set struct {
	Rules  []*Rule
	Limits []Limit // of each

	series []spec
	held   []string
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

// Rule compiles r, or remembers it.
func (p *Programs) Rule(r *topics.Rule) (*Rule, error) {
	name := identity(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rule(name, r)
}

func (p *Programs) rule(name string, r *topics.Rule) (*Rule, error) {
	if c, ok := p.known[name]; ok {
		return c.rule, c.err
	}
	var c compiled
	c.rule, c.err = Compile(r)
	if p.known == nil || len(p.known) >= remembered {
		p.known = map[string]compiled{}
	}
	p.known[name] = c
	return c.rule, c.err
}

// identity is all of a rule: equal rules have equal ones.
func identity(m proto.Message) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return fmt.Sprint(m)
	}
	return string(b)
}

// Set compiles the rules of l, each with its own limit. A rule that cannot be
// in force is left out and said; the others hold. nil: there is no rule.
func (p *Programs) Set(l *topics.Limits) (*Set, []Failed) {
	if len(l.GetRules()) == 0 {
		return nil, nil
	}
	part := &topics.Limits{Rules: l.GetRules()}
	for _, r := range l.GetRules() {
		for _, x := range l.GetLimits() {
			if x.GetRule() == r.GetName() {
				part.Limits = append(part.Limits, &topics.Limit{Rule: x.GetRule(), Value: x.GetValue(), Hysteresis: x.GetHysteresis()})
			}
		}
	}
	name := identity(part)
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.sets[name]; ok {
		return e.set, e.failed
	}
	e := p.set(part)
	if p.sets == nil || len(p.sets) >= remembered {
		p.sets = map[string]*entry{}
	}
	p.sets[name] = e
	return e.set, e.failed
}

func (p *Programs) set(l *topics.Limits) *entry {
	e := &entry{}
	s := &Set{}
	fail := func(r *topics.Rule, err error) { e.failed = append(e.failed, Failed{r, err}) }
	named := map[string]bool{}
	for _, r := range l.GetRules() {
		rule, err := p.rule(identity(r), r)
		switch {
		case err != nil:
			fail(r, err)
		case named[r.GetName()]:
			fail(r, &Problem{Rule: r.GetName(), Field: "name", Message: "there are two of that name"})
		case len(s.Rules) == MaxRules:
			fail(r, &Problem{Rule: r.GetName(), Message: fmt.Sprintf("a patient has at most %d rules", MaxRules)})
		default:
			if err := s.add(rule, limitOf(l, r)); err != nil {
				fail(r, err)
				continue
			}
			named[r.GetName()] = true
		}
	}
	if len(s.Rules) > 0 {
		e.set = s
	}
	return e
}

func limitOf(l *topics.Limits, r *topics.Rule) Limit {
	for _, x := range l.GetLimits() {
		if x.GetRule() == r.GetName() {
			return Limit{x.GetValue(), x.GetHysteresis()}
		}
	}
	return NoLimit
}

// add takes a rule into the set, with what must be remembered for it.
func (s *Set) add(r *Rule, l Limit) error {
	next := Set{series: append([]spec(nil), s.series...), held: append([]string(nil), s.held...)}
	for i := range r.reads {
		next.remember(&r.reads[i])
	}
	if len(next.series) > maxSeries {
		return &Problem{Rule: r.Written.GetName(), Message: fmt.Sprintf("with it the patient's rules would need %d windows: at most %d are kept", len(next.series), maxSeries)}
	}
	if len(next.held) > maxHeld {
		return &Problem{Rule: r.Written.GetName(), Message: fmt.Sprintf("with it the patient's rules would read %d measurements: at most %d are kept", len(next.held), maxHeld)}
	}
	if math.IsInf(l.Value, 0) || math.IsInf(l.Hysteresis, 0) {
		l = NoLimit
	}
	s.Rules, s.Limits = append(s.Rules, r), append(s.Limits, l)
	s.series, s.held = next.series, next.held
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
	_, failed := p.Set(&topics.Limits{Rules: list})
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
