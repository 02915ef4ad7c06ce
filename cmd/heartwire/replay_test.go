package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// typed runs a command as a person would, on a cluster.
func typed(t *testing.T, brokers []string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	code = run(append(args, "--set", "kafka.brokers="+strings.Join(brokers, ",")), nil, &o, &e)
	return code, o.String(), e.String()
}

// TestReplayAndState lets the registry answer, and then asks what a person would.
func TestReplayAndState(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	key := filepath.Join(t.TempDir(), "site.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	own := defaultConfig()
	own.Bridge.SiteKeyFile = key
	node, err := decider(own, "registry")
	if err != nil {
		t.Fatal(err)
	}
	runner, err := pipeline.NewRunner(pipeline.DefaultConfig(), conf, pipeline.Topology{node}, "test", quiet(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	for i := range 3 {
		ask := &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: fmt.Sprint("p", i), Unit: "4 West"}}}
		stamp("test", []*topics.Request{ask})
		if _, err := pipeline.Ask(ctx, conf, quiet(), ask); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	site := []string{"--set", "bridge.site_key_file=" + key}
	code, out, errOut := typed(t, conf.Brokers, append(site, "replay", "--stage", "registry", "--from", "all", "--check")...)
	if code != 0 || !strings.Contains(out, "compared    9 records of settings") || !strings.Contains(out, "differences 0\n") || !strings.Contains(errOut, "3 records read") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	file := filepath.Join(t.TempDir(), "said.jsonl")
	code, out, errOut = typed(t, conf.Brokers, append(site, "replay", "--stage", "registry", "--from", "0@1", "--into", "file:"+file)...)
	b, _ := os.ReadFile(file)
	first, _, _ := strings.Cut(string(b), "\n")
	var line struct{ Topic, Origin string }
	if err := json.Unmarshal([]byte(first), &line); code != 0 || out != "" || err != nil || !strings.HasPrefix(line.Origin, "requests/0/") {
		t.Errorf("exit code %d, %v: %q\n%s%s", code, err, first, out, errOut)
	}
	code, out, errOut = typed(t, conf.Brokers, "state", "dump", conf.Site, "--stage", "registry")
	if code != 0 || !strings.Contains(out, `Patients[2].Name: "p2"`) {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = typed(t, conf.Brokers, "state", "diff", conf.Site, "--stage", "registry", "--from", "0@1", "--to", "0@2")
	if code != 0 || !strings.Contains(out, "Version: 1 → 2") || !strings.Contains(out, `Patients[1].Name: — → "p1"`) || strings.Contains(out, "p2") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	code, _, errOut = typed(t, conf.Brokers, "state", "dump", conf.Site, "--stage", "beats")
	if code == 0 || !strings.Contains(errOut, "not known there to beats; known now to: registry") {
		t.Errorf("exit code %d: %s", code, errOut)
	}

	again(t, conf, topics.Settings.Spec)
	code, out, _ = typed(t, conf.Brokers, append(site, "replay", "--stage", "registry", "--from", "all", "--check")...)
	_, found, _ := strings.Cut(out, "differences 1\n")
	var d struct {
		Difference, Topic, Origin string
		Then                      map[string]any
	}
	if err := json.Unmarshal([]byte(found), &d); code != 1 || err != nil || d.Difference != "doubled" || d.Topic != "settings" || len(d.Then) == 0 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

// again writes the first record of a topic's partition 0 a second time.
func again(t *testing.T, conf kafka.Config, topic topics.Spec) {
	t.Helper()
	var first *kgo.Record
	err := kafka.ReadRange(t.Context(), conf, quiet(), topic.On(conf.Site), map[int32]int64{0: 0}, nil, func(r *kgo.Record) error {
		if first == nil {
			first = &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
		}
		return nil
	})
	if err == nil {
		err = pipelinetest.Client(t, conf).ProduceSync(t.Context(), first).FirstErr()
	}
	if err != nil {
		t.Fatal(err)
	}
}
