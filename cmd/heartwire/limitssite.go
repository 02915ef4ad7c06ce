package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"heartwire/stages/registry"
	"heartwire/topics"
)

func (a *app) limitsProfileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "profile", Short: "Use, list and make named sets of limits",
		Long: `A profile is a named set of limits. adult, paediatric, neonate, post-surgery and
paced are built in; a site makes its own. A patient whose age group is not that
of the unit's profile (adult where it has none) has the one of the age group
without anybody saying so.`,
	}
	cmd.AddCommand(a.profileUseCommand(), a.profileListCommand(), a.profilePutCommand(), a.profileRemoveCommand())
	return cmd
}

func (a *app) profileUseCommand() *cobra.Command {
	var c layerChange
	cmd := &cobra.Command{
		Use: "use OF NAME|none", Short: "Give a patient, a unit or the site a profile, or none", Args: cobra.ExactArgs(2),
		Example: `  heartwire limits profile use patient/p01 post-surgery --reason post-procedure
  heartwire limits profile use unit/PICU paediatric --reason policy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.put(cmd, &c, args[0], func(_ *registry.View, l *topics.Layer) ([]string, error) {
				l.Profile = args[1]
				if l.Profile == "none" {
					l.Profile = ""
				}
				return nil, nil
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func (a *app) profileListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List profiles with what they set", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.settled(cmd)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "PROFILE\tFOR\tRULE\tLIMIT\tFOR\tPRIORITY")
			for _, p := range v.Profiles() {
				for _, l := range p.Limits {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, ageWord(p.AgeGroup), l.Rule, limitValue(l),
						dash(l.DurationS > 0, seconds(l.DurationS)), strings.TrimPrefix(l.Priority.String(), "PRIORITY_"))
				}
			}
			return w.Flush()
		},
	}
}

func ageWord(a topics.AgeGroup) string {
	return strings.ToLower(strings.TrimPrefix(a.String(), "AGE_GROUP_"))
}

func (a *app) profilePutCommand() *cobra.Command {
	var c layerChange
	var age string
	cmd := &cobra.Command{
		Use: "put NAME RULE=WHAT...", Short: "Make a profile of the site's own, or change it", Args: cobra.MinimumNArgs(2),
		Long: `Put makes a profile with these limits, or gives one other limits: the whole of
it is named. WHAT is as in heartwire limits set; what it does not say is by default.`,
		Example: `  heartwire limits profile put dialysis hr.low=45,10s pvc=15 --reason policy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			group, ok := topics.AgeGroup_value["AGE_GROUP_"+strings.ToUpper(age)]
			if !ok {
				return fmt.Errorf("--age %s: want adult, paediatric or neonate", age)
			}
			// From nothing: a profile must not take up what the site has set.
			l := &topics.Layer{Of: topics.LayerSite}
			if _, err := setLimits(registry.Read(nil), l, args[1:], 0, nil); err != nil {
				return err
			}
			return a.putProfile(cmd, &c, &topics.Profile{Name: args[0], AgeGroup: topics.AgeGroup(group), Limits: l.Limits})
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&age, "age", "adult", "for whom it is: adult, paediatric or neonate")
	return cmd
}

func (a *app) profileRemoveCommand() *cobra.Command {
	var c layerChange
	cmd := &cobra.Command{
		Use: "rm NAME", Short: "Take a profile of the site's own away", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.putProfile(cmd, &c, &topics.Profile{Name: args[0], Gone: true})
		},
	}
	c.flags(cmd)
	return cmd
}

func (a *app) putProfile(cmd *cobra.Command, c *layerChange, p *topics.Profile) error {
	v, err := a.settled(cmd)
	if err != nil {
		return err
	}
	version := v.ProfileVersion(p.Name)
	if c.expect >= 0 {
		version = uint64(c.expect)
	}
	return a.ask(cmd, c.author, []*topics.Request{{Reason: c.reason, Expected: &version, Kind: &topics.Request_PutProfile{PutProfile: p}}})
}

func (a *app) limitsBoundsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bounds", Short: "Show or set what units and patients may be given", Args: cobra.NoArgs,
		Long: `Bounds are what the site lets be set for units and patients. The site's own
limits and profiles are bound by what is built in alone.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.settled(cmd)
			if err != nil {
				return err
			}
			return boundsTable(cmd, v)
		},
	}
	cmd.AddCommand(a.boundsSetCommand())
	return cmd
}

func boundsTable(cmd *cobra.Command, v *registry.View) error {
	out := cmd.OutOrStdout()
	set, version := v.Bounds()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tFROM\tTO\tUNIT\tOFF\tSET BY")
	for _, b := range topics.BuiltIns() {
		from, to := b.Value.From, b.Value.To
		off := [...]string{topics.OffAtWill: "yes", topics.OffByWord: "by the word", topics.OffNever: "no"}[b.Off]
		by := "built in"
		for _, x := range set.Bounds {
			if x.Rule != b.Rule {
				continue
			}
			by = "the site"
			if x.From != 0 || x.To != 0 {
				from, to = x.From, x.To
			}
			if !x.MayBeOff {
				off = "no"
			}
		}
		if b.Value.Fixed() {
			fmt.Fprintf(w, "%s\t-\t-\t%s\t%s\t%s\n", b.Rule, cmp.Or(b.Unit, "-"), off, by)
		} else {
			fmt.Fprintf(w, "%s\t%v\t%v\t%s\t%s\t%s\n", b.Rule, from, to, cmp.Or(b.Unit, "-"), off, by)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nBounds are at version %d. A pause lasts at most %s.\n", version, seconds(cmp.Or(set.PauseMaxS, topics.DefaultPauseMaxS)))
	return err
}

func (a *app) boundsSetCommand() *cobra.Command {
	var c layerChange
	cmd := &cobra.Command{
		Use: "set RULE=FROM..TO[,off]...", Short: "Set bounds of some rules; those of others stay",
		Long: `Set says between what a rule's limit may be set for units and patients, and with
off that the rule may be switched off there; without it, it may not. RULE=off and
RULE=on say that alone, and RULE=any takes the site's bound away.`,
		Example: `  heartwire limits bounds set hr.high=90..160 hr.low=35..80 svt=on --reason policy
  heartwire limits bounds set af=off --pause-max 5m --reason policy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := a.settled(cmd)
			if err != nil {
				return err
			}
			b, version := v.Bounds()
			if cmd.Flags().Changed("pause-max") {
				b.PauseMaxS = c.pause.Seconds()
			} else if len(args) == 0 {
				return fmt.Errorf("say what to set, as in hr.high=90..160")
			}
			for _, arg := range args {
				if err := setBound(b, arg); err != nil {
					return fmt.Errorf("%s: %w", arg, err)
				}
			}
			if c.expect >= 0 {
				version = uint64(c.expect)
			}
			return a.ask(cmd, c.author, []*topics.Request{{Reason: c.reason, Expected: &version, Kind: &topics.Request_PutBounds{PutBounds: b}}})
		},
	}
	c.flags(cmd)
	cmd.Flags().DurationVar(&c.pause, "pause-max", 0, "how long a pause of alarms can last; 0: "+(topics.DefaultPauseMaxS*time.Second).String())
	return cmd
}

func setBound(b *topics.Bounds, arg string) error {
	rule, what, ok := strings.Cut(arg, "=")
	if !ok {
		return fmt.Errorf("write it as RULE=FROM..TO, as in hr.high=90..160")
	}
	b.Bounds = slices.DeleteFunc(b.Bounds, func(x *topics.Bound) bool { return x.Rule == rule })
	x := &topics.Bound{Rule: rule}
	for word := range strings.SplitSeq(what, ",") {
		from, to, span := strings.Cut(word, "..")
		switch {
		case word == "any":
			return nil
		case word == "off" || word == "on":
			x.MayBeOff = word == "off"
		case span:
			var err1, err2 error
			x.From, err1 = strconv.ParseFloat(from, 64)
			x.To, err2 = strconv.ParseFloat(to, 64)
			if err1 == nil && err2 == nil {
				continue
			}
			fallthrough
		default:
			return fmt.Errorf("%q is none of FROM..TO, on, off, any", word)
		}
	}
	b.Bounds = append(b.Bounds, x)
	return nil
}
