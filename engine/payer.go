package engine

import (
	"cmp"
	"context"

	"github.com/muster-queue/muster/job"
)

// payer is the account of a live job: the one it is charged to while it runs, else
// the one it names, else its queue's, else the default one. It need not exist.
func (w *writer) payer(l *job.Live) string {
	if c, held := w.sched.Charge(l.Seq); held && c.Account != "" {
		return c.Account
	}
	shape, _ := w.state.Shape(l.Shape)
	return shape.Account
}

// findPayers finds the accounts of complete jobs, as they would be now. Live ones
// have theirs.
func (n *Namespace) findPayers(ctx context.Context, page []found, jobs []*job.Job) error {
	unknown := false
	for i := range page {
		if page[i].end == 0 || jobs[i] == nil {
			continue
		}
		page[i].account = jobs[i].Account
		unknown = unknown || page[i].account == ""
	}
	if !unknown {
		return nil
	}
	accounts, err := call(ctx, n, normal, func(w *writer) ([]string, error) {
		accounts := make([]string, len(page))
		for i, j := range jobs {
			if page[i].end == 0 || j == nil {
				continue
			}
			named, _ := w.state.QueueNamed(j.QueueName())
			q, _ := w.state.Queue(job.QueueID(named.ID))
			accounts[i] = cmp.Or(q.Account, w.state.Meta().Account)
		}
		return accounts, nil
	})
	if err != nil {
		return err
	}
	for i := range page {
		page[i].account = cmp.Or(page[i].account, accounts[i])
	}
	return nil
}
