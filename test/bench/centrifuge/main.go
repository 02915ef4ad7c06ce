// Command centrifuge serves the load of `heartwire bench gateway` by the
// centrifuge library, and reports the same figures for it.
//
//	go run . --clients 1000 --watchers 40
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/centrifugal/centrifuge"

	fanout "heartwire/sinks/gateway/bench"
	"heartwire/topics"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "readers" {
		exit(fanout.Read(os.Stdin, os.Stdout, dialect{}))
	}
	l := fanout.Load{}
	flag.IntVar(&l.Clients, "clients", 1000, "how many clients")
	flag.IntVar(&l.Patients, "patients", 250, "how many patients, a channel each")
	flag.IntVar(&l.Watchers, "watchers", 40, "how many clients watch each patient")
	flag.IntVar(&l.Size, "size", 700, "bytes of a frame, about")
	rate := flag.Int("rate", 20_000, "messages a second, where latency is measured")
	window := flag.Duration("for", 20*time.Second, "measure each for so long")
	flag.Parse()
	exit(run(context.Background(), l, float64(*rate), *window))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "centrifuge:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, l fanout.Load, rate float64, window time.Duration) error {
	if err := l.Validate(); err != nil {
		return err
	}
	node, err := serve()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(dialect{}.Path(), centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{UseWriteBufferPool: true}))
	go http.Serve(ln, mux)
	deliver := func(batch []topics.Record[*topics.Frame]) error {
		var errs error
		for i := range batch {
			_, err := node.Publish(string(batch[i].Key), batch[i].Raw)
			errs = errors.Join(errs, err)
		}
		return errs
	}
	alone := inUse()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	clients, err := fanout.Start(ctx, exec.CommandContext(ctx, self, "readers"), ln.Addr().String(), l)
	if err != nil {
		return err
	}
	defer clients.End()
	frames := fanout.NewFrames(l, time.Now())
	perSecond := rate / float64(l.Watchers)
	if _, err := clients.Pace(ctx, frames, perSecond, 2*time.Second, deliver); err != nil {
		return err
	}
	clients.Drain(ctx)
	kib := float64(inUse()-alone) / float64(l.Clients) / 1024
	out := json.NewEncoder(os.Stdout)
	for _, per := range []float64{0, perSecond} {
		clients.Drain(ctx)
		if err := clients.Begin(false); err != nil {
			return err
		}
		before, began := cpu(), time.Now()
		if _, err := clients.Pace(ctx, frames, per, window, deliver); err != nil {
			return err
		}
		r, err := clients.Report(ctx)
		if err != nil {
			return err
		}
		lasted, used := time.Since(began).Seconds(), cpu()-before
		if err := out.Encode(map[string]any{
			"frames_per_s": per, "messages_per_s": float64(r.Messages) / lasted, "cpu_us_per_message": float64(used.Microseconds()) / float64(r.Messages),
			"p50_ms": r.P50, "p99_ms": r.P99, "max_ms": r.Max, "kib_per_client": kib,
		}); err != nil {
			return err
		}
	}
	return nil
}

// serve is a node that lets everybody subscribe to everything.
func serve() (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{ClientQueueMaxSize: 64 << 20})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: "bench"}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
	})
	return node, node.Run()
}

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// inUse is the memory that this process has in use, in bytes.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
