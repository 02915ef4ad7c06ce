//go:build linux

package servers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"heartwire/test/real"
)

// KafkaOptions change the cluster that Kafka starts.
type KafkaOptions struct {
	// Controller gives the cluster's metadata a process of its own. Without
	// it the brokers keep it together, and a cluster of three that loses its
	// second broker loses the quorum too.
	Controller bool

	// Proxied has clients reach each broker through a Proxy of its own, for
	// the names that brokers tell of each other, too. Brokers do not.
	Proxied  bool
	Settings map[string]string // server.properties over those of the house
}

// KafkaCluster is a running cluster of Apache Kafka, in KRaft mode. Brokers
// are counted from 0.
type KafkaCluster struct {
	t       testing.TB
	addrs   []string
	nodes   []*process // brokers, then the controller if it is apart
	proxies []*Proxy   // by broker, if clients go through them
}

// startTime is how long a cluster may take to start. It takes 4 to 10 s on two
// free cores; a machine that builds meanwhile is slower.
const startTime = 2 * time.Minute

// Kafka starts a cluster of Apache Kafka and waits until every broker is in
// it. Each topic may have as many copies as there are brokers.
func Kafka(t testing.TB, brokers int, opt KafkaOptions) *KafkaCluster {
	t.Helper()
	real.Need(t, "kafka", nil)
	j, err := findJava()
	real.Need(t, "kafka", err)
	j.argv = slices.Insert(j.argv, 1, j.archive(t)...)
	k := newCluster(t, j, brokers, opt)
	began := time.Now()
	k.up()
	t.Logf("Apache Kafka with %d brokers is up after %.1f s", brokers, time.Since(began).Seconds())
	return k
}

// Addrs are the addresses to begin with, one a broker.
func (k *KafkaCluster) Addrs() []string { return slices.Clone(k.addrs) }

// Kill ends a broker by SIGKILL: what it had not written is gone.
func (k *KafkaCluster) Kill(i int) { k.t.Helper(); k.nodes[i].end(syscall.SIGKILL, 10*time.Second) }

// Stop ends a broker by SIGTERM: it hands over its partitions first.
func (k *KafkaCluster) Stop(i int) { k.t.Helper(); k.nodes[i].end(syscall.SIGTERM, time.Minute) }

// Start starts a broker that was killed or stopped, and waits until it is in
// the cluster again.
func (k *KafkaCluster) Start(i int) {
	k.t.Helper()
	k.nodes[i].start()
	k.await(i, 1)
}

// Pause stops a broker's process where it is, as a machine that stalls.
func (k *KafkaCluster) Pause(i int) { k.nodes[i].signal(syscall.SIGSTOP) }

// Resume lets a paused broker go on.
func (k *KafkaCluster) Resume(i int) { k.nodes[i].signal(syscall.SIGCONT) }

// Proxy is what stands between broker i and its clients, with KafkaOptions.Proxied.
func (k *KafkaCluster) Proxy(i int) *Proxy { return k.proxies[i] }

// AwaitInSync waits until each copy of each partition is in sync, so that
// another broker can be lost.
func (k *KafkaCluster) AwaitInSync(d time.Duration) {
	k.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.addrs...))
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for deadline := time.Now().Add(d); ; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		there, err := adm.ListTopicsWithInternal(ctx)
		cancel()
		behind := 0
		there.EachPartition(func(p kadm.PartitionDetail) {
			if len(p.ISR) < len(p.Replicas) {
				behind++
			}
		})
		if err == nil && len(there) > 0 && behind == 0 {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("%d partitions are not in sync after %v, %v", behind, d, err)
		}
	}
}

// Leader is the broker that leads the cluster's metadata, where no controller is apart.
func (k *KafkaCluster) Leader() int {
	k.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.addrs...))
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{{
		Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}},
	}}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		k.t.Fatalf("who leads the cluster's metadata: %v, %v", resp, err)
	}
	return int(resp.Topics[0].Partitions[0].LeaderID) - 1
}

// newCluster makes a cluster's files; nothing runs yet.
func newCluster(t testing.TB, j java, brokers int, opt KafkaOptions) *KafkaCluster {
	t.Helper()
	k := &KafkaCluster{t: t}
	dir := t.TempDir()
	roles := slices.Repeat([]string{"broker,controller"}, brokers)
	if opt.Controller {
		roles = append(slices.Repeat([]string{"broker"}, brokers), "controller")
	}
	var voters []string
	listen := make([]string, len(roles)) // of the metadata
	for i, role := range roles {
		if strings.HasPrefix(role, "broker") {
			k.addrs = append(k.addrs, FreeAddr(t))
		}
		if strings.HasSuffix(role, "controller") {
			listen[i] = FreeAddr(t)
			voters = append(voters, fmt.Sprintf("%d@%s", i+1, listen[i]))
		}
	}
	id := clusterID()
	formatted := make(chan error)
	for i, role := range roles {
		name := "kafka-" + strconv.Itoa(i)
		conf := brokerSettings(brokers)
		conf["process.roles"] = role
		conf["node.id"] = strconv.Itoa(i + 1)
		conf["log.dirs"] = filepath.Join(dir, name)
		conf["controller.quorum.voters"] = strings.Join(voters, ",")
		var listeners []string
		if i < brokers {
			listeners = append(listeners, "PLAINTEXT://"+k.addrs[i])
		}
		if i < brokers && opt.Proxied {
			listeners = append(listeners, k.proxy(i, conf))
		}
		if listen[i] != "" {
			listeners = append(listeners, "CONTROLLER://"+listen[i])
		}
		conf["listeners"] = strings.Join(listeners, ",")
		maps.Copy(conf, opt.Settings)
		path := filepath.Join(dir, name+".properties")
		if err := writeProperties(path, conf); err != nil {
			t.Fatal(err)
		}
		go func() { formatted <- j.format(id, path) }()
		k.nodes = append(k.nodes, newProcess(t, dir, name, slices.Concat(j.argv, []string{"kafka.Kafka", path})...))
	}
	printLogs(t, k.nodes...)
	var errs []error
	for range roles {
		errs = append(errs, <-formatted)
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return k
}

// proxy puts a proxy between a broker and its clients, and gives the listener
// by which brokers reach each other without one.
func (k *KafkaCluster) proxy(i int, conf map[string]string) string {
	k.t.Helper()
	p := Toxiproxy(k.t, k.addrs[i])
	direct := "DIRECT://" + FreeAddr(k.t)
	conf["listener.security.protocol.map"] += ",DIRECT:PLAINTEXT"
	conf["inter.broker.listener.name"] = "DIRECT"
	conf["advertised.listeners"] = "PLAINTEXT://" + p.Addr() + "," + direct
	k.addrs[i] = p.Addr()
	k.proxies = append(k.proxies, p)
	return direct
}

// brokerSettings are those of every test cluster: a production cluster's
// durability, with shorter waits where only patience is tested.
func brokerSettings(brokers int) map[string]string {
	copies, isr := strconv.Itoa(min(brokers, 3)), strconv.Itoa(min(brokers, 2))
	return map[string]string{
		"controller.listener.names":                "CONTROLLER",
		"listener.security.protocol.map":           "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"offsets.topic.replication.factor":         copies,
		"offsets.topic.num.partitions":             "6",
		"transaction.state.log.replication.factor": copies,
		"transaction.state.log.min.isr":            isr,
		"transaction.state.log.num.partitions":     "6",
		"min.insync.replicas":                      isr,
		"auto.create.topics.enable":                "false",
		"group.initial.rebalance.delay.ms":         "0",
		// A dead broker's partitions have a new leader after 3 s, not 9 s.
		"broker.session.timeout.ms":    "3000",
		"broker.heartbeat.interval.ms": "500",
		// What the brokers of a site should have too: see pipeline/DESIGN.md.
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
	}
}

func writeProperties(path string, conf map[string]string) error {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(conf)) {
		fmt.Fprintf(&b, "%s=%s\n", k, conf[k])
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func clusterID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// format prepares a node's empty directory. A cluster's name may begin with a dash, so it stands in one word with its flag.
func (j java) format(cluster, properties string) error {
	args := append(slices.Clone(j.argv[1:]), "kafka.tools.StorageTool", "format", "--cluster-id="+cluster, "--config="+properties)
	if out, err := exec.Command(j.argv[0], args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format a directory for Kafka: %w\n%s", err, out)
	}
	return nil
}

// up starts all nodes and waits until each broker sees every other.
func (k *KafkaCluster) up() {
	k.t.Helper()
	for _, n := range k.nodes {
		n.start()
	}
	for i := range k.addrs {
		k.await(i, len(k.addrs))
	}
}

// await waits until broker i answers, is in the cluster and sees at least so
// many brokers there.
func (k *KafkaCluster) await(i, brokers int) {
	k.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.addrs[i]))
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	k.nodes[i].await(startTime, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		there, err := kadm.NewClient(cl).ListBrokers(ctx)
		if err != nil {
			return err
		}
		if ids := there.NodeIDs(); len(ids) < brokers || !slices.Contains(ids, int32(i+1)) {
			return fmt.Errorf("broker %d sees the brokers %v, not %d with itself", i+1, ids, brokers)
		}
		return nil
	})
}
