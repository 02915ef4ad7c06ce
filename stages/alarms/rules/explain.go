package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// Explanation is a rule in words.
type Explanation struct {
	When, Clear, Value string // sentences; Clear and Value may be empty
	Reads              []Reading
	Cost               int // of maxCost
	MaxCost            int
}

// Reading is one thing that a rule reads.
type Reading struct {
	As     string // as the rule writes it
	Words  string
	Unit   string // UCUM
	Window string // how a window is kept; empty: it is none
	Holds  string // for how long what came is known; empty: it is said each second
}

// Explain says what a rule means, by its limit.
func (r *Rule) Explain(l Limit) Explanation {
	s := saying{r, l}
	e := Explanation{When: s.truth(r.when.ast.Expr()), Cost: r.Cost(), MaxCost: maxCost}
	if r.clear != nil {
		e.Clear = s.truth(r.clear.ast.Expr())
	}
	if r.value != nil {
		e.Value = s.number(r.value.ast.Expr())
	}
	for i := range r.reads {
		e.Reads = append(e.Reads, r.reads[i].reading())
	}
	return e
}

func (r *read) reading() Reading {
	out := Reading{As: r.String(), Words: "the vital of that LOINC code, in the unit in which it was sent"}
	if r.quantity != nil {
		out.Words, out.Unit = r.quantity.Doc, r.quantity.Unit
	}
	if r.stat == slope {
		out.Unit += " a minute"
	}
	if r.stat != none {
		out.Window = fmt.Sprintf("%d × %s, known when half of it is", r.buckets(), spell(time.Duration(r.step())*time.Second))
	}
	if r.held() {
		out.Holds = spell(r.holds())
	}
	return out
}

type saying struct {
	rule  *Rule
	limit Limit
}

var comparisons = map[string]string{
	operators.Less: "below", operators.LessEquals: "at most", operators.Greater: "above", operators.GreaterEquals: "at least", operators.Equals: "equal to", operators.NotEquals: "not equal to",
}

func (s saying) truth(e ast.Expr) string {
	switch e.Kind() {
	case ast.LiteralKind:
		return fmt.Sprint(e.AsLiteral().Value())
	case ast.IdentKind:
		return s.number(e)
	}
	c := e.AsCall()
	args := c.Args()
	switch fn := c.FunctionName(); fn {
	case operators.LogicalAnd, operators.LogicalOr:
		word := map[string]string{operators.LogicalAnd: " and ", operators.LogicalOr: " or "}[fn]
		var parts []string
		for _, a := range args {
			text := s.truth(a)
			if a.Kind() == ast.CallKind && (a.AsCall().FunctionName() == operators.LogicalAnd || a.AsCall().FunctionName() == operators.LogicalOr) && a.AsCall().FunctionName() != fn {
				text = "(" + text + ")"
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, word)
	case operators.LogicalNot:
		return "not (" + s.truth(args[0]) + ")"
	case operators.Conditional:
		return fmt.Sprintf("if %s: %s; else: %s", s.truth(args[0]), s.truth(args[1]), s.truth(args[2]))
	case fnKnown:
		if i, ok := slotOf(args[0]); ok {
			return s.rule.reads[i].words() + " is known"
		}
		return "(" + s.number(args[0]) + ") is known"
	default:
		if truthful(args[0]) {
			return fmt.Sprintf("(%s) is %s (%s)", s.truth(args[0]), comparisons[fn], s.truth(args[1]))
		}
		return fmt.Sprintf("%s is %s %s", s.number(args[0]), comparisons[fn], s.number(args[1]))
	}
}

func (s saying) number(e ast.Expr) string {
	if i, ok := slotOf(e); ok {
		r := &s.rule.reads[i]
		switch {
		case r.name() == limitName && s.limit.Value == s.limit.Value:
			return fmt.Sprintf("the limit of %v", s.limit.Value)
		case r.name() == hysteresisName && s.limit.Hysteresis == s.limit.Hysteresis:
			return fmt.Sprintf("the hysteresis of %v", s.limit.Hysteresis)
		}
		return r.words()
	}
	if d, ok := durationOf(e); ok {
		return spell(d)
	}
	if e.Kind() == ast.LiteralKind {
		if v, ok := e.AsLiteral().(types.Double); ok {
			return fmt.Sprint(float64(v))
		}
		return fmt.Sprint(e.AsLiteral().Value())
	}
	c := e.AsCall()
	args := c.Args()
	switch fn := c.FunctionName(); fn {
	case operators.Negate:
		return "-" + s.bracket(args[0])
	case fnAbs:
		return "the absolute of " + s.bracket(args[0])
	case operators.Conditional:
		return fmt.Sprintf("(if %s: %s; else: %s)", s.truth(args[0]), s.number(args[1]), s.number(args[2]))
	default:
		return fmt.Sprintf("%s %s %s", s.bracket(args[0]), symbols[fn], s.bracket(args[1]))
	}
}

func (s saying) bracket(e ast.Expr) string {
	text := s.number(e)
	if e.Kind() == ast.CallKind && symbols[e.AsCall().FunctionName()] != "" {
		return "(" + text + ")"
	}
	return text
}

// words are a read in a sentence.
func (r *read) words() string {
	name := r.name()
	if r.quantity == nil {
		return "the vital " + r.loinc
	}
	over := "over " + spell(time.Duration(r.seconds)*time.Second)
	switch r.stat {
	case mean:
		return fmt.Sprintf("the mean of %s %s", name, over)
	case least:
		return fmt.Sprintf("the least %s %s", name, over)
	case most:
		return fmt.Sprintf("the most %s %s", name, over)
	case slope:
		return fmt.Sprintf("the change of %s a minute, %s,", name, over)
	case count:
		return fmt.Sprintf("the number of %s %s", name, over)
	}
	switch name {
	case limitName:
		return "its limit"
	case hysteresisName:
		return "its hysteresis"
	}
	return name
}
