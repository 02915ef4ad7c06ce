package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"heartwire/sinks/gateway"
	fanout "heartwire/sinks/gateway/bench"
	"heartwire/sinks/gateway/page"
	"heartwire/topics"
)

// gatewayBench loads a gateway of its own, without a log behind it.
type gatewayBench struct {
	load   fanout.Load
	rate   int // messages a second
	window time.Duration
	json   bool
}

func (a *app) benchGatewayCommand() *cobra.Command {
	b := gatewayBench{load: fanout.Load{Clients: 1000, Patients: 250, Watchers: 40, Size: 700}}
	cmd := &cobra.Command{
		Use: "gateway", Short: "Measure what it costs to show patients to many",
		Long: `Gateway serves frames to WebSocket clients, which are another process, and reports
what this process uses a message: first as fast as the clients read, then at
--rate messages a second, where it also says how old frames are on arrival and how
long one takes who opens a patient meanwhile. It needs no Kafka.`,
		Example: "  heartwire bench gateway --clients 5000\n  heartwire bench gateway --watchers 4 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.load.Validate(); err != nil {
				return err
			}
			if b.rate < 1 || b.window <= 0 {
				return fmt.Errorf("--rate %d, --for %s: want more than 0", b.rate, b.window)
			}
			report, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			if b.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			}
			return report.write(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&b.load.Clients, "clients", b.load.Clients, "how many clients")
	f.IntVar(&b.load.Patients, "patients", b.load.Patients, "how many patients")
	f.IntVar(&b.load.Watchers, "watchers", b.load.Watchers, "how many clients watch each patient")
	f.IntVar(&b.load.Size, "size", b.load.Size, "bytes of a frame, about")
	f.IntVar(&b.rate, "rate", 20_000, "messages a second, where latency is measured")
	f.DurationVar(&b.window, "for", 20*time.Second, "measure each for so long")
	f.BoolVar(&b.json, "json", false, "report in JSON")
	cmd.AddCommand(&cobra.Command{
		Use: "readers", Short: "Be the clients", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fanout.Read(os.Stdin, cmd.OutOrStdout(), fanout.Heartwire{})
		},
	})
	return cmd
}

// gatewayReport is what a run has measured.
type gatewayReport struct {
	fanout.Load
	KiB       float64       `json:"kib_per_client"` // of this process, the kernel's buffers not counted
	Saturated gatewayWindow `json:"saturated"`
	Paced     gatewayWindow `json:"paced"`
}

type gatewayWindow struct {
	fanout.Report
	PerSecond float64 `json:"messages_per_s"`
	CPU       float64 `json:"cpu_us_per_message"`
}

func (r *gatewayReport) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\tmessages/s\tµs CPU a message\tp50 ms\tp99 ms\tmax ms\tdropped\tsnapshot p50 ms\tp99 ms\t\n")
	for _, one := range []struct {
		name string
		gatewayWindow
	}{{"as fast as they read", r.Saturated}, {"paced", r.Paced}} {
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t", one.name, one.PerSecond, one.CPU, one.P50, one.P99, one.Max, one.Dropped)
		if one.Snapshots > 0 {
			fmt.Fprintf(t, "%.1f\t%.1f\t", one.SnapshotP50, one.SnapshotP99)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d clients, %d patients, each watched by %d, frames of about %d bytes; %.1f KiB a client\n",
		r.Clients, r.Patients, r.Watchers, r.Size, r.KiB)
	return err
}

func (b *gatewayBench) run(ctx context.Context) (*gatewayReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conf := gateway.DefaultConfig()
	conf.Site, conf.Build = "bench", build()
	conf.MaxClients = b.load.Clients + 10 // and who opens a patient
	g, err := gateway.New(conf, page.Files(), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, ln) }()
	g.CaughtUp()
	report, err := b.measure(ctx, g, ln.Addr().String())
	cancel()
	if end := <-served; err == nil {
		err = end
	}
	return report, err
}

func (b *gatewayBench) measure(ctx context.Context, g *gateway.Gateway, address string) (*gatewayReport, error) {
	sink := g.Frames()
	deliver := func(batch []topics.Record[*topics.Frame]) error { return sink.Deliver(ctx, batch) }
	const memory = 30 * time.Second // of a patient, in a Snapshot
	frames := fanout.NewFrames(b.load, time.Now().Add(-memory))
	for range int(memory/frames.Lasts()) * b.load.Patients {
		r, err := frames.Next(time.Now())
		if err == nil {
			err = deliver([]topics.Record[*topics.Frame]{r})
		}
		if err != nil {
			return nil, err
		}
	}
	alone := inUse()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	clients, err := fanout.Start(ctx, exec.CommandContext(ctx, self, "bench", "gateway", "readers"), address, b.load)
	if err != nil {
		return nil, err
	}
	defer clients.End()
	report := &gatewayReport{Load: b.load}
	// Once, so that Snapshots are out and each client has its buffers.
	if _, err := clients.Pace(ctx, frames, float64(b.rate)/float64(b.load.Watchers), 2*time.Second, deliver); err != nil {
		return nil, err
	}
	clients.Drain(ctx)
	report.KiB = float64(inUse()-alone) / float64(b.load.Clients) / 1024
	for _, one := range []struct {
		window *gatewayWindow
		frames float64 // a second
	}{{&report.Saturated, 0}, {&report.Paced, float64(b.rate) / float64(b.load.Watchers)}} {
		if err := b.window1(ctx, clients, frames, one.frames, one.window, deliver); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// window1 measures one of the two.
func (b *gatewayBench) window1(ctx context.Context, clients *fanout.Clients, frames *fanout.Frames, perSecond float64, w *gatewayWindow,
	deliver func([]topics.Record[*topics.Frame]) error) error {
	clients.Drain(ctx)
	if err := clients.Begin(perSecond > 0); err != nil {
		return err
	}
	before, err := usageOf("the gateway", os.Getpid())
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := clients.Pace(ctx, frames, perSecond, b.window, deliver); err != nil {
		return err
	}
	if w.Report, err = clients.Report(ctx); err != nil {
		return err
	}
	lasted := time.Since(began).Seconds()
	after, err := usageOf("the gateway", os.Getpid())
	if err != nil {
		return err
	}
	if w.Messages == 0 {
		return fmt.Errorf("the clients have received nothing in %s", b.window)
	}
	w.PerSecond = float64(w.Messages) / lasted
	w.CPU = (after.cpu - before.cpu) * 1e6 / float64(w.Messages)
	return nil
}

// inUse is the memory that this process has in use, in bytes.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
