// Package watch is the independent watcher: it looks at what comes out of the
// stages, and says within 15 s that a patient, a unit, a node or the site is not
// monitored. It decides that by its own clock, writes it to pages, and answers
// it at an address of its own, so that it can be told when Kafka cannot be written.
//
// DESIGN.md tells what it promises, how it judges, and what it cannot see.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"heartwire/sinks"
	"heartwire/topics"
)

// Log is what the watcher needs of the log beyond what it is fed.
type Log interface {
	topics.Writer
	// Reach asks Kafka for an answer; nil is one.
	Reach(ctx context.Context) error
	// Since reports whether the topic holds a record of a key that was written after a time.
	Since(ctx context.Context, t topics.Any, key topics.Key, at time.Time) (bool, error)
}

// Watch is the watcher.
type Watch struct {
	cfg     Config
	log     Log
	say     *slog.Logger
	metrics *metrics
	gather  prometheus.Gatherer

	listening chan struct{} // closed when addr is known
	once      sync.Once
	addr      net.Addr

	mu     sync.Mutex
	judge  *judge
	book   *book
	view   *view
	looked time.Time
	outbox []*topics.Page // in order; what Kafka does not have yet
	wake   chan struct{}  // there is something in it
}

// Registry is where metrics are put and asked for.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// How often it looks, asks whether Kafka answers, and asks nodes.
const (
	lookEvery  = 250 * time.Millisecond
	reachEvery = 2 * time.Second
	askEvery   = 2 * time.Second
)

// New makes a watcher of a site whose patient topics have so many partitions.
// It does no I/O.
func New(cfg Config, partitions int, log Log, say *slog.Logger, reg Registry) (*Watch, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register the watcher's metrics: %w", err)
	}
	return &Watch{
		cfg: cfg, log: log, say: say, metrics: m, gather: reg,
		listening: make(chan struct{}), wake: make(chan struct{}, 1),
		judge: newJudge(cfg.After, partitions, cfg.Nodes, time.Now()),
		book:  newBook(cfg.Repeat), view: &view{blind: true},
	}, nil
}

// Synthetic says that there is a synthetic patient, who lives by Script. It is
// called before Run.
func (w *Watch) Synthetic(patient topics.Key) {
	w.judge.trial = &trial{patient: patient, took: w.metrics.synthetic.Observe, missed: w.metrics.missed.Inc}
}

// Sent says that the MQTT broker has a frame of the synthetic patient: its boot,
// the number of its last sample, and when that was measured.
func (w *Watch) Sent(boot, last uint64, measured time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge.trial.sent(time.Now(), boot, last, measured)
}

// CaughtUp says that the log has been read to its end.
func (w *Watch) CaughtUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge.ready(time.Now())
}

// Addr is the address that the watcher answers at; it waits until it does.
func (w *Watch) Addr(ctx context.Context) (net.Addr, error) {
	select {
	case <-w.listening:
		return w.addr, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Run watches until ctx ends. It needs nobody else's Run: it looks and answers
// while Kafka is away, too.
func (w *Watch) Run(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", w.cfg.Listen)
	if err != nil {
		return fmt.Errorf("watch.listen: %w", err)
	}
	w.once.Do(func() { w.addr = ln.Addr(); close(w.listening) })
	w.say.Info("the watcher answers", "address", "http://"+ln.Addr().String()+"/v1/watch")
	w.begin(time.Now())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.serve(ctx, ln) })
	g.Go(func() error { return each(ctx, lookEvery, func() { w.look(time.Now()) }) })
	g.Go(func() error { return each(ctx, reachEvery, func() { w.reach(ctx) }) })
	g.Go(func() error { return w.write(ctx) })
	for _, node := range w.cfg.Nodes {
		g.Go(func() error { return each(ctx, askEvery, func() { w.ask(ctx, node) }) })
	}
	if w.judge.trial != nil {
		g.Go(func() error { return each(ctx, reachEvery, func() { w.trace(ctx) }) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// begin lets all waiting begin.
func (w *Watch) begin(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge.began, w.judge.kafka = now, now
	for node := range w.judge.nodes {
		w.judge.nodes[node] = now
	}
	if w.judge.trial != nil {
		w.judge.trial.last = now
	}
}

// each does something now and every so often until ctx ends.
func each(ctx context.Context, every time.Duration, do func()) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// look judges, and puts what is to be said into the outbox.
func (w *Watch) look(now time.Time) {
	wallUs := now.UnixMicro()
	w.mu.Lock()
	v := w.judge.look(now, wallUs)
	pages := w.book.settle(now, wallUs, v)
	w.view, w.looked = v, now
	for _, p := range pages {
		// While Kafka is away, what is only said again would pile up.
		if !p.GetMonitoring().GetAgain() || len(w.outbox) == 0 {
			w.outbox = append(w.outbox, p)
		}
	}
	w.metrics.unwritten.Set(float64(len(w.outbox)))
	w.mu.Unlock()
	w.metrics.look(v)
	for _, p := range pages {
		w.metrics.pages.WithLabelValues(what(p)).Inc()
		w.tell(p)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// tell logs a page: the log is the way that needs nobody.
func (w *Watch) tell(p *topics.Page) {
	m := p.GetMonitoring()
	say := w.say.With("of", p.GetOf(), "scope", scopeNames[m.GetScope()], "reason", m.GetReason(), "patients", len(m.GetPatients()))
	if m.GetNode() != "" {
		say = say.With("node", m.GetNode())
	}
	if m.GetSinceUs() > 0 {
		say = say.With("since", topics.MicroTime(m.GetSinceUs()).Format(time.RFC3339))
	}
	if m.GetLastSeen() != "" {
		say = say.With("last_seen", m.GetLastSeen())
	}
	if m.GetResumed() {
		say.Warn("MONITORING RESUMED")
		return
	}
	say.Error("MONITORING STOPPED: go to the patients")
}

// write writes the outbox to pages, in order, for as long as it takes.
func (w *Watch) write(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
		for {
			w.mu.Lock()
			pages := append([]*topics.Page(nil), w.outbox...)
			w.mu.Unlock()
			if len(pages) == 0 {
				break
			}
			values := make([]proto.Message, len(pages))
			for i, p := range pages {
				values[i] = p
			}
			if err := w.log.Write(ctx, topics.Pages, values...); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				w.say.Error("could not write to pages, trying again", "pages", len(pages), "err", err)
				break // the next look wakes us
			}
			w.mu.Lock()
			w.outbox = w.outbox[len(pages):]
			w.mu.Unlock()
		}
	}
}

// reach notes that Kafka answers.
func (w *Watch) reach(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reachEvery)
	defer cancel()
	if w.log.Reach(ctx) == nil {
		w.mu.Lock()
		w.judge.kafka = time.Now()
		w.mu.Unlock()
	}
}

// trace finds out where the synthetic patient's records still are, once its
// alarm is late.
func (w *Watch) trace(ctx context.Context) {
	w.mu.Lock()
	t := w.judge.trial
	doubtful, patient, delivered := t.doubtful(time.Now()), t.patient, t.delivered
	w.mu.Unlock()
	if !doubtful {
		return
	}
	seen := "patch"
	if time.Since(delivered) < reading/3 {
		seen = "mqtt"
	}
	ctx, cancel := context.WithTimeout(ctx, sound)
	defer cancel()
	for _, hop := range hops {
		there, err := w.log.Since(ctx, hop, patient, time.Now().Add(-reading/3))
		if err != nil {
			w.say.Warn("could not look where the synthetic patient was last seen", "topic", hop.About().Name, "err", err)
			return
		}
		if there {
			seen = hop.About().Name
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t.lastSeen = seen
}

// feed is a topic that the watcher is fed with.
type feed[T any] struct {
	w    *Watch
	take func(now time.Time, r *topics.Record[T])
}

// Deliver implements sinks.Sink. What comes has come now: a watcher has no other time.
func (f feed[T]) Deliver(ctx context.Context, batch []topics.Record[T]) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	now := time.Now()
	for i := range batch {
		f.take(now, &batch[i])
	}
	return nil
}

// Close implements sinks.Sink.
func (f feed[T]) Close(context.Context) error { return nil }

// Alarms is the sink of the topic alarms.
func (w *Watch) Alarms() sinks.Sink[*topics.Alarm] { return feed[*topics.Alarm]{w, w.judge.alarm} }

// Charts is the sink of the topic chart.
func (w *Watch) Charts() sinks.Sink[*topics.Chart] { return feed[*topics.Chart]{w, w.judge.second} }

// Settings is the sink of the topic settings.
func (w *Watch) Settings() sinks.Sink[*topics.Setting] {
	return feed[*topics.Setting]{w, func(_ time.Time, r *topics.Record[*topics.Setting]) { w.judge.setting(r.Value) }}
}

// Pages is the sink of the topic pages: what other watchers have said, and what
// this one said before it was started anew.
func (w *Watch) Pages() sinks.Sink[*topics.Page] {
	return feed[*topics.Page]{w, func(now time.Time, r *topics.Record[*topics.Page]) { w.book.read(now, r.Value) }}
}
