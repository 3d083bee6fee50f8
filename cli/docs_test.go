package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFirstSteps types what docs/getting-started.md shows, and compares what is
// seen: "…" stands for anything on a line.
func TestFirstSteps(t *testing.T) {
	page, err := os.ReadFile("../docs/getting-started.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shell := newTerminal(t, dir)
	for _, s := range steps(string(page)) {
		if got := shell(s.command); !s.matches(got) {
			t.Fatalf("$ %s\n--- the page has\n%s\n--- but one sees\n%s", s.command, s.output, got)
		}
	}
}

// step is a command of a page and its output.
type step struct{ command, output string }

// steps finds the commands in the blocks of a page that are marked as console.
func steps(page string) (list []step) {
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(page, -1) {
		here := ""
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSuffix(line, "\n")
			command, isCommand := strings.CutPrefix(line, "$ ")
			last := len(list) - 1
			switch {
			case here != "":
				list[last].command += "\n" + line
				if line == here {
					here = ""
				}
			case isCommand:
				list = append(list, step{command: command})
				_, here, _ = strings.Cut(command, "<<")
			default:
				list[last].output += line + "\n"
			}
		}
	}
	return list
}

// matches compares the output with what the page shows, however it is spaced.
func (s *step) matches(got string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(s.output) {
		words := strings.Fields(line)
		for i := range words {
			words[i] = strings.ReplaceAll(regexp.QuoteMeta(words[i]), "…", ".*")
		}
		pattern.WriteString(`[ ]*` + strings.Join(words, "[ ]+") + "[ ]*\n")
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(pattern.String(), "[ ]+.*", "[ ]*.*") + "\n*$").MatchString(got)
}

// newTerminal is a shell in a directory, with a queue of its own.
func newTerminal(t *testing.T, dir string) func(command string) string {
	t.Helper()
	data := filepath.Join(dir, ".data")
	t.Cleanup(func() {
		stop := exec.Command("muster", "--data", data, "stop")
		_ = stop.Run() // most pages have stopped it
	})
	return func(command string) string {
		if strings.HasSuffix(command, "&") {
			// In the background: what comes after it needs it to be up.
			command = strings.TrimSuffix(command, "&") + ">.server.log 2>&1 & until muster info >.info 2>&1; do :; done"
		}
		c := exec.Command("bash", "-c", command)
		c.Dir = dir
		c.Env = append(os.Environ(), "MUSTER_DATA="+data, "LC_ALL=C", "HOME="+dir, "TMPDIR="+dir)
		out, _ := c.CombinedOutput() // a failure shows in the output
		return string(out)
	}
}
