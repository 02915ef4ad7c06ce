package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"heartwire/pipeline"
)

func (a *app) bridgeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bridge",
		Short: "Run a bridge: from patches into Kafka",
		Long: `Bridge takes what patches publish by MQTT and writes it to Kafka. It
acknowledges a message only when Kafka has it. A second bridge with the same
filter stands by, and takes over when the first is gone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.collectLess()
			return a.runNodes(cmd, "bridge")
		},
	}
}

func (a *app) clockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clock",
		Short: "Run a clock: a tick a second into each partition",
		Long: `Clock writes the ticks by which stages know that time has passed. Run two or
three: each partition has one owner, and another takes over when it is gone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runNodes(cmd, "clock") },
	}
}

func (a *app) stageCommand() *cobra.Command {
	names := []string{"beats", "rhythm", "alarms", "registry"}
	return &cobra.Command{
		Use:   "stage NAME...",
		Short: "Run stages: " + strings.Join(names, ", "),
		Long: `Stage runs one or more stages as members of their consumer groups. Start as
many processes as you like: partitions move to them with their state.`,
		Args:      cobra.MatchAll(cobra.MinimumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.collectByRoom()
			return a.runNodes(cmd, args...)
		},
	}
}

func (a *app) sinkCommand() *cobra.Command {
	var acceptLoss bool
	cmd := &cobra.Command{
		Use:   "sink NAME",
		Short: "Run a sink: gateway, strips",
		Long: `Sink runs what carries records out of the log. The gateway serves the page and its
WebSocket. Strips keeps the 20 s of samples about each alarm's onset for as long
as the alarm, in a topic of their own: see heartwire alarms why --strip. It looks
back into the frames of the last seconds, and must not be off for longer than
frames are kept (7 days). Run two or more, and partitions are shared out.

A sink that fills a store stands still, and says so, where the log has forgotten
what it was to deliver next. That the store has a hole is for a person to
decide: end the sink everywhere, run it once with --accept-loss, which says what
is lost and ends, and start it again.`,
		Args:      cobra.MatchAll(cobra.MinimumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"gateway", "strips"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if acceptLoss {
				return a.acceptLoss(cmd, args)
			}
			return a.runNodes(cmd, args...)
		},
	}
	cmd.Flags().BoolVar(&acceptLoss, "accept-loss", false, "do not run it, but let it go on behind what the log has forgotten, and say what is lost")
	return cmd
}

// acceptLoss lets sinks go on behind holes.
func (a *app) acceptLoss(cmd *cobra.Command, names []string) error {
	conf, err := a.load()
	if err != nil {
		return err
	}
	log, err := a.logger(cmd)
	if err != nil {
		return err
	}
	graph, err := newHouse(conf.Config, log).topology()
	if err != nil {
		return err
	}
	nodes, err := graph.Only(names...)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		holes, err := n.AcceptLoss(cmd.Context(), conf.Kafka, log)
		if err != nil {
			return err
		}
		if err := printHoles(cmd.OutOrStdout(), n.Name, holes); err != nil {
			return err
		}
	}
	return nil
}

func printHoles(out io.Writer, sink string, holes []pipeline.Hole) error {
	if len(holes) == 0 {
		_, err := fmt.Fprintf(out, "Nothing is lost: the log holds all that %s has not delivered yet.\n", sink)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TOPIC\tPARTITION\tLOST\tOFFSETS\tGOES ON WITH WHAT WAS WRITTEN")
	for _, h := range holes {
		lost, since := "unknown: the log was cut off or made anew", "from now on"
		if n := h.Lost(); n > 0 {
			lost = fmt.Sprintf("at most %d", n) // ends of transactions count among them
		}
		if !h.Since.IsZero() {
			since = "from " + h.Since.Format(time.RFC3339) + " on"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d to %d\t%s\n", h.Topic, h.Partition, lost, h.Next, h.First, since)
	}
	return w.Flush()
}

// runNodes runs some nodes of the graph until the process is told to end.
func (a *app) runNodes(cmd *cobra.Command, names ...string) error {
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
	if err := h.checkSiteKey(); err != nil && (slices.Contains(names, "bridge") || slices.Contains(names, "registry")) {
		return err
	}
	graph, err := h.topology()
	if err != nil {
		return err
	}
	nodes, err := graph.Only(names...)
	if err != nil {
		return err
	}
	return h.run(cmd.Context(), nodes)
}

// roomForGarbage is how much a stage's process lets gather before it is
// collected, whatever lives: a stage with little state, which throws away nearly
// all that it reads, would else collect all the time. Memory that nobody has
// touched counts for the collector and takes none of the machine's.
const roomForGarbage = 64 << 20

var untouched []byte

// collectByRoom makes that room. GOGC and GOMEMLIMIT go over it.
func (a *app) collectByRoom() {
	if !a.collectsAsTold() {
		untouched = make([]byte, roomForGarbage)
	}
}

// collectsAsTold reports whether who started the process says how to collect garbage.
func (a *app) collectsAsTold() bool {
	return slices.ContainsFunc(a.environ, func(kv string) bool {
		return strings.HasPrefix(kv, "GOGC=") || strings.HasPrefix(kv, "GOMEMLIMIT=")
	})
}

// collectLess lets garbage grow to four times of what lives before it is
// collected. Little lives in a bridge, and nearly all that it makes is thrown
// away at once: at full speed it costs a quarter less CPU, for 30 MB. GOGC and
// GOMEMLIMIT go over it.
func (a *app) collectLess() {
	if !a.collectsAsTold() {
		debug.SetGCPercent(400)
	}
}

// run runs nodes, with their metrics, until ctx ends.
func (h *house) run(ctx context.Context, nodes pipeline.Topology) error {
	runner, err := pipeline.NewRunner(h.conf.Pipeline, h.conf.Kafka, nodes, build(), h.log, h.metrics)
	if err != nil {
		return err
	}
	traces, closeTraces, err := h.conf.Trace.Open(h.conf.Kafka.Site, h.conf.Pipeline.Instance, build(), h.log)
	if err != nil {
		return err
	}
	defer closeTraces()
	h.traces = traces
	runner.Trace(traces)
	if g := h.gateway.Load(); g != nil { // there is none where the graph was not made
		g.Trace(traces)
	}
	h.runner.Store(runner)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return runner.Run(ctx) })
	if slices.ContainsFunc(nodes, func(n pipeline.Node) bool { return n.Name == watchNode }) {
		// It looks and answers though the node cannot begin, for want of Kafka.
		g.Go(func() error { return h.watch.Load().Run(ctx) })
	}
	g.Go(func() error { return h.serveOps(ctx, runner) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
