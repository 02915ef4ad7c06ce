package registry

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

const (
	maxRules       = 32   // in force for a patient, and so of a layer
	maxRuleText    = 1000 // bytes of an expression
	maxRuleWords   = 40   // runes that a tile can show
	maxRuleS       = 3600.0
	maxRuleQuality = 0.9 // 1 would be a rule that never speaks
)

var ruleName = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,39}$`)

// rules are the rules that a layer writes, checked, by name. One that stays
// keeps its version, author, time and reason.
func (t *turn) rules(kind string, list, old []*topics.Rule) (out []*topics.Rule, err error) {
	if len(list) > maxRules {
		return nil, refuse(CodeTooMany, "%d rules in one layer, and %d are allowed", len(list), maxRules)
	}
	for _, r := range list {
		if slices.ContainsFunc(out, func(o *topics.Rule) bool { return o.Name == r.GetName() }) {
			return nil, refuse(CodeTwice, "rule %q is written two times", r.GetName())
		}
		next := &topics.Rule{
			Name: r.GetName(), When: r.GetWhen(), Clear: r.GetClear(), Value: r.GetValue(), Words: r.GetWords(), Unit: r.GetUnit(),
			Priority: r.GetPriority(), Latching: r.GetLatching(), DurationS: r.GetDurationS(), CalmS: r.GetCalmS(), Quality: r.GetQuality(),
			ExpiresUs: r.GetExpiresUs(), Layer: kind,
		}
		if err := t.checkRule(next); err != nil {
			return nil, err
		}
		next.Version, next.Author, next.SetUs, next.Reason = uint32(t.version), t.req.GetAuthor(), t.req.GetTimeUs(), t.req.GetReason()
		out = append(out, keptRule(next, old))
	}
	slices.SortFunc(out, func(a, b *topics.Rule) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func keptRule(next *topics.Rule, old []*topics.Rule) *topics.Rule {
	for _, was := range old {
		if was.GetName() != next.Name {
			continue
		}
		same := proto.CloneOf(next)
		same.Version, same.Author, same.SetUs, same.Reason = was.Version, was.Author, was.SetUs, was.Reason
		if proto.Equal(same, was) {
			return was
		}
	}
	return next
}

// checkRule checks all of a rule but its language, and then that.
func (t *turn) checkRule(r *topics.Rule) error {
	if !ruleName.MatchString(r.Name) {
		return refuse(CodeBadName, "rule %q: a name is 1 to 40 small letters, digits, dots and dashes, and begins with a letter", r.Name)
	}
	if topics.FindBuiltIn(r.Name) != nil {
		return refuse(CodeBadName, "rule %q is built in: choose another name, or set its limit", r.Name)
	}
	for _, x := range []struct{ name, text string }{{"when", r.When}, {"clear", r.Clear}, {"value", r.Value}} {
		if len(x.text) > maxRuleText || !utf8.ValidString(x.text) {
			return refuse(CodeBadRule, "rule %q: %s: want at most %d bytes of UTF-8", r.Name, x.name, maxRuleText)
		}
	}
	if r.When == "" {
		return refuse(CodeBadRule, "rule %q: when: say what makes it an alarm", r.Name)
	}
	if n := utf8.RuneCountInString(r.Words); n == 0 || n > maxRuleWords || !utf8.ValidString(r.Words) || strings.ContainsFunc(r.Words, unicode.IsControl) {
		return refuse(CodeBadRule, "rule %q: words: say in 1 to %d characters what a page shows", r.Name, maxRuleWords)
	}
	if len(r.Unit) > 20 || strings.ContainsFunc(r.Unit, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return refuse(CodeBadRule, "rule %q: unit: want a UCUM code such as /min", r.Name)
	}
	if r.Priority < topics.Priority_PRIORITY_LOW || r.Priority > topics.Priority_PRIORITY_HIGH {
		return refuse(CodeBadRule, "rule %q: priority: want LOW, MEDIUM or HIGH", r.Name)
	}
	for _, x := range []struct {
		name    string
		v, most float64
	}{{"duration_s", r.DurationS, maxRuleS}, {"calm_s", r.CalmS, maxRuleS}, {"quality", r.Quality, maxRuleQuality}} {
		if err := checkNumber(r.Name+" "+x.name, x.v); err != nil {
			return err
		}
		if x.v > x.most {
			return refuse(CodeOutOfBounds, "rule %q: %s of %v: want 0 to %v", r.Name, x.name, x.v, x.most)
		}
	}
	if err := t.checkExpiry(r.Name, r.ExpiresUs); err != nil {
		return err
	}
	if t.check == nil {
		return refuse(CodeBadRule, "rule %q: this registry was built without the language of rules", r.Name)
	}
	if err := t.check(proto.CloneOf(r)); err != nil {
		return refuse(CodeBadRule, "rule %q: %v", r.Name, err)
	}
	return nil
}
