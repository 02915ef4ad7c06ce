package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// A lane holds the polls in its hand and at most laneDepth that wait, each of
// one answer's share of a partition. The depth is that of a pause: what the
// broker was asked for before it is read again after it.
const (
	laneDepth = 4
	partBytes = 128 << 10
)

// lane delivers one partition of a durable sink, in order.
type lane struct {
	*delivery
	at    place
	feed  Feed
	log   *slog.Logger
	queue chan []*kgo.Record // never full when the loop hands over: then the partition is paused
	stop  chan struct{}      // closed: what is in hand is the last
	done  chan struct{}      // closed: it has ended
	ctx   context.Context
	give  context.CancelFunc // gives up what is in hand

	mu     sync.Mutex
	paused bool
	gone   bool // the partition is not ours any more: nothing of it may be committed
}

func newLane(d *delivery, at place) *lane {
	ctx, cancel := context.WithCancel(context.Background())
	return &lane{
		delivery: d, at: at, feed: d.feeds[at.topic], log: d.env.Log.With("topic", at.topic, "partition", at.partition),
		queue: make(chan []*kgo.Record, laneDepth), stop: make(chan struct{}), done: make(chan struct{}), ctx: ctx, give: cancel,
	}
}

// hand puts a poll at the end of the queue, and pauses the partition when
// there is no room for another.
func (l *lane) hand(polled []*kgo.Record) {
	for _, r := range polled {
		detach(r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue <- polled
	if len(l.queue) == cap(l.queue) {
		l.paused = true
		l.client.PauseFetchPartitions(map[string][]int32{l.at.topic: {l.at.partition}})
	}
}

// detach copies what a record holds out of the answer it came in: one partition
// that waits must not keep the whole answer, of all partitions, in memory.
func detach(r *kgo.Record) {
	r.Key, r.Value = slices.Clone(r.Key), slices.Clone(r.Value)
	r.Headers = slices.Clone(r.Headers)
	for i, h := range r.Headers {
		r.Headers[i].Value = slices.Clone(h.Value)
	}
}

// run delivers until the lane is ended.
func (l *lane) run() {
	defer close(l.done)
	defer l.give()
	var held []*kgo.Record // by the sink, until it has seen more
	for {
		batch := l.next()
		if len(batch) == 0 {
			return
		}
		batch = append(held, batch...)
		n, delivered := l.deliver(batch)
		if !delivered {
			return
		}
		held = slices.Clone(batch[n:])
		if n == 0 {
			continue
		}
		last := batch[n-1]
		l.mu.Lock()
		if !l.gone {
			l.client.MarkCommitRecords(last)
			l.lag.read(l.at.topic, l.at.partition, last.Offset+1)
		}
		l.mu.Unlock()
	}
}

// next is all that waits, as one batch; nothing when the lane is to end.
func (l *lane) next() []*kgo.Record {
	select {
	case <-l.stop:
		return nil
	default:
	}
	var batch []*kgo.Record
	select {
	case <-l.stop:
		return nil
	case batch = <-l.queue:
	}
	for range len(l.queue) {
		batch = append(batch, <-l.queue...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused && !l.gone {
		l.paused = false
		l.client.ResumeFetchPartitions(map[string][]int32{l.at.topic: {l.at.partition}})
	}
	return batch
}

// deliver tries a batch at the same place until all of it is delivered, in
// rejects or held. It gives how many of it are not held; false says that it was
// given up.
func (l *lane) deliver(batch []*kgo.Record) (n int, delivered bool) {
	var done tried
	records := data(slices.Clone(batch))
	delivered = l.persist("deliver", func(ctx context.Context) (err error) {
		select {
		case l.turns <- struct{}{}:
			defer func() { <-l.turns }()
		case <-ctx.Done():
			return ctx.Err()
		}
		began := time.Now()
		if len(records) > 0 {
			done, err = l.feed.try(ctx, records)
			l.env.metrics.delivery.WithLabelValues(l.name).Observe(time.Since(began).Seconds())
		}
		return err
	})
	if !delivered || !l.persist("reject", func(ctx context.Context) error { return l.reject(ctx, done.bad) }) {
		return 0, false
	}
	n, count := len(batch), len(records)
	if done.hold != nil {
		n, count = slices.Index(batch, done.hold), slices.Index(records, done.hold)
	}
	l.env.metrics.records.WithLabelValues(l.name).Add(float64(count))
	return n, true
}

// persist calls do until it succeeds, with pauses that grow to 5 s; false says
// that the lane is to end. Meanwhile the partition counts as held.
func (l *lane) persist(what string, do func(context.Context) error) bool {
	held := false
	defer func() {
		if held {
			l.hold(-1)
		}
	}()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ctx, cancel := context.WithTimeout(l.ctx, deliverTime)
		err := do(ctx)
		cancel()
		if err == nil {
			return true
		}
		if l.ctx.Err() != nil {
			return false
		}
		l.env.metrics.retries.WithLabelValues(l.name).Inc()
		if !held {
			held = true
			l.hold(1)
		}
		l.sayHeld(what, err)
		select {
		case <-l.stop: // it failed and would wait: whoever has the partition next goes on
			return false
		case <-time.After(wait):
		}
	}
}

// reject writes what can never be delivered to rejects.
func (l *lane) reject(ctx context.Context, bad []condemned) error {
	slices.SortFunc(bad, func(a, b condemned) int { return cmp.Compare(a.record.Offset, b.record.Offset) })
	var out []*kgo.Record
	for _, b := range bad {
		r := b.record
		origin := topics.Origin{Source: l.feed.spec.Name, Partition: r.Partition, Epoch: l.epoch[r.Topic], Offset: r.Offset}
		rec, err := kafka.Encode(l.env.Kafka.Site, topics.Rejects, l.env.Kafka.Partitions, &topics.Reject{
			Key: string(r.Key), Reason: b.reason, Detail: fmt.Sprint(b.err), Source: l.name, Original: r.Value[:min(len(r.Value), 64<<10)],
			Size: uint64(len(r.Value)), TimeUs: r.Timestamp.UnixMicro(), Origin: origin.String(),
		}, origin)
		if err != nil {
			return err
		}
		out = append(out, rec)
	}
	if err := l.client.ProduceSync(ctx, out...).FirstErr(); err != nil {
		return err
	}
	for _, b := range bad {
		l.env.metrics.rejects.WithLabelValues(l.name).Inc()
		l.log.Warn("a record can never be delivered and is in rejects", "reason", b.reason, "offset", b.record.Offset)
	}
	return nil
}

// end lets the lane finish what is in hand, and gives it up after a while. When
// it returns nothing more will be committed.
func (l *lane) end(finish time.Duration) {
	close(l.stop)
	if !l.ended(finish) {
		l.give()
		if !l.ended(returnTime) {
			l.log.Error("the sink has not returned from a delivery whose context has ended")
		}
	}
	l.mu.Lock()
	l.gone = true
	l.mu.Unlock()
}

func (l *lane) ended(within time.Duration) bool {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-l.done:
		return true
	case <-t.C:
		return false
	}
}
