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
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/stages/alarms/burden"
	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

func (a *app) alarmReportCommand() *cobra.Command {
	var r alarmReport
	cmd := &cobra.Command{
		Use: "report --from WHEN [--to WHEN]", Short: "Count what alarms ask of the wards: how many, for what, and how soon they are answered", Args: cobra.NoArgs,
		Long: `Report counts the alarms of a stretch of time: a bed and day by unit, priority and
rule; which were short, ended before anybody did anything, were answered by nobody
or rejected; how long until they were acknowledged and accepted; what was
suppressed and why; floods, which are ten alarms or more of one unit in ten minutes;
and the hours of the day.

WHEN is a time (2026-03-01T08:15:00Z), or a duration before now (168h). Bed-days are
the times for which devices were bound to patients, as the settings have them. The
unit ` + syntheticUnit + ` is not counted. No patient is named: --csv has units, priorities and rules.`,
		Example: `  heartwire alarms report --from 24h
  heartwire alarms report --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z --html march.html --csv > march.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.alarmReport(cmd, &r) },
	}
	f := cmd.Flags()
	f.StringVar(&r.from, "from", "", "begin there: a `time` or a duration before now")
	f.StringVar(&r.to, "to", "", "end before this `time` or duration before now; without it, now")
	f.StringVar(&r.unit, "unit", "", "only this `unit`")
	f.BoolVar(&r.asCSV, "csv", false, "print one value a line, for a table program")
	f.StringVar(&r.html, "html", "", "write the report with its figures to this `file`, which needs nothing else")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// alarmReport is what was typed.
type alarmReport struct {
	from, to, unit, html string
	asCSV                bool
}

func (a *app) alarmReport(cmd *cobra.Command, r *alarmReport) error {
	in, err := r.stretch(time.Now())
	if err != nil {
		return err
	}
	conf, _, err := a.reach(cmd)
	if err != nil {
		return err
	}
	if in.Zone, err = time.LoadLocation(conf.Alarms.Zone); err != nil {
		return err
	}
	w, err := a.ward(cmd, conf.Kafka)
	if err != nil {
		return err
	}
	counts := func(patient string) bool {
		return w.real(patient) && (r.unit == "" || cmp.Or(w.patients[patient].GetUnit(), burden.Unassigned) == r.unit)
	}
	if units := w.units(); r.unit != "" && r.unit != burden.Unassigned && !slices.Contains(units, r.unit) {
		return fmt.Errorf("--unit %s: nobody lies there; there are %s", r.unit, strings.Join(append(units, burden.Unassigned), ", "))
	}
	w.lie(in, counts)
	var log lives.Log
	read := 0
	since := kafka.Since{Time: topics.MicroTime(in.From)}
	err = conf.Kafka.Scan(cmd.Context(), quiet(), topics.Alarms, since, func(rec topics.Record[proto.Message], _ error) error {
		if v, ok := rec.Value.(*topics.Alarm); ok { // one that cannot be read hides no other
			if read++; counts(v.GetPatient()) {
				log.Take(v)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if read == 0 {
		return errors.New("nothing stands in alarms since then: does the alarms stage run, and is it this site?")
	}
	in.Lives = log.Lives()
	for _, c := range log.Candidates {
		if c.OnsetUs >= in.From && c.OnsetUs < in.To {
			in.Candidates = append(in.Candidates, c)
		}
	}
	return r.tell(cmd.OutOrStdout(), burden.New(*in))
}

// stretch is the time that the flags name.
func (r *alarmReport) stretch(now time.Time) (*burden.Input, error) {
	from, err := parseTimes("--from", r.from, now)
	if err != nil {
		return nil, err
	}
	end := now
	if r.to != "" {
		to, err := parseTimes("--to", r.to, now)
		if err != nil {
			return nil, err
		}
		end = to.Time
	}
	if !from.Time.Before(end) {
		return nil, fmt.Errorf("--from %s is not before --to %s: there is nothing between them", from.Time.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	}
	return &burden.Input{From: from.Time.UnixMicro(), To: min(end.UnixMicro(), now.UnixMicro())}, nil
}

func (r *alarmReport) tell(out io.Writer, report *burden.Report) error {
	if r.html != "" {
		if err := writeTo(r.html, report.Sheet().WriteHTML); err != nil {
			return err
		}
	}
	if r.asCSV {
		return report.WriteCSV(out)
	}
	return report.Sheet().WriteText(out)
}
