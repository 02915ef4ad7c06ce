package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"heartwire/pipeline/kafka"
)

// Hole is what the log has forgotten before a durable sink had delivered it.
type Hole struct {
	Topic     string // with the site
	Partition int32
	Next      int64     // the offset that was to be delivered next
	First     int64     // the earliest that the log holds now
	Since     time.Time // when the record there was written; zero where there is none
}

// Lost is the number of offsets in the hole; 0 where the log ends before Next,
// which says that it was cut off or made anew, and nobody knows.
func (h Hole) Lost() int64 { return max(h.First-h.Next, 0) }

// findHoles compares what was to be read next with what the log holds. A place
// with a negative offset has never been committed, and has no hole.
func findHoles(ctx context.Context, conf kafka.Config, log *slog.Logger, next map[place]int64) (earliest map[place]int64, holes []Hole, err error) {
	cl, err := conf.NewClient(log)
	if err != nil {
		return nil, nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	var names []string
	for at := range next {
		if !slices.Contains(names, at.topic) {
			names = append(names, at.topic)
		}
	}
	if len(names) == 0 {
		return nil, nil, nil // without names it is all topics
	}
	list := func(ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (listed kadm.ListedOffsets) {
		if err == nil {
			if listed, err = ask(ctx, names...); err == nil {
				err = listed.Error()
			}
		}
		return listed
	}
	starts, ends := list(adm.ListStartOffsets), list(adm.ListEndOffsets)
	firsts := list(func(ctx context.Context, names ...string) (kadm.ListedOffsets, error) {
		return adm.ListOffsetsAfterMilli(ctx, 0, names...)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("offsets of %v: %w", names, err)
	}
	earliest = map[place]int64{}
	for at, n := range next {
		start, _ := starts.Lookup(at.topic, at.partition)
		end, _ := ends.Lookup(at.topic, at.partition)
		earliest[at] = start.Offset
		if n < 0 || start.Offset <= n && n <= end.Offset {
			continue
		}
		h := Hole{Topic: at.topic, Partition: at.partition, Next: n, First: start.Offset}
		if first, ok := firsts.Lookup(at.topic, at.partition); ok && first.Timestamp >= 0 {
			h.Since = time.UnixMilli(first.Timestamp).UTC()
		}
		holes = append(holes, h)
	}
	slices.SortFunc(holes, func(a, b Hole) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return earliest, holes, nil
}

// AcceptLoss lets a durable sink go on behind the holes of its topics, and says
// which they are. The sink must not run meanwhile, in any process.
func (n Node) AcceptLoss(ctx context.Context, conf kafka.Config, log *slog.Logger) ([]Hole, error) {
	if !n.durable {
		return nil, fmt.Errorf("%s is no durable sink: it keeps no place in the log, and so loses none", n.Name)
	}
	cl, err := conf.NewClient(log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm, group := kadm.NewClient(cl), groupOf(conf.Site, n.Name)
	described, err := adm.DescribeGroups(ctx, group)
	if err == nil {
		err = described.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", group, err)
	}
	if members := len(described[group].Members); members > 0 {
		return nil, fmt.Errorf("%d processes run the sink %s: end them first, then accept the loss, then start them again", members, n.Name)
	}
	committed, err := adm.FetchOffsets(ctx, group)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	next := map[place]int64{}
	for _, s := range n.Reads {
		for p, o := range committed[s.On(conf.Site)] {
			next[place{s.On(conf.Site), p}] = o.At
		}
	}
	_, holes, err := findHoles(ctx, conf, log, next)
	if err != nil || len(holes) == 0 {
		return nil, err
	}
	var begin kadm.Offsets
	for _, h := range holes {
		begin.AddOffset(h.Topic, h.Partition, h.First, -1)
	}
	if err := adm.CommitAllOffsets(ctx, group, begin); err != nil {
		return nil, fmt.Errorf("commit where group %s goes on: %w", group, err)
	}
	return holes, nil
}
