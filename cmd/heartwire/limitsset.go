package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heartwire/stages/registry"
	"heartwire/topics"
)

func (a *app) limitsSetCommand() *cobra.Command {
	var c layerChange
	cmd := &cobra.Command{
		Use: "set OF RULE=WHAT...", Short: "Set limits of a patient, a unit or the site", Args: cobra.MinimumNArgs(1),
		Long: `Set changes what a layer says of some rules; what it says of others stays.

WHAT is one or more of these, with commas between:

  130            the limit, in the rule's unit
  10s            for how long it must be exceeded; of asystole, pause, no-data
                 and lead-off, which count time, the limit itself
  off, on        whether the rule speaks at all
  hysteresis:4   by how much it must be undercut to be over
  quality:0.5    from 0 to 1; below it nothing is decided
  low, medium, high           the alarm's priority
  latching, not-latching      whether it stays until somebody has seen it

What is not said stays as it is in force. With --for, the layer beneath holds
when the time is over, whatever this layer said before. A rule that is lethal when missed (vf,
asystole, vt, hr.extreme-high, hr.extreme-low) is switched off only with
--lethal-off, naming it again. af=off leaves af-fast, which is the rate limit
while the atria fibrillate. heartwire limits show lists the rules.`,
		Example: `  heartwire limits set patient/p01 hr.high=130,10s pvc=6 af=off --reason clinical-order --as doctor-3
  heartwire limits set patient/p01 hr.high=150 --reason post-procedure --for 12h
  heartwire limits set "unit/4 West" couplet=off hr.low=45,10s --pause 3m --reason policy
  heartwire limits set patient/p09 asystole=off --lethal-off asystole --reason comfort-care`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !cmd.Flags().Changed("pause") && !cmd.Flags().Changed("answer-wait") {
				return fmt.Errorf("say what to set, as in hr.high=130,10s")
			}
			var expires int64
			if c.lasts != 0 {
				if c.lasts < 0 {
					return fmt.Errorf("--for %s: want a time ahead, such as 12h", c.lasts)
				}
				expires = time.Now().Add(c.lasts).UnixMicro()
			}
			return a.put(cmd, &c, args[0], func(v *registry.View, l *topics.Layer) ([]string, error) {
				if cmd.Flags().Changed("pause") {
					l.PauseS = c.pause.Seconds()
				}
				if cmd.Flags().Changed("answer-wait") {
					l.AnswerWaitS = c.answer.Seconds()
				}
				return setLimits(v, l, args[1:], expires, c.lethal)
			})
		},
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.DurationVar(&c.lasts, "for", 0, "end by itself after this `time`, such as 12h; without it, until somebody changes it")
	f.StringSliceVar(&c.lethal, "lethal-off", nil, "yes, switch off this lethal `rule`")
	f.DurationVar(&c.pause, "pause", 0, "how long a pause of alarms lasts when nobody says, such as 2m; 0: as the layer beneath has it")
	f.DurationVar(&c.answer, "answer-wait", 0, "how long a HIGH alarm waits for an answer before it is the next person's, 15s to 5m; 0: as the layer beneath has it")
	return cmd
}

// setLimits changes what a layer says of rules, and gives their names.
func setLimits(v *registry.View, l *topics.Layer, args []string, expires int64, lethal []string) (rules []string, err error) {
	for _, arg := range args {
		rule, what, ok := strings.Cut(arg, "=")
		if !ok || what == "" {
			return nil, fmt.Errorf("%s: write it as RULE=WHAT, as in hr.high=130,10s", arg)
		}
		limit, err := v.Limit(l.Of, rule)
		if err != nil {
			return nil, err
		}
		for _, x := range l.Limits {
			if x.Rule == rule {
				limit = x
			}
		}
		if b := topics.FindBuiltIn(rule); b != nil && b.Follows != "" {
			limit.Value, limit.DurationS, limit.Hysteresis = 0, 0, 0
		}
		for word := range strings.SplitSeq(what, ",") {
			if err := setWord(limit, word); err != nil {
				return nil, fmt.Errorf("%s: %w", arg, err)
			}
		}
		limit.ExpiresUs = expires
		l.Limits = slices.DeleteFunc(l.Limits, func(x *topics.Limit) bool { return x.Rule == rule })
		l.Limits = append(l.Limits, limit)
		l.LethalOff = slices.DeleteFunc(l.LethalOff, func(x string) bool { return x == rule && !limit.Off })
		rules = append(rules, rule)
	}
	for _, rule := range lethal {
		if !slices.Contains(l.LethalOff, rule) {
			l.LethalOff = append(l.LethalOff, rule)
		}
	}
	return rules, nil
}

// setWord takes one word of what is to be set.
func setWord(l *topics.Limit, word string) error {
	name, number, named := strings.Cut(word, ":")
	if named {
		v, err := strconv.ParseFloat(number, 64)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %q is no number", name, number)
		case name == "hysteresis":
			l.Hysteresis = v
		case name == "quality":
			l.Quality = &v
		default:
			return fmt.Errorf("%q can be hysteresis or quality", name)
		}
		return nil
	}
	yes, no := true, false
	switch word {
	case "off", "on":
		l.Off = word == "off"
	case "low":
		l.Priority = topics.Priority_PRIORITY_LOW
	case "medium":
		l.Priority = topics.Priority_PRIORITY_MEDIUM
	case "high":
		l.Priority = topics.Priority_PRIORITY_HIGH
	case "latching":
		l.Latching = &yes
	case "not-latching":
		l.Latching = &no
	default:
		return setNumber(l, word)
	}
	return nil
}

func setNumber(l *topics.Limit, word string) error {
	if v, err := strconv.ParseFloat(word, 64); err == nil {
		l.Value = v
		return nil
	}
	d, err := time.ParseDuration(word)
	if err != nil {
		return fmt.Errorf("%q is none of a limit such as 130, a time such as 10s, on, off, low, medium, high, latching, not-latching, hysteresis:N, quality:N", word)
	}
	if b := topics.FindBuiltIn(l.Rule); b != nil && b.Unit == "s" && b.DurationS.Fixed() {
		l.Value = d.Seconds()
	} else {
		l.DurationS = d.Seconds()
	}
	return nil
}

func (a *app) limitsClearCommand() *cobra.Command {
	var c layerChange
	cmd := &cobra.Command{
		Use: "clear OF [RULE...]", Short: "Take away what a layer says, so that the one beneath holds", Args: cobra.MinimumNArgs(1),
		Long: `Clear takes away what a layer says of the rules that are named, or, where none is
named, all that it says: limits, rules, its profile, its pause, its wait.`,
		Example: `  heartwire limits clear patient/p01 hr.high --reason correction
  heartwire limits clear patient/p01 --reason correction`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.put(cmd, &c, args[0], func(_ *registry.View, l *topics.Layer) ([]string, error) {
				return clearLimits(l, args[1:])
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func clearLimits(l *topics.Layer, rules []string) ([]string, error) {
	if len(rules) == 0 {
		l.Limits, l.Rules, l.LethalOff, l.Profile, l.PauseS, l.AnswerWaitS = nil, nil, nil, "", 0, 0
		return nil, nil
	}
	for _, rule := range rules {
		if !forget(l, rule) {
			return nil, fmt.Errorf("%s says nothing of %s", l.Of, rule)
		}
	}
	return rules, nil
}

// forget takes away what a layer says of a rule; false: it says nothing of it.
func forget(l *topics.Layer, rule string) bool {
	before := len(l.Limits) + len(l.Rules)
	l.Limits = slices.DeleteFunc(l.Limits, func(x *topics.Limit) bool { return x.Rule == rule })
	l.Rules = slices.DeleteFunc(l.Rules, func(x *topics.Rule) bool { return x.Name == rule })
	l.LethalOff = slices.DeleteFunc(l.LethalOff, func(x string) bool { return x == rule })
	return len(l.Limits)+len(l.Rules) < before
}
