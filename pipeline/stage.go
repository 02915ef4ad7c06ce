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

	"heartwire/pipeline/kafka"
	"heartwire/stages"
	"heartwire/topics"
)

// Stage is a node that folds a topic and keeps its states in keep. It passes
// ticks on to the first of outs when that carries them, after everything that
// came before.
func Stage[S any, PS stages.State[S], In proto.Message, Out proto.Message](stage stages.Stage[S, In, Out], in topics.Topic[In], keep topics.Checkpoints, outs ...topics.Any) Node {
	p := &plan{name: stage.Name, version: stage.Version, in: in, checkpoints: keep, outs: outs, open: open[S, PS](stage, in, keep, outs)}
	return Node{
		Name:   stage.Name,
		Kind:   KindStage,
		Reads:  []topics.Spec{in.Spec, keep.Changelog.Spec, keep.History.Spec},
		Writes: append(specs(outs), keep.Changelog.Spec, keep.History.Spec, topics.Rejects.Spec),
		plan:   p,
		Run: func(ctx context.Context, env *Env) error {
			s := &stageRun{plan: p, env: env, tasks: map[int32]*task{}, lag: newLag()}
			return s.run(ctx)
		},
	}
}

// stageRun is one life of a stage in this process: from joining the group to
// the first failure. Everything it holds is lost with it, and restored by the next.
type stageRun struct {
	*plan
	env   *Env
	sess  *kgo.GroupTransactSession
	epoch int64

	mu    sync.Mutex // tasks are made by the group's goroutine and used by the loop's
	tasks map[int32]*task
	lag   *lag

	tickless bool // it has been said that ticks are missing

	life       context.Context // ends with this life
	background sync.WaitGroup  // what goes on beside the loop
}

// task is a partition that this process owns, with what it wants to write.
type task struct {
	part
	out   []*kgo.Record
	n     int // records folded since the last end
	bytes int // and their size
	// ticked says that a tick is among them: its age tells how far behind the stage is
	ticked   bool
	lastTick time.Time // when time last moved here, by this process's clock

	trail trail

	next int64 // offset at which it was restored
	lost int64 // records before next that the log forgot unread; 0 once that is told and committed
}

func (s *stageRun) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	s.life = ctx
	defer func() {
		cancel()
		s.background.Wait()
	}()
	site := s.env.Kafka.Site
	// Before the group is joined: what is assigned is restored, and every
	// checkpoint names it.
	if s.epoch, err = s.incarnation(ctx); err != nil {
		return err
	}
	opts := []kgo.Opt{
		s.env.count,
		kgo.ClientID(clientID(s.name, s.env.Config.Instance)),
		kgo.TransactionalID(transactionalID(site, s.name, s.env.Config.Instance)),
		// A transaction that outlives its process hides its partitions from
		// every reader; the next owner fences it, and this bounds it when
		// there is none.
		kgo.TransactionTimeout(10 * time.Second),
		kgo.ConsumerGroup(site + "." + s.name),
		kgo.ConsumeTopics(s.in.About().On(site)),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(s.env.Config.SessionTimeout),
		kgo.HeartbeatInterval(s.env.Config.SessionTimeout / 6),
		kgo.RebalanceTimeout(20 * time.Second),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that the end of a transaction is read and committed too, and no lag is left
		kgo.RequireStableFetchOffsets(),
		kgo.FetchMinBytes(1),
		kgo.FetchMaxWait(250 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.BlockRebalanceOnPoll(),
		kgo.MaxBufferedRecords(s.env.Config.Poll * 4),
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
	}
	if s.env.Config.Static {
		// A restart within the session timeout keeps its partitions, and no
		// other process notices.
		opts = append(opts, kgo.InstanceID(s.env.Config.Instance))
	}
	if s.sess, err = kafka.NewSession(s.env.Kafka, s.env.Log, opts...); err != nil {
		return err
	}
	defer s.sess.CloseAllowingRebalance()
	s.background.Go(func() { s.lag.watch(ctx, s.env, s.name, s.sess.Client()) })
	return s.loop(ctx)
}

func (s *stageRun) incarnation(ctx context.Context) (int64, error) {
	cl, err := s.env.Kafka.NewClient(s.env.Log)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	return incarnation(ctx, cl, s.in.About().On(s.env.Kafka.Site))
}

func (s *stageRun) loop(ctx context.Context) error {
	var last time.Time // end of the last transaction
	var pace pace
	wait := s.env.Config.Commit
	for {
		s.env.turned()
		// Between transactions nothing is held: a rebalance may come, and
		// records may gather, so that a busy stage pays for 50 commits a
		// second and an idle one does not wait.
		if !sleep(ctx, wait-time.Since(last)) {
			return nil
		}
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := s.sess.PollRecords(poll, s.env.Config.Poll)
		cancel()
		s.watchTicks()
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
			s.env.metrics.commit.WithLabelValues(s.name).Observe(took.Seconds())
			wait = pace.next(s.env.Config.Commit, took)
			last = time.Now()
			if n := int64(s.env.Config.Poll); int64(fetches.NumRecords()) >= n || waiting(fetches) >= n {
				last = time.Time{} // go on at once
			}
		}
		s.sess.AllowRebalance()
	}
}

// undoBytes is how much may have been folded, and is kept, without an end.
const undoBytes = 4 << 20

// turn folds one poll and, when there is something to say, ends a transaction.
func (s *stageRun) turn(ctx context.Context, fetches kgo.Fetches) (ended bool, err error) {
	if err := fetchErr(fetches); err != nil {
		return false, err
	}
	if err := s.fold(fetches); err != nil {
		return false, err
	}
	owned := s.owned()
	var out, n, bytes int
	for _, t := range owned {
		out += len(t.out)
		n += t.n
		bytes += t.bytes
	}
	s.observe(owned)
	// What is folded and not committed is kept in case it must be undone:
	// where nothing is said for long, the offsets alone are worth an end.
	if out == 0 && n < s.env.Config.Poll && bytes < undoBytes {
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
	s.env.metrics.ends.WithLabelValues(s.name, outcome).Inc()
	for _, t := range owned {
		if err := s.settle(t, committed); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (s *stageRun) settle(t *task, committed bool) error {
	if committed {
		m := s.env.metrics
		m.said.WithLabelValues(s.name).Add(float64(len(t.out)))
		if c := t.Clock(); !c.Wall.IsZero() {
			m.lastTick.WithLabelValues(s.name).Set(float64(c.Wall.UnixMilli()) / 1000)
			if t.ticked {
				m.latency.WithLabelValues(s.name).Observe(time.Since(c.Wall).Seconds())
			}
		}
		t.Commit()
		if t.n > 0 {
			t.lost = 0 // told: with another partition's records, it has not been
		}
	} else if err := t.Rollback(); err != nil {
		return err
	}
	t.trail.end(committed)
	clear(t.out)
	t.out, t.n, t.bytes, t.ticked = t.out[:0], 0, 0, false
	return nil
}

// fetchErr is the first error of a poll that this life cannot go on with.
func fetchErr(fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(topic string, p int32, err error) {
		switch {
		case first != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
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
func (s *stageRun) fold(fetches kgo.Fetches) error {
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
		s.lag.read(p.Topic, p.Partition, p.Records[len(p.Records)-1].Offset+1)
		g.Go(func() error { return s.foldPartition(t, p.Records) })
	})
	return g.Wait()
}

func (s *stageRun) foldPartition(t *task, records []*kgo.Record) error {
	records = data(records)
	if len(records) == 0 {
		return nil
	}
	s.env.metrics.records.WithLabelValues(s.name).Add(float64(len(records)))
	// With the first record, so that its offset is committed with the telling.
	if t.lost > 0 && t.n == 0 {
		var err error
		if t.out, err = t.Overtaken(t.next, t.lost, t.out); err != nil {
			return err
		}
	}
	for _, r := range records {
		t.n++
		t.bytes += len(r.Value)
		span := t.trail.begin(s.env.tracer, s.name, r)
		out, ticked, err := t.Read(r, t.out)
		if err != nil {
			return err
		}
		if span != nil || len(t.trail.held) > 0 {
			t.trail.pass(span, r, ticked, out[len(t.out):])
		}
		if t.out = out; ticked {
			t.ticked, t.lastTick = true, time.Now()
		}
	}
	return nil
}

// owned are the tasks in no particular order.
func (s *stageRun) owned() []*task {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*task
	for _, t := range s.tasks {
		all = append(all, t)
	}
	return all
}

func (s *stageRun) observe(owned []*task) {
	m, name := s.env.metrics, s.name
	keys := 0
	for _, t := range owned {
		keys += t.Len()
	}
	m.keys.WithLabelValues(name).Set(float64(keys))
	m.partitions.WithLabelValues(name).Set(float64(len(owned)))
}

// waiting is how many records are in the log after those of a poll.
func waiting(fetches kgo.Fetches) (n int64) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if k := len(p.Records); k > 0 {
			n += p.HighWatermark - 1 - p.Records[k-1].Offset
		}
	})
	return n
}

// tickless is how long time may stand still in a partition before a stage says so.
const tickless = 5 * time.Second

// watchTicks says how long time has stood still in the worst partition: without
// ticks nothing that is missing is noticed.
func (s *stageRun) watchTicks() {
	var silent time.Duration
	for _, t := range s.owned() {
		silent = max(silent, time.Since(t.lastTick))
	}
	s.env.metrics.silence.WithLabelValues(s.name).Set(silent.Seconds())
	if missing := silent > tickless; missing != s.tickless {
		if s.tickless = missing; missing {
			s.env.Log.Error("no ticks: does a clock run, and the stage before?", "for", silent.Round(time.Second))
		} else {
			s.env.Log.Info("ticks are back")
		}
	}
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
