// Command heartwire carries ECG from wireless patches to the people who must
// act on it. Each part of the system is a subcommand of this one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // the site's zone, where the system knows none

	"github.com/spf13/cobra"
)

const notice = "Heartwire is not a certified medical device. Use it beside, never instead of, a certified monitor."

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run is main with what it touches named, and gives the exit code.
func run(args, environ []string, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand(environ)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(errOut, "heartwire:", err)
		}
		return 1
	}
	return 0
}

// app is what every command shares: where the configuration comes from.
type app struct {
	environ  []string
	path     string
	sets     []string
	logLevel string
}

func rootCommand(environ []string) *cobra.Command {
	a := &app{environ: environ}
	root := &cobra.Command{
		Use:   "heartwire",
		Short: "ECG from wireless patches to the people who must act on it",
		Long: `Heartwire takes ECG from wireless patches by MQTT, keeps it in Kafka, finds
beats, rhythms and alarms in it, and shows them on a page.

To try it, type

  heartwire up

and open the address that it prints. Everything then runs in this one process:
a broker for MQTT, one for Kafka, eight synthetic patients and the page.

` + notice,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       build(),
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.path, "config", "", "read settings from this YAML `file`")
	flags.StringArrayVar(&a.sets, "set", nil, "set one setting, over the file and the environment: `key=value`, as in kafka.site=west")
	flags.StringVar(&a.logLevel, "log", "info", "log `level`: debug, info, warn or error")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "records", Title: "Judge recordings:"},
		&cobra.Group{ID: "look", Title: "Look and change:"},
	)
	for _, c := range []struct {
		group string
		cmd   *cobra.Command
	}{
		{"run", a.upCommand()},
		{"run", a.bridgeCommand()},
		{"run", a.stageCommand()},
		{"run", a.sinkCommand()},
		{"run", a.clockCommand()},
		{"run", a.watchCommand()},
		{"run", a.simulateCommand()},
		{"records", a.annotateCommand()},
		{"records", a.scoreCommand()},
		{"records", a.backtestCommand()},
		{"look", a.tailCommand()},
		{"look", a.replayCommand()},
		{"look", a.stateCommand()},
		{"look", a.bindCommand()},
		{"look", a.alarmsCommand()},
		{"look", a.limitsCommand()},
		{"look", a.accountCommand()},
		{"look", a.rulesCommand()},
		{"look", a.rejectsCommand()},
		{"look", a.auditCommand()},
		{"look", a.topicsCommand()},
		{"look", a.topologyCommand()},
		{"look", a.openapiCommand()},
		{"look", a.configCommand()},
		{"look", a.benchCommand()},
	} {
		c.cmd.GroupID = c.group
		root.AddCommand(c.cmd)
	}
	return root
}

// load reads the configuration as the flags say.
func (a *app) load() (*loaded, error) { return load(a.path, a.environ, a.sets) }

// reach loads the configuration and waits until its Kafka answers.
func (a *app) reach(cmd *cobra.Command) (*loaded, *slog.Logger, error) {
	conf, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	log, err := a.logger(cmd)
	if err != nil {
		return nil, nil, err
	}
	return conf, log, conf.Kafka.Await(cmd.Context(), log)
}

// logger writes to the command's error stream.
func (a *app) logger(cmd *cobra.Command) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, fmt.Errorf("--log %s: want debug, info, warn or error", a.logLevel)
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})), nil
}

// build names this build: the version of the module, or the commit it was made from.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v = s.Value
		}
	}
	return v
}
