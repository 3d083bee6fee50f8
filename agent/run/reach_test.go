package run_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

func TestHowACommandReachesTheServer(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, false, run.Config{Adopt: true, Program: program})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("authority\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const show = `echo "${MUSTER_SERVER--} ${MUSTER_DATA--} ${MUSTER_CA--} ${MUSTER_TOKEN--} ${MUSTER_TOKEN_FILE--}"`
	captured := []string{"PATH=" + os.Getenv("PATH"), "MUSTER_SERVER=old:1", "MUSTER_DATA=/old", "MUSTER_CA=/old/ca", "MUSTER_TOKEN_FILE=/old/token"}
	spec := func(reach *run.Reach, c job.Command) run.Spec {
		c.Line, c.Emulate = show, job.Slurm
		return run.Spec{Attempt: a.id(), Key: "k", Group: "g", Command: &c, Env: captured, Reach: reach}
	}
	for name, test := range map[string]struct {
		reach *run.Reach
		env   []string
		want  string
	}{
		"by address":   {&run.Reach{Token: "lent.x", Address: "head:7", CAFile: ca}, nil, "head:7 - " + ca + " lent.x -\n"},
		"by directory": {&run.Reach{Token: "lent.x", Data: "/srv/muster", Address: "head:7", CAFile: ca}, nil, "- /srv/muster - lent.x -\n"},
		"not told":     {nil, nil, "old:1 /old /old/ca - /old/token\n"},
		"its own word": {&run.Reach{Token: "lent.x", Address: "head:7"}, []string{"MUSTER_SERVER=mine:1"}, "mine:1 /old /old/ca - /old/token\n"},
	} {
		r := a.Run(t.Context(), spec(test.reach, job.Command{Env: test.env}))
		if want(t, r, job.ReasonNone); stdout(r) != test.want {
			t.Errorf("%s: %q, not %q", name, stdout(r), test.want)
		}
	}
	if os.Getuid() != 0 {
		return
	}
	// Another user reads neither the data directory nor what is in it.
	c := job.Command{User: "nobody", Dir: "/", DirGiven: true}
	s := spec(&run.Reach{Token: "lent.x", Data: "/srv/muster", Address: "head:7", CAFile: ca}, c)
	s.Command.Line = `echo "$MUSTER_SERVER ${MUSTER_DATA--} $(cat "$MUSTER_CA")"`
	r := a.Run(t.Context(), s)
	if want(t, r, job.ReasonNone); stdout(r) != "head:7 - authority\n" {
		t.Errorf("another user: %q", stdout(r))
	}
}
