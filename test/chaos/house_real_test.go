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

	"github.com/twmb/franz-go/pkg/kadm"
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
// each of them there twice, with eight patients whose hearts give alarms again and
// again, and somebody who asks the registry for this and that all the time.
type house struct {
	t         *testing.T
	bin, path string // of the program and its settings
	conf      kafka.Config
	kafka     *servers.KafkaCluster
	mosquitto *servers.MosquittoBroker
	parts     map[string]*part
	follower  *follower

	quiet []func() // end what plays on the house from outside

	mu    sync.Mutex
	sent  []patch.Entry
	asked []string               // ids of requests that stand in the log
	known map[chaos.Problem]bool // told by an earlier fault
}

// part is a process of the house.
type part struct {
	*servers.Program
	name string // also its instance's
	ops  string // address of its metrics
}

const patients = 8

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
	if err := os.WriteFile(key, siteKey, 0o600); err != nil {
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
	for _, n := range []string{"a", "b"} {
		h.add("clock-"+n, "clock")
		h.add("bridge-"+n, "bridge")
		for _, s := range append([]string{"registry"}, stageNames...) {
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
	for p := range partitions {
		h.command("bind", patch.DeviceName(p), stays(int32(p)), "--unit", "4 West", "--bed", fmt.Sprint("S", p))
	}
	h.play()
	h.ask()
	h.deliverAgain()
	h.caughtUp(time.Minute)
	return h
}

// stays is a patient whose log is in a partition, and whose patch is not taken
// away, so that it is never silent by itself.
func stays(partition int32) string {
	for n := 0; ; n++ {
		if p := fmt.Sprint("p", n); topics.Partition(topics.Key(p), partitions) == partition {
			return p
		}
	}
}

// add makes a part.
func (h *house) add(name string, args ...string) *part {
	h.t.Helper()
	p := &part{name: name, ops: servers.FreeAddr(h.t)}
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

// play lets patches publish until the test ends or the house is hushed.
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
	h.until("patches", patches.Run)
}

// until lets something act on the house from outside until the test ends or
// the house is hushed.
func (h *house) until(what string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("%s: %v", what, err)
		}
	})
	h.quiet = append(h.quiet, end)
	h.t.Cleanup(end)
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
	h.await(time.Minute, "a part to be ready", func() bool { return h.isReady(p) })
}

func (h *house) isReady(p *part) bool {
	resp, err := probe.Get("http://" + p.ops + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
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
// the whole flow, and all that has been asked is answered.
func (h *house) caughtUp(d time.Duration) {
	h.t.Helper()
	var runs []chaos.Run
	for _, e := range h.delivered() {
		runs = append(runs, chaos.Run{Device: e.Device, Boot: e.Boot, First: e.First})
	}
	h.mu.Lock()
	asked := slices.Clone(h.asked)
	h.mu.Unlock()
	end := time.Now().Add(d)
	h.await(d, "delivered frames in the log", func() bool { return h.follower.missing(runs) == 0 })
	h.await(max(time.Second, time.Until(end)), "the registry's answers", func() bool { return h.follower.unanswered(asked) == 0 })
	for i, topic := range flow[1:] {
		ends := h.follower.end(flow[i])
		h.await(max(time.Second, time.Until(end)), "what stages say of it in "+topic, func() bool { return h.follower.past(topic, ends) })
	}
}

// given is what has gone into the log so far.
func (h *house) given() chaos.Given {
	g := chaos.Given{SiteKey: siteKey, Partitions: partitions, Sent: h.delivered()}
	h.mu.Lock()
	defer h.mu.Unlock()
	g.Asked = slices.Clone(h.asked)
	return g
}

// settle settles the ledger over all that stands in the log.
func (h *house) settle() chaos.Tally {
	h.t.Helper()
	given := h.given()
	h.caughtUp(90 * time.Second)
	t := chaos.Settle(given, h.log())
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

// log is all that stands committed in the topics that the ledger looks at.
func (h *house) log() chaos.Log {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		log, err := h.read()
		if err == nil {
			return log
		}
		if time.Now().After(end) {
			h.t.Fatal(err)
		}
	}
}

// kept are the topics that the ledger looks at. What is made of a topic stands
// before it, so that what is read last cannot be behind what was made of it.
var kept = []string{
	topics.Rejects.Name, topics.Settings.Name, topics.Alarms.Name, topics.Charts.Name, topics.Annotations.Name, topics.Frames.Name, topics.Requests.Name,
}

func (h *house) read() (chaos.Log, error) {
	log := chaos.Log{}
	for _, name := range kept {
		log[name] = map[int32][]*kgo.Record{}
		from := map[int32]int64{}
		for _, p := range partitionsOf(name, partitions) {
			from[p] = 0
		}
		err := kafka.ReadRange(context.Background(), h.conf, slog.New(slog.DiscardHandler), h.conf.Site+"."+name, from, nil, func(r *kgo.Record) error {
			log[name][r.Partition] = append(log[name][r.Partition], r)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if name == topics.Settings.Name {
			if err := h.shown(topics.Charts.Name, topics.Frames.Name); err != nil {
				return nil, err
			}
		}
	}
	return log, nil
}

// shown waits until all that stands in some topics now is committed there or
// aborted: a transaction's end reaches one partition after the other.
func (h *house) shown(names ...string) error {
	cl, err := h.conf.NewClient(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	adm := kadm.NewClient(cl)
	for i, name := range names {
		names[i] = h.conf.Site + "." + name
	}
	ends, err := adm.ListEndOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	for behind := true; err == nil && behind; time.Sleep(50 * time.Millisecond) {
		var there kadm.ListedOffsets
		if there, err = adm.ListCommittedOffsets(ctx, names...); err == nil {
			err = there.Error()
		}
		behind = false
		ends.Each(func(o kadm.ListedOffset) {
			if c, ok := there.Lookup(o.Topic, o.Partition); !ok || c.Offset < o.Offset {
				behind = true
			}
		})
	}
	return err
}
