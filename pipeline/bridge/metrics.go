package bridge

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	messages   *prometheus.CounterVec
	rejects    *prometheus.CounterVec
	unassigned prometheus.Counter
	retries    prometheus.Counter
	moved      prometheus.Counter
	inFlight   prometheus.Gauge
	active     prometheus.Gauge
	devices    prometheus.Gauge
	clockError prometheus.Gauge
	ack        prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "heartwire", Subsystem: "bridge", Name: n, Help: help}
	}
	counter := func(n, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(name(n, help)))
	}
	gauge := func(n, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts(name(n, help)))
	}
	m := &metrics{
		messages:   prometheus.NewCounterVec(prometheus.CounterOpts(name("messages_total", "Messages received.")), []string{"kind"}),
		rejects:    prometheus.NewCounterVec(prometheus.CounterOpts(name("rejects_total", "Messages refused.")), []string{"reason"}),
		unassigned: counter("unassigned_frames_total", "Frames of devices bound to nobody at that time."),
		retries:    counter("write_retries_total", "Records that Kafka refused and that were tried again."),
		moved:      counter("anchors_moved_total", "Devices whose samples stayed behind for a minute and were taken for live again."),
		inFlight:   gauge("in_flight_messages", "Messages not yet acknowledged to their source."),
		active:     gauge("active", "1 while this bridge is the active one."),
		devices:    gauge("devices", "Devices whose place in time is known."),
		clockError: gauge("clock_error_seconds", "This machine's clock less the bridge's, which does not follow when it is set."),
		ack: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "heartwire", Subsystem: "bridge", Name: "ack_seconds",
			Help:    "From a message's arrival to its acknowledgement.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5, 30, 120},
		}),
	}
	// All reasons stand from the start, so that a rate can be seen to be 0.
	for _, r := range Reasons() {
		m.rejects.WithLabelValues(string(r))
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.messages, m.rejects, m.unassigned, m.retries, m.moved, m.inFlight, m.active, m.devices, m.clockError, m.ack,
	} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// clock is UTC, set once: it goes on evenly when the machine's is set, because
// a jump would make each patient's live samples late, or early. It follows
// what disciplines the rate of the machine's clock.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) micros() int64 { return c.start.Add(time.Since(c.start)).UnixMicro() }

// error is the machine's clock less this one.
func (c clock) error() time.Duration {
	return time.Duration(time.Now().UnixMicro()-c.micros()) * time.Microsecond
}
