package e2e_test

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/bridge/patch"
	"heartwire/test/e2e"
)

// span is one that the collector was told of.
type span struct {
	*collector.Span
	topic string // that it read from
}

// traces is a collector that speaks OTLP over HTTP.
type traces struct {
	t  *testing.T
	mu sync.Mutex
	by map[string]span // by id
}

func (c *traces) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			c.t.Errorf("what the collector is told: %v", err)
			return
		}
		body = z
	}
	b, err := io.ReadAll(body)
	var told collector.TracesData // as an ExportTraceServiceRequest stands on the wire
	if err == nil {
		err = proto.Unmarshal(b, &told)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Token") != "secret" {
		c.t.Errorf("the collector is told at %s with token %q: %v", r.URL.Path, r.Header.Get("X-Token"), err)
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range told.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.add(s)
			}
		}
	}
}

func (c *traces) add(s *collector.Span) {
	v := span{Span: s}
	for _, a := range s.Attributes {
		if strings.Contains(fmt.Sprint(a.Value), "patch-") || strings.Contains(fmt.Sprint(a.Value), "u-") {
			c.t.Errorf("the collector is told who it is: %s is %v", a.Key, a.Value)
		}
		if a.Key == "messaging.destination.name" {
			v.topic = a.Value.GetStringValue()
		}
	}
	c.by[hex.EncodeToString(s.SpanId)] = v
}

// way is the names from the root to a span, with the topics that were read.
func (c *traces) way(s span) string {
	step := s.Name
	if s.topic != "" {
		step = s.topic + " " + s.Name
	}
	if len(s.ParentSpanId) == 0 {
		return step
	}
	parent, ok := c.by[hex.EncodeToString(s.ParentSpanId)]
	if !ok {
		return "? > " + step // not told of yet
	}
	if string(parent.TraceId) != string(s.TraceId) || parent.StartTimeUnixNano > s.StartTimeUnixNano {
		c.t.Errorf("%s does not follow its parent %s", s.Name, parent.Name)
	}
	return c.way(parent) + " > " + step
}

func (c *traces) ways() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := map[string]int{}
	for _, s := range c.by {
		n[c.way(s)]++
	}
	return n
}

// TestTrace follows every frame of a patch from MQTT to the WebSocket.
func TestTrace(t *testing.T) {
	told := &traces{t: t, by: map[string]span{}}
	server := httptest.NewServer(told)
	defer server.Close()
	headers := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(headers, []byte("X-Token: secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	up := e2e.Start(t, "up", "--no-patients", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--kafka-port", "0", "--mqtt-port", "0",
		"--set", "trace.ratio=1", "--set", "trace.endpoint="+server.URL, "--set", "trace.headers_file="+headers)
	page := up.Await(`page +http://(\S+)`, 30*time.Second)
	broker := up.Await(`MQTT +(tcp://\S+)`, time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e2e.Watch(ctx, t, "ws://"+page+"/v1/live")
	conf := patch.DefaultConfig()
	conf.Broker, conf.Patients, conf.StateDir = broker, 1, t.TempDir()
	patches, err := patch.New(conf, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- patches.Run(ctx) }()
	want := []string{
		"bridge",
		"bridge > heartwire.frames beats",
		"bridge > heartwire.frames gateway",
		"bridge > heartwire.frames beats > heartwire.annotations rhythm",
		"bridge > heartwire.frames beats > heartwire.annotations gateway",
		"bridge > heartwire.frames beats > heartwire.annotations rhythm > heartwire.chart alarms",
		"bridge > heartwire.frames beats > heartwire.annotations rhythm > heartwire.chart gateway",
	}
	missing := func() (none []string) {
		ways := told.ways()
		for _, w := range want {
			if ways[w] == 0 {
				none = append(none, w)
			}
		}
		return none
	}
	for end := time.Now().Add(30 * time.Second); len(missing()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 30 s the collector has not been told of %q, only of %v", missing(), told.ways())
		}
	}
	cancel()
	<-ended
	if took := up.End(); took > 5*time.Second {
		t.Errorf("ending took %s, want less than 5 s", took)
	}
	for way, n := range told.ways() {
		t.Logf("%4d  %s", n, way)
	}
}
