package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

func (a *app) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "See who saw and changed what, and whether the records are whole",
		Long: `Audit is the topic of who saw what of whom, who asked for what, and what came of
it, refusals among them. It is kept for six years. Each process that writes it
chains its own records: what is taken out, put in or changed between the first
and the last of a chain shows.`,
		Example: `  heartwire audit ls --of p01
  heartwire audit ls --by nurse-7 --since 168h --json
  heartwire audit verify --since all`,
	}
	cmd.AddCommand(a.auditListCommand(), a.auditVerifyCommand())
	return cmd
}

func (a *app) auditListCommand() *cobra.Command {
	var since, of, by string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List who saw and changed what, newest last", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []*topics.Audit
			err := a.eachAudit(cmd, since, of, func(r topics.Record[*topics.Audit]) {
				if v := r.Value; v != nil && (of == "" || v.GetSubject() == of) && (by == "" || v.GetPerson() == by) {
					all = append(all, v)
				}
			})
			if err != nil {
				return err
			}
			slices.SortStableFunc(all, func(x, y *topics.Audit) int { return cmp.Compare(x.GetTimeUs(), y.GetTimeUs()) })
			return printAudit(cmd.OutOrStdout(), all, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "24h", "begin this long `ago`, or with all: the earliest")
	f.StringVar(&of, "of", "", "of this `patient`, or of site or unit/NAME")
	f.StringVar(&by, "by", "", "by this `account`")
	f.BoolVar(&asJSON, "json", false, "one JSON object a line, whole")
	return cmd
}

func printAudit(out io.Writer, all []*topics.Audit, asJSON bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(w, "TIME\tBY\tOF\tWHAT\tRESULT\tFROM\tDETAIL")
	}
	seen := map[string]bool{}
	for _, v := range all {
		id := fmt.Sprint(v.GetWriter(), "/", v.GetSequence())
		if seen[id] {
			continue // written again, because its writer was not told that it had been
		}
		seen[id] = true
		if asJSON {
			fmt.Fprintln(w, protojson.MarshalOptions{}.Format(v))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s, %s\t%s\n", at(v.GetTimeUs()), cmp.Or(v.GetPerson(), "-"), v.GetSubject(), v.GetWhat(), cmp.Or(v.GetResult(), "-"),
			v.GetChannel(), v.GetAddress(), auditDetail(v))
	}
	return w.Flush()
}

// auditDetail is what was asked, in one line.
func auditDetail(v *topics.Audit) string {
	var words []string
	switch k := v.GetAsked().(type) {
	case *topics.Audit_Answer:
		words = append(words, strings.ToLower(strings.TrimPrefix(k.Answer.GetAction().String(), "ACTION_")), cmp.Or(short(k.Answer.GetAlarm()), "all"), k.Answer.GetReason())
	case *topics.Audit_Standby:
		words = append(words, map[bool]string{true: "standby", false: "standby ends"}[k.Standby.GetOn()], k.Standby.GetReason())
	case *topics.Audit_Request:
		for _, l := range k.Request.GetPutLayer().GetLimits() {
			words = append(words, l.GetRule()+"="+limitValue(l))
		}
		for _, r := range k.Request.GetPutLayer().GetRules() {
			words = append(words, r.GetName())
		}
		words = append(words, k.Request.GetReason())
	}
	if n := v.GetLost(); n > 0 {
		words = append(words, fmt.Sprintf("(%d records before it were lost)", n))
	}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var since string
	cmd := &cobra.Command{
		Use: "verify", Short: "Hold the records of each writer against each other", Args: cobra.NoArgs,
		Long: `Verify reads each chain from its first record here to its last, and fails where
a record is missing, changed or put in between. It cannot tell what was cut off
behind the last record of a chain, or with a whole chain: keep what it prints.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all topics.AuditChains
			if err := a.eachAudit(cmd, since, "", all.Add); err != nil {
				return err
			}
			return printChains(cmd.OutOrStdout(), &all)
		},
	}
	cmd.Flags().StringVar(&since, "since", "all", "begin this long `ago`, or with all: the earliest")
	return cmd
}

func printChains(out io.Writer, all *topics.AuditChains) error {
	chains, broken := all.Chains()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WRITER\tRECORDS\tLOST\tWHOLE")
	for _, c := range chains {
		fmt.Fprintf(w, "%s\t%d to %d\t%d\t%s\n", c.Writer, c.First, c.Last, c.Lost, map[bool]string{true: "yes", false: "NO"}[len(c.Broken) == 0])
		broken = append(broken, c.Broken...)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(broken) == 0 {
		return nil
	}
	return errors.New("the audit is not whole:\n  " + strings.Join(broken, "\n  "))
}

// eachAudit reads what stands in audit now, of all or of one subject's partition.
func (a *app) eachAudit(cmd *cobra.Command, since, of string, each func(topics.Record[*topics.Audit])) error {
	conf, log, err := a.reach(cmd)
	if err != nil {
		return err
	}
	from, err := parseSince(since)
	if err != nil {
		return err
	}
	from.Of = topics.Key(of)
	return conf.Kafka.Scan(cmd.Context(), log, topics.Audits, from, func(r topics.Record[proto.Message], bad error) error {
		v, _ := r.Value.(*topics.Audit) // what cannot be read is of no chain
		each(topics.Record[*topics.Audit]{Key: r.Key, Partition: r.Partition, Offset: r.Offset, Value: v, Raw: r.Raw})
		return nil
	})
}
