package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"heartwire/topics"
)

// readersOf names, in the environment, the address to read from: the clients
// of BenchmarkFanOut live in a process of their own, so that the figures are
// the gateway's alone.
const readersOf = "HEARTWIRE_BENCH_READERS_OF"

const benchClients = 1000

func TestMain(m *testing.M) {
	if addr := os.Getenv(readersOf); addr != "" {
		readAll(addr)
		return
	}
	os.Exit(m.Run())
}

// readAll connects, subscribes and reads until its input ends.
func readAll(addr string) {
	var wg sync.WaitGroup
	for range benchClients {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(conn, "GET /v1/live HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", addr, protocolProto)
			br := bufio.NewReaderSize(conn, 4096)
			if resp, err := http.ReadResponse(br, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				panic(fmt.Sprint(resp, err))
			}
			conn.Write([]byte{0x82, 0x84, 0, 0, 0, 0, 0x12, 2, 0x10, 1}) // subscribe to all
			go io.Copy(io.Discard, br)
		})
	}
	wg.Wait()
	fmt.Println("reading")
	io.Copy(io.Discard, os.Stdin)
}

// BenchmarkFanOut is the cost of one message to one of 1,000 clients that
// want all: a frame of 2 leads, 250 Hz, 200 ms. An operation is a frame
// delivered and written to all of them. Paced, it is what a ward costs; at 1
// ms, the frames, beats and seconds of a hundred patients.
func BenchmarkFanOut(b *testing.B) {
	for _, pace := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
		name := "as fast as it goes"
		if pace > 0 {
			name = fmt.Sprint("one each ", pace)
		}
		b.Run(name, func(b *testing.B) { fanOut(b, pace) })
	}
}

func fanOut(b *testing.B, pace time.Duration) {
	r := start(b, func(c *Config) { c.DeadAfter, c.PingInterval = time.Minute, 25*time.Second })
	alone := memory()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), readersOf+"="+r.ln.Addr().String())
	in, _ := child.StdinPipe()
	out, _ := child.StdoutPipe()
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); child.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); !strings.HasPrefix(line, "reading") {
		b.Fatal("the readers did not come")
	}
	give(b, r.Frames(), topics.Frames, frame("p1", 0))
	drained := func() bool {
		for _, c := range r.ward.list() {
			c.mu.Lock()
			left := c.queue.live + len(c.pending)
			idle := c.sleep == asleep
			c.mu.Unlock()
			if left > 0 || !idle {
				return false
			}
		}
		return true
	}
	for !drained() {
		time.Sleep(10 * time.Millisecond)
	}
	each := float64(memory()-alone) / benchClients / 1024
	before := usage()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		give(b, r.Frames(), topics.Frames, frame("p1", i+1))
		if pace > 0 {
			time.Sleep(pace)
		} else if i%512 == 511 { // not faster than they read
			for !drained() {
				time.Sleep(time.Millisecond)
			}
		}
	}
	for !drained() {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	lost := 0
	for _, c := range r.ward.list() {
		lost += len(c.queue.lost)
	}
	if n := len(r.ward.list()); n != benchClients || lost > 0 {
		b.Errorf("%d clients are left, %d lost something", n, lost)
	}
	spent := usage() - before
	messages := float64(b.N) * benchClients
	b.ReportMetric(float64(spent.Microseconds())/messages, "µs-CPU/message")
	b.ReportMetric(each, "KiB/client")
	b.ReportMetric(messages/b.Elapsed().Seconds(), "messages/s")
}

// usage is the CPU time of this process.
func usage() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is what this process has in use, in bytes.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
