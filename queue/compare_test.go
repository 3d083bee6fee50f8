package queue

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// check compares everything after each command.
func (k *machine) check(t *rapid.T) {
	k.t = t
	k.feed()
	k.s.Begin(k.now())
	k.checkJobs(t)
	checkInvariants(t, k.s, &k.sched)
	if got := k.s.Counts()[job.Complete]; got != k.m.done {
		t.Fatalf("%d jobs are counted complete, want %d", got, k.m.done)
	}
}

func (k *machine) checkJobs(t *rapid.T) {
	n := 0
	for _, j := range k.m.jobs {
		l, ok := k.s.BySeq(j.seq)
		if ok != j.live() {
			t.Fatalf("job %s is there: %v, want %v (%v)", j.key, ok, j.live(), j.state)
		}
		if !ok {
			continue
		}
		n++
		k.checkJob(t, j, &l)
	}
	all, _, done := k.s.Scan(0, Filter{}, 1000, 1000)
	if len(all) != n || !done {
		t.Fatalf("scan finds %d jobs, want %d", len(all), n)
	}
}

func (k *machine) checkJob(t *rapid.T, j *mjob, l *job.Live) {
	type view struct {
		State                                            job.State
		Mark                                             job.Mark
		Reason                                           job.Reason
		Version, Given, Number, Starts, Failures, Losses uint32
		Attempt                                          job.AttemptID
		Outcome                                          job.Outcome
		Priority                                         float64
		Group                                            string
		Due                                              job.Time
	}
	want := view{j.state, j.mark, j.reason, j.version, j.given, j.number, j.starts, j.failures, j.losses, j.attempt, j.outcome, j.priority, j.group, 0}
	group, _ := k.s.Group(l.Group)
	got := view{l.State, l.Mark, l.Reason, l.Version, l.GivenVersion, l.Number, l.Starts, l.Failures, l.Losses, l.Attempt, l.Outcome, l.Priority, group, 0}
	if j.state == job.Delayed {
		want.Due, got.Due = start.Add(j.due), l.Due
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("job %s (-want +got):\n%s", j.key, d)
	}
	for _, o := range k.m.jobs { // order among equals is the order of turns
		if ol, ok := k.s.BySeq(o.seq); ok && !k.keyed && o.turn < j.turn && !(ol.Place < l.Place || ol.Place == l.Place && ol.Seq < l.Seq) {
			t.Fatalf("job %s comes before %s, which was first", j.key, o.key)
		}
	}
	if j.held() {
		k.checkDeadline(t, j)
	}
}

func (k *machine) checkDeadline(t *rapid.T, j *mjob) {
	for _, h := range k.s.Held(j.worker) {
		if h.Seq == j.seq {
			margin := time.Duration(0)
			if k.m.workers[j.worker].agent {
				margin = mMargin(j.lease)
			}
			if want := start.Add(k.m.end(j) - margin); h.Deadline != want {
				t.Fatalf("the lease of %s ends at %v, want %v", j.key, h.Deadline.Sub(start), want.Sub(start))
			}
			return
		}
	}
	t.Fatalf("job %s is not in its worker's list", j.key)
}
