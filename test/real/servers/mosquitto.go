//go:build linux

package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"heartwire/test/real"
)

// MosquittoOptions change the broker that Mosquitto starts.
type MosquittoOptions struct {
	Inflight int      // messages sent to a client and not acknowledged yet; 0: 1000
	Lines    []string // of mosquitto.conf, after the house's own
}

// MosquittoBroker is a running mosquitto.
type MosquittoBroker struct {
	p    *process
	addr string
}

// Mosquitto starts Debian's mosquitto as topics/DESIGN.md tells a site to set
// it up: it keeps sessions and what it owes them on disk, without a bound.
func Mosquitto(t testing.TB, opt MosquittoOptions) *MosquittoBroker {
	t.Helper()
	bin, err := look("mosquitto")
	real.Need(t, "mosquitto", err)
	dir := t.TempDir()
	addr := FreeAddr(t)
	if opt.Inflight == 0 {
		opt.Inflight = 1000
	}
	conf := fmt.Sprintf("listener %s %s\n", addr[len("127.0.0.1:"):], "127.0.0.1") +
		"allow_anonymous true\n" +
		"user root\n" + // else it gives up root, and cannot write into the test's directory
		"persistence true\n" +
		"persistence_location " + dir + "/\n" +
		"autosave_interval 1\n" +
		"max_queued_messages 0\n" +
		"max_packet_size 1100000\n" +
		fmt.Sprintf("max_inflight_messages %d\n", opt.Inflight) +
		"log_type error\nlog_type warning\nlog_type notice\n"
	for _, l := range opt.Lines {
		conf += l + "\n"
	}
	path := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &MosquittoBroker{p: newProcess(t, dir, "mosquitto", bin, "-c", path), addr: addr}
	printLogs(t, m.p)
	m.Start()
	return m
}

// Addr is the broker's host:port.
func (m *MosquittoBroker) Addr() string { return m.addr }

// URL is the broker's address as MQTT clients write it.
func (m *MosquittoBroker) URL() string { return "tcp://" + m.addr }

// Stop ends the broker by SIGTERM: it saves its sessions first.
func (m *MosquittoBroker) Stop() { m.p.t.Helper(); m.p.end(syscall.SIGTERM, 30*time.Second) }

// Start starts a broker that was stopped.
func (m *MosquittoBroker) Start() {
	m.p.t.Helper()
	m.p.start()
	m.p.await(30*time.Second, dial(m.addr))
}
