package main

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"

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
		RunE:      func(cmd *cobra.Command, args []string) error { return a.runNodes(cmd, args...) },
	}
}

func (a *app) sinkCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "sink NAME",
		Short:     "Run a sink: gateway",
		Long:      `Sink runs what carries records out of the log. The gateway serves the page and its WebSocket.`,
		Args:      cobra.MatchAll(cobra.MinimumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"gateway"},
		RunE:      func(cmd *cobra.Command, args []string) error { return a.runNodes(cmd, args...) },
	}
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

// collectLess lets garbage grow to four times of what lives before it is
// collected. Little lives in a bridge, and nearly all that it makes is thrown
// away at once: at full speed it costs a quarter less CPU, for 30 MB. GOGC goes
// over it.
func (a *app) collectLess() {
	if !slices.ContainsFunc(a.environ, func(kv string) bool { return strings.HasPrefix(kv, "GOGC=") }) {
		debug.SetGCPercent(400)
	}
}

// run runs nodes, with their metrics, until ctx ends.
func (h *house) run(ctx context.Context, nodes pipeline.Topology) error {
	runner, err := pipeline.NewRunner(h.conf.Pipeline, h.conf.Kafka, nodes, build(), h.log, h.metrics)
	if err != nil {
		return err
	}
	h.runner.Store(runner)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return runner.Run(ctx) })
	g.Go(func() error { return serveOps(ctx, h.conf.Ops, h.metrics, runner.Ready, h.log) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
