package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

func transactionalID(site, stage, instance string) string { return site + "." + stage + "." + instance }

// clientID tells the group's coordinator, and so every member, which instance a member is.
func clientID(stage, instance string) string { return "heartwire." + stage + "." + instance }

// fence ends the transactions of owners that are no longer in the group. Until
// they end, the offsets are not stable and every reader of the partitions they
// wrote to waits, other writers' records included: with the broker's timeout
// that is 10 to 20 s.
func (s *stageRun[S, PS, In, Out]) fence(ctx context.Context, cl *kgo.Client, assigned map[string][]int32) error {
	if len(assigned) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	adm := kadm.NewClient(cl)
	open, err := adm.ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil {
		return fmt.Errorf("list transactions: %w", err)
	}
	prefix := transactionalID(s.env.Kafka.Site, s.stage.Name, "")
	var alive map[string]bool
	var errs []error
	for id := range open {
		instance, ours := strings.CutPrefix(id, prefix)
		if !ours || instance == s.env.Config.Instance {
			continue
		}
		if alive == nil {
			if alive, err = s.members(ctx, adm); err != nil {
				return err
			}
		}
		if alive[clientID(s.stage.Name, instance)] {
			continue
		}
		s.env.Log.Info("ending the transaction of a dead owner", "transactional_id", id)
		if err := endTransaction(ctx, cl, id); err != nil {
			errs = append(errs, fmt.Errorf("fence %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// endTransaction aborts whatever transaction an id has open, and waits until
// it has ended: until then the coordinator calls it concurrent with our own asking.
func endTransaction(ctx context.Context, cl *kgo.Client, id string) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = kmsg.StringPtr(id)
	req.TransactionTimeoutMillis = 10_000
	for {
		resp, err := req.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (s *stageRun[S, PS, In, Out]) members(ctx context.Context, adm *kadm.Client) (map[string]bool, error) {
	group := s.env.Kafka.Site + "." + s.stage.Name
	described, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", group, err)
	}
	alive := map[string]bool{}
	for _, m := range described[group].Members {
		alive[m.ClientID] = true
	}
	return alive, described[group].Err
}

// drop forgets partitions that are no longer ours.
func (s *stageRun[S, PS, In, Out]) drop(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, partitions := range gone {
		for _, p := range partitions {
			delete(s.tasks, p)
		}
	}
}

// restore makes the tasks of newly assigned partitions as they were when their
// offsets were committed, before the first record is spoken: the checkpoints,
// and then silently what was folded since. It runs in the group's goroutine,
// and reads with a client of its own, so that the group's knows nothing of it.
func (s *stageRun[S, PS, In, Out]) restore(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	topic := s.in.On(s.env.Kafka.Site)
	partitions := offsets[topic]
	if len(partitions) == 0 {
		return offsets, nil
	}
	began := time.Now()
	reader, err := s.env.Kafka.NewClient(s.env.Log)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	next, err := s.begin(ctx, kadm.NewClient(reader), topic, partitions)
	if err != nil {
		return nil, err
	}
	tasks, err := s.rebuild(ctx, next)
	if err != nil {
		s.env.Log.Error("could not restore", "err", err)
		return nil, fmt.Errorf("restore %s: %w", s.stage.Name, err)
	}
	s.mu.Lock()
	for p, t := range tasks {
		s.tasks[p] = t
		partitions[p] = kgo.NewOffset().At(next[p])
	}
	s.mu.Unlock()
	took := time.Since(began)
	s.env.metrics.restore.WithLabelValues(s.stage.Name).Observe(took.Seconds())
	s.env.Log.Info("restored", "partitions", len(tasks), "took", took.Round(time.Millisecond))
	s.env.Ready()
	return offsets, nil
}

// begin is the offset at which each partition goes on: the committed one, or
// the earliest where there is none or the log has forgotten it.
func (s *stageRun[S, PS, In, Out]) begin(ctx context.Context, adm *kadm.Client, topic string, partitions map[int32]kgo.Offset) (map[int32]int64, error) {
	earliest, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = earliest.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("earliest offsets of %s: %w", topic, err)
	}
	next := map[int32]int64{}
	for p, o := range partitions {
		first, _ := earliest.Lookup(topic, p)
		at := o.EpochOffset().Offset
		if at >= 0 && at < first.Offset {
			s.env.metrics.overtaken.WithLabelValues(s.stage.Name).Inc()
			s.env.Log.Error("records were forgotten before they were read", "partition", p, "records", first.Offset-at)
		}
		next[p] = max(at, first.Offset)
	}
	return next, nil
}

func (s *stageRun[S, PS, In, Out]) rebuild(ctx context.Context, next map[int32]int64) (map[int32]*task[S, PS, In, Out], error) {
	checkpoints, err := s.readCheckpoints(ctx, next)
	if err != nil {
		return nil, err
	}
	tasks := map[int32]*task[S, PS, In, Out]{}
	from, until := map[int32]int64{}, map[int32]int64{}
	for p, n := range next {
		t := &task[S, PS, In, Out]{fold: fold.New[S, PS](s.stage, s.in, s.epoch, p)}
		first, err := t.fold.Restore(checkpoints[p], n)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
		tasks[p] = t
		if first < n {
			from[p], until[p] = first, n
		}
	}
	err = kafka.ReadRange(ctx, s.env.Kafka, s.env.Log, s.in.On(s.env.Kafka.Site), from, until, func(r *kgo.Record) error {
		rec, err := kafka.Decode(s.in, r)
		if err != nil {
			return nil // it went to rejects then
		}
		f := tasks[r.Partition].fold
		if err := f.Fold(rec); err != nil {
			return err
		}
		f.Take() // silent: all this was said before
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		t.fold.Commit()
	}
	return tasks, nil
}

// readCheckpoints is the newest checkpoint of each key of each partition.
func (s *stageRun[S, PS, In, Out]) readCheckpoints(ctx context.Context, next map[int32]int64) (map[int32]map[topics.Key]*topics.Checkpoint, error) {
	out := map[int32]map[topics.Key]*topics.Checkpoint{}
	from := map[int32]int64{}
	for p := range next {
		out[p] = map[topics.Key]*topics.Checkpoint{}
		from[p] = 0
	}
	err := kafka.ReadRange(ctx, s.env.Kafka, s.env.Log, s.changelog.On(s.env.Kafka.Site), from, nil, func(r *kgo.Record) error {
		key := topics.Key(r.Key)
		if r.Value == nil {
			delete(out[r.Partition], key)
			return nil
		}
		cp, err := s.changelog.DecodeValue(r.Value)
		if err != nil {
			return fmt.Errorf("%s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		out[r.Partition][key] = cp
		return nil
	})
	return out, err
}
