package engine

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// effort bounds what a search looks at, so that a filter which nothing matches does not
// keep a caller waiting; nil is without bound.
type effort struct {
	left int
	// step is how many records are looked at between two counts; zero: pastWork.
	step  int
	spent bool
	at    pageToken // where it was spent
}

// searchEffort is that of a page: so many records, of which each that must be described
// counts as ten. It is about half a second's.
const searchEffort = 300_000

// spend counts records that were looked at, and whether those that matched so far were
// described. True means that this was enough.
func (e *effort) spend(looked, matched int, described bool) bool {
	if e == nil {
		return false
	}
	if e.left -= looked; described {
		e.left -= 10 * matched
	}
	e.spent = e.left <= 0
	return e.spent
}

// past is what a filter means for the records of complete jobs.
type past struct {
	*Filter
	queue job.QueueID
	// group is the one wanted, groups those; neither: any.
	group  job.GroupID
	groups map[job.GroupID]bool
	// since is a time before which none of them ended.
	since job.Time
	// work is how many records one part of history is looked for in.
	work int
}

// fewGroups is how many groups are read each by the index; with more, history is looked
// through.
const fewGroups = 32

// past looks up what the filter names; false means that nothing can match.
func (n *Namespace) past(ctx context.Context, f *Filter) (p past, possible bool, err error) {
	p = past{Filter: f}
	for _, s := range []Span{f.Added, f.Started, f.Ended} {
		p.since = max(p.since, job.TimeOf(s.Since)) // no job ends before it is added
	}
	if !f.wants(job.Complete) {
		return p, false, nil
	}
	possible, err = call(ctx, n, normal, func(w *writer) (bool, error) {
		q, okQueue := w.state.QueueNamed(f.Queue)
		g, okGroup := w.state.GroupNamed(f.Group)
		p.queue, p.group = job.QueueID(q.ID), job.GroupID(g.ID)
		return (okQueue || f.Queue == "") && (okGroup || f.Group == ""), nil
	})
	if f.Group == "" {
		p.group = 0
	}
	if err != nil || !possible || f.GroupPrefix == "" && f.GroupPart == "" {
		return p, possible, err
	}
	p.groups, err = n.groupIDs(ctx, f.groups())
	return p, len(p.groups) > 0, err
}

// groupIDs are the groups that match.
func (n *Namespace) groupIDs(ctx context.Context, m *GroupMatch) (map[job.GroupID]bool, error) {
	ids := map[job.GroupID]bool{}
	for after, more := "", true; more; more = after != "" {
		var err error
		after, err = call(ctx, n, normal, func(w *writer) (string, error) {
			list, next := w.groupsMatching(m, after, math.MaxInt)
			for i := range list {
				ids[job.GroupID(list[i].ID)] = true
			}
			return next, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// matches checks the record of a complete job.
func (p *past) matches(f *job.Finished) bool {
	return p.matchPast(f) && (p.queue == 0 || f.Queue == p.queue) && (p.groups == nil || p.groups[f.Group]) &&
		(p.group == 0 || f.Group == p.group)
}

// eachFinished visits the finished jobs that match, newest first, those below
// the end number before (zero: all), until visit returns false or the effort is spent.
func (n *Namespace) eachFinished(ctx context.Context, f *Filter, before uint64, describe bool, e *effort, visit func(*found, *job.Job) bool) error {
	p, possible, err := n.past(ctx, f)
	if err != nil || !possible {
		return err
	}
	if !f.Ended.Until.IsZero() {
		if before, err = n.endedBefore(job.TimeOf(f.Ended.Until), before); err != nil {
			return err
		}
	}
	if p.work = pastWork; e != nil && e.step > 0 {
		p.work = e.step
	}
	describe = describe || f.Kind != "" || f.Account != "" || f.needsJob()
	for {
		page, err := n.pastPage(ctx, &p, before)
		if err != nil {
			return err
		}
		stopped, err := n.visitPage(ctx, page.jobs, f, describe, func(j *found, d *job.Job) bool {
			return d != nil && !f.matchFinished(j, d) || visit(j, d)
		})
		if err != nil || stopped || page.done {
			return err
		}
		before = page.reached
		if e.spend(page.looked, len(page.jobs), describe) {
			e.at = pageToken{End: before}
			return nil
		}
	}
}

// matchFinished checks of a complete job what narrow and the shape tell of a live one.
func (f *Filter) matchFinished(j *found, d *job.Job) bool {
	return (f.Kind == "" || d.Kind == f.Kind) && (f.Account == "" || j.account == f.Account)
}

// pastPage is a part of history.
type pastPage struct {
	jobs    []found
	looked  int
	reached uint64 // the lowest end number looked at
	done    bool
}

// pastWork is how many records a part of history is looked for in, usually.
const pastWork = 50_000

// pastPage looks through history below an end number.
func (n *Namespace) pastPage(ctx context.Context, p *past, before uint64) (page pastPage, err error) {
	switch {
	case p.Key != "":
		page.jobs, err = n.finishedByKey(ctx, p, before)
		page.done = true
	case p.groups != nil && len(p.groups) <= fewGroups:
		page, err = n.mergedPage(ctx, p, before)
	default:
		page, err = n.scanPast(ctx, p, before, p.group)
	}
	return page, job.Wrap(err, "read history", "")
}

// scanPast looks through the history of a group, or all of it.
func (n *Namespace) scanPast(ctx context.Context, p *past, before uint64, group job.GroupID) (page pastPage, err error) {
	page.done = true
	err = n.store.History(before, group, func(f *job.Finished) bool {
		if f.Ended < p.since || !n.goesOn(ctx, f.End) {
			return false
		}
		page.looked++
		page.reached = f.End
		if p.matches(f) {
			page.jobs = append(page.jobs, foundFinished(f))
		}
		if len(page.jobs) == scanPage || page.looked == p.work {
			page.done = false
			return false
		}
		return true
	})
	return page, cmp.Or(err, ctx.Err())
}

// mergedPage is the newest of what a few groups have.
func (n *Namespace) mergedPage(ctx context.Context, p *past, before uint64) (page pastPage, err error) {
	page.done = true
	for id := range p.groups {
		part, err := n.scanPast(ctx, p, before, id)
		if err != nil {
			return page, err
		}
		page.looked += part.looked
		page.jobs = append(page.jobs, part.jobs...)
		if !part.done { // what is older than it reached is not known of this group
			page.done, page.reached = false, max(page.reached, part.reached)
		}
	}
	slices.SortFunc(page.jobs, func(a, b found) int { return cmp.Compare(b.end, a.end) })
	for i := range page.jobs {
		if !page.done && page.jobs[i].end < page.reached {
			page.jobs = page.jobs[:i]
			break
		}
	}
	return page, nil
}

// endedBefore is an end number, at most before (zero: any), below which are just the
// jobs that ended before a moment: end numbers grow with time.
func (n *Namespace) endedBefore(t job.Time, before uint64) (uint64, error) {
	low, high := uint64(0), cmp.Or(before, math.MaxUint64)
	for probe := high; low < high; probe = low + (high-low)/2 + 1 {
		var newest job.Finished // below the probe
		err := n.store.History(probe, 0, func(f *job.Finished) bool {
			newest = *f
			return false
		})
		switch {
		case err != nil:
			return 0, job.Wrap(err, "read history", "")
		case newest.Ended < t:
			low = probe
		default:
			high = newest.End
		}
	}
	return max(high, 1), nil
}

// queueNames are the queues in which a key is looked for.
func (w *writer) queueNames(f *Filter) (names []string) {
	if f.Queue != "" {
		return []string{f.Queue}
	}
	for after := ""; ; {
		page := w.state.Queues(after, MaxPage)
		for i := range page {
			names = append(names, page[i].Name)
			after = page[i].Name
		}
		if len(page) < MaxPage || len(names) >= maxKeyQueues {
			return names
		}
	}
}

// maxKeyQueues bounds the queues in which a key is looked for at once.
const maxKeyQueues = 5000

// liveByKey finds the live jobs of a key, from a number on.
func (w *writer) liveByKey(f *Filter, q *queue.Filter, from job.Seq) livePage {
	p := livePage{done: true}
	for _, name := range w.queueNames(f) {
		l, ok := w.state.Lookup(job.DigestOf(name, f.Key))
		if ok && l.Seq >= from && (q.Group == 0 || l.Group == q.Group) && (q.Kind == 0 || l.Kind == q.Kind) &&
			(q.Worker == 0 || l.Worker == q.Worker) && w.matches(f, &l) {
			p.jobs = append(p.jobs, w.found(&l))
		}
	}
	slices.SortFunc(p.jobs, func(a, b found) int { return cmp.Compare(a.live.Seq, b.live.Seq) })
	return p
}

// finishedByKey finds the complete jobs of a key below an end number, newest first.
func (n *Namespace) finishedByKey(ctx context.Context, p *past, before uint64) ([]found, error) {
	var digests []job.Digest
	var lately []uint64
	_, err := call(ctx, n, normal, func(w *writer) (struct{}, error) {
		for _, name := range w.queueNames(p.Filter) {
			digest := job.DigestOf(name, p.Key)
			end, known := w.state.FinishedLately(digest)
			switch {
			case known && end != 0:
				lately = append(lately, end)
			case !known:
				digests = append(digests, digest)
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return nil, err
	}
	early := make([]uint64, len(digests))
	if err := n.store.FindMany(digests, early); err != nil {
		return nil, err
	}
	ends := slices.DeleteFunc(slices.Concat(early, lately), func(end uint64) bool { return end == 0 || before != 0 && end >= before })
	records, err := n.store.FinishedMany(ends)
	if err != nil {
		return nil, err
	}
	var list []found
	for i := range records {
		if records[i].End != 0 && p.matches(&records[i]) {
			list = append(list, foundFinished(&records[i]))
		}
	}
	slices.SortFunc(list, func(a, b found) int { return cmp.Compare(b.end, a.end) })
	return list, nil
}
