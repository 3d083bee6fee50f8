package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// HeldCommand is the command that a held attempt was given. Errors: LostLease when
// the attempt is not held (any more), or asked to stop for good.
func (n *Namespace) HeldCommand(ctx context.Context, r Ref) (*job.Command, error) {
	live, err := call(ctx, n, urgent, func(w *writer) (job.Live, error) {
		l, ok := w.state.BySeq(r.Seq)
		if !ok || l.Attempt != r.Attempt || !l.State.Held() || l.Mark == job.MarkDeleted || l.Mark == job.MarkRevoked {
			return l, job.ErrLostLease
		}
		return l, nil
	})
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
	return j.Command, nil
}
