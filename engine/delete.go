package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// DeleteOptions say how jobs are deleted.
type DeleteOptions struct {
	// Force deletes held jobs too: their leases are revoked.
	Force      bool
	Dependants job.Dependants
}

// Delete removes jobs, complete ones too. Held ones are refused without force, and those
// that others wait for unless the options say what becomes of them.
func (n *Namespace) Delete(ctx context.Context, s Selector, o DeleteOptions, once ...Once) (*ChangeResult, error) {
	d := &deleting{changing: newChanging(n, "delete", once), options: o}
	return d.run(ctx, func() error {
		if err := d.gather(ctx, &s); err != nil {
			return err
		}
		if err := d.all(ctx, &s); err != nil {
			return err
		}
		return d.tellRefusals(ctx)
	})
}

// deleting is a deletion under way.
type deleting struct {
	*changing
	options DeleteOptions
	// going are the jobs that are deleted together; nil where nobody waits for any.
	going *queue.Going
	// followers wait for those that are selected, and go first.
	followers []job.Seq
}

// gather finds out what is deleted together, in a namespace in which jobs depend on
// others.
func (d *deleting) gather(ctx context.Context, s *Selector) error {
	depends, err := call(ctx, d.ns, normal, func(w *writer) (bool, error) { return w.state.Depends(), nil })
	if err != nil || !depends || d.options.Dependants == job.DependantsRelease {
		return err
	}
	var seqs []job.Seq
	if s.Filter == nil {
		seqs, err = d.seqsOf(ctx, s.IDs)
	} else if s.Filter.wantsLive() {
		err = d.ns.eachLive(ctx, s.Filter, 0, false, nil, func(f *found, _ *job.Job) bool {
			seqs = append(seqs, f.live.Seq)
			return true
		})
	}
	if err != nil {
		return err
	}
	f := queue.NewFollowers(seqs)
	if d.options.Dependants == job.DependantsDelete {
		if err := d.follow(ctx, f); err != nil {
			return err
		}
	}
	d.followers = f.Found
	d.going = &queue.Going{Goes: func(seq job.Seq) bool { return f.Seqs[seq] }}
	return nil
}

func (d *deleting) seqsOf(ctx context.Context, ids []JobID) (seqs []job.Seq, err error) {
	for part := range slices.Chunk(ids, scanPage) {
		some, err := call(ctx, d.ns, normal, func(w *writer) ([]job.Seq, error) {
			var some []job.Seq
			for _, id := range part {
				if l, ok := w.lookup(id); ok {
					some = append(some, l.Seq)
				}
			}
			return some, nil
		})
		if err != nil {
			return nil, err
		}
		seqs = append(seqs, some...)
	}
	return seqs, nil
}

// follow collects who waits for the jobs, in steps.
func (d *deleting) follow(ctx context.Context, f *queue.Followers) error {
	for more := true; more; {
		var err error
		more, err = call(ctx, d.ns, normal, func(w *writer) (bool, error) { return w.state.Follow(f, scanWork), nil })
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *deleting) one(w *writer, l *job.Live) error {
	return w.state.DeleteWith(l.Seq, queue.DeleteOptions{
		Force: d.options.Force, Going: d.going, Release: d.options.Dependants == job.DependantsRelease,
	})
}

// all deletes: first those who wait, then what they wait for, then complete jobs.
func (d *deleting) all(ctx context.Context, s *Selector) error {
	slices.Reverse(d.followers)
	ids := make([]JobID, len(d.followers))
	for i, seq := range d.followers {
		ids[i] = JobID{Seq: seq}
	}
	if err := d.named(ctx, ids, d.one, func(*ChangeResult) bool { return false }); err != nil {
		return err
	}
	if s.Filter == nil {
		if err := d.named(ctx, s.IDs, d.one, allLive); err != nil {
			return err
		}
		return d.deleteNamed(ctx)
	}
	if err := d.filtered(ctx, s.Filter, d.one, false); err != nil {
		return err
	}
	return d.deleteFinished(ctx, s.Filter)
}

// tellRefusals puts names into refusals that have to do with other jobs.
func (c *changing) tellRefusals(ctx context.Context) error {
	for i := range c.result.Refusals {
		r := &c.result.Refusals[i]
		if i == maxTold {
			return nil
		}
		r.Err = c.ns.tell(ctx, r.Err, r.ID)
	}
	return nil
}

// maxTold is of how many refusals names are read.
const maxTold = 100

// allLive reports whether every job that was named is a live one.
func allLive(r *ChangeResult) bool {
	return !slices.ContainsFunc(r.Refusals, func(r Refusal) bool { return errors.Is(r.Err, job.ErrNoJob) })
}

// deleteFinished removes the complete jobs that match a filter, a page at a time.
func (c *changing) deleteFinished(ctx context.Context, f *Filter) error {
	var page []found
	var failed error
	err := c.ns.eachFinished(ctx, f, 0, false, nil, func(f *found, _ *job.Job) bool {
		if page = append(page, *f); len(page) == scanPage {
			failed = c.remove(ctx, page, false)
			page = page[:0]
		}
		return failed == nil
	})
	if err = errors.Join(failed, err); err != nil || len(page) == 0 {
		return err
	}
	return c.remove(ctx, page, true)
}

// deleteNamed removes those named jobs that turned out not to be live.
func (c *changing) deleteNamed(ctx context.Context) error {
	if c.over {
		return nil
	}
	var left []Refusal
	var finished []found
	for _, refusal := range c.result.Refusals {
		f, err := (*found)(nil), error(nil)
		if errors.Is(refusal.Err, job.ErrNoJob) {
			f, err = c.ns.find(ctx, refusal.ID)
		}
		if err != nil || f == nil || f.end == 0 {
			left = append(left, refusal)
			continue
		}
		finished = append(finished, *f)
	}
	c.result.Refusals = left
	c.result.Skipped -= int64(len(finished))
	return c.remove(ctx, finished, true)
}

// remove deletes complete jobs; last says that nothing else is to be done.
func (c *changing) remove(ctx context.Context, page []found, last bool) error {
	return c.step(ctx, func(w *writer, r *ChangeResult) (bool, error) {
		for _, f := range page {
			if w.state.DeleteFinished(f.past) == nil {
				r.Changed++
			}
		}
		return last, nil
	})
}
