package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Get is one job, live or complete.
func (n *Namespace) Get(ctx context.Context, id JobID, output, env bool) (*Info, error) {
	f, err := n.find(ctx, id)
	if err != nil {
		return nil, err
	}
	page := []found{*f}
	jobs, err := n.describe(page)
	if err == nil {
		err = n.findPayers(ctx, page, jobs)
	}
	if err != nil {
		return nil, err
	}
	if jobs[0] == nil {
		return nil, job.Wrap(job.ErrNoJob, "get job", id.String())
	}
	i, err := n.info(&page[0], jobs[0], output, env)
	if err == nil && i.End == 0 {
		i.Dependencies, err = n.dependencies(ctx, i.Live.Seq, i.Job)
	}
	return i, err
}

// Attempts is the history of a job: the attempts that ended, oldest first.
func (n *Namespace) Attempts(ctx context.Context, id JobID) ([]job.AttemptRow, error) {
	f, err := n.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return n.store.Attempts(f.live.Seq)
}

// info completes what was found with what is kept on disk.
func (n *Namespace) info(f *found, j *job.Job, output, env bool) (*Info, error) {
	i := &Info{Live: f.live, Job: j, Worker: f.worker, Account: f.account, End: f.end, Ended: f.ended.Std(), needs: f.needs, time: f.time}
	i.Live.Mark = f.mark
	var err error
	if i.Last, err = n.lastAttempt(&f.live); err != nil {
		return nil, err
	}
	if i.Last != nil && !output {
		i.Last.Result.Stdout, i.Last.Result.Stderr = job.Output{}, job.Output{}
	}
	if env && j.Command != nil {
		if i.Env, err = n.Environment(j.Command.EnvID); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// Environment is a captured environment by its digest; nil for the empty digest.
func (n *Namespace) Environment(digest string) ([]string, error) {
	if digest == "" {
		return nil, nil
	}
	body, err := n.store.Blob(digest)
	if err != nil {
		return nil, job.Wrap(err, "read environment", digest)
	}
	if len(body) == 0 {
		return []string{}, nil
	}
	return strings.Split(strings.TrimSuffix(string(body), "\x00"), "\x00"), nil
}

// MaxPage is the most jobs of one page.
const MaxPage = 1000

// maxPageBytes ends a page early when its jobs are large.
const maxPageBytes = 4 << 20

// List is a page of jobs: live ones in the order they were added, then complete
// ones from the newest.
func (n *Namespace) List(ctx context.Context, r ListRequest) (*ListResult, error) {
	if r.Page == 0 {
		r.Page = 100
	}
	if r.Page < 0 || r.Page > MaxPage {
		return nil, job.Errorf(job.Invalid, "page size %d; it must be between 1 and %d", r.Page, MaxPage)
	}
	if r.Order != OrderNone {
		return n.ordered(ctx, &r)
	}
	token, err := parseToken(r.Token, &r.Filter)
	if err != nil {
		return nil, err
	}
	l := &listing{ns: n, request: &r, result: &ListResult{}}
	e := &effort{left: searchEffort}
	if token.Live {
		err = n.eachLive(ctx, &r.Filter, token.Seq, true, e, l.visit)
	}
	if err == nil && !l.full && l.err == nil && !e.spent {
		err = n.eachFinished(ctx, &r.Filter, token.End, true, e, l.visit)
	}
	if err := cmp.Or(l.err, err); err != nil {
		return nil, err
	}
	switch {
	case l.full:
		l.result.Next = l.next.String()
	case e.spent:
		e.at.Filter = r.Filter.hash()
		l.result.Next = e.at.String()
	}
	return l.result, nil
}

// listing collects a page.
type listing struct {
	ns      *Namespace
	request *ListRequest
	result  *ListResult
	bytes   int
	next    pageToken
	full    bool
	err     error
}

func (l *listing) visit(f *found, j *job.Job) bool {
	if len(l.result.Jobs) == l.request.Page || l.bytes > maxPageBytes {
		l.full = true
		return false
	}
	i, err := l.ns.info(f, j, l.request.Output, l.request.Env)
	if err != nil {
		l.err = err
		return false
	}
	l.result.Jobs = append(l.result.Jobs, i)
	l.bytes += int(f.live.Size) + infoSize
	l.next = pageToken{Filter: l.request.Filter.hash()}
	if f.end == 0 {
		l.next.Live, l.next.Seq = true, f.live.Seq+1
	} else {
		l.next.End = f.end
	}
	return true
}

// infoSize is what a listed job costs beside its description, roughly.
const infoSize = 300

// maxOutcomeJobs bounds how many jobs grouping by outcome looks at.
const maxOutcomeJobs = 2_000_000

// Outcomes groups jobs by state, reason and exit code, the most frequent first.
// partial says that there were too many to look at them all.
func (n *Namespace) Outcomes(ctx context.Context, r OutcomesRequest) (groups []Outcome, partial bool, err error) {
	o := &outcomes{ns: n, request: &r, limit: max(r.Limit, 1), index: map[outcomeKey]*Outcome{}}
	visit := func(f *found, _ *job.Job) bool { return o.visit(ctx, f) }
	if err := n.eachLive(ctx, &r.Filter, 0, false, nil, visit); err != nil {
		return nil, false, err
	}
	if !o.partial {
		if err := n.eachFinished(ctx, &r.Filter, 0, false, nil, visit); err != nil {
			return nil, false, err
		}
	}
	if o.err != nil {
		return nil, false, o.err
	}
	for _, g := range o.index {
		g.Similar = g.Count - int64(len(g.Jobs))
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.State, b.State),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Exit, b.Exit))
	})
	return groups, o.partial, nil
}

type outcomeKey struct {
	state  job.State
	reason job.Reason
	exit   int32
}

// outcomes collects groups; only the examples shown are read in full.
type outcomes struct {
	ns      *Namespace
	request *OutcomesRequest
	limit   int
	seen    int
	index   map[outcomeKey]*Outcome
	partial bool
	err     error
}

func (o *outcomes) visit(ctx context.Context, f *found) bool {
	if o.seen++; o.seen > maxOutcomeJobs {
		o.partial = true
		return false
	}
	k := outcomeKey{f.live.State, f.live.Reason, f.live.Exit}
	g := o.index[k]
	if g == nil {
		g = &Outcome{State: k.state, Reason: k.reason, Exit: k.exit}
		o.index[k] = g
	}
	g.Count++
	if len(g.Jobs) >= o.limit {
		return true
	}
	page := []found{*f}
	jobs, err := o.ns.describe(page)
	if err == nil {
		err = o.ns.findPayers(ctx, page, jobs)
	}
	if err != nil || jobs[0] == nil {
		o.err = err
		return err == nil
	}
	i, err := o.ns.info(&page[0], jobs[0], o.request.Output, o.request.Env)
	if err != nil {
		o.err = err
		return false
	}
	g.Jobs = append(g.Jobs, i)
	return true
}

// Counts are the counters asked for. They are kept, so that any number of jobs
// costs the same.
func (n *Namespace) Counts(ctx context.Context, r CountsRequest) (*CountsResult, error) {
	return call(ctx, n, normal, func(w *writer) (*CountsResult, error) {
		c := &CountsResult{Total: w.state.Counts()}
		if r.Queue != "" {
			q, _ := w.state.QueueNamed(r.Queue)
			c.Total = q.Counts
		}
		if r.Group != "" {
			g, _ := w.state.GroupNamed(r.Group)
			c.Total = g.Counts
		}
		limit := r.Limit
		if limit <= 0 || limit > MaxPage {
			limit = MaxPage
		}
		switch {
		case r.ByQueue:
			for _, q := range w.state.Queues(r.After, limit) {
				c.Queues = append(c.Queues, NamedCounts{q.Name, q.Counts})
				c.Next = q.Name
			}
		case r.ByGroup:
			for _, g := range w.state.Groups(r.After, limit) {
				c.Groups = append(c.Groups, NamedCounts{g.Name, g.Counts})
				c.Next = g.Name
			}
		}
		if len(c.Queues)+len(c.Groups) < limit {
			c.Next = ""
		}
		return c, nil
	})
}
