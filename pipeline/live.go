package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/topics"
)

// deliver tries records until they are delivered, condemned or ctx ends.
func (f Feed) deliver(ctx context.Context, env *Env, node string, records []*kgo.Record) error {
	for wait := 50 * time.Millisecond; len(records) > 0; wait = min(2*wait, 2*time.Second) {
		done, err := f.try(ctx, records)
		switch {
		case err == nil && done.hold != nil:
			err = errors.New("a live sink has nothing to hold: what it shows is of now")
		case err == nil:
			if n := len(done.bad); n > 0 {
				env.metrics.rejects.WithLabelValues(node).Add(float64(n))
				env.Log.Warn("passed over records that can never be delivered", "records", n, "err", done.bad[0].err)
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		env.Log.Warn("could not deliver, trying again", "err", err, "in", wait)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
	return nil
}

// Live is a node that shows the log to a live sink as it grows. It has no
// group: each process reads what it needs. serve is the sink's own work, and
// caughtUp is called once everything that stood in the log at the start has
// been delivered.
func Live(name string, serve func(ctx context.Context) error, caughtUp func(), feeds ...Feed) Node {
	var reads []topics.Spec
	for _, f := range feeds {
		reads = append(reads, f.spec)
	}
	return Node{
		Name: name, Kind: KindSink, Reads: reads,
		Run: func(ctx context.Context, env *Env) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			served := make(chan error, 1)
			go func() {
				served <- serve(ctx)
				cancel()
			}()
			// A broken log must not close what is served: people are told
			// by what they see that nothing is live.
			for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
				if err := follow(ctx, env, name, feeds, caughtUp); err != nil && ctx.Err() == nil {
					env.Log.Error("lost the log, beginning again", "err", err, "in", wait)
					sleep(ctx, wait)
				}
			}
			err := <-served
			for _, f := range feeds {
				err = errors.Join(err, f.close(context.WithoutCancel(ctx)))
			}
			return err
		},
	}
}

// follow reads and delivers until ctx ends.
func follow(ctx context.Context, env *Env, name string, feeds []Feed, caughtUp func()) error {
	cl, err := env.Kafka.NewClient(env.Log, env.count, kgo.ClientID(clientID(name, env.Config.Instance)), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.FetchMinBytes(1), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	byTopic := map[string]Feed{}
	left := map[place]int64{} // what stood in the log at the start and is not delivered yet
	assign := map[string]map[int32]kgo.Offset{}
	for _, f := range feeds {
		topic := f.spec.On(env.Kafka.Site)
		byTopic[topic] = f
		if assign[topic], err = lookBack(ctx, kadm.NewClient(cl), topic, f, left); err != nil {
			return err
		}
	}
	cl.AddConsumePartitions(assign)
	lag := newLag()
	for topic, partitions := range assign {
		for p, o := range partitions {
			lag.read(topic, p, o.EpochOffset().Offset)
		}
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go lag.watch(watching, env, name, cl)
	ready := false
	for {
		env.turned()
		if !ready && len(left) == 0 {
			ready = true
			caughtUp()
			env.Ready()
		}
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := cl.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetchErr(fetches); err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		var failed error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if failed != nil || len(p.Records) == 0 {
				return
			}
			env.metrics.records.WithLabelValues(name).Add(float64(len(p.Records)))
			last := p.Records[len(p.Records)-1].Offset
			failed = byTopic[p.Topic].deliver(ctx, env, name, data(p.Records))
			lag.read(p.Topic, p.Partition, last+1)
			if end, open := left[place{p.Topic, p.Partition}]; open && last >= end-1 {
				delete(left, place{p.Topic, p.Partition})
			}
		})
		if failed != nil && ctx.Err() == nil {
			return failed
		}
	}
}

// data leaves out the ends of transactions.
func data(records []*kgo.Record) []*kgo.Record {
	out := records[:0]
	for _, r := range records {
		if !r.Attrs.IsControl() {
			out = append(out, r)
		}
	}
	return out
}

// lookBack is where to begin in each partition, and notes in left where each ends now.
func lookBack(ctx context.Context, adm *kadm.Client, topic string, f Feed, left map[place]int64) (map[int32]kgo.Offset, error) {
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("committed offsets of %s: %w", topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err == nil && !f.spec.Compact {
		starts, err = adm.ListOffsetsAfterMilli(ctx, time.Now().Add(-f.back).UnixMilli(), topic)
	}
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of %s from %s ago: %w", topic, f.back, err)
	}
	offsets := map[int32]kgo.Offset{}
	starts.Each(func(o kadm.ListedOffset) {
		offsets[o.Partition] = kgo.NewOffset().At(o.Offset)
		if end, ok := ends.Lookup(topic, o.Partition); ok && end.Offset > o.Offset {
			left[place{topic, o.Partition}] = end.Offset
		}
	})
	return offsets, nil
}
