package beats

import (
	"testing"

	"heartwire/topics"
)

// lane is what a lead has of its last beats: one each interval, the last at a
// sample of internalRate, all alike.
func lane(last, every uint64, n int, odds float32, template int) (marks []mark) {
	for i := range n {
		at := last - uint64(n-1-i)*every
		marks = append(marks, mark{r: at, ready: at + 144, odds: odds, template: template, quiet: 0.1})
	}
	return marks
}

func joined(a, b []mark) []mark { return append(append([]mark{}, a...), b...) }

// twoLeads is an analysis that has found these beats in its leads.
func twoLeads(chosen, spare []mark) *analysis {
	a := &analysis{rate: 180, kernel: newKernel(180), leads: make([]lead, 2), chosen: newTracker(), spare: newTracker()}
	a.chosen.restart(a.kernel, 0)
	a.spare.restart(a.kernel, 0)
	a.chosen.lead, a.spare.lead = 0, 1
	for _, t := range []*tracker{&a.chosen, &a.spare} {
		t.read.own.list = []template{{n: learnedBeats, weight: learnedBeats}}
	}
	a.chosen.read.marks, a.spare.read.marks = chosen, spare
	return a
}

func TestFastRun(t *testing.T) {
	const now, likely, unlikely = 9000, 0.6, 0.4
	sinus := lane(now-4*72-150, 150, 4, -5, 0) // 72 /min, before five at 150 /min
	fast := func(odds float32, template int) []mark {
		return joined(sinus, lane(now, 72, 5, odds, template))
	}
	slow := lane(now, 126, 9, 3, 1) // 86 /min
	apart := lane(now+30, 150, 6, -5, 0)
	for _, c := range []struct {
		name          string
		chosen, spare []mark
		least, most   float64
	}{
		{"in both leads", fast(3, 1), fast(3, 1), likely, 1},
		{"it looks normal in the lead that is analysed", fast(-3, 0), fast(3, 1), likely, 1},
		{"in the only lead", fast(3, 1), nil, likely, 1},
		{"sinus rhythm", lane(now, 150, 9, -5, 0), lane(now, 150, 9, -5, 0), 0, 0},
		{"normal beats that are fast", fast(-5, 0), fast(-5, 0), 0, unlikely},
		{"too slow", slow, slow, 0, 0},
		{"noise, and the other lead goes on in its own rhythm", fast(2, -1), apart, 0, unlikely},
		{"four", lane(now, 72, 4, 3, 1), nil, 0, 0},
		{"beats that come later do not count", joined(lane(now, 150, 9, -5, 0), lane(now+5*72, 72, 5, 3, 1)), nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := twoLeads(c.chosen, c.spare)
			a.lastBeat = now - 72
			run := &topics.FastRun{}
			a.fastRun(beat{r: now, ready: now + 144}, now, run)
			if p := run.GetVentricular(); p < c.least || p > c.most {
				t.Errorf("%.3f, want %v to %v", p, c.least, c.most)
			}
			if run.GetVentricular() >= likely && (run.GetOnset() != now-4*72 || run.GetRrMs() != 400) {
				t.Errorf("from %d on at an interval of %v ms, want %d and 400", run.GetOnset(), run.GetRrMs(), now-4*72)
			}
		})
	}
}

func TestMarksAreForgotten(t *testing.T) {
	a := twoLeads(lane(9000, 72, 60, 3, 1), lane(9000, 72, 60, 3, 1))
	a.said = 9000
	a.forgetMarks()
	kept := marksKept // s
	if n := len(a.chosen.read.marks); n < fastBeats || float64(n) > kept*180/72+1 || len(a.spare.read.marks) != n {
		t.Errorf("%d and %d are kept", n, len(a.spare.read.marks))
	}
}
