package pipeline

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// health is what can be seen of a node from outside.
type health struct {
	node  string
	ready atomic.Bool               // it has caught up
	turn  atomic.Pointer[time.Time] // when its loop last went round in this life; nil: not yet, or it has none
}

// hung is how long a loop may take to go round. Without a broker it still
// does, each second; the end of a transaction is given up after 15 s.
const hung = time.Minute

// turned says that the node's loop has gone round.
func (e *Env) turned() {
	now := time.Now()
	e.turn.Store(&now)
}

// Behind names the nodes that have not caught up with the log.
func (r *Runner) Behind() (nodes []string) {
	for _, h := range r.health {
		if !h.ready.Load() {
			nodes = append(nodes, h.node)
		}
	}
	return nodes
}

// Ready reports whether every node has caught up.
func (r *Runner) Ready() bool { return len(r.Behind()) == 0 }

// Hung is an error that names the nodes whose loop no longer goes round, which
// nothing but a new process mends; nil when there are none. A node that fails
// and is run again is not one of them, nor is one that waits for a server.
func (r *Runner) Hung() error {
	var errs []error
	for _, h := range r.health {
		if turn := h.turn.Load(); turn != nil && time.Since(*turn) > r.hung {
			errs = append(errs, fmt.Errorf("%s has stood still for %s", h.node, time.Since(*turn).Round(time.Second)))
		}
	}
	return errors.Join(errs...)
}

// watchHealth makes metrics of it.
func (r *Runner) watchHealth(reg prometheus.Registerer) error {
	var errs []error
	for _, h := range r.health {
		errs = append(errs, reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "heartwire_pipeline_ready", Help: "1 when the node has caught up with the log.",
			ConstLabels: prometheus.Labels{"node": h.node},
		}, func() float64 {
			if h.ready.Load() {
				return 1
			}
			return 0
		})))
	}
	return errors.Join(errs...)
}
