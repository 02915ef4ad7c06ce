//go:build real

package bridge_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"heartwire/pipeline/bridge/mqtt"
	"heartwire/pipeline/pipelinetest"
)

// mosquitto starts Debian's broker as topics/DESIGN.md tells to set it up.
func mosquitto(t testing.TB, dir string, port int) *os.Process {
	t.Helper()
	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\n"+
		"autosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 1000\nmax_packet_size 1100000\nlog_type error\nuser root\n", port, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", conf)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start mosquitto (apt-get install mosquitto): %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return cmd.Process
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("mosquitto did not listen in 5 s")
	return nil
}

func realSite(t testing.TB) *site {
	kconf, _ := pipelinetest.Cluster(t, quick)
	port := freePort(t)
	mosquitto(t, t.TempDir(), port)
	return siteOn(t, kconf, fmt.Sprintf("tcp://127.0.0.1:%d", port))
}

func TestRealBridgeProcessKilled(t *testing.T) {
	s := realSite(t)
	t.Logf("%d frames came twice", s.killed(3, 5000))
}

func TestRealMosquittoRestarted(t *testing.T) {
	kconf, _ := pipelinetest.Cluster(t, quick)
	dir, port := t.TempDir(), freePort(t)
	broker := mosquitto(t, dir, port)
	s := siteOn(t, kconf, fmt.Sprintf("tcp://127.0.0.1:%d", port))
	s.run().ready(t)
	p := s.patch("patch-01")
	for i := range 100 {
		p.frame(frame("patch-01", 1, i))
	}
	if err := broker.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	broker.Wait()
	mosquitto(t, dir, port)
	p = s.patch("patch-01-again")
	for i := 100; i < 200; i++ {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 200)
}

// Two active bridges on one session would throw each other out for ever; a
// standby does not connect at all.
func TestRealStandbyDoesNotDisturb(t *testing.T) {
	s := realSite(t)
	first := s.run().ready(t)
	source, err := mqtt.New(s.mqtt, s.kafka.Site, s.log)
	if err != nil {
		t.Fatal(err)
	}
	s.runSource(source)
	waitMembers(s, 2)
	p := s.patch("patch-01")
	for i := range 100 {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 100)
	select {
	case <-source.Subscribed():
		t.Fatal("the standby connected")
	default:
	}
	first.stop()
	<-source.Subscribed()
	for i := 100; i < 200; i++ {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 200)
}
