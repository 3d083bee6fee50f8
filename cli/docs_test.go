package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPages types what pages for users show, and compares what is seen: "…" stands
// for anything on a line.
func TestPages(t *testing.T) {
	for _, name := range []string{"../README.md", "../docs/getting-started.md", "../docs/http.md", "../docs/quota.md"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			page, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := exec.LookPath("curl"); err != nil && strings.Contains(string(page), "\ncurl ") && os.Getenv("CI") == "" {
				t.Skip("no curl")
			}
			shell := newTerminal(t, t.TempDir())
			list := steps(string(page))
			for _, s := range list {
				if got := shell(s.command); !s.matches(got) {
					t.Fatalf("$ %s\n--- the page has\n%s\n--- but one sees\n%s", s.command, s.output, got)
				}
			}
			if len(list) == 0 {
				t.Error("the page shows nothing")
			}
		})
	}
}

// TestLinksOfPages follows the links between pages.
func TestLinksOfPages(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(pages, "../README.md") {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^):# ]+)[^)]*\)`).FindAllSubmatch(page, -1) {
			if s := string(m[1]); s == "https" || s == "http" { // to elsewhere
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), string(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
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
		// Most pages have stopped it; it is gone when its process is.
		end := exec.Command("bash", "-c", "test ! -f .pid || { muster stop; tail --pid=$(cat .pid) -f /dev/null; }")
		end.Dir, end.Env = dir, append(os.Environ(), "MUSTER_DATA="+data)
		_ = end.Run()
	})
	return func(command string) string {
		if server, ok := strings.CutSuffix(command, "&"); ok {
			// In the background, on a port that is free; what comes after needs it to be up.
			command = server + "--listen 127.0.0.1:0 >.server.log 2>&1 & echo $! >.pid; " +
				"while kill -0 $! && ! muster info >.info 2>&1; do :; done"
		}
		c := exec.Command("bash", "-c", command)
		c.Dir = dir
		c.Env = append(os.Environ(), "MUSTER_DATA="+data, "LC_ALL=C", "HOME="+dir, "TMPDIR="+dir)
		out, _ := c.CombinedOutput() // a failure shows in the output
		return string(out)
	}
}
