package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// metrics are counted a batch at a time, with children looked up once.
type metrics struct {
	clients, patients, silent, high prometheus.Gauge
	closings                        *prometheus.CounterVec
	bytes, unaudited                prometheus.Counter
	latency                         prometheus.Histogram
	messages                        [kinds]prometheus.Counter
	drops                           [essential]prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "heartwire", Subsystem: "gateway", Name: name, Help: help})
	}
	vec := func(name, label, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "heartwire", Subsystem: "gateway", Name: name, Help: help}, []string{label})
	}
	sent := vec("messages_sent_total", "kind", "Messages written to clients.")
	dropped := vec("messages_dropped_total", "kind", "Messages that a client read too slowly for.")
	m := &metrics{
		clients:  gauge("clients", "WebSocket clients connected."),
		patients: gauge("patients", "Patients to be shown."),
		silent:   gauge("pages_silent", "Pages that have said that their alarms cannot be heard."),
		high:     gauge("queue_high_messages", "The most messages that waited for any one client in the last second."),
		closings: vec("clients_closed_total", "reason", "Clients that have left, by reason."),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "heartwire", Subsystem: "gateway", Name: "sent_bytes_total",
			Help: "Bytes written to clients, as Protobuf."}),
		unaudited: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "heartwire", Subsystem: "gateway", Name: "audit_lost_total",
			Help: "Records of who saw or asked for what that the audit trail had no room for."}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "heartwire", Subsystem: "gateway", Name: "write_seconds",
			Help:    "Time from delivery to the gateway until written to the client's socket, of the oldest message in a write.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .3, 1, 3, 10}}),
	}
	for k, name := range kindNames {
		m.messages[k] = sent.WithLabelValues(name)
	}
	for w, name := range []string{"frame", "annotation", "chart"} {
		m.drops[w] = dropped.WithLabelValues(name)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.clients, m.patients, m.silent, m.high, m.closings, m.bytes, m.unaudited, m.latency, sent, dropped} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) sent(batch []*message, now time.Time) {
	var n [kinds]int
	size := 0
	var oldest time.Time
	for _, b := range batch {
		n[b.kind]++
		size += len(b.wire)
		if b.span != nil {
			b.span.End(trace.WithTimestamp(now)) // the first of its clients counts
		}
		if b.kind <= kindAlarm && (oldest.IsZero() || b.at.Before(oldest)) {
			oldest = b.at
		}
	}
	for k := range n {
		if n[k] > 0 {
			m.messages[k].Add(float64(n[k]))
		}
	}
	m.bytes.Add(float64(size))
	if !oldest.IsZero() {
		m.latency.Observe(now.Sub(oldest).Seconds())
	}
}

func (m *metrics) drop(n *[essential]int) {
	for w := range n {
		if n[w] > 0 {
			m.drops[w].Add(float64(n[w]))
			n[w] = 0
		}
	}
}

func (m *metrics) closed(reason string) { m.closings.WithLabelValues(reason).Inc() }
