// Package pipeline moves records: it runs stages as consumer groups with one
// Kafka transaction for what was said and what was read, restores their
// states, lets sinks look at the log as it grows, and makes time a record.
// DESIGN.md tells what it guarantees and which races it prevents.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Env is what a node runs in.
type Env struct {
	Config  Config
	Kafka   kafka.Config
	Build   string // names this build in checkpoints
	Log     *slog.Logger
	metrics *metrics
	tracer  trace.Tracer

	// This node's.
	count kgo.Opt // counts what its Kafka clients do
	*health
}

// Ready says that the node has caught up with what it needs before it can work.
func (e *Env) Ready() { e.ready.Store(true) }

// Runner runs a topology in this process.
type Runner struct {
	env      Env
	topology Topology
	count    []kgo.Opt     // by node
	health   []*health     // by node
	hung     time.Duration // how long a loop may take to go round
}

// NewRunner prepares a topology; it does no I/O.
func NewRunner(conf Config, kconf kafka.Config, topology Topology, build string, log *slog.Logger, reg prometheus.Registerer) (*Runner, error) {
	if err := errors.Join(conf.Validate(), kconf.Validate()); err != nil {
		return nil, err
	}
	if conf.Instance == "" {
		conf.Instance = someInstance()
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	env := Env{Config: conf, Kafka: kconf, Build: build, Log: log, metrics: m, tracer: noop.NewTracerProvider().Tracer("")}
	r := &Runner{env: env, topology: topology, hung: hung}
	for _, n := range topology {
		var count kgo.Opt
		if n.Kind != KindSource { // whose clients are its own, and so is their count
			if count, err = kafka.Count(reg, n.Name); err != nil {
				return nil, err
			}
		}
		m.stand(n)
		r.count, r.health = append(r.count, count), append(r.health, &health{node: n.Name})
	}
	if err := r.watchHealth(reg); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return r, nil
}

// Trace tells p of what becomes of the records that are followed. Without it
// their traces are handed on, and nobody is told. It is called before Run.
func (r *Runner) Trace(p trace.TracerProvider) { r.env.tracer = p.Tracer("heartwire/pipeline") }

// Run waits for the cluster, checks that its topics are those of the site, and
// runs every node until ctx ends; it returns nil after they have drained. A
// node that fails is run again: what it had not committed it does again.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.await(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for i, n := range r.topology {
		g.Go(func() error {
			r.keep(ctx, n, i)
			return nil
		})
	}
	return g.Wait()
}

// keep runs a node again and again until ctx ends.
func (r *Runner) keep(ctx context.Context, n Node, i int) {
	env := r.env
	env.count, env.health = r.count[i], r.health[i]
	env.Log = r.env.Log.With("node", n.Name)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		began := time.Now()
		err := n.Run(ctx, &env)
		env.ready.Store(false)
		env.turn.Store(nil)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				env.Log.Error("node ended badly while draining", "err", err)
			}
			return
		}
		if time.Since(began) > time.Minute {
			wait = 100 * time.Millisecond
		}
		env.metrics.restarts.WithLabelValues(n.Name).Inc()
		env.Log.Error("node failed, running it again", "err", err, "in", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// await waits for a broker, and checks that the topics are those of the site.
func (r *Runner) await(ctx context.Context) error {
	if err := r.env.Kafka.Await(ctx, r.env.Log); err != nil {
		return err
	}
	cl, err := r.env.Kafka.NewClient(r.env.Log)
	if err != nil {
		return err
	}
	defer cl.Close()
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := r.check(ctx, cl)
		var wrong *siteError
		if err == nil || errors.As(err, &wrong) {
			return err
		}
		r.env.Log.Warn("the topics are not there yet, trying again", "err", err, "in", wait)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// siteError says that the topics are not those of the site: waiting will not help.
type siteError struct{ error }

// check compares the cluster's topics with the site's.
func (r *Runner) check(ctx context.Context, cl *kgo.Client) error {
	changes, err := r.env.Kafka.Plan(ctx, cl)
	if err != nil {
		return err
	}
	var wrong []error
	missing := 0
	for _, c := range changes {
		switch c.What {
		case "create":
			missing++
		case "partitions":
			wrong = append(wrong, fmt.Errorf("topic %s has %s partitions and kafka.partitions says %s: %s", c.Topic, c.From, c.To, c.Refused))
		}
	}
	switch {
	case len(wrong) > 0:
		return &siteError{errors.Join(wrong...)}
	case missing > 0:
		return fmt.Errorf("%d topics of the site %s are missing: make them with `heartwire topics apply`", missing, r.env.Kafka.Site)
	}
	return nil
}

// incarnation is the number that tells one making of a topic from the next.
func incarnation(ctx context.Context, cl *kgo.Client, topic string) (int64, error) {
	d, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("topic %s: %w", topic, err)
	}
	t := d[topic]
	if t.Err != nil {
		return 0, fmt.Errorf("topic %s: %w", topic, t.Err)
	}
	var n uint64
	for _, b := range t.ID[:8] {
		n = n<<8 | uint64(b)
	}
	return int64(n >> 1), nil
}

func specs(outs []topics.Any) []topics.Spec {
	var s []topics.Spec
	for _, o := range outs {
		s = append(s, o.About())
	}
	return s
}
