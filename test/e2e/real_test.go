//go:build real

package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heartwire/pipeline/bridge/patch"
	"heartwire/test/e2e"
	"heartwire/test/real"
	"heartwire/test/real/servers"
)

// TestOnRealServers runs each part as a process of its own on three brokers of
// Apache Kafka and mosquitto, plays recordings into it, and kills the bridge
// and a stage on the way. Every sample comes to the client once and unchanged.
func TestOnRealServers(t *testing.T) {
	data := real.Data(t)
	kafka := servers.Kafka(t, 3, servers.KafkaOptions{})
	mosquitto := servers.Mosquitto(t, servers.MosquittoOptions{})
	dir := t.TempDir()
	key := filepath.Join(dir, "site.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := servers.FreeAddr(t)
	conf := filepath.Join(dir, "heartwire.yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\n  partitions: 6\nmqtt:\n  broker: %s\nbridge:\n  site_key_file: %s\ngateway:\n  listen: %s\n",
		strings.Join(kafka.Addrs(), ", "), mosquitto.URL(), key, listen)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	part := func(args ...string) *e2e.Process { return e2e.Start(t, append(args, "--config", conf)...) }
	e2e.Run(t, "topics", "apply", "--config", conf)
	if out := e2e.Run(t, "topics", "plan", "--config", conf); !strings.Contains(out, "as planned") {
		t.Fatalf("after apply, plan says:\n%s", out)
	}
	bridge, beats := part("bridge"), part("stage", "beats")
	for _, args := range [][]string{{"clock"}, {"stage", "rhythm"}, {"stage", "alarms"}, {"stage", "registry"}, {"sink", "gateway"}} {
		part(args...)
	}
	e2e.AwaitReady(t, "http://"+listen+"/readyz", time.Minute)
	e2e.Run(t, "bind", patch.DeviceName(0), "p1", "--unit", "4 West", "--bed", "B01", "--config", conf)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := e2e.Watch(ctx, t, "ws://"+listen+"/v1/live")
	var ledger e2e.Ledger
	pc := patch.DefaultConfig()
	pc.Broker, pc.Patients, pc.For = mosquitto.URL(), 2, 60*time.Second
	pc.Records = []string{filepath.Join(data, "mitdb", "119"), filepath.Join(data, "mitdb", "208")}
	pc.Behaviour.Duplicate, pc.Behaviour.Reorder = 0.02, 0.02
	pc.StateDir, pc.Entries = t.TempDir(), ledger.Enter
	patches, err := patch.New(pc, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(15 * time.Second)
		bridge.Kill()
		part("bridge")
		time.Sleep(15 * time.Second)
		beats.Kill()
		part("stage", "beats")
	}()
	if err := patches.Run(ctx); err != nil {
		t.Fatal(err)
	}
	samples := ledger.Settle(t, client, 30*time.Second)
	t.Logf("%d samples a lead in, and out", samples)
	if want := 2 * 360 * 55; samples < want {
		t.Errorf("only %d samples were sent, want %d", samples, want)
	}
	if r := client.Rate("p1"); r < 40 || r > 130 {
		t.Errorf("the heart rate of p1 is %.0f /min", r)
	}
	out := e2e.Run(t, "tail", "chart", "--since", "1m", "-n", "5", "--patient", "p1", "--config", conf)
	if !strings.Contains(out, "second rr=") {
		t.Errorf("tail says %q", out)
	}
}
