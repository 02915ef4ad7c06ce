package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/stages"
	"heartwire/topics"
)

// Stage is a node that folds a topic. It passes ticks on to the first of outs
// when that carries them, after everything that came before.
func Stage[S any, PS stages.State[S], In proto.Message, Out proto.Message](stage stages.Stage[S, In, Out], in topics.Topic[In], changelog topics.Topic[*topics.Checkpoint], outs ...topics.Any) Node {
	return Node{
		Name:   stage.Name,
		Kind:   KindStage,
		Reads:  []topics.Spec{in.Spec, changelog.Spec},
		Writes: append(specs(outs), changelog.Spec, topics.Rejects.Spec),
		Run: func(ctx context.Context, env *Env) error {
			s := &stageRun[S, PS, In, Out]{
				env: env, stage: stage, in: in, changelog: changelog, outs: outs,
				tasks: map[int32]*task[S, PS, In, Out]{},
			}
			return s.run(ctx)
		},
	}
}

// stageRun is one life of a stage in this process: from joining the group to
// the first failure. Everything it holds is lost with it, and restored by the next.
type stageRun[S any, PS stages.State[S], In proto.Message, Out proto.Message] struct {
	env       *Env
	stage     stages.Stage[S, In, Out]
	in        topics.Topic[In]
	changelog topics.Topic[*topics.Checkpoint]
	outs      []topics.Any

	sess  *kgo.GroupTransactSession
	epoch int64

	mu    sync.Mutex // tasks are made by the group's goroutine and used by the loop's
	tasks map[int32]*task[S, PS, In, Out]
}

// task is a partition with what it wants to write.
type task[S any, PS stages.State[S], In proto.Message, Out proto.Message] struct {
	fold *fold.Partition[S, PS, In, Out]
	out  []*kgo.Record
	n    int // records folded since the last end
	// ticked says that a tick is among them: its age tells how far behind the stage is
	ticked bool
}

func (s *stageRun[S, PS, In, Out]) run(ctx context.Context) (err error) {
	site := s.env.Kafka.Site
	// Before the group is joined: what is assigned is restored, and every
	// checkpoint names it.
	if s.epoch, err = s.incarnation(ctx); err != nil {
		return err
	}
	s.sess, err = kafka.NewSession(s.env.Kafka, s.env.Log,
		kgo.ClientID(clientID(s.stage.Name, s.env.Config.Instance)),
		kgo.TransactionalID(transactionalID(site, s.stage.Name, s.env.Config.Instance)),
		// A transaction that outlives its process hides its partitions from
		// every reader; the next owner fences it, and this bounds it when
		// there is none.
		kgo.TransactionTimeout(10*time.Second),
		kgo.ConsumerGroup(site+"."+s.stage.Name),
		kgo.ConsumeTopics(s.in.On(site)),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(s.env.Config.SessionTimeout),
		kgo.HeartbeatInterval(s.env.Config.SessionTimeout/6),
		kgo.RebalanceTimeout(20*time.Second),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.FetchMinBytes(1),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.BlockRebalanceOnPoll(),
		kgo.MaxBufferedRecords(s.env.Config.Poll*4),
		kgo.OnPartitionsAssigned(func(ctx context.Context, cl *kgo.Client, m map[string][]int32) {
			// Before the offsets are fetched: they are not stable while the
			// transaction of a dead owner is open.
			if err := s.fence(ctx, cl, m); err != nil {
				s.env.Log.Warn("could not end the transactions of dead owners, waiting for their timeout", "err", err)
			}
			if len(m) == 0 {
				s.env.Ready() // more processes than partitions: nothing to restore
			}
		}),
		kgo.AdjustFetchOffsetsFn(s.restore),
		kgo.OnPartitionsRevoked(s.drop),
		kgo.OnPartitionsLost(s.drop),
	)
	if err != nil {
		return err
	}
	defer s.sess.CloseAllowingRebalance()
	return s.loop(ctx)
}

func (s *stageRun[S, PS, In, Out]) incarnation(ctx context.Context) (int64, error) {
	cl, err := s.env.Kafka.NewClient(s.env.Log)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	return incarnation(ctx, cl, s.in.On(s.env.Kafka.Site))
}

// maxPace is the most that a stage waits between two transactions for a slow
// broker's sake: the alarms' budgets have room for it.
const maxPace = 200 * time.Millisecond

func (s *stageRun[S, PS, In, Out]) loop(ctx context.Context) error {
	var last time.Time // end of the last transaction
	pace := s.env.Config.Commit
	for {
		// Between transactions nothing is held: a rebalance may come, and
		// records may gather, so that a busy stage pays for 50 commits a
		// second and an idle one does not wait.
		if !sleep(ctx, pace-time.Since(last)) {
			return nil
		}
		fetches := s.sess.PollRecords(ctx, s.env.Config.Poll)
		if ctx.Err() != nil {
			return nil
		}
		began := time.Now()
		ended, err := s.turn(ctx, fetches)
		if err != nil {
			return err
		}
		if ended {
			took := time.Since(began)
			s.env.metrics.commit.WithLabelValues(s.stage.Name).Observe(took.Seconds())
			// A broker that is slow gets fewer transactions to end, not more:
			// each writes a marker into every partition that it touched.
			pace = min(max(s.env.Config.Commit, 2*took), maxPace)
			if last = time.Now(); fetches.NumRecords() >= s.env.Config.Poll {
				last = time.Time{} // behind: go on at once
			}
		}
		s.sess.AllowRebalance()
	}
}

// turn folds one poll and, when there is something to say, ends a transaction.
func (s *stageRun[S, PS, In, Out]) turn(ctx context.Context, fetches kgo.Fetches) (ended bool, err error) {
	if err := s.fetchErr(fetches); err != nil {
		return false, err
	}
	if err := s.fold(fetches); err != nil {
		return false, err
	}
	owned := s.owned()
	var out int
	for _, t := range owned {
		out += len(t.out)
	}
	s.observe(fetches, owned)
	if out == 0 {
		return false, nil
	}
	// Ending what has begun is not given up for a drain that has begun too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	committed, err := s.commit(ctx, owned)
	if err != nil {
		// The outcome is unknown: only the broker's committed offsets tell.
		return true, fmt.Errorf("end a transaction: %w", err)
	}
	outcome := "committed"
	if !committed {
		outcome = "aborted"
	}
	s.env.metrics.ends.WithLabelValues(s.stage.Name, outcome).Inc()
	for _, t := range owned {
		if err := s.settle(t, committed); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (s *stageRun[S, PS, In, Out]) settle(t *task[S, PS, In, Out], committed bool) error {
	if committed {
		m := s.env.metrics
		m.said.WithLabelValues(s.stage.Name).Add(float64(len(t.out)))
		if c := t.fold.Clock(); !c.Wall.IsZero() {
			m.lastTick.WithLabelValues(s.stage.Name).Set(float64(c.Wall.UnixMilli()) / 1000)
			if t.ticked {
				m.latency.WithLabelValues(s.stage.Name).Observe(time.Since(c.Wall).Seconds())
			}
		}
		t.fold.Commit()
	} else if err := t.fold.Rollback(); err != nil {
		return err
	}
	clear(t.out)
	t.out, t.n, t.ticked = t.out[:0], 0, false
	return nil
}

// fetchErr is the first error of a poll that this life cannot go on with.
func (s *stageRun[S, PS, In, Out]) fetchErr(fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(topic string, p int32, err error) {
		switch {
		case first != nil || errors.Is(err, context.Canceled):
		case errors.Is(err, kerr.OffsetOutOfRange):
			// The next life finds its offset gone, and says so.
			first = fmt.Errorf("%s/%d: the log has forgotten what was to be read next: %w", topic, p, err)
		default:
			first = fmt.Errorf("%s/%d: %w", topic, p, err)
		}
	})
	return first
}

// fold folds a poll, its partitions in parallel. The barrier at the end costs
// nothing: the end of the transaction needs it anyway.
func (s *stageRun[S, PS, In, Out]) fold(fetches kgo.Fetches) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		s.mu.Lock()
		t := s.tasks[p.Partition]
		s.mu.Unlock()
		if t == nil {
			return // revoked; whoever owns it now reads it
		}
		g.Go(func() error { return s.foldPartition(t, p.Records) })
	})
	return g.Wait()
}

func (s *stageRun[S, PS, In, Out]) foldPartition(t *task[S, PS, In, Out], records []*kgo.Record) error {
	for _, r := range records {
		t.n++
		rec, err := kafka.Decode(s.in, r)
		if err != nil {
			t.out = append(t.out, s.reject(rec.Key, r.Value, rec.Origin, "undecodable", err, nil))
			continue
		}
		if err := t.fold.Fold(rec); err != nil {
			return err
		}
		if err := s.take(t); err != nil {
			return err
		}
		if s.in.Tick != nil && len(s.outs) > 0 {
			if tick := s.in.Tick(rec.Value); tick != nil {
				t.ticked = true
				if err := s.forward(t, tick, r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// owned are the tasks in no particular order.
func (s *stageRun[S, PS, In, Out]) owned() []*task[S, PS, In, Out] {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*task[S, PS, In, Out]
	for _, t := range s.tasks {
		all = append(all, t)
	}
	return all
}

func (s *stageRun[S, PS, In, Out]) observe(fetches kgo.Fetches, owned []*task[S, PS, In, Out]) {
	m, name := s.env.metrics, s.stage.Name
	keys := 0
	for _, t := range owned {
		keys += t.fold.Len()
	}
	var lag int64
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			lag += p.HighWatermark - 1 - p.Records[n-1].Offset
		}
	})
	m.records.WithLabelValues(name).Add(float64(fetches.NumRecords()))
	m.keys.WithLabelValues(name).Set(float64(keys))
	m.partitions.WithLabelValues(name).Set(float64(len(owned)))
	m.lag.WithLabelValues(name).Set(float64(lag))
}

// sleep waits, and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
