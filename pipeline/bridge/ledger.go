package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"heartwire/pipeline/failpoint"
)

// maxUnacked is how many messages can wait for their acknowledgement. An MQTT
// broker cannot have more than 65,535 under way on a connection; the rest is
// for those that come again on the next connection before the first are done.
const maxUnacked = 4 * 65536

// pending is a message that waits for what it caused to be written.
type pending struct {
	ack     func()
	arrived time.Time
	left    sync.WaitGroup // records not yet acknowledged by Kafka
	failed  atomic.Bool    // one will never be: the message is not acknowledged and comes again
}

// ledger acknowledges messages in the order of their arrival.
type ledger struct {
	order   chan *pending
	metrics *metrics
}

func newLedger(m *metrics) *ledger { return &ledger{make(chan *pending, maxUnacked), m} }

// enter puts a message at the end of the order. It waits when maxUnacked are before it.
func (l *ledger) enter(ctx context.Context, p *pending) bool {
	select {
	case l.order <- p:
		l.metrics.inFlight.Inc()
		return true
	case <-ctx.Done():
		return false
	}
}

// run acknowledges until ctx ends. Whoever ends ctx must see to it that each
// message's records are acknowledged or failed.
func (l *ledger) run(ctx context.Context) {
	for {
		select {
		case p := <-l.order:
			p.left.Wait()
			if !p.failed.Load() {
				failpoint.Hit(failpoint.BridgeProduced)
				p.ack()
				failpoint.Hit(failpoint.BridgeAcked)
				l.metrics.ack.Observe(time.Since(p.arrived).Seconds())
			}
			l.metrics.inFlight.Dec()
		case <-ctx.Done():
			l.metrics.inFlight.Sub(float64(len(l.order)))
			return
		}
	}
}
