package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heartwire/pipeline"
	"heartwire/topics"
)

func (a *app) bindCommand() *cobra.Command {
	var p topics.Patient
	var off bool
	var author, age string
	cmd := &cobra.Command{
		Use:   "bind DEVICE PATIENT",
		Short: "Bind a patch to a patient, or release it",
		Long: `Bind says whose ECG a patch sends from now on. PATIENT is a pseudonym, never a
name or a hospital number: it stands in keys and addresses. With --bed, --unit,
--alias, --paced or --age the patient is admitted first, or changed.

A patch that is bound to nobody is watched all the same, as unassigned.`,
		Example: `  heartwire bind patch-07 p07 --unit "4 West" --bed B07 --alias "Cedar 08"
  heartwire bind patch-07 --off`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if off != (len(args) == 1) {
				return errors.New("name a device and a patient, or a device and --off")
			}
			var asks []*topics.Request
			if off {
				asks = append(asks, &topics.Request{Kind: &topics.Request_Unbind{Unbind: &topics.Unbind{Device: args[0]}}})
			} else {
				group, ok := topics.AgeGroup_value["AGE_GROUP_"+strings.ToUpper(age)]
				if !ok {
					return fmt.Errorf("--age %s: want adult, paediatric or neonate", age)
				}
				p.AgeGroup = topics.AgeGroup(group)
				if p.Unit+p.Bed+p.Alias != "" || p.Paced || cmd.Flags().Changed("age") {
					p.Patient = args[1]
					asks = append(asks, &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &p}})
				}
				asks = append(asks, &topics.Request{Kind: &topics.Request_Bind{Bind: &topics.Bind{Device: args[0], Patient: args[1]}}})
			}
			return a.ask(cmd, author, asks)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.Unit, "unit", "", "the unit the patient lies in")
	f.StringVar(&p.Bed, "bed", "", "the bed as the page shows it")
	f.StringVar(&p.Alias, "alias", "", "what the page calls the patient; no name")
	f.BoolVar(&p.Paced, "paced", false, "the patient has a pacemaker")
	f.StringVar(&age, "age", "adult", "adult, paediatric or neonate: how beats are found, and which limits hold")
	f.BoolVar(&off, "off", false, "release the device: it becomes unassigned")
	f.StringVar(&author, "author", "cli", "the account in whose name this is asked")
	return cmd
}

// ask puts requests to the registry and tells what became of them.
func (a *app) ask(cmd *cobra.Command, author string, asks []*topics.Request) error {
	conf, log, err := a.reach(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
	defer cancel()
	stamp(author, asks)
	audit := newAuditor(conf.Kafka, log)
	defer audit.close()
	for _, r := range asks {
		if err := audit.note(ctx, requestAudit(r)); err != nil {
			return err
		}
	}
	outcomes, err := pipeline.Ask(ctx, conf.Kafka, log, asks...)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		if err := audit.note(ctx, concluded(requestAudit(asks[i]), o.GetAccepted(), o.GetCode())); err != nil {
			log.Error("what came of it could not be noted", "err", err)
		}
	}
	for _, o := range outcomes {
		if !o.GetAccepted() {
			return fmt.Errorf("refused: %s", o.GetProblem())
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Done; settings are at version %d.\n", outcomes[len(outcomes)-1].GetVersion())
	return nil
}

// stamp gives requests their identity.
func stamp(author string, asks []*topics.Request) {
	for _, r := range asks {
		r.Id, r.Author, r.TimeUs = rand.Text(), author, time.Now().UnixMicro()
	}
}
