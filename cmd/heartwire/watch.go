package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/kafka"
	"heartwire/sinks/watch"
	"heartwire/topics"
)

// watchNode is the name of the watcher in the graph.
const watchNode = "watch"

func (a *app) watchCommand() *cobra.Command {
	var synthetic string
	list := []shortcut{
		{"listen", "watch.listen", "`address` at which it answers"},
		{"node", "watch.nodes", "an `address` that answers 200 while a process is well; again for the next one"},
	}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch that everybody is monitored, and say within 15 s who is not",
		Long: `Watch looks at what comes out of the stages, by its own clock, and says within
15 s that a patient, a unit, a node or the whole site is not monitored: in the
topic pages, in its log, and at its address, which it serves though Kafka is
away. Run it on another machine than what it watches, or two of them: they do
not say the same twice.

  GET /v1/watch   200 while everybody is monitored, else 503 and who is not
  GET /healthz    200 while it looks
  GET /metrics    for Prometheus

Let something else poll /v1/watch: nobody notices by himself that the watcher is
gone. It listens on the loopback alone.

With --synthetic it is also the patch of a patient who is none, in the unit
"synthetic", whose heart stands still in each minute: the alarm of it has to come
out. It publishes as heartwire simulate does, by the settings simulate.broker,
ca_file, user and password_file. Two watchers need two names: --synthetic=synthetic-2.`,
		Example: `  heartwire watch --config heartwire.yaml
  heartwire watch --synthetic --node http://127.0.0.1:9464/readyz
  curl -fsS http://127.0.0.1:9465/v1/watch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.sets = append(a.sets, given(cmd.Flags(), list)...)
			return a.runWatch(cmd, synthetic)
		},
	}
	addShortcuts(cmd.Flags(), list)
	cmd.Flags().StringVar(&synthetic, "synthetic", "", "be the patch of a synthetic patient of this `name`")
	cmd.Flags().Lookup("synthetic").NoOptDefVal = topics.SyntheticUnit
	return cmd
}

// runWatch runs the watcher, and the synthetic patient if it has a name.
func (a *app) runWatch(cmd *cobra.Command, synthetic string) error {
	conf, err := a.load()
	if err != nil {
		return err
	}
	log, err := a.logger(cmd)
	if err != nil {
		return err
	}
	log.Info(notice)
	h := newHouse(conf.Config, log)
	node, err := h.watches()
	if err != nil {
		return err
	}
	if synthetic == "" {
		return h.run(cmd.Context(), pipeline.Topology{node})
	}
	patches, err := h.syntheticPatch(synthetic)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(cmd.Context())
	g.Go(func() error { return h.run(ctx, pipeline.Topology{node}) })
	g.Go(func() error {
		if err := h.admitSynthetic(ctx, synthetic); err != nil {
			return err
		}
		return patches.Run(ctx)
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// How far back the watcher reads: standby is said again each hour, pages while
// they last, at most as far apart; a Second comes each second.
const (
	recentStandby = recentAlarms
	recentPages   = recentAlarms
	recentCharts  = 30 * time.Second
)

// watches is the watcher's node: how it is fed. It looks and answers by its own Run.
func (h *house) watches() (pipeline.Node, error) {
	log := h.log.With("node", watchNode)
	w, err := watch.New(h.conf.Watch, int(h.conf.Kafka.Partitions), newSiteLog(h.conf.Kafka, log), log, h.metrics)
	if err != nil {
		return pipeline.Node{}, err
	}
	h.watch.Store(w)
	fed := func(ctx context.Context) error { <-ctx.Done(); return nil }
	node := pipeline.Live(watchNode, fed, w.CaughtUp,
		pipeline.From(topics.Settings, 0, w.Settings()),
		pipeline.From(topics.Pages, recentPages, w.Pages()),
		pipeline.From(topics.Charts, recentCharts, w.Charts()),
		pipeline.From(topics.Alarms, recentStandby, w.Alarms()),
	)
	node.Writes = []topics.Spec{topics.Pages.Spec}
	return node, nil
}

// siteLog is the log of a site, as the watcher needs it.
type siteLog struct {
	*pipeline.Writer
	kafka.Config
	log *slog.Logger
}

func newSiteLog(conf kafka.Config, log *slog.Logger) siteLog {
	return siteLog{pipeline.NewWriter(conf, log, watchNode), conf, log}
}

var errThere = errors.New("it is there")

// Since implements watch.Log.
func (l siteLog) Since(ctx context.Context, t topics.Any, key topics.Key, at time.Time) (bool, error) {
	err := l.Scan(ctx, l.log, t, kafka.Since{Time: at, Of: key}, func(r topics.Record[proto.Message], _ error) error {
		if r.Key == key {
			return errThere
		}
		return nil
	})
	if errors.Is(err, errThere) {
		return true, nil
	}
	return false, err
}

var syntheticName = regexp.MustCompile(`^synthetic(-[a-z0-9-]{1,48})?$`)

// syntheticPatch is the patch of the synthetic patient, which tells the watcher
// what the MQTT broker has.
func (h *house) syntheticPatch(name string) (*patch.Ward, error) {
	if !syntheticName.MatchString(name) {
		return nil, fmt.Errorf("--synthetic %q: want synthetic, or synthetic- and lower-case letters, digits and dashes", name)
	}
	w := h.watch.Load()
	w.Synthetic(topics.Key(name))
	conf := patch.DefaultConfig()
	from := h.conf.Simulate
	conf.Broker, conf.CAFile, conf.User, conf.PasswordFile = from.Broker, from.CAFile, from.User, from.PasswordFile
	conf.Site, conf.StateDir = h.conf.Kafka.Site, ""
	conf.Patients, conf.Devices, conf.Scripts, conf.Records = 1, []string{name}, []string{watch.Script}, nil
	conf.Rate, conf.Leads, conf.Vitals = watch.ScriptRate, []string{"II"}, 0
	conf.Backlog, conf.Behaviour = time.Minute, patch.Behaviour{Battery: -1}
	conf.Entries = func(e patch.Entry) {
		if e.Fate == patch.Delivered {
			w.Sent(e.Boot, e.First+uint64(e.Count)-1, e.Due)
		}
	}
	return patch.New(conf, h.log.With("node", watchNode))
}

// admitSynthetic puts the synthetic patient into its unit and binds its patch
// before that sends, so that nobody sees it as a device bound to nobody. It tries
// until the registry has done it: that it cannot is found out when no alarm comes.
func (h *house) admitSynthetic(ctx context.Context, name string) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		asks := []*topics.Request{
			{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: name, Unit: topics.SyntheticUnit, Alias: "Synthetic"}}},
			{Kind: &topics.Request_Bind{Bind: &topics.Bind{Device: name, Patient: name}}},
		}
		stamp(watchNode, asks)
		asks[1].GetBind().AtUs = asks[1].TimeUs
		try, cancel := context.WithTimeout(ctx, 30*time.Second)
		outcomes, err := pipeline.Ask(try, h.conf.Kafka, h.log, asks...)
		cancel()
		for _, o := range outcomes {
			if err == nil && !o.GetAccepted() {
				return fmt.Errorf("admit the synthetic patient: %s", o.GetProblem())
			}
		}
		if err == nil || ctx.Err() != nil {
			return nil
		}
		h.log.Warn("the synthetic patient could not be admitted, trying again", "err", err, "in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
