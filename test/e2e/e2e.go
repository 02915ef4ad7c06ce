// Package e2e has what end-to-end tests need: the binary as its user has it,
// patches, and a WebSocket client that accounts for every sample.
package e2e

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/bridge/patch"
	"heartwire/sinks/gateway"
	"heartwire/topics"
)

// Build makes the binary, once a test process.
var Build = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	root := strings.TrimSpace(string(out))
	bin := filepath.Join(root, "heartwire")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/heartwire")
	cmd.Dir = root
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, msg)
	}
	return bin, nil
})

// Process is a running heartwire.
type Process struct {
	t   testing.TB
	cmd *exec.Cmd

	mu   sync.Mutex
	text strings.Builder
	done chan struct{}
}

// Start runs the binary. It is ended with the test, and its output is shown if that fails.
func Start(t testing.TB, args ...string) *Process {
	t.Helper()
	bin, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(out)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("heartwire %s said:\n%s", strings.Join(args, " "), p.Output())
		}
	})
	return p
}

func (p *Process) read(out io.Reader) {
	defer close(p.done)
	for s := bufio.NewScanner(out); s.Scan(); {
		p.mu.Lock()
		p.text.WriteString(s.Text() + "\n")
		p.mu.Unlock()
	}
	_ = p.cmd.Wait()
}

// Output is what it has printed.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// Await waits until it has printed something that matches, and gives the submatch.
func (p *Process) Await(pattern string, d time.Duration) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if m := re.FindStringSubmatch(p.Output()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-p.done:
			p.t.Fatalf("it ended before it said %q", pattern)
		default:
		}
	}
	p.t.Fatalf("it did not say %q in %s", pattern, d)
	return ""
}

// Kill ends it at once.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// End asks it to end, as Ctrl-C does, and gives how long that took.
func (p *Process) End() time.Duration {
	p.t.Helper()
	began := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Fatal("it did not end in 20 s")
	}
	return time.Since(began)
}

// Run runs the binary to its end, and gives what it printed. A failure fails the test.
func Run(t testing.TB, args ...string) string {
	t.Helper()
	bin, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("heartwire %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// AwaitReady waits until an address answers 200.
func AwaitReady(t testing.TB, url string, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("%s is not ready after %s", url, d)
}

// Client is what a WebSocket client has received.
type Client struct {
	mu      sync.Mutex
	runs    map[string]*topics.Samples // by device, boot and first sample
	doubled []string
	alarms  map[string]*topics.AlarmState // newest, by rule
	rates   map[string]float64            // newest, by patient
	dropped uint32
	err     error
}

// Watch connects to a gateway and takes everything until ctx ends.
func Watch(ctx context.Context, t testing.TB, url string) *Client {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"heartwire.v1.proto"}, HandshakeTimeout: 5 * time.Second}
	conn, _, err := dialer.DialContext(ctx, url, nil)
	if err != nil {
		t.Fatalf("connect to the gateway: %v", err)
	}
	b, err := proto.Marshal(&gateway.ClientMessage{Id: 1, Kind: &gateway.ClientMessage_Subscribe{Subscribe: &gateway.Subscribe{All: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.BinaryMessage, b); err != nil {
		t.Fatal(err)
	}
	c := &Client{runs: map[string]*topics.Samples{}, alarms: map[string]*topics.AlarmState{}, rates: map[string]float64{}}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	go c.read(ctx, conn)
	return c
}

func (c *Client) read(ctx context.Context, conn *websocket.Conn) {
	for {
		_, b, err := conn.ReadMessage()
		c.mu.Lock()
		if err != nil {
			if ctx.Err() == nil {
				c.err = err
			}
			c.mu.Unlock()
			return
		}
		var m gateway.ServerMessage
		if err := proto.Unmarshal(b, &m); err != nil {
			c.err = err
		}
		c.take(&m)
		c.mu.Unlock()
	}
}

func (c *Client) take(m *gateway.ServerMessage) {
	switch k := m.Kind.(type) {
	case *gateway.ServerMessage_Snapshot:
		for _, f := range k.Snapshot.Frames {
			c.frame(f)
		}
		for _, a := range k.Snapshot.Alarms {
			c.alarm(a)
		}
	case *gateway.ServerMessage_Frame:
		c.frame(k.Frame)
	case *gateway.ServerMessage_Alarm:
		c.alarm(k.Alarm)
	case *gateway.ServerMessage_Chart:
		if s := k.Chart.GetSecond(); s != nil && s.Rate != nil {
			c.rates[k.Chart.Patient] = *s.Rate
		}
	case *gateway.ServerMessage_Dropped:
		c.dropped += k.Dropped.Frames
	case *gateway.ServerMessage_Problem:
		c.err = fmt.Errorf("problem %s: %s", k.Problem.Code, k.Problem.Text)
	}
}

func runKey(device string, boot, first uint64) string {
	return fmt.Sprintf("%s/%d/%d", device, boot, first)
}

func (c *Client) frame(f *topics.Frame) {
	s := f.GetSamples()
	if s == nil {
		return
	}
	key := runKey(s.Device, s.Boot, s.First)
	if c.runs[key] != nil {
		c.doubled = append(c.doubled, key)
	}
	c.runs[key] = s
}

func (c *Client) alarm(a *topics.Alarm) {
	if s := a.GetState(); s != nil {
		c.alarms[s.Rule] = s
	}
}

// Alarm is the newest state of a rule's alarm, of whichever patient; nil: none.
func (c *Client) Alarm(rule string) *topics.AlarmState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alarms[rule]
}

// Rate is the newest heart rate of a patient, 0 while unknown.
func (c *Client) Rate(patient string) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rates[patient]
}

// Ledger keeps what patches have sent; give its Enter to patch.Config.Entries.
type Ledger struct {
	mu      sync.Mutex
	entries []patch.Entry
}

// Enter adds one frame.
func (l *Ledger) Enter(e patch.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// Settle compares what was delivered to the MQTT broker with what came to the
// client, frame by frame and by the SHA-256 of their samples, and waits up to
// d for the last to come. It fails the test with what is lost, doubled or different.
func (l *Ledger) Settle(t testing.TB, c *Client, d time.Duration) (samples int) {
	t.Helper()
	var lost, different []string
	for end := time.Now().Add(d); ; time.Sleep(50 * time.Millisecond) {
		samples, lost, different = l.compare(c)
		if len(lost) == 0 || time.Now().After(end) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(lost)+len(different)+len(c.doubled) > 0 || c.dropped > 0 {
		t.Errorf("%d frames lost %s, %d different %s, %d shown twice %s, %d dropped on the way to the client",
			len(lost), few(lost), len(different), few(different), len(c.doubled), few(c.doubled), c.dropped)
	}
	if c.err != nil {
		t.Errorf("client: %v", c.err)
	}
	return samples
}

func (l *Ledger) compare(c *Client) (samples int, lost, different []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range l.entries {
		if e.Fate != patch.Delivered {
			continue
		}
		key := runKey(e.Device, e.Boot, e.First)
		got := c.runs[key]
		switch {
		case got == nil:
			lost = append(lost, key)
		case int(got.Count) != e.Count || patch.Digest(got.Leads) != e.Digest:
			different = append(different, key+" "+hex.EncodeToString(e.Digest[:4]))
		default:
			samples += e.Count
		}
	}
	return samples, lost, different
}

func few(s []string) string {
	if len(s) > 3 {
		return fmt.Sprint(s[:3], "…")
	}
	return fmt.Sprint(s)
}
