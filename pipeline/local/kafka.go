// Package local is what one machine needs instead of servers: a Kafka and an
// MQTT broker in the process, with their data in a folder. They are for trying
// and teaching: a single broker acknowledges from memory, so a power cut can
// lose what it has just acknowledged.
package local

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"

	"heartwire/pipeline/kafka"
)

// Kafka is a Kafka broker in the process. It asks nobody who he is, and
// listens on the loopback alone.
type Kafka struct {
	cluster *kfake.Cluster
	config  kafka.Config
}

// StartKafka starts the broker on a port of the loopback (0 takes a free one)
// with its data in dir, and makes the site's topics. The Config it gives back
// by Config is conf with the broker's address, one copy of everything.
func StartKafka(ctx context.Context, conf kafka.Config, dir string, port int, log *slog.Logger) (*Kafka, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the Kafka broker: %w", err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.ClusterID("heartwire-local"),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes":          fmt.Sprint(kafka.MaxRecordBytes),
			"log.cleaner.backoff.ms":     "60000",
			"transaction.max.timeout.ms": "60000",
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("start the Kafka broker on port %d with its data in %s: %w", port, dir, err)
	}
	k := &Kafka{cluster: cluster, config: conf}
	k.config.Brokers, k.config.Replication, k.config.MinISR = cluster.ListenAddrs(), 1, 1
	if err := k.apply(ctx, log); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

func (k *Kafka) apply(ctx context.Context, log *slog.Logger) error {
	cl, err := k.config.NewClient(log)
	if err != nil {
		return err
	}
	defer cl.Close()
	changes, err := k.config.Plan(ctx, cl)
	if err != nil {
		return err
	}
	return k.config.Apply(ctx, cl, changes)
}

// Config is how to reach it.
func (k *Kafka) Config() kafka.Config { return k.config }

// Close writes everything down and stops.
func (k *Kafka) Close() { k.cluster.Close() }
