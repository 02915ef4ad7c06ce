//go:build real

package bridge_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"heartwire/pipeline/bridge"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// eager is a source that has all its messages at once, as an MQTT broker
// without a bound on what is in flight.
type eager struct {
	messages         []bridge.Message
	delivered, acked atomic.Int64 // bytes
	most             atomic.Int64 // that waited at a time
}

func (f *eager) Name() string { return "eager" }

func (f *eager) Run(ctx context.Context, deliver func(bridge.Message)) error {
	for _, m := range f.messages {
		size := int64(len(m.Payload))
		m.Ack = func() { f.acked.Add(size) }
		deliver(m) // waits where there is no room
		if waits := f.delivered.Add(size) - f.acked.Load(); waits > f.most.Load() {
			f.most.Store(waits)
		}
	}
	<-ctx.Done()
	return nil
}

// A source that is faster than Kafka is held up: what waits for Kafka stays
// within its bound.
func TestRealSlowKafkaHoldsUpTheSource(t *testing.T) {
	const n, room = 1500, 8 << 20
	cluster := servers.Kafka(t, 1, servers.KafkaOptions{Proxied: true})
	kconf := kafka.DefaultConfig()
	kconf.Brokers, kconf.Partitions, kconf.Replication, kconf.MinISR = cluster.Addrs(), pipelinetest.Partitions, 1, 1
	pipelinetest.MakeTopics(t, kconf)
	s := siteOn(t, kconf, "tcp://127.0.0.1:1") // no MQTT
	s.conf.BufferBytes = room
	s.conf.SessionTimeout = 6 * time.Second // a stock broker takes no less
	f := &eager{}
	var all int64
	for i := range n {
		fr := frame("patch-01", 1, i)
		long := fr.Leads[0].Deltas
		for len(long) < 9_900 {
			long = append(long, fr.Leads[0].Deltas...)
		}
		fr.First = uint64(i * len(long))
		for _, l := range fr.Leads {
			l.Deltas = long
		}
		fr.Rate = 1000
		m := bridge.Message{Kind: bridge.Frames, Device: "patch-01", Place: "eager", Payload: encode(t, fr)}
		f.messages = append(f.messages, m)
		all += int64(len(m.Payload))
	}
	heap := pipelinetest.WatchHeap()
	cluster.Proxy(0).Throttle(1_000_000)
	b := s.runSource(f)
	for end := time.Now().Add(patience); f.acked.Load() < 1e6; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a slow Kafka has taken only %d bytes in %s", f.acked.Load(), patience)
		}
	}
	slowly := f.acked.Load()
	cluster.Proxy(0).Mend()
	began := time.Now()
	for end := began.Add(time.Minute); f.acked.Load() < all; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d bytes are acknowledged a minute after Kafka is fast again", f.acked.Load(), all)
		}
	}
	rise := heap()
	t.Logf("%d MB; %.1f MB of it slowly, the rest in %s; at most %.1f MiB waited, heap %.1f MiB over what it was",
		all/1e6, float64(slowly)/1e6, time.Since(began).Round(time.Millisecond), float64(f.most.Load())/(1<<20), float64(rise)/(1<<20))
	if slowly > all/2 {
		t.Error("Kafka was not slow")
	}
	if f.most.Load() > room {
		t.Errorf("%d bytes waited at a time, want at most %d", f.most.Load(), room)
	}
	// The records made of what waits, the requests that carry them, the proxy.
	if bound := int64(5 * room); rise > bound {
		t.Errorf("the live heap rose by %d MiB, want at most %d", rise>>20, bound>>20)
	}
	seen := map[uint64]bool{}
	read(s, topics.Frames, n, func(r topics.Record[*topics.Frame]) bool {
		v := r.Value.GetSamples()
		if v == nil || seen[v.First] {
			return false
		}
		seen[v.First] = true
		return true
	})
	b.stop()
}
