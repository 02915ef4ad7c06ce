package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages/registry"
	"heartwire/topics"
)

// runSite is a site in this process, whose registry and clock run until stop.
func runSite(t *testing.T) (conf kafka.Config, stop func()) {
	t.Helper()
	conf, _ = pipelinetest.Cluster(t)
	key := sha256.Sum256([]byte("a site's key"))
	stage, err := registry.New(registry.Config{SiteKey: key[:], CheckRule: func(*topics.Rule) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	r, err := pipeline.NewRunner(pipeline.DefaultConfig(), conf, pipeline.Topology{
		pipeline.Stage(stage, topics.Requests, topics.RegistryCheckpoints, topics.Settings, topics.Frames, topics.Charts),
		pipeline.Clock(topics.Requests),
	}, "test", quiet(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return conf, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestSite runs testdata/site/*.txt, sessions beside a site whose registry runs.
func TestSite(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/site", Setup: func(e *testscript.Env) error {
		conf, stop := runSite(t)
		e.Defer(stop)
		e.Setenv("HEARTWIRE_KAFKA_BROKERS", strings.Join(conf.Brokers, ","))
		e.Setenv("HEARTWIRE_KAFKA_PARTITIONS", fmt.Sprint(conf.Partitions))
		return nil
	}})
}

// A limit is live within 2 s (ALARMS, point 4): from the request until it can
// be read, committed, in the chart of each patient whom it concerns. Beside the
// site's change the registry restates nothing, so what it measures is the way.
func TestALimitIsLiveWithinTwoSeconds(t *testing.T) {
	conf, stop := runSite(t)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ask := func(asks ...*topics.Request) {
		t.Helper()
		stamp("doctor-3", asks)
		outcomes, err := pipeline.Ask(ctx, conf, quiet(), asks...)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			if !o.Accepted {
				t.Fatal(o.Problem)
			}
		}
	}
	const patients = 200
	var admit []*topics.Request
	for i := range patients {
		admit = append(admit, &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: fmt.Sprintf("p%03d", i), Unit: "4W"}}})
	}
	ask(admit...)
	for _, c := range []struct {
		of    string
		value float64
		want  int // patients
	}{{"patient/p007", 130, 1}, {"site", 125, patients - 1}} {
		live := make(chan time.Time, 1)
		seen, seek := map[topics.Key]bool{}, errors.New("all seen")
		go func() {
			err := conf.Tail(ctx, quiet(), topics.Charts, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
				for _, l := range r.Value.(*topics.Chart).GetLimits().GetLimits() {
					if l.Rule == topics.RuleHRHigh && l.Value == c.value && l.Author == "doctor-3" {
						seen[r.Key] = true
					}
				}
				if len(seen) == c.want {
					live <- time.Now()
					return seek
				}
				return err
			})
			if !errors.Is(err, seek) {
				t.Errorf("%d of %d patients have it: %v", len(seen), c.want, err)
				close(live)
			}
		}()
		asked := time.Now()
		ask(&topics.Request{Reason: "clinical-order", Kind: &topics.Request_PutLayer{PutLayer: &topics.Layer{
			Of: c.of, Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: c.value, DurationS: 10, Hysteresis: 2}},
		}}})
		if took := (<-live).Sub(asked); took < 0 || took > 2*time.Second {
			t.Errorf("%s: live after %v", c.of, took)
		} else {
			t.Logf("%s: live for %d after %v", c.of, c.want, took)
		}
	}
}
