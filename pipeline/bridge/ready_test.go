package bridge_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"heartwire/pipeline/bridge"
)

// waiting is a source whose messages never come.
type waiting struct{ begun chan struct{} }

func (waiting) Name() string { return "waiting" }

func (w waiting) Run(ctx context.Context, _ func(bridge.Message)) error {
	w.begun <- struct{}{}
	<-ctx.Done()
	return nil
}

// A bridge is ready when it could carry a message, and one that stands by is
// ready without being asked to.
func TestReadyIsActiveOrStandingBy(t *testing.T) {
	s := newSite(t)
	source := waiting{make(chan struct{}, 1)}
	reg := prometheus.NewRegistry()
	begin := func(reg *prometheus.Registry) (ready chan struct{}, stop func()) {
		b, err := bridge.New(s.conf, s.kafka, source, s.log, reg)
		if err != nil {
			t.Fatal(err)
		}
		ready = make(chan struct{}, 10)
		b.OnReady(func() { ready <- struct{}{} })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		return ready, func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	await := func(what string, c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(patience):
			t.Fatalf("after %s not yet: %s", patience, what)
		}
	}
	ready, stop := begin(reg)
	await("the active one is ready", ready)
	await("the active one receives", source.begun)
	other, stopOther := begin(prometheus.NewRegistry())
	await("the one that stands by is ready", other)
	select {
	case <-source.begun:
		t.Error("both receive")
	default:
	}
	stop()
	await("the other one receives", source.begun)
	stopOther()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "heartwire_kafka_connects_total" }) {
		t.Error("what the bridge's Kafka clients did is not counted")
	}
}
