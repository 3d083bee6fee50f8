package engine

import (
	"context"
	"errors"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// changing is a change of selected jobs under way, in steps, so that no turn of
// the writer is long. It looks at the jobs again where it changes them.
type changing struct {
	ns     *Namespace
	verb   string
	once   Once
	result ChangeResult
	over   bool // the last step is done, and the answer stored
}

// changeFunc changes a live job, or says why not.
type changeFunc func(*writer, *job.Live) error

func newChanging(n *Namespace, verb string, once []Once) *changing {
	c := &changing{ns: n, verb: verb}
	if len(once) > 0 {
		c.once = once[0]
	}
	return c
}

// run does what the request asks for, unless an earlier request of its id did.
func (c *changing) run(ctx context.Context, do func() error) (*ChangeResult, error) {
	if c.once.RequestID == "" {
		return &c.result, do()
	}
	answer, err := recalled[changeAnswer](ctx, c.ns, c.once.Client, c.once.RequestID)
	if err != nil {
		return nil, err
	}
	if answer != nil {
		return answer.result(c.verb)
	}
	if err = do(); err == nil && !c.over {
		err = c.step(ctx, func(*writer, *ChangeResult) (bool, error) { return true, nil })
	}
	return &c.result, err
}

// step makes the changes of one turn. When do reports that it was the last one,
// the answer is stored with them.
func (c *changing) step(ctx context.Context, do func(*writer, *ChangeResult) (last bool, err error)) error {
	type outcome struct {
		result ChangeResult
		last   bool
	}
	o, err := call(ctx, c.ns, normal, func(w *writer) (outcome, error) {
		o := outcome{result: c.result}
		var err error
		if o.last, err = do(w, &o.result); err != nil || !o.last || c.once.RequestID == "" {
			return o, err
		}
		return o, w.remember(c.once.Client, c.once.RequestID, c.answer(&o.result))
	})
	if err == nil {
		c.result, c.over = o.result, o.last
	}
	return err
}

// named changes jobs one by one; over is asked whether that was all, once each has
// had its turn.
func (c *changing) named(ctx context.Context, ids []JobID, do changeFunc, over func(*ChangeResult) bool) error {
	for len(ids) > 0 {
		part := ids[:min(len(ids), scanPage)]
		ids = ids[len(part):]
		left := len(ids)
		err := c.step(ctx, func(w *writer, r *ChangeResult) (bool, error) {
			for _, id := range part {
				if err := w.changeOne(id, do); err != nil {
					r.refuse(id, err)
				} else {
					r.Changed++
				}
			}
			return left == 0 && over(r), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// filtered changes the live jobs that match a filter; whole says that these are
// all that the request is about.
func (c *changing) filtered(ctx context.Context, f *Filter, do changeFunc, whole bool) error {
	if !f.wantsLive() {
		return nil
	}
	for from := job.Seq(0); ; {
		page, err := c.ns.scanLive(ctx, f, from, scanPage)
		if err != nil {
			return err
		}
		var seqs []job.Seq
		_, err = c.ns.visitPage(ctx, page.jobs, f, false, func(f *found, _ *job.Job) bool {
			seqs = append(seqs, f.live.Seq)
			return true
		})
		if err == nil && len(seqs) > 0 {
			err = c.page(ctx, f, seqs, do, whole && page.done)
		}
		if err != nil || page.done {
			return err
		}
		from = page.next
	}
}

// page changes those of the jobs that still match.
func (c *changing) page(ctx context.Context, f *Filter, seqs []job.Seq, do changeFunc, last bool) error {
	return c.step(ctx, func(w *writer, r *ChangeResult) (bool, error) {
		for _, seq := range seqs {
			l, ok := w.state.BySeq(seq)
			if !ok || !w.matches(f, &l) {
				continue
			}
			if err := do(w, &l); err != nil {
				r.skip(&l, err)
				continue
			}
			r.Changed++
			w.feed()
		}
		return last, nil
	})
}

// skip counts a job that a filter selected and that is not in a state for the change; why
// is kept only where it has to do with other jobs.
func (r *ChangeResult) skip(l *job.Live, err error) {
	if awaited := new(queue.ErrAwaited); errors.As(err, &awaited) {
		r.refuse(JobID{Seq: l.Seq, Digest: l.Digest}, err)
		return
	}
	r.Skipped++
}

// changeAnswer is what is remembered of a change for its repeat.
type changeAnswer struct {
	Verb     string          `cbor:"20,keyasint"`
	Changed  int64           `cbor:"21,keyasint,omitempty"`
	Skipped  int64           `cbor:"22,keyasint,omitempty"`
	Refusals []changeRefusal `cbor:"23,keyasint,omitempty"`
}

type changeRefusal struct {
	ID   JobID         `cbor:"1,keyasint"`
	Kind job.ErrorKind `cbor:"2,keyasint"`
	Text string        `cbor:"3,keyasint"`
}

func (c *changing) answer(r *ChangeResult) *changeAnswer {
	a := &changeAnswer{Verb: c.verb, Changed: r.Changed, Skipped: r.Skipped}
	for _, refusal := range r.Refusals {
		a.Refusals = append(a.Refusals, changeRefusal{refusal.ID, job.KindOf(refusal.Err), refusal.Err.Error()})
	}
	return a
}

// result is the answer again.
func (a *changeAnswer) result(verb string) (*ChangeResult, error) {
	if a.Verb != verb {
		return nil, errOtherRequest
	}
	r := &ChangeResult{Changed: a.Changed, Skipped: a.Skipped}
	for _, refusal := range a.Refusals {
		r.Refusals = append(r.Refusals, Refusal{ID: refusal.ID, Err: job.Errorf(refusal.Kind, "%s", refusal.Text)})
	}
	return r, nil
}
