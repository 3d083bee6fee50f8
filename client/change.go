package client

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Selection names the jobs to change: one by one, or by a filter, or all.
type Selection struct {
	Jobs   []Ref
	Filter *Filter
	// All allows a filter that selects every job.
	All bool
}

// Select selects jobs one by one.
func Select(jobs ...Ref) Selection { return Selection{Jobs: jobs} }

// Where selects jobs by a filter.
func Where(f Filter) Selection { return Selection{Filter: &f} }

// Change says what a change did.
type Change struct {
	// Changed jobs, and those selected but not in a state for it.
	Changed, Skipped int64
	// Refusals are why named jobs were skipped, at most 1000 of them.
	Refusals []Refusal
}

// Refusal is why one job was not changed.
type Refusal struct {
	Job Ref
	Err error
}

// Kick makes buried and delayed jobs ready, with fresh budgets.
func (n *Namespace) Kick(ctx context.Context, s Selection) (Change, error) {
	return n.change(ctx, n.c.jobs.KickJobs, s, DeleteOptions{})
}

// Cancel stops jobs and buries them. For a lost job it is a person's word that
// its attempt is dead.
func (n *Namespace) Cancel(ctx context.Context, s Selection) (Change, error) {
	return n.change(ctx, n.c.jobs.CancelJobs, s, DeleteOptions{})
}

// DeleteOptions say how jobs are deleted.
type DeleteOptions struct {
	// Force: reserved and running ones too, whose leases are revoked.
	Force bool
	// Dependants is what becomes of jobs that wait for those that are deleted.
	Dependants job.Dependants
}

// Delete removes jobs: reserved and running ones only with force, and those that others
// wait for only if these are selected too, or the options say what becomes of them.
func (n *Namespace) Delete(ctx context.Context, s Selection, o DeleteOptions) (Change, error) {
	return n.change(ctx, n.c.jobs.DeleteJobs, s, o)
}

type changeMethod = func(context.Context, *musterv1.ChangeJobsRequest, ...grpc.CallOption) (*musterv1.ChangeJobsResponse, error)

func (n *Namespace) change(ctx context.Context, method changeMethod, s Selection, o DeleteOptions) (Change, error) {
	m, err := call(ctx, n.c, method, &musterv1.ChangeJobsRequest{
		Namespace: n.name, Jobs: refs(s.Jobs), Filter: s.Filter.message(), All: s.All, Force: o.Force, RequestId: newID(),
		Dependants: o.Dependants.String(),
	})
	if err != nil {
		return Change{}, err
	}
	return toChange(m)
}

// Modify changes the named fields of jobs, "priority" or "needs.mem" or
// "command.env", to their values in changes. A running attempt keeps the
// description it has.
func (n *Namespace) Modify(ctx context.Context, s Selection, changes *job.Job, fields ...string) (Change, error) {
	m, err := call(ctx, n.c, n.c.jobs.ModifyJobs, &musterv1.ModifyJobsRequest{
		Namespace: n.name, Jobs: refs(s.Jobs), Filter: s.Filter.message(), All: s.All, RequestId: newID(),
		Changes: api.FromJob(changes), UpdateMask: &fieldmaskpb.FieldMask{Paths: fields},
	})
	if err != nil {
		return Change{}, err
	}
	return toChange(m)
}

func toChange(m *musterv1.ChangeJobsResponse) (Change, error) {
	c := Change{Changed: m.Changed, Skipped: m.Skipped}
	for _, r := range m.Refusals {
		key, err := api.ParseKey(r.Job.GetKey())
		if err != nil {
			return c, answered(err)
		}
		c.Refusals = append(c.Refusals, Refusal{
			Job: Ref{Queue: r.Job.GetQueue(), Key: key, ID: r.Job.GetId(), Seq: job.Seq(r.Job.GetSeq())}, Err: api.ToError(r.Error),
		})
	}
	return c, nil
}
