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
	"heartwire/topics/wfdb"
)

// ward is Heartwire as a hospital runs it: each part a process of its own, on
// three brokers of Apache Kafka and on mosquitto.
type ward struct {
	t         *testing.T
	kafka     *servers.KafkaCluster
	mosquitto *servers.MosquittoBroker
	conf      string // path of heartwire.yaml
	gateway   string // host:port
	patches   string // directory of the patches' boot counters
}

func newWard(t *testing.T) *ward {
	t.Helper()
	dir := t.TempDir()
	w := &ward{
		t:         t,
		kafka:     servers.Kafka(t, 3, servers.KafkaOptions{}),
		mosquitto: servers.Mosquitto(t, servers.MosquittoOptions{}),
		conf:      filepath.Join(dir, "heartwire.yaml"),
		gateway:   servers.FreeAddr(t),
		patches:   t.TempDir(),
	}
	key := filepath.Join(dir, "site.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\n  partitions: 6\nmqtt:\n  broker: %s\nbridge:\n  site_key_file: %s\ngateway:\n  listen: %s\n",
		strings.Join(w.kafka.Addrs(), ", "), w.mosquitto.URL(), key, w.gateway)
	if err := os.WriteFile(w.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// part starts a part of Heartwire.
func (w *ward) part(args ...string) *e2e.Process {
	w.t.Helper()
	return e2e.Start(w.t, append(args, "--config", w.conf)...)
}

// run runs a command that ends by itself, and gives what it says.
func (w *ward) run(args ...string) string {
	w.t.Helper()
	return e2e.Run(w.t, append(args, "--config", w.conf)...)
}

// watch is a client of the gateway, which has read what it shows.
func (w *ward) watch(ctx context.Context) *e2e.Client {
	w.t.Helper()
	e2e.AwaitReady(w.t, "http://"+w.gateway+"/readyz", time.Minute)
	return e2e.Watch(ctx, w.t, "ws://"+w.gateway+"/v1/live")
}

// play lets patches publish until conf.For is over.
func (w *ward) play(ctx context.Context, conf patch.Config) error {
	conf.Broker, conf.StateDir = w.mosquitto.URL(), w.patches
	patches, err := patch.New(conf, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return patches.Run(ctx)
}

func TestOnRealServers(t *testing.T) {
	data := real.Data(t)
	w := newWard(t)
	w.run("topics", "apply")
	if out := w.run("topics", "plan"); !strings.Contains(out, "as planned") {
		t.Fatalf("after apply, plan says:\n%s", out)
	}
	bridge, beats := w.part("bridge"), w.part("stage", "beats")
	for _, args := range [][]string{{"clock"}, {"stage", "rhythm"}, {"stage", "alarms"}, {"stage", "registry"}, {"sink", "gateway"}} {
		w.part(args...)
	}
	// Until its session exists mosquitto keeps nothing for it.
	bridge.Await("receiving from the MQTT broker", time.Minute)

	t.Run("samples", func(t *testing.T) {
		records := []string{filepath.Join(data, "mitdb", "119"), filepath.Join(data, "mitdb", "208")}
		everySample(t, w, records, func() {
			w.kafka.Kill(1)
			time.Sleep(10 * time.Second)
			w.mosquitto.Stop()
			time.Sleep(2 * time.Second)
			w.mosquitto.Start()
			time.Sleep(8 * time.Second)
			bridge.Kill()
			w.part("bridge")
			time.Sleep(8 * time.Second)
			beats.Kill()
			w.part("stage", "beats")
		})
	})
	w.kafka.Start(1)
	t.Run("alarms", func(t *testing.T) { everyAlarm(t, w) })
}

// everySample plays two recordings from patches through mosquitto, the bridge,
// Kafka, the stages and the gateway to a client, while things die on the way.
// Every sample comes once, as it stands in the recording, and nothing that
// died looks like a heart that stood still.
func everySample(t *testing.T, w *ward, records []string, trouble func()) {
	w.run("bind", patch.DeviceName(0), "p1", "--unit", "4 West", "--bed", "B01")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := w.watch(ctx)
	var ledger e2e.Ledger
	conf := patch.DefaultConfig()
	conf.Records, conf.Patients, conf.For = records, len(records), time.Minute
	conf.Behaviour.Duplicate, conf.Behaviour.Reorder = 0.02, 0.02
	conf.Entries = ledger.Enter
	played := make(chan error)
	go func() { played <- w.play(ctx, conf) }()
	time.Sleep(15 * time.Second)
	trouble()
	if err := <-played; err != nil {
		t.Fatal(err)
	}

	samples := ledger.Settle(t, client, 30*time.Second)
	t.Logf("%d samples a lead in, and out", samples)
	for i, path := range records {
		out, err := client.Signal(patch.DeviceName(i))
		if err != nil {
			t.Error(err)
			continue
		}
		in, n := beginning(t, path, out)
		if n < 55*360 {
			t.Errorf("%s: only %d samples in a minute of 360 Hz", path, n)
		}
		if got, want := e2e.SHA256(out), e2e.SHA256(in); got != want {
			t.Errorf("%s: the SHA-256 of %d samples a lead is %s, and of the recording %s", path, n, got, want)
		}
	}
	if a := client.Alarm("asystole"); a != nil {
		t.Errorf("%s was raised for a heart that beats", a.Text)
	}
	// Record 119 beats at about 65 /min.
	if r := client.Rate("p1"); r < 40 || r > 130 {
		t.Errorf("the heart rate of p1 is %.0f /min", r)
	}
	if said := w.run("tail", "chart", "--since", "1m", "-n", "40", "--patient", "p1"); !strings.Contains(said, "second rr=") {
		t.Errorf("tail says %q", said)
	}
}

// beginning is as much of a recording as came out, straight from its file.
func beginning(t *testing.T, path string, out map[string][]int32) (in map[string][]int32, n int) {
	t.Helper()
	rec, err := wfdb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := rec.Samples()
	if err != nil {
		t.Fatal(err)
	}
	in = map[string][]int32{}
	for i, name := range rec.Leads() {
		n = min(len(out[name]), len(samples[i]))
		for _, v := range samples[i][:n] {
			in[name] = append(in[name], v-int32(rec.Signals[i].Baseline))
		}
	}
	return in, n
}

// everyAlarm gives two patients what must alarm.
func everyAlarm(t *testing.T, w *ward) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := w.watch(ctx)
	var ledger e2e.Ledger
	conf := patch.DefaultConfig()
	conf.Scripts = []string{"8s sinus 70; asystole", "sinus 150", "sinus 75"}
	conf.Patients, conf.For = 3, 25*time.Second
	conf.Entries = ledger.Enter
	if err := w.play(ctx, conf); err != nil {
		t.Fatal(err)
	}
	ledger.Settle(t, client, 30*time.Second)
	for _, rule := range []string{"asystole", "hr.high"} {
		if client.Alarm(rule) == nil {
			t.Errorf("no %s was raised", rule)
		}
	}
}
