package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/procfs"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/sinks/gateway"
)

// crew is the processes of a bench.
type crew struct {
	names []string
	cmds  []*exec.Cmd
	dead  chan string
}

// start runs one part of this binary as a process.
func (c *crew) start(b *bench, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append(args, onKafka(b.conf.Kafka)...)
	args = append(args, "--log", "warn",
		"--set", "mqtt.broker="+b.conf.MQTT.Broker, "--set", "bridge.site_key_file="+filepath.Join(b.dir, "site.key"),
		"--set", "gateway.listen="+b.conf.Gateway.Listen, "--set", "ops.listen=127.0.0.1:0")
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", strings.Join(args[:2], " "), err)
	}
	name := args[0]
	if name == "stage" || name == "sink" {
		name = args[1]
	}
	if c.dead == nil {
		c.dead = make(chan string, 16)
	}
	go func() {
		_ = cmd.Wait()
		c.dead <- name
	}()
	c.names, c.cmds = append(c.names, name), append(c.cmds, cmd)
	return nil
}

// onKafka are the flags that give a process the same Kafka.
func onKafka(k kafka.Config) []string {
	return []string{
		"--set", "kafka.brokers=" + strings.Join(k.Brokers, ","), "--set", "kafka.site=" + k.Site, "--set", "kafka.partitions=" + strconv.Itoa(int(k.Partitions)),
		"--set", "kafka.replication=" + strconv.Itoa(int(k.Replication)), "--set", "kafka.min_isr=" + strconv.Itoa(k.MinISR),
	}
}

// wait waits, and fails when a process ends meanwhile.
func (c *crew) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case name := <-c.dead:
		return fmt.Errorf("%s ended", name)
	case <-time.After(d):
		return nil
	}
}

func (c *crew) end() {
	for _, cmd := range c.cmds {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	end := time.After(10 * time.Second)
	for range c.cmds {
		select {
		case <-c.dead:
		case <-end:
			for _, cmd := range c.cmds {
				_ = cmd.Process.Kill()
			}
			return
		}
	}
}

// usage is what a process has used so far.
type usage struct {
	name     string
	cpu      float64 // s
	resident float64 // bytes
}

func (c *crew) usage() ([]usage, error) {
	var out []usage
	for i, cmd := range c.cmds {
		u, err := usageOf(c.names[i], cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// usageOf reads /proc, so a bench runs on Linux.
func usageOf(name string, pid int) (usage, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return usage{}, fmt.Errorf("what %s uses: %w", name, err)
	}
	stat, err := p.Stat()
	if err != nil {
		return usage{}, fmt.Errorf("what %s uses: %w", name, err)
	}
	return usage{name, stat.CPUTime(), float64(stat.ResidentMemory())}, nil
}

// benchClient is a WebSocket client that notes how old frames are when they come.
type benchClient struct {
	mu   sync.Mutex
	on   bool
	ages []float64 // ms
	err  error
}

// watch waits until the gateway is ready, and subscribes to every patient's frames.
func (b *bench) watch(ctx context.Context) (*benchClient, error) {
	base := b.conf.Gateway.Listen
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get("http://" + base + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return nil, fmt.Errorf("the gateway at %s is not ready after 30 s", base)
		}
	}
	dialer := websocket.Dialer{Subprotocols: []string{"heartwire.v1.proto"}, ReadBufferSize: 1 << 16}
	conn, _, err := dialer.DialContext(ctx, "ws://"+base+"/v1/live", nil)
	if err != nil {
		return nil, fmt.Errorf("connect to the gateway: %w", err)
	}
	ask, err := proto.Marshal(&gateway.ClientMessage{Kind: &gateway.ClientMessage_Subscribe{
		Subscribe: &gateway.Subscribe{All: true, Topics: []string{"frames"}},
	}})
	if err != nil {
		return nil, err
	}
	if err := conn.WriteMessage(websocket.BinaryMessage, ask); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	c := &benchClient{}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	go c.read(conn)
	return c, nil
}

func (c *benchClient) read(conn *websocket.Conn) {
	for {
		_, b, err := conn.ReadMessage()
		now := time.Now()
		var m gateway.ServerMessage
		if err == nil {
			err = proto.Unmarshal(b, &m)
		}
		c.mu.Lock()
		if err == nil && m.GetDropped().GetFrames() > 0 {
			err = fmt.Errorf("%d frames were dropped on the way to the client", m.GetDropped().GetFrames())
		}
		if err != nil {
			c.err = err
			c.mu.Unlock()
			return
		}
		if s := m.GetFrame().GetSamples(); s != nil && c.on {
			due := float64(s.DeviceTimeUs) + float64(s.Count)/s.Rate*1e6
			c.ages = append(c.ages, (float64(now.UnixMicro())-due)/1000)
		}
		c.mu.Unlock()
	}
}

func (c *benchClient) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.ages = true, make([]float64, 0, 1<<20)
}

func (c *benchClient) end(r *benchReport) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = false
	if c.err != nil {
		return c.err
	}
	if len(c.ages) == 0 {
		return fmt.Errorf("the client has received no frame")
	}
	slices.Sort(c.ages)
	r.Frames = uint64(len(c.ages))
	r.LatencyP50ms = c.ages[len(c.ages)/2]
	r.LatencyP99ms = c.ages[len(c.ages)*99/100]
	r.LatencyMaxms = c.ages[len(c.ages)-1]
	return nil
}

// anyPort is a port of the loopback that is free now.
func anyPort() int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}
