package kafka

import (
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// Count makes the option by which the clients of a node are counted in reg, as
// heartwire_kafka_*{node}. It is made once a node and given to all its clients,
// at the same time and over its lives: a node that fails makes its clients
// anew, and what the old ones counted goes on.
func Count(reg prometheus.Registerer, node string) (kgo.Opt, error) {
	h := &clients{open: map[*kgo.Client]struct{}{}}
	into := &collectors{Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"node": node}, reg)}
	h.Metrics = kprom.NewMetrics("heartwire", kprom.Subsystem("kafka"), kprom.Registerer(into),
		kprom.FetchAndProduceDetail(kprom.ByTopic, kprom.Records, kprom.UncompressedBytes))
	// kprom makes its metrics anew for each client, and takes them away with
	// it. Here they are made once; of the client only gauges would ask.
	h.Metrics.OnNewClient(nil)
	for _, g := range []struct {
		name, help string
		of         func(*kgo.Client) int64
	}{
		{"buffered_produce_records", "Records that wait to be written.", (*kgo.Client).BufferedProduceRecords},
		{"buffered_produce_bytes", "Bytes that wait to be written.", (*kgo.Client).BufferedProduceBytes},
		{"buffered_fetch_records", "Records that were fetched and wait to be read.", (*kgo.Client).BufferedFetchRecords},
		{"buffered_fetch_bytes", "Bytes that were fetched and wait to be read.", (*kgo.Client).BufferedFetchBytes},
	} {
		into.add(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: "heartwire", Subsystem: "kafka", Name: g.name, Help: g.help},
			func() float64 { return h.sum(g.of) }))
	}
	if into.err != nil {
		return nil, fmt.Errorf("register the metrics of the Kafka clients of %s: %w", node, into.err)
	}
	return kgo.WithHooks(h), nil
}

// clients are those of one node. What is not said here is counted by kprom.
type clients struct {
	*kprom.Metrics

	mu   sync.Mutex
	open map[*kgo.Client]struct{}
}

// OnNewClient implements kgo.HookNewClient.
func (h *clients) OnNewClient(cl *kgo.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[cl] = struct{}{}
}

// OnClientClosed implements kgo.HookClientClosed.
func (h *clients) OnClientClosed(cl *kgo.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, cl)
}

func (h *clients) sum(of func(*kgo.Client) int64) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var n int64
	for cl := range h.open {
		n += of(cl)
	}
	return float64(n)
}

// collectors registers what kprom counts, and not its gauges, which are of one client.
type collectors struct {
	prometheus.Registerer
	err error
}

// MustRegister implements prometheus.Registerer, by which kprom registers.
func (r *collectors) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if _, single := c.(prometheus.Metric); !single {
			r.add(c)
		}
	}
}

func (r *collectors) add(c prometheus.Collector) { r.err = errors.Join(r.err, r.Register(c)) }
