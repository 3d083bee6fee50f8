package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTwoTeams lets two teams share two real agents. The poor one has both; then a
// job of the rich one preempts a run, as the traces of both show. The server is
// killed meanwhile, and no account has gained or lost by it. In the end all have
// completed, and at no time had an agent more than it can hold.
//
// Each job takes all of an agent, and one of two locks: who gets neither has met
// three runs on two agents.
func TestTwoTeams(t *testing.T) {
	c := newCluster(t)
	c.revive() // agents that came before the server gave up
	c.must("account", "add", "poor", "--rate", "0,1", "--balance", "0,1000")
	c.must("account", "add", "rich", "--rate", "0.5", "--balance", "1000")
	c.add("poor", "first", "second")
	c.await("both of the poor run", func() bool { return c.trace("first") == "start " && c.trace("second") == "start " })

	c.add("rich", "third")
	c.await("one of the poor has ended and the rich one runs", func() bool {
		return strings.Contains(c.trace("first")+c.trace("second"), "ended") && c.trace("third") == "start "
	})
	victim, other := "first", "second"
	if c.trace(victim) == "start " {
		victim, other = other, victim
	}
	if got := c.trace(victim); got != "start term ended " {
		t.Errorf("the victim's trace: %s", got)
	}

	before := c.quota()
	c.server.kill()
	c.server.start()
	c.awaitServer()
	after := c.quota()
	for key, was := range before {
		is := after[key]
		passed := is.At.Sub(was.At).Seconds()
		want := was.Balance + passed*(was.Rate-was.Workers)
		if is.Workers != was.Workers || math.Abs(is.Balance-want) > 1e-3 {
			t.Errorf("%s has %.4f and pays for %v workers %.2f s after a kill -9; want %.4f and %v",
				key, is.Balance, is.Workers, passed, want, was.Workers)
		}
	}
	if rich, poor := after["rich 0"], after["poor 1"]; rich.Workers != 1 || poor.Workers != 1 || rich.Balance >= 1000 {
		t.Errorf("rich %+v, poor %+v", rich, poor)
	}

	c.touch("go third")
	c.await("the victim runs again", func() bool { return c.trace(victim) == "start term ended start " })
	c.touch("go " + victim)
	c.touch("go " + other)
	c.must("wait")
	for name, want := range map[string]string{
		victim: "start term ended start whole ", other: "start whole ", "third": "start whole ",
	} {
		if got := c.trace(name); got != want {
			t.Errorf("the trace of %s: %s; want %s", name, got, want)
		}
	}
	if b, err := os.ReadFile(c.overlap); err == nil {
		t.Errorf("more ran than the agents can hold: %s", b)
	}
	if out, _ := c.muster(time.Minute, "events", "-o", "json"); strings.Count(out, `"preempted"`) != 1 {
		t.Errorf("the log tells of another number of preemptions than one:\n%s", out)
	}
}

// add adds jobs that write what they see and end when they are told to go.
func (c *cluster) add(account string, names ...string) {
	c.t.Helper()
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, `cd %[1]s; exec 9>>locks/a; flock -n 9 || { exec 9>>locks/b; flock -n 9 || echo %[2]s >> %[3]s; }; `+
			`trap 'echo term >> %[2]s; sleep 0.3; echo ended >> %[2]s; exit 143' TERM; `+
			`echo start >> %[2]s; until [ -e "go %[2]s" ]; do sleep 0.05; done; echo whole >> %[2]s`+"\n", c.dir, name, c.overlap)
	}
	path := filepath.Join(c.dir, "jobs of "+account)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.must("add", "--account", account, "--cpus", "4", "-m", "100M", "-f", path)
}

func (c *cluster) trace(name string) string {
	b, _ := os.ReadFile(filepath.Join(c.dir, name))
	return strings.ReplaceAll(string(b), "\n", " ")
}

func (c *cluster) touch(name string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), nil, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// await waits for what processes do by themselves.
func (c *cluster) await(what string, is func() bool) {
	c.t.Helper()
	deadline := time.After(60 * time.Second)
	for !is() {
		select {
		case <-deadline:
			out, _ := c.muster(10*time.Second, "status", "--explain")
			c.t.Fatalf("waited in vain until %s; first: %s, second: %s, third: %s\n%s",
				what, c.trace("first"), c.trace("second"), c.trace("third"), out)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// standing is an account at a level.
type standing struct {
	Account, Level         string
	Rate, Balance, Workers float64
	At                     time.Time
}

// quota are the accounts at all levels that are paid.
func (c *cluster) quota() map[string]standing {
	c.t.Helper()
	out, err := c.muster(10*time.Second, "quota", "-o", "json")
	if err != nil {
		c.t.Fatalf("quota: %v\n%s", err, out)
	}
	all := map[string]standing{}
	for line := range strings.Lines(out) {
		var s standing
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			c.t.Fatalf("%v: %s", err, line)
		}
		if s.Level != "free" {
			all[s.Account+" "+s.Level] = s
		}
	}
	return all
}
