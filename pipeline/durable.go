package pipeline

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"heartwire/topics"
)

// Durable is a node that brings every record of its feeds to a durable sink,
// at least once and in the order of each partition. What it has delivered is
// what its group has committed. A partition that cannot be delivered waits,
// and the others go on; what can never be delivered goes to rejects. Where the
// log has forgotten what was to be delivered next it stands still, and is not
// ready, until a person has accepted the loss: see AcceptLoss.
func Durable(name string, feeds ...Feed) Node {
	var reads []topics.Spec
	for _, f := range feeds {
		reads = append(reads, f.spec)
	}
	return Node{
		Name: name, Kind: KindSink, Reads: reads, Writes: []topics.Spec{topics.Rejects.Spec}, durable: true,
		Run: func(ctx context.Context, env *Env) error {
			// A new life has the same sink: it is closed once, at the end.
			for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
				began := time.Now()
				err := newDelivery(name, feeds, env).run(ctx)
				env.ready.Store(false)
				if ctx.Err() != nil {
					break
				}
				if time.Since(began) > time.Minute {
					wait = 100 * time.Millisecond
				}
				env.metrics.restarts.WithLabelValues(name).Inc()
				env.Log.Error("lost the log, beginning again at what is committed", "err", err, "in", wait)
				sleep(ctx, wait)
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
			defer cancel()
			var errs []error
			for _, f := range feeds {
				errs = append(errs, f.close(ctx))
			}
			return errors.Join(errs...)
		},
	}
}

const (
	finishTime  = 3 * time.Second // for what is in hand when its partition goes or the process ends
	returnTime  = 2 * time.Second // for a sink to return once its context has ended
	deliverTime = time.Minute     // for one try; after it the sink is taken to hang
	deliveries  = 16              // at a time: more partitions than that take turns
)

// delivery is one life of a durable sink in this process: from joining the
// group to the first failure of the log, not of the sink.
type delivery struct {
	name  string
	env   *Env
	feeds map[string]Feed  // by topic
	epoch map[string]int64 // incarnations of the topics
	turns chan struct{}    // who has one of the deliveries
	lag   *lag             // behind what is delivered

	made   chan struct{} // closed when client is set: callbacks may come before NewClient has returned
	client *kgo.Client

	mu    sync.Mutex // callbacks and the loop; lanes take it for what is held
	lanes map[place]*lane
	fresh map[place]int64 // assigned without a commit, which they are to have before anything can be forgotten
	holes map[place]Hole  // assigned, and standing still
	held  int             // lanes whose last try failed
	said  time.Time       // when that was told last
}

func newDelivery(name string, feeds []Feed, env *Env) *delivery {
	d := &delivery{
		name: name, env: env, feeds: map[string]Feed{}, epoch: map[string]int64{},
		turns: make(chan struct{}, deliveries), lag: newLag(), made: make(chan struct{}),
		lanes: map[place]*lane{}, fresh: map[place]int64{}, holes: map[place]Hole{},
	}
	for _, f := range feeds {
		d.feeds[f.spec.On(env.Kafka.Site)] = f
	}
	return d
}

func (d *delivery) run(ctx context.Context) error {
	conf := d.env.Config
	var names []string
	for name := range d.feeds {
		names = append(names, name)
	}
	if err := d.incarnations(ctx); err != nil {
		return err
	}
	opts := []kgo.Opt{
		d.env.count,
		kgo.ClientID(clientID(d.name, conf.Instance)),
		kgo.ConsumerGroup(groupOf(d.env.Kafka.Site, d.name)),
		kgo.ConsumeTopics(names...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(conf.SessionTimeout),
		kgo.HeartbeatInterval(conf.SessionTimeout / 6),
		kgo.RebalanceTimeout(20 * time.Second), // longer than finishTime and returnTime
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that the end of a transaction is committed too, and no lag is left
		kgo.FetchMaxWait(250 * time.Millisecond),
		kgo.FetchMaxPartitionBytes(partBytes),
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.BlockRebalanceOnPoll(),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			if len(m) == 0 {
				d.hold(0) // more processes than partitions: ready
			}
		}),
		kgo.AdjustFetchOffsetsFn(d.take),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, gone map[string][]int32) { d.give(ctx, gone) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { d.lose(gone) }),
	}
	if conf.Static {
		opts = append(opts, kgo.InstanceID(conf.Instance))
	}
	var err error
	if d.client, err = d.env.Kafka.NewClient(d.env.Log, opts...); err != nil {
		return err
	}
	close(d.made)
	defer d.client.CloseAllowingRebalance()
	// What was delivered is committed also when the reading has failed.
	defer func() { d.give(context.WithoutCancel(ctx), d.all()) }()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go d.lag.watch(watching, d.env, d.name, d.client)
	for {
		d.env.turned()
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := d.client.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetchErr(fetches); err != nil {
			return err
		}
		d.commitFresh(ctx)
		d.hand(fetches)
		d.client.AllowRebalance()
	}
}

func groupOf(site, node string) string { return site + "." + node }

func (d *delivery) incarnations(ctx context.Context) error {
	cl, err := d.env.Kafka.NewClient(d.env.Log)
	if err != nil {
		return err
	}
	defer cl.Close()
	for topic := range d.feeds {
		if d.epoch[topic], err = incarnation(ctx, cl, topic); err != nil {
			return err
		}
	}
	return nil
}

// hand gives what was polled to the lanes of its partitions. It does not wait.
func (d *delivery) hand(fetches kgo.Fetches) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		at := place{p.Topic, p.Partition}
		l := d.lanes[at]
		if l == nil {
			l = newLane(d, at)
			d.lanes[at] = l
			go l.run()
		}
		l.hand(p.Records)
	})
	d.tell()
}

// take looks at where newly assigned partitions are to go on. Those where the
// log has a hole are owned and not read.
func (d *delivery) take(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-d.made
	next := map[place]int64{}
	for topic, partitions := range offsets {
		for p, o := range partitions {
			next[place{topic, p}] = o.EpochOffset().Offset
		}
	}
	earliest, holes, err := findHoles(ctx, d.env.Kafka, d.env.Log, next)
	if err != nil {
		d.env.Log.Error("could not tell where to go on", "err", err)
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for at, n := range next {
		d.lag.read(at.topic, at.partition, max(n, earliest[at]))
		if n < 0 {
			d.fresh[at] = earliest[at]
			offsets[at.topic][at.partition] = kgo.NewOffset().At(earliest[at])
			if earliest[at] > 0 {
				d.env.Log.Warn("a sink that is new here, or was away longer than the brokers keep its place, begins at the earliest record",
					"topic", at.topic, "partition", at.partition, "forgotten", earliest[at])
			}
		}
	}
	for _, h := range holes {
		at := place{h.Topic, h.Partition}
		d.holes[at] = h
		offsets[at.topic][at.partition] = kgo.NewOffset().At(h.First)
		d.client.PauseFetchPartitions(map[string][]int32{at.topic: {at.partition}})
		d.env.metrics.overtaken.WithLabelValues(d.name).Inc()
		d.env.Log.Error("the log has forgotten what was to be delivered next; the partition stands still until a person accepts the loss",
			"topic", at.topic, "partition", at.partition, "next", h.Next, "earliest", h.First, "lost", h.Lost(),
			"do", "end this sink everywhere, run `heartwire sink "+d.name+" --accept-loss`, start it again")
	}
	d.tell()
	return offsets, nil
}

// commitFresh commits where partitions begin that had no commit, so that what
// the log forgets of them from now on is found missing.
func (d *delivery) commitFresh(ctx context.Context) {
	d.mu.Lock()
	fresh := d.fresh
	d.fresh = map[place]int64{}
	d.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	begin := map[string]map[int32]kgo.EpochOffset{}
	for at, n := range fresh {
		if begin[at.topic] == nil {
			begin[at.topic] = map[int32]kgo.EpochOffset{}
		}
		begin[at.topic][at.partition] = kgo.EpochOffset{Epoch: -1, Offset: n}
	}
	var failed error
	d.client.CommitOffsetsSync(ctx, begin, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = commitErr(resp, err)
	})
	if failed != nil { // a rebalance is under way: again after the next poll
		d.env.Log.Debug("could not commit where to begin", "err", failed)
		d.mu.Lock()
		maps.Copy(d.fresh, fresh)
		d.mu.Unlock()
	}
}

func commitErr(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return err
}

// give ends the lanes of partitions that go: what is in hand may be finished,
// and what was delivered is committed.
func (d *delivery) give(ctx context.Context, gone map[string][]int32) {
	d.end(gone, finishTime)
	if err := d.client.CommitMarkedOffsets(ctx); err != nil {
		d.env.Log.Warn("could not commit what was delivered; it comes again", "err", err)
	}
}

// lose is give for partitions that somebody else may have already.
func (d *delivery) lose(gone map[string][]int32) { d.end(gone, 0) }

func (d *delivery) end(gone map[string][]int32, finish time.Duration) {
	d.mu.Lock()
	var ending []*lane
	for topic, partitions := range gone {
		for _, p := range partitions {
			at := place{topic, p}
			delete(d.holes, at)
			delete(d.fresh, at)
			if l := d.lanes[at]; l != nil {
				ending = append(ending, l)
				delete(d.lanes, at)
			}
		}
	}
	d.mu.Unlock()
	d.lag.forget(gone)
	d.client.ResumeFetchPartitions(gone) // whoever has them next begins afresh
	var all sync.WaitGroup
	for _, l := range ending {
		all.Go(func() { l.end(finish) })
	}
	all.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tell()
}

// tell says how it stands with what is assigned. The caller has the lock.
func (d *delivery) tell() {
	d.env.ready.Store(len(d.holes) == 0)
	d.env.metrics.partitions.WithLabelValues(d.name).Set(float64(len(d.lanes) + len(d.holes)))
	d.env.metrics.held.WithLabelValues(d.name).Set(float64(d.held + len(d.holes)))
}

// hold notes that a lane's last try has failed (1), or that it does not any more (-1).
func (d *delivery) hold(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held += n
	d.tell()
	if d.held == 0 && n < 0 {
		d.env.Log.Info("nothing is held any more")
		d.said = time.Time{}
	}
}

// sayHeld tells why a lane is held, and how many are, each 30 s.
func (d *delivery) sayHeld(what string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.said) > 30*time.Second {
		d.said = time.Now()
		d.env.Log.Warn("could not "+what+"; the partition is held and tried again", "held", d.held, "err", err)
	}
}

// all are the partitions that the process owns.
func (d *delivery) all() map[string][]int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string][]int32{}
	for at := range d.lanes {
		all[at.topic] = append(all[at.topic], at.partition)
	}
	return all
}
