package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/sinks/watch"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/registry"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

// process runs nodes as a process of their own would, until stop.
func process(t *testing.T, conf kafka.Config, nodes ...pipeline.Node) (stop func()) {
	t.Helper()
	r, err := pipeline.NewRunner(pipeline.DefaultConfig(), conf, nodes, "test", quiet(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	ended := false
	stop = func() {
		if cancel(); !ended {
			ended = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

// watched asks a watcher.
func watched(t *testing.T, addr string) (s watch.State) {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/v1/watch")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Monitored != (resp.StatusCode == http.StatusOK) {
		t.Errorf("it answers %d and %+v", resp.StatusCode, s)
	}
	return s
}

// until asks a watcher until it is so.
func until(t *testing.T, addr, what string, d time.Duration, is func(watch.State) bool) time.Time {
	t.Helper()
	var s watch.State
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if s = watched(t, addr); is(s) {
			return time.Now()
		}
	}
	t.Fatalf("waited %s in vain for %s: %+v", d, what, s)
	return time.Time{}
}

// A house whose alarms stage ends, in a process of its own, while all else goes
// on: two watchers say it within 15 s, once, and that it is over.
func TestWatchSaysThatNobodyDecides(t *testing.T) {
	t.Parallel()
	conf, _ := pipelinetest.Cluster(t)
	key := sha256.Sum256([]byte("a site's key"))
	reg, err := registry.New(registry.Config{SiteKey: key[:]})
	if err != nil {
		t.Fatal(err)
	}
	process(t, conf,
		pipeline.Clock(topics.Frames, topics.Requests),
		pipeline.Stage(reg, topics.Requests, topics.RegistryCheckpoints, topics.Settings, topics.Frames, topics.Charts),
		pipeline.Stage(beats.New(beats.DefaultConfig()), topics.Frames, topics.BeatsCheckpoints, topics.Annotations),
		pipeline.Stage(rhythm.Stage(), topics.Annotations, topics.RhythmCheckpoints, topics.Charts),
	)
	decide := pipeline.Stage(alarms.Stage(), topics.Charts, topics.AlarmsCheckpoints, topics.Alarms)
	stop := process(t, conf, decide)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	asks := []*topics.Request{
		{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: "p1", Unit: "4 West", Bed: "B01"}}},
		{Kind: &topics.Request_Bind{Bind: &topics.Bind{Device: "patch-01", Patient: "p1"}}},
	}
	stamp("test", asks)
	if _, err := pipeline.Ask(ctx, conf, quiet(), asks...); err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for range 2 {
		addrs = append(addrs, runWatcher(t, conf))
	}
	for _, addr := range addrs {
		until(t, addr, "a house that is watched", time.Minute, func(s watch.State) bool { return s.Monitored && s.Patients == 1 })
	}

	stop()
	stopped := time.Now()
	for _, addr := range addrs {
		at := until(t, addr, "that it says so", 20*time.Second, func(s watch.State) bool {
			return len(s.Stopped) == 1 && s.Stopped[0].Text == "MONITORING STOPPED: all units" && s.Stopped[0].Reason == "no-decision"
		})
		if took := at.Sub(stopped); took > 15*time.Second {
			t.Errorf("said after %s", took)
		} else {
			t.Logf("said after %s", took)
		}
	}
	process(t, conf, decide)
	for _, addr := range addrs {
		until(t, addr, "that all is well again", time.Minute, func(s watch.State) bool { return s.Monitored && s.Unwritten == 0 })
	}
	onePage(ctx, t, conf)
}

// runWatcher is a watcher in a process of its own, and where it answers.
func runWatcher(t *testing.T, conf kafka.Config) string {
	t.Helper()
	c := defaultConfig()
	c.Kafka, c.Watch.Listen = conf, "127.0.0.1:0"
	c.Bridge.SiteKeyFile = filepath.Join(t.TempDir(), "none")
	h := newHouse(c, quiet())
	node, err := h.watches()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.run(ctx, pipeline.Topology{node}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	addr, err := h.watch.Load().Addr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr.String()
}

// onePage wants that the log has one outage, with one id, that is over.
func onePage(ctx context.Context, t *testing.T, conf kafka.Config) {
	t.Helper()
	var said []*topics.Page
	over := errors.New("over")
	err := conf.Tail(ctx, quiet(), topics.Pages, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
		said = append(said, r.Value.(*topics.Page))
		if said[len(said)-1].GetMonitoring().GetResumed() {
			return over
		}
		return err
	})
	if !errors.Is(err, over) {
		t.Fatal(err)
	}
	for _, p := range said {
		m := p.GetMonitoring()
		if p.GetOf() != topics.SiteOf || p.GetId() != said[0].GetId() || m.GetScope() != topics.MonitoringScope_MONITORING_SCOPE_SITE {
			t.Errorf("said %v", p)
		}
	}
	if len(said) > 3 { // two that find it in the same moment say the same
		t.Errorf("said %d times: %v", len(said), said)
	}
}
