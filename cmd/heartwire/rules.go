package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"heartwire/stages/alarms/cases"
	"heartwire/stages/alarms/rules"
	"heartwire/topics"
)

func (a *app) rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Check, try, explain and put in force alarm rules that people write",
		Long: `Rules are alarms that people write, in CEL, over quantities and windows of them:

  rules:
    - name: fast-ectopy
      when: hr.mean(30s) > limit && pvc.perMinute > 6
      value: hr.mean(30s)
      words: HR MEAN WITH PVC
      unit: /min
      priority: MEDIUM
      duration: 10s
      limit: 130
      cases:
        - name: both
          given:
            - {for: 1min, hr: 140, pvc.perMinute: 9}
            - {for: 2min, hr: 80}
          expect:
            - raised: 20s..40s
              text: HR MEAN WITH PVC 140 > 130 /min
            - ended: 60s..120s
  limits:
    - {rule: hr.high, value: 130, duration: 10s}

What is not known makes a rule unknown: it raises no alarm and ends none.
known(spo2) asks. stages/alarms/rules/DESIGN.md tells all of the language.`,
	}
	cmd.AddCommand(a.rulesLintCommand(), a.rulesTestCommand(), a.rulesExplainCommand(), rulesListCommand(), a.rulesPutCommand(), a.rulesRemoveCommand())
	return cmd
}

func (a *app) rulesLintCommand() *cobra.Command {
	var site bool
	cmd := &cobra.Command{
		Use: "lint FILE... | --site", Short: "Find what is wrong in rules and limits",
		Long: `Lint finds types that do not go together and names that there are not, with line
and column; rules that can never or must always be true; limits outside of what
can be; lethal rules that are switched off without the word for it. With --site
it looks at the layers that the site, its units and its patients have set.`,
		Example: `  heartwire rules lint ward.yaml
  heartwire rules lint --site`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if site == (len(args) > 0) {
				return errors.New("want files or --site, and not both")
			}
			if site {
				return a.lintSite(cmd)
			}
			found := 0
			for _, name := range args {
				f, err := readRules(name)
				if err != nil {
					return err
				}
				list := f.Lint()
				for _, x := range list {
					fmt.Fprintf(cmd.OutOrStdout(), "%s:%s\n", name, x)
				}
				found += len(list)
				if len(list) == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %d rules, %d limits: nothing wrong\n", name, len(f.Layer.GetRules()), len(f.Layer.GetLimits()))
				}
			}
			return wrong(found)
		},
	}
	cmd.Flags().BoolVar(&site, "site", false, "look at what the site has set")
	return cmd
}

func wrong(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d found", n)
}

func readRules(name string) (*rules.File, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return rules.ParseFile(name, b)
}

func (a *app) lintSite(cmd *cobra.Command) error {
	v, err := a.settled(cmd)
	if err != nil {
		return err
	}
	found, layers := 0, v.Layers()
	for _, l := range layers {
		for _, p := range rules.Lint(l) {
			fmt.Fprintf(cmd.OutOrStdout(), "layer/%s: %v\n", l.GetOf(), p)
			found++
		}
	}
	if found == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d layers: nothing wrong\n", len(layers))
	}
	return wrong(found)
}

func (a *app) rulesTestCommand() *cobra.Command {
	var zone string
	cmd := &cobra.Command{
		Use: "test FILE...", Short: "Play the cases of a file to its rules", Args: cobra.MinimumNArgs(1),
		Long: `Test plays what each case gives, second by second, to the alarms as they run, and
compares what came of the rule with what the case expects. Times count from the
beginning of the case; what is not given is unknown; "for" is how long it lasts.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if zone == "" {
				conf, err := a.load()
				if err != nil {
					return err
				}
				zone = conf.Alarms.Zone
			}
			failed := 0
			for _, name := range args {
				n, err := testRules(cmd.OutOrStdout(), name, zone)
				if err != nil {
					return err
				}
				failed += n
			}
			if failed > 0 {
				return fmt.Errorf("%d failed", failed)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "the IANA time `zone` of timeOfDay (default: alarms.zone)")
	return cmd
}

func testRules(w io.Writer, name, zone string) (failed int, err error) {
	f, err := readRules(name)
	if err != nil {
		return 0, err
	}
	if list := f.Lint(); len(list) > 0 {
		return 0, fmt.Errorf("%s:%s (heartwire rules lint %s tells all)", name, list[0], name)
	}
	if len(f.Cases) == 0 {
		return 0, fmt.Errorf("%s: there are no cases: add some below a rule, as heartwire rules --help shows", name)
	}
	for _, c := range f.Cases {
		changes, why, err := cases.Play(f.Layer, c, zone)
		if err != nil {
			return 0, fmt.Errorf("%s:%d: %s: %w", name, c.Line, c.Name, err)
		}
		if why == "" {
			fmt.Fprintf(w, "ok    %s: %s\n", c.Rule, c.Name)
			continue
		}
		failed++
		fmt.Fprintf(w, "FAIL  %s: %s\n      %s:%d: %s\n", c.Rule, c.Name, name, c.Line, why)
		for _, x := range changes {
			fmt.Fprintf(w, "      %v\n", x)
		}
	}
	return failed, nil
}

func (a *app) rulesExplainCommand() *cobra.Command {
	var file, patient string
	cmd := &cobra.Command{
		Use: "explain RULE", Short: "Say in words what a rule means and reads", Args: cobra.ExactArgs(1),
		Example: `  heartwire rules explain fast-ectopy --file ward.yaml
  heartwire rules explain fast-ectopy --patient p03
  heartwire rules explain asystole`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.limitsOf(cmd, file, patient)
			if err != nil {
				return err
			}
			return explain(cmd.OutOrStdout(), args[0], l)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "as it stands in this `file`")
	cmd.Flags().StringVar(&patient, "patient", "", "as it is in force for this `patient`")
	return cmd
}

// limitsOf is what a file or a patient has of rules and limits; of neither, the defaults.
func (a *app) limitsOf(cmd *cobra.Command, file, patient string) (*topics.Limits, error) {
	switch {
	case file != "" && patient != "":
		return nil, errors.New("want --file or --patient, and not both")
	case file != "":
		f, err := readRules(file)
		if err != nil {
			return nil, err
		}
		return &topics.Limits{Limits: f.Layer.GetLimits(), Rules: f.Layer.GetRules()}, nil
	case patient != "":
		v, err := a.settled(cmd)
		if err != nil {
			return nil, err
		}
		return v.Force("patient/" + patient)
	}
	return &topics.Limits{Limits: topics.DefaultLimits()}, nil
}

func explain(w io.Writer, name string, l *topics.Limits) error {
	var limit *topics.Limit
	for _, x := range l.GetLimits() {
		if x.GetRule() == name {
			limit = x
		}
	}
	for _, r := range l.GetRules() {
		if r.GetName() == name {
			return explainWritten(w, r, limit)
		}
	}
	b := topics.FindBuiltIn(name)
	if b == nil {
		return fmt.Errorf("there is no rule %s: name a built-in one, or where it stands with --file or --patient", name)
	}
	if limit == nil {
		limit = b.Limit()
	}
	kind := "built-in"
	if b.Lethal() {
		kind += ", lethal: switched off only by its name in lethal-off"
	}
	fmt.Fprintf(w, "%s: %s (%s)\n", name, rules.PriorityName(limit.GetPriority()), kind)
	fmt.Fprintf(w, "  limit      %v %s%s\n", limit.GetValue(), limit.GetUnit(), bounds(b.Value))
	fmt.Fprintf(w, "  duration   %v s%s\n", limit.GetDurationS(), bounds(b.DurationS))
	fmt.Fprintf(w, "  hysteresis %v%s\n", limit.GetHysteresis(), bounds(b.Hysteresis))
	fmt.Fprintf(w, "  off        %t\n", limit.GetOff())
	layerLine(w, limit.GetLayer(), limit.GetAuthor(), limit.GetReason())
	fmt.Fprintln(w, "  stages/alarms/DESIGN.md has what it goes by")
	return nil
}

func bounds(s topics.Span) string {
	if s.Fixed() {
		return ", the same for everybody"
	}
	return fmt.Sprintf(", %v to %v can be set", s.From, s.To)
}

func layerLine(w io.Writer, layer, author, reason string) {
	if layer == "" {
		return
	}
	fmt.Fprintf(w, "  layer      %s", layer)
	if author != "" {
		fmt.Fprintf(w, ", by %s", author)
	}
	if reason != "" {
		fmt.Fprintf(w, ", because of %s", reason)
	}
	fmt.Fprintln(w)
}

func explainWritten(w io.Writer, r *topics.Rule, l *topics.Limit) error {
	rule, err := rules.Compile(r)
	if err != nil {
		return err
	}
	limit := rules.NoLimit
	if l != nil {
		limit = rules.Limit{Value: l.GetValue(), Hysteresis: l.GetHysteresis()}
	}
	e := rule.Explain(limit)
	fmt.Fprintf(w, "%s: %s\n", r.GetName(), rules.PriorityName(r.GetPriority()))
	fmt.Fprintf(w, "  alarm when %s\n", e.When)
	if d := r.GetDurationS(); d > 0 {
		fmt.Fprintf(w, "             for %v s\n", d)
	}
	if e.Clear != "" {
		fmt.Fprintf(w, "  over when  %s\n", e.Clear)
	} else {
		fmt.Fprintln(w, "  over when  that is false")
	}
	fmt.Fprintf(w, "             for %v; what is not known raises no alarm and ends none\n", rule.Calm())
	if e.Value != "" {
		fmt.Fprintf(w, "  tells      %s\n", e.Value)
	}
	fmt.Fprintf(w, "  cost       %d of %d\n", e.Cost, e.MaxCost)
	layerLine(w, r.GetLayer(), r.GetAuthor(), r.GetReason())
	fmt.Fprintln(w, "  reads")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range e.Reads {
		more := []string{x.Words}
		if x.Window != "" {
			more = append(more, x.Window)
		}
		if x.Holds != "" {
			more = append(more, "known for "+x.Holds)
		}
		fmt.Fprintf(t, "    %s\t%s\t%s\n", x.As, x.Unit, strings.Join(more, "; "))
	}
	return t.Flush()
}

func rulesListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List what rules can read", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tUNIT\tRANGE\tWINDOWS\tKNOWN FOR\tWHAT IT IS")
			for _, q := range rules.Vocabulary() {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", q.Name, unitOf(q), rangeOf(q), strings.Join(q.Statistics(), " "), q.Held(), q.Doc)
			}
			fmt.Fprintln(t, "loinc(\"8867-4\")\t\t\t\t1h\tany vital by its LOINC code, in the unit in which it was sent")
			return t.Flush()
		},
	}
}

func unitOf(q rules.Quantity) string {
	if q.Kind != rules.Number {
		return q.Kind.String()
	}
	return q.Unit
}

func rangeOf(q rules.Quantity) string {
	if q.Kind != rules.Number || q.Unit == "" {
		return ""
	}
	return fmt.Sprintf("%v..%v", q.From, q.To)
}
