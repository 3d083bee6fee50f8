package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/job"
)

func TestDocsAreUpToDate(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"input.md", simulationPage} {
		page, err := os.ReadFile(filepath.Join("../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), page, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteDocs(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cli.md", "input.md", simulationPage, simulationPicture} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("docs/%s is out of date; call make generate:\n%s", name, d)
		}
	}
}

// commands visits every command of muster's own that can be called; those of LSF and Slurm
// have their options on a page, which is tested beside them.
func commands(t *testing.T, visit func(*cobra.Command)) {
	t.Helper()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.DisableFlagParsing {
			return
		}
		visit(c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(newApp(System{})))
}

func TestEveryCommandAndFlagIsExplained(t *testing.T) {
	commands(t, func(c *cobra.Command) {
		if c.Short == "" || c.Runnable() && !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s has no short help or no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "muster") && !strings.HasPrefix(line, "mv ") {
				t.Errorf("%s: the example %q does not show muster", c.CommandPath(), line)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no help", c.CommandPath(), f.Name)
			}
		})
	})
}

func TestExamplesNameFlagsThatExist(t *testing.T) {
	commands(t, func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			for _, word := range strings.Fields(line) {
				name, ok := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if ok && name != "" && c.Root().PersistentFlags().Lookup(name) == nil && !knowsFlag(c.Root(), name) {
					t.Errorf("%s: the example has --%s, which no command knows", c.CommandPath(), name)
				}
			}
		}
	})
}

func knowsFlag(c *cobra.Command, name string) bool {
	if c.Flags().Lookup(name) != nil {
		return true
	}
	for _, sub := range c.Commands() {
		if knowsFlag(sub, name) {
			return true
		}
	}
	return false
}

func TestEveryFlagOfAFieldTakesItsExample(t *testing.T) {
	a := newApp(System{Dir: "/work"})
	for i := range input.Fields {
		f := &input.Fields[i]
		if f.Flag == input.NoFlag {
			continue
		}
		example := "true"
		if _, text, ok := strings.Cut(f.FlagHelp(), "e.g. "); ok {
			example = strings.Trim(text, "'")
		}
		cmd := &cobra.Command{}
		flags := a.addJobFlags(cmd)
		if err := cmd.ParseFlags([]string{"--" + f.FlagName() + "=" + example}); err != nil {
			t.Errorf("--%s %s: %v", f.FlagName(), example, err)
			continue
		}
		j, err := flags.template()
		if err != nil {
			t.Errorf("--%s %s: %v", f.FlagName(), example, err)
			continue
		}
		j.Command.Line = "true"
		if err := input.Finish(j, ""); err != nil {
			t.Errorf("--%s %s: %v", f.FlagName(), example, err)
		}
	}
}

func TestEveryExitCodeIsExplained(t *testing.T) {
	text, _, _ := strings.Cut(string(reference()), "Listings come")
	for k := job.Internal; k <= job.NoSpace; k++ {
		if !regexp.MustCompile(fmt.Sprintf(`\b%d (for|when|after)\b`, k.ExitCode())).MatchString(text) {
			t.Errorf("the reference does not explain exit code %d (%v)", k.ExitCode(), k)
		}
	}
}
