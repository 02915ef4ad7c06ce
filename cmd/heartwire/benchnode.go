package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"heartwire/pipeline"
	engine "heartwire/pipeline/bench"
	"heartwire/pipeline/kafka"
)

// benchNodeCommand is what `bench stage` runs as processes.
func (a *app) benchNodeCommand() *cobra.Command {
	var state int
	names := []string{"windows", engine.RelayName(1), engine.RelayName(2), engine.RelayName(3), "windows-whole"}
	cmd := &cobra.Command{
		Use: "node NAME", Short: "Run one of the stages that are measured", Hidden: true,
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			conf, err := a.load()
			if err != nil {
				return err
			}
			log, err := a.logger(cmd)
			if err != nil {
				return err
			}
			node := engine.Windows(args[0] == "windows-whole", state)
			for n := 1; n <= 3; n++ {
				if args[0] == engine.RelayName(n) {
					node = engine.Relay(n, state)
				}
			}
			a.collectByRoom() // as `heartwire stage` does
			return newHouse(conf.Config, log).run(cmd.Context(), pipeline.Topology{node})
		},
	}
	cmd.Flags().IntVar(&state, "state", 0, "bytes more in each key's state")
	return cmd
}

// benchNode is one such process.
type benchNode struct {
	name string
	ops  string // host:port
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// node starts a process of a stage and waits until it has restored.
func (b *bench) node(ctx context.Context, site kafka.Config, name string, state int) (*benchNode, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	n := &benchNode{name: name, ops: "127.0.0.1:" + strconv.Itoa(anyPort()), done: make(chan struct{})}
	args := append([]string{"bench", "node", name, "--state", strconv.Itoa(state), "--log", b.level}, onKafka(site)...)
	n.cmd = exec.Command(self, append(args, "--set", "ops.listen="+n.ops, "--set", "pipeline.commit="+b.conf.Pipeline.Commit.String())...)
	n.cmd.Stderr = os.Stderr
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = n.cmd.Wait()
		close(n.done)
	}()
	for end := time.Now().Add(time.Minute); ; {
		if n.ready() {
			return n, nil
		}
		if !pause(ctx, n.done, 10*time.Millisecond) || time.Now().After(end) {
			n.end(syscall.SIGKILL)
			return nil, fmt.Errorf("%s is not ready after a minute, or has ended", name)
		}
	}
}

// pause waits, and reports false when ctx or a process ended meanwhile.
func pause(ctx context.Context, done <-chan struct{}, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-done:
		return false
	case <-time.After(d):
		return true
	}
}

func (n *benchNode) ready() bool {
	resp, err := http.Get("http://" + n.ops + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// end ends the process and waits for it, at most 20 s.
func (n *benchNode) end(sig syscall.Signal) {
	_ = n.cmd.Process.Signal(sig)
	select {
	case <-n.done:
	case <-time.After(20 * time.Second):
		_ = n.cmd.Process.Kill()
		<-n.done
	}
}

func (n *benchNode) usage() (usage, error) { return usageOf(n.name, n.cmd.Process.Pid) }

// metrics are what the process says of itself, by name with labels.
func (n *benchNode) metrics() (map[string]float64, error) {
	resp, err := http.Get("http://" + n.ops + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", n.name, err)
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out, nil
}
