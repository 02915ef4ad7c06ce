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
	Start bool      // with the earliest record
	Time  time.Time // with the first record of this time or later; the zero Time is now
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
			r := it.Next()
			rec := Envelope[proto.Message](r)
			var bad error
			if len(r.Value) > 0 {
				rec.Value, bad = t.Decode(r.Value)
			}
			if err := each(rec, bad); err != nil {
				return err
			}
		}
	}
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
