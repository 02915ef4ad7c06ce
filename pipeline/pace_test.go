package pipeline

import (
	"testing"
	"time"
)

func TestPaceFollowsABrokerThatIsSlowAndNotOneThatPaused(t *testing.T) {
	const ms = time.Millisecond
	var p pace
	for i, turn := range []struct{ took, wait time.Duration }{
		{300 * ms, 20 * ms}, // the first, with all that had gathered
		{8 * ms, 20 * ms},
		{150 * ms, 20 * ms}, // a pause
		{8 * ms, 20 * ms},
		{60 * ms, 20 * ms}, // load
		{80 * ms, 60 * ms},
		{900 * ms, 80 * ms},
		{900 * ms, maxPace},
		{8 * ms, 20 * ms},
	} {
		if got := p.next(20*ms, turn.took); got != turn.wait {
			t.Errorf("after turn %d, which took %s: a wait of %s, want %s", i, turn.took, got, turn.wait)
		}
	}
}
