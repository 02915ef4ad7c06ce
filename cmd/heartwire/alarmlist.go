package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// An alarmList is the newest that was said of each alarm and each silence.
type alarmList struct {
	alarms   map[string]*topics.Alarm // by the alarm's id
	silences map[silenceOf]*topics.Alarm
	read     map[int32]time.Time // when the newest record of a partition was written
	parts    int                 // partitions that were looked into
}

type silenceOf struct {
	patient string
	standby bool
}

// alarmList reads what was said lately: since before alarms were restated, if
// that is as long ago as recentAlarms.
func (a *app) alarmList(cmd *cobra.Command, lately time.Duration, patient string) (*alarmList, error) {
	conf, _, err := a.reach(cmd)
	if err != nil {
		return nil, err
	}
	k, err := conf.Kafka.Fit(cmd.Context(), quiet())
	if err != nil {
		return nil, err
	}
	l := &alarmList{map[string]*topics.Alarm{}, map[silenceOf]*topics.Alarm{}, map[int32]time.Time{}, int(k.Partitions)}
	if patient != "" {
		l.parts = 1
	}
	since := kafka.Since{Time: time.Now().Add(-lately), Of: topics.Key(patient)}
	return l, k.Scan(cmd.Context(), quiet(), topics.Alarms, since, func(r topics.Record[proto.Message], bad error) error {
		l.read[r.Partition] = r.Time
		if v, ok := r.Value.(*topics.Alarm); ok && bad == nil {
			l.take(v)
		}
		return nil // what cannot be read hides no other alarm
	})
}

func (l *alarmList) take(v *topics.Alarm) {
	if s := v.GetState(); s != nil && s.GetVersion() >= l.alarms[s.GetId()].GetState().GetVersion() {
		l.alarms[s.GetId()] = v
	}
	if s := v.GetSilence(); s != nil {
		l.silences[silenceOf{v.GetPatient(), s.GetStandby()}] = v
	}
}

// still says what is wrong when the log of alarms does not go on, or is empty.
func (l *alarmList) still(now time.Time) string {
	const after = 15 * time.Second // ticks come each second
	if n := l.parts - len(l.read); n > 0 {
		return fmt.Sprintf("nothing was said in %d of %d parts of alarms for %v, so their alarms are not listed: does the alarms stage run?", n, l.parts, recentAlarms)
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(l.read)), time.Time.Compare)
	if d := now.Sub(oldest); d > after {
		return fmt.Sprintf("nothing was said in a part of alarms for %v: the list is of then; does the alarms stage run?", d.Round(time.Second))
	}
	return ""
}

// of are the alarms of a patient, or of all but synthetic ones, worst first; those that ended
// lately too when all is set.
func (l *alarmList) of(patient string, all bool) (out []*topics.Alarm) {
	for _, v := range l.alarms {
		ended := v.GetState().GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED
		of := v.GetPatient() == patient || patient == "" && !topics.Synthetic(topics.Key(v.GetPatient()))
		if of && (all || !ended) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *topics.Alarm) int {
		x, y := a.GetState(), b.GetState()
		return cmp.Or(
			cmp.Compare(x.GetCondition()/topics.AlarmCondition_ALARM_CONDITION_ENDED, y.GetCondition()/topics.AlarmCondition_ALARM_CONDITION_ENDED),
			cmp.Compare(y.GetPriority(), x.GetPriority()), cmp.Compare(y.GetOnsetUs(), x.GetOnsetUs()), cmp.Compare(x.GetId(), y.GetId()))
	})
	return out
}

// silent are the pauses and standbys that are on, by patient.
func (l *alarmList) silent(patient string) (out []*topics.Alarm) {
	for of, v := range l.silences {
		if v.GetSilence().GetOn() && (patient == "" || of.patient == patient) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *topics.Alarm) int { return strings.Compare(a.GetPatient(), b.GetPatient()) })
	return out
}

// An alarm's id, and the shortest beginning that is taken for it, in characters.
const (
	wholeID        = 32
	shortestPrefix = 6
)

// find is the one alarm whose id begins so, of a patient or of any: one that is
// open or has latched, else one that ended lately.
func (l *alarmList) find(id, patient string) (*topics.Alarm, error) {
	if len(id) < shortestPrefix {
		return nil, fmt.Errorf("%q is too short: give %d characters of the alarm's id or more", id, shortestPrefix)
	}
	for _, all := range []bool{false, true} {
		found := slices.DeleteFunc(l.of(patient, all), func(v *topics.Alarm) bool { return !strings.HasPrefix(v.GetState().GetId(), strings.ToLower(id)) })
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return nil, fmt.Errorf("%d alarms begin with %s, as %s and %s: give more of the id", len(found), id, found[0].GetState().GetId(), found[1].GetState().GetId())
		}
	}
	return nil, fmt.Errorf("no alarm%s begins with %s: heartwire alarms ls lists those that are there", ofPatient(patient), id)
}

func ofPatient(patient string) string {
	if patient == "" {
		return ""
	}
	return " of " + patient
}

func (a *app) alarmsListCommand() *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use: "ls [PATIENT]", Short: "List the alarms that are open or latched, and who made what silent", Args: cobra.MaximumNArgs(1),
		Long: `Ls lists the alarms of a patient, or of all, worst first, as the log has them
now. A latched alarm's condition is over; it stays until somebody resets it. When
the log does not go on, it says so: then the list is old.`,
		Example: `  heartwire alarms ls
  heartwire alarms ls p07 --all
  heartwire alarms ls --json`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			patient := strings.Join(args, "")
			l, err := a.alarmList(cmd, recentAlarms, patient)
			if err != nil {
				return err
			}
			if why := l.still(time.Now()); why != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "heartwire: warning:", why)
			}
			list, silent := l.of(patient, all), l.silent(patient)
			if patient != "" && len(list)+len(silent) == 0 {
				if err := a.watched(cmd, patient); err != nil {
					return err
				}
			}
			if asJSON {
				return alarmsJSON(cmd.OutOrStdout(), append(list, silent...))
			}
			return alarmsTable(cmd.OutOrStdout(), list, silent)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "those too that ended in the last hour")
	f.BoolVar(&asJSON, "json", false, "one JSON object a line: the newest record of each alarm and each silence")
	return cmd
}

func alarmsJSON(out io.Writer, list []*topics.Alarm) error {
	enc := json.NewEncoder(out)
	for _, v := range list {
		b, err := protojson.Marshal(v)
		if err == nil {
			err = enc.Encode(rawJSON(b))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func alarmsTable(out io.Writer, list, silent []*topics.Alarm) error {
	if len(list) == 0 {
		fmt.Fprintln(out, "No alarm is open.")
	} else {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tPATIENT\tPRIORITY\tRULE\tALARM\tSINCE (UTC)\tCONDITION\tSIGNAL\tWHO GOES\tVERSION")
		for _, v := range list {
			s := v.GetState()
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", short(s.GetId()), v.GetPatient(), priorityWord(s.GetPriority()), s.GetRule(), s.GetText(),
				at(s.GetOnsetUs()), conditionWord(s), signalWord(s), dutyWord(s), s.GetVersion())
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, v := range silent {
		fmt.Fprintf(out, "%s: %s\n", v.GetPatient(), silenceWords(v.GetSilence()))
	}
	return nil
}

// short is as much of an id as people need: 12 characters tell 10⁷ apart.
func short(id string) string { return id[:min(12, len(id))] }

func priorityWord(p topics.Priority) string { return strings.TrimPrefix(p.String(), "PRIORITY_") }

func conditionWord(s *topics.AlarmState) string {
	word := strings.ToLower(strings.TrimPrefix(s.GetCondition().String(), "ALARM_CONDITION_"))
	if s.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED {
		word += " (" + s.GetEndReason() + ")"
	}
	return word
}

// signalWord is whether it is to be heard, by whose word not, and until when.
func signalWord(s *topics.AlarmState) string {
	if s.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED {
		return "-"
	}
	word := strings.ToLower(strings.TrimPrefix(s.GetSignal().String(), "ALARM_SIGNAL_"))
	if by := s.GetSignalBy(); by != "" {
		word += " by " + by
	}
	if us := s.GetSignalUntilUs(); us != 0 {
		word += " until " + clock(us)
	}
	return word
}

func dutyWord(s *topics.AlarmState) string {
	switch s.GetResponsibility() {
	case topics.Responsibility_RESPONSIBILITY_ACCEPTED:
		return s.GetResponsible()
	case topics.Responsibility_RESPONSIBILITY_REJECTED:
		return "rejected"
	case topics.Responsibility_RESPONSIBILITY_TIMED_OUT:
		return "nobody answered"
	}
	return "nobody yet"
}

func silenceWords(s *topics.Silence) string {
	what := "all alarms are paused"
	if s.GetStandby() {
		what = "on standby, nothing is watched"
	}
	what += " by " + s.GetPerson()
	if r := s.GetReason(); r != "" {
		what += " (" + r + ")"
	}
	return what + ", from " + clock(s.GetFromUs()) + " until " + clock(s.GetUntilUs())
}

func clock(us int64) string { return topics.MicroTime(us).Format("15:04:05") }
