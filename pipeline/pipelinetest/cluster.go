// Package pipelinetest has an in-process Kafka for tests. It is good for
// everything but crashes in mid-transaction: the end of a transaction is not
// atomic there, so exactness is tested on Apache Kafka.
package pipelinetest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
)

// Partitions is the number of partitions of a patient topic in a test.
const Partitions = 4

// Cluster starts an in-process Kafka with the site's topics, on a free port
// of the loopback; it ends with the test.
func Cluster(t testing.TB, opts ...kfake.Opt) (kafka.Config, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatalf("start the in-process broker: %v", err)
	}
	t.Cleanup(c.Close)
	conf := kafka.DefaultConfig()
	conf.Brokers, conf.Partitions, conf.Replication, conf.MinISR = c.ListenAddrs(), Partitions, 1, 1
	MakeTopics(t, conf)
	return conf, c
}

// MakeTopics makes the topics of a site.
func MakeTopics(t testing.TB, conf kafka.Config) {
	t.Helper()
	cl := Client(t, conf)
	defer cl.Close()
	changes, err := conf.Plan(context.Background(), cl)
	if err != nil {
		t.Fatalf("plan topics: %v", err)
	}
	if err := conf.Apply(context.Background(), cl, changes); err != nil {
		t.Fatalf("make topics: %v", err)
	}
}

// Client is a client of the cluster that ends with the test.
func Client(t testing.TB, conf kafka.Config, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := conf.NewClient(slog.New(slog.DiscardHandler), opts...)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(cl.Close)
	return cl
}
