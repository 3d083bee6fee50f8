package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// model is a namespace as simple as it can be said: maps and loops, no indexes,
// no timers. The rules of section 2 of the design are written down in it a
// second time, so that the State can be compared with them.
type model struct {
	now, deaf   time.Duration // since the start
	jobs        map[string]*mjob
	workers     map[job.WorkerID]*mworker
	paused      bool
	done        int64 // finished jobs in history
	nextTurn    int
	holdUntil   time.Duration
	retries     uint32
	lossesBound uint32
	// units: the queue has a definition, and each job this many attempts; 0: not.
	units    uint32
	next     time.Duration // when the queue may make its next job
	interval time.Duration
}

type mworker struct {
	agent  bool
	heard  time.Duration // on the lease clock
	hold   time.Duration
	silent bool
	quiet  time.Duration
}

type mjob struct {
	key      string
	seq      job.Seq
	state    job.State // Complete for one in history, Absent for one deleted
	ghost    bool      // deleted by force, the lease is left
	revoked  bool      // and added anew
	mark     job.Mark
	reason   job.Reason
	group    string
	priority float64
	turn     int // order among equals
	command  bool
	hold     bool
	retries  *int

	version, given                   uint32
	number, starts, failures, losses uint32
	attempt                          job.AttemptID
	outcome                          job.Outcome
	worker                           job.WorkerID
	prefetched, started              bool
	lease                            time.Duration
	deadline                         time.Duration // pulled: on the lease clock
	due                              time.Duration
}

const mSilence, mBase, mJitter, mCap = 30 * time.Second, 30 * time.Second, 30 * time.Second, 2 * time.Minute

func (m *model) clock() time.Duration { return m.now - m.deaf }

func mMargin(lease time.Duration) time.Duration { return max(2*time.Second, lease/100) }

// end is when the lease of a held job is over for good.
func (m *model) end(j *mjob) time.Duration {
	w := m.workers[j.worker]
	if w.agent {
		return max(w.heard+j.lease+m.deaf, w.hold) + mMargin(j.lease)
	}
	return j.deadline + m.deaf
}

func (m *model) holds(w job.WorkerID) (n int) {
	for _, j := range m.jobs {
		if j.held() && j.worker == w {
			n++
		}
	}
	return n
}

func (j *mjob) held() bool { return j.state.Held() }

// live reports whether people can see the job in the queue.
func (j *mjob) live() bool { return j.state.Live() && !j.ghost }

// tick lets time do its work up to now.
func (m *model) tick() {
	for id, w := range m.workers {
		if w.agent && !w.silent && m.holds(id) > 0 && w.heard+w.quiet+m.deaf <= m.now {
			w.silent = true
			for _, j := range m.jobs {
				if j.worker == id && j.state == job.Running && !j.ghost {
					j.state = job.Lost
				}
			}
		}
	}
	for _, j := range m.jobs {
		switch {
		case j.state == job.Delayed && j.due <= m.now:
			j.state = job.Ready
		case j.held() && m.end(j) <= m.now:
			m.lapse(j, false)
		}
	}
}

// release ends the hold.
func (m *model) release(j *mjob, to job.State, o job.Outcome) {
	j.state, j.outcome = to, o
	j.mark, j.prefetched, j.revoked = job.MarkNone, false, false
	if w := m.workers[j.worker]; m.holds(j.worker) == 0 {
		w.quiet = 0
	}
}

// lapse ends a held attempt that was not reported on.
func (m *model) lapse(j *mjob, superseded bool) {
	agent := m.workers[j.worker].agent
	switch prefetched := j.prefetched; {
	case j.ghost:
		m.release(j, job.Absent, 0)
		j.ghost = false
	case j.revoked:
		m.release(j, job.Ready, job.OutcomeRevoked)
		j.reason = job.ReasonNone
	case j.mark == job.MarkCancelled:
		m.release(j, job.Buried, job.OutcomeCancelled)
		j.reason = job.ReasonCancelled
	case j.hold && agent && !superseded:
		j.state = job.Lost
	case j.mark == job.MarkPreempted || j.mark == job.MarkWithdrawn:
		m.release(j, job.Ready, job.OutcomeLost)
		j.reason = job.ReasonPreempted
	default:
		m.release(j, job.Ready, job.OutcomeLost)
		j.reason = job.ReasonLost
		if !prefetched {
			j.losses++
		}
		if m.units == 0 && j.losses > m.lossesBound || j.hold && superseded {
			j.state = job.Buried
		}
	}
}

// hear is a sign of life.
func (m *model) hear(id job.WorkerID) {
	w := m.workers[id]
	w.heard, w.silent = m.clock(), false
	for _, j := range m.jobs {
		if j.worker == id && j.state == job.Lost && !j.ghost {
			j.state = job.Reserved
			if j.started {
				j.state = job.Running
			}
		}
	}
}

// describe is a new version of the description.
func (m *model) describe(j *mjob, p *Prepared) {
	j.version++
	j.group, j.priority = p.Job.Group, p.Job.Priority
	j.command, j.retries = p.Job.IsCommand(), p.Job.Retries
	j.hold = p.Job.OnLost == job.OnLostHold
}

func (m *model) fresh(j *mjob, p *Prepared) {
	m.describe(j, p)
	m.nextTurn++
	j.turn, j.state = m.nextTurn, job.Ready
	m.wait(j, p)
}

func (m *model) wait(j *mjob, p *Prepared) {
	if due := job.TimeOf(p.Job.NotBefore).Sub(start); !p.Job.NotBefore.IsZero() && due > m.now {
		j.state, j.due = job.Delayed, due
	}
}

// add returns the expected status.
func (m *model) add(key string, p *Prepared, o AddOptions) AddStatus {
	j := m.jobs[key]
	switch {
	case j == nil || j.state == job.Absent:
		j = &mjob{key: key}
		m.jobs[key] = j
		m.fresh(j, p)
		return AddedNew
	case j.ghost:
		m.describe(j, p)
		m.nextTurn++
		j.turn = m.nextTurn
		j.ghost, j.revoked, j.failures, j.losses = false, true, 0, 0
		j.mark = job.MarkRevoked
		return AddedNew
	case j.state == job.Complete:
		return m.addFinished(j, p, o)
	case o.Existing == job.ExistingReplace:
		m.replace(j, p)
		return AddReplaced
	case o.Kick && j.state == job.Buried:
		j.state, j.failures, j.losses = job.Ready, 0, 0
		return AddKicked
	}
	return AddExisted
}

func (m *model) addFinished(j *mjob, p *Prepared, o AddOptions) AddStatus {
	status := AddRerun
	switch o.Existing {
	case job.ExistingKeep:
		return AddExisted
	case job.ExistingReplace:
		status = AddReplaced
	}
	m.done--
	j.failures, j.losses, j.due = 0, 0, 0
	m.fresh(j, p)
	return status
}

func (m *model) replace(j *mjob, p *Prepared) {
	m.describe(j, p)
	if j.held() {
		if j.mark == job.MarkCancelled {
			j.mark, j.revoked = job.MarkRevoked, true
		}
		return
	}
	j.failures, j.losses, j.state = 0, 0, job.Ready
	m.wait(j, p)
}

func (m *model) grant(j *mjob, by job.WorkerID, lease time.Duration, prefetched bool) bool {
	w := m.workers[by]
	if w.agent {
		lease = max(lease, job.MinCommandLease)
	}
	if j.state != job.Ready || m.paused || w.agent && (w.silent || w.heard+min(lease, mSilence) <= m.clock()) {
		return false
	}
	if m.units > 0 && j.number >= m.units {
		j.state, j.worker, j.started, j.given, j.due = job.Buried, by, false, j.version, 0
		j.outcome, j.reason = job.OutcomeBuried, job.ReasonWorker
		j.number++
		return false
	}
	m.give(j, by, lease, prefetched)
	return true
}

// give is a new attempt of a job that is ready.
func (m *model) give(j *mjob, by job.WorkerID, lease time.Duration, prefetched bool) {
	w := m.workers[by]
	j.state, j.worker, j.prefetched, j.started = job.Reserved, by, prefetched, false
	j.lease, j.given, j.outcome, j.due = lease, j.version, 0, 0
	j.number++
	if w.agent {
		if w.quiet == 0 {
			w.quiet = mSilence
		}
		w.quiet = min(w.quiet, j.lease+mMargin(j.lease))
	} else {
		j.deadline = m.clock() + j.lease
	}
}

// current finds whether a reference still holds its job.
func (m *model) current(j *mjob, a job.AttemptID) bool {
	if !j.live() || !j.held() || j.attempt != a || j.revoked {
		return false
	}
	if !m.workers[j.worker].agent && j.deadline+m.deaf < m.now {
		m.lapse(j, false)
		return false
	}
	return true
}

func (m *model) begin(j *mjob, a job.AttemptID) bool {
	if !m.current(j, a) {
		return false
	}
	m.wakeUp(j)
	if j.state == job.Running {
		return true
	}
	if !j.started {
		j.starts++
	}
	j.started, j.state, j.prefetched = true, job.Running, false
	if j.mark == job.MarkWithdrawn {
		j.mark = job.MarkNone
	}
	return true
}

func (m *model) wakeUp(j *mjob) {
	w := m.workers[j.worker]
	for _, o := range m.jobs { // or lost it was when the namespace was loaded
		if w.agent && (w.silent || o.worker == j.worker && o.state == job.Lost && !o.ghost) {
			m.hear(j.worker)
		}
	}
}

func (m *model) renew(j *mjob, a job.AttemptID, lease time.Duration) bool {
	if !m.current(j, a) {
		return false
	}
	m.wakeUp(j)
	j.lease = orElse(lease, j.lease)
	if w := m.workers[j.worker]; w.agent {
		w.quiet = min(w.quiet, j.lease+mMargin(j.lease))
	} else {
		j.deadline = m.clock() + j.lease
	}
	return true
}

// report is what the model expects of End: whether it is accepted, whether as a
// repeat, and, when the job is delayed, that the delay is a back-off.
type report struct {
	ok, repeated bool
	backoff      int // the number of the failure, when a back-off follows
}

// finish is a report; it changes the job.
func (m *model) finish(j *mjob, e *End) report {
	if j.attempt != e.Attempt {
		return report{}
	}
	if j.held() && (j.ghost || j.revoked) {
		m.lapse(j, true)
		return report{}
	}
	if j.held() {
		return m.judge(j, e)
	}
	switch {
	case j.outcome == job.OutcomeLost && (j.state != job.Buried || j.reason != job.ReasonCancelled):
		if j.reason == job.ReasonLost && j.started && j.losses > 0 {
			j.losses--
		}
		return m.judge(j, e)
	case j.outcome == job.OutcomeComplete:
		return report{ok: e.How == Completed, repeated: true}
	case j.outcome == job.OutcomeBuried, j.outcome == job.OutcomeCancelled,
		j.outcome == job.OutcomePreempted, j.outcome == job.OutcomeWithdrawn:
		return report{ok: e.How != Completed, repeated: true}
	case j.outcome == job.OutcomeReleased:
		return report{ok: e.How == Released, repeated: true}
	}
	return report{}
}

func (m *model) judge(j *mjob, e *End) report {
	why := e.Result.Reason
	if e.How != Completed && why == 0 && j.started {
		why = job.ReasonWorker
	}
	if j.reason = why; e.How == Completed {
		j.reason = job.ReasonNone
	}
	free := why == job.ReasonSignal || why == job.ReasonPreempted
	to, outcome, delay, failure := job.Ready, job.OutcomeReleased, e.Delay, 0
	switch {
	case e.How == Completed:
		to, outcome = job.Complete, job.OutcomeComplete
		m.done++
	case j.mark == job.MarkCancelled:
		to, outcome, j.reason = job.Buried, job.OutcomeCancelled, job.ReasonCancelled
	case j.mark == job.MarkPreempted:
		outcome, j.reason, delay = job.OutcomePreempted, job.ReasonPreempted, nil
	case j.mark == job.MarkWithdrawn:
		outcome, delay = job.OutcomeWithdrawn, nil
	case e.How == Failed:
		to, outcome = job.Buried, job.OutcomeBuried
	case m.units > 0: // nothing else counts
	case why.Final():
		to, outcome = job.Buried, job.OutcomeBuried
		if j.started {
			j.failures++
		}
	case !j.started:
		if delay == nil && why != 0 && !free {
			failure = 1
		}
	case !free:
		j.failures++
		bound := m.retries
		if j.retries != nil {
			bound = uint32(*j.retries)
		}
		if j.failures > bound {
			to, outcome = job.Buried, job.OutcomeBuried
		} else if delay == nil {
			failure = int(j.failures)
		}
	}
	if to == job.Ready && (failure > 0 || delay != nil && *delay > 0) {
		to = job.Delayed
		if failure == 0 {
			j.due = m.now + *delay
		}
	} else {
		j.due = 0
	}
	m.release(j, to, outcome)
	return report{ok: true, backoff: failure}
}
