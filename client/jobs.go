package client

import (
	"context"
	"iter"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/internal/seqset"
	"github.com/muster-queue/muster/job"
)

// Detail says what a job is shown with beyond the usual.
type Detail struct {
	// Output is what is kept of the last attempt's; Environment the captured one.
	Output, Environment bool
	// Brief leaves descriptions out, in listings.
	Brief bool
}

// Get gets one job; NotFound (job.ErrNoJob) if it does not exist.
func (n *Namespace) Get(ctx context.Context, ref Ref, d Detail) (*Info, error) {
	m, err := call(ctx, n.c, n.c.jobs.GetJob, &musterv1.GetJobRequest{
		Namespace: n.name, Job: ref.message(), Output: d.Output, Environment: d.Environment,
	})
	if err != nil {
		return nil, err
	}
	return toInfo(m)
}

// pageSize is how many jobs a listing asks for at a time.
const pageSize = 500

// List lists the jobs a filter selects: live ones in the order of adding, then
// complete ones from the newest, each once. It reads pages as they are needed, so that
// any number of jobs takes the memory of one page; it ends after an error.
func (n *Namespace) List(ctx context.Context, f Filter, d Detail) iter.Seq2[*Info, error] {
	return func(yield func(*Info, error) bool) {
		var live seqset.Set // what completes meanwhile comes again, as complete
		for i, err := range pages(func(token string) ([]*Info, string, error) { return n.Page(ctx, f, d, pageSize, token) }) {
			if err == nil && i.State != job.Complete {
				live.Add(uint64(i.Seq))
			} else if err == nil && live.Has(uint64(i.Seq)) {
				continue
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// Ordered are the jobs of a filter that come first in an order: added, started, ended,
// wall, cpu, memory, disk, priority or attempts, with "-" before it for the largest; at
// most 1000 (zero: 100). Partial says that there were too many to look at them all.
func (n *Namespace) Ordered(ctx context.Context, f Filter, d Detail, order string, size int) (list []*Info, partial bool, err error) {
	m, err := call(ctx, n.c, n.c.jobs.ListJobs, &musterv1.ListJobsRequest{
		Namespace: n.name, Filter: f.message(), PageSize: int32(size), OrderBy: order,
		Output: d.Output, Environment: d.Environment, Brief: d.Brief,
	})
	if err != nil {
		return nil, false, err
	}
	list, err = convert(m.Jobs, toInfo)
	return list, m.Partial, err
}

// Page is one page of List, after the page that gave the token, and the token of
// the next one, empty at the end. The size is at most 1000; zero is the server's.
func (n *Namespace) Page(ctx context.Context, f Filter, d Detail, size int, token string) ([]*Info, string, error) {
	return n.page(ctx, &musterv1.ListJobsRequest{
		Namespace: n.name, Filter: f.message(), PageSize: int32(size), PageToken: token,
		Output: d.Output, Environment: d.Environment, Brief: d.Brief,
	})
}

// Lookup gets the jobs that exist of those named, at most 1000.
func (n *Namespace) Lookup(ctx context.Context, jobs []Ref, d Detail) ([]*Info, error) {
	list, _, err := n.page(ctx, &musterv1.ListJobsRequest{
		Namespace: n.name, Jobs: refs(jobs), PageSize: 1000, Output: d.Output, Environment: d.Environment, Brief: d.Brief,
	})
	return list, err
}

func (n *Namespace) page(ctx context.Context, q *musterv1.ListJobsRequest) ([]*Info, string, error) {
	m, err := call(ctx, n.c, n.c.jobs.ListJobs, q)
	if err != nil {
		return nil, "", err
	}
	list, err := convert(m.Jobs, toInfo)
	return list, m.NextPageToken, err
}

// pages is the sequence of the items of all pages.
func pages[T any](page func(token string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for token := ""; ; {
			items, next, err := page(token)
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			if token = next; token == "" {
				return
			}
		}
	}
}

func convert[M, T any](list []M, one func(M) (T, error)) ([]T, error) {
	out := make([]T, 0, len(list))
	for _, m := range list {
		v, err := one(m)
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

func each[A, B any](list []A, one func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = one(a)
	}
	return out
}

// Outcome are the jobs of one state, reason and exit code.
type Outcome struct {
	State  job.State
	Reason job.Reason
	Exit   int
	// Count is how many there are, Similar how many more than those in Jobs.
	Count, Similar int64
	Jobs           []*Info
}

// Outcomes groups the jobs a filter selects by how they stand and why, most
// frequent first, with at most limit jobs of each (zero: one). When there are
// too many to look at all, partial is true and the counts are lower bounds.
func (n *Namespace) Outcomes(ctx context.Context, f Filter, limit int, d Detail) (list []Outcome, partial bool, err error) {
	m, err := call(ctx, n.c, n.c.jobs.ListOutcomes, &musterv1.ListOutcomesRequest{
		Namespace: n.name, Filter: f.message(), Limit: int32(limit),
		Output: d.Output, Environment: d.Environment,
	})
	if err != nil {
		return nil, false, err
	}
	list, err = convert(m.Outcomes, toOutcome)
	return list, m.Partial, err
}

func toOutcome(m *musterv1.OutcomeGroup) (Outcome, error) {
	var f firstError
	o := Outcome{
		State: take(&f, parseState, m.State), Reason: take(&f, job.ParseReason, m.Reason), Exit: int(m.ExitCode),
		Count: m.Count, Similar: m.Similar,
	}
	if f.err != nil {
		return o, answered(f.err)
	}
	var err error
	o.Jobs, err = convert(m.Jobs, toInfo)
	return o, err
}

// Counts counts the jobs of a queue, of a group, of a group in a queue, or with
// neither of the namespace. Any number of jobs costs the same.
func (n *Namespace) Counts(ctx context.Context, queue, group string) (job.Counts, error) {
	m, err := call(ctx, n.c, n.c.jobs.CountJobs, &musterv1.CountJobsRequest{Namespace: n.name, Queue: queue, Group: group})
	return api.ToCounts(m.GetTotal()), err
}

// NamedCounts are the counts of one queue or group.
type NamedCounts struct {
	Name   string
	Counts job.Counts
}

// CountsByGroup lists the counts of each group, in order of names.
func (n *Namespace) CountsByGroup(ctx context.Context) iter.Seq2[NamedCounts, error] {
	return n.countsBy(ctx, "group")
}

// CountsByQueue lists the counts of each queue, in order of names.
func (n *Namespace) CountsByQueue(ctx context.Context) iter.Seq2[NamedCounts, error] {
	return n.countsBy(ctx, "queue")
}

func (n *Namespace) countsBy(ctx context.Context, by string) iter.Seq2[NamedCounts, error] {
	return pages(func(token string) ([]NamedCounts, string, error) {
		m, err := call(ctx, n.c, n.c.jobs.CountJobs, &musterv1.CountJobsRequest{
			Namespace: n.name, By: by, PageSize: 1000, PageToken: token,
		})
		if err != nil {
			return nil, "", err
		}
		list := make([]NamedCounts, len(m.Items))
		for i, item := range m.Items {
			list[i] = NamedCounts{Name: item.Name, Counts: api.ToCounts(item.Counts)}
		}
		return list, m.NextPageToken, nil
	})
}

// Attempts is the history of a job, oldest first; with output, what is kept of it.
func (n *Namespace) Attempts(ctx context.Context, ref Ref, output bool) ([]*job.Attempt, error) {
	m, err := call(ctx, n.c, n.c.jobs.ListAttempts, &musterv1.ListAttemptsRequest{Namespace: n.name, Job: ref.message(), Output: output})
	if err != nil {
		return nil, err
	}
	list, err := convert(m.Attempts, api.ToAttempt)
	return list, answered(err)
}

// Explanation is why a job is not running.
type Explanation struct {
	State job.State
	// Summary is one sentence; Obstacles are all there are, the hardest first.
	Summary   string
	Obstacles []Obstacle
	// Ahead is how many jobs are served before it.
	Ahead int64
}

// Obstacle is one thing that keeps a job from running: a word for programs, a
// text for people, and until when, if that is known.
type Obstacle struct {
	Word, Text string
	Until      time.Time
}

// Explain tells why a job is not running.
func (n *Namespace) Explain(ctx context.Context, ref Ref) (*Explanation, error) {
	m, err := call(ctx, n.c, n.c.jobs.ExplainJob, &musterv1.ExplainJobRequest{Namespace: n.name, Job: ref.message()})
	if err != nil {
		return nil, err
	}
	state, err := parseState(m.State)
	e := &Explanation{State: state, Summary: m.Summary, Ahead: m.Ahead}
	for _, o := range m.Obstacles {
		e.Obstacles = append(e.Obstacles, Obstacle{Word: o.Word, Text: o.Text, Until: stamp(o.Until)})
	}
	return e, answered(err)
}
