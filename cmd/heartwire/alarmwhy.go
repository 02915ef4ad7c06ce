package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

func (a *app) whyCommand() *cobra.Command {
	var asJSON bool
	var lately time.Duration
	var svg, folder string
	cmd := &cobra.Command{
		Use: "why ID", Short: "Tell an alarm's whole story: why it came, what was done, how it ended", Args: cobra.ExactArgs(1),
		Long: `Why tells the story of one alarm from the log alone, in the order in which it
happened: when it began and was decided, by which limit and who had set that,
each change with who did it, what was asked and refused, and what of the same
patient was beyond its limit about then and became no alarm. Then the way of the
record that raised it, from the patch's sample to the log of alarms, with the time
of each hop and the ms between; what the log has forgotten is said. The time of a
record is when its writer handed it to Kafka; it is read when Kafka has it on its
copies and the transaction has ended, so the next hop's ms have that in them.
Times are UTC.

--strip draws the 20 s of samples about its onset on ECG paper, 25 mm/s and
10 mm/mV, as an SVG; --wfdb writes them as a PhysioNet record named by the first 12
characters of the alarm's id. The strips sink keeps them for a year.`,
		Example: `  heartwire alarms why 3f9c1a
  heartwire alarms why 3f9c1a --strip strip.svg --wfdb strips
  heartwire alarms why 3f9c1a --since 720h --json`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.alarmStory(cmd, args[0], lately)
			if err != nil {
				return err
			}
			tell := s.tell
			if asJSON {
				tell = s.json
			}
			if err := tell(cmd.OutOrStdout()); err != nil {
				return err
			}
			return s.saveStrip(svg, folder)
		},
	}
	cmd.Flags().DurationVar(&lately, "since", 24*time.Hour, "look for an alarm of which something was said in this `time` until now")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object: the alarm now, its story, what was suppressed, hops and strip")
	cmd.Flags().StringVar(&svg, "strip", "", "draw the samples about its onset into this SVG `file`")
	cmd.Flags().StringVar(&folder, "wfdb", "", "write them into this `folder` as a PhysioNet record")
	return cmd
}

// alarmStory is all that the log has about one alarm.
type alarmStory struct {
	first, last *topics.Alarm                  // of the alarm's own records
	log         []topics.Record[*topics.Alarm] // its changes, refusals about it, silences in its time; in order
	suppressed  []*topics.Alarm
	raised      *topics.Record[*topics.Alarm] // nil: it is no longer in the log
	hops        []hop                         // of that record
	strip       *topics.Strip                 // nil: there is none, or none yet
}

// aroundAlarm is how long before and after an alarm others of its patient
// belong to its story; the longest pause is as long.
const aroundAlarm = 10 * time.Minute

func (a *app) alarmStory(cmd *cobra.Command, id string, lately time.Duration) (*alarmStory, error) {
	l, err := a.alarmList(cmd, lately, "")
	if err != nil {
		return nil, err
	}
	found, err := l.find(id, "")
	if err != nil {
		return nil, fmt.Errorf("of the last %v: %w; --since looks further back", lately, err)
	}
	conf, err := a.load()
	if err != nil {
		return nil, err
	}
	s := &alarmStory{last: found}
	one := found.GetState()
	// A record is written after what it tells, so nothing of it lies before.
	from := topics.MicroTime(min(one.GetOnsetUs(), one.GetRaisedUs())).Add(-aroundAlarm)
	var all []topics.Record[*topics.Alarm]
	err = conf.Kafka.Scan(cmd.Context(), quiet(), topics.Alarms, kafka.Since{Time: from, Of: topics.Key(found.GetPatient())}, func(r topics.Record[proto.Message], bad error) error {
		if v, ok := r.Value.(*topics.Alarm); ok && bad == nil && v.GetPatient() == found.GetPatient() {
			all = append(all, topics.Record[*topics.Alarm]{Key: r.Key, Origin: r.Origin, Partition: r.Partition, Offset: r.Offset, Time: r.Time, Value: v})
		}
		return nil
	})
	for _, r := range all {
		s.take(r, one)
	}
	if err == nil && s.first == nil {
		err = fmt.Errorf("the records of alarm %s are no longer in the log", one.GetId())
	}
	if err == nil && s.raised != nil {
		s.hops, s.strip, err = wayOf(cmd.Context(), conf.Kafka, *s.raised)
	}
	return s, err
}

// take keeps a record that belongs to the story of an alarm.
func (s *alarmStory) take(r topics.Record[*topics.Alarm], one *topics.AlarmState) {
	v := r.Value
	from, to := one.GetOnsetUs(), int64(math.MaxInt64)
	if one.GetEndedUs() != 0 {
		to = one.GetEndedUs()
	}
	around := aroundAlarm.Microseconds()
	switch k := v.GetKind().(type) {
	case *topics.Alarm_State:
		if k.State.GetId() != one.GetId() {
			return
		}
		if s.first == nil {
			s.first = v
			if k.State.GetVersion() == 1 {
				s.raised = &r
			}
		}
		s.last = v
	case *topics.Alarm_Outcome:
		if k.Outcome.GetAlarm() != one.GetId() || k.Outcome.GetAccepted() {
			return // what was accepted stands as a change
		}
	case *topics.Alarm_Silence:
		if k.Silence.GetRestated() || v.GetTimeUs() < from-around || v.GetTimeUs() > max(to, s.last.GetTimeUs()) {
			return
		}
	case *topics.Alarm_Suppressed:
		p := k.Suppressed
		if p.GetEndedUs() >= from-time.Minute.Microseconds() && p.GetOnsetUs() <= to || p.GetBy() == one.GetRule() && p.GetOnsetUs() <= to && p.GetEndedUs() >= from {
			s.suppressed = append(s.suppressed, v)
		}
		return
	default:
		return
	}
	s.log = append(s.log, r)
}

func (s *alarmStory) json(out io.Writer) error {
	object := map[string]any{}
	b, err := protojson.Marshal(s.last)
	if err != nil {
		return err
	}
	object["alarm"] = rawJSON(b)
	story, suppressed := []any{}, []any{}
	for _, r := range s.log {
		b, err := protojson.Marshal(r.Value)
		if err != nil {
			return err
		}
		story = append(story, map[string]any{"partition": r.Partition, "offset": r.Offset, "written": r.Time.UTC(), "value": rawJSON(b)})
	}
	for _, v := range s.suppressed {
		b, err := protojson.Marshal(v)
		if err != nil {
			return err
		}
		suppressed = append(suppressed, rawJSON(b))
	}
	object["story"], object["suppressed"], object["hops"] = story, suppressed, s.hops
	if s.strip != nil {
		if b, err = protojson.Marshal(s.strip); err != nil {
			return err
		}
		object["strip"] = rawJSON(b)
	}
	if b, err = jsonLine(object); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, string(b))
	return err
}

func (s *alarmStory) tell(out io.Writer) error {
	first, last := s.first.GetState(), s.last.GetState()
	kind := ""
	if first.GetTechnical() {
		kind = ", technical"
	}
	fmt.Fprintf(out, "%s\n%s of %s, %s%s; now %s\n", last.GetText(), last.GetRule(), s.last.GetPatient(), priorityWord(last.GetPriority()), kind, s.now())
	fmt.Fprintf(out, "id %s\n\n", last.GetId())
	s.tellWhy(out)
	fmt.Fprintln(out, "\nWhat happened (UTC, and seconds since it began):")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  %s\t%s\tit began%s\n", at(first.GetOnsetUs()), "0", where(first))
	var before *topics.AlarmState
	for _, r := range s.log {
		words := ""
		switch k := r.Value.GetKind().(type) {
		case *topics.Alarm_State:
			words = changeWords(before, k.State)
			before = k.State
		case *topics.Alarm_Outcome:
			words = k.Outcome.GetPerson() + " was refused: " + k.Outcome.GetProblem()
		case *topics.Alarm_Silence:
			words = "of all alarms of the patient: " + silenceChange(k.Silence)
		}
		fmt.Fprintf(w, "  %s\t%+.1f\t%s\n", at(r.Value.GetTimeUs()), float64(r.Value.GetTimeUs()-first.GetOnsetUs())/1e6, words)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := s.tellSuppressed(out); err != nil || s.raised == nil {
		return err
	}
	if err := tellWay(out, s.hops); err != nil {
		return err
	}
	return s.tellStrip(out)
}

// tellStrip says what there is of its samples.
func (s *alarmStory) tellStrip(out io.Writer) (err error) {
	switch v := s.strip; {
	case v == nil:
		_, err = fmt.Fprintln(out, "\nIts strip is not copied: that takes some 10 s; does the strips sink run?")
	case len(v.GetHoles()) == 0:
		_, err = fmt.Fprintf(out, "\nIts strip is whole: %s of samples, %s from %s on. --strip draws it.\n", seconds(float64(v.GetToUs()-v.GetFromUs())/1e6), strings.Join(v.LeadNames(), ", "), at(v.GetFromUs()))
	default:
		fmt.Fprintf(out, "\nIts strip lacks samples, in seconds from its onset:\n")
		for _, h := range v.GetHoles() {
			_, err = fmt.Fprintf(out, "  %+.2f to %+.2f  %s\n", float64(h.GetFromUs()-v.GetOnsetUs())/1e6, float64(h.GetToUs()-v.GetOnsetUs())/1e6, h.GetWhy())
		}
	}
	return err
}

// now is how the alarm stands.
func (s *alarmStory) now() string {
	last := s.last.GetState()
	if last.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED {
		return "ended: " + endWords(last.GetEndReason())
	}
	return conditionWord(last) + ", " + signalWord(last) + "; who goes: " + dutyWord(last)
}

// tellWhy says by what the alarm was decided, and how fast.
func (s *alarmStory) tellWhy(out io.Writer) {
	first := s.first.GetState()
	if first.GetVersion() > 1 {
		fmt.Fprintf(out, "Its beginning is no longer in the log: this is from version %d on.\n", first.GetVersion())
	}
	fmt.Fprintf(out, "Raised by %s, rule version %d, as limits version %d has it", first.GetRule(), first.GetRuleVersion(), first.GetLimitsVersion())
	if l := first.GetLimitInForce(); l != nil {
		fmt.Fprintf(out, ":\n  limit %s", number(l.GetValue(), l.GetUnit()))
		if l.GetDurationS() > 0 {
			fmt.Fprintf(out, " for %s", seconds(l.GetDurationS()))
		}
		if l.GetHysteresis() > 0 {
			fmt.Fprintf(out, ", hysteresis %v", l.GetHysteresis())
		}
		fmt.Fprintf(out, "; set in layer %s", cmp.Or(l.GetLayer(), topics.LayerDefault))
		if l.GetAuthor() != "" {
			fmt.Fprintf(out, " by %s on %s because of %s", l.GetAuthor(), at(l.GetSetUs()), cmp.Or(l.GetReason(), "no reason that was said"))
		}
	}
	fmt.Fprintf(out, "\nDecided %.1f s after it began", float64(first.GetRaisedUs()-first.GetOnsetUs())/1e6)
	if s.raised != nil {
		fmt.Fprintf(out, ", in the log %.1f s after that", s.raised.Time.Sub(topics.MicroTime(first.GetRaisedUs())).Seconds())
	}
	if !first.GetTechnical() {
		fmt.Fprintf(out, "; signal quality %.2f of 1", first.GetQuality())
		if first.GetLead() != "" {
			fmt.Fprintf(out, " in lead %s", first.GetLead())
		}
	}
	fmt.Fprintln(out, ".")
}

func (s *alarmStory) tellSuppressed(out io.Writer) error {
	if len(s.suppressed) == 0 {
		_, err := fmt.Fprintln(out, "\nNothing else of this patient was suppressed meanwhile, as far as is said yet.")
		return err
	}
	fmt.Fprintln(out, "\nBeyond a limit about then, and no alarm:")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range s.suppressed {
		p := v.GetSuppressed()
		fmt.Fprintf(w, "  %s\t%s\t%d ×\tworst %s, limit %s\t%s\n", at(p.GetOnsetUs()), p.GetRule(), max(p.GetCount(), 1),
			number(p.GetWorst(), p.GetUnit()), number(p.GetLimit(), p.GetUnit()), suppressedWords(p))
	}
	return w.Flush()
}

func number(v float64, unit string) string {
	return strings.TrimSpace(strconv.FormatFloat(v, 'g', 4, 64) + " " + unit)
}

// where is where its strip is.
func where(s *topics.AlarmState) string {
	if s.GetDevice() == "" || s.GetOnsetSample() == 0 {
		return ""
	}
	return fmt.Sprintf(", at sample %d of %s, boot %d", s.GetOnsetSample(), s.GetDevice(), s.GetBoot())
}
