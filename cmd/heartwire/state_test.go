package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"heartwire/pipeline"
	"heartwire/topics"
)

// believed is a state as stages have them: sealed, nested, with all kinds of values.
type believed struct {
	patient string
	now     int64 // µs
	rate    float64
	wait    time.Duration
	group   topics.AgeGroup
	rr      []float64
	gaps    []gap
	live    *gap
	late    *gap
	held    *topics.Samples
	by      map[string]gap
	pair    [2]bool
}

type gap struct{ from, to uint64 }

func some() *believed {
	rr := make([]float64, 20)
	for i := range rr {
		rr[i] = float64(800 + i)
	}
	return &believed{
		patient: "p03", now: 1_700_000_000_250_000, rate: 72.5, wait: 2500 * time.Millisecond, group: topics.AgeGroup_AGE_GROUP_ADULT,
		rr: rr, gaps: []gap{{1, 2}, {5, 9}}, live: &gap{7, 8}, held: &topics.Samples{Device: "d", First: 4},
		by: map[string]gap{"b": {3, 4}, "a": {1, 2}}, pair: [2]bool{true, false},
	}
}

func printed(t *testing.T, asJSON bool) string {
	t.Helper()
	var b strings.Builder
	l := pipeline.Look{
		Stage: "rhythm", Version: 3, Topic: "heartwire.annotations", Partition: 2, Offset: 1234, Tick: 99,
		Wall: topics.MicroTime(1_700_000_000_000_000), State: some(),
	}
	if err := dump(&b, l, asJSON); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDumpShowsWhatIsSealed(t *testing.T) {
	got := printed(t, false)
	for _, want := range []string{
		"rhythm at 2@1234 of heartwire.annotations: tick 99, 2023-11-14T22:13:20Z, state version 3\n",
		"\n  patient: \"p03\"\n",
		"\n  now: 1700000000250000 (2023-11-14T22:13:20.250Z)\n",
		"\n  rate: 72.5\n",
		"\n  wait: 2.5s\n",
		"\n  group: AGE_GROUP_ADULT\n",
		"\n  rr: [800 801 802 803 804 805 806 807 …] 20 in all\n",
		"\n  gaps[1].to: 9\n",
		"\n  live.from: 7\n",
		"\n  late: none\n",
		`"device":`,
		"\n  by[a].to: 2\n  by[b].from: 3\n",
		"\n  pair: [true false]\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestDumpAsJSONIsWhole(t *testing.T) {
	var got struct {
		Stage string
		State struct {
			Patient, Wait, Group string
			Now                  int64
			RR                   []float64
			Gaps                 []struct{ From, To uint64 }
			Live, Late           *struct{ From uint64 }
			Held                 struct{ Device string }
			By                   map[string]struct{ To uint64 }
		}
	}
	if err := json.Unmarshal([]byte(printed(t, true)), &got); err != nil {
		t.Fatal(err)
	}
	s := got.State
	if got.Stage != "rhythm" || s.Patient != "p03" || s.Wait != "2.5s" || s.Group != "AGE_GROUP_ADULT" || s.Now != 1_700_000_000_250_000 ||
		len(s.RR) != 20 || s.RR[19] != 819 || s.Gaps[1].To != 9 || s.Live.From != 7 || s.Late != nil || s.Held.Device != "d" || s.By["b"].To != 4 {
		t.Errorf("%+v", got)
	}
}

func TestDiffShowsWhatChanged(t *testing.T) {
	now := some()
	now.rate = 80
	now.rr = append([]float64{}, now.rr...)
	now.rr[12] = 1
	now.gaps = now.gaps[:1]
	now.live, now.late = nil, &gap{1, 2}
	var b strings.Builder
	diff(&b, pipeline.Look{Stage: "rhythm", State: some()}, pipeline.Look{Stage: "rhythm", State: now})
	_, got, _ := strings.Cut(b.String(), "\n")
	_, got, _ = strings.Cut(got, "\n")
	want := `  rate: 72.5 → 80
  rr: [12:] 812 813 814 815 816 817 818 819, 20 in all → [12:] 1 813 814 815 816 817 818 819, 20 in all
  live: — → none
  late.from: — → 1
  late.to: — → 2
  gaps[1].from: 5 → —
  gaps[1].to: 9 → —
  late: none → —
  live.from: 7 → —
  live.to: 8 → —
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	b.Reset()
	diff(&b, pipeline.Look{State: some()}, pipeline.Look{State: some()})
	if !strings.Contains(b.String(), "no difference") {
		t.Errorf("the same differs: %s", b.String())
	}
}
