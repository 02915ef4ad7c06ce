package rules

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
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
	if r.value == nil {
		return false
	}
	i, ok := slotOf(e)
	k, is := slotOf(r.value.ast.Expr())
	return ok && is && i == k
}
