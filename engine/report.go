package engine

import (
	"context"
	"errors"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Report processes a batch of news of attempts from a pulling worker. Each is
// answered by itself: a refused one does not hinder the others.
func (n *Namespace) Report(ctx context.Context, worker string, reports []Report) ([]ReportAnswer, error) {
	outputs, err := prepareOutputs(reports)
	if err != nil {
		return nil, err
	}
	answers, err := call(ctx, n, urgent, func(w *writer) ([]ReportAnswer, error) {
		if id, ok := w.state.WorkerNamed(worker); ok {
			_ = w.state.Heard(id.ID)
		}
		answers := make([]ReportAnswer, len(reports))
		for i := range reports {
			answers[i] = w.report(&reports[i], outputs[i])
		}
		return answers, nil
	})
	if err != nil {
		return nil, err
	}
	for i := range answers {
		n.checkHistory(&reports[i], &answers[i])
	}
	return answers, nil
}

// report processes news from an agent; the answers go to its session.
func (n *Namespace) report(ctx context.Context, s *Session, reports []Numbered) error {
	n.touch()
	return n.post(ctx, func(w *writer) { w.answer(s, reports) })
}

// answer processes reports of an agent and answers them when they are durable.
func (w *writer) answer(s *Session, reports []Numbered) {
	if len(reports) == 0 {
		return
	}
	answers := make([]Answer, len(reports))
	for i := range reports {
		answers[i] = Answer{Number: reports[i].Number, ReportAnswer: w.report(&reports[i].Report, nil)}
	}
	w.later(func() {
		for i := range answers {
			w.ns.checkHistory(&reports[i].Report, &answers[i].ReportAnswer)
		}
		s.push(func(o *Orders) { o.Answers = append(o.Answers, answers...) })
	})
}

// prepareOutputs makes the jobs ready that completions feed to the next queue.
func prepareOutputs(reports []Report) ([][]queue.Prepared, error) {
	all := make([][]queue.Prepared, len(reports))
	for i, r := range reports {
		for _, j := range r.Outputs {
			p, err := prepare(j)
			if err != nil {
				return nil, job.Wrap(err, "output of attempt", r.Attempt.String())
			}
			all[i] = append(all[i], p)
		}
	}
	return all, nil
}

func (w *writer) report(r *Report, outputs []queue.Prepared) ReportAnswer {
	switch r.Kind {
	case ReportStart:
		return renewed(w.state.Start(r.Ref, job.TimeOf(r.Started)))
	case ReportRenew:
		return renewed(w.state.Renew(r.Ref, r.Lease))
	}
	ended, err := w.state.End(&queue.End{
		Ref: r.Ref, How: how[r.Kind], Result: r.Result, Delay: r.Delay, Data: r.Data,
		StartedAt: job.TimeOf(r.Started), EndedAt: job.TimeOf(r.Ended),
	})
	if err == nil && !ended.Repeated && len(outputs) > 0 {
		w.state.Add(outputs, queue.AddOptions{Existing: job.ExistingReplace})
	}
	w.feed()
	return ReportAnswer{State: ended.State, Due: ended.Due.Std(), Err: err}
}

var how = map[ReportKind]queue.How{
	ReportComplete: queue.Completed,
	ReportRelease:  queue.Released,
	ReportBury:     queue.Failed,
	ReportReturn:   queue.Released,
}

func renewed(r queue.Renewal, err error) ReportAnswer {
	return ReportAnswer{Mark: r.Mark, Deadline: r.Deadline.Std(), Err: err}
}

// checkHistory answers the repeat of a report whose job has left the queue since:
// the same attempt having completed is the same answer again.
func (n *Namespace) checkHistory(r *Report, a *ReportAnswer) {
	if !errors.Is(a.Err, job.ErrNoJob) {
		return
	}
	a.Err = job.ErrLostLease
	rows, err := n.store.Attempts(r.Seq)
	if err != nil {
		a.Err = err
		return
	}
	for _, row := range rows {
		if row.ID == r.Attempt && row.Outcome == job.OutcomeComplete && r.Kind == ReportComplete {
			*a = ReportAnswer{State: job.Complete}
		}
	}
}
