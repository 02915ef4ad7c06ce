package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

func (a *app) topicsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Show and make the site's topics",
		Long: `The plan of a site is its topics with their partitions, retention and copies.
Plan shows how the cluster differs from it, apply makes the difference. What
would break the order of a patient's log is refused, and nothing is ever deleted.`,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "plan", Short: "Show how the cluster differs from the plan", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.topicsPlan(cmd, false) },
		},
		&cobra.Command{
			Use: "apply", Short: "Make the difference that plan shows", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.topicsPlan(cmd, true) },
		},
		&cobra.Command{
			Use: "schema [TOPIC]", Short: "Print the Protobuf schema of a topic, or list the topics", Args: cobra.MaximumNArgs(1),
			ValidArgs: topicList(),
			RunE:      func(cmd *cobra.Command, args []string) error { return topicsSchema(cmd, args) },
		},
	)
	return cmd
}

func (a *app) topicsPlan(cmd *cobra.Command, apply bool) error {
	conf, log, err := a.reach(cmd)
	if err != nil {
		return err
	}
	cl, err := conf.Kafka.NewClient(log)
	if err != nil {
		return err
	}
	defer cl.Close()
	changes, err := conf.Kafka.Plan(cmd.Context(), cl)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "The cluster is as planned.")
		return nil
	}
	refused := printChanges(cmd, changes)
	if apply {
		if err := conf.Kafka.Apply(cmd.Context(), cl, changes); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d made, %d refused.\n", len(changes)-refused, refused)
	}
	if refused > 0 {
		return errors.New("some changes are refused, each with its reason above")
	}
	return context.Cause(cmd.Context())
}

func printChanges(cmd *cobra.Command, changes []kafka.Change) (refused int) {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, c := range changes {
		mark := "~"
		switch {
		case c.Refused != "":
			mark = "!"
			refused++
		case c.What == "create":
			mark = "+"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\n", mark, c.Topic, c.What, fromTo(c), c.Refused)
	}
	w.Flush()
	return refused
}

func fromTo(c kafka.Change) string {
	if c.From == "" {
		return c.To
	}
	return c.From + " -> " + c.To
}

func topicsSchema(cmd *cobra.Command, args []string) error {
	out := cmd.OutOrStdout()
	if len(args) == 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "TOPIC\tSCHEMA\tKEY\tKEPT\tWHAT")
		for _, t := range topics.All() {
			s := t.About()
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, t.Header(), s.Key, kept(s), s.Doc)
		}
		return w.Flush()
	}
	t, ok := topics.Find(args[0])
	if !ok {
		return fmt.Errorf("no topic %q; there are %s", args[0], topicNames(", "))
	}
	text, err := topics.Schema(t)
	if err != nil {
		return err
	}
	fmt.Fprint(out, text)
	return nil
}

func kept(s topics.Spec) string {
	if s.Compact {
		return "newest of each key"
	}
	return fmt.Sprintf("%d d", int(s.Retention.Hours()/24))
}
