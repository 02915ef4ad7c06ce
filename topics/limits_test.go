package topics

import (
	"math"
	"testing"
)

// The table can be trusted by those who resolve and those who judge by it.
func TestBuiltInsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range BuiltIns() {
		if seen[b.Rule] {
			t.Errorf("%s stands twice", b.Rule)
		}
		seen[b.Rule] = true
		for name, s := range map[string]Span{"value": b.Value, "duration": b.DurationS, "hysteresis": b.Hysteresis, "quality": b.Quality} {
			if !s.Holds(s.Default) {
				t.Errorf("%s: a %s of %v is outside of %v to %v", b.Rule, name, s.Default, s.From, s.To)
			}
		}
		if b.Priority < b.Lowest || b.Priority > b.Highest || b.Lowest < Priority_PRIORITY_LOW {
			t.Errorf("%s: priority %v is outside of %v to %v", b.Rule, b.Priority, b.Lowest, b.Highest)
		}
		if b.Lethal() && (b.Lowest != Priority_PRIORITY_HIGH || !b.Latching || !b.Quality.Fixed() || b.DurationS.To > 2) {
			t.Errorf("%s is lethal, and can be quietened without a word", b.Rule)
		}
		if b.Follows != "" && FindBuiltIn(b.Follows) == nil {
			t.Errorf("%s follows %s, which is no rule", b.Rule, b.Follows)
		}
		if FindBuiltIn(b.Rule).Rule != b.Rule {
			t.Errorf("%s is not found", b.Rule)
		}
	}
	for _, rule := range []string{RuleVF, RuleAsystole, RuleVT, RuleHRExtremeHigh, RuleHRExtremeLow} {
		if !FindBuiltIn(rule).Lethal() {
			t.Errorf("%s is not lethal", rule)
		}
	}
	if FindBuiltIn("nothing") != nil || (Span{1, 0, 2}).Holds(math.NaN()) {
		t.Error("what is no rule is found, or NaN is within bounds")
	}
	for _, l := range DefaultLimits() {
		if l.Rule == RuleAFFast && l.Value != 120 {
			t.Errorf("af-fast at %v, and it follows hr.high", l.Value)
		}
	}
}
