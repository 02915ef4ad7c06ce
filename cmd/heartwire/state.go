package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heartwire/pipeline"
	"heartwire/topics"
)

func (a *app) stateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Show what stages believe of a patient",
		Long: `State shows what stages believe of a patient, now or as of a place in the log:
the checkpoint that was written last, and what came after it, folded in silence.
It reads, and changes nothing.

PATIENT is the key, as bind and tail name it; that of the registry, which has one
state for all, is the name of the site. A place is a time
(2026-03-01T08:15:00Z), a duration before now (8h), or PARTITION@OFFSET of the
topic that the stage reads: what stands before it is folded.`,
	}
	cmd.AddCommand(a.stateDumpCommand(), a.stateDiffCommand())
	return cmd
}

func (a *app) stateDumpCommand() *cobra.Command {
	var stage, at string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "dump PATIENT", Short: "Print what each stage, or one, believes of a patient", Args: cobra.ExactArgs(1),
		Example: `  heartwire state dump p03
  heartwire state dump p03 --stage rhythm --at 2026-03-01T08:15:00Z
  heartwire state dump p03 --stage beats --at 3@120000 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			point, err := parseAt("--at", at, stage)
			if err != nil {
				return err
			}
			looks, err := a.look(cmd, stage, topics.Key(args[0]), point)
			if err != nil {
				return err
			}
			for _, l := range looks[0] {
				if err := dump(cmd.OutOrStdout(), l, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&stage, "stage", "", "only what this `stage` believes")
	f.StringVar(&at, "at", "", "as of this `place` in the log; without it, now")
	f.BoolVar(&asJSON, "json", false, "one JSON object a stage, with nothing left out")
	return cmd
}

func (a *app) stateDiffCommand() *cobra.Command {
	var stage, from, to string
	cmd := &cobra.Command{
		Use: "diff PATIENT --from PLACE [--to PLACE]", Short: "Print what changed between two places", Args: cobra.ExactArgs(1),
		Example: `  heartwire state diff p03 --from 10m --to 5m
  heartwire state diff p03 --stage alarms --from 3@120000 --to 3@120010`,
		RunE: func(cmd *cobra.Command, args []string) error {
			first, err := parseAt("--from", from, stage)
			if err != nil {
				return err
			}
			second, err := parseAt("--to", to, stage)
			if err != nil {
				return err
			}
			looks, err := a.look(cmd, stage, topics.Key(args[0]), first, second)
			if err != nil {
				return err
			}
			for i := range looks[0] {
				diff(cmd.OutOrStdout(), looks[0][i], looks[1][i])
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&stage, "stage", "", "only what this `stage` believes")
	f.StringVar(&from, "from", "", "the earlier `place` in the log")
	f.StringVar(&to, "to", "", "the later `place`; without it, now")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// parseAt reads a place; nothing is now.
func parseAt(flag, text, stage string) (*pipeline.Point, error) {
	if text == "" {
		return nil, nil
	}
	p, err := parsePoint(flag, text, time.Now())
	if err == nil && p.Time.IsZero() && stage == "" {
		return nil, fmt.Errorf("%s %s is an offset in what one stage reads: say which with --stage", flag, text)
	}
	return p, err
}

// look asks one stage, or all, what it believes of a patient at some points,
// and gives those that know the patient at one of them.
func (a *app) look(cmd *cobra.Command, name string, key topics.Key, points ...*pipeline.Point) ([][]pipeline.Look, error) {
	conf, err := a.load()
	if err != nil {
		return nil, err
	}
	all, err := newHouse(conf.Config, quiet()).stages()
	if err != nil {
		return nil, err
	}
	asked := all
	if name != "" {
		if asked, err = all.Only(name); err != nil {
			return nil, fmt.Errorf("--stage: %w", err)
		}
	}
	_, log, err := a.reach(cmd)
	if err != nil {
		return nil, err
	}
	out := make([][]pipeline.Look, len(points))
	var errs []error
	for _, node := range asked {
		if name == "" && node.Name == "registry" && string(key) != conf.Kafka.Site {
			continue
		}
		var looks []pipeline.Look
		known := false
		for _, at := range points {
			l, err := pipeline.LookAt(cmd.Context(), conf.Kafka, log, node, key, at)
			if err != nil {
				errs = append(errs, err)
				break
			}
			looks = append(looks, l)
			known = known || l.State != nil
		}
		for i := range looks {
			if known && len(looks) == len(points) {
				out[i] = append(out[i], looks[i])
			}
		}
	}
	if len(out[0]) > 0 {
		// Those that cannot be asked are not passed over in silence.
		return out, errors.Join(errs...)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return nil, a.unknown(cmd, name, conf, all, key)
}

// unknown says who does know a patient whom a stage does not.
func (a *app) unknown(cmd *cobra.Command, name string, conf *loaded, all pipeline.Topology, key topics.Key) error {
	var who []string
	for _, node := range all {
		if l, err := pipeline.LookAt(cmd.Context(), conf.Kafka, quiet(), node, key, nil); err == nil && l.State != nil {
			who = append(who, node.Name)
		}
	}
	if len(who) == 0 {
		return errors.New("no stage knows this patient now: is the key spelled as in `heartwire tail frames`?")
	}
	return fmt.Errorf("not known there to %s; known now to: %s", cmp.Or(name, "any stage"), strings.Join(who, ", "))
}

// dump prints a look: for people with long lists cut short, as JSON whole.
func dump(out io.Writer, l pipeline.Look, asJSON bool) error {
	if asJSON {
		line := map[string]any{
			"stage": l.Stage, "version": l.Version, "topic": l.Topic, "partition": l.Partition, "offset": l.Offset,
			"tick": l.Tick, "elapsed": l.Elapsed.String(), "state": jsonOf(l.State),
		}
		if l.Tick > 0 {
			line["time"] = l.Wall
		}
		b, err := jsonLine(line)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", b)
		}
		return err
	}
	fmt.Fprintln(out, title(l))
	for _, leaf := range leaves(l.State) {
		fmt.Fprintf(out, "  %s: %s\n", leaf.path, leaf.short())
	}
	return nil
}

// title says whose belief it is, and of when.
func title(l pipeline.Look) string {
	when := "no tick yet"
	if l.Tick > 0 {
		when = fmt.Sprintf("tick %d, %s", l.Tick, l.Wall.Format(time.RFC3339))
	}
	return fmt.Sprintf("%s at %d@%d of %s: %s, state version %d", l.Stage, l.Partition, l.Offset, l.Topic, when, l.Version)
}

// diff prints what differs between two looks of one stage.
func diff(out io.Writer, a, b pipeline.Look) {
	fmt.Fprintf(out, "%s\n%s\n", title(a), title(b))
	was := map[string]leaf{}
	for _, l := range leaves(a.State) {
		was[l.path] = l
	}
	same := true
	var gone []leaf
	for _, now := range leaves(b.State) {
		then, there := was[now.path]
		delete(was, now.path)
		if there && then.full == now.full {
			continue
		}
		same = false
		if !there {
			then.full = "—"
		}
		from, to := apart(then, now)
		fmt.Fprintf(out, "  %s: %s → %s\n", now.path, from, to)
	}
	for _, l := range was {
		gone = append(gone, l)
	}
	slices.SortFunc(gone, func(a, b leaf) int { return cmp.Compare(a.path, b.path) })
	for _, l := range gone {
		fmt.Fprintf(out, "  %s: %s → —\n", l.path, l.short())
	}
	if same && len(gone) == 0 {
		fmt.Fprintln(out, "  no difference")
	}
}
