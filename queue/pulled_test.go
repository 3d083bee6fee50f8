package queue

import (
	"errors"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// What the machine does to pulled attempts, and with continuous queues.

// refusesPulled reports whether what is about pulled work alone must be refused.
func (k *machine) refusesPulled(t *rapid.T, err error, j *mjob) bool {
	if !k.known(t, err, j) {
		return true
	}
	if j.command || j.held() && k.m.workers[j.worker].agent {
		k.conflict(t, err, true)
		return true
	}
	return false
}

func (k *machine) assign(t *rapid.T) {
	j := k.job(t)
	by := rapid.SampledFrom(k.pullers).Draw(t, "worker")
	g, err := k.s.Assign(j.seq, by, time.Minute)
	if k.refusesPulled(t, err, j) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case j.held():
		k.m.release(j, job.Ready, job.OutcomeRevoked)
		j.reason = job.ReasonNone
	case j.state != job.Ready:
		j.failures, j.losses = 0, 0
	}
	k.m.give(j, by, time.Minute, false)
	k.given(t, j, g)
}

func (k *machine) lapse(t *rapid.T) {
	j := k.job(t)
	err := k.s.Lapse(j.seq)
	if k.refusesPulled(t, err, j) {
		return
	}
	k.conflict(t, err, !j.held())
	if err == nil {
		k.m.lapse(j, false)
	}
}

func (k *machine) rescue(t *rapid.T) {
	ref, j := k.attempt(t)
	_, err := k.s.Rescue(ref, 20*time.Second)
	if k.refusesPulled(t, err, j) {
		return
	}
	switch {
	case j.attempt != ref.Attempt:
		if !errors.Is(err, job.ErrLostLease) {
			t.Fatalf("rescue of an attempt that is not the newest: %v", err)
		}
		return
	case k.m.workers[j.worker].agent || j.outcome != job.OutcomeLost || j.state != job.Ready && j.state != job.Delayed:
		k.conflict(t, err, true)
		return
	case err != nil:
		t.Fatal(err)
	}
	if j.losses > 0 {
		j.losses--
	}
	j.state = job.Reserved
	if j.started {
		j.state = job.Running
	}
	j.outcome, j.reason, j.due = 0, 0, 0
	j.lease, j.deadline = 20*time.Second, k.m.clock()+20*time.Second
}

func (k *machine) setData(t *rapid.T) {
	ref, j := k.attempt(t)
	err := k.s.SetData(ref, []byte("own"))
	if k.refusesPulled(t, err, j) {
		return
	}
	ok := k.m.current(j, ref.Attempt)
	k.lease(t, "set data", err, j, ok)
	if ok {
		j.given = job.OwnData + j.number
	}
}

// idle is whether the queue can make a job now.
func (m *model) idle() bool {
	for _, j := range m.jobs {
		if j.live() && (j.held() || j.state == job.Ready) {
			return false
		}
	}
	return m.units > 0 && m.next <= m.now
}

// invent has the queue make a job, if it can.
func (k *machine) invent(t *rapid.T) {
	idle := k.s.Idle()
	if (len(idle) == 1) != k.m.idle() {
		t.Fatalf("idle queues: %v; want one: %v", idle, k.m.idle())
	}
	at, any := k.s.NextIdle()
	if len(idle) == 0 {
		if any && at != start.Add(k.m.next) {
			t.Fatalf("the queue is idle at %v, want %v", at.Sub(start), k.m.next)
		}
		t.Skip("no idle queue")
	}
	a := k.s.Invent(idle[0], nil)
	if a.Status == AddNeedFinished {
		a = k.s.Invent(idle[0], k.record(t, a.End))
	}
	key := string(ContinuousKey(k.now()))
	p := Prepared{Job: &job.Job{Key: job.Key(key), Data: emptyData}}
	if want := k.m.add(key, &p, AddOptions{Existing: job.ExistingReplace}); a.Status != want || a.Err != nil || a.State != job.Ready {
		t.Fatalf("invent: %+v, want status %d", a, want)
	}
	k.m.jobs[key].seq = a.Seq
	k.m.next = k.m.now + k.m.interval
	if !slices.Contains(k.keys, key) {
		k.keys = append(k.keys, key)
	}
}
