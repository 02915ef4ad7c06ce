package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// naming puts what an expression reads into slots, and refuses what is no part
// of the language, each with its place.
type naming struct {
	reads   *[]read
	info    *ast.SourceInfo
	factory ast.ExprFactory
	wrong   func(line, column int, format string, args ...any)
}

// report points to where a name begins, and not to its last dot.
func (n *naming) report(e ast.Expr, format string, args ...any) {
	for {
		if e.Kind() == ast.SelectKind {
			e = e.AsSelect().Operand()
		} else if e.Kind() == ast.CallKind && e.AsCall().IsMemberFunction() {
			e = e.AsCall().Target()
		} else {
			break
		}
	}
	at := n.info.GetStartLocation(e.ID())
	n.wrong(at.Line(), at.Column(), format, args...)
}

var permitted = []string{
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.Equals, operators.NotEquals, operators.Less,
	operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Add, operators.Subtract, operators.Multiply, operators.Divide,
	operators.Negate, fnKnown, fnAbs,
}

var loops = []string{"all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap", "transformMapEntry", "sortBy", "bind"}

func (n *naming) expression(e ast.Expr) {
	switch e.Kind() {
	case ast.LiteralKind:
		n.literal(e)
	case ast.IdentKind, ast.SelectKind:
		if name, ok := dotted(e); ok {
			n.name(e, name)
		} else {
			n.report(e, "a name cannot be taken from a value")
		}
	case ast.CallKind:
		n.call(e)
	case ast.ListKind, ast.MapKind, ast.StructKind:
		n.report(e, "a rule has no lists and no maps: write a || b")
	case ast.ComprehensionKind:
		n.report(e, "a rule has no loops")
	default:
		n.report(e, "this is no expression")
	}
}

// literal makes every number a double, so that hr * 2 is what it looks like.
func (n *naming) literal(e ast.Expr) {
	switch v := e.AsLiteral().(type) {
	case types.Int:
		e.SetKindCase(n.factory.NewLiteral(e.ID(), types.Double(v)))
	case types.Uint:
		e.SetKindCase(n.factory.NewLiteral(e.ID(), types.Double(v)))
	case types.Double:
		if f := float64(v); f-f != 0 {
			n.report(e, "a number beyond all bounds")
		}
	case types.Bool:
	default:
		n.report(e, "a rule has no texts: want a number, a truth or a time such as 30s")
	}
}

// dotted is a name with its dots: pvc.perMinute.
func dotted(e ast.Expr) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return strings.TrimPrefix(e.AsIdent(), "."), true
	case ast.SelectKind:
		s := e.AsSelect()
		of, ok := dotted(s.Operand())
		return of + "." + s.FieldName(), ok && !s.IsTestOnly()
	}
	return "", false
}

func (n *naming) name(e ast.Expr, name string) {
	q := quantity(name)
	if q == nil {
		if of, stat := cutLast(name); quantity(of) != nil && statisticNamed(stat) != none {
			n.report(e, "%s wants a time: %s(30s)", name, name)
			return
		}
		n.unknown(e, name)
		return
	}
	n.slot(e, read{quantity: q})
}

func cutLast(name string) (of, last string) {
	i := strings.LastIndexByte(name, '.')
	return name[:max(i, 0)], name[i+1:]
}

func (n *naming) unknown(e ast.Expr, name string) {
	s := near(name)
	if q := quantity(s); q == nil && statisticOf(s) {
		s += "(30s)"
	}
	if s == "" {
		n.report(e, "there is no %s: `heartwire rules ls` lists what there is", name)
		return
	}
	n.report(e, "there is no %s: did you mean %s?", name, s)
}

func statisticOf(name string) bool {
	of, stat := cutLast(name)
	return quantity(of) != nil && statisticNamed(stat) != none
}

// slot puts a read where e was.
func (n *naming) slot(e ast.Expr, r read) {
	i := slices.Index(*n.reads, r)
	if i < 0 {
		if i = len(*n.reads); i == maxReads {
			n.report(e, "a rule reads at most %d quantities and windows", maxReads)
			return
		}
		*n.reads = append(*n.reads, r)
	}
	e.SetKindCase(n.factory.NewIdent(e.ID(), slotName(r.kind(), i)))
}

func (n *naming) call(e ast.Expr) {
	c := e.AsCall()
	fn := c.FunctionName()
	switch {
	case c.IsMemberFunction():
		n.window(e, c)
	case fn == fnDuration:
		if _, ok := durationOf(e); !ok {
			n.report(e, "want a time such as 30s, 5min or 1h")
		}
	case fn == fnLOINC:
		n.vital(e, c)
	case slices.Contains(permitted, fn):
		for _, a := range c.Args() {
			n.expression(a)
		}
	case slices.Contains(loops, fn):
		n.report(e, "%s: a rule has no loops", fn)
	case fn == operators.In, fn == operators.Index, fn == operators.OptIndex:
		n.report(e, "a rule has no lists: write a || b")
	case fn == operators.Modulo:
		n.report(e, "a rule has no %%")
	case quantity(fn) != nil:
		n.report(e, "%s is no function: write %s", fn, fn)
	default:
		n.unknown(e, strings.Trim(fn, "_"))
	}
}

// window is hr.mean(30s).
func (n *naming) window(e ast.Expr, c ast.CallExpr) {
	fn := c.FunctionName()
	of, ok := dotted(c.Target())
	stat := statisticNamed(fn)
	q := quantity(of)
	switch {
	case slices.Contains(loops, fn):
		n.report(e, "%s: a rule has no loops", fn)
	case !ok:
		n.report(e, ".%s: only a quantity has a window, no value that was computed", fn)
	case q == nil && quantity(of+"."+fn) != nil:
		n.report(e, "%s.%s is no function: write %s.%s", of, fn, of, fn)
	case q == nil:
		n.unknown(c.Target(), of)
	case stat == none && q.Windows():
		if s := near(of + "." + fn); statisticOf(s) {
			n.report(e, "there is no %s.%s: did you mean %s(30s)?", of, fn, s)
		} else {
			n.report(e, "there is no %s.%s: want %s", of, fn, strings.Join(q.Statistics(), ", "))
		}
	case stat == none || !q.Windows() || q.counts != (stat == count):
		n.report(e, "%s has no %s%s", of, fn, instead(q))
	case len(c.Args()) != 1:
		n.report(e, "%s.%s wants one time: %s.%s(30s)", of, fn, of, fn)
	default:
		d, ok := durationOf(c.Args()[0])
		if !ok {
			n.report(c.Args()[0], "%s.%s wants a time that is written out: %s.%s(30s)", of, fn, of, fn)
		} else if why := wrongWindow(d); why != "" {
			n.report(c.Args()[0], "%s", why)
		} else {
			n.slot(e, read{quantity: q, stat: stat, seconds: int(d / time.Second)})
		}
	}
}

func instead(q *Quantity) string {
	switch {
	case q.counts:
		return fmt.Sprintf(": write %s.count(1min)", q.Name)
	case q.Windows():
		return ": that is for beats"
	}
	return ", nor any other window"
}

// vital is loinc("8867-4").
func (n *naming) vital(e ast.Expr, c ast.CallExpr) {
	if len(c.Args()) != 1 || c.Args()[0].Kind() != ast.LiteralKind {
		n.report(e, "loinc wants one code that is written out: loinc(\"8867-4\")")
		return
	}
	code, ok := c.Args()[0].AsLiteral().(types.String)
	why := wrongLOINC(string(code))
	switch {
	case !ok:
		n.report(c.Args()[0], "loinc wants one code that is written out: loinc(\"8867-4\")")
	case why != "":
		n.report(c.Args()[0], "%q: %s", string(code), why)
	default:
		n.slot(e, read{loinc: string(code)})
	}
}

// durationOf is the time that a call of duration with a text is.
func durationOf(e ast.Expr) (time.Duration, bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != fnDuration || len(e.AsCall().Args()) != 1 {
		return 0, false
	}
	a := e.AsCall().Args()[0]
	if a.Kind() != ast.LiteralKind {
		return 0, false
	}
	text, ok := a.AsLiteral().(types.String)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(string(text))
	return d, err == nil
}
