package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"

	"heartwire/pipeline"
	"heartwire/pipeline/bridge"
	"heartwire/pipeline/bridge/mqtt"
	"heartwire/sinks/gateway"
	"heartwire/sinks/gateway/page"
	"heartwire/sinks/strips"
	"heartwire/sinks/watch"
	"heartwire/stages/alarms"
	"heartwire/stages/alarms/rules"
	"heartwire/stages/beats"
	"heartwire/stages/registry"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

// house is where the parts are introduced to each other.
type house struct {
	conf    Config
	log     *slog.Logger
	metrics *prometheus.Registry
	page    fs.FS
	traces  trace.TracerProvider // once it runs

	runner  atomic.Pointer[pipeline.Runner] // once it runs
	gateway atomic.Pointer[gateway.Gateway] // likewise
	bridge  atomic.Pointer[bridge.Bridge]   // once its node has run
	watch   atomic.Pointer[watch.Watch]     // once the graph is made
}

func newHouse(conf Config, log *slog.Logger) *house {
	conf.Gateway.Site, conf.Gateway.Build = conf.Kafka.Site, build()
	h := &house{conf: conf, log: log, metrics: prometheus.NewRegistry(), page: page.Files()}
	h.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return h
}

// isReady reports whether every node has caught up.
func (h *house) isReady() bool {
	r := h.runner.Load()
	return r != nil && r.Ready()
}

// How far back the gateway reads: what a snapshot shows, and alarms from
// before their hourly restatement.
const (
	recentSamples = 35 * time.Second
	recentAlarms  = 65 * time.Minute
)

// topology is THE graph: what runs, and what `heartwire topology` prints.
func (h *house) topology() (pipeline.Topology, error) {
	decide, err := h.stages()
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(h.conf.Gateway, h.page, h.log.With("node", "gateway"), h.metrics)
	if err != nil {
		return nil, err
	}
	h.gateway.Store(g)
	writes := pipeline.NewWriter(h.conf.Kafka, h.log.With("node", "gateway"), "gateway")
	g.WriteTo(writes)
	g.Resolve(func(settings []*topics.Setting, of string) (*topics.Limits, error) {
		return registry.Read(settings).Force(of)
	})
	moves := pipeline.Topology{
		pipeline.Source("bridge",
			[]topics.Any{topics.Settings, topics.BridgeChangelog},
			[]topics.Any{topics.Frames, topics.Charts, topics.Rejects, topics.BridgeChangelog},
			h.runBridge),
		pipeline.Clock(topics.Frames, topics.Requests),
	}
	shows := pipeline.Topology{
		pipeline.Live("gateway", func(ctx context.Context) error {
			defer writes.Close()
			return g.Run(ctx)
		}, g.CaughtUp,
			pipeline.From(topics.Settings, 0, g.Settings()),
			pipeline.From(topics.Alarms, recentAlarms, g.Alarms()),
			pipeline.From(topics.Charts, recentSamples, g.Charts()),
			pipeline.From(topics.Pages, recentAlarms, g.Pages()),
			pipeline.From(topics.Annotations, recentSamples, g.Annotations()),
			pipeline.From(topics.Frames, recentSamples, g.Frames()),
		).Writing(topics.Charts, topics.Requests, topics.Audits),
		h.strips(),
	}
	watches, err := h.watches()
	if err != nil {
		return nil, err
	}
	return slices.Concat(moves, decide, shows, pipeline.Topology{watches}), nil
}

// strips is the sink that keeps the samples about each alarm's onset.
func (h *house) strips() pipeline.Node {
	kafka, log := h.conf.Kafka, h.log.With("node", "strips")
	n := pipeline.Durable("strips", pipeline.Every(topics.Alarms, strips.New(
		pipeline.NewReader(kafka, log, topics.Frames), pipeline.NewReader(kafka, log, topics.Annotations),
		pipeline.NewDeriver(kafka, log, topics.Strips, topics.Alarms))))
	n.Reads = append(n.Reads, topics.Frames.Spec, topics.Annotations.Spec)
	return n.Writing(topics.Strips)
}

// stages are the nodes that decide, alone: they read the log and write to it,
// and have no way to anything else.
func (h *house) stages() (pipeline.Topology, error) {
	reg, err := registry.New(registry.Config{SiteKey: h.siteKey(), CheckRule: rules.Check})
	if err != nil {
		return nil, err
	}
	return pipeline.Topology{
		pipeline.Stage(beats.New(h.conf.Beats), topics.Frames, topics.BeatsCheckpoints, topics.Annotations),
		pipeline.Stage(rhythm.Stage(), topics.Annotations, topics.RhythmCheckpoints, topics.Charts),
		pipeline.Stage(alarms.New(h.conf.Alarms), topics.Charts, topics.AlarmsCheckpoints, topics.Alarms),
		pipeline.Stage(reg, topics.Requests, topics.RegistryCheckpoints, topics.Settings, topics.Frames, topics.Charts),
	}, nil
}

// runBridge runs a bridge over MQTT, the one source there is. It is the same in
// each life of its node, so that what it has counted goes on.
func (h *house) runBridge(ctx context.Context, ready func()) error {
	b := h.bridge.Load()
	if b == nil {
		log := h.log.With("node", "bridge")
		source, err := mqtt.New(h.conf.MQTT, h.conf.Kafka.Site, log)
		if err != nil {
			return err
		}
		if b, err = bridge.New(h.conf.Bridge, h.conf.Kafka, source, log, h.metrics); err != nil {
			return err
		}
		b.OnReady(ready)
		b.Trace(h.traces, h.conf.Trace.Ratio)
		h.bridge.Store(b)
	}
	return b.Run(ctx)
}

// rejects are what the bridge of this process has refused, by device.
func (h *house) rejects() []bridge.DeviceRejects {
	b := h.bridge.Load()
	if b == nil {
		return []bridge.DeviceRejects{}
	}
	return b.Rejects()
}

// siteKey reads the site's root key. Those who only print the graph need none.
func (h *house) siteKey() []byte {
	key, err := os.ReadFile(h.conf.Bridge.SiteKeyFile)
	if err != nil {
		return nil
	}
	return key
}

// checkSiteKey says how to make a site key when there is none.
func (h *house) checkSiteKey() error {
	if len(h.siteKey()) < 32 {
		return fmt.Errorf("bridge.site_key_file: %s is not a file of at least 32 bytes; make one for the whole site with `head -c 32 /dev/urandom > %[1]s`, and keep it secret",
			h.conf.Bridge.SiteKeyFile)
	}
	return nil
}
