package engine

import (
	"context"
	"errors"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Report processes a batch of news of attempts from a pulling worker. Each is
// answered by itself: a refused one does not hinder the others. What a completion
// makes for the queue that follows commits with it.
func (n *Namespace) Report(ctx context.Context, worker string, reports []Report) ([]ReportAnswer, error) {
	p := &reporting{ns: n, worker: worker, reports: reports, answers: make([]ReportAnswer, len(reports))}
	if err := p.check(); err != nil {
		return nil, err
	}
	todo := make([]int, len(reports))
	for i := range todo {
		todo[i] = i
	}
	for range maxAddRounds {
		left, err := call(ctx, n, urgent, func(w *writer) ([]int, error) { return p.turn(w, todo), nil })
		if err != nil {
			return nil, err
		}
		if todo = p.prepare(left); len(todo) == 0 {
			break
		}
	}
	for _, i := range todo {
		p.answers[i].Err = job.Errorf(job.Unavailable, "the jobs that it adds keep being changed by others meanwhile; report it again")
	}
	for i := range reports {
		n.checkHistory(&reports[i], &p.answers[i])
	}
	return p.answers, nil
}

// reporting is a batch of reports under way.
type reporting struct {
	ns      *Namespace
	worker  string
	reports []Report
	answers []ReportAnswer
	// own are data of attempts, as they are stored; completions are those that feed
	// other queues. Both are by index, and rare.
	own         map[int][]byte
	completions map[int]*completion
}

// check refuses what is wrong in itself, and makes ready what the reports bring.
func (p *reporting) check() error {
	for i := range p.reports {
		r := &p.reports[i]
		if len(r.Data) > job.MaxData {
			return job.Errorf(job.Invalid, "report on attempt %v: data of %d bytes; at most %d", r.Attempt, len(r.Data), job.MaxData)
		}
		if r.Kind == ReportRenew && r.Data != nil {
			body, err := ownData(r.Data)
			if err != nil {
				return err
			}
			if p.own == nil {
				p.own = map[int][]byte{}
			}
			p.own[i] = body
		}
		if len(r.Outputs) > 0 && r.Kind == ReportComplete {
			fed, err := p.ns.feedJobs(r.Outputs)
			if err != nil {
				return job.Wrap(err, "output of attempt", r.Attempt.String())
			}
			p.completes(i, &completion{explicit: true, fed: fed})
		}
	}
	return nil
}

func (p *reporting) completes(i int, c *completion) {
	if p.completions == nil {
		p.completions = map[int]*completion{}
	}
	p.completions[i] = c
}

// turn does reports on the writer; left are those that need something read first.
func (p *reporting) turn(w *writer, todo []int) (left []int) {
	if row, ok := w.state.WorkerNamed(p.worker); ok && !row.Agent { // an agent is heard by its session alone
		_ = w.state.Heard(row.ID)
	}
	var waits map[job.Seq]bool // those of one job are done in order
	for _, i := range todo {
		r := &p.reports[i]
		if waits[r.Seq] || !p.ready(w, i) {
			if left = append(left, i); waits == nil {
				waits = map[job.Seq]bool{}
			}
			waits[r.Seq] = true
			continue
		}
		if p.answers[i].Err != nil {
			continue
		}
		p.answers[i] = w.report(r, p.own[i])
		if c := p.completions[i]; c != nil && p.answers[i].Err == nil && !p.answers[i].repeated {
			c.fed.add(w)
		}
	}
	return left
}

// ready reports whether all is there that a report needs.
func (p *reporting) ready(w *writer, i int) bool {
	r := &p.reports[i]
	if r.Kind != ReportComplete || p.completions[i] == nil && w.state.Then(r.Seq) == "" {
		return true
	}
	l, ok := w.state.BySeq(r.Seq)
	if !ok || l.Attempt != r.Attempt {
		return true // it will be refused
	}
	if p.completions[i] == nil {
		p.completes(i, &completion{given: r.Data})
	}
	ok, err := p.completions[i].ready(w, &l, l.GivenVersion)
	p.answers[i].Err = err
	return ok || err != nil
}

// prepare reads what reports need; those that cannot have it are answered.
func (p *reporting) prepare(left []int) (todo []int) {
	for _, i := range left {
		if c := p.completions[i]; c != nil {
			if err := c.prepare(p.ns); err != nil {
				p.answers[i].Err = err
				continue
			}
		}
		todo = append(todo, i)
	}
	return todo
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

// report processes one report; own is the data that comes with a renewal, as it is
// stored.
func (w *writer) report(r *Report, own []byte) ReportAnswer {
	switch r.Kind {
	case ReportStart:
		return renewed(w.state.Start(r.Ref, job.TimeOf(r.Started)))
	case ReportRenew:
		answer := renewed(w.state.Renew(r.Ref, r.Lease))
		if own != nil && answer.Err == nil {
			answer.Err = w.state.SetData(r.Ref, own)
		}
		return answer
	}
	ended, err := w.state.End(&queue.End{
		Ref: r.Ref, How: how[r.Kind], Result: r.Result, Delay: r.Delay, Data: r.Data,
		StartedAt: job.TimeOf(r.Started), EndedAt: job.TimeOf(r.Ended), Remove: r.Remove,
	})
	w.feed()
	return ReportAnswer{State: ended.State, Due: ended.Due.Std(), Err: err, repeated: ended.Repeated}
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
