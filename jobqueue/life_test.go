package jobqueue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/jobqueue"
)

func TestLifeOfAJob(t *testing.T) {
	c := one(t)
	add(t, c, newJob("run"))
	j := reserve(t, c)
	if j.Cmd != "run" || j.Cwd != "/tmp" || j.State != "reserved" || j.ReservedBy != c.ID || j.Queue != "q" || j.RAM != 10 || j.UntilBuried != 4 {
		t.Fatalf("reserved: %+v", j)
	}
	if env, err := j.Env(); err != nil || len(env) == 0 {
		t.Fatalf("a reserved job has the environment %q, %v", env, err)
	}
	if got := isState(t, c, "run", "reserved"); got.ReservedBy != c.ID || got.Exited || got.Exitcode != -1 {
		t.Fatalf("%+v", got)
	}
	fails(t, c.Started(j, 0, "node"), jobqueue.ErrBadRequest)
	fails(t, c.Ended(j, 0, 0, 0, nil, nil), jobqueue.ErrBadJob) // not started
	fails(t, c.Archive(j), jobqueue.ErrBadRequest)              // not run
	ok(t, c.Touch(j))
	ok(t, c.Started(j, 4711, "node"))
	if j.State != "running" || j.Attempts != 1 || j.Pid != 4711 || j.Host != "node" {
		t.Fatalf("started: %+v", j)
	}
	fails(t, c.Archive(j), jobqueue.ErrBadRequest) // not ended
	if got := isState(t, c, "run", "running"); got.Attempts != 1 || got.Walltime <= 0 {
		t.Fatalf("%+v", got)
	}
	ok(t, c.Touch(j))
	long := strings.Repeat("x", 5000) + strings.Repeat("y", 5000)
	ok(t, c.Ended(j, 0, 123, 2*time.Second, []byte(long), []byte("complaint\n")))
	ok(t, c.Archive(j))
	if j.State != "complete" {
		t.Fatalf("archived: %+v", j)
	}
	got := isState(t, c, "run", "complete")
	if !got.Exited || got.Exitcode != 0 || got.PeakRAM != 123 || got.CPUtime != 2*time.Second || got.Walltime <= 0 || got.Pid != 4711 || got.FailReason != "" || got.ReservedBy != "" {
		t.Errorf("%+v", got)
	}
	out, err := got.StdOut()
	if err != nil || !strings.HasPrefix(out, long[:4096]) || !strings.HasSuffix(out, long[len(long)-4096:]) || !strings.Contains(out, "1808") {
		t.Errorf("the output is %q, %v", out, err)
	}
	if stderr, err := got.StdErr(); err != nil || stderr != "complaint\n" {
		t.Errorf("standard error is %q, %v", stderr, err)
	}
	ok(t, c.Archive(j)) // a repeat
	fails(t, c.Touch(j), jobqueue.ErrBadJob)
	fails(t, c.Bury(j, jobqueue.FailReasonExit), jobqueue.ErrBadJob)
}

// What needs a reserved job refuses others, those that another client reserved
// among them.
func TestMustReserve(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c, other := connect(t, s, "q"), connect(t, s, "q")
	add(t, c, newJob("a"))
	theirs := reserve(t, other)
	for name, do := range map[string]func(*jobqueue.Job) error{
		"Started": func(j *jobqueue.Job) error { return c.Started(j, 1, "h") },
		"Touch":   c.Touch,
		"Ended":   func(j *jobqueue.Job) error { return c.Ended(j, 0, 1, 0, nil, nil) },
		"Archive": c.Archive,
		"Release": func(j *jobqueue.Job) error { return c.Release(j, jobqueue.FailReasonExit, 0) },
		"Bury":    func(j *jobqueue.Job) error { return c.Bury(j, jobqueue.FailReasonExit) },
		"Execute": func(j *jobqueue.Job) error { return c.Execute(j, "bash") },
	} {
		t.Run(name, func(t *testing.T) {
			fails(t, do(newJob("a")), jobqueue.ErrMustReserve)
			fails(t, do(theirs), jobqueue.ErrMustReserve)
			fails(t, do(get(t, c, "a")), jobqueue.ErrMustReserve)
			fails(t, do(nil), jobqueue.ErrBadRequest)
		})
	}
	ok(t, other.Touch(get(t, other, "a"))) // a copy of what was reserved will do
	if j, err := c.Reserve(time.Millisecond); err != nil || j != nil {
		t.Errorf("two clients have a job: %v, %v", j, err)
	}
}

// Only a run that failed costs a retry: after Retries of them the job is buried.
func TestRelease(t *testing.T) {
	c := one(t)
	add(t, c, newJob("a"))
	for range 6 { // more often than there are retries
		j := reserve(t, c)
		ok(t, c.Release(j, jobqueue.FailReasonStart, 0))
		if j.State != "ready" || j.UntilBuried != 4 {
			t.Fatalf("not started: %+v", j)
		}
		j = reserve(t, c)
		ok(t, c.Started(j, 1, "h"))
		ok(t, c.Release(j, jobqueue.FailReasonAbnormal, 0))
		if j.State != "ready" || j.UntilBuried != 4 || j.FailReason != jobqueue.FailReasonAbnormal {
			t.Fatalf("started, but not run: %+v", j)
		}
	}
	for left := uint32(3); left > 0; left-- {
		j := reserve(t, c)
		ran(t, c, j, 3)
		fails(t, c.Archive(j), jobqueue.ErrBadRequest) // not with that exit code
		ok(t, c.Release(j, jobqueue.FailReasonExit, 0))
		if j.State != "ready" || j.UntilBuried != left {
			t.Fatalf("with %d failures left: %+v", left, j)
		}
		ok(t, c.Release(j, jobqueue.FailReasonExit, 0)) // a repeat
		if got := isState(t, c, "a", "ready"); got.UntilBuried != left || got.Exitcode != 3 || !got.Exited {
			t.Fatalf("a repeat counted: %+v", got)
		}
	}
	j := reserve(t, c)
	ran(t, c, j, 3)
	ok(t, c.Release(j, jobqueue.FailReasonExit, 0))
	got := isState(t, c, "a", "buried")
	if j.State != "buried" || got.UntilBuried != 0 || got.FailReason != jobqueue.FailReasonExit {
		t.Fatalf("the last failure: %+v", got)
	}
	if stderr, err := got.StdErr(); err != nil || stderr != "complained\n" {
		t.Errorf("standard error is %q, %v", stderr, err)
	}
	if kicked, err := c.Kick([][2]string{{"a", "/tmp"}}); err != nil || kicked != 1 {
		t.Fatalf("%d kicked, %v", kicked, err)
	}
	if got := isState(t, c, "a", "ready"); got.UntilBuried != 4 {
		t.Errorf("a kick gives all retries back: %+v", got)
	}
}

// Whatever reason it is given, a release gives the job back, and says why.
func TestReleaseReasons(t *testing.T) {
	c := one(t)
	for _, reason := range []string{
		jobqueue.FailReasonEnv, jobqueue.FailReasonCwd, jobqueue.FailReasonStart, jobqueue.FailReasonCPerm,
		jobqueue.FailReasonCFound, jobqueue.FailReasonCExit, jobqueue.FailReasonExit, jobqueue.FailReasonRAM,
		jobqueue.FailReasonTime, jobqueue.FailReasonAbnormal, jobqueue.FailReasonSignal, jobqueue.FailReasonResource,
		"the moon was full",
	} {
		add(t, c, newJob(reason))
		j := reserve(t, c)
		ran(t, c, j, 1)
		ok(t, c.Release(j, reason, time.Hour))
		if got := isState(t, c, reason, "delayed"); got.FailReason != reason || got.UntilBuried != 3 {
			t.Errorf("%s: %+v", reason, got)
		}
		add(t, c, newJob("bury "+reason))
		j = reserve(t, c)
		ok(t, c.Bury(j, reason))
		ok(t, c.Bury(j, reason)) // a repeat
		if got := isState(t, c, "bury "+reason, "buried"); got.FailReason != reason || j.State != "buried" {
			t.Errorf("buried for %s: %+v", reason, got)
		}
	}
	add(t, c, newJob("x"))
	fails(t, c.Release(reserve(t, c), "", -time.Second), jobqueue.ErrBadRequest)
}

func TestReserve(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c, other := connect(t, s, "q"), connect(t, s, "q")
	if j, err := c.Reserve(10 * time.Millisecond); j != nil || err != nil {
		t.Fatalf("an empty queue gave %v, %v", j, err)
	}
	_, err := c.Reserve(-1)
	fails(t, err, jobqueue.ErrBadRequest)
	got := make(chan *jobqueue.Job)
	go func() {
		j, err := c.Reserve(0) // for ever
		if err != nil {
			t.Error(err)
		}
		got <- j
	}()
	add(t, connect(t, s, "elsewhere"), newJob("not this queue"))
	add(t, other, newJob("a"))
	if j := <-got; j == nil || j.Cmd != "a" {
		t.Fatalf("%v", j)
	}
	// A delayed job comes when its time has come.
	add(t, c, newJob("later"))
	ok(t, c.Release(reserve(t, c), jobqueue.FailReasonSignal, 300*time.Millisecond))
	if j := isState(t, c, "later", "delayed"); j.FailReason != jobqueue.FailReasonSignal {
		t.Errorf("%+v", j)
	}
	if j := reserve(t, c); j.Cmd != "later" {
		t.Errorf("%v", j)
	}
	// A disconnected client waits no more.
	ended := make(chan error)
	go func() {
		_, err := other.Reserve(0)
		ended <- err
	}()
	other.Disconnect()
	fails(t, <-ended, jobqueue.ErrQueueClosed)
}

func TestReserveScheduled(t *testing.T) {
	c := one(t)
	small, large := newJob("small"), newJob("large")
	large.RAM, large.Cores, large.Time = 3000, 2, 90*time.Second
	add(t, c, small, large)
	if g := large.SchedulerGroup(); g != "cpu=2,mem=3000M,time=1m30s" {
		t.Errorf("the group is %s", g)
	}
	if j, err := c.ReserveScheduled(time.Millisecond, "cpu=2,mem=3000M,time=1h0m0s"); err != nil || j != nil {
		t.Errorf("a group without jobs gave %v, %v", j, err)
	}
	for _, want := range []*jobqueue.Job{large, small} {
		j, err := c.ReserveScheduled(10*time.Second, want.SchedulerGroup())
		if err != nil || j == nil || j.Cmd != want.Cmd {
			t.Fatalf("group %s gave %v, %v", want.SchedulerGroup(), j, err)
		}
	}
	add(t, c, newJob("any"))
	if j, err := c.ReserveScheduled(10*time.Second, ""); err != nil || j == nil {
		t.Errorf("no group: %v, %v", j, err)
	}
	for _, group := range []string{"x", "cpu=1", "cpu=x,time=1h", "cpu=1,time=-1h", "=1,time=1h"} {
		_, err := c.ReserveScheduled(time.Millisecond, group)
		fails(t, err, jobqueue.ErrBadRequest)
	}
}

// A client that falls silent loses its job to another when the TTR is over, and what
// it says then counts for nothing.
func TestSilentClient(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	silent := dial(t, s, jobqueue.ClientConfig{Queue: "q", ItemTTR: time.Second, TouchInterval: 100 * time.Millisecond})
	c := connect(t, s, "q")
	add(t, c, newJob("a"))
	lost := reserve(t, silent)
	ran(t, silent, lost, 0)
	j := reserve(t, c) // as soon as it may
	if j.Cmd != "a" || j.ReservedBy != c.ID {
		t.Fatalf("%+v", j)
	}
	fails(t, silent.Touch(lost), jobqueue.ErrBadJob)
	fails(t, silent.Archive(lost), jobqueue.ErrBadJob)
	fails(t, silent.Release(lost, jobqueue.FailReasonExit, 0), jobqueue.ErrBadJob)
	fails(t, silent.Bury(lost, jobqueue.FailReasonExit), jobqueue.ErrBadJob)
	ran(t, c, j, 0)
	ok(t, c.Archive(j))
	isState(t, c, "a", "complete")
}
