package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"heartwire/pipeline"
	"heartwire/pipeline/bridge"
)

// opsConfig is where a process shows its state to those who run it.
type opsConfig struct {
	Listen string `yaml:"listen"` // host:port of the loopback; empty: nowhere
}

func (c opsConfig) validate() error {
	if c.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("ops.listen: %q is not host:port", c.Listen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("ops.listen: %s is not the loopback; metrics are served without credentials, so put a proxy that has them in front", c.Listen)
	}
	return nil
}

// serveOps serves what operators look at until ctx ends.
func (h *house) serveOps(ctx context.Context, runner *pipeline.Runner) error {
	c := h.conf.Ops
	if c.Listen == "" {
		return nil
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("ops.listen: %w", err)
	}
	server := &http.Server{Handler: opsHandler(h.metrics, runner, h.rejects), ReadHeaderTimeout: 5 * time.Second}
	h.log.Info("serving metrics", "address", "http://"+ln.Addr().String()+"/metrics")
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// running is what there is to ask of a Runner.
type running interface {
	Hung() error      // nil: every loop goes round
	Behind() []string // nodes that have not caught up
}

// opsHandler answers /metrics, /healthz, /readyz, /rejects and Go's profiles.
//
// /healthz proves that the process answers and that no node's loop has stood
// still for a minute: what fails it is mended by a new process. Waiting for a
// server that is away does not fail it, nor does a node that fails and is run
// again. /readyz proves that every node has caught up: states are restored, the
// gateway has read the log to its end, the bridge carries or stands by.
func opsHandler(reg prometheus.Gatherer, nodes running, rejects func() []bridge.DeviceRejects) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := nodes.Hung(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if behind := nodes.Behind(); len(behind) > 0 {
			http.Error(w, "not caught up yet: "+strings.Join(behind, ", "), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /rejects", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(rejects())
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}
