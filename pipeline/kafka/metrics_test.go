package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// sum adds up the samples of a metric that have these labels.
func sum(t *testing.T, reg *prometheus.Registry, name string, labels map[string]string) (total float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			fits := 0
			for _, l := range m.GetLabel() {
				if labels[l.GetName()] == l.GetValue() {
					fits++
				}
			}
			if f.GetName() == name && fits == len(labels) {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
}

// TestCountGoesOnOverLives makes the clients of a node again and again, two of
// them at a time, beside one of another node.
func TestCountGoesOnOverLives(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	reg := prometheus.NewRegistry()
	count := map[string]kgo.Opt{}
	for _, node := range []string{"beats", "bridge"} {
		opt, err := kafka.Count(reg, node)
		if err != nil {
			t.Fatal(err)
		}
		count[node] = opt
	}
	topic := topics.Frames.On(conf.Site)
	open := func(node string, opts ...kgo.Opt) *kgo.Client {
		return pipelinetest.Client(t, conf, append(opts, count[node])...)
	}
	write := func(cl *kgo.Client) {
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Key: []byte("p"), Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	awaitSum := func(name, node string, want float64) {
		t.Helper()
		var got float64
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if got = sum(t, reg, name, map[string]string{"node": node}); got == want {
				return
			}
		}
		t.Fatalf("%s of %s is %g, want %g", name, node, got, want)
	}
	const written = "heartwire_kafka_produce_records_total"
	write(open("bridge"))
	for life := range 3 {
		a, b := open("beats"), open("beats")
		write(a)
		write(b)
		awaitSum(written, "beats", float64(3*life+2))
		a.Close()
		write(b) // one that is closed does not end what another counts
		b.Close()
		awaitSum(written, "beats", float64(3*life+3))
	}
	awaitSum(written, "bridge", 1)
	if got := sum(t, reg, "heartwire_kafka_connects_total", map[string]string{"node": "beats"}); got < 6 {
		t.Errorf("%g connections are counted, want at least 6", got)
	}

	// What waits is that of the open clients.
	const waiting = "heartwire_kafka_buffered_produce_records"
	a, b := open("beats", kgo.ProducerLinger(time.Minute)), open("beats", kgo.ProducerLinger(time.Minute))
	for _, cl := range []*kgo.Client{a, b, b} {
		cl.Produce(context.Background(), &kgo.Record{Topic: topic, Value: []byte("x")}, nil)
	}
	awaitSum(waiting, "beats", 3)
	b.Close()
	awaitSum(waiting, "beats", 1)
	a.Close()
	awaitSum(waiting, "beats", 0)
}

func TestCountRefusesTheSameNodeTwice(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := kafka.Count(reg, "beats"); err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Count(reg, "beats"); err == nil {
		t.Error("two count the clients of one node apart, and nobody says so")
	}
}
