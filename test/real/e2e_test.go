//go:build real && linux

package real_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
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
// a cluster of three brokers and an MQTT broker.
type ward struct {
	t         *testing.T
	kafka     *servers.KafkaCluster
	mosquitto *servers.MosquittoBroker
	settings  []string
	gateway   string // host:port
	bridge    *e2e.Process
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{
		t:         t,
		kafka:     servers.Kafka(t, 3, servers.KafkaOptions{}),
		mosquitto: servers.Mosquitto(t, servers.MosquittoOptions{}),
		gateway:   servers.FreeAddr(t),
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // it never fails
	keyFile := filepath.Join(t.TempDir(), "site.key")
	if err := os.WriteFile(keyFile, key[:], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"kafka.brokers=" + strings.Join(w.kafka.Addrs(), ","), "kafka.partitions=4",
		"mqtt.broker=" + w.mosquitto.URL(), "bridge.site_key_file=" + keyFile, "gateway.listen=" + w.gateway,
	} {
		w.settings = append(w.settings, "--set", s)
	}
	w.command("topics", "apply")
	w.start("clock")
	w.start("stage", "registry", "alarms")
	w.start("stage", "rhythm")
	w.start("stage", "beats")
	w.start("sink", "gateway")
	w.bridge = w.start("bridge")
	// Until its session exists the MQTT broker keeps nothing for it.
	w.bridge.Await("receiving from the MQTT broker", time.Minute)
	w.ready(time.Minute)
	return w
}

func (w *ward) start(args ...string) *e2e.Process {
	w.t.Helper()
	return e2e.Start(w.t, append(args, w.settings...)...)
}

// command runs a command that ends by itself.
func (w *ward) command(args ...string) {
	w.t.Helper()
	bin, err := e2e.Build()
	if err != nil {
		w.t.Fatal(err)
	}
	if out, err := exec.Command(bin, append(args, w.settings...)...).CombinedOutput(); err != nil {
		w.t.Fatalf("heartwire %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// ready waits until the gateway has read what it shows.
func (w *ward) ready(d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); ; time.Sleep(200 * time.Millisecond) {
		resp, err := http.Get("http://" + w.gateway + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			w.t.Fatalf("the gateway is not ready after %s: %v", d, err)
		}
	}
}

// play lets patches publish until conf.For is over, and what is left in hand
// has been delivered.
func (w *ward) play(ctx context.Context, conf patch.Config) {
	w.t.Helper()
	conf.Broker, conf.StateDir = w.mosquitto.URL(), w.t.TempDir()
	patches, err := patch.New(conf, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := patches.Run(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// TestPatchToClient plays two recordings from patches through mosquitto, the
// bridge, Kafka, the stages and the gateway to a WebSocket client, while a
// broker dies, the MQTT broker restarts and the bridge is killed. Every sample
// comes once, as it was.
func TestPatchToClient(t *testing.T) {
	records := []string{filepath.Join(real.Data(t), "mitdb", "119"), filepath.Join(real.Data(t), "mitdb", "208")}
	w := newWard(t)
	w.command("bind", "patch-01", "p01", "--unit", "4W", "--bed", "B01")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := e2e.Watch(ctx, t, "ws://"+w.gateway+"/v1/live")
	var ledger e2e.Ledger
	conf := patch.DefaultConfig()
	conf.Records, conf.Patients, conf.For = records, 2, time.Minute
	conf.Behaviour.Duplicate, conf.Behaviour.Reorder = 0.02, 0.02
	conf.Entries = ledger.Enter

	played := make(chan struct{})
	go func() { defer close(played); w.play(ctx, conf) }()
	time.Sleep(15 * time.Second)
	if r := client.Rate("p01"); r < 50 || r > 100 {
		t.Errorf("the heart rate of record 119 is %.0f /min after 15 s, want about 65", r)
	}
	w.kafka.Kill(1)
	time.Sleep(10 * time.Second)
	w.mosquitto.Stop()
	time.Sleep(2 * time.Second)
	w.mosquitto.Start()
	time.Sleep(8 * time.Second)
	w.bridge.Kill()
	w.bridge = w.start("bridge")
	<-played

	samples := ledger.Settle(t, client, 30*time.Second)
	t.Logf("%d samples a lead in, and out", samples)
	for i, path := range records {
		device := patch.DeviceName(i)
		out, err := client.Signal(device)
		if err != nil {
			t.Error(err)
			continue
		}
		in, n := first(t, path, out)
		if n < 50*360 {
			t.Errorf("%s: only %d samples in a minute of 360 Hz", device, n)
		}
		if got, want := e2e.SHA256(out), e2e.SHA256(in); got != want {
			t.Errorf("%s: the SHA-256 of %d samples a lead is %s, and of the recording %s", device, n, got, want)
		}
	}
}

// first is as much of a recording as came out, straight from its file.
func first(t *testing.T, path string, out map[string][]int32) (in map[string][]int32, n int) {
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
	for i, s := range rec.Signals {
		name := rec.Leads()[i]
		n = min(len(out[name]), len(samples[i]))
		for _, v := range samples[i][:n] {
			in[name] = append(in[name], v-int32(s.Baseline))
		}
	}
	return in, n
}

// TestAlarmsReachAClient gives two patients what must alarm, and one what must not.
func TestAlarmsReachAClient(t *testing.T) {
	w := newWard(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := e2e.Watch(ctx, t, "ws://"+w.gateway+"/v1/live")
	var ledger e2e.Ledger
	conf := patch.DefaultConfig()
	conf.Scripts = []string{"8s sinus 70; asystole", "sinus 150", "sinus 75"}
	conf.Patients, conf.For = 3, 25*time.Second
	conf.Entries = ledger.Enter
	w.play(ctx, conf)
	ledger.Settle(t, client, 30*time.Second)
	for _, rule := range []string{"asystole", "hr.high"} {
		if client.Alarm(rule) == nil {
			t.Errorf("no %s was raised", rule)
		}
	}
	if a := client.Alarm("hr.low"); a != nil {
		t.Errorf("%s was raised for nobody's heart", a.Text)
	}
}
