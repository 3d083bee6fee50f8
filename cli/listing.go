package cli

import (
	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
)

// formatFlag adds -o to a command that lists something.
func (a *app) formatFlag(cmd *cobra.Command, help string) {
	if help == "" {
		help = "table, json (one object a line), csv or plain (TABs between fields, no header)"
	}
	cmd.Flags().StringVarP(&a.format, "output", "o", "table", "`FORMAT`: "+help)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(output.Formats, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// listing begins a listing in the format asked for.
func (a *app) listing(columns ...output.Column) (*output.Listing, error) {
	f, err := output.ParseFormat(a.format)
	if err != nil {
		return nil, err
	}
	a.format = output.Formats[f]
	return output.NewListing(a.out, f, columns...), nil
}

// table tells whether a person is meant to read the answer.
func (a *app) table() bool { return a.format == "table" || a.format == "t" }
