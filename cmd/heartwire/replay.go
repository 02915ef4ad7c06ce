package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/topics"
)

func (a *app) replayCommand() *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:   "replay --stage NAME --from WHEN [--to WHEN]",
		Short: "Run a stage again over a stretch of the log",
		Long: `Replay runs a stage, the very one that watches patients, over the log between
two places, and prints what it says as JSON lines. It begins with the states
that its patients were in: the stage keeps them once an hour, and what came
between is folded in silence.

WHEN is a time (2026-03-01T08:15:00Z), a duration before now (8h), all: the
earliest record, or PARTITION@OFFSET of the topic that the stage reads, for one
partition. A stretch ends before --to; without it, at what is committed now.

With --check what it says is held against what it said then, by key, origin and
value, ticks that it passes on among it, as far as the stage has committed. The
first difference is printed, and the exit code is 1 if there is any. Rejects are
not compared: the stack of a panic is never the same.

A replay has no consumer group: it reads partitions directly, commits nothing,
and does not disturb who watches patients. It has no way to a person or a
provider. --into topic:NAME takes no topic of a site.`,
		Example: `  heartwire replay --stage alarms --from 8h
  heartwire replay --stage beats --from 24h --check
  heartwire replay --stage rhythm --from 3@120000 --to 3@125000 --into file:chart.jsonl
  heartwire replay --stage beats --from 24h --patients p03,p07 --into topic:study.beats`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.replay(cmd, &r) },
	}
	f := cmd.Flags()
	f.StringVar(&r.stage, "stage", "", "the stage's `name`: beats, rhythm, alarms or registry")
	f.StringVar(&r.from, "from", "", "begin there: a time, a duration before now, PARTITION@OFFSET or all")
	f.StringVar(&r.to, "to", "", "end before this: a time, a duration before now or PARTITION@OFFSET")
	f.StringSliceVar(&r.patients, "patients", nil, "only what is said of these `keys`, with a comma between them")
	f.StringVar(&r.into, "into", "", "write to `topic:NAME or file:PATH` instead of printing")
	f.StringVar(&r.speed, "speed", "max", "max, or times as fast as it was: `1x`, 10x")
	f.BoolVar(&r.check, "check", false, "compare with what was said then")
	_ = cmd.MarkFlagRequired("stage")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// replay is what was typed.
type replay struct {
	stage, from, to, into, speed string
	patients                     []string
	check                        bool

	count int
	first *pipeline.Difference
}

var errDiffers = errors.New("the stage does not say what it said then")

func (a *app) replay(cmd *cobra.Command, r *replay) (err error) {
	run, err := r.parse(time.Now())
	if err != nil {
		return err
	}
	conf, err := a.load()
	if err != nil {
		return err
	}
	run.Kafka = conf.Kafka
	if run.Stage, err = decider(conf.Config, r.stage); err != nil {
		return err
	}
	if err := run.Validate(); err != nil {
		return err
	}
	if _, run.Log, err = a.reach(cmd); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	to := bufio.NewWriterSize(out, 64<<10)
	if path, ok := strings.CutPrefix(r.into, "file:"); ok {
		file, err := os.Create(path)
		if err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, file.Close()) }()
		to.Reset(file)
	}
	if run.Into == "" && (r.into != "" || !r.check) {
		run.Say = printSaid(to, run.Speed > 0)
	}
	if r.check {
		run.Differ = r.differ
	}
	if err := cmp.Or(lookOn(cmd.Context(), cmd.ErrOrStderr(), run), to.Flush()); err != nil {
		return err
	}
	if r.check {
		return r.report(out, run)
	}
	return nil
}

// parse reads the flags, but for the stage's name.
func (r *replay) parse(now time.Time) (*pipeline.Replay, error) {
	var run pipeline.Replay
	var err error
	if r.from != "all" {
		if run.From, err = parsePoint("--from", r.from, now); err != nil {
			return nil, err
		}
	}
	if r.to != "" {
		if run.To, err = parsePoint("--to", r.to, now); err != nil {
			return nil, err
		}
	}
	for _, p := range r.patients {
		run.Patients = append(run.Patients, topics.Key(p))
	}
	if r.speed != "max" {
		times, ok := strings.CutSuffix(r.speed, "x")
		if run.Speed, err = strconv.ParseFloat(times, 64); !ok || err != nil || !(run.Speed > 0 && run.Speed <= 1e6) {
			return nil, fmt.Errorf("--speed %s: want max, or how many times as fast, such as 1x or 10x", r.speed)
		}
	}
	switch name, ok := strings.CutPrefix(r.into, "topic:"); {
	case ok && name != "":
		run.Into = name
	case r.into != "" && (ok || !strings.HasPrefix(r.into, "file:") || r.into == "file:"):
		return nil, fmt.Errorf("--into %s: want topic:NAME or file:PATH", r.into)
	}
	return &run, nil
}

// decider is a stage by its name, with nothing else of the graph.
func decider(conf Config, name string) (pipeline.Node, error) {
	h := newHouse(conf, quiet())
	all, err := h.stages()
	if err != nil {
		return pipeline.Node{}, err
	}
	one, err := all.Only(name)
	if err != nil {
		return pipeline.Node{}, fmt.Errorf("--stage: %w", err)
	}
	if name == "registry" {
		if err := h.checkSiteKey(); err != nil {
			return pipeline.Node{}, fmt.Errorf("the registry names devices that are bound to nobody by the key of the site, which must be the one it ran with: %w", err)
		}
	}
	return one[0], nil
}

// parsePoint reads a place in the log.
func parsePoint(flag, text string, now time.Time) (*pipeline.Point, error) {
	if p, o, ok := strings.Cut(text, "@"); ok {
		partition, err1 := strconv.ParseInt(p, 10, 32)
		offset, err2 := strconv.ParseInt(o, 10, 64)
		if err1 == nil && err2 == nil && partition >= 0 && offset >= 0 {
			return &pipeline.Point{Partition: int32(partition), Offset: offset}, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return &pipeline.Point{Time: now.Add(-d)}, nil
	} else if t, err := time.Parse(time.RFC3339, text); err == nil {
		return &pipeline.Point{Time: t}, nil
	}
	return nil, fmt.Errorf("%s %s: want a time such as 2026-03-01T08:15:00Z, a duration before now such as 8h, or PARTITION@OFFSET", flag, text)
}

// printSaid prints what a stage says, a JSON object a line, each at once where
// people may look on. The time is that of the input.
func printSaid(w *bufio.Writer, atOnce bool) func(topics.Any, topics.Record[proto.Message]) error {
	return func(topic topics.Any, r topics.Record[proto.Message]) error {
		value, err := valueJSON(topic, r.Value)
		if err != nil {
			return err
		}
		b, err := jsonLine(map[string]any{
			"topic": topic.About().Name, "partition": r.Partition, "time": r.Time.UTC(),
			"key": string(r.Key), "origin": r.Origin.String(), "value": value,
		})
		if err != nil {
			return err
		}
		if _, err := w.Write(append(b, '\n')); err != nil || !atOnce {
			return err
		}
		return w.Flush()
	}
}

// differ counts a difference, and keeps the one of the earliest input.
func (r *replay) differ(d pipeline.Difference) {
	r.count++
	if r.first == nil || d.Time.Before(r.first.Time) {
		r.first = &d
	}
}

// report tells what the comparison has found.
func (r *replay) report(out io.Writer, run *pipeline.Replay) error {
	compared := run.Progress().Compared
	yes, no := run.Compared()
	fmt.Fprintf(out, "compared    %d records of %s\n", compared, specNames(yes))
	if len(no) > 0 {
		fmt.Fprintf(out, "            not %s, whose partitions are not those of the input\n", specNames(no))
	}
	fmt.Fprintf(out, "differences %d\n", r.count)
	if r.first == nil {
		if compared == 0 {
			return errors.New("nothing was said between the two places, so there was nothing to compare")
		}
		return nil
	}
	d := r.first
	line := map[string]any{
		"difference": d.What, "topic": d.Topic.About().Name, "origin": d.Origin.String(), "key": string(d.Key),
		"time": d.Time.UTC(), "then": bytesJSON(d.Topic, d.Then), "now": bytesJSON(d.Topic, d.Now),
	}
	b, err := jsonLine(line)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", b)
	return errDiffers
}

func specNames(all []topics.Any) string {
	var names []string
	for _, t := range all {
		names = append(names, t.About().Name)
	}
	return strings.Join(names, " and ")
}

// bytesJSON is an encoded value as JSON, null where there is none, and its
// length where it cannot be read.
func bytesJSON(topic topics.Any, b []byte) any {
	if b == nil {
		return nil
	}
	v, err := topic.Decode(b)
	if err != nil {
		return fmt.Sprintf("%d bytes that cannot be read", len(b))
	}
	value, err := valueJSON(topic, v)
	if err != nil {
		return err.Error()
	}
	return value
}
