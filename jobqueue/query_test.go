package jobqueue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-queue/muster/jobqueue"
)

// inState brings a new job into a state.
func inState(t *testing.T, c *jobqueue.Client, cmd, state string, exitcode int) {
	t.Helper()
	j := newJob(cmd)
	j.Priority = 255
	add(t, c, j)
	if state == "ready" {
		return
	}
	j = reserve(t, c)
	if j.Cmd != cmd {
		t.Fatalf("reserved %s; want %s", j.Cmd, cmd)
	}
	switch state {
	case "reserved":
	case "running":
		ok(t, c.Started(j, 1, "h"))
	case "complete":
		ran(t, c, j, 0)
		ok(t, c.Archive(j))
	case "buried":
		ran(t, c, j, exitcode)
		ok(t, c.Bury(j, jobqueue.FailReasonExit))
	case "delayed":
		ran(t, c, j, exitcode)
		ok(t, c.Release(j, jobqueue.FailReasonExit, time.Hour))
	default:
		t.Fatal(state)
	}
}

// stocked is a client of a queue with jobs of RepGroup rep in all states.
func stocked(t *testing.T) *jobqueue.Client {
	t.Helper()
	c := one(t)
	for i, state := range []string{"buried", "buried", "buried", "complete", "complete", "delayed", "reserved", "running"} {
		inState(t, c, fmt.Sprint(state, i), state, 1)
	}
	inState(t, c, "buried8", "buried", 2)
	inState(t, c, "ready9", "ready", 0)
	other := newJob("other group")
	other.RepGroup = "rep2"
	add(t, c, other)
	return c
}

func TestGetByRepGroup(t *testing.T) {
	c := stocked(t)
	for _, x := range []struct {
		limit int
		state string
		jobs  int
	}{
		{0, "", 10},
		{0, "buried", 4},
		{0, "complete", 2},
		{0, "delayed", 1},
		{0, "reserved", 1},
		{0, "running", 1},
		{0, "ready", 1},
		{0, "lost", 0},
		{0, "dependent", 0},
		{0, "deletable", 6},
		{1, "", 7}, // of buried ones there are two kinds
		{2, "", 9},
		{3, "buried", 4},
		{5000, "", 10},
	} {
		jobs, err := c.GetByRepGroup("rep", x.limit, x.state, false, false)
		if err != nil || len(jobs) != x.jobs {
			t.Errorf("limit %d, state %q: %d jobs, %v; want %d", x.limit, x.state, len(jobs), err, x.jobs)
		}
	}
	jobs, err := c.GetByRepGroup("rep", 2, "buried", true, true)
	ok(t, err)
	similar := map[int]int{}
	for i, j := range jobs {
		if out, _ := j.StdOut(); out != "said\n" || j.EnvC == nil || j.FailReason != jobqueue.FailReasonExit {
			t.Errorf("job %s with all there is to know: %q, %+v", j.Cmd, out, j)
		}
		if last := i == len(jobs)-1 || jobs[i+1].Exitcode != j.Exitcode; !last && j.Similar != 0 {
			t.Errorf("job %s has %d similar, but is not the last", j.Cmd, j.Similar)
		}
		similar[j.Exitcode] += j.Similar
	}
	if len(jobs) != 3 || similar[1] != 1 || similar[2] != 0 {
		t.Errorf("%d jobs, similar %v; want 3, and one more with exit code 1", len(jobs), similar)
	}
	for _, limit := range []int{0, 6} {
		jobs, err := c.GetByRepGroup("rep", limit, "buried", true, true)
		if err != nil || len(jobs) != 4 || jobs[0].StdOutC != nil || jobs[0].EnvC != nil {
			t.Errorf("limit %d: what they printed came along: %+v, %v", limit, jobs, err)
		}
	}
	if jobs, err := c.GetByRepGroup("none", 0, "", false, false); err != nil || len(jobs) != 0 {
		t.Errorf("a group that is not there: %v, %v", jobs, err)
	}
	for _, bad := range []struct {
		group string
		limit int
		state string
	}{{"", 0, ""}, {"rep", -1, ""}, {"rep", 0, "sleeping"}} {
		_, err := c.GetByRepGroup(bad.group, bad.limit, bad.state, false, false)
		fails(t, err, jobqueue.ErrBadRequest)
	}
}

func TestGetIncomplete(t *testing.T) {
	c := stocked(t)
	add(t, connectTo(t, c, "elsewhere"), newJob("not here"))
	for _, x := range []struct {
		limit int
		state string
		jobs  int
	}{{0, "", 9}, {0, "buried", 4}, {0, "complete", 0}, {1, "", 6}, {1, "ready", 1}, {0, "ready", 2}} {
		jobs, err := c.GetIncomplete(x.limit, x.state, false, false)
		if err != nil || len(jobs) != x.jobs {
			t.Errorf("limit %d, state %q: %d jobs, %v; want %d", x.limit, x.state, len(jobs), err, x.jobs)
		}
	}
	_, err := c.GetIncomplete(0, "sleeping", false, false)
	fails(t, err, jobqueue.ErrBadRequest)
}

func TestGetByCmd(t *testing.T) {
	c := stocked(t)
	if j, err := c.GetByCmd("ready9", "/var/tmp", false, false); j != nil || err != nil {
		t.Errorf("a job that is not there: %v, %v", j, err)
	}
	_, err := c.GetByCmd("", "", false, false)
	fails(t, err, jobqueue.ErrBadRequest)
	ready := get(t, c, "ready9")
	jobs, err := c.GetByCmds([][2]string{{"", ready.Key()}, {"buried0", "/tmp"}, {"nothing", "/tmp"}, {"complete3", "/tmp"}})
	if err != nil || len(jobs) != 3 || jobs[0].Cmd != "ready9" || jobs[1].Cmd != "buried0" || jobs[2].State != "complete" {
		t.Errorf("%v, %v", jobs, err)
	}
	_, err = c.GetByCmds([][2]string{{"", ""}})
	fails(t, err, jobqueue.ErrBadRequest)
}

// Only buried jobs are kicked and deleted.
func TestKickAndDelete(t *testing.T) {
	c := stocked(t)
	all := [][2]string{
		{"buried0", "/tmp"}, {"", get(t, c, "buried1").Key()}, {"complete3", "/tmp"}, {"delayed5", "/tmp"},
		{"reserved6", "/tmp"}, {"running7", "/tmp"}, {"ready9", "/tmp"}, {"nothing", "/tmp"},
	}
	if n, err := c.Kick(all[:1]); err != nil || n != 1 {
		t.Errorf("%d kicked, %v; want 1", n, err)
	}
	isState(t, c, "buried0", "ready")
	if n, err := c.Delete(all); err != nil || n != 1 {
		t.Errorf("%d deleted, %v; want 1", n, err)
	}
	if j, err := c.GetByCmd("buried1", "/tmp", false, false); err != nil || j != nil {
		t.Errorf("the deleted one: %v, %v", j, err)
	}
	if n, err := c.Kick(all); err != nil || n != 0 {
		t.Errorf("%d kicked, %v; want 0", n, err)
	}
	for cmd, state := range map[string]string{
		"complete3": "complete", "delayed5": "delayed", "reserved6": "reserved", "running7": "running", "ready9": "ready", "buried0": "ready",
	} {
		isState(t, c, cmd, state)
	}
	if n, err := c.Delete(nil); err != nil || n != 0 {
		t.Errorf("nothing: %d, %v", n, err)
	}
	_, err := c.Delete([][2]string{{"", ""}})
	fails(t, err, jobqueue.ErrBadRequest)
	add(t, c, newJob("buried1")) // it is new again
}
