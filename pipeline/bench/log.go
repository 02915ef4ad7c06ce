package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Left is how many records of the load a group has not committed yet.
func Left(ctx context.Context, cl *kgo.Client, conf kafka.Config, group string) (int64, error) {
	adm := kadm.NewClient(cl)
	topic := topics.Frames.On(conf.Site)
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("ends of %s: %w", topic, err)
	}
	committed, err := adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined it yet: nothing is read
		return 0, fmt.Errorf("offsets of %s: %w", group, err)
	}
	var left int64
	ends.Each(func(e kadm.ListedOffset) {
		left += e.Offset
		if c, ok := committed.Lookup(topic, e.Partition); ok && c.At > 0 {
			left -= c.At
		}
	})
	return left, nil
}

// Said reads the windows that stand committed in a topic, in the order of each
// partition's log. Ticks are passed over.
func Said(ctx context.Context, conf kafka.Config, log *slog.Logger, topic string, each func(key string, s *topics.Samples) error) error {
	from := map[int32]int64{}
	for p := range conf.Partitions {
		from[p] = 0
	}
	return kafka.ReadRange(ctx, conf, log, topic, from, nil, func(r *kgo.Record) error {
		rec, err := kafka.Decode(topics.Frames, r)
		if err != nil {
			return err
		}
		if s := rec.Value.GetSamples(); s != nil {
			return each(string(rec.Key), s)
		}
		return nil
	})
}

// Follow calls each with every record that is committed to the output of the
// n-th relay from now on, and when it was received, until ctx ends.
func Follow(ctx context.Context, conf kafka.Config, log *slog.Logger, n int, each func(partition int32, s *topics.Samples, received time.Time)) error {
	topic := Out(n).On(conf.Site)
	cl, err := conf.NewClient(log, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("ends of %s: %w", topic, err)
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: ends.KOffsets()[topic]})
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		now := time.Now()
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			rec, err := kafka.Decode(topics.Frames, r)
			if err != nil {
				return err
			}
			if s := rec.Value.GetSamples(); s != nil {
				each(r.Partition, s, now)
			}
		}
	}
}
