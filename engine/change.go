package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// ChangeResult says how many jobs a command changed.
type ChangeResult struct {
	Changed, Skipped int64
	// Refusals are why named jobs were not changed; at most MaxPage.
	Refusals []Refusal
}

// Refusal is why one job was not changed.
type Refusal struct {
	ID  JobID
	Err error
}

// Kick makes buried and delayed jobs ready, with fresh budgets. On a lost job it
// is a person's word that its attempt is dead.
func (n *Namespace) Kick(ctx context.Context, s Selector) (*ChangeResult, error) {
	return n.change(ctx, s, func(w *writer, l *job.Live) error {
		switch l.State {
		case job.Buried, job.Delayed, job.Lost:
			return w.state.Kick(l.Seq)
		}
		return errNothingToDo
	})
}

// Cancel buries jobs; running ones are stopped first. On a lost job it is a
// person's word that its attempt is dead.
func (n *Namespace) Cancel(ctx context.Context, s Selector) (*ChangeResult, error) {
	return n.change(ctx, s, func(w *writer, l *job.Live) error {
		if l.State == job.Buried {
			return errNothingToDo
		}
		_, err := w.state.Cancel(l.Seq)
		return err
	})
}

// errNothingToDo skips a job that is as wanted already.
var errNothingToDo = job.Errorf(job.Conflict, "nothing to do")

// Delete removes jobs, complete ones too. Held ones are refused unless force is
// set, which revokes their leases.
func (n *Namespace) Delete(ctx context.Context, s Selector, force bool) (*ChangeResult, error) {
	r, err := n.change(ctx, s, func(w *writer, l *job.Live) error { return w.state.Delete(l.Seq, force) })
	if err != nil {
		return nil, err
	}
	return r, n.deleteFinished(ctx, s, r)
}

// deleteFinished removes the complete jobs that are selected.
func (n *Namespace) deleteFinished(ctx context.Context, s Selector, r *ChangeResult) error {
	remove := func(page []found) error {
		deleted, err := call(ctx, n, normal, func(w *writer) (int64, error) {
			var deleted int64
			for _, f := range page {
				if w.state.DeleteFinished(&job.Finished{End: f.end, Ended: f.ended, Live: f.live}) == nil {
					deleted++
				}
			}
			return deleted, nil
		})
		r.Changed += deleted
		return err
	}
	if s.Filter == nil {
		return n.deleteNamed(ctx, s, r, remove)
	}
	var page []found
	err := n.eachFinished(ctx, s.Filter, 0, false, func(f *found, _ *job.Job) bool {
		page = append(page, *f)
		return true
	})
	for part := range slices.Chunk(page, scanPage) {
		if err == nil {
			err = remove(part)
		}
	}
	return err
}

// deleteNamed removes those named jobs that change found not to be live.
func (n *Namespace) deleteNamed(ctx context.Context, _ Selector, r *ChangeResult, remove func([]found) error) error {
	var left []Refusal
	for _, refusal := range r.Refusals {
		if !errors.Is(refusal.Err, job.ErrNoJob) {
			left = append(left, refusal)
			continue
		}
		f, err := n.find(ctx, refusal.ID)
		if err != nil || f.end == 0 {
			left = append(left, refusal)
			continue
		}
		if err := remove([]found{*f}); err != nil {
			return err
		}
		r.Skipped--
	}
	r.Refusals = left
	return nil
}

// change applies do to the selected live jobs, in steps, so that no turn of the
// writer is long. It looks at the jobs again where it changes them.
func (n *Namespace) change(ctx context.Context, s Selector, do func(*writer, *job.Live) error) (*ChangeResult, error) {
	r := &ChangeResult{}
	if s.Filter == nil {
		return r, n.changeNamed(ctx, s.IDs, r, do)
	}
	if !s.Filter.wantsLive() {
		return r, nil
	}
	from := job.Seq(0)
	for {
		page, err := n.scanLive(ctx, s.Filter, from, scanPage)
		if err != nil {
			return r, err
		}
		var seqs []job.Seq
		_, err = n.visitPage(page.jobs, s.Filter, false, func(f *found, _ *job.Job) bool {
			seqs = append(seqs, f.live.Seq)
			return true
		})
		if err == nil {
			err = n.changePage(ctx, s.Filter, seqs, r, do)
		}
		if err != nil || page.done {
			return r, err
		}
		from = page.next
	}
}

func (n *Namespace) changePage(ctx context.Context, f *Filter, seqs []job.Seq, r *ChangeResult, do func(*writer, *job.Live) error) error {
	if len(seqs) == 0 {
		return nil
	}
	step, err := call(ctx, n, normal, func(w *writer) (ChangeResult, error) {
		var step ChangeResult
		for _, seq := range seqs {
			l, ok := w.state.BySeq(seq)
			if !ok || !f.matchLive(&l) {
				continue
			}
			if do(w, &l) != nil {
				step.Skipped++
				continue
			}
			step.Changed++
			w.feed()
		}
		return step, nil
	})
	r.Changed += step.Changed
	r.Skipped += step.Skipped
	return err
}

func (n *Namespace) changeNamed(ctx context.Context, ids []JobID, r *ChangeResult, do func(*writer, *job.Live) error) error {
	for part := range slices.Chunk(ids, scanPage) {
		step, err := call(ctx, n, normal, func(w *writer) (ChangeResult, error) {
			var step ChangeResult
			for _, id := range part {
				err := w.changeOne(id, do)
				switch {
				case err == nil:
					step.Changed++
				case len(step.Refusals) < MaxPage:
					step.Refusals = append(step.Refusals, Refusal{ID: id, Err: err})
					fallthrough
				default:
					step.Skipped++
				}
			}
			return step, nil
		})
		if err != nil {
			return err
		}
		r.Changed += step.Changed
		r.Skipped += step.Skipped
		r.Refusals = append(r.Refusals, step.Refusals...)
	}
	return nil
}

func (w *writer) changeOne(id JobID, do func(*writer, *job.Live) error) error {
	l, ok := w.lookup(id)
	if !ok {
		return job.Wrap(job.ErrNoJob, "change job", id.String())
	}
	err := do(w, &l)
	w.feed()
	return err
}

func (w *writer) lookup(id JobID) (job.Live, bool) {
	if id.Seq != 0 {
		return w.state.BySeq(id.Seq)
	}
	return w.state.Lookup(id.digest())
}

// Modify changes the descriptions of live jobs: edit is called with a copy of
// each one's newest and changes it. A held attempt keeps the one it was given.
func (n *Namespace) Modify(ctx context.Context, s Selector, edit func(*job.Job) error) (*ChangeResult, error) {
	r := &ChangeResult{}
	if s.Filter != nil {
		var stop error
		err := n.eachLive(ctx, s.Filter, 0, true, func(f *found, j *job.Job) bool {
			stop = n.modifyOne(ctx, f, j, edit, r)
			return stop == nil
		})
		return r, errors.Join(stop, err)
	}
	for _, id := range s.IDs {
		if err := n.modifyNamed(ctx, id, edit, r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (n *Namespace) modifyNamed(ctx context.Context, id JobID, edit func(*job.Job) error, r *ChangeResult) error {
	f, err := n.find(ctx, id)
	if err == nil && f.end != 0 {
		err = job.Errorf(job.Conflict, "job %s is complete; add it again with existing=replace to change and run it", id)
	}
	if err != nil {
		r.refuse(id, err)
		return nil
	}
	jobs, err := n.describe([]found{*f})
	if err != nil {
		return err
	}
	if jobs[0] == nil {
		r.refuse(id, job.ErrNoJob)
		return nil
	}
	return n.modifyOne(ctx, f, jobs[0], edit, r)
}

func (r *ChangeResult) refuse(id JobID, err error) {
	r.Skipped++
	if len(r.Refusals) < MaxPage {
		r.Refusals = append(r.Refusals, Refusal{ID: id, Err: err})
	}
}

// modifyOne edits one description and has the writer take it, if the job was not
// modified by somebody else meanwhile; then it is read and edited again.
func (n *Namespace) modifyOne(ctx context.Context, f *found, j *job.Job, edit func(*job.Job) error, r *ChangeResult) error {
	id := JobID{Queue: j.Queue, Key: j.Key, Seq: f.live.Seq}
	derived := j.Command != nil && j.Key == j.Command.Key()
	if err := edit(j); err != nil {
		return err
	}
	if derived && j.Key == id.Key {
		j.Key = "" // follows the command
	}
	p, err := prepare(j)
	if err != nil {
		return err
	}
	for range maxAddRounds {
		if err = n.tryModify(ctx, f, &p); !errors.Is(err, queue.ErrStale) {
			break
		}
	}
	switch kind := job.KindOf(err); {
	case err == nil:
		r.Changed++
	case kind == job.NotFound || kind == job.Conflict || kind == job.Exists:
		r.refuse(id, err)
	default:
		return err
	}
	return nil
}

// tryModify looks the key up and has the writer take the description; ErrStale
// when history moved on between the two.
func (n *Namespace) tryModify(ctx context.Context, f *found, p *queue.Prepared) error {
	loads := n.loads.Load()
	p.Reach = n.store.Reach()
	var err error
	if p.End, p.Found, err = n.store.Find(p.Digest); err != nil {
		return err
	}
	_, err = callSized(ctx, n, normal, int64(len(p.Body)), true, func(w *writer) (struct{}, error) {
		l, ok := w.state.BySeq(f.live.Seq)
		switch {
		case n.loads.Load() != loads:
			return struct{}{}, queue.ErrStale
		case !ok:
			return struct{}{}, job.ErrNoJob
		case l.Version != f.live.Version:
			return struct{}{}, job.Errorf(job.Conflict, "somebody else modified it at the same time; try again")
		}
		err := w.state.Modify(f.live.Seq, p)
		w.feed()
		return struct{}{}, err
	})
	return err
}
