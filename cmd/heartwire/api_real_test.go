//go:build real

package main

import (
	"testing"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/test/real/servers"
)

func TestAPIOnApacheKafka(t *testing.T) {
	conf := kafka.DefaultConfig()
	conf.Brokers, conf.Site, conf.Partitions = servers.Kafka(t, 3, servers.KafkaOptions{}).Addrs(), "clinic", pipelinetest.Partitions
	pipelinetest.MakeTopics(t, conf)
	peopleAct(t, conf)
}
