package queue

import (
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

func (k *machine) cancel(t *rapid.T) {
	j := k.job(t)
	_, err := k.s.Cancel(j.seq)
	switch {
	case !k.known(t, err, j) || j.state == job.Buried:
	case j.state == job.Lost:
		k.m.release(j, job.Buried, job.OutcomeCancelled)
		j.reason = job.ReasonCancelled
	case j.held():
		j.mark, j.revoked = job.MarkCancelled, false
	default:
		j.state, j.reason = job.Buried, job.ReasonCancelled
	}
}

func (k *machine) preempt(t *rapid.T) {
	j := k.job(t)
	err := k.s.Preempt(j.seq)
	if k.known(t, err, j) {
		can := j.held() && (j.mark == 0 || j.mark == job.MarkWithdrawn)
		if k.conflict(t, err, !can); can {
			j.mark = job.MarkPreempted
		}
	}
}

func (k *machine) withdraw(t *rapid.T) {
	j := k.job(t)
	err := k.s.Withdraw(j.seq)
	if k.known(t, err, j) {
		can := j.prefetched && j.mark == 0
		if k.conflict(t, err, !can); can {
			j.mark = job.MarkWithdrawn
		}
	}
}

func (k *machine) delete(t *rapid.T) {
	j := k.job(t)
	force := rapid.Bool().Draw(t, "force")
	err := k.s.Delete(j.seq, force)
	if !k.known(t, err, j) {
		return
	}
	k.conflict(t, err, j.held() && !force)
	switch {
	case err != nil:
	case j.held() && k.m.workers[j.worker].agent && k.m.end(j) > k.m.now:
		j.ghost, j.revoked, j.mark = true, false, job.MarkDeleted
	case j.held():
		k.m.release(j, job.Absent, 0)
	default:
		j.state = job.Absent
	}
}

func (k *machine) kick(t *rapid.T) {
	j := k.job(t)
	err := k.s.Kick(j.seq)
	if !k.known(t, err, j) {
		return
	}
	over := j.state == job.Lost && k.m.end(j) <= k.m.now
	k.conflict(t, err, j.held() && !over)
	switch {
	case err != nil || j.state == job.Ready:
		return
	case over:
		k.m.release(j, job.Ready, job.OutcomeLost)
		j.reason = job.ReasonLost
	}
	j.state, j.failures, j.losses = job.Ready, 0, 0
}

func (k *machine) bury(t *rapid.T) {
	j := k.job(t)
	err := k.s.Bury(j.seq, job.ReasonResource)
	if k.known(t, err, j) {
		can := j.state == job.Ready || j.state == job.Delayed
		if k.conflict(t, err, !can); can {
			j.state, j.reason = job.Buried, job.ReasonResource
		}
	}
}

func (k *machine) modify(t *rapid.T) {
	j := k.job(t)
	key := rapid.SampledFrom(keys).Draw(t, "new key")
	if rapid.Bool().Draw(t, "same key") {
		key = j.key
	}
	p := k.prepare(t, key)
	k.look(&p)
	err := k.s.Modify(j.seq, &p)
	if !k.known(t, err, j) {
		return
	}
	other := k.m.jobs[key]
	taken := other != nil && other != j && other.state != job.Absent
	switch {
	case taken:
		if job.KindOf(err) != job.Exists {
			t.Fatalf("modify: %v, want exists", err)
		}
		return
	case key != j.key && j.held():
		k.conflict(t, err, true)
		return
	case err != nil:
		t.Fatal(err)
	}
	delete(k.m.jobs, j.key)
	j.key = key
	k.m.jobs[key] = j
	k.m.describe(j, &p)
	if j.state == job.Ready || j.state == job.Delayed {
		k.m.wait(j, &p)
	}
}

func (k *machine) conclude(t *rapid.T) {
	j := k.job(t)
	to := rapid.SampledFrom([]job.State{job.Complete, job.Buried}).Draw(t, "to")
	by := rapid.SampledFrom(k.pullers).Draw(t, "worker")
	err := k.s.Conclude(j.seq, to, by, nil, nil)
	if !k.known(t, err, j) {
		return
	}
	k.conflict(t, err, j.held() || j.state == to)
	if err != nil {
		return
	}
	if j.state != job.Buried || j.outcome != job.OutcomeBuried && j.outcome != job.OutcomeCancelled {
		j.number++
		j.given, j.due, j.worker, j.started = j.version, 0, by, false
		l := k.lastAttempt(t, j)
		if k.granted[l] {
			t.Fatalf("attempt id %v was given before", l)
		}
		k.granted[l], j.attempt = true, l
	}
	j.state, j.outcome, j.reason = to, job.OutcomeComplete, 0
	if to == job.Buried {
		j.outcome, j.reason = job.OutcomeBuried, job.ReasonWorker
	} else {
		k.m.done++
	}
}

// lastAttempt is the id of the job's last attempt, from the row that was kept.
func (k *machine) lastAttempt(t *rapid.T, j *mjob) job.AttemptID {
	k.commit(t)
	return k.shelf.attempts[attemptKey{j.seq, j.number}].ID
}

func (k *machine) reopen(t *rapid.T) {
	j := k.job(t)
	p := k.prepare(t, j.key)
	k.look(&p)
	a := k.s.Reopen(&p)
	if a.Status == AddNeedFinished {
		p.Finished = k.record(t, a.End)
		p.Job.NotBefore = time.Time{}
		a = k.s.Reopen(&p)
	}
	if (a.Status == AddRerun) != (j.state == job.Complete) {
		t.Fatalf("reopen of a job that is %v: %+v", j.state, a)
	}
	if a.Status == AddRerun {
		k.m.addFinished(j, &p, AddOptions{Existing: job.ExistingRerun})
	}
}
