package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"heartwire/stages/registry"
	"heartwire/topics"
)

func (a *app) accountCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "See and change who may see and do what",
		Long: `An account is somebody, or a program, who may see and do what its roles allow, in
its units. It is named by a pseudonym, never by a person's name.`,
	}
	cmd.AddCommand(a.accountPutCommand(), a.accountListCommand(), a.accountRemoveCommand())
	return cmd
}

func (a *app) accountPutCommand() *cobra.Command {
	var author string
	acc := &topics.Account{}
	cmd := &cobra.Command{
		Use: "put ACCOUNT", Short: "Make an account, or give it other roles and units", Args: cobra.ExactArgs(1),
		Example: `  heartwire account put nurse-7 --role nurse --unit "4 West" --unit "5 East"
  heartwire account put doctor-3 --role doctor --unit '*'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(acc.Roles) == 0 || len(acc.Units) == 0 {
				return errors.New("an account has one --role or more, and one --unit or more")
			}
			acc.Account = args[0]
			return a.putAccount(cmd, author, acc)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&acc.Roles, "role", nil, "a `role`: "+strings.Join(registry.Roles, ", "))
	f.StringArrayVar(&acc.Units, "unit", nil, "a `unit`, or * for all")
	f.StringVar(&author, "as", "cli", "the `account` in whose name this is asked")
	return cmd
}

func (a *app) accountRemoveCommand() *cobra.Command {
	var author string
	cmd := &cobra.Command{
		Use: "rm ACCOUNT", Short: "Take an account away", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.putAccount(cmd, author, &topics.Account{Account: args[0], Gone: true})
		},
	}
	cmd.Flags().StringVar(&author, "as", "cli", "the `account` in whose name this is asked")
	return cmd
}

func (a *app) putAccount(cmd *cobra.Command, author string, acc *topics.Account) error {
	return a.ask(cmd, author, []*topics.Request{{Kind: &topics.Request_PutAccount{PutAccount: acc}}})
}

func (a *app) accountListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List accounts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.settled(cmd)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			if !asJSON {
				fmt.Fprintln(w, "ACCOUNT\tROLES\tUNITS")
			}
			for _, acc := range v.Accounts() {
				if asJSON {
					fmt.Fprintln(out, protojson.MarshalOptions{}.Format(acc))
					continue
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", acc.Account, strings.Join(acc.Roles, ", "), strings.Join(acc.Units, ", "))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}
