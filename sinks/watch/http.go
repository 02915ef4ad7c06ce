package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"heartwire/topics"
)

// ask asks a node for its health.
func (w *Watch) ask(ctx context.Context, node string) {
	problem := probe(ctx, node)
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.judge.asked(now, now.UnixMicro(), node, problem)
	up := 0.0
	if problem == "" {
		up = 1
	}
	w.metrics.node.WithLabelValues(node).Set(up)
}

// Another node's answer is not this one's, so nobody is sent elsewhere.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// probe is what is wrong with a node; empty: it is well.
func probe(ctx context.Context, node string) string {
	ctx, cancel := context.WithTimeout(ctx, askEvery)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, node, nil)
	if err != nil {
		return "it has no address that can be asked"
	}
	resp, err := client.Do(req)
	if err != nil {
		return "it does not answer"
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "it answers " + resp.Status
	}
	return ""
}

// State is what GET /v1/watch answers: with 200 when all are monitored, else
// with 503.
type State struct {
	Monitored bool      `json:"monitored"`       // nothing is stopped, and the log has been read
	Reading   bool      `json:"reading"`         // the log is still being read: nothing is known yet
	Time      time.Time `json:"time"`            // of the look, UTC
	Age       float64   `json:"decisionAge"`     // s, of the newest decision of the partition that is furthest behind
	Patients  int       `json:"patients"`        // that are to be monitored
	Stopped   []Stop    `json:"stopped"`         // what is not
	Nodes     []Node    `json:"nodes,omitempty"` //
	Unwritten int       `json:"unwritten"`       // pages that Kafka does not have yet
}

// Stop is what is not monitored.
type Stop struct {
	Scope    string     `json:"scope"` // patient: some of a unit, unit, node, site
	Name     string     `json:"name"`  // of the unit, the node or the site
	Text     string     `json:"text"`  // for people
	Detail   string     `json:"detail"`
	Reason   string     `json:"reason"`             // a code
	Since    *time.Time `json:"since,omitempty"`    // the last decision, UTC
	Patients int        `json:"patients,omitempty"` // how many
	Beds     []string   `json:"beds,omitempty"`     // bed aliases
	LastSeen string     `json:"lastSeen,omitempty"` // of the synthetic patient
}

// Node is what a node answered last.
type Node struct {
	Address string `json:"address"`
	Problem string `json:"problem,omitempty"`
}

// State is what is known now.
func (w *Watch) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.view
	s := State{
		Monitored: !v.blind && len(v.stopped) == 0, Reading: v.blind, Time: w.looked.UTC(), Age: v.worst.Seconds(),
		Patients: v.expected, Stopped: []Stop{}, Unwritten: len(w.outbox),
	}
	for i := range v.stopped {
		s.Stopped = append(s.Stopped, v.stopped[i].stop())
	}
	for _, n := range w.cfg.Nodes {
		s.Nodes = append(s.Nodes, Node{n, w.judge.nodeErr[n]})
	}
	return s
}

// stop is a finding in words.
func (f *finding) stop() Stop {
	s := Stop{Scope: scopeNames[f.scope], Name: f.name(), Reason: f.reason, Patients: len(f.patients), Beds: f.beds, LastSeen: f.lastSeen}
	s.Text = "MONITORING STOPPED: " + s.Name
	kind := "decision"
	switch f.reason {
	case reasonAbsent:
		kind = "measurement"
	case reasonNode:
		kind = "answer"
	case reasonSynthetic:
		kind = "test alarm"
	}
	s.Detail = "No " + kind + ". Go to the patients."
	if f.sinceUs > 0 {
		at := topics.MicroTime(f.sinceUs)
		s.Since, s.Detail = &at, fmt.Sprintf("No %s since %s UTC. Go to the patients.", kind, at.Format(time.TimeOnly))
	}
	if f.node != "" {
		s.Detail = strings.TrimSuffix(s.Detail, " Go to the patients.")
	}
	return s
}

func (f *finding) name() string {
	if f.node != "" {
		return f.node
	}
	if unit, ok := strings.CutPrefix(f.of, topics.UnitOf("")); ok {
		return unit
	}
	return "all units"
}

// serve answers until ctx ends.
func (w *Watch) serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("watch: serve: %w", err)
	}
	return nil
}

// Handler answers /v1/watch, /healthz and /metrics.
//
// /healthz proves that this process still looks. /v1/watch is what to poll: it
// answers 200 only while everybody is known to be monitored.
func (w *Watch) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/watch", func(rw http.ResponseWriter, _ *http.Request) {
		s := w.State()
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Cache-Control", "no-store")
		if !s.Monitored || w.hung() {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(rw).Encode(s)
	})
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		if w.hung() {
			http.Error(rw, "it does not look any more", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(rw, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.gather, promhttp.HandlerOpts{}))
	return mux
}

// hung reports whether nobody has looked for long.
func (w *Watch) hung() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.looked) > sound
}
