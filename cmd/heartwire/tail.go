package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

func (a *app) tailCommand() *cobra.Command {
	var t tail
	cmd := &cobra.Command{
		Use:   "tail TOPIC",
		Short: "Print the records of a topic as they come",
		Long: `Tail prints the records of a topic, decoded, as they come: one line each, with
its time, its place in the log, its key and what it says. Ticks are left out
unless --ticks asks for them.

Topics: ` + topicNames(", "),
		Example: `  heartwire tail chart
  heartwire tail alarms --since 24h
  heartwire tail frames --patient p03 --json -n 1`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: topicList(),
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, ok := topics.Find(args[0])
			if !ok {
				return fmt.Errorf("no topic %q; there are %s", args[0], topicNames(", "))
			}
			conf, _, err := a.reach(cmd)
			if err != nil {
				return err
			}
			t.topic, t.out = topic, cmd.OutOrStdout()
			return t.run(cmd.Context(), conf.Kafka)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.patient, "patient", "", "only records with this `key`")
	f.BoolVar(&t.json, "json", false, "one JSON object a line")
	f.BoolVar(&t.ticks, "ticks", false, "print ticks too")
	f.StringVar(&t.since, "since", "", "begin this long `ago` (10s, 24h), or with all: the earliest record")
	f.IntVarP(&t.most, "count", "n", 0, "end after this many records")
	return cmd
}

// tail prints one topic.
type tail struct {
	topic   topics.Any
	out     io.Writer
	patient string
	since   string
	json    bool
	ticks   bool
	most    int

	printed int
}

var errEnough = errors.New("enough")

func (t *tail) run(ctx context.Context, conf kafka.Config) error {
	since, err := parseSince(t.since)
	if err != nil {
		return err
	}
	err = conf.Tail(ctx, quiet(), t.topic, since, t.print)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// parseSince reads --since: nothing is now.
func parseSince(text string) (kafka.Since, error) {
	if text == "all" || text == "" {
		return kafka.Since{Start: text == "all"}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return kafka.Since{}, fmt.Errorf("--since %s: want a duration such as 10s or 24h, or all", text)
	}
	return kafka.Since{Time: time.Now().Add(-d)}, nil
}

func (t *tail) print(r topics.Record[proto.Message], bad error) error {
	if t.patient != "" && string(r.Key) != t.patient {
		return nil
	}
	if r.Value != nil && t.topic.TickOf(r.Value) != nil && !t.ticks {
		return nil
	}
	line := t.text(r, bad)
	if t.json {
		b, err := t.object(r, bad)
		if err != nil {
			return err
		}
		line = string(b)
	}
	if _, err := fmt.Fprintln(t.out, line); err != nil {
		return err
	}
	if t.printed++; t.printed == t.most {
		return errEnough
	}
	return nil
}

func (t *tail) text(r topics.Record[proto.Message], bad error) string {
	what := ""
	switch {
	case bad != nil:
		what = "cannot be read: " + bad.Error()
	case r.Value == nil:
		what = "(deleted)"
	default:
		what = describe(r.Value)
	}
	return fmt.Sprintf("%s %d@%-6d %-10s %s", r.Time.UTC().Format("15:04:05.000"), r.Partition, r.Offset, string(r.Key), what)
}

func (t *tail) object(r topics.Record[proto.Message], bad error) ([]byte, error) {
	value := rawJSON("null")
	if r.Value != nil && bad == nil {
		var err error
		if value, err = valueJSON(t.topic, r.Value); err != nil {
			return nil, err
		}
	}
	return jsonLine(map[string]any{
		"topic": t.topic.About().Name, "partition": r.Partition, "offset": r.Offset, "time": r.Time.UTC(),
		"key": string(r.Key), "origin": r.Origin.String(), "value": value,
	})
}

// valueJSON is what a record says, as JSON.
func valueJSON(topic topics.Any, v proto.Message) (rawJSON, error) {
	b, err := protojson.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("print a record of %s: %w", topic.About().Name, err)
	}
	return b, nil
}
