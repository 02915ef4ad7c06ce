//go:build real

package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"heartwire/sinks/watch"
	"heartwire/test/e2e"
	"heartwire/test/real"
	"heartwire/test/real/servers"
)

// TestWatch runs each part as a process of its own on Apache Kafka, and ends the
// only alarms stage by SIGKILL: the watcher says so within 15 s, and that it is over
// when another has taken its place. Its synthetic patient's alarm comes out.
func TestWatch(t *testing.T) {
	if !real.Full(t, "the watcher beside parts that are killed, which takes minutes") {
		return
	}
	dir := t.TempDir()
	cluster := servers.Kafka(t, 1, servers.KafkaOptions{})
	mosquitto := servers.Mosquitto(t, servers.MosquittoOptions{})
	watcher, alarmsOps := servers.FreeAddr(t), servers.FreeAddr(t)
	w := &ward{t: t, kafka: cluster, mosquitto: mosquitto, conf: filepath.Join(dir, "heartwire.yaml")}
	key := filepath.Join(dir, "site.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\n  partitions: 6\n  replication: 1\n  min_isr: 1\nmqtt:\n  broker: %s\nbridge:\n  site_key_file: %s\n"+
		"simulate:\n  broker: %[2]s\nwatch:\n  listen: %[4]s\n  nodes: [http://%[5]s/readyz]\n",
		strings.Join(cluster.Addrs(), ", "), mosquitto.URL(), key, watcher, alarmsOps)
	if err := os.WriteFile(w.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("topics", "apply")
	bridge := w.part("bridge")
	for _, args := range [][]string{{"clock"}, {"stage", "registry"}, {"stage", "beats", "rhythm"}} {
		w.part(args...)
	}
	decide := func() *e2e.Process {
		return w.part("stage", "alarms", "--set", "ops.listen="+alarmsOps, "--set", "pipeline.instance=alarms-1")
	}
	alarms := decide()
	bridge.Await("receiving from the MQTT broker", time.Minute)
	w.run("bind", "patch-01", "p1", "--unit", "4 West", "--bed", "B01")
	w.part("watch", "--synthetic")
	ask := func(what string, d time.Duration, is func(watch.State) bool) time.Time {
		t.Helper()
		var s watch.State
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			resp, err := http.Get("http://" + watcher + "/v1/watch")
			if err != nil {
				continue // it begins
			}
			s = watch.State{}
			err = json.NewDecoder(resp.Body).Decode(&s)
			if resp.Body.Close(); err != nil || s.Monitored != (resp.StatusCode == http.StatusOK) {
				t.Fatalf("it answers %d: %+v, %v", resp.StatusCode, s, err)
			}
			if is(s) {
				return time.Now()
			}
		}
		t.Fatalf("waited %s in vain for %s: %+v", d, what, s)
		return time.Time{}
	}
	ask("a house that is watched", time.Minute, func(s watch.State) bool { return s.Monitored && s.Patients == 1 })

	alarms.Kill()
	killed := time.Now()
	said := ask("that it says so", 20*time.Second, func(s watch.State) bool { return scopes(s)["site"] && scopes(s)["node"] })
	if took := said.Sub(killed); took > 15*time.Second {
		t.Errorf("said %s after the process was killed", took)
	} else {
		t.Logf("said %s after the process was killed", took)
	}
	decide()
	again := time.Now()
	t.Logf("said to be over %s after the process was started again",
		ask("that all is well again", 40*time.Second, func(s watch.State) bool { return s.Monitored && s.Unwritten == 0 }).Sub(again))
	pages := w.part("tail", "pages", "--since", "all")
	for _, want := range []string{"scope=SITE since_us", "scope=NODE node=", "scope=SITE resumed=true", "reason=no-decision", "reason=node"} {
		pages.Await(want, 20*time.Second)
	}
	for end := time.Now().Add(70 * time.Second); ; time.Sleep(time.Second) {
		count, sum := sample(t, watcher, "heartwire_watch_synthetic_seconds_count"), sample(t, watcher, "heartwire_watch_synthetic_seconds_sum")
		if count >= 1 {
			t.Logf("the synthetic patient's alarm came %.2f s after its last beat", sum/count)
			break
		}
		if time.Now().After(end) {
			t.Fatal("the synthetic patient's alarm did not come")
		}
	}
}

// scopes is what is stopped.
func scopes(s watch.State) map[string]bool {
	m := map[string]bool{}
	for _, stop := range s.Stopped {
		m[stop.Scope] = true
	}
	return m
}

// sample is the value of a metric without labels.
func sample(t *testing.T, addr, name string) float64 {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
