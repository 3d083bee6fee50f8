package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// selected is the selection of a command line.
func selected(t *testing.T, line string) (*selection, error) {
	t.Helper()
	cmd := &cobra.Command{}
	s := newApp(System{Dir: "/work"}).addSelectionFlags(cmd)
	s.addAllFlag(cmd)
	if err := cmd.ParseFlags(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	return s, s.settle(cmd.Flags().Args())
}

func TestSelectionBecomesAFilter(t *testing.T) {
	s, err := selected(t, "-i g -q q -g k -b --state Running,lost --reason exit --reason ram --exit 0 --host h --worker w --command c")
	if err != nil {
		t.Fatal(err)
	}
	zero := 0
	want := client.Filter{
		Queue: "q", Group: "g", Kind: "k", States: []string{"running", "lost", "buried"}, Reasons: []job.Reason{job.ReasonExit, job.ReasonMemory},
		Exit: &zero, Host: "h", Worker: "w", Command: "c",
	}
	if d := cmp.Diff(want, s.filter); d != "" {
		t.Error(d)
	}
}

func TestChangesOfEverythingMustBeMeant(t *testing.T) {
	for line, refused := range map[string]bool{
		"": true, "-c /elsewhere": true, "--duplicates": true,
		"--all": false, "key": false, "-f x": false, "-i g": false, "-q q": false, "-b": false, "--exit 0": false, "--host h": false, "--command c": false,
	} {
		s, err := selected(t, line)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.must("remove"); job.IsKind(err, job.Invalid) != refused {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestSelectionsThatAreNone(t *testing.T) {
	for _, line := range []string{
		"--state asleep", "--reason boredom", "-f x key", "--when added", "--since 1h --until 2h",
		// What an unset variable gives would select all.
		"--group= -b", "--state=", "--key-part= -q q", "--host=", "--reason=", "--since= -b",
	} {
		if _, err := selected(t, line); !job.IsKind(err, job.Invalid) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestNamedJobsAreFilteredHere(t *testing.T) {
	buried := &client.Info{
		Group: "g", Kind: "k", State: job.Buried, Reason: job.ReasonExit, Exit: 3, Attempt: &job.Attempt{Host: "h", Worker: "w"},
		Job: &job.Job{Command: &job.Command{Line: "grep -c x file"}},
	}
	ready := &client.Info{Group: "g", State: job.Ready, Job: &job.Job{Command: &job.Command{Argv: []string{"true"}}}}
	for line, want := range map[string][2]bool{
		"-f x":                        {true, true},
		"-f x -b":                     {true, false},
		"-f x --state unfinished":     {false, true},
		"-f x --state live":           {true, true},
		"-f x --state held":           {false, false},
		"-f x -i g":                   {true, true},
		"-f x -i other":               {false, false},
		"-f x -g k":                   {true, false},
		"-f x --exit 3":               {true, false},
		"-f x --exit 0":               {false, false},
		"-f x --reason exit":          {true, false},
		"-f x --host h --worker w":    {true, false},
		"-f x --host other":           {false, false},
		"-f x --command file":         {true, false},
		"-f x -b --reason exit,ram":   {true, false},
		"-f x -b --command something": {false, false},
	} {
		s, err := selected(t, line)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{s.matches(buried), s.matches(ready)}; got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}
