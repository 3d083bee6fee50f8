package engine

import (
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// inHistory is the turn of an update of a job that is not live: complete, or not
// there at all.
func (u *updating) inHistory(w *writer) (UpdateResult, error) {
	if u.described != nil && u.described.Finished != nil && u.loads == w.ns.loads.Load() && u.amended == w.state.Amended() {
		switch a := w.state.Reopen(u.described); {
		case a.Err != nil:
			return UpdateResult{}, a.Err
		case a.Status == queue.AddRerun:
			l, _ := w.state.BySeq(a.Seq)
			var err error
			if u.force {
				_, err = u.assign(w, &l)
			}
			w.feed()
			return w.updated(&l, true), err
		}
	}
	if err := u.history.settle(w); err != nil {
		return UpdateResult{}, err
	}
	u.missing, u.amended = u.readHistory, w.state.Amended()
	return UpdateResult{}, nil
}

// readHistory reads the record of a complete job. Unless the job is to be reopened,
// it has the answer then.
func (u *updating) readHistory() (done bool, err error) {
	u.described, u.loads = nil, u.ns.loads.Load()
	reach := u.ns.store.Reach()
	f, err := u.history.read(u.ns)
	if f == nil || err != nil {
		return false, err
	}
	if done, err = u.finished(f); done || err != nil {
		return done, err
	}
	return false, u.describeFinished(f, reach)
}

// finished is the answer about a complete job, but for one that is to be reopened.
func (u *updating) finished(f *job.Finished) (done bool, err error) {
	u.result = UpdateResult{State: job.Complete, Attempt: f.Attempt}
	named := !u.Attempt.IsZero()
	switch {
	case f.Flags&job.FlagCommand != 0:
		return true, errCommand
	case named && f.Attempt != u.Attempt:
		return true, job.ErrLostLease
	case u.To == TargetReady || u.To == TargetRetry || u.force:
		return false, nil
	case u.To == TargetHeld, named && u.To == TargetNone:
		return true, job.Errorf(job.Conflict, "it is complete: make it available first")
	}
	return true, nil
}

// describeFinished makes a complete job ready to be reopened with the data and the
// priority it has.
func (u *updating) describeFinished(f *job.Finished, reach uint64) error {
	j, err := u.description(&f.Live)
	if err != nil || j == nil {
		return err
	}
	j.Priority, j.NotBefore = f.Priority, time.Time{}
	if u.To == TargetRetry && u.Delay > 0 {
		j.NotBefore = u.ns.cfg.Clock.Wall().Add(u.Delay)
	}
	p, err := prepare(j)
	if err != nil {
		return err
	}
	if _, err := u.ns.lookUp(1, func(int) *queue.Prepared { return &p }); err != nil {
		return err
	}
	p.Finished, p.Found, p.End, p.Reach = f, true, f.End, reach
	u.described = &p
	return nil
}
