package rules

import (
	"fmt"
	"math"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/env"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// What an expression may be at most. There are no loops, no lists and no texts
// in it, so that its cost is bounded by its size; maxCost bounds that together
// with the windows that it sums up, a second of work for each of their parts.
const (
	maxText  = 2000 // characters
	maxNodes = 200
	maxDepth = 40
	maxReads = 24
	maxCost  = 700
)

// Names of the functions that are not CEL's own.
const (
	fnKnown    = "known"
	fnAbs      = "abs"
	fnLOINC    = "loinc"
	fnDuration = "duration"
)

// environment is the language of rules: a part of CEL, in which every number is
// a double, arithmetic that gives no number is an error, and what is read has
// been put into slots.
var environment = must(newEnvironment())

func must(e *cel.Env, err error) *cel.Env {
	if err != nil {
		panic(err) // of this file alone
	}
	return e
}

func newEnvironment() (*cel.Env, error) {
	number, duration := cel.DoubleType, cel.DurationType
	only := func(name string, ids ...string) *env.Function {
		f := &env.Function{Name: name}
		for _, id := range ids {
			f.Overloads = append(f.Overloads, &env.Overload{ID: id})
		}
		return f
	}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{DisableMacros: true, IncludeFunctions: []*env.Function{
			only(operators.LogicalAnd), only(operators.LogicalOr), only(operators.LogicalNot), only(operators.Conditional),
			only(operators.Equals), only(operators.NotEquals),
			only(operators.Less, overloads.LessDouble, overloads.LessDuration),
			only(operators.LessEquals, overloads.LessEqualsDouble, overloads.LessEqualsDuration),
			only(operators.Greater, overloads.GreaterDouble, overloads.GreaterDuration),
			only(operators.GreaterEquals, overloads.GreaterEqualsDouble, overloads.GreaterEqualsDuration),
			only(overloads.TypeConvertDuration, overloads.StringToDuration),
		}})),
		cel.Function(fnKnown, cel.Overload("known_dyn", []*cel.Type{cel.DynType}, cel.BoolType, cel.OverloadIsNonStrict(),
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Bool(!types.IsUnknownOrError(v)) }))),
		cel.Function(fnAbs, cel.Overload("abs_double", []*cel.Type{number}, number,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return finite(math.Abs(float64(v.(types.Double)))) }))),
		cel.Function(operators.Negate, cel.Overload(overloads.NegateDouble, []*cel.Type{number}, number,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return finite(-float64(v.(types.Double))) }))),
		arithmetic(operators.Add, overloads.AddDouble, func(a, b float64) float64 { return a + b }),
		arithmetic(operators.Subtract, overloads.SubtractDouble, func(a, b float64) float64 { return a - b }),
		arithmetic(operators.Multiply, overloads.MultiplyDouble, func(a, b float64) float64 { return a * b }),
		arithmetic(operators.Divide, overloads.DivideDouble, func(a, b float64) float64 { return a / b }),
		cel.ParserExpressionSizeLimit(2 * maxText), cel.ParserRecursionLimit(maxDepth), cel.ExpressionNodeLimit(maxNodes),
	}
	for i := range maxReads {
		options = append(options,
			cel.Variable(slotName(Number, i), number), cel.Variable(slotName(Truth, i), cel.BoolType), cel.Variable(slotName(TimeOfDay, i), duration))
	}
	return cel.NewCustomEnv(options...)
}

// slotName is what the read at place i is called in the expression that CEL
// checks. Names of the vocabulary never begin so: they hold no digit.
func slotName(k Kind, i int) string { return fmt.Sprintf("%c%02d", "nbt"[k], i) }

// slotAt is the place of a slot's name.
func slotAt(name string) int { return int(name[1]-'0')*10 + int(name[2]-'0') }

func isSlot(name string) bool {
	return len(name) == 3 && name[0] != 0 && name[1] >= '0' && name[1] <= '9' && name[2] >= '0' && name[2] <= '9'
}

func arithmetic(operator, overload string, do func(a, b float64) float64) cel.EnvOption {
	number := cel.DoubleType
	return cel.Function(operator, cel.Overload(overload, []*cel.Type{number, number}, number,
		cel.BinaryBinding(func(a, b ref.Val) ref.Val { return finite(do(float64(a.(types.Double)), float64(b.(types.Double)))) })))
}

// notANumber has a place of its own, so that CEL does not write one into it:
// it is shared.
var notANumber = types.NewErrWithNodeID(1, "a division by zero, or a number beyond all bounds")

func finite(v float64) ref.Val {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return notANumber
	}
	return number(v)
}

// whole numbers are most of what is read: they need no memory of their own.
var wholes = func() (list [1024]ref.Val) {
	for i := range list {
		list[i] = types.Double(i)
	}
	return list
}()

func number(v float64) ref.Val {
	if v >= 0 && v < float64(len(wholes)) && v == math.Trunc(v) {
		return wholes[int(v)]
	}
	return types.Double(v)
}
