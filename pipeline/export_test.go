package pipeline

import "time"

// HungAfter makes a loop count as hung sooner than after a minute.
func (r *Runner) HungAfter(d time.Duration) { r.hung = d }
