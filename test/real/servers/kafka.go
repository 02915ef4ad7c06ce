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
	Proxied bool

	// Meshed has each broker reach each other one, and the controller, through
	// a Proxy of its own: see KafkaCluster.Link. It wants Controller too.
	Meshed   bool
	Settings map[string]string // server.properties over those of the house
}

// KafkaCluster is a running cluster of Apache Kafka, in KRaft mode. Brokers
// are counted from 0.
type KafkaCluster struct {
	t       testing.TB
	java    java
	addrs   []string
	nodes   []*process // brokers, then the controller if it is apart
	proxies []*Proxy   // by broker, if clients go through them
	links   [][]*Proxy // by the node that dials and the one that is dialled, if they are meshed
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
	k.AwaitPartitions(d, "all copies in sync", func(p kadm.PartitionDetail) bool { return len(p.ISR) == len(p.Replicas) })
}

// Balance gives each partition back to the broker that should lead it: one that
// was away leads nothing when it comes back, and nobody would miss it.
func (k *KafkaCluster) Balance() {
	k.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.addrs...))
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	k.awaitPartitions(adm, time.Minute, "the leaders that should lead", func(p kadm.PartitionDetail) bool { return p.Leader == p.Replicas[0] }, func(ctx context.Context) {
		// One that is not in sync yet is not elected: it is asked for again.
		_, _ = adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
	})
}

// AwaitPartitions waits until ok holds for each partition of each topic, as
// some broker tells it.
func (k *KafkaCluster) AwaitPartitions(d time.Duration, what string, ok func(kadm.PartitionDetail) bool) {
	k.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.addrs...))
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	k.awaitPartitions(kadm.NewClient(cl), d, what, ok, func(context.Context) {})
}

// awaitPartitions is AwaitPartitions that tries something each time before it looks.
func (k *KafkaCluster) awaitPartitions(adm *kadm.Client, d time.Duration, what string, ok func(kadm.PartitionDetail) bool, try func(context.Context)) {
	k.t.Helper()
	for deadline := time.Now().Add(d); ; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		try(ctx)
		there, err := adm.ListTopicsWithInternal(ctx)
		cancel()
		left := 0
		there.EachPartition(func(p kadm.PartitionDetail) {
			if !ok(p) {
				left++
			}
		})
		if err == nil && len(there) > 0 && left == 0 {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("waited %v in vain for %s: %d partitions are not so, %v", d, what, left, err)
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
	k := &KafkaCluster{t: t, java: j}
	dir := t.TempDir()
	roles := slices.Repeat([]string{"broker,controller"}, brokers)
	if opt.Controller {
		roles = append(slices.Repeat([]string{"broker"}, brokers), "controller")
	}
	at := k.listen(roles, brokers)
	var voters []string
	for i, a := range at {
		if a.controller != "" {
			voters = append(voters, fmt.Sprintf("%d@%s", i+1, k.advertised(opt, i, a.controller)))
		}
	}
	if opt.Meshed {
		k.mesh(at)
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
		k.listeners(opt, i, at[i], conf)
		maps.Copy(conf, opt.Settings)
		path := filepath.Join(dir, name+".properties")
		if err := writeProperties(path, conf); err != nil {
			t.Fatal(err)
		}
		argv := slices.Concat(j.argv, []string{"kafka.Kafka", path})
		if opt.Meshed {
			argv = slices.Insert(argv, 1, "-Djdk.net.hosts.file="+k.hosts(dir, i, len(roles)))
		}
		go func() { formatted <- j.format(id, path) }()
		k.nodes = append(k.nodes, newProcess(t, dir, name, argv...))
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

// endpoints are the addresses that a node listens on; empty where it does not.
type endpoints struct{ clients, brokers, controller string }

// listen chooses where each node listens.
func (k *KafkaCluster) listen(roles []string, brokers int) []endpoints {
	k.t.Helper()
	all := make([]endpoints, len(roles))
	for i, role := range roles {
		if i < brokers {
			all[i].clients, all[i].brokers = FreeAddr(k.t), FreeAddr(k.t)
			k.addrs = append(k.addrs, all[i].clients)
		}
		if strings.HasSuffix(role, "controller") {
			all[i].controller = FreeAddr(k.t)
		}
	}
	return all
}

// listeners are the settings of where node i listens, and of what it tells others of that.
func (k *KafkaCluster) listeners(opt KafkaOptions, i int, at endpoints, conf map[string]string) {
	var own, told []string
	if at.clients != "" {
		if opt.Proxied {
			p := Toxiproxy(k.t, at.clients)
			k.proxies = append(k.proxies, p)
			k.addrs[i] = p.Addr()
		}
		conf["inter.broker.listener.name"] = "DIRECT"
		own = append(own, "PLAINTEXT://"+at.clients, "DIRECT://"+at.brokers)
		told = append(told, "PLAINTEXT://"+k.addrs[i], "DIRECT://"+k.advertised(opt, i, at.brokers))
	}
	if at.controller != "" {
		own = append(own, "CONTROLLER://"+at.controller)
		told = append(told, "CONTROLLER://"+k.advertised(opt, i, at.controller))
	}
	conf["listeners"], conf["advertised.listeners"] = strings.Join(own, ","), strings.Join(told, ",")
}

// brokerSettings are those of every test cluster: a production cluster's
// durability, with shorter waits where only patience is tested.
func brokerSettings(brokers int) map[string]string {
	copies, isr := strconv.Itoa(min(brokers, 3)), strconv.Itoa(min(brokers, 2))
	return map[string]string{
		"controller.listener.names":                "CONTROLLER",
		"listener.security.protocol.map":           "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT",
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
		// A follower that is cut off holds up what is acknowledged for 6 to 9 s,
		// not 30 to 45 s: see pipeline/DESIGN.md.
		"replica.lag.time.max.ms": "6000",
		// So does a marker that is on its way to a broker that answers nobody:
		// 10 s, not 30.
		"request.timeout.ms": "10000",
		// By default half of a test broker's heap: it then collects all of it,
		// 150 ms long, where it would a part.
		"log.cleaner.dedupe.buffer.size": "8388608",
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
