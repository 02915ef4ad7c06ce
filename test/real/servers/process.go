//go:build linux

package servers

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one server, which can be killed and started again.
type process struct {
	t    testing.TB
	name string
	path string // its log
	argv []string
	env  []string // beside the test's own, as name=value

	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

// newProcess is a server that is not running yet. It is killed when the test ends.
func newProcess(t testing.TB, dir, name string, argv ...string) *process {
	p := &process{t: t, name: name, path: filepath.Join(dir, name+".log"), argv: argv}
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		p.wait(10 * time.Second)
	})
	return p
}

// printLogs prints the ends of the servers' logs when the test has failed,
// before any of them is killed.
func printLogs(t testing.TB, servers ...*process) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, p := range servers {
			t.Logf("the end of the log of %s:\n%s", p.name, p.tail(4<<10))
		}
	})
}

// start runs the server; its log goes on where it was.
func (p *process) start() {
	p.t.Helper()
	if p.running() {
		p.t.Fatalf("%s is running already", p.name)
	}
	log, err := os.OpenFile(p.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), p.env...)
	// A test that is killed takes its servers along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(done)
	}()
	p.cmd, p.done = cmd, done
}

func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends sig to a running server; a paused one is woken by SIGKILL alone.
func (p *process) signal(sig syscall.Signal) {
	if p.running() {
		_ = p.cmd.Process.Signal(sig) // it may have ended meanwhile
	}
}

// wait reports whether the server has ended within d.
func (p *process) wait(d time.Duration) bool {
	if p.cmd == nil {
		return true
	}
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// end sends sig and waits for the end of the server, at most d.
func (p *process) end(sig syscall.Signal, d time.Duration) {
	p.t.Helper()
	p.signal(sig)
	if !p.wait(d) {
		p.t.Fatalf("%s has not ended %v after %v", p.name, d, sig)
	}
}

// await calls ready until it succeeds, at most d; a server that ends meanwhile fails the test.
func (p *process) await(d time.Duration, ready func() error) {
	p.t.Helper()
	for deadline := time.Now().Add(d); ; {
		err := ready()
		if err == nil {
			return
		}
		if !p.running() {
			p.t.Fatalf("%s ended while it was starting", p.name)
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s is not ready after %v: %v", p.name, d, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *process) tail(n int) []byte {
	b, err := os.ReadFile(p.path)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-n):])
}

var ports = struct {
	sync.Mutex
	taken map[int]bool
}{taken: map[int]bool{}}

// FreeAddr is an address of the loopback that nobody listens on. It lies
// below the range from which the kernel takes the ports of outgoing
// connections, so that a server that was killed finds it free again.
func FreeAddr(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 100 {
		port := 15000 + rand.IntN(15000)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", addr)
		if err != nil || ports.taken[port] {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		ports.taken[port] = true
		return addr
	}
	t.Fatal("no free port between 15000 and 30000 in 100 tries")
	return ""
}

// dial is a ready function: something accepts connections.
func dial(addr string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// look finds a program by the first of its names that is there, on PATH or
// where Debian puts what only root is meant to start.
func look(names ...string) (string, error) {
	for _, n := range names {
		for _, n := range []string{n, "/usr/sbin/" + n} {
			if p, err := exec.LookPath(n); err == nil {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("no %s on PATH", names[0])
}
