package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/stages/registry"
	"heartwire/topics"
)

func (a *app) limitsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "See and set by what alarms are raised, for a patient, a unit or the site",
		Long: `Limits are what each alarm rule is judged by. They lie in layers:

  default < site < unit < profile of the patient's age or choice < patient

The upper one holds. Where a layer says nothing of a rule, the one beneath does;
a layer that names a profile has it right beneath its own values. OF is site,
unit/NAME or patient/NAME.

A change names who (--as) and why (--reason), may end by itself (--for), is
refused when somebody else has changed the same layer meanwhile, and is in force
within two seconds.`,
	}
	cmd.AddCommand(a.limitsShowCommand(), a.limitsSetCommand(), a.limitsClearCommand(), a.limitsProfileCommand(), a.limitsBoundsCommand())
	return cmd
}

// settled reads what the registry has said until now: the newest of each object.
func (a *app) settled(cmd *cobra.Command) (*registry.View, error) {
	conf, _, err := a.reach(cmd)
	if err != nil {
		return nil, err
	}
	all := map[topics.Key]*topics.Setting{}
	err = conf.Kafka.Scan(cmd.Context(), quiet(), topics.Settings, kafka.Since{Start: true}, func(r topics.Record[proto.Message], bad error) error {
		s, ok := r.Value.(*topics.Setting)
		switch {
		case bad != nil:
			return bad
		case !ok: // a tombstone
			delete(all, r.Key)
		case s.GetOutcome() == nil && s.GetDevice() == nil:
			all[r.Key] = s
		}
		return nil
	})
	return registry.Read(slices.Collect(maps.Values(all))), err
}

func (a *app) limitsShowCommand() *cobra.Command {
	var site, asJSON, changed bool
	var unit string
	cmd := &cobra.Command{
		Use: "show [PATIENT | --site | --unit NAME]", Short: "Show the limits in force, and where each comes from", Args: cobra.MaximumNArgs(1),
		Example: `  heartwire limits show p01
  heartwire limits show --unit "4 West" --set
  heartwire limits show --site --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			of, err := layerOf(args, site, unit)
			if err != nil {
				return err
			}
			v, err := a.settled(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				return limitsJSON(cmd.OutOrStdout(), v, of)
			}
			return limitsTable(cmd.OutOrStdout(), v, of, changed)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&site, "site", false, "of the site: a patient of no unit, of whom nothing else is set")
	f.StringVar(&unit, "unit", "", "of a `unit`")
	f.BoolVar(&changed, "set", false, "only what is not by default")
	f.BoolVar(&asJSON, "json", false, "one JSON object: what is in force, and what the layer itself says, with its version")
	return cmd
}

// layerOf is the layer that somebody wants to see.
func layerOf(args []string, site bool, unit string) (string, error) {
	switch {
	case len(args) == 1 && !site && unit == "":
		if args[0] == topics.LayerSite || strings.Contains(args[0], "/") {
			return args[0], nil
		}
		return "patient/" + args[0], nil
	case len(args) == 0 && site && unit == "":
		return topics.LayerSite, nil
	case len(args) == 0 && !site && unit != "":
		return "unit/" + unit, nil
	}
	return "", errors.New("say whose: a patient, --site or --unit NAME, and one of them")
}

func limitsJSON(out io.Writer, v *registry.View, of string) error {
	force, err := v.Force(of)
	if err != nil {
		return err
	}
	layer, version := v.Layer(of)
	object := map[string]json.RawMessage{"version": fmt.Append(nil, version)}
	for name, m := range map[string]proto.Message{"force": force, "layer": layer} {
		if object[name], err = protojson.Marshal(m); err != nil {
			return err
		}
	}
	return json.NewEncoder(out).Encode(object)
}

func limitsTable(out io.Writer, v *registry.View, of string, changed bool) error {
	force, err := v.Force(of)
	if err != nil {
		return err
	}
	list := append(force.Limits, unlimited(force)...)
	if changed {
		list = slices.DeleteFunc(list, func(l *topics.Limit) bool { return l.Layer == topics.LayerDefault })
	}
	if err := limitRows(out, list); err != nil {
		return err
	}
	_, version := v.Layer(of)
	fmt.Fprintf(out, "\n%s itself is at version %d. Profile: %s. A pause lasts %s, at most %s. A HIGH alarm waits %s for an answer.\n",
		of, version, force.Profile, seconds(force.PauseS), seconds(force.PauseMaxS), seconds(force.AnswerWaitS))
	return nil
}

// unlimited are the rules that people wrote of which no limit is set, as limits without a value.
func unlimited(force *topics.Limits) (out []*topics.Limit) {
	for _, r := range force.Rules {
		if !slices.ContainsFunc(force.Limits, func(l *topics.Limit) bool { return l.Rule == r.Name }) {
			out = append(out, &topics.Limit{
				Rule: r.Name, Value: math.NaN(), DurationS: r.DurationS, Priority: r.Priority,
				Layer: r.Layer, Author: r.Author, SetUs: r.SetUs, Reason: r.Reason, ExpiresUs: r.ExpiresUs,
			})
		}
	}
	return out
}

// limitRows prints limits, each with where it comes from.
func limitRows(out io.Writer, list []*topics.Limit) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tLIMIT\tFOR\tPRIORITY\tLAYER\tBY\tSINCE\tREASON\tUNTIL")
	for _, l := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Rule, limitValue(l), dash(l.DurationS > 0, seconds(l.DurationS)),
			strings.TrimPrefix(l.Priority.String(), "PRIORITY_"), l.Layer, cmp.Or(l.Author, "-"), at(l.SetUs), cmp.Or(l.Reason, "-"), at(l.ExpiresUs))
	}
	return w.Flush()
}

// limitValue is a limit in words. What has a definition and no limit shows none.
func limitValue(l *topics.Limit) string {
	b := topics.FindBuiltIn(l.Rule)
	switch {
	case l.Off:
		return "off"
	case b != nil && b.Value.Fixed() && b.Follows == "" || math.IsNaN(l.Value):
		return "on"
	case l.Unit == "":
		return strconv.FormatFloat(l.Value, 'g', -1, 64)
	}
	return strconv.FormatFloat(l.Value, 'g', -1, 64) + " " + l.Unit
}

func at(us int64) string { return dash(us != 0, topics.MicroTime(us).Format(toSecond)) }

func dash(is bool, text string) string {
	if is {
		return text
	}
	return "-"
}

func seconds(s float64) string { return time.Duration(s * float64(time.Second)).String() }

// A layerChange is a change of one layer that somebody is about to ask for.
type layerChange struct {
	author, reason string
	lasts          time.Duration
	expect         int64
	lethal         []string
	pause, answer  time.Duration
}

func (c *layerChange) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.author, "as", "cli", "the `account` in whose name this is asked")
	f.StringVar(&c.reason, "reason", "", "why, by a `code`: clinical-order, nuisance, post-procedure, comfort-care, policy, correction, …")
	f.Int64Var(&c.expect, "expect", -1, "refuse unless the layer is at this `version`, as limits show printed it; without it, as it is read now")
	_ = cmd.MarkFlagRequired("reason")
}

// put reads a layer, changes it, asks the registry for it, and shows what is
// then in force of some rules.
func (a *app) put(cmd *cobra.Command, c *layerChange, of string, change func(*registry.View, *topics.Layer) (show []string, err error)) error {
	v, err := a.settled(cmd)
	if err != nil {
		return err
	}
	layer, version := v.Layer(of)
	show, err := change(v, layer)
	if err != nil {
		return err
	}
	if c.expect >= 0 {
		version = uint64(c.expect)
	}
	if err := a.ask(cmd, c.author, []*topics.Request{{
		Reason: c.reason, Expected: &version, Kind: &topics.Request_PutLayer{PutLayer: layer},
	}}); err != nil || len(show) == 0 {
		return err
	}
	if v, err = a.settled(cmd); err != nil {
		return err
	}
	force, err := v.Force(of)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	others := func(l *topics.Limit) bool { return !slices.Contains(show, l.Rule) }
	if err := limitRows(out, slices.DeleteFunc(append(force.Limits, unlimited(force)...), others)); err != nil || c.lasts == 0 {
		return err
	}
	if force, err = v.Beneath(of, show); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nWhen that is over:")
	return limitRows(out, slices.DeleteFunc(force.Limits, others))
}
