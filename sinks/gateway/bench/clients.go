package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"
)

// Clients are the process that reads.
type Clients struct {
	load     Load
	cmd      *exec.Cmd
	in       *json.Encoder
	pipe     io.Closer
	received atomic.Int64
	reports  chan Report
	ended    chan struct{}
}

// order is what the process is told, a line of JSON each.
type order struct {
	Address string `json:"address,omitempty"` // the first: connect
	Load    *Load  `json:"load,omitempty"`
	Probe   bool   `json:"probe,omitempty"`  // ask for Snapshots meanwhile
	Begin   bool   `json:"begin,omitempty"`  // count anew
	Report  bool   `json:"report,omitempty"` // say what has been counted
}

// line is what the process says.
type line struct {
	Ready    bool    `json:"ready,omitempty"`
	Received int64   `json:"received,omitempty"` // messages of all clients since they came
	Report   *Report `json:"report,omitempty"`
	Error    string  `json:"error,omitempty"`
}

// Report is what the clients have seen since it was begun. Times are in ms.
type Report struct {
	Messages    int64   `json:"messages"`
	Dropped     int64   `json:"dropped"` // that the server said it left out
	P50         float64 `json:"p50_ms"`  // from before a frame is delivered to the server until its bytes are read
	P99         float64 `json:"p99_ms"`
	Max         float64 `json:"max_ms"`
	Snapshots   int     `json:"snapshots,omitempty"`
	SnapshotP50 float64 `json:"snapshot_p50_ms,omitempty"` // from asking to having it
	SnapshotP99 float64 `json:"snapshot_p99_ms,omitempty"`
}

// Start runs cmd, a process that calls Read, lets its clients connect to address
// and waits until all have subscribed.
func Start(ctx context.Context, cmd *exec.Cmd, address string, l Load) (*Clients, error) {
	c := &Clients{load: l, cmd: cmd, reports: make(chan Report, 1), ended: make(chan struct{})}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the clients: %w", err)
	}
	c.pipe, c.in = in, json.NewEncoder(in)
	ready := make(chan error, 1)
	go c.listen(out, ready)
	if err := c.in.Encode(order{Address: address, Load: &l}); err != nil {
		c.End()
		return nil, err
	}
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.End()
		return nil, err
	}
	return c, nil
}

func (c *Clients) listen(out io.Reader, ready chan<- error) {
	defer close(c.ended)
	d := json.NewDecoder(bufio.NewReader(out))
	for {
		var l line
		if err := d.Decode(&l); err != nil {
			ready <- errors.New("the clients have ended")
			return
		}
		switch {
		case l.Error != "":
			ready <- errors.New(l.Error)
			return
		case l.Ready:
			ready <- nil
			ready = make(chan error, 2) // what comes later nobody waits for
		case l.Report != nil:
			c.reports <- *l.Report
		default:
			c.received.Store(l.Received)
		}
	}
}

// Received is how many messages all clients have received since they came.
func (c *Clients) Received() int64 { return c.received.Load() }

// Begin counts anew; with probe one more client asks for Snapshots meanwhile.
func (c *Clients) Begin(probe bool) error { return c.in.Encode(order{Begin: true, Probe: probe}) }

// Report says what was counted since Begin.
func (c *Clients) Report(ctx context.Context) (Report, error) {
	if err := c.in.Encode(order{Report: true}); err != nil {
		return Report{}, err
	}
	select {
	case r := <-c.reports:
		return r, nil
	case <-c.ended:
		return Report{}, errors.New("the clients have ended")
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
}

// Drain waits until nothing has come for a tenth of a second, at most 10 s.
func (c *Clients) Drain(ctx context.Context) {
	for end, last := time.Now().Add(10*time.Second), int64(-1); time.Now().Before(end) && ctx.Err() == nil; {
		now := c.Received()
		if now == last {
			return
		}
		last = now
		time.Sleep(100 * time.Millisecond)
	}
}

// End ends the process.
func (c *Clients) End() {
	c.pipe.Close()
	select {
	case <-c.ended:
	case <-time.After(5 * time.Second):
		_ = c.cmd.Process.Kill()
	}
	_ = c.cmd.Wait()
}
