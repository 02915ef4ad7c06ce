package pipeline

import "time"

// maxPace is the most that a stage waits between two transactions for a slow
// broker's sake: the alarms' budgets have room for it.
const maxPace = 200 * time.Millisecond

// pace is how long a stage waits between two transactions. A broker that is
// slow gets fewer of them to end, not more: each writes a marker into every
// partition that it touched. One slow turn shows a pause of the broker, which
// is over: what has gathered must not wait for as long again. Two show load.
type pace struct{ before time.Duration }

// next is the wait after a turn that took so long; least is the least.
func (p *pace) next(least, took time.Duration) time.Duration {
	wait := min(took, p.before)
	p.before = took
	return min(max(least, wait), maxPace)
}
