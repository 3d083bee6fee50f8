package engine

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// What an update does that needs a job's description: to complete it, and to give
// it other data.

// conclude ends a job that nobody holds; version is the payload with its data.
func (u *updating) conclude(w *writer, l *job.Live, version uint32, data []byte) (changed bool, err error) {
	as := func(to job.State) (bool, error) {
		err := w.state.Conclude(l.Seq, to, w.meet(u.Worker), nil, data)
		return err == nil, err
	}
	if u.To != TargetComplete {
		return as(job.Buried)
	}
	return u.complete(w, l, version, func() (bool, error) { return as(job.Complete) })
}

// complete completes a job, whose data is in the payload unless it was given, by
// end, with what that feeds; or it says what is missing for that.
func (u *updating) complete(w *writer, l *job.Live, version uint32, end func() (bool, error)) (changed bool, err error) {
	ok, err := u.ready(w, l, version)
	if err != nil {
		return false, err
	}
	if !ok {
		u.missing = func() (bool, error) { return false, u.prepare(u.ns) }
		return false, nil
	}
	if changed, err = end(); changed {
		u.fed.add(w)
	}
	return changed, err
}

// setJobData gives a job that waits other data; all else stays.
func (u *updating) setJobData(w *writer, l *job.Live) (changed bool, err error) {
	if u.described != nil && u.loads == w.ns.loads.Load() && u.seen == *l {
		return true, w.state.Modify(l.Seq, u.described)
	}
	seen := *l
	u.missing = func() (bool, error) { return false, u.describe(seen) }
	return false, nil
}

// describe makes the description of a job ready with its new data.
func (u *updating) describe(l job.Live) error {
	j, err := u.description(&l)
	if err != nil || j == nil {
		return err
	}
	j.Data, j.Priority, j.NotBefore = u.Data, l.Priority, time.Time{}
	if l.State == job.Delayed || l.State == job.Blocked && l.Due != 0 {
		j.NotBefore = l.Due.Std()
	}
	u.loads = u.ns.loads.Load()
	p, err := prepare(j)
	u.described, u.seen = &p, l
	return err
}

// description reads the newest description of a job; nil if it was deleted since.
func (u *updating) description(l *job.Live) (*job.Job, error) {
	jobs, err := u.ns.describe([]found{{live: *l}})
	if err != nil {
		return nil, err
	}
	return jobs[0], nil
}
