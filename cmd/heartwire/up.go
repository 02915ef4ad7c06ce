package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/local"
	"heartwire/topics"
)

// localPartitions is enough for a ward and little enough for one process.
const localPartitions = 12

// up is everything in one process.
type up struct {
	data       string
	kafkaPort  int
	mqttPort   int
	noPatients bool

	conf Config
	log  *slog.Logger
	out  io.Writer
}

func (a *app) upCommand() *cobra.Command {
	var u up
	list := append(slices.Clone(patients), shortcut{"listen", "gateway.listen", "`address` of the page"})
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything in this process, with synthetic patients",
		Long: `Up runs everything in this process: a Kafka and an MQTT broker, all parts of
Heartwire, the page, and eight synthetic patients or the recordings you name. It
needs nothing else, and keeps what it knows in a folder: the next start goes on
where this one ended. Where a usual port is taken it takes a free one, and prints it.

The brokers inside are for trying and teaching. They acknowledge from memory, so
they are not proof against power loss.`,
		Example: `  heartwire up
  heartwire up --record ../data/mitdb/119 --record ../data/mitdb/208
  heartwire up --no-patients     # and connect patches of your own`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.sets = append([]string{"kafka.partitions=" + strconv.Itoa(localPartitions), "kafka.replication=1", "kafka.min_isr=1"}, a.sets...)
			a.sets = append(a.sets, given(cmd.Flags(), list)...)
			conf, err := a.load()
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("log") {
				a.logLevel = "warn" // what is printed is for a person
			}
			log, err := a.logger(cmd)
			if err != nil {
				return err
			}
			u.conf, u.log, u.out = conf.Config, log, cmd.OutOrStdout()
			return u.run(cmd.Context())
		},
	}
	addShortcuts(cmd.Flags(), list)
	f := cmd.Flags()
	f.StringVar(&u.data, "data", "data", "`folder` of what is kept")
	f.IntVar(&u.kafkaPort, "kafka-port", 9092, "`port` of the Kafka broker; 0 takes a free one")
	f.IntVar(&u.mqttPort, "mqtt-port", 1883, "`port` of the MQTT broker; 0 takes a free one")
	f.BoolVar(&u.noPatients, "no-patients", false, "start no patches")
	return cmd
}

func (u *up) run(ctx context.Context) error {
	fmt.Fprintln(u.out, notice)
	if err := u.siteKey(); err != nil {
		return err
	}
	broker, err := local.StartKafka(ctx, u.conf.Kafka, filepath.Join(u.data, "kafka"), freePort(u.kafkaPort), u.log)
	if err != nil {
		return err
	}
	defer broker.Close()
	u.conf.Kafka = broker.Config()
	mqtt, err := local.StartMQTT(filepath.Join(u.data, "mqtt"), "127.0.0.1:"+strconv.Itoa(freePort(u.mqttPort)), u.log)
	if err != nil {
		return err
	}
	defer mqtt.Close()
	u.conf.MQTT.Broker = "tcp://" + mqtt.Addr()
	u.conf.Gateway.Listen, u.conf.Watch.Listen = freeAddr(u.conf.Gateway.Listen), freeAddr(u.conf.Watch.Listen)
	return u.serve(ctx, mqtt.Addr())
}

// serve runs the graph, and the patients once it has caught up. The patients
// go first, so that what they have sent is still carried.
func (u *up) serve(ctx context.Context, mqttAddr string) error {
	h := newHouse(u.conf, u.log)
	graph, err := h.topology()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	graphCtx, endGraph := context.WithCancel(context.WithoutCancel(ctx))
	defer endGraph()
	var g errgroup.Group
	g.Go(func() error {
		defer cancel()
		return h.run(graphCtx, graph)
	})
	g.Go(func() error {
		defer endGraph()
		if err := u.patients(ctx, h, mqttAddr); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		<-ctx.Done()
		fmt.Fprintln(u.out, "\nEnding. The next start goes on here.")
		return nil
	})
	return g.Wait()
}

// patients admits the patients, says where everything is, and runs their patches.
func (u *up) patients(ctx context.Context, h *house, mqttAddr string) error {
	for !h.isReady() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	conf := u.conf.Simulate
	conf.Broker, conf.Site = "tcp://"+mqttAddr, u.conf.Kafka.Site
	conf.StateDir = filepath.Join(u.data, "patches")
	if len(conf.Records) > 0 {
		conf.Patients = len(conf.Records)
	}
	if u.noPatients {
		return u.greet(ctx, h, mqttAddr, 0)
	}
	patches, err := patch.New(conf, u.log)
	if err != nil {
		return err
	}
	if err := u.admit(ctx, conf.Patients, conf.Records); err != nil {
		return err
	}
	if err := u.greet(ctx, h, mqttAddr, conf.Patients); err != nil {
		return err
	}
	return patches.Run(ctx)
}

// admit puts each patient into a bed and binds the patch; what holds already is
// left as it is. Patients of an earlier start who are not of this one are
// discharged: nobody sends their data any more.
func (u *up) admit(ctx context.Context, patients int, records []string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	asks, err := u.discharges(ctx, patients)
	if err != nil {
		return err
	}
	for i := range patients {
		p := &topics.Patient{
			Patient: patientName(i), Unit: "4 West", Bed: fmt.Sprintf("B%02d", i+1), Alias: aliases[i%len(aliases)],
		}
		if i < len(records) {
			p.Alias = "Record " + filepath.Base(records[i])
		}
		asks = append(asks,
			&topics.Request{Kind: &topics.Request_PutPatient{PutPatient: p}},
			&topics.Request{Kind: &topics.Request_Bind{Bind: &topics.Bind{Device: patch.DeviceName(i), Patient: p.Patient}}})
	}
	stamp(upAuthor, asks)
	for _, r := range asks {
		if b := r.GetBind(); b != nil {
			b.AtUs = r.TimeUs // no patch sends yet
		}
	}
	outcomes, err := pipeline.Ask(ctx, u.conf.Kafka, u.log, asks...)
	if err != nil {
		return fmt.Errorf("admit the patients: %w", err)
	}
	for _, o := range outcomes {
		if !o.GetAccepted() {
			return fmt.Errorf("admit the patients: %s", o.GetProblem())
		}
	}
	return nil
}

// upAuthor is the account in whose name patients are admitted.
const upAuthor = "up"

func patientName(i int) string { return fmt.Sprintf("p%02d", i+1) }

// discharges are requests for the patients whom an earlier start admitted,
// beyond the first so many.
func (u *up) discharges(ctx context.Context, keep int) ([]*topics.Request, error) {
	there := map[string]*topics.Patient{}
	err := u.conf.Kafka.Scan(ctx, u.log, topics.Settings, kafka.Since{Start: true}, func(r topics.Record[proto.Message], bad error) error {
		if s, ok := r.Value.(*topics.Setting); ok && bad == nil && s.GetPatient() != nil && s.Author == upAuthor {
			there[s.GetPatient().Patient] = s.GetPatient()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range keep {
		delete(there, patientName(i))
	}
	var asks []*topics.Request
	for _, name := range sortedKeys(there) {
		if p := there[name]; !p.Discharged {
			p.Discharged = true
			asks = append(asks, &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: p}})
		}
	}
	return asks, nil
}

// aliases are what the page calls the patients of a demonstration.
var aliases = []string{
	"Heron 27", "Maple 04", "Kestrel 19", "Otter 33", "Birch 11", "Finch 52", "Cedar 08", "Plover 41",
	"Aspen 16", "Wren 22", "Lark 30", "Rowan 65", "Swift 09", "Alder 73", "Robin 38", "Hazel 57",
}

func (u *up) greet(ctx context.Context, h *house, mqttAddr string, patients int) error {
	page, err := h.gateway.Load().Addr(ctx)
	if err != nil {
		return err
	}
	brokers, hint := strings.Join(u.conf.Kafka.Brokers, ","), ""
	if brokers != strings.Join(defaultConfig().Kafka.Brokers, ",") {
		hint = " --set kafka.brokers=" + brokers
	}
	_, err = fmt.Fprintf(u.out, `The brokers in this process are for trying and teaching: they are not proof against power loss.

  page   http://%s
  MQTT   tcp://%s      patches publish on %s/v1/{device}/frames
  Kafka  %s       heartwire tail chart%s
  data   %s

%d patients. Ctrl-C ends.
`, page, mqttAddr, u.conf.Kafka.Site, brokers, hint, u.data, patients)
	return err
}

// siteKey makes the site's root key at the first start.
func (u *up) siteKey() error {
	if err := os.MkdirAll(u.data, 0o700); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	path := filepath.Join(u.data, "site.key")
	u.conf.Bridge.SiteKeyFile = path
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make the site key: %w", err)
	}
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return fmt.Errorf("make the site key: %w", err)
	}
	return nil
}

// freePort is the port if it can be had, else 0.
func freePort(port int) int {
	ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return 0
	}
	_ = ln.Close()
	return port
}

// freeAddr is the address if it can be had, else the same host with a free port.
func freeAddr(addr string) string {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			return net.JoinHostPort(host, "0")
		}
		return addr
	}
	_ = ln.Close()
	return addr
}
