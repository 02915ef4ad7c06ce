//go:build real

package strips_test

import (
	"testing"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/test/real/servers"
)

func TestOnApacheKafka(t *testing.T) {
	cluster := servers.Kafka(t, 3, servers.KafkaOptions{})
	for name, check := range map[string]func(*testing.T, kafka.Config){
		"kills": oneEachThroughKills,
		"many":  manyAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			conf := kafka.DefaultConfig()
			conf.Brokers, conf.Site, conf.Partitions = cluster.Addrs(), name, pipelinetest.Partitions
			pipelinetest.MakeTopics(t, conf)
			check(t, conf)
		})
	}
}
