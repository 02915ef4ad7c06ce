package rules

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"heartwire/topics"
)

// File is rules and limits as people keep them: what a layer says, with small
// cases that try the rules.
type File struct {
	Name  string
	Layer *topics.Layer // of is empty where the file does not say
	Cases []Case

	tree *ast.File
}

// Case is what is given over a time, and what must come of a rule by it.
type Case struct {
	Rule   string
	Name   string
	Given  []Given
	Expect []Expect // in order; none: silence
	Line   int      // in the file
}

// Given is what is known for a time, by the names of the vocabulary; what is not
// named goes on as it was, and is unknown before.
type Given struct {
	For    time.Duration
	Values []Value
}

// Value is what a quantity is; NaN: unknown. A truth is 1 or 0, a time of day s.
type Value struct {
	Name string
	V    float64
}

// Expect is a change of the rule's alarm, and between when and when after the
// beginning it must come.
type Expect struct {
	What     string // raised, ended
	From, To time.Duration
	Text     string // empty: any
}

// The YAML of a file. Times are written as in rules: 30s, 5min.
type (
	layerText struct {
		Of        string      `yaml:"of"`
		Profile   string      `yaml:"profile"`
		Rules     []ruleText  `yaml:"rules"`
		Limits    []limitText `yaml:"limits"`
		LethalOff []string    `yaml:"lethal-off"`
		Pause     spelled     `yaml:"pause"`
		Wait      spelled     `yaml:"answer-wait"`
	}
	ruleText struct {
		Name       string     `yaml:"name"`
		Version    uint32     `yaml:"version"`
		When       string     `yaml:"when"`
		Clear      string     `yaml:"clear"`
		Value      string     `yaml:"value"`
		Words      string     `yaml:"words"`
		Unit       string     `yaml:"unit"`
		Priority   priority   `yaml:"priority"`
		Latching   bool       `yaml:"latching"`
		Duration   spelled    `yaml:"duration"`
		Calm       spelled    `yaml:"calm"`
		Quality    float64    `yaml:"quality"`
		Limit      *float64   `yaml:"limit"`
		Hysteresis float64    `yaml:"hysteresis"`
		Reason     string     `yaml:"reason"`
		Cases      []caseText `yaml:"cases"`
	}
	limitText struct {
		Rule       string   `yaml:"rule"`
		Value      *float64 `yaml:"value"`
		Duration   *spelled `yaml:"duration"`
		Hysteresis *float64 `yaml:"hysteresis"`
		Off        bool     `yaml:"off"`
		Priority   priority `yaml:"priority"`
		Latching   *bool    `yaml:"latching"`
		Quality    *float64 `yaml:"quality"`
		Reason     string   `yaml:"reason"`
	}
	caseText struct {
		Name   string          `yaml:"name"`
		Given  []yaml.MapSlice `yaml:"given"`
		Expect []expectText    `yaml:"expect"`
	}
	expectText struct {
		Raised string `yaml:"raised"`
		Ended  string `yaml:"ended"`
		Text   string `yaml:"text"`
	}
)

// spelled is a time as it is written.
type spelled time.Duration

// UnmarshalText reads 30s or 5min.
func (d *spelled) UnmarshalText(b []byte) error {
	v, err := parseTime(string(b))
	*d = spelled(v)
	return err
}

func (d spelled) seconds() float64 { return time.Duration(d).Seconds() }

func parseTime(text string) (time.Duration, error) {
	if durations.FindString(text) != text || text == "" {
		return 0, fmt.Errorf("%q: want a time such as 30s, 5min or 1h", text)
	}
	return time.ParseDuration(strings.ReplaceAll(text, "min", "m"))
}

type priority topics.Priority

// UnmarshalText reads LOW, MEDIUM or HIGH.
func (p *priority) UnmarshalText(b []byte) error {
	v, ok := topics.Priority_value["PRIORITY_"+string(b)]
	if !ok || v == 0 {
		return fmt.Errorf("%q: want LOW, MEDIUM or HIGH", b)
	}
	*p = priority(v)
	return nil
}

// ParseFile reads a file, strictly: a key that there is not is an error, with its line.
func ParseFile(name string, b []byte) (*File, error) {
	tree, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	var t layerText
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: want one document with rules, limits or both", name)
	}
	if err := yaml.NodeToValue(tree.Docs[0].Body, &t, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s:%s", name, yaml.FormatError(err, false, true))
	}
	f := &File{Name: name, tree: tree, Layer: &topics.Layer{
		Of: t.Of, Profile: t.Profile, LethalOff: t.LethalOff, PauseS: t.Pause.seconds(), AnswerWaitS: t.Wait.seconds(),
	}}
	var errs []error
	for i := range t.Rules {
		errs = append(errs, f.rule(i, &t.Rules[i]))
	}
	for i := range t.Limits {
		f.Layer.Limits = append(f.Layer.Limits, t.Limits[i].limit())
	}
	return f, errors.Join(errs...)
}

func (f *File) rule(i int, r *ruleText) error {
	f.Layer.Rules = append(f.Layer.Rules, &topics.Rule{
		Name: r.Name, Version: max(r.Version, 1), When: r.When, Clear: r.Clear, Value: r.Value, Words: r.Words, Unit: r.Unit,
		Priority: topics.Priority(r.Priority), Latching: r.Latching, DurationS: r.Duration.seconds(), CalmS: r.Calm.seconds(), Quality: r.Quality, Reason: r.Reason,
	})
	if r.Limit != nil {
		f.Layer.Limits = append(f.Layer.Limits, &topics.Limit{
			Rule: r.Name, Value: *r.Limit, Unit: r.Unit, DurationS: r.Duration.seconds(), Hysteresis: r.Hysteresis, Reason: r.Reason,
		})
	}
	var errs []error
	if r.Limit == nil && r.Hysteresis != 0 {
		errs = append(errs, fmt.Errorf("%s: rule %s: a hysteresis is of a limit: add limit, or leave it out", f.Name, r.Name))
	}
	for k := range r.Cases {
		c, err := r.Cases[k].read()
		line, _, _ := f.place(fmt.Sprintf("$.rules[%d].cases[%d]", i, k))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: rule %s: case %q: %w", f.Name, line, r.Name, r.Cases[k].Name, err))
		}
		c.Rule, c.Line = r.Name, line
		f.Cases = append(f.Cases, c)
	}
	return errors.Join(errs...)
}

// limit is one of a built-in rule; what it does not say is the default.
func (l *limitText) limit() *topics.Limit {
	out := &topics.Limit{Rule: l.Rule}
	if b := topics.FindBuiltIn(l.Rule); b != nil {
		out = b.Limit()
		out.Layer = ""
	}
	if l.Value != nil {
		out.Value = *l.Value
	}
	if l.Duration != nil {
		out.DurationS = l.Duration.seconds()
	}
	if l.Hysteresis != nil {
		out.Hysteresis = *l.Hysteresis
	}
	if l.Priority != 0 {
		out.Priority = topics.Priority(l.Priority)
	}
	if l.Latching != nil {
		out.Latching = l.Latching
	}
	if l.Quality != nil {
		out.Quality = l.Quality
	}
	out.Off, out.Reason = l.Off, l.Reason
	return out
}

func (t *caseText) read() (Case, error) {
	c := Case{Name: t.Name}
	if t.Name == "" || len(t.Given) == 0 {
		return c, errors.New("want a name, and what is given")
	}
	for _, step := range t.Given {
		g, err := readGiven(step)
		if err != nil {
			return c, err
		}
		c.Given = append(c.Given, g)
	}
	for _, x := range t.Expect {
		e := Expect{What: "raised", Text: x.Text}
		at := x.Raised
		if at == "" {
			e.What, at = "ended", x.Ended
		}
		if (x.Raised == "") == (x.Ended == "") {
			return c, errors.New("expect: want raised or ended, with a time: raised: 30s..40s")
		}
		from, to, ok := strings.Cut(at, "..")
		var err1, err2 error
		e.From, err1 = parseTime(from)
		e.To, err2 = parseTime(to)
		if err := errors.Join(err1, err2); err != nil || !ok || e.To < e.From {
			return c, fmt.Errorf("expect: %q: want FROM..TO, as in 30s..40s", at)
		}
		c.Expect = append(c.Expect, e)
	}
	return c, nil
}

// longestCase bounds what one step can ask to be played.
const longestCase = 48 * time.Hour

func readGiven(step yaml.MapSlice) (g Given, err error) {
	for _, item := range step {
		name, text := fmt.Sprint(item.Key), fmt.Sprint(item.Value)
		if name == "for" {
			if g.For, err = parseTime(text); err != nil || g.For < time.Second || g.For > longestCase {
				return g, fmt.Errorf("given: for %s: want 1s to %s", text, spell(longestCase))
			}
			continue
		}
		v, err := readValue(name, text)
		if err != nil {
			return g, err
		}
		g.Values = append(g.Values, v)
	}
	if g.For == 0 {
		return g, errors.New("given: say for how long: for: 30s")
	}
	return g, nil
}

// place is where a value of the file stands: line and column of its first
// character, and the style in which it is written.
func (f *File) place(path string) (line, column int, style token.Type) {
	p, err := yaml.PathString(path)
	if err != nil {
		return 0, 0, token.UnknownType
	}
	n, err := p.FilterFile(f.tree)
	if err != nil {
		return 0, 0, token.UnknownType
	}
	t := n.GetToken()
	if lit, ok := n.(*ast.LiteralNode); ok {
		return lit.Start.Position.Line, lit.Value.GetToken().Position.Column, token.LiteralType
	}
	return t.Position.Line, t.Position.Column, t.Type
}

// locate is where in the file a place of an expression is; column 0: the value.
func (f *File) locate(path string, line, column int) (int, int) {
	l, c, style := f.place(path)
	switch {
	case l == 0 || line == 0:
		return l, 0
	case style == token.LiteralType:
		return l + line, 0
	case line > 1: // it goes on in the lines below
		return l + line - 1, 0
	case style == token.SingleQuoteType || style == token.DoubleQuoteType:
		return l, c + column
	}
	return l, c + column - 1
}
