package engine

import (
	"cmp"
	"context"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/summary"
)

// SummariesRequest asks what the jobs of groups are doing and what they used.
type SummariesRequest struct {
	Groups GroupMatch
	// After leaves out this name and smaller ones; Limit is at most MaxPage, which is
	// the default.
	After string
	Limit int
	// Total asks for one summary of all groups that match instead.
	Total bool
	// Failures asks for the buried jobs by reason and exit code, with so many of each by
	// name, at most MaxFailureJobs. All buried jobs are looked at for it.
	Failures int
}

// SummariesResult has the summaries, in the order of names. It may have fewer than asked
// for, or none, when there are more: Next is where to go on, empty at the end.
type SummariesResult struct {
	Groups []GroupSummary
	Next   string
}

// GroupSummary is a group with its jobs by state, and what its complete ones used in the
// attempts that completed them.
type GroupSummary struct {
	// Name is empty in a total.
	Name   string
	Counts job.Counts
	// Memory and Disk are in bytes, CPU and Wall in nanoseconds.
	Memory, Disk, CPU, Wall Measure
	// First is when the first complete job started, Last when the last one ended.
	First, Last time.Time
	// Failures are in the order of their numbers.
	Failures []GroupFailure

	id job.GroupID
}

// Measure is how what was used is spread over jobs; Count is of how many it is known.
// Median and P95 are within summary.Accuracy.
type Measure struct {
	Count                             int64
	Sum, Mean, Deviation, Median, P95 float64
}

func measureOf(s *summary.Spread) Measure {
	return Measure{Count: s.Count, Sum: s.Sum, Mean: s.Mean(), Deviation: s.Deviation(), Median: s.Quantile(0.5), P95: s.Quantile(0.95)}
}

func groupSummary(name string, counts job.Counts, g *summary.Group) GroupSummary {
	return GroupSummary{
		Name: name, Counts: counts, First: g.First.Std(), Last: g.Last.Std(),
		Memory: measureOf(&g.Memory), Disk: measureOf(&g.Disk), CPU: measureOf(&g.CPU), Wall: measureOf(&g.Wall),
	}
}

// Summaries sums up groups. The numbers are those of one moment for each page; they cost
// no look at the jobs, but for a group of which history was deleted. Errors: Invalid.
func (n *Namespace) Summaries(ctx context.Context, r SummariesRequest) (*SummariesResult, error) {
	if r.Limit < 0 || r.Limit > MaxPage {
		return nil, job.Errorf(job.Invalid, "page size %d; it must be between 1 and %d", r.Limit, MaxPage)
	}
	if r.Failures < 0 || r.Failures > MaxFailureJobs {
		return nil, job.Errorf(job.Invalid, "%d jobs of each failure; at most %d", r.Failures, MaxFailureJobs)
	}
	if r.Limit == 0 || r.Total {
		r.Limit = MaxPage
	}
	var total summary.Group
	var counts job.Counts
	for {
		result := &SummariesResult{}
		next, err := n.summarise(ctx, &r, func(g *queue.Named, sum *summary.Group) {
			if !r.Total {
				one := groupSummary(g.Name, g.Counts, sum)
				one.id = job.GroupID(g.ID)
				result.Groups = append(result.Groups, one)
				return
			}
			total.Merge(sum)
			for i := range counts {
				counts[i] += g.Counts[i]
			}
		})
		if err != nil {
			return nil, job.Wrap(err, "sum up groups", "")
		}
		if r.After = next; r.Total && next != "" {
			continue
		}
		if result.Next = next; r.Total {
			result.Groups = []GroupSummary{groupSummary("", counts, &total)}
		}
		return result, job.Wrap(n.fillFailures(ctx, &r, result.Groups), "list the buried jobs of groups", "")
	}
}

// sumsCut is what a turn of the writer tells about groups, with all that it noted before.
type sumsCut struct {
	end    uint64
	total  int64 // complete jobs
	items  []summary.Item
	groups []queue.Named
	next   string
	stale  bool // the sums are of what was before a load
}

// summarise visits a page of groups with their sums.
func (n *Namespace) summarise(ctx context.Context, r *SummariesRequest, visit func(*queue.Named, *summary.Group)) (next string, err error) {
	for round := 1; ; round++ {
		s, err := call(ctx, n, normal, func(w *writer) (*summaries, error) { return w.summing.summaries, nil })
		if err != nil {
			return "", err
		}
		cut, done, err := n.cutOf(ctx, s, r, round == maxAddRounds, visit)
		switch {
		case err != nil || done:
			return cut.next, err
		case round == maxAddRounds:
			return "", job.Errorf(job.Unavailable, "the namespace is being loaded again; try again")
		}
	}
}

// cutOf has the sums as they are at one moment, and visits them. It is not done when
// history was deleted while it was read, unless any will do.
func (n *Namespace) cutOf(ctx context.Context, s *summaries, r *SummariesRequest, any bool, visit func(*queue.Named, *summary.Group)) (cut sumsCut, done bool, err error) {
	select {
	case s.work <- struct{}{}:
		defer func() { <-s.work }()
	case <-ctx.Done():
		return cut, false, context.Cause(ctx)
	}
	cut, err = call(ctx, n, normal, func(w *writer) (sumsCut, error) { return w.cutSums(s, r), nil })
	if err != nil || cut.stale {
		return cut, false, err
	}
	if !s.loaded {
		if err := s.load(ctx, n); err != nil {
			s.giveBack(cut.items)
			return cut, false, err
		}
		n.background.Go(func() { // what took long need not be done again after a restart
			s.work <- struct{}{}
			defer func() { <-s.work }()
			n.foldAndStore(s)
		})
	}
	s.apply(cut.items)
	whole, err := s.mend(ctx, n, &cut)
	if err != nil || !whole && !any {
		return cut, false, err
	}
	for i := range cut.groups {
		sum := &summary.Group{}
		if g := s.groups[job.GroupID(cut.groups[i].ID)]; g != nil {
			sum = g.Group
		}
		visit(&cut.groups[i], sum)
	}
	return cut, true, nil
}

// cutSums is a moment of the state: the counts of groups, and what was noted until then.
func (w *writer) cutSums(s *summaries, r *SummariesRequest) (cut sumsCut) {
	if w.summing.summaries != s {
		return sumsCut{stale: true}
	}
	w.sum()
	cut.end = w.state.Meta().NextEnd
	if !w.summing.on {
		w.summing.on, s.since = true, cut.end
	}
	s.in.Lock()
	s.next = cut.end
	s.in.Unlock()
	cut.items, _ = s.take()
	cut.groups, cut.next = w.groupsMatching(&r.Groups, r.After, r.Limit)
	counts := w.state.Counts()
	cut.total = counts[job.Complete]
	return cut
}

// mend makes those sums anew that are not of as many jobs as the group has.
func (s *summaries) mend(ctx context.Context, n *Namespace, cut *sumsCut) (whole bool, err error) {
	wrong := map[job.GroupID]int64{}
	jobs := int64(0)
	for i := range cut.groups {
		g := &cut.groups[i]
		id, done := job.GroupID(g.ID), g.Counts[job.Complete]
		if sum := s.groups[id]; sum == nil && done > 0 || sum != nil && (sum.Count != done || sum.Stale) {
			wrong[id] = done
			jobs += done
		}
	}
	if len(wrong) == 0 {
		return true, nil
	}
	if jobs*4 > cut.total { // one look at all is cheaper than one at each
		err = s.read(ctx, n, cut.end, 0, wrong)
	} else {
		for id := range wrong {
			if err == nil {
				err = s.read(ctx, n, cut.end, id, wrong)
			}
		}
	}
	if err != nil {
		return false, err
	}
	for id, done := range wrong {
		if g := s.groups[id]; g != nil && g.Count != done || g == nil && done > 0 {
			return false, nil
		}
	}
	return true, nil
}

// read makes sums of history before an end number: of one group, or with zero of all that
// are wrong.
func (s *summaries) read(ctx context.Context, n *Namespace, before uint64, group job.GroupID, wrong map[job.GroupID]int64) error {
	for id := range wrong {
		if group == 0 || id == group {
			delete(s.groups, id)
			s.changed[id] = struct{}{}
		}
	}
	err := n.store.History(before, group, func(f *job.Finished) bool {
		if _, ok := wrong[f.Group]; ok {
			item := summary.ItemOf(f)
			s.group(f.Group).Apply(&item)
		}
		return n.goesOn(ctx, f.End)
	})
	if err == nil && !n.goesOn(ctx, 0) {
		err = cmp.Or(ctx.Err(), job.ErrClosed)
	}
	return job.Wrap(err, "read history", "")
}

// goesOn tells whether to read on; the inbox is looked at now and then.
func (n *Namespace) goesOn(ctx context.Context, end uint64) bool {
	return end%1024 != 0 || ctx.Err() == nil && !n.inbox.isClosed()
}
