package main

import (
	"fmt"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Explain the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use:   "explain [PREFIX]",
		Short: "Show every setting, its value and where that came from",
		Long: `Explain shows every setting with its value and its origin. A value comes from,
each over the one before: the default, the file that --config names, the
environment (kafka.brokers is HEARTWIRE_KAFKA_BROKERS), and --set key=value.
Secrets are never settings: they stand in files that settings name.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.load()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SETTING\tFROM\tVALUE")
			leaves := l.leaves()
			for _, p := range sortedKeys(leaves) {
				if len(args) == 1 && !strings.HasPrefix(p, args[0]) {
					continue
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", p, l.origins[p], value(leaves[p]))
			}
			return w.Flush()
		},
	})
	return cmd
}

func value(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		return strings.Trim(fmt.Sprint(v.Interface()), "[]")
	}
	if s := fmt.Sprint(v.Interface()); s != "" {
		return s
	}
	return `""`
}
