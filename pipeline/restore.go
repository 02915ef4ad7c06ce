package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"heartwire/pipeline/failpoint"
	"heartwire/topics"
)

func transactionalID(site, stage, instance string) string { return site + "." + stage + "." + instance }

// clientID tells the group's coordinator, and so every member, which instance a member is.
func clientID(stage, instance string) string { return "heartwire." + stage + "." + instance }

// fence ends the transactions of owners that are no longer in the group. Until
// they end, the offsets are not stable and every reader of the partitions they
// wrote to waits, other writers' records included: with the broker's timeout
// that is 10 to 20 s.
func (s *stageRun) fence(ctx context.Context, cl *kgo.Client, assigned map[string][]int32) error {
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
	prefix := transactionalID(s.env.Kafka.Site, s.name, "")
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
		if alive[clientID(s.name, instance)] {
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

func (s *stageRun) members(ctx context.Context, adm *kadm.Client) (map[string]bool, error) {
	group := s.env.Kafka.Site + "." + s.name
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
func (s *stageRun) drop(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.lag.forget(gone)
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
func (s *stageRun) restore(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	topic := s.in.About().On(s.env.Kafka.Site)
	partitions := offsets[topic]
	if len(partitions) == 0 {
		return offsets, nil
	}
	began := time.Now()
	committed := map[int32]int64{}
	for p, o := range partitions {
		committed[p] = o.EpochOffset().Offset
	}
	p := past{plan: s.plan, conf: s.env.Kafka, log: s.env.Log, epoch: s.epoch, repaired: s.env.metrics.repairs.WithLabelValues(s.name).Inc}
	tasks, err := s.rebuild(ctx, p, committed)
	if err != nil {
		s.env.Log.Error("could not restore", "err", err)
		return nil, fmt.Errorf("restore %s: %w", s.name, err)
	}
	s.mu.Lock()
	for p, t := range tasks {
		s.tasks[p] = t
		s.lag.read(topic, p, t.next)
		partitions[p] = kgo.NewOffset().At(t.next)
	}
	s.mu.Unlock()
	took := time.Since(began)
	s.env.metrics.restore.WithLabelValues(s.name).Observe(took.Seconds())
	s.env.Log.Info("restored", "partitions", len(tasks), "took", took.Round(time.Millisecond))
	failpoint.Hit(failpoint.StageRestored)
	s.env.Ready()
	return offsets, nil
}

// rebuild makes the tasks of partitions from what was committed.
func (s *stageRun) rebuild(ctx context.Context, past past, committed map[int32]int64) (map[int32]*task, error) {
	earliest, err := past.earliest(ctx)
	if err != nil {
		return nil, err
	}
	tasks, next := map[int32]*task{}, map[int32]int64{}
	for p, at := range committed {
		first := earliest[p]
		t := &task{next: max(at, first), lastTick: time.Now()}
		if at >= 0 && at < first {
			t.lost = first - at
			s.env.metrics.overtaken.WithLabelValues(s.name).Inc()
			s.env.Log.Error("the log has forgotten records before they were read", "partition", p, "records", t.lost)
		}
		tasks[p], next[p] = t, t.next
	}
	echoes := map[int32]*echo{}
	var mu sync.Mutex
	var g errgroup.Group
	for _, next := range shares(next, min(runtime.GOMAXPROCS(0), 4)) {
		g.Go(func() error {
			newest, err := past.newest(ctx, s.checkpoints.Changelog, next)
			if err != nil {
				return err
			}
			parts, said, err := past.refold(ctx, newest, next, s.rejected)
			mu.Lock()
			defer mu.Unlock()
			for p, part := range parts {
				tasks[p].part = part
			}
			maps.Copy(echoes, said)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s.background.Go(func() { s.compare(past, echoes) })
	return tasks, nil
}

// shares deals partitions out, so that each core restores some.
func shares(next map[int32]int64, n int) []map[int32]int64 {
	out := make([]map[int32]int64, min(n, len(next)))
	for i, p := range slices.Sorted(maps.Keys(next)) {
		share := &out[i%len(out)]
		if *share == nil {
			*share = map[int32]int64{}
		}
		(*share)[p] = next[p]
	}
	return out
}

// rejected hears of a record that a part rejects, as it is spoken and not while it is refolded.
func (s *stageRun) rejected(reason string, origin topics.Origin) {
	s.env.metrics.rejects.WithLabelValues(s.name).Inc()
	s.env.Log.Warn("a record was rejected", "reason", reason, "origin", origin.String())
}

// compare counts what a refold said otherwise than it had been said: an engine
// that is exact finds nothing.
func (s *stageRun) compare(past past, echoes map[int32]*echo) {
	n := 0
	err := past.compare(s.life, echoes, func(d Difference) {
		if n++; n == 1 {
			s.env.Log.Error("a refold differs from what was said", "origin", d.Origin.String(), "what", d.What)
		}
		s.env.metrics.differences.WithLabelValues(s.name, d.What).Inc()
	})
	if err != nil && s.life.Err() == nil {
		s.env.Log.Warn("could not compare a refold with what was said", "err", err)
		return
	}
	s.env.metrics.compared.WithLabelValues(s.name).Inc()
}
