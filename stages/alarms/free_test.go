package alarms

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"heartwire/topics"
)

// above is a rule that people wrote: the rate is above its limit, and clear 10 below it.
type above struct{}

func (above) judge(_ *State, sec *topics.Second, limit float64, open bool) judgement {
	j := judgement{verdict: clear, value: sec.GetRate(), known: sec.Rate != nil}
	switch {
	case sec.Rate == nil:
		j.verdict = unknown
	case j.value > limit:
		j.verdict = over
	case open && j.value > limit-10:
		j.verdict = within
	}
	return j
}

func withPrograms(t *testing.T) {
	was := compile
	t.Cleanup(func() { compile = was })
	compile = func(r *topics.Rule) (program, error) {
		if r.GetWhen() != "hr > limit" {
			return nil, fmt.Errorf("column 1: %q is nothing to judge by", r.GetWhen())
		}
		return above{}, nil
	}
}

// written folds limits and seconds, and writes down what is said.
type written struct {
	t     *testing.T
	s     State
	n     int64
	story []string
}

func (w *written) say(a *topics.Alarm) {
	if st := a.GetState(); st != nil {
		w.story = append(w.story, fmt.Sprintf("%d %s %s v%d rule v%d (%s)", w.n, st.GetRule(), st.GetText(), st.GetVersion(), st.GetRuleVersion(), st.GetChange().GetWhat()+st.GetEndReason()))
	}
	if p := a.GetSuppressed(); p != nil && p.GetRule() == "fast" {
		w.story = append(w.story, fmt.Sprintf("%d suppressed %s (%s)", w.n, p.GetRule(), p.GetWhy()))
	}
}

func (w *written) put(c *topics.Chart) error {
	c.Patient = "p01"
	return processor{}.Process(&w.s, topics.Record[*topics.Chart]{Key: "p01", Offset: w.n, Value: c}, w.say)
}

func (w *written) limits(version uint64, rules []*topics.Rule, limits ...*topics.Limit) error {
	return w.put(&topics.Chart{Kind: &topics.Chart_Limits{Limits: &topics.Limits{Version: version, Rules: rules, Limits: limits}}})
}

func (w *written) rate(seconds int, v float64) {
	w.t.Helper()
	for range seconds {
		w.n++
		if err := w.put(&topics.Chart{TimeUs: w.n * 1e6, Kind: &topics.Chart_Second{Second: &topics.Second{Rate: &v, Quality: 0.9}}}); err != nil {
			w.t.Fatal(err)
		}
		// Each second another process goes on from the bytes.
		b, _ := w.s.AppendBinary(nil)
		var again State
		if err := again.UnmarshalBinary(b); err != nil {
			w.t.Fatal(err)
		}
		if c, _ := again.AppendBinary(nil); string(c) != string(b) {
			w.t.Fatal("the state is another one after it was written down")
		}
		w.s = again
		if err := (processor{}).Advance(&w.s, &topics.Tick{N: uint64(w.n), ElapsedUs: 1e6}, w.say); err != nil {
			w.t.Fatal(err)
		}
	}
}

func fast(version uint32, duration float64) *topics.Rule {
	return &topics.Rule{
		Name: "fast", Version: version, When: "hr > limit", Value: "hr", Words: "FAST", Unit: "/min",
		Priority: topics.Priority_PRIORITY_MEDIUM, DurationS: duration, CalmS: 5, Layer: topics.LayerUnit, Author: "doctor-1",
	}
}

func TestRulesThatPeopleWriteLiveAsTheOthers(t *testing.T) {
	withPrograms(t)
	w := &written{t: t}
	own := &topics.Limit{Rule: "fast", Value: 100, Unit: "/min", DurationS: 2, Layer: topics.LayerPatient, Author: "doctor-2"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.limits(1, []*topics.Rule{fast(1, 30)}, own))
	w.rate(2, 72)
	w.rate(1, 105) // too short
	w.rate(2, 72)
	w.rate(4, 105)
	must(w.limits(2, []*topics.Rule{fast(2, 30)}, own)) // another version, with the alarm open
	w.rate(3, 95)
	w.rate(7, 80)
	w.rate(3, 110)
	must(w.limits(3, nil)) // it is no more
	w.rate(3, 110)
	if want := `4 suppressed fast (short)
8 fast FAST 105 /min (limit 100) v1 rule v1 (raised)
18 fast FAST 105 /min (limit 100) v2 rule v2 (endedover)
22 fast FAST 110 /min (limit 100) v1 rule v2 (raised)
23 fast FAST 110 /min (limit 100) v2 rule v2 (endedoff)`; strings.Join(w.story, "\n") != want {
		t.Errorf("the story is\n%s\nand must be\n%s", strings.Join(w.story, "\n"), want)
	}
	if len(w.s.free) != 0 {
		t.Error("a rule that is no more is kept")
	}
}

func TestImpossibleRulesAreCondemnedAndTheOldStay(t *testing.T) {
	withPrograms(t)
	w := &written{t: t}
	if err := w.limits(1, []*topics.Rule{fast(1, 2)}); err != nil {
		t.Fatal(err)
	}
	nameless, builtin, looped, rude, slow := fast(1, 2), fast(1, 2), fast(1, 2), fast(1, 2), fast(1, 1e6)
	nameless.Name, builtin.Name, looped.When, rude.Priority = "", topics.RuleVT, "for ever", 9
	for what, rules := range map[string][]*topics.Rule{
		"of the name": {nameless}, "built-in": {builtin}, "column 1": {looped}, "LOW, MEDIUM or HIGH": {rude}, "0 to 1 h": {slow}, "twice": {fast(1, 2), fast(2, 2)},
		"at most": make([]*topics.Rule, mostFree+1),
	} {
		if err := w.limits(2, rules); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(w.s.free) != 1 || w.s.limits.version != 1 {
		t.Error("the set before is not in force")
	}
	compile = func(*topics.Rule) (program, error) { return nil, errors.New("no") }
	b, _ := w.s.AppendBinary(nil)
	if err := new(State).UnmarshalBinary(b); err == nil {
		t.Error("a state is read whose rule cannot be judged")
	}
}
