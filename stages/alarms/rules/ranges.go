package rules

import (
	"fmt"
	"math"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// span is what a number can be: from lo to hi, both included. It is empty where
// lo is above hi.
type span struct{ lo, hi float64 }

var anything = span{math.Inf(-1), math.Inf(1)}

func (s span) empty() bool          { return !(s.lo <= s.hi) }
func (s span) and(o span) span      { return span{max(s.lo, o.lo), min(s.hi, o.hi)} }
func (s span) holds(v float64) bool { return v >= s.lo && v <= s.hi }

// atom is a truth that is no and, or, not of others; neg: it must be false.
type atom struct {
	e   ast.Expr
	neg bool
}

// most conjunctions that are looked at; a rule that is more of them is taken as
// one that can be true.
const mostTerms = 256

// terms are the ways in which e can be true (neg: false): each a list of atoms
// that must all hold. false: there are too many.
func terms(e ast.Expr, neg bool) (list [][]atom, ok bool) {
	if e.Kind() == ast.LiteralKind {
		if b, isBool := e.AsLiteral().(types.Bool); isBool && bool(b) == neg {
			return nil, true
		}
		return [][]atom{nil}, true
	}
	if e.Kind() != ast.CallKind {
		return [][]atom{{{e, neg}}}, true
	}
	args := e.AsCall().Args()
	switch fn := e.AsCall().FunctionName(); {
	case fn == operators.LogicalNot:
		return terms(args[0], !neg)
	case fn == operators.LogicalAnd && !neg, fn == operators.LogicalOr && neg:
		return both(args, neg)
	case fn == operators.LogicalAnd, fn == operators.LogicalOr:
		for _, a := range args {
			more, ok := terms(a, neg)
			if list = append(list, more...); !ok || len(list) > mostTerms {
				return nil, false
			}
		}
		return list, true
	case fn == operators.Conditional:
		for _, way := range []struct {
			e   ast.Expr
			neg bool
		}{{args[1], false}, {args[2], true}} {
			c, ok1 := terms(args[0], way.neg)
			v, ok2 := terms(way.e, neg)
			if list = append(list, product(c, v)...); !ok1 || !ok2 || len(list) > mostTerms {
				return nil, false
			}
		}
		return list, true
	}
	return [][]atom{{{e, neg}}}, true
}

func both(args []ast.Expr, neg bool) ([][]atom, bool) {
	list := [][]atom{nil}
	for _, a := range args {
		more, ok := terms(a, neg)
		if list = product(list, more); !ok || len(list) > mostTerms {
			return nil, false
		}
	}
	return list, true
}

func product(a, b [][]atom) (list [][]atom) {
	for _, x := range a {
		for _, y := range b {
			if list = append(list, append(append([]atom(nil), x...), y...)); len(list) > mostTerms {
				return list
			}
		}
	}
	return list
}

// possible is what the reads of a rule can be, by what has been said of them.
type possible struct {
	rule  *Rule
	spans []span
	empty int // the read of which no value is left; -1: none
}

func (r *Rule) possible(limit Limit) possible {
	p := possible{r, make([]span, len(r.reads)), -1}
	for i := range r.reads {
		switch of := &r.reads[i]; {
		case of.name() == limitName && limit.Value == limit.Value:
			p.spans[i] = span{limit.Value, limit.Value}
		case of.name() == hysteresisName && limit.Hysteresis == limit.Hysteresis:
			p.spans[i] = span{limit.Hysteresis, limit.Hysteresis}
		case of.quantity == nil, of.stat == slope:
			p.spans[i] = anything
		case of.stat == count:
			p.spans[i] = span{0, of.quantity.To * float64(of.seconds)}
		default:
			p.spans[i] = span{of.quantity.From, of.quantity.To}
		}
	}
	return p
}

// holds reports that all atoms can hold together.
func (p *possible) holds(list []atom) bool {
	for range 4 { // each round can narrow what the one before has left
		for _, a := range list {
			if !p.narrow(a) {
				return false
			}
		}
		if !p.ordered() {
			return false
		}
	}
	return true
}

// ordered says that of one window the least is not above the mean, nor that
// above the most.
func (p *possible) ordered() bool {
	for i := range p.rule.reads {
		for k := range p.rule.reads {
			a, b := &p.rule.reads[i], &p.rule.reads[k]
			if a.name() != b.name() || a.seconds != b.seconds || rank(a.stat) == 0 || rank(a.stat) >= rank(b.stat) {
				continue
			}
			if !p.set(i, span{p.spans[i].lo, p.spans[k].hi}) || !p.set(k, span{p.spans[i].lo, p.spans[k].hi}) {
				return false
			}
		}
	}
	return true
}

func rank(s statistic) int {
	switch s {
	case least:
		return 1
	case mean:
		return 2
	case most:
		return 3
	}
	return 0
}

func (p *possible) set(i int, s span) bool {
	if p.spans[i] = p.spans[i].and(s); p.spans[i].empty() && p.empty < 0 {
		p.empty = i
	}
	return !p.spans[i].empty()
}

var negated = map[string]string{
	operators.Less: operators.GreaterEquals, operators.LessEquals: operators.Greater, operators.Greater: operators.LessEquals, operators.GreaterEquals: operators.Less,
	operators.Equals: operators.NotEquals, operators.NotEquals: operators.Equals,
}

var mirrored = map[string]string{
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals, operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
}

// narrow takes in that the atom holds; false: it cannot.
func (p *possible) narrow(a atom) bool {
	if i, ok := slotOf(a.e); ok { // a truth that is read
		if a.neg {
			return p.set(i, span{0, 0})
		}
		return p.set(i, span{1, 1})
	}
	if a.e.Kind() != ast.CallKind || len(a.e.AsCall().Args()) != 2 {
		return true
	}
	op, args := a.e.AsCall().FunctionName(), a.e.AsCall().Args()
	if a.neg {
		op = negated[op]
	}
	if op == "" || truthful(args[0]) || truthful(args[1]) {
		return true
	}
	l, r := p.span(args[0]), p.span(args[1])
	left, isLeft := slotOf(args[0])
	right, isRight := slotOf(args[1])
	if l.empty() || r.empty() || !compares(op, l, r) {
		switch {
		case p.empty >= 0:
		case isLeft:
			p.empty = left
		case isRight:
			p.empty = right
		}
		return false
	}
	return (!isLeft || p.set(left, side(op, r))) && (!isRight || p.set(right, side(mirrored[op], l)))
}

// truthful reports a truth, which == and != can compare too.
func truthful(e ast.Expr) bool {
	switch e.Kind() {
	case ast.LiteralKind:
		_, is := e.AsLiteral().(types.Bool)
		return is
	case ast.IdentKind:
		return e.AsIdent()[0] == slotName(Truth, 0)[0]
	}
	fn := e.AsCall().FunctionName()
	return negated[fn] != "" || fn == operators.LogicalAnd || fn == operators.LogicalOr || fn == operators.LogicalNot || fn == fnKnown ||
		fn == operators.Conditional && truthful(e.AsCall().Args()[1])
}

// side is what x can be where x op o.
func side(op string, o span) span {
	switch op {
	case operators.Less:
		return span{math.Inf(-1), math.Nextafter(o.hi, math.Inf(-1))}
	case operators.LessEquals:
		return span{math.Inf(-1), o.hi}
	case operators.Greater:
		return span{math.Nextafter(o.lo, math.Inf(1)), math.Inf(1)}
	case operators.GreaterEquals:
		return span{o.lo, math.Inf(1)}
	case operators.Equals:
		return o
	}
	return anything
}

func compares(op string, l, r span) bool {
	switch op {
	case operators.Less:
		return l.lo < r.hi
	case operators.LessEquals:
		return l.lo <= r.hi
	case operators.Greater:
		return l.hi > r.lo
	case operators.GreaterEquals:
		return l.hi >= r.lo
	case operators.Equals:
		return !l.and(r).empty()
	case operators.NotEquals:
		return !(l.lo == l.hi && l == r)
	}
	return true
}

func slotOf(e ast.Expr) (int, bool) {
	if e.Kind() == ast.IdentKind && isSlot(e.AsIdent()) {
		return slotAt(e.AsIdent()), true
	}
	return 0, false
}

// span is what a number can be.
func (p *possible) span(e ast.Expr) span {
	if i, ok := slotOf(e); ok {
		return p.spans[i]
	}
	if d, ok := durationOf(e); ok {
		return span{d.Seconds(), d.Seconds()}
	}
	if e.Kind() == ast.LiteralKind {
		if v, ok := e.AsLiteral().(types.Double); ok {
			return span{float64(v), float64(v)}
		}
		return anything
	}
	if e.Kind() != ast.CallKind {
		return anything
	}
	args := e.AsCall().Args()
	switch fn := e.AsCall().FunctionName(); fn {
	case operators.Negate:
		a := p.span(args[0])
		return span{-a.hi, -a.lo}
	case fnAbs:
		a := p.span(args[0])
		if a.holds(0) {
			return span{0, max(-a.lo, a.hi)}
		}
		return span{min(math.Abs(a.lo), math.Abs(a.hi)), max(math.Abs(a.lo), math.Abs(a.hi))}
	case operators.Conditional:
		a, b := p.span(args[1]), p.span(args[2])
		return span{min(a.lo, b.lo), max(a.hi, b.hi)}
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide:
		return arithmeticSpan(fn, p.span(args[0]), p.span(args[1]))
	}
	return anything
}

func arithmeticSpan(op string, a, b span) span {
	var corners [4]float64
	switch op {
	case operators.Add:
		corners = [4]float64{a.lo + b.lo, a.hi + b.hi, a.lo + b.lo, a.hi + b.hi}
	case operators.Subtract:
		corners = [4]float64{a.lo - b.hi, a.hi - b.lo, a.lo - b.hi, a.hi - b.lo}
	case operators.Multiply:
		corners = [4]float64{a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi}
	case operators.Divide:
		if b.holds(0) {
			return anything
		}
		corners = [4]float64{a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi}
	}
	s := span{corners[0], corners[0]}
	for _, c := range corners {
		if c != c {
			return anything
		}
		s.lo, s.hi = min(s.lo, c), max(s.hi, c)
	}
	return s
}

// can reports that e can be true (neg: false), and where it cannot and one
// quantity is why, which.
func (r *Rule) can(e *expression, neg bool, l Limit) (bool, *read) {
	list, ok := terms(e.ast.Expr(), neg)
	if !ok {
		return true, nil
	}
	var why *read
	for _, t := range list {
		p := r.possible(l)
		if p.holds(t) {
			return true, nil
		}
		if p.empty >= 0 && why == nil {
			why = &r.reads[p.empty]
		}
	}
	return false, why
}

// never says why the rule can never be true, or its alarm never be over, by its
// limit (NaN: any); nil: it can.
func (r *Rule) never(limit Limit) *Problem {
	if ok, why := r.can(r.when, false, limit); !ok {
		return &Problem{Rule: r.Written.GetName(), Field: "when", Message: "it can never be true" + because(why, limit)}
	}
	if r.clear == nil {
		return nil
	}
	if ok, why := r.can(r.clear, false, limit); !ok {
		return &Problem{Rule: r.Written.GetName(), Field: "clear", Message: "it can never be true, and its alarm would never end" + because(why, limit)}
	}
	return nil
}

// always says that the rule is true whenever it can be told.
func (r *Rule) always(limit Limit) *Problem {
	if ok, _ := r.can(r.when, true, limit); ok {
		return nil
	}
	return &Problem{Rule: r.Written.GetName(), Field: "when", Message: "it is always true: it would be one alarm without an end"}
}

func because(why *read, limit Limit) string {
	if why == nil || why.quantity == nil {
		return ""
	}
	q := why.quantity
	if q.Name == limitName {
		return fmt.Sprintf(": no value can be beyond its limit of %v", limit.Value)
	}
	if q.Kind == Truth {
		return fmt.Sprintf(": %s would have to be true and false", why)
	}
	if why.stat != none && why.stat != mean && why.stat != least && why.stat != most || math.IsInf(q.To, 0) {
		return fmt.Sprintf(": no value of %s is left", why)
	}
	if q.Kind == TimeOfDay {
		return fmt.Sprintf(": no %s, 0h to 24h, is left", why)
	}
	return fmt.Sprintf(": no value of %s, which is %v to %v %s, is left", why, q.From, q.To, unitWords(q.Unit))
}
