package engine

import (
	"context"
	"errors"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Bounds of what one turn of the writer modifies.
const (
	modifyJobs  = 256
	modifyBytes = 1 << 20
)

// Modify changes the descriptions of live jobs: edit is called with a copy of each
// one's newest and changes it, and may be called again when somebody else was faster.
// A held attempt keeps the one it was given. Jobs that cannot be changed so are
// refused one by one; when that is all of them because of what is asked for, it is the
// error. Errors: Conflict for a filter that selects complete jobs only; Invalid, Denied.
func (n *Namespace) Modify(ctx context.Context, s Selector, edit func(*job.Job) error, once ...Once) (*ChangeResult, error) {
	if s.Filter != nil && !s.Filter.wantsLive() {
		return nil, job.Wrap(errComplete, "modify jobs", "")
	}
	m := &modifying{changing: newChanging(n, "modify", once), edit: edit}
	r, err := m.run(ctx, func() error {
		if s.Filter != nil {
			return m.filtered(ctx, s.Filter)
		}
		return m.named(ctx, s.IDs)
	})
	if err == nil {
		err = m.tellRefusals(ctx)
	}
	if err == nil {
		err = r.wrongAsked()
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

var errComplete = job.Errorf(job.Conflict, "a complete job is history and cannot be changed; add it again with existing=replace to change and run it")

// wrongAsked is the error of a change that was refused everywhere because of itself.
func (r *ChangeResult) wrongAsked() error {
	if r.Changed > 0 || len(r.Refusals) == 0 || int64(len(r.Refusals)) < r.Skipped {
		return nil
	}
	for _, refusal := range r.Refusals {
		if kind := job.KindOf(refusal.Err); kind != job.Invalid && kind != job.Denied {
			return nil
		}
	}
	first := &r.Refusals[0]
	return job.Wrap(first.Err, "modify job", first.ID.String())
}

// modifying is a change of descriptions under way. They are read, edited and their keys
// looked up off the writer, a part at a time, of which each is one turn.
type modifying struct {
	*changing
	edit func(*job.Job) error
}

// edited is a job with its new description, or why it has none.
type edited struct {
	queue.Prepared
	id  JobID
	was found
	err error
}

func (m *modifying) filtered(ctx context.Context, f *Filter) error {
	for from := job.Seq(0); ; {
		page, err := m.ns.scanLive(ctx, f, from, scanPage)
		if err != nil {
			return err
		}
		var items []edited
		_, err = m.ns.visitPage(ctx, page.jobs, f, true, func(was *found, j *job.Job) bool {
			items = append(items, m.edited(*was, j))
			return true
		})
		if err == nil {
			err = m.apply(ctx, items, page.done)
		}
		if err != nil || page.done {
			return err
		}
		from = page.next
	}
}

func (m *modifying) named(ctx context.Context, ids []JobID) error {
	for len(ids) > 0 {
		part := ids[:min(len(ids), scanPage)]
		ids = ids[len(part):]
		items, err := m.findAll(ctx, part)
		if err == nil {
			err = m.apply(ctx, items, len(ids) == 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// findAll reads and edits the jobs named.
func (m *modifying) findAll(ctx context.Context, ids []JobID) ([]edited, error) {
	items := make([]edited, len(ids))
	live, err := call(ctx, m.ns, normal, func(w *writer) ([]int, error) {
		var live []int
		for i, id := range ids {
			items[i].id = id
			if l, ok := w.lookup(id); ok {
				items[i].was = w.found(&l)
				live = append(live, i)
			}
		}
		return live, nil
	})
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].was.live.Seq == 0 {
			items[i].err = m.absent(ctx, ids[i])
		}
	}
	return items, m.editAll(ctx, items, live)
}

// absent is why a job that is not live cannot be modified.
func (m *modifying) absent(ctx context.Context, id JobID) error {
	f, err := m.ns.find(ctx, id)
	switch {
	case err != nil:
		return err
	case f.end != 0:
		return job.Wrap(errComplete, "modify job", id.String())
	}
	return errModifiedMeanwhile
}

// errModifiedMeanwhile refuses a job that others keep changing.
var errModifiedMeanwhile = job.Errorf(job.Conflict, "somebody else modified it at the same time; try again")

// editAll reads the descriptions of those of the items, and edits them.
func (m *modifying) editAll(ctx context.Context, items []edited, which []int) error {
	page := make([]found, len(which))
	for k, i := range which {
		page[k] = items[i].was
	}
	jobs, err := m.ns.describe(page)
	if err != nil {
		return err
	}
	for k, i := range which {
		id := items[i].id
		items[i] = m.edited(page[k], jobs[k])
		items[i].id = id // as the caller knows it
	}
	return ctx.Err()
}

// edited makes the new description of a job; j is nil for one deleted since.
func (m *modifying) edited(was found, j *job.Job) edited {
	e := edited{was: was, id: JobID{Seq: was.live.Seq, Digest: was.live.Digest}}
	if j == nil {
		e.err = job.ErrNoJob
		return e
	}
	e.id = JobID{Queue: j.Queue, Key: j.Key}
	derived, due := j.Command != nil && j.Key == j.Command.Key(), j.NotBefore
	if e.err = m.edit(j); e.err != nil {
		return e
	}
	if derived && j.Key == e.id.Key {
		j.Key = "" // follows the command
	}
	e.Prepared, e.err = prepare(j)
	e.Redue = !due.Equal(j.NotBefore)
	return e
}

// apply has the writer take the descriptions, in parts; last says that these are the
// last jobs of the request.
func (m *modifying) apply(ctx context.Context, items []edited, last bool) error {
	for len(items) > 0 {
		n, bytes := 0, 0
		for n < min(len(items), modifyJobs) && bytes < modifyBytes {
			bytes += len(items[n].Body)
			n++
		}
		part := items[:n]
		items = items[n:]
		if err := m.part(ctx, part, last && len(items) == 0); err != nil {
			return err
		}
	}
	return nil
}

// part has the writer take a part; what others changed meanwhile is read and edited
// again, and looked up again where history moved on.
func (m *modifying) part(ctx context.Context, items []edited, last bool) error {
	for round := 1; len(items) > 0; round++ {
		loads := m.ns.loads.Load()
		if err := m.lookUp(items); err != nil {
			return err
		}
		var again, changed []int
		err := m.step(ctx, func(w *writer, r *ChangeResult) (bool, error) {
			fresh := loads == w.ns.loads.Load()
			for i := range items {
				err := w.modify(&items[i], fresh)
				switch {
				case err == nil:
					r.Changed++
				case round < maxAddRounds && errors.Is(err, queue.ErrStale):
					again = append(again, i)
				case round < maxAddRounds && errors.Is(err, errModifiedMeanwhile):
					again, changed = append(again, i), append(changed, i)
				default:
					r.refuse(items[i].id, err)
				}
			}
			w.feed()
			return last && len(again) == 0, nil
		})
		if err != nil {
			return err
		}
		if err := m.readAgain(ctx, items, changed); err != nil {
			return err
		}
		for k, i := range again {
			items[k] = items[i]
		}
		items = items[:len(again)]
	}
	return nil
}

// readAgain reads and edits anew what was modified by others.
func (m *modifying) readAgain(ctx context.Context, items []edited, which []int) error {
	if len(which) == 0 {
		return nil
	}
	live, err := call(ctx, m.ns, normal, func(w *writer) ([]int, error) {
		var live []int
		for _, i := range which {
			if l, ok := w.state.BySeq(items[i].was.live.Seq); ok {
				items[i].was = w.found(&l)
				live = append(live, i)
			}
		}
		return live, nil
	})
	if err != nil {
		return err
	}
	return m.editAll(ctx, items, live)
}

// lookUp asks history about the keys of the new descriptions.
func (m *modifying) lookUp(items []edited) error {
	ends, err := m.ns.lookUp(len(items), func(i int) *queue.Prepared { return &items[i].Prepared })
	if err != nil {
		return err
	}
	for i := range items {
		p := &items[i].Prepared
		p.End, p.Found = ends[i], ends[i] != 0
	}
	return nil
}

// modify gives a job its new description, if nobody gave it another since it was read.
func (w *writer) modify(e *edited, fresh bool) error {
	if e.err != nil {
		return e.err
	}
	l, ok := w.state.BySeq(e.was.live.Seq)
	switch {
	case !ok:
		return job.ErrNoJob
	case !fresh:
		return queue.ErrStale
	case l.Version != e.was.live.Version || l.Priority != e.was.live.Priority:
		return errModifiedMeanwhile
	}
	return w.state.Modify(l.Seq, &e.Prepared)
}
