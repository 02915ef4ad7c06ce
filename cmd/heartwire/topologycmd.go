package main

import (
	"github.com/spf13/cobra"
)

func (a *app) topologyCommand() *cobra.Command {
	var dot bool
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Print the graph that runs",
		Example: `  heartwire topology
  heartwire topology --dot | dot -Tsvg > heartwire.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h := newHouse(defaultConfig(), quiet())
			graph, err := h.topology()
			if err != nil {
				return err
			}
			if err := graph.Validate(); err != nil {
				return err
			}
			if dot {
				return graph.WriteDot(cmd.OutOrStdout())
			}
			return graph.WriteText(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&dot, "dot", false, "in Graphviz DOT")
	return cmd
}
