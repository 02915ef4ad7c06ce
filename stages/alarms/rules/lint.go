package rules

import (
	"fmt"
	"slices"

	"heartwire/topics"
)

// Finding is something wrong in a file or a layer, and where.
type Finding struct {
	Line, Column int // in the file, from 1; 0: not in one, or the line as a whole
	*Problem
}

// Error is the finding, as it stands after the name of its file.
func (f Finding) Error() string {
	switch {
	case f.Line > 0 && f.Column > 0:
		return fmt.Sprintf("%d:%d: %v", f.Line, f.Column, f.Problem)
	case f.Line > 0:
		return fmt.Sprintf("%d: %v", f.Line, f.Problem)
	}
	return f.Problem.Error()
}

// Lint finds what is wrong in the file, in the order of its lines.
func (f *File) Lint() []Finding {
	var list []Finding
	for _, p := range Lint(f.Layer) {
		path := "$"
		if i := slices.IndexFunc(f.Layer.GetRules(), func(r *topics.Rule) bool { return r.GetName() == p.Rule }); i >= 0 {
			path = fmt.Sprintf("$.rules[%d]", i)
			if p.Field != "" {
				if line, _, _ := f.place(path + "." + p.Field); line > 0 {
					path += "." + p.Field
				}
			}
		} else if i := f.limitLine(p.Rule); i >= 0 {
			path = fmt.Sprintf("$.limits[%d]", i)
		}
		line, column := f.locate(path, p.Line, p.Column)
		list = append(list, Finding{line, column, p})
	}
	slices.SortStableFunc(list, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return list
}

// limitLine is the place of a rule in the file's list of limits: those of its
// own rules stand with them.
func (f *File) limitLine(rule string) int {
	n := 0
	for _, l := range f.Layer.GetLimits() {
		own := slices.ContainsFunc(f.Layer.GetRules(), func(r *topics.Rule) bool { return r.GetName() == l.GetRule() })
		if own {
			continue
		}
		if l.GetRule() == rule {
			return n
		}
		n++
	}
	return -1
}

// Lint finds what is wrong in a layer: rules that cannot be in force, that can
// never or must always be true by their limit, and limits that cannot be.
func Lint(l *topics.Layer) (list []*Problem) {
	add := func(p *Problem) {
		if p != nil {
			list = append(list, p)
		}
	}
	for _, r := range l.GetRules() {
		rule, err := Compile(r)
		if err != nil {
			list = append(list, Problems(err)...)
			continue
		}
		own := ownLimit(l, r.GetName())
		limit := NoLimit
		switch {
		case own != nil:
			limit = Limit{own.GetValue(), own.GetHysteresis()}
			for _, p := range lintOwn(rule, limit) {
				add(p)
			}
		case rule.needsLimit:
			add(&Problem{Rule: r.GetName(), Field: "when", Message: "it reads its limit, and none is set: add limit: 130"})
		}
		if p := rule.never(limit); p != nil {
			add(p)
		} else {
			add(rule.always(limit))
		}
	}
	if len(list) == 0 {
		for _, p := range Problems(CheckSet(l.GetRules())) {
			add(p)
		}
	}
	return append(list, lintLimits(l)...)
}

// lintOwn finds what is wrong with a rule's own limit.
func lintOwn(r *Rule, l Limit) (list []*Problem) {
	add := func(field, message string) {
		list = append(list, &Problem{Rule: r.Written.GetName(), Field: field, Message: message})
	}
	switch {
	case l.Value-l.Value != 0:
		add(limitName, "want a number")
	case !r.needsLimit:
		add(limitName, "no expression reads it: write limit in when, or leave it out")
	}
	reads := slices.ContainsFunc(r.reads, func(x read) bool { return x.name() == hysteresisName })
	switch {
	case !(l.Hysteresis >= 0) || l.Hysteresis-l.Hysteresis != 0:
		add(hysteresisName, "want a number from 0 on")
	case l.Hysteresis > 0 && !reads:
		add(hysteresisName, "no expression reads it: add clear, as in hr < limit - hysteresis")
	}
	return list
}

func ownLimit(l *topics.Layer, rule string) *topics.Limit {
	for _, x := range l.GetLimits() {
		if x.GetRule() == rule {
			return x
		}
	}
	return nil
}

func lintLimits(l *topics.Layer) (list []*Problem) {
	add := func(rule, format string, args ...any) {
		list = append(list, &Problem{Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
	seen := map[string]bool{}
	for _, x := range l.GetLimits() {
		name := x.GetRule()
		if seen[name] {
			add(name, "its limit stands here twice")
		}
		seen[name] = true
		b := topics.FindBuiltIn(name)
		switch {
		case b != nil:
			for _, why := range wrongLimit(b, x) {
				add(name, "%s", why)
			}
			if x.GetOff() && b.Lethal() && !slices.Contains(l.GetLethalOff(), name) {
				add(name, "it is lethal and switched off: if that is meant, say so: lethal-off: [%s]", name)
			}
		case slices.ContainsFunc(l.GetRules(), func(r *topics.Rule) bool { return r.GetName() == name }):
		default:
			add(name, "there is no rule of that name%s", meant(name, builtInNames()))
		}
	}
	for _, name := range l.GetLethalOff() {
		b := topics.FindBuiltIn(name)
		switch own := ownLimit(l, name); {
		case b == nil || !b.Lethal():
			add(name, "lethal-off names it, which is no lethal rule%s", meant(name, builtInNames()))
		case own == nil || !own.GetOff():
			add(name, "lethal-off names it, and it is not switched off")
		}
	}
	high, low := ownLimit(l, topics.RuleHRHigh), ownLimit(l, topics.RuleHRLow)
	if high == nil {
		high = topics.FindBuiltIn(topics.RuleHRHigh).Limit()
	}
	if low == nil {
		low = topics.FindBuiltIn(topics.RuleHRLow).Limit()
	}
	if !high.GetOff() && !low.GetOff() && low.GetValue() >= high.GetValue() {
		add(topics.RuleHRLow, "%v is not below %s of %v: every rate would be an alarm", low.GetValue(), topics.RuleHRHigh, high.GetValue())
	}
	return list
}

// wrongLimit says in what a limit is beyond what may be set of its rule at all.
func wrongLimit(b *topics.BuiltIn, l *topics.Limit) (why []string) {
	for _, f := range [...]struct {
		what string
		v    float64
		span topics.Span
	}{{"value", l.GetValue(), b.Value}, {"duration", l.GetDurationS(), b.DurationS}, {"hysteresis", l.GetHysteresis(), b.Hysteresis}, {"quality", l.GetQuality(), b.Quality}} {
		switch {
		case b.Follows != "" && f.what != "quality", f.span.Holds(f.v):
		case f.span.Fixed():
			why = append(why, fmt.Sprintf("its %s is %v, the same for everybody, and not %v", f.what, f.span.Default, f.v))
		default:
			why = append(why, fmt.Sprintf("a %s of %v: want %v to %v", f.what, f.v, f.span.From, f.span.To))
		}
	}
	if p := l.GetPriority(); p != topics.Priority_PRIORITY_UNSPECIFIED && (p < b.Lowest || p > b.Highest) {
		why = append(why, fmt.Sprintf("priority %s: want %s to %s", PriorityName(p), PriorityName(b.Lowest), PriorityName(b.Highest)))
	}
	if l.GetOff() && b.Off == topics.OffNever {
		why = append(why, "it says that a patient is not watched, and cannot be switched off: standby is for that")
	}
	if l.Latching != nil && !l.GetLatching() && b.Lethal() {
		why = append(why, "it is lethal, and latches until somebody resets it")
	}
	return why
}

// PriorityName is LOW, MEDIUM or HIGH.
func PriorityName(p topics.Priority) string {
	switch p {
	case topics.Priority_PRIORITY_LOW:
		return "LOW"
	case topics.Priority_PRIORITY_MEDIUM:
		return "MEDIUM"
	}
	return "HIGH"
}

func builtInNames() (list []string) {
	for _, b := range topics.BuiltIns() {
		list = append(list, b.Rule)
	}
	return list
}

func meant(name string, among []string) string {
	if s := nearest(name, among); s != "" && s != name {
		return fmt.Sprintf(": did you mean %s?", s)
	}
	return ""
}
