package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/stages/alarms"
	"heartwire/stages/alarms/compare"
	"heartwire/stages/alarms/lives"
	"heartwire/stages/alarms/trial"
	"heartwire/topics"
)

func (a *app) backtestCommand() *cobra.Command {
	var b backtest
	cmd := &cobra.Command{
		Use:   "backtest [--rules FILE] --from WHEN [--to WHEN] | --in DIR",
		Short: "Try other alarm rules on what was recorded",
		Long: `Backtest runs the stage that decides about alarms over recorded chart two times
at once: with the limits that stood there, and with the rules and limits of a file
over them, as if each patient's had been set so. It tells which alarms would have
been gained, lost and changed, for each rule and patient, and the minutes with an
alarm for each bed and day. FILE is of the form that heartwire rules reads.

It also tries each limit that is not lethal a little wider, within the site's
bounds, and proposes the mildest change that spares most alarms and loses none
that is true, HIGH, or longer than --long. Without --rules it does that alone.

WHEN is a time (2026-03-01T08:15:00Z), or a duration before now (24h). The states at
the beginning are those that the stage keeps once an hour.

With --in it takes the recordings in WFDB format of a folder in place of the log: the
stages that watch patients run over them, with the default limits as the base. Where
a recording has reference annotations (REC.atr) each alarm is true or false: true
where the same stages, run over the reference beats, have an alarm of that rule
within 5 s, or a reference rhythm of that name is there. Of the log an alarm is known
to be true where somebody accepted it; a rejection says nothing about the patient.

It has no consumer group, commits nothing, writes to no topic, and no part of it
can reach a person or a provider.`,
		Example: `  heartwire backtest --rules ward.yaml --from 24h
  heartwire backtest --rules ward.yaml --from 2026-03-01T20:00:00Z --to 2026-03-02T06:00:00Z --patients p03,p07 --html night.html
  heartwire backtest --in mitdb --rules ward.yaml --json > found.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.backtest(cmd, &b) },
	}
	f := cmd.Flags()
	f.StringVar(&b.rules, "rules", "", "the `file` with the rules and limits to try")
	f.BoolVar(&b.whole, "replace-all", false, "lay the file over the defaults: what site, units and patients have set does not hold")
	f.StringVar(&b.from, "from", "", "begin there: a `time` or a duration before now")
	f.StringVar(&b.to, "to", "", "end before this `time` or duration before now; without it, now")
	f.StringSliceVar(&b.patients, "patients", nil, "only these `keys`, with a comma between them; of recordings their names")
	f.StringVar(&b.in, "in", "", "take the recordings of this `folder` in place of the log")
	f.DurationVar(&b.long, "long", time.Minute, "an alarm of more than this `time` is not to be lost by a proposal")
	f.BoolVar(&b.asJSON, "json", false, "print all that was found as one JSON object")
	f.StringVar(&b.html, "html", "", "write the report with its figures to this `file`, which needs nothing else")
	cmd.MarkFlagsOneRequired("from", "in")
	cmd.MarkFlagsMutuallyExclusive("from", "in")
	cmd.MarkFlagsMutuallyExclusive("to", "in")
	return cmd
}

// backtest is what was typed, and what came of it.
type backtest struct {
	rules, from, to, in, html string
	whole, asJSON             bool
	patients                  []string
	long                      time.Duration

	trial trial.Config
	zone  *time.Location
	logs  []lives.Log // by variant
}

func (a *app) backtest(cmd *cobra.Command, b *backtest) error {
	if err := b.check(); err != nil {
		return err
	}
	conf, err := a.load()
	if err != nil {
		return err
	}
	b.trial.Alarms = conf.Alarms
	if b.zone, err = time.LoadLocation(conf.Alarms.Zone); err != nil {
		return err
	}
	// What is decoded is garbage at once: the collector would else run all the time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var report *compare.Report
	if b.in != "" {
		report, err = b.records(cmd.Context(), conf, cmd.ErrOrStderr())
	} else {
		report, err = a.backtestLog(cmd, b, conf)
	}
	if err != nil {
		return err
	}
	report.Rules, report.LongS = b.rules, b.long.Seconds()
	return b.tell(cmd.OutOrStdout(), report)
}

// check reads the file, and says what about the flags cannot be.
func (b *backtest) check() error {
	if b.long < 0 {
		return fmt.Errorf("--long %v: want a time from 0 on, such as 60s", b.long)
	}
	if b.rules == "" {
		if b.whole {
			return errors.New("--replace-all is about the limits of a file: name it with --rules")
		}
		return nil
	}
	f, err := readRules(b.rules)
	if err != nil {
		return err
	}
	if list := f.Lint(); len(list) > 0 {
		return fmt.Errorf("%s:%s (heartwire rules lint %s tells all)", b.rules, list[0], b.rules)
	}
	switch l := f.Layer; {
	case l.GetProfile() != "":
		return fmt.Errorf("%s names the profile %s: say its limits one by one, for which of them holds depends on each patient's layers", b.rules, l.GetProfile())
	case len(l.GetRules())+len(l.GetLimits()) == 0:
		return fmt.Errorf("%s says no rule and no limit: there is nothing to try", b.rules)
	}
	b.trial.Layer, b.trial.Whole = f.Layer, b.whole
	return nil
}

// backtestLog tries the rules on the chart of a site.
func (a *app) backtestLog(cmd *cobra.Command, b *backtest, conf *loaded) (*compare.Report, error) {
	run, err := b.replay(time.Now())
	if err != nil {
		return nil, err
	}
	if _, run.Log, err = a.reach(cmd); err != nil {
		return nil, err
	}
	if run.Kafka, err = conf.Kafka.Fit(cmd.Context(), run.Log); err != nil {
		return nil, err
	}
	beds, err := a.ward(cmd, run.Kafka)
	if err != nil {
		return nil, err
	}
	view, err := a.settled(cmd)
	if err != nil {
		return nil, err
	}
	bounds, _ := view.Bounds()
	b.trial.Sweeps = trial.Sweeps(bounds)
	b.logs = make([]lives.Log, trial.FirstSweep+len(b.trial.Sweeps))
	refused := refusals{}
	run.Stage = pipeline.Stage(trial.New(b.trial), topics.Charts, topics.AlarmsCheckpoints, topics.Alarms)
	run.Say = func(_ topics.Any, r topics.Record[proto.Message]) error {
		if v, ok := r.Value.(*topics.Alarm); ok && beds.real(v.GetPatient()) {
			b.logs[trial.Variant(v)].Take(v)
			refused.take(v)
		}
		return nil
	}
	if err := lookOn(cmd.Context(), cmd.ErrOrStderr(), run); err != nil {
		return nil, err
	}
	done := run.Progress()
	if done.Patients == 0 {
		return nil, errors.New("no such patient has chart between the two places: heartwire tail chart tells which there are")
	}
	return b.logReport(cmd, run, beds, refused)
}

// logReport is what came of the log of a site.
func (b *backtest) logReport(cmd *cobra.Command, run *pipeline.Replay, beds ward, refused refusals) (*compare.Report, error) {
	done := run.Progress()
	span := compare.Span{From: max(done.Oldest.UnixMicro(), run.From.Time.UnixMicro()), To: done.Reached.UnixMicro()}
	base := b.logs[trial.Base].Lives()
	compare.JudgeByAnswers(base)
	changed := b.changed(base)
	span = span.Over(base, changed)
	compare.JudgeByAnswers(changed)
	in := compare.Input{Base: base, Changed: changed, Span: span, Beds: beds.beds(), Zone: b.zone}
	for i, w := range b.trial.Sweeps {
		with := b.logs[trial.FirstSweep+i].Lives()
		compare.JudgeByAnswers(with)
		in.Tried = append(in.Tried, b.try(w, base, with, span))
	}
	report := compare.New(in)
	report.Patients, report.Refused = int(done.Patients), refused.list
	report.Truth = "True is an alarm that somebody accepted. Of the others the log does not know: who rejects an alarm says only that another is to go."
	for _, l := range base {
		report.Annotated = report.Annotated || l.Truth == lives.True
	}
	then, err := said(cmd, run, beds, b.patients)
	if err != nil {
		return nil, err
	}
	report.Said = compare.Held(base, then, span)
	return report, nil
}

// changed are the lives with the other rules; with none they are the base's.
func (b *backtest) changed(base []*lives.Life) []*lives.Life {
	if b.trial.Layer == nil {
		return base
	}
	return b.logs[trial.Changed].Lives()
}

// try is what came of one wider limit.
func (b *backtest) try(w trial.Sweep, base, with []*lives.Life, span compare.Span) compare.Tried {
	d := topics.FindBuiltIn(w.Rule)
	t := compare.Tried{Rule: w.Rule, Duration: w.Duration, From: d.Value.Default, To: w.To, Unit: d.Unit}
	if w.Duration {
		t.From, t.Unit = d.DurationS.Default, "s"
	}
	return compare.Try(t, compare.Family(alarms.FamilyOf(w.Rule).Rules()), base, with, span, b.long.Microseconds())
}

// replay is the stretch of the log that the flags name.
func (b *backtest) replay(now time.Time) (*pipeline.Replay, error) {
	var run pipeline.Replay
	var err error
	if run.From, err = parseTimes("--from", b.from, now); err != nil {
		return nil, err
	}
	end := now
	if b.to != "" {
		if run.To, err = parseTimes("--to", b.to, now); err != nil {
			return nil, err
		}
		end = run.To.Time
	}
	if !run.From.Time.Before(end) {
		return nil, fmt.Errorf("--from %s is not before --to %s: there is nothing between them", run.From.Time.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	}
	for _, p := range b.patients {
		run.Patients = append(run.Patients, topics.Key(p))
	}
	return &run, nil
}

// parseTimes is a point in time.
func parseTimes(flag, text string, now time.Time) (*pipeline.Point, error) {
	p, err := parsePoint(flag, text, now)
	if err != nil || p.Time.IsZero() {
		return nil, fmt.Errorf("%s %s: want a time such as 2026-03-01T08:15:00Z, or a duration before now such as 24h", flag, text)
	}
	return p, nil
}

// said are the alarms that were said in the stretch then.
func said(cmd *cobra.Command, run *pipeline.Replay, beds ward, patients []string) ([]*lives.Life, error) {
	only := map[string]bool{}
	for _, p := range patients {
		only[p] = true
	}
	var log lives.Log
	err := run.Kafka.Scan(cmd.Context(), quiet(), topics.Alarms, kafka.Since{Time: run.From.Time}, func(r topics.Record[proto.Message], bad error) error {
		v, ok := r.Value.(*topics.Alarm)
		if ok && bad == nil && beds.real(v.GetPatient()) && (len(only) == 0 || only[v.GetPatient()]) {
			log.Take(v)
		}
		return nil
	})
	return log.Lives(), err
}

// refusals are the patients for whom the rules cannot be in force.
type refusals struct {
	of   map[string]bool
	list []compare.Problem
}

func (r *refusals) take(a *topics.Alarm) {
	if o := a.GetOutcome(); o.GetCode() == trial.Refused && trial.Variant(a) == trial.Changed && !r.of[a.GetPatient()] {
		if r.of == nil {
			r.of = map[string]bool{}
		}
		r.of[a.GetPatient()] = true
		r.list = append(r.list, compare.Problem{Patient: a.GetPatient(), Problem: o.GetProblem()})
	}
}

// tell prints the report, and writes its HTML.
func (b *backtest) tell(out io.Writer, r *compare.Report) error {
	if b.html != "" {
		if err := writeTo(b.html, r.Sheet().WriteHTML); err != nil {
			return err
		}
	}
	if b.asJSON {
		to := json.NewEncoder(out)
		to.SetIndent("", "  ")
		to.SetEscapeHTML(false) // HR 134 > 120 is for people, too
		return to.Encode(r)
	}
	return r.Sheet().WriteText(out)
}

// writeTo writes a file whole or not at all.
func writeTo(path string, write func(io.Writer) error) error {
	file, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	if err := errors.Join(write(w), w.Flush(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}
