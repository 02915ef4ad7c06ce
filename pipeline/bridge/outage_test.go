package bridge_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"heartwire/pipeline/local"
	"heartwire/pipeline/pipelinetest"
)

// While Kafka is away nothing is acknowledged; when it is back nothing is missing.
func TestKafkaAwayAndBack(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	opts := []kfake.Opt{quick, kfake.Ports(port), kfake.DataDir(dir)}
	kconf, cluster := pipelinetest.Cluster(t, opts...)
	broker, err := local.StartMQTT(t.TempDir(), "127.0.0.1:0", quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	s := siteOn(t, kconf, "tcp://"+broker.Addr())
	b := s.run().ready(t)
	p := s.patch("patch-01")
	send := func(from, to int) {
		for i := from; i < to; i++ {
			p.frame(frame("patch-01", 1, i))
		}
	}
	send(0, 50)
	everyFrame(s, "patch-01", 50)
	cluster.Close()
	send(50, 150)
	time.Sleep(time.Second)
	send(150, 200)
	pipelinetest.Cluster(t, opts...)
	send(200, 250)
	everyFrame(s, "patch-01", 250)
	b.stop()
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return n
}

// The MQTT broker is restarted under the bridge and the patch.
func TestMQTTBrokerAwayAndBack(t *testing.T) {
	kconf, _ := pipelinetest.Cluster(t, quick)
	dir := t.TempDir()
	broker, err := local.StartMQTT(dir, "127.0.0.1:0", quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	addr := broker.Addr()
	s := siteOn(t, kconf, "tcp://"+addr)
	s.run().ready(t)
	p := s.patch("patch-01")
	for i := range 20 {
		p.frame(frame("patch-01", 1, i))
	}
	broker.Close()
	time.Sleep(300 * time.Millisecond)
	broker, err = local.StartMQTT(dir, addr, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	p = s.patch("patch-01-again")
	for i := 20; i < 40; i++ {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 40)
}
