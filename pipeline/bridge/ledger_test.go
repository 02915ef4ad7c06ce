package bridge

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
)

// What Kafka has taken waits behind what it has not: by size, not by number
// alone.
func TestLedgerBoundsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m, err := newMetrics(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		l := newLedger(m, 100)
		go l.run(ctx)
		var acked []int
		message := func(n, size int) *pending {
			p := &pending{size: size, ack: func() { acked = append(acked, n) }}
			p.left.Add(1)
			return p
		}
		first, second, third := message(1, 60), message(2, 40), message(3, 1000)
		if !l.enter(ctx, first) || !l.enter(ctx, second) {
			t.Fatal("two messages that fit were not taken")
		}
		entered := make(chan bool, 1)
		go func() { entered <- l.enter(ctx, third) }()
		second.left.Done() // Kafka has the second, and not the first
		synctest.Wait()
		if len(entered) > 0 || len(acked) > 0 {
			t.Fatalf("a message was taken for which there is no room, or one acknowledged out of order: %v", acked)
		}
		first.left.Done()
		synctest.Wait()
		if len(entered) != 1 || len(acked) != 2 {
			t.Fatalf("%v are acknowledged, and the third, larger than all the room, is not taken", acked)
		}
		third.left.Done()
		synctest.Wait()
		if len(acked) != 3 {
			t.Fatalf("acknowledged: %v", acked)
		}
	})
}
