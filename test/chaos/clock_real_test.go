//go:build real

package chaos_test

import (
	"math/rand/v2"
	"time"
)

// clockDies kills a clock, whichever it is. The other one takes over what it owned.
var clockDies = fault{"kill -9 of a clock", replaced, func(h *house, luck *rand.Rand) {
	p := h.parts["clock"+[]string{"-a", "-b"}[luck.IntN(2)]]
	h.takenOver(p, p.Kill)
	h.caughtUp(time.Minute)
	p.Start()
	h.ready(p)
}}

// clockStalls stops a clock for longer than its group waits for it. What it
// writes when it goes on moves nobody's time.
var clockStalls = fault{"SIGSTOP of a clock", replaced, func(h *house, luck *rand.Rand) {
	p := h.parts["clock"+[]string{"-a", "-b"}[luck.IntN(2)]]
	h.takenOver(p, p.Pause)
	h.caughtUp(time.Minute)
	p.Resume()
	h.ticks(p)
	h.caughtUp(time.Minute)
}}

// ticks waits until a clock owns partitions and ticks.
func (h *house) ticks(p *part) {
	h.t.Helper()
	before, _ := p.metric("heartwire_pipeline_ticks_total")
	h.await(time.Minute, "a clock to tick", func() bool {
		n, ok := p.metric("heartwire_pipeline_ticks_total")
		return ok && n > before
	})
}

// takenOver ends a clock that ticks, and waits until time goes on in each
// partition, in those that were its with a new owner.
func (h *house) takenOver(p *part, end func()) {
	h.t.Helper()
	h.ticks(p)
	before, _ := h.follower.owners()
	end()
	ended := time.Now()
	h.await(time.Minute, "time to go on everywhere", func() bool {
		_, at := h.follower.owners()
		for _, last := range at {
			if last.Before(ended.Add(1500 * time.Millisecond)) { // one tick may have been on its way
				return false
			}
		}
		return len(at) == partitions+1
	})
	taken := 0
	after, _ := h.follower.owners()
	for place, owner := range after {
		if owner > before[place] {
			taken++
		}
	}
	if h.t.Logf("%d of %d partitions of time were taken over", taken, len(after)); taken == 0 {
		h.t.Error("a clock that ticked has ended, and nobody took over from it")
	}
}
