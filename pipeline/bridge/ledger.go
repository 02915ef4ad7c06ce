package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"heartwire/pipeline/failpoint"
)

// maxUnacked is how many messages can wait for their acknowledgement. An MQTT
// broker cannot have more than 65,535 under way on a connection; the rest is
// for those that come again on the next connection before the first are done.
const maxUnacked = 4 * 65536

// pending is a message that waits for what it caused to be written.
type pending struct {
	ack     func()
	size    int // of the message, which is kept for as long
	arrived time.Time
	left    sync.WaitGroup // records not yet acknowledged by Kafka
	span    trace.Span     // nil where the message is not followed
	failed  atomic.Bool    // one will never be: the message is not acknowledged and comes again
}

// ledger acknowledges messages in the order of their arrival. What Kafka has
// taken waits in it behind what it has not, so it bounds what waits by size too.
type ledger struct {
	order   chan *pending
	bytes   int64
	room    *semaphore.Weighted // of bytes
	metrics *metrics
}

func newLedger(m *metrics, bytes int) *ledger {
	return &ledger{make(chan *pending, maxUnacked), int64(bytes), semaphore.NewWeighted(int64(bytes)), m}
}

// takes is how much of the ledger's room a message takes: one that is larger
// than all of it is alone.
func (l *ledger) takes(p *pending) int64 { return min(int64(p.size), l.bytes) }

// enter puts a message at the end of the order. It waits when maxUnacked, or
// as many bytes as there is room for, are before it.
func (l *ledger) enter(ctx context.Context, p *pending) bool {
	if l.room.Acquire(ctx, l.takes(p)) != nil {
		return false
	}
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
			l.room.Release(l.takes(p))
			l.metrics.inFlight.Dec()
			if p.span != nil {
				if p.failed.Load() {
					p.span.SetStatus(codes.Error, "not written: it comes again")
				}
				p.span.End()
			}
		case <-ctx.Done():
			l.metrics.inFlight.Sub(float64(len(l.order)))
			return
		}
	}
}
