package pipeline

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of all nodes of a process. Labels are names of nodes, never a patient.
type metrics struct {
	records    *prometheus.CounterVec
	said       *prometheus.CounterVec
	rejects    *prometheus.CounterVec
	restarts   *prometheus.CounterVec
	overtaken  *prometheus.CounterVec
	ends       *prometheus.CounterVec
	commit     *prometheus.HistogramVec
	latency    *prometheus.HistogramVec
	lag        *prometheus.GaugeVec
	keys       *prometheus.GaugeVec
	partitions *prometheus.GaugeVec
	restore    *prometheus.HistogramVec
	ticks      prometheus.Counter
	lastTick   *prometheus.GaugeVec
	checkpoint *prometheus.GaugeVec
	silence    *prometheus.GaugeVec
	repairs    *prometheus.CounterVec

	delivery *prometheus.HistogramVec
	retries  *prometheus.CounterVec
	held     *prometheus.GaugeVec

	compared    *prometheus.CounterVec
	differences *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heartwire_pipeline_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heartwire_pipeline_" + name, Help: help}, labels)
	}
	seconds := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heartwire_pipeline_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, labels)
	}
	m := &metrics{
		records:    counter("records_total", "Records folded or delivered.", "node"),
		said:       counter("said_total", "Records written by a stage and committed.", "node"),
		rejects:    counter("rejects_total", "Records that could not be read or folded.", "node"),
		restarts:   counter("restarts_total", "Times a node failed and was run again.", "node"),
		overtaken:  counter("overtaken_total", "Times the log had forgotten what a node was to read next.", "node"),
		ends:       counter("transactions_total", "Transactions ended.", "node", "outcome"),
		commit:     seconds("commit_seconds", "Time from the first record of a transaction to its end.", "node"),
		latency:    seconds("tick_latency_seconds", "Age of a tick, by its label, when its effects are committed.", "node"),
		lag:        gauge("lag_records", "Records in the log that the node has not read yet, of the partitions that it owns.", "node"),
		keys:       gauge("keys", "Keys of which the node holds a state.", "node"),
		partitions: gauge("partitions", "Partitions that the node owns.", "node"),
		restore:    seconds("restore_seconds", "Time to restore the states of newly assigned partitions.", "node"),
		ticks:      prometheus.NewCounter(prometheus.CounterOpts{Name: "heartwire_pipeline_ticks_total", Help: "Ticks written by this process's clock."}),
		lastTick:   gauge("last_tick_timestamp_seconds", "Label of the last tick that the node has folded.", "node"),
		checkpoint: gauge("checkpoint_timestamp_seconds", "When the node last committed a checkpoint; each key has one every 10 ticks.", "node"),
		silence:    gauge("tick_silence_seconds", "How long no tick has moved the time of the node's worst partition; above 5 nothing that is missing is noticed.", "node"),
		repairs:    counter("checkpoint_repairs_total", "Checkpoints that were damaged, and mended from history and the log.", "node"),

		delivery: seconds("delivery_seconds", "Time of one try of a durable sink to deliver a batch.", "node"),
		retries:  counter("delivery_retries_total", "Tries of a durable sink that failed.", "node"),
		held:     gauge("held_partitions", "Partitions of a durable sink that cannot be delivered now, or stand still because the log has forgotten what came next.", "node"),

		compared:    counter("refolds_compared_total", "Times what a restore folded again was held against what had been said.", "node"),
		differences: counter("refold_differences_total", "Records that a refold says and the log does not hold, or the other way round; it must stay 0.", "node", "what"),
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.records, m.said, m.rejects, m.restarts, m.overtaken, m.ends, m.commit, m.latency, m.lag, m.keys, m.partitions, m.restore, m.ticks, m.lastTick, m.checkpoint,
		m.silence, m.repairs, m.delivery, m.retries, m.held, m.compared, m.differences,
	} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// stand makes what is counted of a node stand at 0 from the start, so that a
// first time is seen as a rise.
func (m *metrics) stand(n Node) {
	m.restarts.WithLabelValues(n.Name)
	if len(n.Reads) > 0 {
		m.rejects.WithLabelValues(n.Name)
	}
	if n.Kind != KindStage {
		return
	}
	m.overtaken.WithLabelValues(n.Name)
	m.repairs.WithLabelValues(n.Name)
	m.compared.WithLabelValues(n.Name)
	for _, outcome := range []string{"committed", "aborted"} {
		m.ends.WithLabelValues(n.Name, outcome)
	}
	for _, what := range []string{"lost", "new", "changed"} {
		m.differences.WithLabelValues(n.Name, what)
	}
}
