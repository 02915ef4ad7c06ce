package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"heartwire/pipeline"
	"heartwire/pipeline/bridge"
	"heartwire/pipeline/bridge/mqtt"
	"heartwire/topics"
)

func (a *app) redriveCommand() *cobra.Command {
	var r redrive
	cmd := &cobra.Command{
		Use:   "redrive [PARTITION@OFFSET...]",
		Short: "Take rejects back into the flow, once their cause has been removed",
		Long: `Redrive takes rejects back into the flow once what made them rejects has been
removed, by a build that reads or folds them. Name them as ls does, or say with
--reason and --since which.

  A patch's frame that the bridge refused is read again, as of the time when it
  came, and written to frames under the patient its device belonged to then. So
  is a frame on which the stage beats failed. It arrives now and is late: its
  beats are found apart, are marked late, and page nobody.

  A request on which the registry failed is asked again, under its own id, so
  that it is never done twice. One that is over ten minutes old is refused: ask
  anew instead.

  What a stage made (annotations, chart) is not taken back: the log holds what
  it was made from. Run the stage again with heartwire replay.

  Nor is a vital, a presence, a binding or a tick, which is of its moment and
  would be taken for now, a message that contradicts samples which were
  accepted, or one of which only the begin was kept.

All that can be taken back is written in one transaction, with a note in rejects,
and carries the place of its reject as its origin. What has been redriven is not
redriven again without --again.`,
		Example: `  heartwire rejects redrive 3@17
  heartwire rejects redrive --reason unfoldable --since 24h --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(a, cmd, args) },
	}
	f := cmd.Flags()
	f.StringVar(&r.reason, "reason", "", "all with this `reason`, instead of places")
	f.StringVar(&r.since, "since", "", "of these the ones that were rejected this long `ago` or later, or with all: any")
	f.BoolVar(&r.dry, "dry-run", false, "only tell what would be done")
	f.BoolVar(&r.again, "again", false, "also what has been redriven before")
	return cmd
}

// redrive is the command line of one.
type redrive struct {
	reason, since string
	dry, again    bool
}

func (r *redrive) run(a *app, cmd *cobra.Command, args []string) error {
	want, err := r.wanted(args)
	if err != nil {
		return err
	}
	conf, log, err := a.reach(cmd)
	if err != nil {
		return err
	}
	again := &rejectedFrames{conf: conf.Config, log: log}
	list, err := pipeline.Redrive{
		Want: want, Again: r.again, Dry: r.dry,
		Frame: func(reject *topics.Reject) (*topics.Frame, error) { return again.frame(cmd.Context(), reject) },
	}.Run(cmd.Context(), conf.Kafka, log)
	if err != nil {
		return err
	}
	return r.tell(cmd, list, args)
}

// wanted is the choice that the command line makes.
func (r *redrive) wanted(args []string) (func(topics.Record[*topics.Reject]) bool, error) {
	if (len(args) > 0) == (r.reason != "" && r.since != "") {
		return nil, errors.New("name rejects as PARTITION@OFFSET, or say which with --reason and --since")
	}
	if len(args) > 0 && (r.reason != "" || r.since != "") {
		return nil, errors.New("name rejects, or say which with --reason and --since, not both")
	}
	if len(args) == 0 {
		since, err := parseSince(r.since)
		if err != nil {
			return nil, err
		}
		from := since.Time.UnixMicro()
		return func(v topics.Record[*topics.Reject]) bool {
			return v.Value.Reason == r.reason && (since.Start || v.Value.TimeUs >= from)
		}, nil
	}
	places := map[pipeline.Place]bool{}
	for _, text := range args {
		at, err := parsePlace(text)
		if err != nil {
			return nil, err
		}
		places[at] = true
	}
	return func(v topics.Record[*topics.Reject]) bool {
		return places[pipeline.Place{Partition: v.Partition, Offset: v.Offset}]
	}, nil
}

// tell prints what became of each; it is an error when one was left out.
func (r *redrive) tell(cmd *cobra.Command, list []pipeline.Redriven, args []string) error {
	for _, text := range args {
		at, _ := parsePlace(text) // it could be read before
		if !slices.ContainsFunc(list, func(v pipeline.Redriven) bool { return v.Place == at }) {
			list = append(list, pipeline.Redriven{Place: at, Err: errors.New("there is no reject")})
		}
	}
	out, did, left := cmd.OutOrStdout(), "redriven to", 0
	if r.dry {
		did = "would go to"
	}
	for _, v := range list {
		if v.Err != nil {
			left++
			fmt.Fprintf(out, "%s left out: %v\n", v.Place, v.Err)
			continue
		}
		fmt.Fprintf(out, "%s %s %s\n", v.Place, did, v.Topic)
	}
	if left > 0 {
		return fmt.Errorf("%d of %d were left out", left, len(list))
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "No rejects.")
	}
	return nil
}

// rejectedFrames reads again what a bridge over MQTT has refused. What must be
// known for that is read with the first.
type rejectedFrames struct {
	conf     Config
	log      *slog.Logger
	source   *mqtt.Source
	rejected *bridge.Rejected
}

func (f *rejectedFrames) frame(ctx context.Context, r *topics.Reject) (*topics.Frame, error) {
	if r.Reason == string(bridge.Conflict) {
		return nil, errors.New("other samples were accepted in its place, and a sample is said once")
	}
	if f.rejected == nil {
		var err error
		if f.source, err = mqtt.New(f.conf.MQTT, f.conf.Kafka.Site, f.log); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if f.rejected, err = bridge.NewRejected(ctx, f.conf.Bridge, f.conf.Kafka, f.log); err != nil {
			return nil, err
		}
	}
	device, kind, ok := f.source.Match(r.Source)
	if !ok {
		return nil, errors.New("the MQTT topic that it came by is not known, or not one of mqtt.topic")
	}
	return f.rejected.Frame(bridge.Message{Kind: kind, Device: device, Payload: r.Original}, r.TimeUs)
}
