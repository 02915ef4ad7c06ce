package trial

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/alarms"
	"heartwire/topics"
)

// Sweep is one limit wider than it stands: the value, or how long it must be
// exceeded. A patient whose limit is as wide keeps it.
type Sweep struct {
	Rule     string
	Duration bool    // of the duration, in s
	To       float64 // in the rule's unit, or s
	Below    bool    // wider is lower
}

// Widen is a patient's set with the limit at least as wide.
func (w Sweep) Widen(set *topics.Limits) *topics.Limits {
	out := &topics.Limits{Version: set.GetVersion(), Unit: set.GetUnit(), Profile: set.GetProfile(), PauseS: set.GetPauseS(), PauseMaxS: set.GetPauseMaxS(), Rules: set.GetRules()}
	found := false
	for _, x := range set.GetLimits() {
		if x.GetRule() == w.Rule {
			found, x = true, w.limit(x)
		}
		out.Limits = append(out.Limits, x)
	}
	if b := topics.FindBuiltIn(w.Rule); !found && b != nil {
		out.Limits = append(out.Limits, w.limit(b.Limit()))
	}
	return out
}

func (w Sweep) limit(x *topics.Limit) *topics.Limit {
	x = proto.CloneOf(x)
	switch {
	case w.Duration:
		x.DurationS = max(x.GetDurationS(), w.To)
	case w.Below:
		x.Value = min(x.GetValue(), w.To)
	default:
		x.Value = max(x.GetValue(), w.To)
	}
	return x
}

// steps are the values that are tried of each rule, the mildest first, where
// its bounds allow them: what a ward would think of, in the rule's unit.
var steps = []struct {
	rule   string
	below  bool
	values []float64
}{
	{topics.RuleHRHigh, false, []float64{125, 130, 135, 140, 150, 160}},
	{topics.RuleHRLow, true, []float64{48, 45, 42, 40, 35}},
	{topics.RulePause, false, []float64{3.5, 4, 5}},
	{topics.RulePVC, false, []float64{12, 15, 20, 30}},
	{topics.RuleNoData, false, []float64{15, 20, 30, 60}},
	{topics.RuleLeadOff, false, []float64{5, 10, 20, 30, 60}},
	{topics.RuleBatteryLow, true, []float64{10, 5}},
	{topics.RuleClockWrong, false, []float64{120, 300, 900}},
	{topics.RuleFramesLong, false, []float64{2, 4}},
}

// lasting are the durations that are tried, in s.
var lasting = []float64{5, 15, 30, 60, 120, 300}

const mostDurations = 3 // of one rule

// Sweeps are the limits that are tried one at a time: of each built-in rule that
// is not lethal, its value and its duration, wider than the default, within what
// can be set at all and within the bounds that the site sets. A duration says
// nothing of a rule that is said when it is over.
func Sweeps(bounds *topics.Bounds) (list []Sweep) {
	for _, b := range topics.BuiltIns() {
		if b.Lethal() || b.Follows != "" {
			continue
		}
		from, to := b.Value.From, b.Value.To
		for _, x := range bounds.GetBounds() {
			if x.GetRule() == b.Rule && (x.GetFrom() != 0 || x.GetTo() != 0) {
				from, to = x.GetFrom(), x.GetTo()
			}
		}
		for _, s := range steps {
			if s.rule != b.Rule {
				continue
			}
			for _, v := range s.values {
				if v >= from && v <= to {
					list = append(list, Sweep{Rule: b.Rule, To: v, Below: s.below})
				}
			}
		}
		n := 0
		for _, d := range lasting {
			if !b.DurationS.Fixed() && d > b.DurationS.Default && b.DurationS.Holds(d) && n < mostDurations {
				list = append(list, Sweep{Rule: b.Rule, Duration: true, To: d})
				n++
			}
		}
	}
	return list
}

// sweepGroup are sweeps of one rule, which part from the base together.
type sweepGroup struct {
	family alarms.Family
	sweeps []Sweep
	first  int // variant of the first
}

// group puts sweeps that follow each other and are of one rule together.
func group(list []Sweep) (groups []sweepGroup) {
	for i, w := range list {
		if n := len(groups); n > 0 && list[i-1].Rule == w.Rule {
			groups[n-1].sweeps = append(groups[n-1].sweeps, w)
			continue
		}
		groups = append(groups, sweepGroup{family: alarms.FamilyOf(w.Rule), sweeps: []Sweep{w}, first: FirstSweep + i})
	}
	return slices.Clip(groups)
}
