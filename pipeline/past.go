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
	// only are the keys that are folded, besides ticks; nil: all. A key's state
	// depends on no other's.
	only map[topics.Key]bool
}

func (p past) topic() string { return p.in.About().On(p.conf.Site) }

// earliest is the first offset that the log still holds, of each partition.
func (p past) earliest(ctx context.Context) (map[int32]int64, error) {
	out, err := p.list(ctx, func(adm *kadm.Client) (kadm.ListedOffsets, error) { return adm.ListStartOffsets(ctx, p.topic()) })
	if err != nil {
		return nil, fmt.Errorf("earliest offsets of %s: %w", p.topic(), err)
	}
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
		if !p.concerns(r) {
			return nil
		}
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

// concerns reports whether a record is of a key that is folded, or of none.
func (p past) concerns(r *kgo.Record) bool {
	return p.only == nil || len(r.Key) == 0 || p.only[topics.Key(r.Key)]
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
		if r.Offset%keepEvery == keepEvery-1 {
			parts[r.Partition].Commit()
		}
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

// keepEvery is how many records are folded before what they replaced is let go,
// where nothing is ever taken back.
const keepEvery = 4096

// asOf makes the part of one partition as it was before the offset next was
// folded, from the checkpoints in keep. It is exact, or an error; but see begin
// for what is damaged.
func (p past) asOf(ctx context.Context, keep topics.Topic[*topics.Checkpoint], i int32, next int64, rejected func(string, topics.Origin)) (part, error) {
	earliest, err := p.earliest(ctx)
	if err != nil {
		return nil, err
	}
	newest, err := p.newest(ctx, keep, map[int32]int64{i: next})
	if err != nil {
		return nil, err
	}
	none := len(newest[i].Of) == 0
	silent := true
	part, known, from, err := p.begin(ctx, newest[i], i, next, func(reason string, origin topics.Origin) {
		if !silent {
			rejected(reason, origin)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("partition %d: %w", i, err)
	}
	if none {
		// A key's first checkpoint is written with the commit that holds its
		// first record, and next may be before the end of that commit.
		from = earliest[i]
		for _, through := range known.Gone {
			from = max(from, through+1)
		}
		part.Rewind(from)
	}
	if from < min(earliest[i], next) {
		return nil, fmt.Errorf("partition %d: the states before offset %d are known from offset %d on, and the log begins at %d: name a place at least an hour after its beginning",
			i, next, from, earliest[i])
	}
	if from < next {
		if err := p.foldInto(ctx, part, i, from, next); err != nil {
			return nil, err
		}
	}
	part.Restored()
	silent = false
	return part, nil
}

// foldInto folds a stretch in silence.
func (p past) foldInto(ctx context.Context, part part, i int32, from, until int64) error {
	var out []*kgo.Record
	n := 0
	return kafka.ReadRange(ctx, p.conf, p.log, p.topic(), map[int32]int64{i: from}, map[int32]int64{i: until}, func(r *kgo.Record) (err error) {
		if !p.concerns(r) {
			return nil
		}
		if n++; n%keepEvery == 0 {
			part.Commit()
		}
		out, _, err = part.Read(r, out[:0])
		return err
	})
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
	out, err := p.list(ctx, func(adm *kadm.Client) (kadm.ListedOffsets, error) {
		return adm.ListOffsetsAfterMilli(ctx, t.UnixMilli(), topic)
	})
	if err != nil {
		return nil, fmt.Errorf("offsets of %s at %s: %w", topic, t.Format(time.RFC3339), err)
	}
	return out, nil
}

// committed is the end of what readers of each partition may see now.
func (p past) committed(ctx context.Context, topic string) (map[int32]int64, error) {
	out, err := p.list(ctx, func(adm *kadm.Client) (kadm.ListedOffsets, error) { return adm.ListCommittedOffsets(ctx, topic) })
	if err != nil {
		return nil, fmt.Errorf("committed offsets of %s: %w", topic, err)
	}
	return out, nil
}

func (p past) list(ctx context.Context, ask func(*kadm.Client) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	cl, err := p.conf.NewClient(p.log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	listed, err := ask(kadm.NewClient(cl))
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}
