package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// told collects what a webhook is told: the ids under which it heard of each key.
type told struct {
	mu     sync.Mutex
	deaf   bool
	ids    map[string][]string
	arrive chan struct{}
}

func (r *told) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var m struct{ Data struct{ Key string } }
	body, err := io.ReadAll(q.Body)
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || r.deaf {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if id := q.Header.Get("Webhook-Id"); !slices.Contains(r.ids[m.Data.Key], id) {
		r.ids[m.Data.Key] = append(r.ids[m.Data.Key], id)
	}
	select {
	case r.arrive <- struct{}{}:
	default:
	}
}

// await waits until so many keys were heard of, and gives them.
func (r *told) await(t *testing.T, n int) map[string][]string {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		r.mu.Lock()
		heard := len(r.ids)
		r.mu.Unlock()
		if heard >= n {
			return r.ids
		}
		select {
		case <-r.arrive:
		case <-deadline:
			t.Fatalf("%d ends were told of, want %d", heard, n)
		}
	}
}

// TestNoticesAndSchedulesSurviveKill: the server, with its agent, is killed with -9
// again and again, while a receiver refuses what it is told and a schedule fires every
// second. Afterwards every end has been told of, each under one id, and every second has
// had its job, none of them two.
func TestNoticesAndSchedulesSurviveKill(t *testing.T) {
	receiver := &told{deaf: true, ids: map[string][]string{}, arrive: make(chan struct{}, 1)}
	hook := httptest.NewServer(receiver)
	defer hook.Close()
	dir := t.TempDir()
	c := &cluster{t: t, dir: dir, bin: build(t, dir)}
	c.server = c.daemon("server", "server", "--data", filepath.Join(dir, "data"), "--listen", freeAddress(t), "--http", "off")
	c.server.start()
	c.awaitServer()
	c.must("notice", "add", "all", "--on", "complete", "--url", hook.URL)
	c.must("queue", "set", "default", "--losses", "1000", "--retries", "1000", "--backoff", "1s")
	c.run("cron", "add", "tick", "@every 1s", "--missed", "all", "--missed-max", "1000", "--overlap", "allow", "--", "true")
	const kills, each = 4, 5
	for i := range kills {
		for k := range each {
			c.run("add", "echo", strconv.Itoa(i*each+k))
		}
		c.await("a job of the schedule", func() bool { return c.fired("tick") > 2*i })
		c.server.kill()
		c.server.start()
		c.awaitServer()
	}
	receiver.mu.Lock()
	receiver.deaf = false
	receiver.mu.Unlock()
	c.must("cron", "pause", "tick")
	c.must("wait")
	fired := c.fired("tick")
	heard := receiver.await(t, kills*each+fired)
	if len(heard) != kills*each+fired {
		t.Errorf("%d ends were told of, of %d jobs", len(heard), kills*each+fired)
	}
	var times []time.Time
	for key, ids := range heard {
		if len(ids) != 1 {
			t.Errorf("%s was told of as %q", key, ids)
		}
		if at, ok := strings.CutPrefix(key, "tick@"); ok {
			when, err := time.Parse(time.RFC3339, at)
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, when)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := 1; i < len(times); i++ {
		if times[i].Sub(times[i-1]) != time.Second {
			t.Errorf("after %v comes %v", times[i-1], times[i])
		}
	}
	t.Logf("%d ends told of, %d of them of the schedule", len(heard), fired)
}

// run is must for a command line with a command of a job at its end.
func (c *cluster) run(args ...string) {
	c.t.Helper()
	out, err := exec.Command(c.bin, append([]string{"--data", filepath.Join(c.dir, "data")}, args...)...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("muster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// fired is how many jobs a schedule has made.
func (c *cluster) fired(name string) int {
	c.t.Helper()
	out, err := c.muster(time.Minute, "cron", "show", name, "-o", "plain")
	if err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		if n, ok := strings.CutPrefix(line, "fired\t"); ok {
			fired, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				c.t.Fatal(err)
			}
			return fired
		}
	}
	c.t.Fatalf("it does not say how often it fired:\n%s", out)
	return 0
}
