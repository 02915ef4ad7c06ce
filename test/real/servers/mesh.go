//go:build linux

package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Link is what carries what broker from asks of broker to, and the answers,
// with KafkaOptions.Meshed. A follower asks its leader for what is new, and the
// coordinator of a transaction asks leaders to end it.
func (k *KafkaCluster) Link(from, to int) *Proxy { return k.links[from][to] }

// ControllerLink is what carries what broker i asks of the controller, which
// itself asks nobody.
func (k *KafkaCluster) ControllerLink(i int) *Proxy { return k.links[i][len(k.addrs)] }

// advertised is the address that other nodes are told. In a mesh it is a name
// which each node looks up in a list of its own, so that each dials another proxy.
func (k *KafkaCluster) advertised(opt KafkaOptions, i int, addr string) string {
	if !opt.Meshed {
		return addr
	}
	_, port, _ := net.SplitHostPort(addr)
	return net.JoinHostPort(hostname(i), port)
}

func hostname(i int) string { return fmt.Sprintf("node-%d", i+1) }

// loopback is the address on which proxies stand that carry what node from
// says to node to.
func loopback(from, to int) string { return fmt.Sprintf("127.1.%d.%d", from+1, to+1) }

// mesh starts the proxies between nodes.
func (k *KafkaCluster) mesh(at []endpoints) {
	k.t.Helper()
	if len(at) == len(k.addrs) {
		k.t.Fatal("a mesh of brokers wants the controller apart: set KafkaOptions.Controller")
	}
	for from := range at {
		k.links = append(k.links, make([]*Proxy, len(at)))
		for to := range at {
			dialled := at[to].brokers
			if at[to].clients == "" {
				dialled = at[to].controller
			}
			if from == to || at[from].clients == "" {
				continue
			}
			_, port, _ := net.SplitHostPort(dialled)
			k.links[from][to] = toxiproxyAt(k.t, net.JoinHostPort(loopback(from, to), port), dialled)
		}
	}
}

// hosts writes the names that node i knows.
func (k *KafkaCluster) hosts(dir string, i, nodes int) string {
	k.t.Helper()
	own, err := os.Hostname()
	if err != nil {
		k.t.Fatal(err)
	}
	lines := []string{"127.0.0.1 localhost", "127.0.0.1 " + own}
	for to := range nodes {
		addr := "127.0.0.1"
		if to != i && k.links[i][to] != nil {
			addr = loopback(i, to)
		}
		lines = append(lines, addr+" "+hostname(to))
	}
	path := filepath.Join(dir, fmt.Sprintf("hosts-%d", i))
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		k.t.Fatal(err)
	}
	return path
}
