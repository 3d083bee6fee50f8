package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// Holds is nil while an attempt is held. Errors: LostLease when it is not (any more), or
// is asked to stop for good.
func (n *Namespace) Holds(ctx context.Context, r Ref) error {
	_, err := n.held(ctx, r)
	return err
}

func (n *Namespace) held(ctx context.Context, r Ref) (job.Live, error) {
	return call(ctx, n, urgent, func(w *writer) (job.Live, error) {
		l, ok := w.state.BySeq(r.Seq)
		if !ok || l.Attempt != r.Attempt || !l.State.Held() || l.Mark == job.MarkDeleted || l.Mark == job.MarkRevoked {
			return l, job.ErrLostLease
		}
		return l, nil
	})
}

// HeldJob is the job, with a command, that a held attempt was given. Errors: LostLease
// when the attempt is not held (any more), or asked to stop for good.
func (n *Namespace) HeldJob(ctx context.Context, r Ref) (*job.Job, error) {
	live, err := n.held(ctx, r)
	if err != nil {
		return nil, err
	}
	payloads, err := n.store.Payloads([]job.PayloadRef{{Seq: r.Seq, Version: live.GivenVersion}})
	if err != nil {
		return nil, job.Wrap(err, "read the command of attempt", r.Attempt.String())
	}
	j := new(job.Job)
	if payloads[0].Body == nil {
		return nil, job.ErrLostLease // it was deleted meanwhile
	}
	if err := job.Decode(payloads[0].Body, j); err != nil {
		return nil, job.Wrap(err, "read the command of attempt", r.Attempt.String())
	}
	if j.Command == nil {
		return nil, job.Errorf(job.Invalid, "attempt %v is of a job without a command", r.Attempt)
	}
	return j, nil
}
