//go:build real

// Package bench measures the whole system on real servers. `make bench` runs
// it; nothing here is timed in a test.
package bench

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"heartwire/test/e2e"
	"heartwire/test/real/servers"
)

// BenchmarkCluster runs `heartwire bench` on one broker of Apache Kafka and
// mosquitto: three brokers saturate a machine of two cores, so they are for
// faults and not for figures. HEARTWIRE_BENCH_ARGS is given to it, as in "--patients 100".
func BenchmarkCluster(b *testing.B) {
	bin, err := e2e.Build()
	if err != nil {
		b.Fatal(err)
	}
	kafka := servers.Kafka(b, 1, servers.KafkaOptions{})
	mosquitto := servers.Mosquitto(b, servers.MosquittoOptions{Inflight: 2000})
	args := append([]string{"bench", "--set", "kafka.brokers=" + strings.Join(kafka.Addrs(), ","), "--set", "mqtt.broker=" + mosquitto.URL()},
		strings.Fields(os.Getenv("HEARTWIRE_BENCH_ARGS"))...)
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
}
