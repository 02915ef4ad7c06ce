package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Clock is the node that makes time a record: once a second it writes a tick
// into each partition of these topics that it owns. It joins a group for the
// ownership alone and reads nothing by it; a new owner goes on from the last
// tick in the partition, with a higher owner number, so that whatever a
// replaced one still writes is ignored.
func Clock(into ...topics.Any) Node {
	return Node{
		Name: "clock", Kind: KindClock, Writes: specs(into),
		Run: func(ctx context.Context, env *Env) error {
			c := &clock{env: env, topics: map[string]topics.Any{}, owned: map[place]*hand{}}
			for _, t := range into {
				c.topics[t.About().On(env.Kafka.Site)] = t
			}
			return c.run(ctx)
		},
	}
}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// hand is the clock of one partition.
type hand struct {
	n, owner uint64    // of the last tick written
	at       time.Time // when, by the monotonic clock
	pending  bool      // not yet acknowledged: no second one is written meanwhile
}

type clock struct {
	env    *Env
	topics map[string]topics.Any

	mu    sync.Mutex
	owned map[place]*hand
}

func (c *clock) run(ctx context.Context) error {
	var names []string
	for name := range c.topics {
		names = append(names, name)
	}
	failed := make(chan error, 1)
	cl, err := c.env.Kafka.NewClient(c.env.Log, c.env.count,
		kgo.ClientID(clientID("clock", c.env.Config.Instance)),
		kgo.ConsumerGroup(c.env.Kafka.Site+".clock"),
		kgo.ConsumeTopics(names...),
		kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.env.Config.SessionTimeout),
		kgo.HeartbeatInterval(c.env.Config.SessionTimeout/6),
		kgo.RebalanceTimeout(20*time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.OnPartitionsAssigned(func(ctx context.Context, _ *kgo.Client, added map[string][]int32) {
			if err := c.take(ctx, added); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		}),
		kgo.OnPartitionsRevoked(c.give),
		kgo.OnPartitionsLost(c.give),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	cl.PauseFetchTopics(names...)
	// The group is managed only while somebody polls.
	go func() {
		for ctx.Err() == nil && !cl.PollFetches(ctx).IsClientClosed() {
		}
	}()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case now := <-second.C:
			c.strike(ctx, cl, now)
			c.env.turned()
		}
	}
}

// strike writes a tick into each partition whose last one is acknowledged.
func (c *clock) strike(ctx context.Context, cl *kgo.Client, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, h := range c.owned {
		if h.pending {
			continue
		}
		next := &topics.Tick{
			N: h.n + 1, Owner: h.owner, WallUs: now.UnixMicro(),
			ElapsedUs: min(now.Sub(h.at), topics.MaxElapsed).Microseconds(),
		}
		t := c.topics[at.topic]
		r, err := kafka.EncodeAny(c.env.Kafka.Site, t, c.env.Kafka.Partitions, t.WrapTick(next), topics.Origin{
			Source: "clock", Partition: at.partition, Epoch: int64(next.Owner), Offset: int64(next.N),
		})
		if err != nil {
			c.env.Log.Error("encode a tick", "err", err)
			continue
		}
		r.Partition = at.partition
		h.pending = true
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			h.pending = false
			if err != nil {
				return // its time is in the next one's, up to MaxElapsed
			}
			h.n, h.at = next.N, now
			c.env.metrics.ticks.Inc()
		})
	}
}

// take goes on from the last tick of each added partition.
func (c *clock) take(ctx context.Context, added map[string][]int32) error {
	for topic, partitions := range added {
		last, err := c.lastTicks(ctx, topic, partitions)
		if err != nil {
			return fmt.Errorf("find the last ticks of %s: %w", topic, err)
		}
		now := time.Now()
		c.mu.Lock()
		for _, p := range partitions {
			h := &hand{at: now}
			if t := last[p]; t != nil {
				h.n, h.owner = t.N, t.Owner
				// What the old owner did not say is said by the first tick of
				// the new one; the wall clock can make it 5 s wrong at most.
				since := now.Sub(topics.MicroTime(t.WallUs))
				h.at = now.Add(-min(max(since, 0), topics.MaxElapsed))
			}
			h.owner++
			c.owned[place{topic, p}] = h
		}
		c.mu.Unlock()
	}
	c.env.Ready()
	return nil
}

func (c *clock) give(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, partitions := range gone {
		for _, p := range partitions {
			delete(c.owned, place{topic, p})
		}
	}
}

// lastTicks reads back from the end of each partition, further and further,
// until it finds a tick or the beginning.
func (c *clock) lastTicks(ctx context.Context, topic string, partitions []int32) (map[int32]*topics.Tick, error) {
	cl, err := c.env.Kafka.NewClient(c.env.Log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	found := map[int32]*topics.Tick{}
	until := map[int32]int64{}
	for _, p := range partitions {
		end, _ := ends.Lookup(topic, p)
		until[p] = end.Offset
	}
	for back := int64(500); len(until) > 0; back *= 8 {
		from := map[int32]int64{}
		for p, end := range until {
			start, _ := starts.Lookup(topic, p)
			from[p] = max(start.Offset, end-back)
		}
		if err := c.scan(ctx, topic, from, until, found); err != nil {
			return nil, err
		}
		for p, end := range from {
			if start, _ := starts.Lookup(topic, p); found[p] != nil || end <= start.Offset {
				delete(until, p)
			} else {
				until[p] = end
			}
		}
	}
	return found, nil
}

func (c *clock) scan(ctx context.Context, topic string, from, until map[int32]int64, found map[int32]*topics.Tick) error {
	t := c.topics[topic]
	return kafka.ReadRange(ctx, c.env.Kafka, c.env.Log, topic, from, until, func(r *kgo.Record) error {
		if len(r.Key) > 0 {
			return nil // ticks have no key
		}
		v, err := t.Decode(r.Value)
		if err != nil {
			return nil
		}
		if tick := t.TickOf(v); tick != nil {
			if have := found[r.Partition]; have == nil || tick.Follows(have.N, have.Owner) {
				found[r.Partition] = tick
			}
		}
		return nil
	})
}
