package engine

import (
	"context"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
	"github.com/muster-queue/muster/queue"
)

// MaxReserve is the most jobs one reserve is given.
const MaxReserve = 1000

// waiter is a reserve that waits for its first job.
type waiter struct {
	request *ReserveRequest
	worker  job.WorkerID
	// unknown says that the session's last request is not in memory, so that the
	// store must be asked; asked, that it was, and repeat, what it says this very
	// request was given before.
	unknown, asked bool
	repeat         []queue.Grant
	grants         []queue.Grant
	asks           []learn.Ask // what was set aside for each, if they are commands
	err            error
	// settled is closed when grants or err are decided and durable.
	settled chan struct{}
	over    bool // decided, on its way out
	// waiting says that it is in the line of those that wait.
	waiting bool
	// need is the number of a finished job that must be read before the reserve can
	// be decided, finished what was read.
	need     uint64
	finished *job.Finished
}

// waiters are the reserves that wait, in order of arrival; untried is how many
// of the first have yet to be tried since something became ready.
type waiters struct {
	list    []*waiter
	untried int
}

// waitersATurn bounds how many waiting reserves one turn tries.
const waitersATurn = 256

func (q *waiters) len() int { return len(q.list) }

func (q *waiters) failAll(err error) {
	for _, r := range q.list {
		r.err, r.over = err, true
		close(r.settled)
	}
	q.list = nil
}

func (q *waiters) remove(r *waiter) {
	if i := slices.Index(q.list, r); i >= 0 {
		q.list = slices.Delete(q.list, i, i+1)
	}
}

// Reserve takes up to N jobs for a pulling worker, waiting for the first as long
// as asked. No jobs in time is an empty answer, not an error.
func (n *Namespace) Reserve(ctx context.Context, r ReserveRequest) ([]Grant, error) {
	if err := checkReserve(&r); err != nil {
		return nil, err
	}
	q := &waiter{request: &r, settled: make(chan struct{})}
	settled, err := n.submit(ctx, q)
	switch {
	case settled:
		<-q.settled // leaves with the answer of the call
		err = q.err
	case err == nil || ctx.Err() != nil:
		// A caller that went away meanwhile may have been granted jobs all the same.
		err = n.await(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	if len(q.grants) == 0 && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	grants, err := n.fillGrants(q.grants, r.OneQueue)
	q.setAside(grants)
	return grants, err
}

// setAside fills in what was set aside for commands. Some that were granted may have
// been deleted since.
func (q *waiter) setAside(grants []Grant) {
	at := 0
	for i := range q.asks {
		if at < len(grants) && grants[at].Attempt == q.grants[i].Attempt {
			grants[at].Needs, grants[at].Limits = q.asks[i].Needs, q.asks[i].Limits
			at++
		}
	}
}

// submit hands the reserve to the writer, and again with what that needs to know
// of the store. It reports whether the reserve was decided at once.
func (n *Namespace) submit(ctx context.Context, q *waiter) (settled bool, err error) {
	for range maxAddRounds {
		a, err := call(ctx, n, normal, func(w *writer) (submitted, error) {
			q.need = 0
			err := w.reserve(q)
			return submitted{q.over, q.unknown && !q.asked, q.need}, err
		})
		switch {
		case err == nil && a.unknown:
			if err := n.earlier(q); err != nil {
				return false, err
			}
			continue
		case err != nil || a.need == 0:
			return a.settled, err
		}
		if f, err := n.store.Finished(a.need); err == nil {
			q.finished = &f
		} else if !job.IsKind(err, job.NotFound) {
			return false, job.Wrap(err, "reserve for", q.request.Worker.Name)
		}
	}
	return false, job.Errorf(job.Unavailable, "reserve: the job that a continuous queue would make keeps being changed by others; try again")
}

// submitted is what a turn says to a reserve: whether it is decided, and what must
// be read before the next turn. It is a copy, since a caller that has gone away
// reads its waiter no more.
type submitted struct {
	settled, unknown bool
	need             uint64
}

func checkReserve(r *ReserveRequest) error {
	if r.N == 0 {
		r.N = 1
	}
	if r.N < 0 || r.N > MaxReserve {
		return job.Errorf(job.Invalid, "reserve: %d jobs; ask for 1 to %d", r.N, MaxReserve)
	}
	if r.Lease != 0 && (r.Lease < job.MinLease || r.Lease > job.MaxLease) {
		return job.Errorf(job.Invalid, "reserve: a lease of %v; it must be between %v and %v", r.Lease, job.MinLease, job.MaxLease)
	}
	r.Worker.Agent = false
	return r.Worker.Validate()
}

// earlier reads what the session was given by its last request before the
// namespace was loaded, which is not in memory.
func (n *Namespace) earlier(q *waiter) error {
	q.asked = true
	row, found, err := n.store.Request(queue.ReserveClient+q.request.Session, queue.ReserveID)
	if err != nil || !found {
		return job.Wrap(err, "look up reserve session", q.request.Session)
	}
	sequence, grants, err := queue.DecodeReserve(row.Outcome)
	if err == nil && sequence == q.request.Sequence {
		q.repeat = grants
	}
	return err
}

// await waits until the reserve is settled, its time is over, or the caller has
// gone; whoever goes takes the waiter out first, so that no grant is lost on it.
func (n *Namespace) await(ctx context.Context, q *waiter) error {
	var over <-chan time.Time
	if wait := q.request.Wait; wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-q.settled:
		return q.err
	case <-over:
	case <-ctx.Done():
	}
	_, err := call(context.WithoutCancel(ctx), n, urgent, func(w *writer) (struct{}, error) {
		if !q.over {
			q.over = true
			w.waiters.remove(q)
			w.later(func() { close(q.settled) })
		}
		return struct{}{}, nil
	})
	if err != nil {
		return err // the namespace stops or is loaded anew, and with it the waiters
	}
	<-q.settled
	return q.err
}

// reserve is a new reserve's first try, or the repeat of an earlier one.
func (w *writer) reserve(q *waiter) error {
	r := q.request
	if q.over { // its caller has gone
		return nil
	}
	if w.state.Meta().Draining {
		return job.ErrDraining
	}
	if err := w.state.Pulls(r.Worker.Name); err != nil {
		return err
	}
	q.worker = w.state.Meet(r.Worker)
	w.feed()
	if r.Session != "" {
		grants, repeated, known := w.state.RepeatReserve(r.Session, r.Sequence)
		if repeated {
			w.settle(q, grants)
			return nil
		}
		if q.unknown = !known; q.unknown && !q.asked {
			return nil
		}
		if q.unknown && len(q.repeat) > 0 {
			w.settle(q, q.repeat)
			return nil
		}
	}
	if !w.idle() && w.tryReserve(q) || q.need != 0 {
		return nil
	}
	if r.Wait == 0 {
		w.settle(q, nil)
		return nil
	}
	q.waiting = true
	w.waiters.list = append(w.waiters.list, q)
	return nil
}

// settle decides a reserve; it gets its answer when the turn is durable.
func (w *writer) settle(q *waiter, grants []queue.Grant) {
	q.over = true
	q.grants = slices.Clone(grants)
	if q.request.Commands {
		for _, g := range grants {
			q.asks = append(q.asks, w.state.Granted(g.Seq))
		}
	}
	w.done = append(w.done, func(err error) {
		if err != nil {
			q.err = err
		}
		close(q.settled)
	})
}

// serveWaiters tries the waiting reserves after something became ready, a part
// of them in each turn.
func (w *writer) serveWaiters() {
	list := w.waiters.list
	if len(list) > 0 {
		opened, more := w.sched.Opened(w.state.Now())
		w.more = w.more || more
		w.fresh = w.fresh || opened || !w.idle() && w.state.Arisen()
	}
	if w.fresh {
		w.waiters.untried = len(list)
	}
	n := min(w.waiters.untried, waitersATurn)
	if n == 0 || w.idle() {
		return
	}
	tried := list[:n:n]
	left := append(make([]*waiter, 0, len(list)), list[n:]...)
	for _, q := range tried {
		if !w.tryReserve(q) {
			left = append(left, q)
		}
	}
	w.waiters.list = left
	w.waiters.untried -= n
	w.more = w.more || w.waiters.untried > 0
}

// idle reports whether nothing is given out at present.
func (w *writer) idle() bool {
	m := w.state.Meta()
	return m.Paused || m.Draining
}

// fillGrants reads the descriptions of granted jobs; opened ones have them decoded.
func (n *Namespace) fillGrants(granted []queue.Grant, open bool) ([]Grant, error) {
	refs := make([]job.PayloadRef, len(granted))
	for i, g := range granted {
		refs[i] = job.PayloadRef{Seq: g.Seq, Version: g.Version}
	}
	bodies, err := n.bodies.take(refs)
	if err != nil {
		return nil, err
	}
	grants := make([]Grant, 0, len(granted))
	for i, g := range granted {
		if bodies[i] == nil {
			if err := n.deletedMeanwhile(g.Ref); err != nil {
				return nil, err
			}
			continue
		}
		grants = append(grants, Grant{
			Seq: g.Seq, Attempt: g.Attempt, Number: g.Number, Body: bodies[i],
			Lease: g.Lease, Deadline: g.Deadline.Std(),
		})
		if open {
			if err := grants[len(grants)-1].open(); err != nil {
				return nil, err
			}
		}
	}
	return grants, nil
}

// deletedMeanwhile is nil if an attempt's job has no description because it was
// deleted by force after the grant: there is nothing to do then. It is Damaged if
// the job is there all the same.
func (n *Namespace) deletedMeanwhile(ref Ref) error {
	there, err := call(context.Background(), n, urgent, func(w *writer) (bool, error) {
		l, ok := w.state.BySeq(ref.Seq)
		return ok && l.Attempt == ref.Attempt && l.State.Held(), nil
	})
	if err == nil && there {
		err = job.Errorf(job.Damaged, "the description of job %d is missing in the store", ref.Seq)
	}
	return err
}
