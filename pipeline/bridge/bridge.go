package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Bridge carries the messages of one source into Kafka while it is the active
// one of those that stand by for each other.
type Bridge struct {
	conf    Config
	kafka   kafka.Config
	source  Source
	log     *slog.Logger
	metrics *metrics
	count   kgo.Opt // counts what the Kafka clients do
	refused *refused
	ready   func()
	sample  sample
}

// New prepares a bridge; it does no I/O.
func New(conf Config, kconf kafka.Config, source Source, log *slog.Logger, reg prometheus.Registerer) (*Bridge, error) {
	if err := errors.Join(conf.Validate(), kconf.Validate()); err != nil {
		return nil, err
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	count, err := kafka.Count(reg, "bridge")
	if err != nil {
		return nil, err
	}
	return &Bridge{
		conf: conf, kafka: kconf, source: source, log: log, metrics: m, count: count, ready: func() {},
		refused: &refused{counts: map[DeviceRejects]uint64{}},
	}, nil
}

// Rejects tells what was refused since the process began, by device.
func (b *Bridge) Rejects() []DeviceRejects { return b.refused.list() }

// OnReady calls ready, before Run, each time that this bridge could carry a
// message, or stands by for one that does.
func (b *Bridge) OnReady(ready func()) { b.ready = ready }

// Trace lets a share of the frames, 0 to 1, be followed, and tells p of them.
// It is called before Run.
func (b *Bridge) Trace(p trace.TracerProvider, ratio float64) {
	b.sample = sample{p.Tracer("heartwire/pipeline/bridge"), ratio}
}

// retryPause is how long the bridge waits after a term that could not begin.
const retryPause = time.Second

// Run works until ctx ends: stands by, and while it is active carries
// messages. It comes back to a lost Kafka by itself; an error is one of the
// configuration, that no waiting mends.
func (b *Bridge) Run(ctx context.Context) error {
	key, err := b.conf.siteKey()
	if err != nil {
		return err
	}
	member, err := b.stand()
	if err != nil {
		return err
	}
	defer member.leave()
	go member.poll(ctx, b.log)
	clock := newClock()
	for {
		active, resign, err := member.await(ctx)
		if err != nil {
			return nil
		}
		b.log.Info("this bridge is active", "source", b.source.Name())
		err = b.serve(active, clock, key)
		resign()
		var fatal *fatalError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &fatal):
			return err
		case err != nil:
			b.log.Warn("the bridge cannot work; trying again", "brokers", b.kafka.Brokers, "err", err)
			select {
			case <-time.After(retryPause):
			case <-ctx.Done():
			}
		default:
			b.log.Warn("another bridge may be active; standing by", "source", b.source.Name())
		}
	}
}

// fatalError is one that waiting does not mend.
type fatalError struct{ error }

func (e *fatalError) Unwrap() error { return e.error }

// serve is one term: it restores, then carries messages until active ends.
func (b *Bridge) serve(active context.Context, clock clock, key []byte) error {
	// Writing outlives receiving, so that what was delivered can be acknowledged.
	writing, stop := context.WithCancel(context.WithoutCancel(active))
	defer stop()
	client, err := b.kafka.NewClient(b.log, b.count,
		kgo.ProducerLinger(b.conf.Linger),
		// By number it never waits before the ledger does; by size it holds
		// up the source before memory ends.
		kgo.MaxBufferedRecords(2*maxUnacked),
		kgo.MaxBufferedBytes(b.conf.BufferBytes),
		kgo.UnknownTopicRetries(-1),
	)
	if err != nil {
		return err
	}
	t := &term{
		kafka: b.kafka, log: b.log, metrics: b.metrics, refused: b.refused, sample: b.sample,
		siteKey: key, clock: clock, client: client, ledger: newLedger(b.metrics, b.conf.BufferBytes), ctx: writing,
	}
	if err := b.restore(active, t); err != nil {
		client.Close()
		return err
	}
	b.metrics.active.Set(1)
	b.ready()
	defer b.metrics.active.Set(0)

	group, ctx := errgroup.WithContext(active)
	group.Go(func() error { return b.watchClock(ctx, clock) })
	group.Go(func() error { return t.bindings.follow(ctx, b.kafka, b.log, b.count) })
	acked := make(chan struct{})
	go func() { defer close(acked); t.ledger.run(writing) }()
	group.Go(func() error { return b.source.Run(ctx, t.deliver) })
	err = group.Wait()
	// From here nothing is acknowledged: what is still on its way is failed
	// by closing the client, and comes again.
	stop()
	client.Close()
	<-acked
	return err
}

// restore reads what must be known before the first message.
func (b *Bridge) restore(ctx context.Context, t *term) error {
	if err := b.checkTopics(ctx, t.client); err != nil {
		return err
	}
	var err error
	if t.bindings, err = restoreBindings(ctx, b.kafka, b.log); err != nil {
		return fmt.Errorf("read whose the devices are: %w", err)
	}
	if t.devices, err = b.restoreDevices(ctx); err != nil {
		return fmt.Errorf("restore the devices' anchors: %w", err)
	}
	b.metrics.devices.Set(float64(len(t.devices)))
	return nil
}

// checkTopics sees to it that a record's partition is what all others take it for.
func (b *Bridge) checkTopics(ctx context.Context, cl *kgo.Client) error {
	var names []string
	for _, t := range []topics.Any{topics.Frames, topics.Charts, topics.Rejects, topics.BridgeChangelog} {
		names = append(names, t.About().On(b.kafka.Site))
	}
	details, err := kadm.NewClient(cl).ListTopics(ctx, names...)
	if err != nil {
		return err
	}
	for _, n := range names {
		d := details[n]
		if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("topic %s is not there: make it with heartwire topics apply", n)
		}
		if d.Err != nil {
			return fmt.Errorf("topic %s: %w", n, d.Err)
		}
		if have := len(d.Partitions); have != int(b.kafka.Partitions) {
			return &fatalError{fmt.Errorf("topic %s has %d partitions and kafka.partitions is %d: set it to what the site was made with", n, have, b.kafka.Partitions)}
		}
	}
	return nil
}

func (b *Bridge) restoreDevices(ctx context.Context) (map[string]*device, error) {
	devices := map[string]*device{}
	from := map[int32]int64{}
	for p := range b.kafka.Partitions {
		from[p] = 0
	}
	err := kafka.ReadRange(ctx, b.kafka, b.log, topics.BridgeChangelog.On(b.kafka.Site), from, nil, func(r *kgo.Record) error {
		name := string(r.Key)
		if len(r.Value) == 0 {
			delete(devices, name)
			return nil
		}
		a, err := topics.BridgeChangelog.DecodeValue(r.Value)
		if err == nil {
			if d := restored(a); d != nil {
				devices[name] = d
				return nil
			}
			err = errors.New("not an anchor")
		}
		b.log.Error("a device's place in time is unknown and begins anew", "offset", r.Offset, "err", err)
		return nil
	})
	return devices, err
}

// watchClock says when this machine's clock was set while the bridge ran.
func (b *Bridge) watchClock(ctx context.Context, clock clock) error {
	every := time.NewTicker(10 * time.Second)
	defer every.Stop()
	said := time.Duration(0)
	for {
		off := clock.error()
		b.metrics.clockError.Set(off.Seconds())
		if (off - said).Abs() > time.Second {
			b.log.Warn("this machine's clock was set; arrivals go on by the time before", "by", off)
			said = off
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
	}
}
