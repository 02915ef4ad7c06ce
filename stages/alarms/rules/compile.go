package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// expression is one expression of a rule, compiled.
type expression struct {
	program cel.Program
	ast     *ast.AST
	cost    uint64 // by CEL's own estimate, at most
}

// compiler compiles the expressions of one rule: they share their reads.
type compiler struct {
	rule     string
	reads    []read
	problems []*Problem
}

func (c *compiler) report(field string, line, column int, format string, args ...any) {
	c.problems = append(c.problems, &Problem{Rule: c.rule, Field: field, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

// compile gives nil, and says why, where text is none of the type.
func (c *compiler) compile(field, text string, want *cel.Type) *expression {
	if !utf8.ValidString(text) {
		c.report(field, 0, 0, "not in UTF-8")
		return nil
	}
	if n := utf8.RuneCountInString(text); n > maxText {
		c.report(field, 0, 0, "%d characters: want at most %d", n, maxText)
		return nil
	}
	src := lower(text)
	before := len(c.problems)
	wrong := func(line, column int, format string, args ...any) {
		line, column = src.at(line, column)
		c.report(field, line, column, format, args...)
	}
	issues := func(list []*common.Error) {
		for _, e := range list {
			wrong(max(e.Location.Line(), 1), max(e.Location.Column(), 0), "%s", plain(e.Message))
		}
	}
	parsed, iss := environment.Parse(src.text)
	if iss.Err() != nil {
		issues(iss.Errors())
		return nil
	}
	native := parsed.NativeRep()
	n := naming{reads: &c.reads, info: native.SourceInfo(), factory: ast.NewExprFactory(), wrong: wrong}
	n.expression(native.Expr())
	if len(c.problems) > before {
		return nil
	}
	checked, iss := environment.Check(parsed)
	if iss.Err() != nil {
		issues(iss.Errors())
		return nil
	}
	if got := checked.OutputType(); !got.IsExactType(want) {
		wrong(1, 0, "this is a %s: want a %s", kindOf(got), kindOf(want))
		return nil
	}
	return c.plan(field, checked)
}

func (c *compiler) plan(field string, checked *cel.Ast) *expression {
	estimate, err := environment.EstimateCost(checked, prices{})
	if err != nil {
		c.report(field, 0, 0, "%v", err)
		return nil
	}
	if estimate.Max > maxCost {
		c.report(field, 0, 0, "it costs %d for each second, at most %d is allowed: make it shorter", estimate.Max, maxCost)
		return nil
	}
	program, err := environment.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		c.report(field, 0, 0, "%v", err)
		return nil
	}
	return &expression{program, checked.NativeRep(), estimate.Max}
}

// prices are what CEL's estimate has to be told: nothing here has a size, and
// each function costs one, as CEL's operators on numbers do.
type prices struct{}

// EstimateSize is that of nothing.
func (prices) EstimateSize(checker.AstNode) *checker.SizeEstimate { return nil }

// EstimateCallCost leaves operators to CEL.
func (prices) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

func kindOf(t *cel.Type) string {
	switch {
	case t.IsExactType(cel.BoolType):
		return "truth"
	case t.IsExactType(cel.DoubleType):
		return "number"
	case t.IsExactType(cel.DurationType):
		return "time"
	}
	return t.String()
}

var symbols = map[string]string{
	operators.LogicalAnd: "&&", operators.LogicalOr: "||", operators.LogicalNot: "!", operators.Conditional: "? :", operators.Equals: "==", operators.NotEquals: "!=",
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=", operators.Add: "+", operators.Subtract: "-",
	operators.Multiply: "*", operators.Divide: "/", operators.Negate: "-",
}

// plain is what CEL says, in the words of rules.
func plain(message string) string {
	if rest, ok := strings.CutPrefix(message, "found no matching overload for '"); ok {
		fn, args, _ := strings.Cut(rest, "' applied to ")
		if s, ok := symbols[fn]; ok {
			fn = s
		}
		args, _, _ = strings.Cut(strings.Trim(args, "'"), ")")
		args = strings.NewReplacer("double", "a number", "bool", "a truth", "google.protobuf.Duration", "a time", "duration", "a time", ", ", " and ", "(", "", "_", "").Replace(args)
		return fmt.Sprintf("%s does not go with %s", fn, args)
	}
	if strings.HasPrefix(message, "expected type 'bool'") || strings.HasPrefix(message, "expected type") {
		return strings.NewReplacer("double", "number", "bool", "truth", "google.protobuf.Duration", "time").Replace(message)
	}
	message = strings.TrimPrefix(message, "Syntax error: ")
	if strings.Contains(message, "recursion") {
		return fmt.Sprintf("nested deeper than %d: make it shorter", maxDepth)
	}
	if strings.HasPrefix(message, "expression node count exceeds limit") {
		return fmt.Sprintf("more than %d parts: make it shorter", maxNodes)
	}
	if i := strings.Index(message, " expecting {"); i >= 0 {
		message = message[:i]
	}
	return message
}
