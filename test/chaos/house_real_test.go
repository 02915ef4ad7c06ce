//go:build real

package chaos_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/kafka"
	"heartwire/test/chaos"
	"heartwire/test/real"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// build makes the binary with the moments at which it may be killed.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "heartwire")
	cmd := exec.Command("go", "build", "-tags", "failpoint", "-o", bin, "./cmd/heartwire")
	cmd.Dir = real.Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// house is Heartwire as a hospital runs it, each part a process of its own and
// each stage and the bridge twice, with eight patients whose hearts give
// alarms again and again.
type house struct {
	t         *testing.T
	bin, path string // of the program and its settings
	conf      kafka.Config
	kafka     *servers.KafkaCluster
	mosquitto *servers.MosquittoBroker
	parts     map[string]*part
	follower  *follower

	mu    sync.Mutex
	sent  []patch.Entry
	known map[chaos.Problem]bool // told by an earlier fault
}

// part is a process of the house.
type part struct {
	*servers.Program
	ops string // address of its metrics
}

const (
	partitions = 4
	patients   = 8
)

var stageNames = []string{"beats", "rhythm", "alarms"}

// scripts let alarms begin and end all the time.
var scripts = []string{
	"15s sinus 70; 7s asystole; 20s sinus 66; loop",
	"20s sinus 80..160; 15s sinus 160..80; loop",
	"sinus 72",
	"12s sinus 60; 12s sinus 34; loop",
	"25s af 90; 6s asystole; loop",
}

func open(t *testing.T, bin string, k *servers.KafkaCluster) *house {
	t.Helper()
	h := &house{t: t, bin: bin, kafka: k, mosquitto: servers.Mosquitto(t, servers.MosquittoOptions{}), parts: map[string]*part{}, known: map[chaos.Problem]bool{}}
	h.conf = kafka.DefaultConfig()
	h.conf.Brokers, h.conf.Partitions = k.Addrs(), partitions
	dir := t.TempDir()
	key := filepath.Join(dir, "site.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	h.path = filepath.Join(dir, "heartwire.yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\n  partitions: %d\nmqtt:\n  broker: %s\nbridge:\n  site_key_file: %s\n",
		strings.Join(h.conf.Brokers, ", "), partitions, h.mosquitto.URL(), key)
	if err := os.WriteFile(h.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.command("topics", "apply")
	h.follower = follow(t, h.conf)
	h.add("clock", "clock")
	h.add("registry", "stage", "registry")
	for _, n := range []string{"a", "b"} {
		h.add("bridge-"+n, "bridge")
		for _, s := range stageNames {
			h.add(s+"-"+n, "stage", s)
		}
	}
	for _, p := range h.parts {
		p.Start()
	}
	for _, p := range h.parts {
		h.ready(p)
	}
	h.await(time.Minute, "a bridge that receives", func() bool {
		a := h.active()
		return a != "" && strings.Contains(h.parts[a].Log(), "receiving from the MQTT broker")
	})
	h.command("bind", patch.DeviceName(0), "p1", "--unit", "4 West", "--bed", "B01")
	h.command("bind", patch.DeviceName(1), "p2", "--unit", "4 West", "--bed", "B02")
	h.play()
	h.deliverAgain()
	h.caughtUp(time.Minute)
	return h
}

// add makes a part; its name is its instance's name.
func (h *house) add(name string, args ...string) *part {
	h.t.Helper()
	p := &part{ops: servers.FreeAddr(h.t)}
	argv := append([]string{h.bin}, args...)
	p.Program = servers.NewProgram(h.t, name, append(argv, "--config", h.path, "--set", "ops.listen="+p.ops, "--set", "pipeline.instance="+name)...)
	h.parts[name] = p
	return p
}

// command runs a command that ends by itself.
func (h *house) command(args ...string) {
	h.t.Helper()
	out, err := exec.Command(h.bin, append(args, "--config", h.path)...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("heartwire %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// play lets patches publish until the test ends or h.ended is called.
func (h *house) play() {
	conf := patch.DefaultConfig()
	conf.Broker, conf.StateDir = h.mosquitto.URL(), h.t.TempDir()
	conf.Patients, conf.Scripts = patients, scripts
	conf.Behaviour.Duplicate, conf.Behaviour.Reorder, conf.Behaviour.Missing = 0.02, 0.02, 0.0005
	conf.Entries = func(e patch.Entry) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sent = append(h.sent, e)
	}
	patches, err := patch.New(conf, slog.New(slog.DiscardHandler))
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- patches.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("patches: %v", err)
		}
	})
}

// delivered are the frames that patches have been told are safe so far.
func (h *house) delivered() []patch.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.sent), func(e patch.Entry) bool { return e.Fate != patch.Delivered })
}

// deliverAgain waits until each patch has delivered what it measured from now on.
func (h *house) deliverAgain() {
	h.t.Helper()
	now := time.Now()
	h.await(time.Minute, "each patch to deliver again", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		again := map[string]bool{}
		for _, e := range slices.Backward(h.sent) {
			if e.Done.Before(now) {
				break // their fates are told in order
			}
			if e.Fate == patch.Delivered && e.Due.After(now) {
				again[e.Device] = true
			}
		}
		return len(again) == patients
	})
}

// await waits for a condition.
func (h *house) await(d time.Duration, what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited %s in vain for %s", d, what)
		}
	}
}

// ready waits until a part has caught up.
func (h *house) ready(p *part) {
	h.t.Helper()
	h.await(time.Minute, "a part to be ready", func() bool {
		resp, err := probe.Get("http://" + p.ops + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

var probe = http.Client{Timeout: 2 * time.Second}

// metric is the sum of a metric over its labels; false when the part does not answer.
func (p *part) metric(name string) (sum float64, ok bool) {
	resp, err := probe.Get("http://" + p.ops + "/metrics")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		if rest, found := strings.CutPrefix(s.Text(), name); found && (rest[0] == ' ' || rest[0] == '{') {
			v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
			if err != nil {
				return 0, false
			}
			sum += v
		}
	}
	return sum, true
}

// active is the name of the bridge that works, empty while none does.
func (h *house) active() string {
	for _, n := range []string{"bridge-a", "bridge-b"} {
		if v, ok := h.parts[n].metric("heartwire_bridge_active"); ok && v == 1 {
			return n
		}
	}
	return ""
}

// other is the name of the other one of two.
func other(name string) string {
	if base, ok := strings.CutSuffix(name, "-a"); ok {
		return base + "-b"
	}
	return strings.TrimSuffix(name, "-b") + "-a"
}

// caughtUp waits until all that has been delivered until now has gone through
// the whole flow.
func (h *house) caughtUp(d time.Duration) {
	h.t.Helper()
	var runs []chaos.Run
	for _, e := range h.delivered() {
		runs = append(runs, chaos.Run{Device: e.Device, Boot: e.Boot, First: e.First})
	}
	end := time.Now().Add(d)
	h.await(d, "delivered frames in the log", func() bool { return h.follower.missing(runs) == 0 })
	for i, topic := range flow[1:] {
		ends := h.follower.end(flow[i])
		h.await(max(time.Second, time.Until(end)), "what stages say of it in "+topic, func() bool { return h.follower.past(topic, ends) })
	}
}

// settle settles the ledger over all that stands in the log.
func (h *house) settle() chaos.Tally {
	h.t.Helper()
	sent := h.delivered()
	h.caughtUp(90 * time.Second)
	var log chaos.Log
	// What is read last cannot be behind what was made of it.
	for end := time.Now().Add(time.Minute); ; {
		var err error
		if log, err = h.read(append(slices.Clone(flow), topics.Rejects.Name)); err == nil {
			break
		}
		if time.Now().After(end) {
			h.t.Fatal(err)
		}
	}
	t := chaos.Settle(sent, log)
	for p, records := range log[topics.Rejects.Name] {
		for _, r := range records {
			t.Problems = append(t.Problems, chaos.Problem{What: chaos.Condemned, Where: topics.Rejects.Name, Place: fmt.Sprintf("%d/%d", p, r.Offset)})
		}
	}
	for name, p := range h.parts {
		if n, ok := p.metric("heartwire_pipeline_refold_differences_total"); ok && n > 0 {
			t.Problems = append(t.Problems, chaos.Problem{What: chaos.Changed, Where: "a refold of " + name, Place: fmt.Sprint(n)})
		}
	}
	t.Problems = slices.DeleteFunc(t.Problems, func(p chaos.Problem) bool { return h.known[p] })
	for _, p := range t.Problems {
		h.known[p] = true
	}
	return t
}

// read reads all that is committed in some topics, those that are made of others first.
func (h *house) read(names []string) (chaos.Log, error) {
	log := chaos.Log{}
	slices.Reverse(names)
	for _, name := range names {
		log[name] = map[int32][]*kgo.Record{}
		from := map[int32]int64{}
		for p := range h.conf.Partitions {
			from[p] = 0
		}
		err := kafka.ReadRange(context.Background(), h.conf, slog.New(slog.DiscardHandler), h.conf.Site+"."+name, from, nil, func(r *kgo.Record) error {
			log[name][r.Partition] = append(log[name][r.Partition], r)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return log, nil
}
