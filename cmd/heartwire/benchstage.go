package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	engine "heartwire/pipeline/bench"
	"heartwire/pipeline/kafka"
)

// stageBench measures the engine by stages of its own.
type stageBench struct {
	bench
	load    engine.Load
	records int
	state   int
	kills   int
	only    []string
	profile string
}

// stageMeasures are what a stageBench measures, in this order.
var stageMeasures = []struct {
	name string
	run  func(*stageBench, context.Context, kafka.Config, *stageReport) error
}{
	{"windows", (*stageBench).windows},
	{"restore", (*stageBench).restore},
	{"takeover", (*stageBench).takeover},
	{"latency", (*stageBench).latency},
}

func (a *app) benchStageCommand() *cobra.Command {
	var b stageBench
	var names []string
	for _, m := range stageMeasures {
		names = append(names, m.name)
	}
	cmd := &cobra.Command{
		Use:   "stage",
		Short: "Measure the engine that stages run in",
		Long: `Stage measures the engine by stages of its own, as processes on the Kafka that
the configuration names, each in a site of its own. It wants a Kafka of its own:
what it writes stays there.

  windows   count, sum, least and most a key and 10 s of sample time, exactly once
            and with checkpoints, over records that are there already; first by
            reading of each what is needed, and again by decoding it whole
  restore   a new process takes over the states of all keys
  takeover  kill -9 of one process of two: the longest that a partition was silent
  latency   through one stage and through three, at 4 records a second and key`,
		Example: `  heartwire bench stage --set kafka.brokers=127.0.0.1:9092
  heartwire bench stage --only windows --set kafka.partitions=48 --set pipeline.commit=100ms`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.sets = append([]string{"kafka.replication=1", "kafka.min_isr=1", "kafka.partitions=12"}, a.sets...)
			conf, err := a.load()
			if err != nil {
				return err
			}
			if b.log, err = a.logger(cmd); err != nil {
				return err
			}
			for _, name := range b.only {
				if !slices.Contains(names, name) {
					return fmt.Errorf("--only %s: want one of %s", name, strings.Join(names, ", "))
				}
			}
			b.conf, b.level = *conf, a.logLevel
			report, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			return writeReport(cmd.OutOrStdout(), report, b.json)
		},
	}
	f := cmd.Flags()
	f.IntVar(&b.records, "records", 4_000_000, "how many records windows reads")
	f.IntVar(&b.load.Keys, "keys", 10_000, "how many keys windows and restore have; the others have a tenth")
	f.IntVar(&b.load.Size, "size", 600, "bytes of a record")
	f.IntVar(&b.state, "state", 6000, "bytes of a key's state where it is restored, taken over and timed")
	f.IntVar(&b.kills, "kills", 10, "how often takeover kills")
	f.DurationVar(&b.window, "for", 30*time.Second, "measure latency for so long")
	f.StringSliceVar(&b.only, "only", nil, "measure these alone: `names`, of "+strings.Join(names, ", "))
	f.StringVar(&b.profile, "profile", "", "write CPU profiles of windows to `file`.windows and file.windows-whole")
	f.BoolVar(&b.json, "json", false, "report in JSON")
	return cmd
}

// stageReport is what a run has measured; what was left out is nil.
type stageReport struct {
	Windows  []windowsReport `json:"windows,omitempty"`
	Restore  *restoreReport  `json:"restore,omitempty"`
	Takeover *takeoverReport `json:"takeover,omitempty"`
	Latency  []latencyReport `json:"latency,omitempty"`
}

type windowsReport struct {
	Stage          string  `json:"stage"`
	Site           string  `json:"site"` // where the load is, and what was said
	Partitions     int32   `json:"partitions"`
	Keys           int     `json:"keys"`
	Records        int64   `json:"records"` // ticks too
	Seconds        float64 `json:"seconds"`
	CPU            float64 `json:"cpu_s"`
	CPUPerMillion  float64 `json:"cpu_s_per_million_records"`
	PerCoreSecond  float64 `json:"records_per_core_second"`
	ResidentMiB    float64 `json:"resident_mib"`
	Allocations    float64 `json:"allocations_per_record"`
	AllocatedBytes float64 `json:"allocated_bytes_per_record"`
	Committed      float64 `json:"transactions_committed"`
	Aborted        float64 `json:"transactions_aborted"`
}

type restoreReport struct {
	Keys        int     `json:"keys"`
	StateBytes  int     `json:"state_bytes"`
	Seconds     float64 `json:"seconds"`      // by the engine's own measure
	Ready       float64 `json:"ready_s"`      // from the start of the process until it is ready
	ResidentMiB float64 `json:"resident_mib"` // then
	WorkingMiB  float64 `json:"working_mib"`  // of the process before it, after reading the load
}

type takeoverReport struct {
	Keys  int       `json:"keys"`
	Kills int       `json:"kills"`
	P50   float64   `json:"p50_s"`
	Max   float64   `json:"max_s"`
	All   []float64 `json:"all_s"`
}

type latencyReport struct {
	Stages  int     `json:"stages"`
	Rate    int     `json:"records_per_s"`
	Records int     `json:"records"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

func (r *stageReport) write(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, w := range r.Windows {
		fmt.Fprintf(t, w.Stage+"\t%d records of %d keys in %d partitions\t%.0f records/s\n", w.Records, w.Keys, w.Partitions, float64(w.Records)/w.Seconds)
		fmt.Fprintf(t, "\tCPU\t%.2f s a million records, %.0f records a core-second\n", w.CPUPerMillion, w.PerCoreSecond)
		fmt.Fprintf(t, "\tmemory\t%.0f MiB resident, %.1f allocations and %.0f bytes a record\n", w.ResidentMiB, w.Allocations, w.AllocatedBytes)
		fmt.Fprintf(t, "\ttransactions\t%.0f committed, %.0f aborted\n", w.Committed, w.Aborted)
	}
	if s := r.Restore; s != nil {
		fmt.Fprintf(t, "restore\t%d keys of %d bytes\t%.2f s; ready %.2f s after the process began\n", s.Keys, s.StateBytes, s.Seconds, s.Ready)
		fmt.Fprintf(t, "\tmemory\t%.0f MiB resident; %.0f MiB while working\n", s.ResidentMiB, s.WorkingMiB)
	}
	if k := r.Takeover; k != nil {
		fmt.Fprintf(t, "takeover\t%d keys, kill -9, %d times\tp50 %.1f s, max %.1f s\n", k.Keys, k.Kills, k.P50, k.Max)
	}
	for _, l := range r.Latency {
		fmt.Fprintf(t, "latency\tthrough %d stages at %d records/s\tp50 %.0f ms, p99 %.0f ms, max %.0f ms\n", l.Stages, l.Rate, l.P50, l.P99, l.Max)
	}
	return t.Flush()
}

func (b *stageBench) run(ctx context.Context) (*stageReport, error) {
	var r stageReport
	began := strconv.FormatInt(time.Now().UnixMilli(), 36)
	for _, m := range stageMeasures {
		if len(b.only) > 0 && !slices.Contains(b.only, m.name) {
			continue
		}
		site := b.conf.Kafka
		site.Site = "bench-" + m.name + "-" + began
		if err := b.topics(ctx, site); err != nil {
			return nil, err
		}
		if err := m.run(b, ctx, site, &r); err != nil {
			return nil, fmt.Errorf("measure %s: %w", m.name, err)
		}
	}
	return &r, nil
}

func (b *stageBench) windows(ctx context.Context, site kafka.Config, r *stageReport) error {
	load := b.load
	load.Rounds = max(b.records/load.Keys, 1)
	b.log.Info("writing the load", "records", load.Rounds*load.Keys)
	if err := load.Fill(ctx, site, b.log); err != nil {
		return err
	}
	for _, name := range []string{"windows", "windows-whole"} {
		b.log.Info("reading it", "stage", name)
		w, err := b.throughput(ctx, site, name)
		if err != nil {
			return err
		}
		r.Windows = append(r.Windows, *w)
	}
	return nil
}

// throughput has a stage read all of the load.
func (b *stageBench) throughput(ctx context.Context, site kafka.Config, name string) (*windowsReport, error) {
	n, err := b.node(ctx, site, name, 0)
	if err != nil {
		return nil, err
	}
	defer n.end(syscall.SIGTERM)
	began := time.Now()
	var profiled sync.WaitGroup
	defer profiled.Wait()
	if b.profile != "" {
		profiled.Go(func() {
			if err := n.writeProfile(b.profile + "." + name); err != nil {
				b.log.Error("no profile", "err", err)
			}
		})
	}
	total, err := b.drain(ctx, site, n)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	u, err := n.usage()
	if err != nil {
		return nil, err
	}
	m, err := n.metrics()
	if err != nil {
		return nil, err
	}
	ends := func(outcome string) float64 {
		return m[fmt.Sprintf(`heartwire_pipeline_transactions_total{node=%q,outcome=%q}`, name, outcome)]
	}
	count := float64(total)
	return &windowsReport{
		Stage: name, Site: site.Site, Partitions: site.Partitions, Keys: b.load.Keys, Records: total, Seconds: took.Seconds(),
		CPU: u.cpu, CPUPerMillion: u.cpu / count * 1e6, PerCoreSecond: count / u.cpu, ResidentMiB: u.resident / (1 << 20),
		Allocations: m["go_memstats_mallocs_total"] / count, AllocatedBytes: m["go_memstats_alloc_bytes_total"] / count,
		Committed: ends("committed"), Aborted: ends("aborted"),
	}, nil
}

// writeProfile writes where a process spends its CPU in the next 5 s.
func (n *benchNode) writeProfile(path string) error {
	resp, err := http.Get("http://" + n.ops + "/debug/pprof/profile?seconds=5")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}

// drain waits until a stage has committed all of the load, and says how many records that is.
func (b *stageBench) drain(ctx context.Context, site kafka.Config, n *benchNode) (total int64, err error) {
	cl, err := site.NewClient(b.log)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if total, err = engine.Left(ctx, cl, site, ""); err != nil {
		return 0, err
	}
	for {
		left, err := engine.Left(ctx, cl, site, site.Site+"."+n.name)
		if err != nil || left == 0 {
			return total, err
		}
		if !pause(ctx, n.done, 100*time.Millisecond) {
			return 0, fmt.Errorf("%s ended with %d records of %d left", n.name, left, total)
		}
	}
}

func (b *stageBench) restore(ctx context.Context, site kafka.Config, r *stageReport) error {
	// 25 s of sample time: with the first one, up to four checkpoints a key.
	load := engine.Load{Keys: b.load.Keys, Rounds: 100, Size: 100}
	if err := load.Fill(ctx, site, b.log); err != nil {
		return err
	}
	n, err := b.node(ctx, site, "windows", b.state)
	if err != nil {
		return err
	}
	_, err = b.drain(ctx, site, n)
	working, uerr := n.usage()
	n.end(syscall.SIGTERM)
	if err := errors.Join(err, uerr); err != nil {
		return err
	}
	began := time.Now()
	if n, err = b.node(ctx, site, "windows", b.state); err != nil {
		return err
	}
	defer n.end(syscall.SIGTERM)
	ready := time.Since(began)
	u, err := n.usage()
	if err != nil {
		return err
	}
	m, err := n.metrics()
	if err != nil {
		return err
	}
	r.Restore = &restoreReport{
		Keys: load.Keys, StateBytes: b.state, Ready: ready.Seconds(), Seconds: m[`heartwire_pipeline_restore_seconds_sum{node="windows"}`],
		ResidentMiB: u.resident / (1 << 20), WorkingMiB: working.resident / (1 << 20),
	}
	return nil
}
