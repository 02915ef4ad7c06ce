package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Since says where a Tail begins.
type Since struct {
	Start bool       // with the earliest record
	Time  time.Time  // with the first record of this time or later; the zero Time is now
	Of    topics.Key // of a Scan: only the partition of this key, in a patient topic; empty: all of them
}

// Tail calls each with the committed records of a topic as they come, until
// ctx ends or each returns an error, which Tail returns. A record that cannot
// be read is given with a nil Value and the reason.
func (c Config) Tail(ctx context.Context, log *slog.Logger, t topics.Any, since Since, each func(r topics.Record[proto.Message], err error) error) error {
	cl, err := c.NewClient(log, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	topic := t.About().On(c.Site)
	offsets, err := since.offsets(ctx, kadm.NewClient(cl), topic)
	if err != nil {
		return err
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets})
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if err := each(read(t, it.Next())); err != nil {
				return err
			}
		}
	}
}

// Scan is Tail over what is committed now, of all partitions or of one: it ends there.
func (c Config) Scan(ctx context.Context, log *slog.Logger, t topics.Any, since Since, each func(r topics.Record[proto.Message], err error) error) error {
	cl, err := c.NewClient(log)
	if err != nil {
		return err
	}
	topic := t.About().On(c.Site)
	offsets, err := since.offsets(ctx, kadm.NewClient(cl), topic)
	cl.Close()
	if err != nil {
		return err
	}
	from := map[int32]int64{}
	for p, o := range offsets {
		if since.Of != "" && p != topics.Partition(since.Of, int32(len(offsets))) {
			continue
		}
		from[p] = o.EpochOffset().Offset
	}
	return ReadRange(ctx, c, log, topic, from, nil, func(r *kgo.Record) error {
		return each(read(t, r))
	})
}

// read is a record with its value decoded, or the reason why not.
func read(t topics.Any, r *kgo.Record) (topics.Record[proto.Message], error) {
	rec := Envelope[proto.Message](r)
	if len(r.Value) == 0 {
		return rec, nil
	}
	v, err := t.Decode(r.Value)
	if err != nil {
		return rec, err
	}
	rec.Value = v
	return rec, nil
}

func (s Since) offsets(ctx context.Context, adm *kadm.Client, topic string) (map[int32]kgo.Offset, error) {
	var listed kadm.ListedOffsets
	var err error
	switch {
	case s.Start:
		listed, err = adm.ListStartOffsets(ctx, topic)
	case s.Time.IsZero():
		listed, err = adm.ListEndOffsets(ctx, topic)
	default:
		listed, err = adm.ListOffsetsAfterMilli(ctx, s.Time.UnixMilli(), topic)
	}
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", topic, err)
	}
	if len(listed[topic]) == 0 {
		return nil, fmt.Errorf("no topic %s on this cluster: make it with `heartwire topics apply`", topic)
	}
	return listed.KOffsets()[topic], nil
}

// Fit is c with as many partitions as the patient topics of its site have, for
// one who writes to a site that another has configured.
func (c Config) Fit(ctx context.Context, log *slog.Logger) (Config, error) {
	cl, err := c.NewClient(log)
	if err != nil {
		return c, err
	}
	defer cl.Close()
	topic := topics.Charts.On(c.Site)
	list, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err == nil {
		err = list.Error()
	}
	if err != nil {
		return c, fmt.Errorf("partitions of %s: %w", topic, err)
	}
	c.Partitions = int32(len(list[topic].Partitions))
	return c, nil
}

// At is the record at a place of a topic; there is false where the log has
// forgotten it, or does not give it to anybody (an abort).
func (c Config) At(ctx context.Context, log *slog.Logger, t topics.Any, partition int32, offset int64) (r topics.Record[proto.Message], there bool, err error) {
	from, until := map[int32]int64{partition: offset}, map[int32]int64{partition: offset + 1}
	err = ReadRange(ctx, c, log, t.About().On(c.Site), from, until, func(kr *kgo.Record) (bad error) {
		there = kr.Offset == offset
		r, bad = read(t, kr)
		return bad
	})
	return r, there && err == nil, err
}
