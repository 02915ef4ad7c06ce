package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages"
	"heartwire/topics"
)

// gate is Count that waits in its first record until it is let through.
type gate struct {
	stages.Processor[pipelinetest.CountState, *topics.Frame, *topics.Annotation]
	open chan struct{}
}

func (g gate) Process(s *pipelinetest.CountState, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	<-g.open
	return g.Processor.Process(s, r, emit)
}

func TestALoopThatHangsIsSeen(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	stage := pipelinetest.Count("beats")
	open := make(chan struct{})
	stage.Processor = gate{stage.Processor, open}
	nodes := pipeline.Topology{
		pipeline.Stage(stage, topics.Frames, topics.BeatsCheckpoints, topics.Annotations),
		pipeline.Clock(topics.Requests),
	}
	reg := prometheus.NewRegistry()
	r, err := pipeline.NewRunner(pipeline.DefaultConfig(), conf, nodes, "test", testLog(t), reg)
	if err != nil {
		t.Fatal(err)
	}
	r.HungAfter(3 * time.Second) // a loop goes round each second
	if got := r.Behind(); !slices.Equal(got, []string{"beats", "clock"}) || r.Hung() != nil {
		t.Errorf("before it runs %v are behind and %v hang", got, r.Hung())
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	eventually(t, "all are ready", r.Ready)
	if n := metric(t, reg, "ready"); n != 2 {
		t.Errorf("%v nodes are ready by metric, want 2", n)
	}
	if err := r.Hung(); err != nil {
		t.Errorf("nobody hangs, and it is said: %v", err)
	}
	produce(t, conf, 1, 0, 1)
	eventually(t, "it is said who hangs", func() bool {
		err := r.Hung()
		return err != nil && strings.HasPrefix(err.Error(), "beats has stood still for ") && !strings.Contains(err.Error(), "clock")
	})
	close(open)
	eventually(t, "it goes on", func() bool { return r.Hung() == nil })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.HungAfter(0) // whoever still has a loop hangs
	if err := r.Hung(); err != nil || r.Ready() {
		t.Errorf("after the end: ready %v, %v", r.Ready(), err)
	}
}

// A node that fails again and again does not hang, and its metrics go on.
func TestANodeThatFailsKeepsItsMetrics(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	counted := countNode()
	lives := 0
	inner := counted.Run
	counted.Run = func(ctx context.Context, env *pipeline.Env) error {
		if lives++; lives > 3 {
			return inner(ctx, env)
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- inner(ctx, env) }()
		produce(t, conf, 3, 10*(lives-1), 10)
		said(t, conf, 3, 10*lives)
		cancel()
		return errors.Join(errors.New("a failure"), <-ended)
	}
	reg, stop := run(t, conf, pipeline.Config{Instance: "1"}, counted)
	eventually(t, "it has failed three times", func() bool { return metric(t, reg, "restarts_total") == 3 })
	produce(t, conf, 3, 30, 10)
	said(t, conf, 3, 40)
	// Each life wrote 30 annotations; what the first ones wrote still counts.
	eventually(t, "all that was written is counted", func() bool {
		return family(t, reg, "heartwire_kafka_produce_records_total", topics.Annotations.On(conf.Site)) == 120
	})
	stop()
}

// family is the sum of a counter over its samples of one topic.
func family(t *testing.T, reg *prometheus.Registry, name, topic string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "topic" && l.GetValue() == topic {
					sum += m.Counter.GetValue()
				}
			}
		}
	}
	return sum
}

// TestLagIsRightWhileNothingComes writes what cannot be read yet: a transaction
// that does not end. Once it has ended and all is read, its end is no lag.
func TestLagIsRightWhileNothingComes(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	reg, stop := run(t, conf, pipeline.Config{Instance: "1"}, countNode())
	produce(t, conf, 4, 0, 5)
	said(t, conf, 4, 5)
	eventually(t, "nothing is left", func() bool { return metric(t, reg, "lag_records") == 0 })

	ctx := context.Background()
	writer := pipelinetest.Client(t, conf, kgo.TransactionalID("writer"))
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := 5; i < 15; i++ {
		f := &topics.Frame{Patient: "p0", Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: "d", First: uint64(i)}}}
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{Source: "d", Offset: int64(i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "what cannot be read yet is lag", func() bool { return metric(t, reg, "lag_records") == 10 })
	if err := writer.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is read", func() bool { return metric(t, reg, "lag_records") == 0 })
	stop()
}
