package rules

import (
	"strings"
	"sync"
	"testing"
	"time"

	"heartwire/topics"
)

// Partitions of a site are folded at the same time: they share programs.
func TestProgramsAreForAllGoroutines(t *testing.T) {
	var p Programs
	list := []*topics.Rule{written("hr.mean(30s) > 100 && spo2.min(1min) < 90"), {Name: "other", When: "hr > 130", Words: "X", Priority: 1}}
	var all sync.WaitGroup
	sets := make([]*Set, 8)
	for i := range sets {
		all.Go(func() {
			set, failed := p.Set(list)
			if len(failed) > 0 {
				t.Error(failed[0].Err)
			}
			sets[i] = set
			var h History
			m := &Moment{Second: second(110), NowUs: began}
			for k := range 200 {
				if k == 100 {
					h.Vital(set, &topics.Vital{Loinc: "59408-5", Value: 85, Ucum: "%"}, began)
				}
				h.Add(set, time.Duration(k)*time.Second, m)
				want := Unknown
				if k >= 129 {
					want = Over
				}
				if got := set.Rules[0].Judge(&h, m, NoLimit, false); got != want {
					t.Errorf("second %d: %v", k, got)
					return
				}
			}
		})
	}
	all.Wait()
	for _, s := range sets {
		if s != sets[0] {
			t.Error("the same rules are compiled twice")
		}
	}
}

func TestProgramsForget(t *testing.T) {
	var p Programs
	r := written("hr > 130")
	p.known = map[string]compiled{}
	for i := range remembered {
		p.known[string(rune(i))+"x"] = compiled{}
	}
	if _, err := p.Rule(r); err != nil || len(p.known) != 1 {
		t.Errorf("%v, %d are remembered", err, len(p.known))
	}
}

func TestASetLeavesOutWhatCannotBe(t *testing.T) {
	bad, twin, good := written("hr >"), written("hr > 140"), written("hr > 130")
	bad.Name = "bad"
	set, failed := new(Programs).Set([]*topics.Rule{bad, good, twin})
	if len(set.Rules) != 1 || set.Find("mine").Written.GetWhen() != "hr > 130" || set.Find("bad") != nil || len(failed) != 2 {
		t.Errorf("%v, %v", set, failed)
	}
	if !strings.Contains(failed[1].Err.Error(), "there are two rules of that name") {
		t.Error(failed[1].Err)
	}
	if set, _ := new(Programs).Set([]*topics.Rule{bad}); set != nil || set.Find("bad") != nil {
		t.Error("a set of nothing")
	}
	err := CheckSet([]*topics.Rule{bad, good, twin})
	if list := Problems(err); len(list) != 2 || list[0].Field != "when" || list[1].Field != "name" {
		t.Errorf("%v", list)
	}
}
