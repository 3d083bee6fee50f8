package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/job"
)

//go:generate go run ./gendocs ../docs

// WriteDocs writes cli.md, the table of fields in input.md, and what the simulations
// of simulate.md print and draw, into a directory.
func WriteDocs(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cli.md"), reference(), 0o644); err != nil {
		return job.Errorf(job.Internal, "write the reference: %w", err)
	}
	path := filepath.Join(dir, "input.md")
	page, err := os.ReadFile(path)
	if err == nil {
		page, err = withFields(page)
	}
	if err == nil {
		err = os.WriteFile(path, page, 0o644)
	}
	if err != nil {
		return job.Errorf(job.Internal, "write the table of fields: %w", err)
	}
	return writeSimulations(dir)
}

// reference is the page about all commands.
func reference() []byte {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nMade from the program's own help by `make generate`; do not edit. " +
		"[The first steps](getting-started.md) are the better way in.\n\n" +
		"Exit codes: 0 when all went well; 1 when a job failed; 64 for what is wrong with a call or a file, 65 for what cannot be done " +
		"at that moment (the job is running, somebody else was faster), 66 for what is not there, 69 when no server answers or it lacks the command, 70 for a defect of muster, " +
		"73 for what is there already, 74 for trouble with stored data or a full disk, 75 when the server is too busy or a time ran out, " +
		"77 for a missing right, 130 after Ctrl-C.\n\n")
	b.WriteString("Listings come as a table, or for programs with `-o json` (one object a line), `-o csv` (with a header) or `-o plain` " +
		"(TABs between fields, no header). There, moments are in RFC 3339, lengths of time in seconds, memory and disk in bytes, " +
		"and nothing is cut. `-o json` of `status -l` has every field of a job. Colours are used on terminals only, and not when NO_COLOR is set.\n\n")
	root := newRoot(newApp(System{}))
	fmt.Fprintf(&b, "Flags of all commands:\n\n")
	writeFlags(&b, root.PersistentFlags())
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == g.ID && c.Name() != "help" && c.Name() != "completion" {
				writeCommand(&b, c)
			}
		}
	}
	return b.Bytes()
}

func writeCommand(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	if c.Long != "" {
		fmt.Fprintf(b, "%s\n\n", c.Long)
	}
	if c.Runnable() {
		fmt.Fprintf(b, "    %s\n\n", c.UseLine())
		if len(c.Aliases) > 0 {
			fmt.Fprintf(b, "Also: `%s`.\n\n", strings.Join(c.Aliases, "`, `"))
		}
	}
	if c.Example != "" {
		fmt.Fprintf(b, "```sh\n%s\n```\n\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	writeFlags(b, c.Flags())
	for _, sub := range c.Commands() {
		writeCommand(b, sub)
	}
}

func writeFlags(b *bytes.Buffer, flags *pflag.FlagSet) {
	rows := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Hidden {
			return
		}
		if rows++; rows == 1 {
			b.WriteString("| flag | meaning |\n|---|---|\n")
		}
		arg, usage := pflag.UnquoteUsage(f)
		name := "`--" + f.Name
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		if arg != "" && arg != "bool" {
			name += " " + arg
		}
		fmt.Fprintf(b, "| %s` | %s |\n", name, cell(usage))
	})
}

// cell makes a text fit into a table of Markdown.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}

// The table of fields stands between these lines of input.md.
const (
	fieldsBegin = "<!-- fields: made by make generate -->\n"
	fieldsEnd   = "<!-- end of fields -->\n"
)

// withFields is the page about the input with its table made anew.
func withFields(page []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(fieldsBegin))
	_, after, found := bytes.Cut(rest, []byte(fieldsEnd))
	if !ok || !found {
		return nil, job.Errorf(job.Invalid, "input.md has no place for the table of fields")
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(fieldsBegin + "| field | also | example | flag | meaning |\n|---|---|---|---|---|\n")
	for i := range input.Fields {
		f := &input.Fields[i]
		flag := ""
		if f.Flag != input.NoFlag {
			flag = "`--" + f.FlagName() + "`"
		}
		if f.Short != "" {
			flag = "`-" + f.Short + "`, " + flag
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", f.Name, strings.Join(f.Aliases, ", "), f.Example, flag, cell(f.Help))
	}
	b.WriteString(fieldsEnd)
	b.Write(after)
	return b.Bytes(), nil
}
