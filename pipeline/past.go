package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// past makes the parts of a stage as they were at some offsets: for the owner
// who goes on from there, and for people who look back.
type past struct {
	*plan
	conf     kafka.Config
	log      *slog.Logger
	epoch    int64  // incarnation of the stage's input
	repaired func() // hears of each checkpoint that was damaged
}

func (p past) topic() string { return p.in.About().On(p.conf.Site) }

// earliest is the first offset that the log still holds, of each partition.
func (p past) earliest(ctx context.Context) (map[int32]int64, error) {
	cl, err := p.conf.NewClient(p.log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListStartOffsets(ctx, p.topic())
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("earliest offsets of %s: %w", p.topic(), err)
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}

// newest reads the newest checkpoint of each key of the partitions in next, of
// those that contain nothing from next on. One that is no checkpoint at all is
// given as an empty one, which no part restores from.
func (p past) newest(ctx context.Context, t topics.Topic[*topics.Checkpoint], next map[int32]int64) (map[int32]fold.Newest, error) {
	out := map[int32]fold.Newest{}
	from := map[int32]int64{}
	for i := range next {
		out[i] = fold.NewNewest()
		from[i] = 0
	}
	err := kafka.ReadRange(ctx, p.conf, p.log, t.On(p.conf.Site), from, nil, func(r *kgo.Record) error {
		if r.Value == nil {
			if through := through(r); through < next[r.Partition] {
				out[r.Partition].See(topics.Key(r.Key), nil, through)
			}
			return nil
		}
		cp, err := t.DecodeValue(r.Value)
		if err != nil {
			p.log.Error("a checkpoint cannot be read", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", err)
			cp = &topics.Checkpoint{Crc32C: 1}
		}
		if cp.GetOffset() < next[r.Partition] {
			out[r.Partition].See(topics.Key(r.Key), cp, cp.GetOffset())
		}
		return nil
	})
	return out, err
}

// through is what a tombstone says that it contains.
func through(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == topics.HeaderThrough {
			if n, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				return n
			}
		}
	}
	return math.MinInt64 // of another program: it contains nothing that we know of
}

// refold makes parts that go on at next: their checkpoints, and then silently
// what came after those. What that said again is given as an echo a partition.
func (p past) refold(ctx context.Context, newest map[int32]fold.Newest, next map[int32]int64, rejected func(string, topics.Origin)) (map[int32]part, map[int32]*echo, error) {
	parts, echoes := map[int32]part{}, map[int32]*echo{}
	from, until := map[int32]int64{}, map[int32]int64{}
	silent := true
	hear := func(reason string, origin topics.Origin) {
		if !silent {
			rejected(reason, origin)
		}
	}
	for i, n := range next {
		part, known, first, err := p.begin(ctx, newest[i], i, n, hear)
		if err != nil {
			return nil, nil, fmt.Errorf("partition %d: %w", i, err)
		}
		parts[i] = part
		if first < n {
			from[i], until[i] = first, n
			echoes[i] = &echo{newest: known, from: first, next: n, said: map[heard]uint32{}}
		}
	}
	var out []*kgo.Record
	err := kafka.ReadRange(ctx, p.conf, p.log, p.topic(), from, until, func(r *kgo.Record) error {
		var err error
		out, _, err = parts[r.Partition].Read(r, out[:0])
		echoes[r.Partition].hear(r, out, p.spoken())
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for _, part := range parts {
		part.Restored()
	}
	silent = false
	return parts, echoes, nil
}

// begin restores a part from its checkpoints. One that is damaged is replaced
// by an older one of history, or, where there is none, by folding all that the
// log still holds of its key.
func (p past) begin(ctx context.Context, newest fold.Newest, i int32, next int64, rejected func(string, topics.Origin)) (_ part, known fold.Newest, from int64, err error) {
	var history map[int32]fold.Newest
	rewind := false
	for {
		part := p.open(p.conf, p.epoch, i, rejected)
		from, err := part.Restore(newest, next)
		var damaged *fold.DamagedError
		if !errors.As(err, &damaged) {
			if err == nil && rewind {
				earliest, err := p.earliest(ctx)
				if err != nil {
					return nil, newest, 0, err
				}
				from = earliest[i]
				part.Rewind(from)
			}
			return part, newest, from, err
		}
		p.repaired()
		if history == nil {
			if history, err = p.newest(ctx, p.checkpoints.History, map[int32]int64{i: next}); err != nil {
				return nil, newest, 0, fmt.Errorf("mend a damaged checkpoint: %w", err)
			}
		}
		older, there := history[i].Of[damaged.Key]
		if delete(newest.Of, damaged.Key); there {
			newest.Of[damaged.Key] = older
			delete(history[i].Of, damaged.Key) // if it is damaged too, there is no third
		} else {
			rewind = true
		}
		p.log.Error("a checkpoint is damaged, mending it from history and the log", "partition", i, "history", there, "err", damaged.Err)
	}
}

// at is the offset of the first record of each partition that was written at a
// time or later; the end where there is none.
func (p past) at(ctx context.Context, topic string, t time.Time) (map[int32]int64, error) {
	cl, err := p.conf.NewClient(p.log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, t.UnixMilli(), topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of %s at %s: %w", topic, t.Format(time.RFC3339), err)
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}
