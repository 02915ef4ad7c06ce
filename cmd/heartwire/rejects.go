package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/topics"
)

func (a *app) rejectsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rejects",
		Short: "Look at what could not be read or folded, and take it back into the flow",
		Long: `Rejects is the topic of what could not be read or folded: a message that is no
frame, a record on which a stage failed. Nothing vanishes: each is kept with the
reason, where it came from, and its original bytes.`,
	}
	var since string
	ls := &cobra.Command{
		Use: "ls", Short: "List rejects, newest last, and count them by reason", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.rejectsList(cmd, since) },
	}
	ls.Flags().StringVar(&since, "since", "24h", "begin this long `ago`, or with all: the earliest")
	cmd.AddCommand(a.redriveCommand(), ls, &cobra.Command{
		Use: "show PARTITION@OFFSET", Short: "Show one reject whole", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.rejectsShow(cmd, args[0]) },
	})
	return cmd
}

func (a *app) rejectsList(cmd *cobra.Command, since string) error {
	all, err := a.readRejects(cmd, since)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	redriven, counts := redrives(all), map[string]int{}
	for _, r := range all {
		v := r.Value.(*topics.Reject)
		if _, is := pipeline.RedriveOf(v); is {
			continue
		}
		counts[v.Reason]++
		at := pipeline.Place{Partition: r.Partition, Offset: r.Offset}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s%s\n", at, topics.MicroTime(v.TimeUs).Format(toSecond), v.Source, v.Reason, redriven[at], firstLine(v.Detail))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(counts) == 0 {
		_, err := fmt.Fprintln(out, "No rejects.")
		return err
	}
	for _, reason := range sortedKeys(counts) {
		fmt.Fprintf(out, "%6d  %s\n", counts[reason], reason)
	}
	return nil
}

const toSecond = "2006-01-02 15:04:05"

// redrives are the places of rejects that were taken back, with the words that say when.
func redrives(all []topics.Record[proto.Message]) map[pipeline.Place]string {
	list := map[pipeline.Place]string{}
	for _, r := range all {
		v := r.Value.(*topics.Reject)
		if of, is := pipeline.RedriveOf(v); is {
			list[of] = "(redriven " + topics.MicroTime(v.TimeUs).Format(toSecond) + ") "
		}
	}
	return list
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (a *app) rejectsShow(cmd *cobra.Command, place string) error {
	want, err := parsePlace(place)
	if err != nil {
		return err
	}
	all, err := a.readRejects(cmd, "all")
	if err != nil {
		return err
	}
	for _, r := range all {
		if (pipeline.Place{Partition: r.Partition, Offset: r.Offset}) == want {
			return showReject(cmd.OutOrStdout(), r.Value.(*topics.Reject), redrives(all)[want])
		}
	}
	return fmt.Errorf("no reject at %s", place)
}

func parsePlace(text string) (pipeline.Place, error) {
	p, o, ok := strings.Cut(text, "@")
	partition, err1 := strconv.ParseInt(p, 10, 32)
	offset, err2 := strconv.ParseInt(o, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return pipeline.Place{}, fmt.Errorf("%q: name a reject as `heartwire rejects ls` does, PARTITION@OFFSET", text)
	}
	return pipeline.Place{Partition: int32(partition), Offset: offset}, nil
}

func showReject(out io.Writer, r *topics.Reject, redriven string) error {
	_, err := fmt.Fprintf(out, "reason  %s %s\ndetail  %s\nsource  %s\nkey     %s\ntime    %s\norigin  %s\nbytes   %d, %d kept\n%s%s\n",
		r.Reason, redriven, r.Detail, r.Source, r.Key, topics.MicroTime(r.TimeUs).Format(time.RFC3339Nano), r.Origin, r.Size, len(r.Original),
		hexDump(r.Original), r.Stack)
	return err
}

// readRejects reads what stands in rejects now.
func (a *app) readRejects(cmd *cobra.Command, since string) ([]topics.Record[proto.Message], error) {
	conf, log, err := a.reach(cmd)
	if err != nil {
		return nil, err
	}
	from, err := parseSince(since)
	if err != nil {
		return nil, err
	}
	var all []topics.Record[proto.Message]
	err = conf.Kafka.Scan(cmd.Context(), log, topics.Rejects, from, func(r topics.Record[proto.Message], bad error) error {
		if bad == nil && r.Value != nil {
			all = append(all, r)
		}
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return all, nil
}
