package watch

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"heartwire/topics"
)

// metrics of the watcher. A label is a scope or an address of the configuration,
// never a patient.
type metrics struct {
	stopped   *prometheus.GaugeVec
	age       prometheus.Gauge
	patients  prometheus.Gauge
	pages     *prometheus.CounterVec
	unwritten prometheus.Gauge
	node      *prometheus.GaugeVec
	synthetic prometheus.Histogram
	missed    prometheus.Counter
}

var scopeNames = map[topics.MonitoringScope]string{
	topics.MonitoringScope_MONITORING_SCOPE_PATIENT: "patient", topics.MonitoringScope_MONITORING_SCOPE_UNIT: "unit",
	topics.MonitoringScope_MONITORING_SCOPE_NODE: "node", topics.MonitoringScope_MONITORING_SCOPE_SITE: "site",
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "heartwire_watch_" + name, Help: help})
	}
	m := &metrics{
		stopped:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heartwire_watch_stopped", Help: "What is not monitored: units with some or all of their patients, nodes, the site."}, []string{"scope"}),
		age:       gauge("decision_age_seconds", "How old the newest decision is of the partition that is furthest behind."),
		patients:  gauge("patients", "Patients that are to be monitored."),
		pages:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heartwire_watch_pages_total", Help: "Pages decided: what stopped, what is said again, what is over."}, []string{"what"}),
		unwritten: gauge("unwritten_pages", "Pages that Kafka does not have yet."),
		node:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heartwire_watch_node_up", Help: "1 when the node answered last that it is well."}, []string{"node"}),
		synthetic: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "heartwire_watch_synthetic_seconds", Help: "From the synthetic patient's last beat to its alarm of asystole, end to end.",
			Buckets: []float64{4, 4.25, 4.5, 4.75, 5, 5.25, 5.5, 6, 7, 8, 10, 15, 30, 60},
		}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{Name: "heartwire_watch_synthetic_missed_total", Help: "Times that the synthetic patient's alarm did not come."}),
	}
	for _, scope := range scopeNames {
		m.stopped.WithLabelValues(scope)
	}
	for _, what := range []string{"stopped", "again", "resumed"} {
		m.pages.WithLabelValues(what)
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.stopped, m.age, m.patients, m.pages, m.unwritten, m.node, m.synthetic, m.missed} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// look shows what a look has found.
func (m *metrics) look(v *view) {
	count := map[topics.MonitoringScope]int{}
	for _, f := range v.stopped {
		count[f.scope]++
	}
	for scope, name := range scopeNames {
		m.stopped.WithLabelValues(name).Set(float64(count[scope]))
	}
	m.age.Set(v.worst.Seconds())
	m.patients.Set(float64(v.expected))
}

// what names a page for metrics and logs.
func what(p *topics.Page) string {
	switch m := p.GetMonitoring(); {
	case m.GetResumed():
		return "resumed"
	case m.GetAgain():
		return "again"
	}
	return "stopped"
}
