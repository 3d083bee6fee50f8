package engine

import (
	"context"

	"github.com/muster-queue/muster/internal/seqset"
	"github.com/muster-queue/muster/job"
)

// ExportRequest asks for every job that a filter selects.
type ExportRequest struct {
	Filter Filter
	// Attempts asks for every attempt of them that ended or is held.
	Attempts bool
	// Output asks for the kept output, which is left out otherwise.
	Output bool
}

// exportAttempts is how many attempts of a job are read at once.
const exportAttempts = 64

// Export visits every job that matches, live ones in the order of adding and then
// complete ones from the newest; with Attempts each time with one attempt of the job,
// oldest first, else with nil. It goes on until visit returns an error, and takes the
// same memory for any number of jobs. A job that completes meanwhile is visited once.
func (n *Namespace) Export(ctx context.Context, r ExportRequest, visit func(*Info, *job.Attempt) error) error {
	x := &export{ns: n, request: &r, visit: visit}
	err := n.eachLive(ctx, &r.Filter, 0, true, nil, func(f *found, j *job.Job) bool {
		x.shown.Add(uint64(f.live.Seq))
		return x.one(ctx, f, j)
	})
	if err == nil && x.err == nil {
		err = n.eachFinished(ctx, &r.Filter, 0, true, nil, func(f *found, j *job.Job) bool {
			return x.shown.Has(uint64(f.live.Seq)) || x.one(ctx, f, j)
		})
	}
	if x.err != nil {
		return x.err
	}
	return err
}

// export is an export under way.
type export struct {
	ns      *Namespace
	request *ExportRequest
	visit   func(*Info, *job.Attempt) error
	shown   seqset.Set // of live jobs
	err     error
}

func (x *export) one(ctx context.Context, f *found, j *job.Job) bool {
	if x.err = ctx.Err(); x.err != nil {
		return false
	}
	info, err := x.ns.info(f, j, x.request.Output && !x.request.Attempts, false)
	switch {
	case err != nil:
		x.err = err
	case x.request.Attempts:
		x.err = x.attempts(info)
	default:
		x.err = x.visit(info, nil)
	}
	return x.err == nil
}

// attempts visits the attempts of a job, some at a time.
func (x *export) attempts(i *Info) error {
	refs := make([]job.AttemptRef, 0, exportAttempts)
	for number := uint32(1); number <= i.Live.Number; {
		refs = refs[:0]
		for ; number <= i.Live.Number && len(refs) < exportAttempts; number++ {
			refs = append(refs, job.AttemptRef{Seq: i.Live.Seq, Number: number})
		}
		rows, err := x.ns.store.AttemptRows(refs)
		if err != nil {
			return job.Wrap(err, "read attempts", "")
		}
		for k := range rows {
			if err := x.attempt(i, &rows[k].Attempt); err != nil {
				return err
			}
		}
	}
	if i.Live.State.Held() {
		return x.visit(i, i.Held())
	}
	return nil
}

func (x *export) attempt(i *Info, a *job.Attempt) error {
	if a.Number == 0 { // not there
		return nil
	}
	if !x.request.Output {
		a.Result.Stdout, a.Result.Stderr = job.Output{}, job.Output{}
	}
	return x.visit(i, a)
}

// Held is the attempt that holds the job, which has not ended; nil if nobody holds it.
func (i *Info) Held() *job.Attempt {
	l := &i.Live
	if !l.State.Held() {
		return nil
	}
	return &job.Attempt{
		ID: l.Attempt, Number: l.Number, Version: l.GivenVersion,
		Worker: i.Worker.Name, Host: i.Worker.Host,
		Granted: l.Granted.Std(), Started: l.Started.Std(), Asked: i.needs, Time: i.time,
	}
}
