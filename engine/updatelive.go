package engine

import (
	"cmp"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// What an update does to a live job, by its state.

// live changes a live job.
func (u *updating) live(w *writer, l *job.Live) (changed bool, err error) {
	switch {
	case u.force:
		return u.assign(w, l)
	case l.State.Held():
		return u.held(w, l)
	case !u.Attempt.IsZero():
		return u.ended(w, l)
	case l.State == job.Buried:
		return u.failed(w, l)
	}
	return u.available(w, l)
}

// held changes a job that an attempt holds, or that attempt.
func (u *updating) held(w *writer, l *job.Live) (changed bool, err error) {
	ref := Ref{Seq: l.Seq, Attempt: l.Attempt}
	switch u.To {
	case TargetRetry:
		return u.end(w, ref, queue.Released)
	case TargetFailed:
		return u.end(w, ref, queue.Failed)
	case TargetComplete:
		return u.complete(w, l, l.GivenVersion, func() (bool, error) { return u.end(w, ref, queue.Completed) })
	}
	if u.own != nil {
		if err := w.state.SetData(ref, u.own); err != nil {
			return false, err
		}
	}
	if u.To == TargetReady || u.ends() {
		return true, w.state.Lapse(l.Seq)
	}
	if u.Lease != nil {
		_, err = w.state.Renew(ref, *u.Lease)
	}
	return err == nil, err
}

func (u *updating) end(w *writer, ref Ref, how queue.How) (changed bool, err error) {
	e := &queue.End{Ref: ref, How: how, Data: u.Data}
	if how == queue.Released {
		e.Delay = &u.Delay
	}
	ended, err := w.state.End(e)
	return err == nil && !ended.Repeated, err
}

// ended is about an attempt that was given and holds the job no more, but is its
// newest.
func (u *updating) ended(w *writer, l *job.Live) (changed bool, err error) {
	switch {
	case u.To == TargetReady || u.To == TargetNone && u.ends():
		if l.State == job.Buried {
			return true, w.state.Kick(l.Seq)
		}
		return false, nil
	case l.Outcome == job.OutcomeLost && l.State != job.Buried:
		return u.expired(w, l)
	case l.State == job.Buried && l.Outcome == job.OutcomeBuried && u.To >= TargetComplete:
		return u.failed(w, l)
	case u.To == TargetRetry && l.Outcome == job.OutcomeReleased:
		return false, nil // it was given back before
	}
	return false, u.notPending(l)
}

// ends reports whether the lease is asked to end now.
func (u *updating) ends() bool { return u.Lease != nil && *u.Lease < 0 }

func (u *updating) notPending(l *job.Live) error {
	return job.Errorf(job.Conflict, "attempt %v is not pending: it ended (%v)", u.Attempt, cmp.Or(l.Outcome.String(), "never"))
}

// expired is about an attempt whose lease has ended, and after which there was none.
func (u *updating) expired(w *writer, l *job.Live) (changed bool, err error) {
	ref := Ref{Seq: l.Seq, Attempt: l.Attempt}
	switch {
	case u.To == TargetFailed:
		return u.end(w, ref, queue.Failed)
	case u.To == TargetComplete:
		return u.complete(w, l, l.GivenVersion, func() (bool, error) { return u.end(w, ref, queue.Completed) })
	case u.To == TargetRetry || u.Lease == nil:
		return false, u.notPending(l)
	}
	if _, err := w.state.Rescue(ref, max(0, *u.Lease)); err != nil || u.own == nil {
		return err == nil, err
	}
	return true, w.state.SetData(ref, u.own)
}

// available changes a job that waits.
func (u *updating) available(w *writer, l *job.Live) (changed bool, err error) {
	switch u.To {
	case TargetHeld:
		return u.assign(w, l)
	case TargetComplete, TargetFailed:
		return u.conclude(w, l, l.Version, u.Data)
	}
	if u.Data == nil {
		return false, nil
	}
	return u.setJobData(w, l)
}

// assign makes an attempt.
func (u *updating) assign(w *writer, l *job.Live) (changed bool, err error) {
	var lease time.Duration
	if u.Lease != nil {
		lease = max(0, *u.Lease)
	}
	u.made, err = w.state.Assign(l.Seq, w.meet(u.Worker), lease)
	if err == nil && u.own != nil {
		err = w.state.SetData(u.made.Ref, u.own)
	}
	return err == nil, err
}

// failed changes a buried job.
func (u *updating) failed(w *writer, l *job.Live) (changed bool, err error) {
	switch {
	case u.To == TargetReady || u.To == TargetRetry:
		return true, w.state.Kick(l.Seq)
	case u.To == TargetHeld:
		return false, job.Errorf(job.Conflict, "it is %v: make it available first", l.State)
	case u.To != TargetComplete:
		return false, nil
	case u.Data != nil || l.Outcome != job.OutcomeBuried:
		return u.conclude(w, l, l.GivenVersion, u.Data)
	case u.seen.Attempt != l.Attempt: // its row is written anew: what is in it must be known
		seen := *l
		u.missing = func() (bool, error) { return false, u.readBuried(seen) }
		return false, nil
	}
	u.given = u.buried
	return u.conclude(w, l, l.GivenVersion, u.buried)
}

// readBuried reads the data that came with the end of the attempt that buried the
// job.
func (u *updating) readBuried(l job.Live) error {
	rows, err := u.ns.store.Attempts(l.Seq)
	if err != nil {
		return err
	}
	u.seen, u.buried = l, nil
	for i := range rows {
		if rows[i].ID == l.Attempt {
			u.buried = rows[i].Data
		}
	}
	return nil
}
