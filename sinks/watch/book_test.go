package watch

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// stopped is a look that finds a unit stopped, and calm one that finds nothing.
func stopped(sinceUs int64, patients ...topics.Key) *view {
	return &view{stopped: []finding{{
		subject: subject{of: "unit/4W"}, scope: wholeUnit, reason: reasonNoDecision, sinceUs: sinceUs, patients: patients,
	}}}
}

func calm() *view { return &view{} }

// pair is two watchers and the log between them.
type pair struct {
	t    *testing.T
	a, b *book
	now  time.Time
	log  []*topics.Page
}

func newPair(t *testing.T) *pair {
	return &pair{t: t, a: newBook(5 * time.Minute), b: newBook(5 * time.Minute), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// look lets one of them look, and the other read what it says.
func (p *pair) look(who *book, v *view) []*topics.Page {
	said := who.settle(p.now, p.now.UnixMicro(), v)
	for _, page := range said {
		p.log = append(p.log, page)
		for _, b := range []*book{p.a, p.b} {
			b.read(p.now, proto.CloneOf(page))
		}
	}
	p.now = p.now.Add(lookEvery)
	return said
}

// wants that so many pages have been said since the last call.
func (p *pair) wants(n int) []*topics.Page {
	p.t.Helper()
	if len(p.log) != n {
		p.t.Fatalf("said %v, want %d", p.log, n)
	}
	said := p.log
	p.log = nil
	return said
}

func TestTwoWatchersSayItOnce(t *testing.T) {
	p := newPair(t)
	for range 40 {
		p.look(p.a, stopped(7, "p1"))
		p.look(p.b, stopped(7, "p1"))
	}
	p.wants(1)
	for p.now = p.now.Add(5 * time.Minute); len(p.log) == 0; {
		p.look(p.a, stopped(7, "p1"))
	}
	for range 40 {
		p.look(p.b, stopped(7, "p1"))
		p.look(p.a, stopped(7, "p1"))
	}
	if again := p.wants(1)[0]; !again.GetMonitoring().GetAgain() {
		t.Errorf("said %v", again)
	}
	for range 200 {
		p.look(p.b, calm())
		p.look(p.a, calm())
	}
	ends := p.log
	for _, e := range ends { // the other one may find it in the same moment
		if !e.GetMonitoring().GetResumed() || e.GetId() != ends[0].GetId() {
			t.Errorf("said %v", e)
		}
	}
	if len(ends) < 1 || len(ends) > 2 {
		t.Errorf("said %v", ends)
	}
}

// Who finds the same in the same moment says the same.
func TestTwoWatchersOfOneMomentSayTheSame(t *testing.T) {
	a, b := newBook(time.Minute), newBook(time.Minute)
	now := time.Unix(100, 0)
	x, y := a.settle(now, 1, stopped(7, "p1")), b.settle(now.Add(time.Millisecond), 1, stopped(7, "p1"))
	if len(x) != 1 || len(y) != 1 || !proto.Equal(x[0], y[0]) {
		t.Errorf("said %v and %v", x, y)
	}
}

// A watcher that is not yet as sure as the other does not take it back; one that
// has been started anew takes back what is over.
func TestAnotherWatchersWord(t *testing.T) {
	p := newPair(t)
	p.look(p.a, stopped(7, "p1"))
	p.wants(1)
	unsure := &view{uncertain: map[subject]bool{{of: "unit/4W"}: true}}
	for range 400 {
		p.look(p.b, unsure)
	}
	for range 79 {
		p.look(p.b, calm())
	}
	p.wants(0)
	for range 3 {
		p.look(p.b, calm())
	}
	if over := p.wants(1)[0]; !over.GetMonitoring().GetResumed() || over.GetId() != "unit/4W@7" {
		t.Errorf("said %v", over)
	}
	// a finds it all the same, and goes on saying so.
	p.look(p.a, stopped(7, "p1"))
	p.wants(0)
	p.now = p.now.Add(5 * time.Minute)
	p.look(p.a, stopped(7, "p1"))
	p.wants(1)
}

// A watcher that is blind knows of nobody that all is well again.
func TestABlindWatcherEndsNothing(t *testing.T) {
	p := newPair(t)
	p.look(p.a, stopped(7, "p1"))
	p.wants(1)
	for range 400 {
		p.look(p.b, &view{blind: true})
	}
	p.wants(0)
}
