package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Point is a place in the topic that a stage reads: before the first records of
// a time or later, or, where Time is zero, before an offset of one partition.
type Point struct {
	Time      time.Time
	Partition int32
	Offset    int64
}

// resolve is where a point is in each partition; one that is an offset is in
// its own alone.
func (p past) resolve(ctx context.Context, at Point, earliest, ends map[int32]int64) (map[int32]int64, error) {
	if !at.Time.IsZero() {
		offsets, err := p.at(ctx, p.topic(), at.Time)
		for i := range offsets {
			offsets[i] = min(offsets[i], ends[i])
		}
		return offsets, err
	}
	first, there := earliest[at.Partition]
	switch {
	case !there:
		return nil, fmt.Errorf("%s has no partition %d: it has %d", p.topic(), at.Partition, len(earliest))
	case at.Offset < first:
		return nil, fmt.Errorf("partition %d of %s begins at offset %d, and %d is before it", at.Partition, p.topic(), first, at.Offset)
	case at.Offset > ends[at.Partition]:
		return nil, fmt.Errorf("partition %d of %s ends at offset %d, and %d is behind it", at.Partition, p.topic(), ends[at.Partition], at.Offset)
	}
	return map[int32]int64{at.Partition: at.Offset}, nil
}

// spokenThrough is, for each partition, the offset that the stage's group goes
// on at: all before it is said. A partition that it never committed is left out.
func (p past) spokenThrough(ctx context.Context) (map[int32]int64, error) {
	cl, err := p.conf.NewClient(p.log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	group := p.conf.Site + "." + p.name
	fetched, err := kadm.NewClient(cl).FetchOffsets(kadm.RequireStable(ctx), group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[int32]int64{}, nil
	}
	if err == nil {
		err = fetched.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	out := map[int32]int64{}
	for i, o := range fetched[p.topic()] {
		if o.At >= 0 {
			out[i] = o.At
		}
	}
	return out, nil
}

// pastOf looks back at what a stage did on a cluster. Whoever looks need not
// know how many partitions the site has, and copies of each.
func pastOf(ctx context.Context, conf kafka.Config, log *slog.Logger, node Node) (past, error) {
	p := past{plan: node.plan, conf: conf, log: log, repaired: func() {}}
	if p.plan == nil {
		return p, fmt.Errorf("%s is no stage", node.Name)
	}
	cl, err := conf.NewClient(log)
	if err != nil {
		return p, err
	}
	defer cl.Close()
	if p.epoch, err = incarnation(ctx, cl, p.topic()); err != nil {
		return p, err
	}
	frames := topics.Frames.On(conf.Site)
	there, err := kadm.NewClient(cl).ListTopics(ctx, frames)
	if err == nil {
		err = there.Error()
	}
	if err != nil {
		return p, fmt.Errorf("topic %s: %w", frames, err)
	}
	p.conf.Partitions = int32(len(there[frames].Partitions))
	p.conf.Replication = int16(there[frames].Partitions.NumReplicas())
	return p, nil
}
