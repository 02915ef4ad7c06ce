package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

func (a *app) alarmsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alarms",
		Short: "See alarms, say what is done about them, and why they came",
		Long: `Alarms lists what is open, takes what people do about it, and tells an alarm's
whole story. A HIGH alarm stays when its condition is over, as latched, until
somebody resets it.

Three things are apart: whether an alarm's condition goes on, whether it is to be
heard (ack, pause, resume), and who goes (accept, reject). To acknowledge is not
to go: a HIGH alarm that nobody accepts within 60 s, or as
long as the unit lets it wait (limits set --answer-wait), is said to be unanswered.

ID is an alarm's id, or the first 6 characters of it or more. What is done is in
the log with its account (--as); the first in the log wins, and who comes second
is told why not.`,
		Example: `  heartwire alarms ls
  heartwire alarms ack 3f9c1a --as nurse-7
  heartwire alarms why 3f9c1a`,
	}
	cmd.AddCommand(a.alarmsListCommand())
	for _, d := range deeds {
		cmd.AddCommand(a.deedCommand(d))
	}
	cmd.AddCommand(a.standbyCommand(), a.whyCommand(), a.alarmReportCommand())
	return cmd
}

// A deed is something that people do about an alarm.
type deed struct {
	name, short, long string
	action            topics.Action
	done              string
	ofAll             bool // also about all of a patient's alarms
}

var deeds = []deed{
	{"ack", "Acknowledge an alarm: it was heard, and is silent until it sounds again",
		`Ack makes an alarm silent. While its condition goes on it sounds again after 2 min
(HIGH) or 5 min (MEDIUM). It ends nothing, and says of nobody that they go: see
accept.`, topics.Action_ACTION_ACKNOWLEDGE, "acknowledged", false},
	{"accept", "Accept an alarm: I am going", `Accept says who goes. The first has the alarm until that person rejects it.`,
		topics.Action_ACTION_ACCEPT, "accepted", false},
	{"reject", "Reject an alarm: not me, ask the next", `Reject says that this person does not go, or no longer.`,
		topics.Action_ACTION_REJECT, "rejected", false},
	{"pause", "Make an alarm, or all of a patient's, silent for a time",
		`Pause makes an alarm silent for a time; without an ID, all of a patient's, those
that begin meanwhile too. A new HIGH alarm breaks a pause of all.`, topics.Action_ACTION_PAUSE, "paused", true},
	{"resume", "End a pause before its time", `Resume ends the pause of an alarm; without an ID, that of all of a patient's.`,
		topics.Action_ACTION_RESUME, "resumed", true},
	{"reset", "Take away a latched alarm whose condition is over",
		`Reset ends an alarm that is latched. One whose condition goes on is not reset:
acknowledge or pause it.`, topics.Action_ACTION_RESET, "reset", false},
}

func (a *app) deedCommand(d deed) *cobra.Command {
	var ans topics.Answer
	var patient string
	var lasts time.Duration
	use, args := "ID", cobra.ExactArgs(1)
	example := fmt.Sprintf("  heartwire alarms %s 3f9c1a --as nurse-7", d.name)
	if d.ofAll {
		use, args = "[ID]", cobra.MaximumNArgs(1)
		example += fmt.Sprintf("\n  heartwire alarms %s --patient p07 --as nurse-7", d.name)
	}
	cmd := &cobra.Command{
		Use: d.name + " " + use, Short: d.short, Long: d.long, Example: example, Args: args, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && patient == "" {
				return errors.New("name an alarm, or with --patient whose alarms all")
			}
			if len(args) == 1 && args[0] == "" { // a script's variable that was not set
				return errors.New("the ID is empty: name an alarm, or leave it away and name with --patient whose alarms all")
			}
			if lasts < 0 || cmd.Flags().Changed("for") && lasts == 0 {
				return fmt.Errorf("--for %s: want a time ahead, such as 2m", lasts)
			}
			ans.Action, ans.DurationS = d.action, lasts.Seconds()
			return a.do(cmd, d, &ans, patient, strings.Join(args, ""))
		},
	}
	f := cmd.Flags()
	f.StringVar(&patient, "patient", "", "the `patient` whose alarm it is; found by the ID when it is not said")
	personFlags(cmd, &ans.Person, &ans.Reason)
	f.Uint32Var(&ans.Version, "version", 0, "refuse when the alarm has become another since this `version`, as alarms ls printed it")
	if d.action == topics.Action_ACTION_PAUSE {
		f.DurationVar(&lasts, "for", 0, "for this `time`, such as 2m; without it, what the site says (2m)")
	}
	return cmd
}

// do does a deed about the alarm that an id names, or all of a patient's without one.
func (a *app) do(cmd *cobra.Command, d deed, ans *topics.Answer, patient, id string) error {
	what := "all alarms of " + patient
	if id == "" {
		if err := a.watched(cmd, patient); err != nil {
			return err
		}
	} else {
		v, err := a.named(cmd, id, patient)
		if err != nil {
			return err
		}
		patient, ans.Alarm = v.GetPatient(), v.GetState().GetId()
		what = strings.TrimSpace(short(ans.Alarm)+" "+v.GetState().GetText()) + " of " + patient
	}
	o, err := a.answer(cmd, &topics.Chart{Patient: patient, Kind: &topics.Chart_Answer{Answer: ans}})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Done: %s %s by %s", what, d.done, ans.GetPerson())
	if o.GetVersion() > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "; it is at version %d", o.GetVersion())
	}
	fmt.Fprintln(cmd.OutOrStdout(), ".")
	return nil
}

// watched reports an error when a patient is neither admitted nor heard of: a
// word about somebody else's name must not look as if it were done. A device that
// is bound to nobody is heard of, and admitted by nobody.
func (a *app) watched(cmd *cobra.Command, patient string) error {
	v, err := a.settled(cmd)
	if err != nil {
		return err
	}
	if _, err = v.Force(topics.LayerPatient + "/" + patient); err == nil {
		return nil
	}
	conf, log, unreached := a.reach(cmd)
	if unreached != nil {
		return unreached
	}
	heard := errors.New("heard of")
	failed := conf.Kafka.Scan(cmd.Context(), log, topics.Charts, kafka.Since{Time: time.Now().Add(-recentSamples), Of: topics.Key(patient)},
		func(r topics.Record[proto.Message], _ error) error {
			if c, ok := r.Value.(*topics.Chart); ok && c.GetSecond() != nil && string(r.Key) == patient {
				return heard
			}
			return nil
		})
	switch {
	case errors.Is(failed, heard):
		return nil
	case failed != nil:
		return failed
	}
	return fmt.Errorf("%w; nor is anything heard of such a key", err)
}

// named is the alarm that somebody means by the beginning of its id. One that is
// named wholly, with its patient, is left to the alarms stage to know.
func (a *app) named(cmd *cobra.Command, id, patient string) (*topics.Alarm, error) {
	if len(id) == wholeID && patient != "" {
		return &topics.Alarm{Patient: patient, Kind: &topics.Alarm_State{State: &topics.AlarmState{Id: id}}}, nil
	}
	l, err := a.alarmList(cmd, recentAlarms, patient)
	if err != nil {
		return nil, err
	}
	return l.find(id, patient)
}

func personFlags(cmd *cobra.Command, person, reason *string) {
	cmd.Flags().StringVar(person, "as", "", "the `account` of the person who does it")
	cmd.Flags().StringVar(reason, "reason", "", "why, by a `code`, such as nuisance or at-bedside")
	_ = cmd.MarkFlagRequired("as")
}

func (a *app) standbyCommand() *cobra.Command {
	var s topics.Standby
	var lasts time.Duration
	var off bool
	cmd := &cobra.Command{
		Use: "standby PATIENT", Short: "Stop watching a patient for a time: an examination, transport, a bath", Args: cobra.ExactArgs(1),
		Long: `Standby ends all alarms of a patient, latched ones too, and raises none until its
time is over, at most 4 h, or --off. What then goes on is a new alarm.`,
		Example: `  heartwire alarms standby p07 --reason transport --for 30m --as nurse-7
  heartwire alarms standby p07 --off --as nurse-7`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !off && lasts <= 0 {
				return errors.New("say for how long, as in --for 30m, or --off")
			}
			if off && cmd.Flags().Changed("for") {
				return errors.New("want --for or --off, and not both")
			}
			if err := a.watched(cmd, args[0]); err != nil {
				return err
			}
			s.On, s.DurationS = !off, lasts.Seconds()
			if _, err := a.answer(cmd, &topics.Chart{Patient: args[0], Kind: &topics.Chart_Standby{Standby: &s}}); err != nil {
				return err
			}
			if off {
				fmt.Fprintf(cmd.OutOrStdout(), "Done: %s is watched again, by %s.\n", args[0], s.GetPerson())
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "Done: %s is on standby for %v, by %s.\n", args[0], lasts, s.GetPerson())
			}
			return nil
		},
	}
	personFlags(cmd, &s.Person, &s.Reason)
	cmd.Flags().DurationVar(&lasts, "for", 0, "for this `time`, such as 30m; at most 4h")
	cmd.Flags().BoolVar(&off, "off", false, "watch the patient again")
	return cmd
}

// answer puts what a person does to the alarms stage, and waits for what came
// of it; a refusal is an error, in the stage's words.
func (a *app) answer(cmd *cobra.Command, c *topics.Chart) (*topics.AnswerOutcome, error) {
	conf, log, err := a.reach(cmd)
	if err != nil {
		return nil, err
	}
	id, now := rand.Text(), time.Now().UnixMicro()
	c.TimeUs = now
	if x := c.GetAnswer(); x != nil {
		x.Id, x.Channel, x.TimeUs = id, "cli", now
	}
	if x := c.GetStandby(); x != nil {
		x.Id, x.Channel, x.TimeUs = id, "cli", now
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
	defer cancel()
	audit := newAuditor(conf.Kafka, log)
	defer audit.close()
	asked := answerAudit(c)
	if err := audit.note(ctx, asked); err != nil {
		return nil, err
	}
	outcomes, err := pipeline.Answer(ctx, conf.Kafka, log, c)
	if err != nil {
		return nil, err
	}
	if err := audit.note(ctx, concluded(asked, outcomes[0].GetAccepted(), outcomes[0].GetCode())); err != nil {
		log.Error("what came of it could not be noted", "err", err)
	}
	if o := outcomes[0]; !o.GetAccepted() {
		return o, fmt.Errorf("refused (%s): %s", o.GetCode(), o.GetProblem())
	}
	return outcomes[0], nil
}
