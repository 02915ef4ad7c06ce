package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// A Look is what a stage believes of a key at a place of its log.
type Look struct {
	Stage     string
	Version   uint32 // of the state
	Topic     string // that the stage reads, with the site
	Partition int32
	Offset    int64         // all before it is folded
	Tick      uint64        // the partition's last; 0: none yet
	Wall      time.Time     // its label
	Elapsed   time.Duration // the partition's time: the sum of what its ticks said
	State     any           // a pointer to the stage's state, for reading; nil: the stage does not know the key
}

// LookAt restores what a stage believes of a key: now, as it has committed, or
// as of a point. It reads alone, and folds what came after the checkpoint in
// silence.
func LookAt(ctx context.Context, conf kafka.Config, log *slog.Logger, stage Node, key topics.Key, at *Point) (Look, error) {
	p, err := pastOf(ctx, conf, log, stage)
	if err != nil {
		return Look{}, err
	}
	p.only = map[topics.Key]bool{key: true}
	look := Look{Stage: p.name, Version: p.version, Topic: p.topic()}
	if p.in.About().Spread == topics.PerSite {
		look.Partition = topics.Partition(key, p.conf.Partitions)
	}
	keep := p.checkpoints.History
	if at == nil {
		keep = p.checkpoints.Changelog
		committed, err := p.spokenThrough(ctx)
		if err != nil {
			return look, err
		}
		look.Offset = committed[look.Partition]
	} else if look.Offset, err = p.offset(ctx, look.Partition, *at); err != nil {
		return look, fmt.Errorf("stage %s: %w", p.name, err)
	}
	// The first checkpoint of a key is written with the commit that holds its
	// first record: one without any is not worth folding a partition for.
	newest, err := p.newest(ctx, keep, map[int32]int64{look.Partition: math.MaxInt64})
	if err != nil || newest[look.Partition].Of[key] == nil && (at == nil || len(newest[look.Partition].Gone) == 0) {
		return look, err
	}
	part, err := p.asOf(ctx, keep, look.Partition, look.Offset, func(string, topics.Origin) {})
	if err != nil {
		return look, fmt.Errorf("stage %s: %w", p.name, err)
	}
	clock := part.Clock()
	look.Tick, look.Wall, look.Elapsed = clock.N, clock.Wall, clock.Time
	if state, known := part.State(key); known {
		look.State = state
	}
	return look, nil
}

// offset is where a point is in one partition. A time before the log's first
// record there is an error: nothing is known of it.
func (p past) offset(ctx context.Context, i int32, at Point) (int64, error) {
	if at.Time.IsZero() && at.Partition != i {
		return 0, fmt.Errorf("the patient is in partition %d of %s, not in %d", i, p.topic(), at.Partition)
	}
	earliest, err := p.earliest(ctx)
	if err != nil {
		return 0, err
	}
	ends, err := p.committed(ctx, p.topic())
	if err != nil {
		return 0, err
	}
	offsets, err := p.resolve(ctx, at, earliest, ends)
	if err != nil {
		return 0, err
	}
	if !at.Time.IsZero() && offsets[i] == earliest[i] {
		return 0, fmt.Errorf("partition %d of %s holds nothing from before %s", i, p.topic(), at.Time.UTC().Format(time.RFC3339))
	}
	return offsets[i], nil
}
