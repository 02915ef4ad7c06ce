package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"heartwire/pipeline/bridge"
)

type nodes struct {
	hung   error
	behind []string
}

func (n nodes) Hung() error      { return n.hung }
func (n nodes) Behind() []string { return n.behind }

func TestOps(t *testing.T) {
	rejects := []bridge.DeviceRejects{{Device: "demo-1", Reason: bridge.Undecodable, Count: 3}}
	for _, c := range []struct {
		nodes nodes
		path  string
		code  int
		body  string
	}{
		{nodes{}, "/healthz", http.StatusOK, "ok"},
		{nodes{behind: []string{"beats"}}, "/healthz", http.StatusOK, "ok"},
		{nodes{hung: errors.New("beats has stood still for 61s")}, "/healthz", http.StatusServiceUnavailable, "beats has stood still for 61s"},
		{nodes{}, "/readyz", http.StatusOK, "ready"},
		{nodes{behind: []string{"beats", "gateway"}}, "/readyz", http.StatusServiceUnavailable, "not caught up yet: beats, gateway"},
		{nodes{}, "/rejects", http.StatusOK, `[{"device":"demo-1","reason":"undecodable","count":3}]`},
		{nodes{}, "/metrics", http.StatusOK, "asked_total 1"},
		{nodes{}, "/debug/pprof/heap", http.StatusOK, ""},
		{nodes{}, "/", http.StatusNotFound, "404 page not found"},
	} {
		reg := prometheus.NewRegistry()
		asked := prometheus.NewCounter(prometheus.CounterOpts{Name: "asked_total"})
		asked.Inc()
		reg.MustRegister(asked)
		w := httptest.NewRecorder()
		opsHandler(reg, c.nodes, func() []bridge.DeviceRejects { return rejects }).ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s with %+v: %d %q, want %d %q", c.path, c.nodes, w.Code, w.Body, c.code, c.body)
		}
	}
}
