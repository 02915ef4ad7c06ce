package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"heartwire/stages/registry"
	"heartwire/topics"
)

// whose are the flags that name one layer.
type whose struct {
	site          bool
	unit, patient string
}

func (w *whose) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&w.site, "site", false, "of the site")
	f.StringVar(&w.unit, "unit", "", "of a `unit`")
	f.StringVar(&w.patient, "patient", "", "of a `patient`")
	cmd.MarkFlagsOneRequired("site", "unit", "patient")
	cmd.MarkFlagsMutuallyExclusive("site", "unit", "patient")
}

func (w *whose) layer() string {
	switch {
	case w.site:
		return topics.LayerSite
	case w.unit != "":
		return topics.LayerUnit + "/" + w.unit
	}
	return topics.LayerPatient + "/" + w.patient
}

func (a *app) rulesPutCommand() *cobra.Command {
	var c layerChange
	var w whose
	cmd := &cobra.Command{
		Use: "put FILE", Short: "Put the rules and limits of a file in force, for the site, a unit or a patient", Args: cobra.ExactArgs(1),
		Long: `Put gives a layer the rules and limits of a file; those of the same names are
replaced, and what else the layer says stays. A file in which lint finds something
is not put. heartwire rules test tries it before.`,
		Example: `  heartwire rules put ward.yaml --unit "4 West" --reason policy --as doctor-3
  heartwire rules put sepsis.yaml --patient p07 --reason clinical-order --as doctor-3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := readRules(args[0])
			if err != nil {
				return err
			}
			if list := f.Lint(); len(list) > 0 {
				return fmt.Errorf("%s:%s (heartwire rules lint %s tells all)", args[0], list[0], args[0])
			}
			of := w.layer()
			if f.Layer.GetOf() != "" && f.Layer.GetOf() != of {
				return fmt.Errorf("%s says that it is of %s, and is to be put to %s: name that, or take its `of` away", args[0], f.Layer.GetOf(), of)
			}
			return a.put(cmd, &c, of, func(_ *registry.View, l *topics.Layer) ([]string, error) {
				return putRules(l, f.Layer)
			})
		},
	}
	c.flags(cmd)
	w.flags(cmd)
	return cmd
}

// putRules gives a layer what a file says, and what the file does not say leaves
// it as it is. It gives the names of the rules.
func putRules(l, file *topics.Layer) (names []string, err error) {
	for _, r := range file.GetRules() {
		forget(l, r.GetName()) // a limit over it was of the rule as it was
		l.Rules = append(l.Rules, r)
		names = append(names, r.GetName())
	}
	for _, x := range file.GetLimits() {
		l.Limits = slices.DeleteFunc(l.Limits, func(was *topics.Limit) bool { return was.GetRule() == x.GetRule() })
		l.Limits = append(l.Limits, x)
		l.LethalOff = slices.DeleteFunc(l.LethalOff, func(rule string) bool { return rule == x.GetRule() })
		names = append(names, x.GetRule())
	}
	for _, rule := range file.GetLethalOff() {
		if !slices.Contains(l.LethalOff, rule) {
			l.LethalOff = append(l.LethalOff, rule)
		}
	}
	if file.GetProfile() != "" {
		l.Profile = file.GetProfile()
	}
	if file.GetPauseS() != 0 {
		l.PauseS = file.GetPauseS()
	}
	if file.GetAnswerWaitS() != 0 {
		l.AnswerWaitS = file.GetAnswerWaitS()
	}
	if len(names) == 0 && file.GetProfile() == "" && file.GetPauseS() == 0 && file.GetAnswerWaitS() == 0 {
		return nil, errors.New("the file says no rule and no limit")
	}
	return names, nil
}

func (a *app) rulesRemoveCommand() *cobra.Command {
	var c layerChange
	var w whose
	cmd := &cobra.Command{
		Use: "rm NAME...", Short: "Take rules that people wrote away from the site, a unit or a patient", Args: cobra.MinimumNArgs(1),
		Long: `Rm takes rules away with the limits that stand over them; their open alarms end.
A rule of the same name in a layer beneath then holds again. To switch off a
built-in rule, or one of a layer beneath: heartwire limits set OF NAME=off.`,
		Example: `  heartwire rules rm fast-ectopy --unit "4 West" --reason nuisance --as doctor-3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.put(cmd, &c, w.layer(), func(_ *registry.View, l *topics.Layer) ([]string, error) {
				for _, name := range args {
					if !slices.ContainsFunc(l.Rules, func(r *topics.Rule) bool { return r.GetName() == name }) {
						return nil, fmt.Errorf("%s has no rule %s of its own: heartwire limits show tells in which layer it stands", l.GetOf(), name)
					}
				}
				return clearLimits(l, args)
			})
		},
	}
	c.flags(cmd)
	w.flags(cmd)
	return cmd
}
