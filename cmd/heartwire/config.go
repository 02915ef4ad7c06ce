package main

import (
	"errors"

	"heartwire/pipeline"
	"heartwire/pipeline/bridge"
	"heartwire/pipeline/bridge/mqtt"
	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/trace"
	"heartwire/sinks/gateway"
	"heartwire/sinks/watch"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
)

// Config is every setting of Heartwire; each part owns its own. A process
// looks at all of them and uses those of the parts that it runs.
type Config struct {
	Kafka    kafka.Config    `yaml:"kafka"`
	MQTT     mqtt.Config     `yaml:"mqtt"`
	Bridge   bridge.Config   `yaml:"bridge"`
	Pipeline pipeline.Config `yaml:"pipeline"`
	Beats    beats.Config    `yaml:"beats"`
	Alarms   alarms.Config   `yaml:"alarms"`
	Gateway  gateway.Config  `yaml:"gateway"`
	Watch    watch.Config    `yaml:"watch"`
	Simulate patch.Config    `yaml:"simulate"`
	Ops      opsConfig       `yaml:"ops"`
	Trace    trace.Config    `yaml:"trace"`
}

func defaultConfig() Config {
	c := Config{
		Kafka:    kafka.DefaultConfig(),
		MQTT:     mqtt.DefaultConfig(),
		Bridge:   bridge.DefaultConfig(),
		Pipeline: pipeline.DefaultConfig(),
		Beats:    beats.DefaultConfig(),
		Alarms:   alarms.DefaultConfig(),
		Gateway:  gateway.DefaultConfig(),
		Watch:    watch.DefaultConfig(),
		Simulate: patch.DefaultConfig(),
	}
	c.Bridge.SiteKeyFile = "site.key"
	return c
}

// Validate tells all problems at once.
func (c Config) Validate() error {
	return errors.Join(
		c.Kafka.Validate(), c.MQTT.Validate(), c.Bridge.Validate(), c.Pipeline.Validate(), c.Beats.Validate(), c.Alarms.Validate(),
		c.Gateway.Validate(), c.Watch.Validate(), c.Simulate.Validate(), c.Ops.validate(), c.Trace.Validate(),
	)
}
