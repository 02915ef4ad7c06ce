// Package rules is the language in which people write alarm rules of their own:
// expressions in CEL (the Common Expression Language) over named quantities and
// windows of them, as in hr.mean(30s) > limit && pvc.perMinute > 6.
//
// It promises that
//
//   - an expression is judged in bounded time, and cannot loop, fail or panic:
//     what cannot be told is Unknown, and never an alarm nor its end;
//   - the same records give the same verdicts: no clock, no chance, no order
//     of a map; the time of day is that of the samples;
//   - a patient for whom nobody wrote a rule costs nothing.
//
// vocabulary.go is what can be read. DESIGN.md says what unknown means, how
// windows are kept, and why it is so.
package rules

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/google/cel-go/cel"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Verdict is what a second says about a rule, as the built-in rules say it.
type Verdict uint8

const (
	Unknown Verdict = iota // it cannot be told
	Over                   // when is true
	Within                 // when is false, and clear is not true yet
	Clear                  // when is false, and clear is true, or there is none
)

// String is the verdict's name.
func (v Verdict) String() string { return [...]string{"unknown", "over", "within", "clear"}[v] }

// Rule is a rule that people wrote, compiled. It is for any number of patients
// and goroutines.
type Rule struct {
	// Written is the rule as it was written; nobody may change it.
	Written *topics.Rule

	reads              []read
	when, clear, value *expression // clear and value may be nil
	needsLimit         bool
	below              bool
	comparesLimit      bool // the value with it
}

// Bounds of what a rule says beside its expressions.
const (
	maxName     = 40
	maxWords    = 40   // one line of a page, and half of an SMS
	maxUnit     = 20   // UCUM
	MaxDuration = 3600 // s
	MaxCalm     = 3600 // s
	// DefaultCalm is how long a rule must be over where it does not say.
	DefaultCalm = 10 * time.Second
)

var nameIs = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)

// Check says all that is wrong with a rule, each as a *Problem; nil: it can be
// in force. A rule that can never be true, whatever its limit, is wrong.
func Check(r *topics.Rule) error {
	rule, err := Compile(r)
	if err != nil {
		return err
	}
	if p := rule.never(NoLimit); p != nil {
		return p
	}
	return nil
}

// Compile checks and compiles a rule. The error joins every *Problem found.
func Compile(r *topics.Rule) (*Rule, error) {
	c := compiler{rule: r.GetName()}
	c.fields(r)
	out := &Rule{Written: proto.CloneOf(r)}
	if r.GetWhen() == "" {
		c.report("when", 0, 0, "missing: say when it is an alarm, as in hr.mean(30s) > 130")
	} else {
		out.when = c.compile("when", r.GetWhen(), cel.BoolType)
	}
	if r.GetClear() != "" {
		out.clear = c.compile("clear", r.GetClear(), cel.BoolType)
	}
	if r.GetValue() != "" {
		out.value = c.compile("value", r.GetValue(), cel.DoubleType)
	}
	out.reads = c.reads
	for i := range out.reads {
		out.needsLimit = out.needsLimit || out.reads[i].name() == limitName
	}
	if cost := out.Cost(); len(c.problems) == 0 && cost > maxCost {
		c.report("", 0, 0, "it costs %d for each second, at most %d is allowed: read fewer or shorter windows", cost, maxCost)
	}
	if len(c.problems) > 0 {
		errs := make([]error, len(c.problems))
		for i, p := range c.problems {
			errs[i] = p
		}
		return nil, errors.Join(errs...)
	}
	out.below = out.falls(out.when.ast.Expr(), false)
	out.comparesLimit = out.value != nil && out.compares()
	return out, nil
}

// fields checks what is no expression.
func (c *compiler) fields(r *topics.Rule) {
	bad := func(field, format string, args ...any) { c.report(field, 0, 0, format, args...) }
	switch name := r.GetName(); {
	case !nameIs.MatchString(name) || len(name) > maxName:
		bad("name", "%q: want a small letter, then at most %d small letters, digits, dots and dashes", name, maxName-1)
	case topics.FindBuiltIn(name) != nil:
		bad("name", "%s is a built-in rule: set its limit, or take another name", name)
	}
	if w := r.GetWords(); w == "" || len(w) > maxWords || !printable(w) {
		bad("words", "%q: want the words of the alarm's text, 1 to %d printable characters, as in HR MEAN", w, maxWords)
	}
	if u := r.GetUnit(); len(u) > maxUnit || !printable(u) {
		bad("unit", "%q: want a UCUM unit such as /min", u)
	}
	if p := r.GetPriority(); p < topics.Priority_PRIORITY_LOW || p > topics.Priority_PRIORITY_HIGH {
		bad("priority", "missing: want LOW, MEDIUM or HIGH")
	}
	within := func(field string, v, to float64) {
		if !(v >= 0 && v <= to) {
			bad(field, "%v: want 0 to %v", v, to)
		}
	}
	within("duration", r.GetDurationS(), MaxDuration)
	within("calm", r.GetCalmS(), MaxCalm)
	within("quality", r.GetQuality(), 0.9) // 1 would be a rule that never speaks
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Cost is what a second of it costs at most: CEL's estimate for each of its
// expressions, and each window's parts.
func (r *Rule) Cost() int {
	n := 0
	for _, e := range []*expression{r.when, r.clear, r.value} {
		if e != nil {
			n += int(e.cost)
		}
	}
	for i := range r.reads {
		if r.reads[i].stat != none {
			n += r.reads[i].buckets()
		}
	}
	return n
}

// Reads are what it reads, as it writes them, in the order in which they stand.
func (r *Rule) Reads() []string {
	list := make([]string, len(r.reads))
	for i := range r.reads {
		list[i] = r.reads[i].String()
	}
	return list
}

// NeedsLimit reports that it reads its own limit.
func (r *Rule) NeedsLimit() bool { return r.needsLimit }

// Below reports that what it watches is worse the lower it is: when says that
// the value, or something, is below the limit.
func (r *Rule) Below() bool { return r.below }

// Calm is how long it must be over before its alarm ends.
func (r *Rule) Calm() time.Duration {
	if s := r.Written.GetCalmS(); s > 0 {
		return time.Duration(s * float64(time.Second))
	}
	return DefaultCalm
}

// Duration is how long it must be true before it is an alarm.
func (r *Rule) Duration() time.Duration {
	return time.Duration(r.Written.GetDurationS() * float64(time.Second))
}

// Limit is a rule's own limit as it is in force. NoLimit is none.
type Limit struct{ Value, Hysteresis float64 }

// NoLimit is what a rule has whose limit nobody set.
var NoLimit = Limit{math.NaN(), math.NaN()}

// String is the rule's name and version.
func (r *Rule) String() string {
	return fmt.Sprintf("%s v%d", r.Written.GetName(), r.Written.GetVersion())
}

// MarshalText is the rule as it is shown where states are: by its name.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
