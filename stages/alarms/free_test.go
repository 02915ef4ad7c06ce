package alarms

import (
	"fmt"
	"strings"
	"testing"

	"heartwire/topics"
)

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
		Name: "fast", Version: version, When: "hr > limit", Clear: "hr <= limit - 10", Value: "hr", Words: "FAST", Unit: "/min",
		Priority: topics.Priority_PRIORITY_MEDIUM, DurationS: duration, CalmS: 5, Layer: topics.LayerUnit, Author: "doctor-1",
	}
}

func TestRulesThatPeopleWriteLiveAsTheOthers(t *testing.T) {
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
8 fast FAST 105 > 100 /min v1 rule v1 (raised)
18 fast FAST 105 > 100 /min v2 rule v2 (endedover)
22 fast FAST 110 > 100 /min v1 rule v2 (raised)
23 fast FAST 110 > 100 /min v2 rule v2 (endedoff)`; strings.Join(w.story, "\n") != want {
		t.Errorf("the story is\n%s\nand must be\n%s", strings.Join(w.story, "\n"), want)
	}
	if len(w.s.free) != 0 {
		t.Error("a rule that is no more is kept")
	}
}

func TestImpossibleRulesAreCondemnedAndTheOldStay(t *testing.T) {
	w := &written{t: t}
	if err := w.limits(1, []*topics.Rule{fast(1, 2)}); err != nil {
		t.Fatal(err)
	}
	rude, slow := fast(1, 2), fast(1, 1e6)
	rude.Priority = 9
	for what, rules := range map[string][]*topics.Rule{
		"LOW, MEDIUM or HIGH": {rude}, "0 to 1 h": {slow}, "twice": {fast(1, 2), fast(2, 2)},
		"at most": make([]*topics.Rule, mostFree+1),
	} {
		if err := w.limits(2, rules); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(w.s.free) != 1 || w.s.limits.version != 1 {
		t.Error("the set before is not in force")
	}
}

// A rule that cannot be judged here, though the registry let it in, is a
// technical alarm; the rules beside it, and the limits of its set, are in force.
func TestARuleThatCannotBeJudged(t *testing.T) {
	for what, broken := range map[string]*topics.Rule{
		"loops":              {Name: "bad", When: "[1].all(x, x > 0)", Words: "BAD", Priority: topics.Priority_PRIORITY_HIGH},
		"no limit":           {Name: "bad", When: "hr > limit", Words: "BAD", Priority: topics.Priority_PRIORITY_HIGH},
		"name of a built-in": {Name: topics.RuleVT, When: "hr > 1", Words: "BAD", Priority: topics.Priority_PRIORITY_HIGH},
	} {
		w := &written{t: t}
		if err := w.limits(1, []*topics.Rule{broken, fast(1, 2)}, &topics.Limit{Rule: "fast", Value: 100, DurationS: 2}); err != nil {
			t.Fatal(err)
		}
		w.rate(5, 110)
		if err := w.limits(2, []*topics.Rule{fast(1, 2)}, &topics.Limit{Rule: "fast", Value: 100, DurationS: 2}); err != nil {
			t.Fatal(err)
		}
		w.rate(4, 110)
		if want := fmt.Sprintf(`1 rule-broken RULE CANNOT BE JUDGED: %s v1 rule v1 (raised)
3 fast FAST 110 > 100 /min v1 rule v1 (raised)
9 rule-broken RULE CANNOT BE JUDGED v2 rule v1 (endedover)`, broken.Name); strings.Join(w.story, "\n") != want {
			t.Errorf("%s: the story is\n%s\nand must be\n%s", what, strings.Join(w.story, "\n"), want)
		}
	}
}

// A value that cannot be told when the alarm is raised is told as soon as it can be.
func TestAValueThatComesLater(t *testing.T) {
	w := &written{t: t}
	r := &topics.Rule{Name: "either", When: "hr > 130 || spo2 < 85", Value: "spo2", Words: "EITHER", Unit: "%", Priority: topics.Priority_PRIORITY_LOW, CalmS: 3}
	if err := w.limits(1, []*topics.Rule{r}, &topics.Limit{Rule: topics.RuleHRHigh, Off: true, Value: 120}); err != nil {
		t.Fatal(err)
	}
	w.rate(2, 135)
	if err := w.put(&topics.Chart{TimeUs: 2e6, Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: "59408-5", Value: 82, Ucum: "%"}}}); err != nil {
		t.Fatal(err)
	}
	w.rate(9, 135)
	if err := w.put(&topics.Chart{TimeUs: 11e6, Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: "59408-5", Value: 92, Ucum: "%"}}}); err != nil {
		t.Fatal(err)
	}
	w.rate(5, 100)
	if want := `1 either EITHER v1 rule v1 (raised)
6 either EITHER 82 % v2 rule v1 (value)
15 either EITHER 92 % v3 rule v1 (endedover)`; strings.Join(w.story, "\n") != want {
		t.Errorf("the story is\n%s\nand must be\n%s", strings.Join(w.story, "\n"), want)
	}
}

// The history of a patient is not that of the next one under the key.
func TestAHistoryEndsWithTheBinding(t *testing.T) {
	w := &written{t: t}
	r := &topics.Rule{Name: "slow", When: "hr.min(1min) < 50", Words: "SLOW", Priority: topics.Priority_PRIORITY_LOW}
	if err := w.limits(1, []*topics.Rule{r}); err != nil {
		t.Fatal(err)
	}
	w.rate(29, 48)
	if err := w.put(&topics.Chart{TimeUs: 29e6, Kind: &topics.Chart_Binding{Binding: &topics.Binding{Device: "patch-1"}}}); err != nil {
		t.Fatal(err)
	}
	w.rate(20, 48)
	for _, line := range w.story {
		if strings.Contains(line, "slow") {
			t.Errorf("%s: by what the one before has left", line)
		}
	}
}
