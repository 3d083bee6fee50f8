package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLimitsSurviveKill has two real agents with room for all jobs, of which a limit
// lets one run at once, and a rate three start. The limits are changed while jobs run,
// and the server is killed: what is in use, and what was used up, is what it was.
func TestLimitsSurviveKill(t *testing.T) {
	c := newCluster(t)
	c.revive()
	c.must("limit", "set", "lock", "1")
	c.must("limit", "set", "starts", "3/day")
	var jobs strings.Builder
	for _, name := range []string{"first", "second", "third", "fourth"} {
		fmt.Fprintf(&jobs, "cd %s; echo start >> %[2]s; until [ -e \"go %[2]s\" ]; do sleep 0.05; done; echo whole >> %[2]s\n", c.dir, name)
	}
	path := filepath.Join(c.dir, "limited")
	if err := os.WriteFile(path, []byte(jobs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c.must("add", "-l", "lock,starts", "-m", "10M", "--cpus", "0.1", "-f", path)
	c.await("the first runs", func() bool { return c.trace("first") == "start " })
	c.limits(map[string][2]int64{"lock": {1, 0}, "starts": {1, 1}})

	c.server.kill()
	c.server.start()
	c.awaitServer()
	c.limits(map[string][2]int64{"lock": {1, 0}, "starts": {1, 1}})
	c.must("limit", "set", "lock", "2")
	c.await("the second runs", func() bool { return c.trace("second") == "start " })
	c.must("limit", "set", "lock", "1")
	c.touch("go first")
	c.await("the first is through", func() bool { return c.trace("first") == "start whole " })
	c.await("one is in use", func() bool { return c.limit("lock").Used == 1 })
	if got := c.trace("third"); got != "" {
		t.Errorf("the third has run though one was in use: %s", got)
	}

	c.server.kill()
	c.server.start()
	c.awaitServer()
	c.touch("go second")
	c.await("the third runs", func() bool { return c.trace("third") == "start " })
	c.limits(map[string][2]int64{"lock": {1, 0}, "starts": {1, 3}})
	c.must("limit", "rm", "lock")
	c.touch("go third")
	c.await("the third is through", func() bool { return c.limit("lock").Used == 0 })
	if l := c.limit("starts"); l.Open || l.Waiting != 1 || l.Opens.Before(time.Now().Add(23*time.Hour)) || l.Opens.After(time.Now().Add(24*time.Hour+30*time.Minute)) {
		t.Errorf("the rate is used up for about a day: %+v", l)
	}
	if got := c.trace("fourth"); got != "" {
		t.Errorf("the fourth has run: %s", got)
	}
	c.touch("go fourth")
	c.must("limit", "set", "starts", "4/day")
	c.must("wait")
	for _, name := range []string{"first", "second", "third", "fourth"} {
		if got := c.trace(name); got != "start whole " {
			t.Errorf("the trace of %s: %s", name, got)
		}
	}
}

// limitRow is a limit as the command line tells of it.
type limitRow struct {
	Limit                  string
	Used, Started, Waiting int64
	Open                   bool
	Opens                  time.Time
}

func (c *cluster) limit(name string) limitRow {
	c.t.Helper()
	out, err := c.muster(10*time.Second, "limit", "list", "-o", "json")
	if err != nil {
		c.t.Fatalf("limit list: %v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		var l limitRow
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			c.t.Fatalf("%v: %s", err, line)
		}
		if l.Limit == name {
			return l
		}
	}
	return limitRow{}
}

// limits fails unless so many units of each limit are in use, and of rates used up.
func (c *cluster) limits(want map[string][2]int64) {
	c.t.Helper()
	for name, w := range want {
		if l := c.limit(name); l.Used != w[0] || l.Started != w[1] {
			c.t.Errorf("limit %s: %d in use, %d used up; want %v", name, l.Used, l.Started, w)
		}
	}
}
