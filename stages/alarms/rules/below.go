package rules

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// falls reports that the first comparison of e that has the limit on one side,
// or the rule's value, holds when what is compared with it is low.
func (r *Rule) falls(e ast.Expr, neg bool) bool {
	falls, _ := r.direction(e, neg)
	return falls
}

func (r *Rule) direction(e ast.Expr, neg bool) (falls, found bool) {
	if e.Kind() != ast.CallKind {
		return false, false
	}
	c := e.AsCall()
	if mirrored[c.FunctionName()] == "" {
		neg = neg != (c.FunctionName() == operators.LogicalNot)
		for _, a := range c.Args() {
			if falls, found := r.direction(a, neg); found {
				return falls, true
			}
		}
		return false, false
	}
	op, left, right := c.FunctionName(), c.Args()[0], c.Args()[1]
	switch {
	case r.limits(right) || r.isValue(left):
	case r.limits(left) || r.isValue(right):
		op = mirrored[op]
	default:
		return false, false
	}
	if neg {
		op = negated[op]
	}
	return op == operators.Less || op == operators.LessEquals, true
}

// compares reports that when holds the value against the limit, so that a text
// of both is what it looks like.
func (r *Rule) compares() (yes bool) {
	ast.PostOrderVisit(r.when.ast.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.Kind() != ast.CallKind || mirrored[x.AsCall().FunctionName()] == "" {
			return
		}
		left, right := x.AsCall().Args()[0], x.AsCall().Args()[1]
		v := r.value.ast.Expr()
		yes = yes || r.limits(right) && same(left, v) || r.limits(left) && same(right, v)
	}))
	return yes
}

// same reports that two expressions are.
func same(a, b ast.Expr) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case ast.IdentKind:
		return a.AsIdent() == b.AsIdent()
	case ast.LiteralKind:
		return a.AsLiteral().Equal(b.AsLiteral()) == types.True
	case ast.CallKind:
		x, y := a.AsCall(), b.AsCall()
		if x.FunctionName() != y.FunctionName() || len(x.Args()) != len(y.Args()) {
			return false
		}
		for i := range x.Args() {
			if !same(x.Args()[i], y.Args()[i]) {
				return false
			}
		}
		return true
	}
	return false
}

// limits reports that the rule's limit stands in e.
func (r *Rule) limits(e ast.Expr) (yes bool) {
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) {
		if i, ok := slotOf(x); ok && r.reads[i].name() == limitName {
			yes = true
		}
	}))
	return yes
}

// isValue reports that e is what the rule gives as its value.
func (r *Rule) isValue(e ast.Expr) bool {
	return r.value != nil && same(e, r.value.ast.Expr())
}
