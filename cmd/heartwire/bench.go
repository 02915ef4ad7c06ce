package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"heartwire/pipeline/kafka"
)

// bench runs the system as processes against a real Kafka and a real MQTT
// broker, loads it with emulated patches, and says what it costs.
type bench struct {
	patients int
	warm     time.Duration
	window   time.Duration
	json     bool

	conf  loaded
	level string // of the log, for its processes
	dir   string
	log   *slog.Logger
}

func (a *app) benchCommand() *cobra.Command {
	var b bench
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what the system costs on a cluster",
		Long: `Bench makes a site of its own on the Kafka and the MQTT broker that the
configuration names, starts each part as a process, loads them with emulated
patches (2 leads, 250 Hz, a frame each 250 ms), and reports CPU, memory, lag and
the latency from a patch's publishing to a WebSocket client. It wants a Kafka of
its own: what it writes stays there.`,
		Example: `  heartwire bench --set kafka.brokers=127.0.0.1:9092 --set mqtt.broker=tcp://127.0.0.1:1883
  heartwire bench --patients 100 --for 30s --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.sets = append([]string{"kafka.replication=1", "kafka.min_isr=1"}, a.sets...)
			conf, err := a.load()
			if err != nil {
				return err
			}
			if b.log, err = a.logger(cmd); err != nil {
				return err
			}
			b.conf = *conf
			b.conf.Kafka.Site = "bench-" + strconv.FormatInt(time.Now().Unix(), 36)
			report, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			return writeReport(cmd.OutOrStdout(), report, b.json)
		},
	}
	f := cmd.Flags()
	f.IntVar(&b.patients, "patients", 1000, "how many patches")
	f.DurationVar(&b.warm, "warm", 20*time.Second, "load for so long before measuring")
	f.DurationVar(&b.window, "for", time.Minute, "measure for so long")
	f.BoolVar(&b.json, "json", false, "report in JSON")
	cmd.AddCommand(a.benchStageCommand(), a.benchGatewayCommand(), a.benchNodeCommand())
	return cmd
}

// benchReport is what a run has measured.
type benchReport struct {
	Patients     int              `json:"patients"`
	Seconds      float64          `json:"seconds"`
	Frames       uint64           `json:"frames"`
	Processes    []processReport  `json:"processes"`
	LatencyP50ms float64          `json:"latency_p50_ms"` // from a frame's last sample, when the patch publishes, to the client
	LatencyP99ms float64          `json:"latency_p99_ms"`
	LatencyMaxms float64          `json:"latency_max_ms"`
	BridgeCPU    float64          `json:"bridge_cpu_s_per_million_messages"`
	LagBefore    map[string]int64 `json:"lag_before"` // records a stage had not committed
	LagAfter     map[string]int64 `json:"lag_after"`
}

type processReport struct {
	Name           string  `json:"name"`
	CPU            float64 `json:"cpu_s"`
	CPUPatientHour float64 `json:"cpu_s_per_patient_hour"`
	ResidentMiB    float64 `json:"resident_mib"`
}

func (r *benchReport) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "process\tCPU s\tCPU s a patient-hour\tresident MiB\t\n")
	for _, p := range r.Processes {
		fmt.Fprintf(t, "%s\t%.2f\t%.4f\t%.0f\t\n", p.Name, p.CPU, p.CPUPatientHour, p.ResidentMiB)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
%d patients, %d frames in %.0f s
publish to WebSocket client: p50 %.1f ms, p99 %.1f ms, max %.1f ms
bridge: %.1f CPU s a million messages
lag before %v, after %v
`, r.Patients, r.Frames, r.Seconds, r.LatencyP50ms, r.LatencyP99ms, r.LatencyMaxms, r.BridgeCPU, r.LagBefore, r.LagAfter)
	return err
}

func (b *bench) run(ctx context.Context) (*benchReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	if b.dir, err = os.MkdirTemp("", "heartwire-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	if err := os.WriteFile(filepath.Join(b.dir, "site.key"), []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		return nil, err
	}
	if err := b.topics(ctx, b.conf.Kafka); err != nil {
		return nil, err
	}
	b.conf.Gateway.Listen = freeAddr("127.0.0.1:8080")
	if strings.HasSuffix(b.conf.Gateway.Listen, ":0") {
		b.conf.Gateway.Listen = "127.0.0.1:" + strconv.Itoa(anyPort())
	}
	var crew crew
	defer crew.end()
	for _, part := range [][]string{
		{"bridge"}, {"clock"}, {"stage", "beats"}, {"stage", "rhythm"}, {"stage", "alarms"}, {"stage", "registry"}, {"sink", "gateway"},
	} {
		if err := crew.start(b, part...); err != nil {
			return nil, err
		}
	}
	client, err := b.watch(ctx)
	if err != nil {
		return nil, err
	}
	if err := crew.start(b, "simulate", "--patients", strconv.Itoa(b.patients), "--connections", strconv.Itoa(min(b.patients, 50)),
		"--broker", b.conf.MQTT.Broker, "--site", b.conf.Kafka.Site, "--state-dir", b.dir); err != nil {
		return nil, err
	}
	b.log.Info("warming up", "for", b.warm)
	if err := crew.wait(ctx, b.warm); err != nil {
		return nil, err
	}
	return b.measure(ctx, &crew, client)
}

// topics makes the topics of a site.
func (b *bench) topics(ctx context.Context, site kafka.Config) error {
	if err := site.Await(ctx, b.log); err != nil {
		return err
	}
	cl, err := site.NewClient(b.log)
	if err != nil {
		return err
	}
	defer cl.Close()
	changes, err := site.Plan(ctx, cl)
	if err != nil {
		return err
	}
	return site.Apply(ctx, cl, changes)
}

func (b *bench) measure(ctx context.Context, crew *crew, client *benchClient) (*benchReport, error) {
	cl, err := b.conf.Kafka.NewClient(b.log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	groups := []string{b.conf.Kafka.Site + ".beats", b.conf.Kafka.Site + ".rhythm", b.conf.Kafka.Site + ".alarms"}
	r := &benchReport{Patients: b.patients}
	if r.LagBefore, err = kafka.Lag(ctx, cl, groups...); err != nil {
		return nil, err
	}
	before, err := crew.usage()
	if err != nil {
		return nil, err
	}
	client.begin()
	began := time.Now()
	b.log.Info("measuring", "for", b.window)
	if err := crew.wait(ctx, b.window); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(began).Seconds()
	after, err := crew.usage()
	if err != nil {
		return nil, err
	}
	if err := client.end(r); err != nil {
		return nil, err
	}
	if r.LagAfter, err = kafka.Lag(ctx, cl, groups...); err != nil {
		return nil, err
	}
	hours := r.Seconds / 3600 * float64(b.patients)
	for i, u := range after {
		cpu := u.cpu - before[i].cpu
		r.Processes = append(r.Processes, processReport{Name: u.name, CPU: cpu, CPUPatientHour: cpu / hours, ResidentMiB: u.resident / (1 << 20)})
		if u.name == "bridge" && r.Frames > 0 {
			r.BridgeCPU = cpu / float64(r.Frames) * 1e6
		}
	}
	return r, nil
}

// writeReport writes what a bench found, for people or as JSON.
func writeReport(out io.Writer, report interface{ write(io.Writer) error }, asJSON bool) error {
	if !asJSON {
		return report.write(out)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(report)
}
