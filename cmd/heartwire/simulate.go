package main

import (
	"slices"

	"github.com/spf13/cobra"

	"heartwire/pipeline/bridge/patch"
)

// patients are the flags that say who the patients are.
var patients = []shortcut{
	{"patients", "simulate.patients", "how many synthetic patients"},
	{"script", "simulate.scripts", "the rhythm `script` of a patient; again for the next one"},
	{"record", "simulate.records", "play this WFDB `record`, named without extension; again for the next patient"},
	{"loop", "simulate.loop", "begin a record again at its end"},
	{"skip", "simulate.skip", "where in a record to begin"},
	{"speed", "simulate.speed", "how many times faster than life"},
	{"seed", "simulate.seed", "another seed is other people and other luck"},
}

// misbehaviour are the flags that say what goes wrong.
var misbehaviour = []shortcut{
	{"gap-every", "simulate.behaviour.gap_every", "tear the connection about so often; what was measured is sent later"},
	{"gap-for", "simulate.behaviour.gap_for", "for so long"},
	{"reboot-every", "simulate.behaviour.reboot_every", "start the patch anew about so often"},
	{"lost", "simulate.behaviour.lost", "`probability` that a frame is never sent"},
	{"duplicate", "simulate.behaviour.duplicate", "`probability` that a frame is sent twice"},
	{"reorder", "simulate.behaviour.reorder", "`probability` that a frame is sent after the next one"},
	{"missing", "simulate.behaviour.missing", "`probability` that a sample is marked as missing"},
	{"clock-offset", "simulate.behaviour.clock_offset", "how wrong the device's clock is"},
	{"clock-drift", "simulate.behaviour.clock_drift", "how wrong it goes, in `ppm`"},
	{"battery", "simulate.behaviour.battery", "`%` at the start"},
	{"battery-use", "simulate.behaviour.battery_use", "`%` an hour"},
}

func (a *app) simulateCommand() *cobra.Command {
	list := slices.Concat(patients, []shortcut{
		{"broker", "simulate.broker", "MQTT `address`"},
		{"site", "simulate.site", "first level of the MQTT topics"},
		{"rate", "simulate.rate", "`Hz` of a synthetic patient"},
		{"leads", "simulate.leads", "a `lead` of a synthetic patient; again for the next one"},
		{"frame", "simulate.frame", "length of a frame"},
		{"encoding", "simulate.encoding", "proto or json"},
		{"for", "simulate.for", "end after this time of the patients' life"},
		{"connections", "simulate.connections", "share this many MQTT connections; 0: one for each patch"},
		{"ledger", "simulate.ledger", "append the fate of each frame to this `file`"},
		{"state-dir", "simulate.state_dir", "keep boot counters in this `folder`"},
	}, misbehaviour)
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Publish ECG as patches do",
		Long: `Simulate publishes by MQTT as patches do: synthetic patients who live by a
script, or recordings in WFDB format. Patches can misbehave as real ones do, and
with the same seed they do the same again.

A script is steps, each a duration and what happens then, such as

  20s sinus 66; 12s asystole; 20s sinus 66 + pvc 6/min; 10s vt 180; loop

Rhythms: sinus R, af R, vt R, vf, flutter R, asystole, pace R, nocapture R, with R a rate
a minute, or 40..66 for one that moves. Ectopy: pvc N, pac N, couplet N, run N, r-on-t N, blocked N, bigeminy,
trigeminy. Conditions: lead-off NAME or all, noise, wander and mains with an
amplitude (0.3mV), gain X, dropout. A last step without a duration goes on.`,
		Example: `  heartwire simulate --patients 20
  heartwire simulate --record mitdb/119 --record mitdb/208 --loop
  heartwire simulate --patients 1 --script '20s sinus 70; 10s vt 180; sinus 70' --speed 10
  heartwire simulate --gap-every 1m --gap-for 10s --duplicate 0.01 --reorder 0.01`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.sets = append(a.sets, given(cmd.Flags(), list)...)
			conf, err := a.load()
			if err != nil {
				return err
			}
			log, err := a.logger(cmd)
			if err != nil {
				return err
			}
			if len(conf.Simulate.Records) > 0 {
				conf.Simulate.Patients = len(conf.Simulate.Records)
			}
			p, err := patch.New(conf.Simulate, log)
			if err != nil {
				return err
			}
			return p.Run(cmd.Context())
		},
	}
	addShortcuts(cmd.Flags(), list)
	return cmd
}
