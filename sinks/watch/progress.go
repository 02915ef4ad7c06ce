package watch

import (
	"time"

	"heartwire/topics"
)

// progress is how far a partition has got, by the ticks that come out of it,
// in this process's own time.
type progress struct {
	n, owner uint64
	wallUs   int64         // label of the newest tick
	sum      time.Duration // of all ticks: the log's time
	seen     time.Time     // when the newest came
	struck   time.Time     // when it was struck, as near as can be told
}

// drift is how much faster than the clock's ours may go, and more: a lag that
// only seems to be one is forgotten at a millisecond a second.
const drift = 1000

// tick takes a tick that came at a moment; false says that it is a repeat.
//
// A stage that goes on, far behind, is no better than one that stands still. How
// far behind it is no wall clock tells, for any may be set. But ticks say how
// much time passes between them: from the one that came with the least delay on,
// each was struck so much later than the last. One that comes earlier than
// it can have been struck shows that the delay was less than believed.
func (p *progress) tick(now time.Time, t *topics.Tick) bool {
	if !t.Follows(p.n, p.owner) {
		return false
	}
	gained := t.Elapsed()
	if p.n == 0 {
		p.struck = now
	} else {
		passed := gained
		if gained == topics.MaxElapsed || t.GetOwner() != p.owner {
			// A clock that was away says no more than that, and one that is new
			// asks a wall clock. It was away no longer than nothing came, nor than
			// by its labels, whichever is more: what is believed too little
			// would seem to be a lag for ever.
			passed = max(gained, now.Sub(p.seen), time.Duration(t.GetWallUs()-p.wallUs)*time.Microsecond)
		}
		p.struck = p.struck.Add(passed + passed/drift)
	}
	if p.struck.After(now) {
		p.struck = now
	}
	p.n, p.owner, p.wallUs, p.seen = t.GetN(), t.GetOwner(), t.GetWallUs(), now
	p.sum += gained
	return true
}

// age is how old the newest decision is; since is where to count from while
// there is none.
func (p *progress) age(now, since time.Time) time.Duration {
	if p.n == 0 {
		return now.Sub(since)
	}
	return now.Sub(p.struck)
}
