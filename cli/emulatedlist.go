package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// findJobs finds the jobs of a query, in order of their numbers, and which of the numbers
// it names there are none of.
func (e *emulation) findJobs(ctx context.Context, l *link, q *emulate.Query) (found []*emulate.Shown, unknown []emulate.ID, err error) {
	if len(q.IDs) > 0 {
		if found, unknown, err = e.byNumber(ctx, l, q.IDs); err != nil {
			return nil, nil, err
		}
		if q.Keep != nil {
			found = slices.DeleteFunc(found, func(s *emulate.Shown) bool { return !q.Keep(s) })
		}
		return found, unknown, nil
	}
	f := client.Filter{Queue: q.Queue, Account: q.Account, States: stateNames(q.States)}
	if !strings.Contains(q.Name, "*") {
		f.Group = q.Name
	}
	for i, err := range l.List(ctx, f, client.Detail{}) {
		if err != nil {
			return nil, nil, err
		}
		if i.State == job.Complete && i.Ended.Before(q.Since) {
			break // those after it ended earlier
		}
		s := shownJob(i)
		if i.Job.IsCommand() && q.Wants(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *emulate.Shown) int { return int(a.Seq) - int(b.Seq) })
	return found, nil, nil
}

func stateNames(states []job.State) []string {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = s.String()
	}
	return names
}

// byNumber finds jobs by their numbers; the number of an array stands for all of its
// elements.
func (e *emulation) byNumber(ctx context.Context, l *link, ids []emulate.ID) (found []*emulate.Shown, unknown []emulate.ID, err error) {
	heads, err := e.lookUp(ctx, l, numbersOf(ids))
	if err != nil {
		return nil, nil, err
	}
	var more []uint64
	for _, id := range ids {
		head := heads[id.Number]
		switch {
		case head == nil:
			unknown = append(unknown, id)
		case id.Index == nil:
			more = append(more, head.Elements()...)
		default:
			if n, ok := head.ElementAt(*id.Index); ok {
				more = append(more, n)
			} else {
				unknown = append(unknown, id)
			}
		}
	}
	slices.Sort(more)
	more = slices.Compact(more)
	missing := slices.DeleteFunc(slices.Clone(more), func(n uint64) bool { return heads[n] != nil })
	rest, err := e.lookUp(ctx, l, missing)
	for _, n := range more {
		if s := heads[n]; s != nil {
			found = append(found, s)
		} else if s := rest[n]; s != nil {
			found = append(found, s)
		}
	}
	return found, unknown, err
}

func numbersOf(ids []emulate.ID) []uint64 {
	numbers := make([]uint64, len(ids))
	for i, id := range ids {
		numbers[i] = id.Number
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// lookUp finds those commands of numbers that exist.
func (e *emulation) lookUp(ctx context.Context, l *link, numbers []uint64) (map[uint64]*emulate.Shown, error) {
	found := map[uint64]*emulate.Shown{}
	for page := range slices.Chunk(numbers, pageOfRefs) {
		refs := make([]client.Ref, len(page))
		for i, n := range page {
			refs[i] = client.Ref{Seq: job.Seq(n)}
		}
		infos, err := l.Lookup(ctx, refs, client.Detail{})
		if err != nil {
			return nil, err
		}
		for _, i := range infos {
			if i.Job.IsCommand() {
				found[uint64(i.Seq)] = shownJob(i)
			}
		}
	}
	return found, nil
}

// shownJob is a job as emulated commands show it.
func shownJob(i *client.Info) *emulate.Shown {
	return &emulate.Shown{
		Seq: i.Seq, Job: i.Job, State: i.State, Stopping: i.Stopping, Reason: i.Reason, Attempt: i.Attempt, Attempts: i.Attempts,
		Account: i.Account, Priority: i.Priority, Added: i.Added, Since: i.Since, Due: i.Due, Ended: i.Ended,
	}
}

// waits makes dependencies of what a submission waits for.
func (e *emulation) waits(ctx context.Context, l *link, s *emulate.Submission) error {
	ids := make([]emulate.ID, 0, len(s.Waits))
	for _, w := range s.Waits {
		if w.Number != 0 {
			ids = append(ids, emulate.ID{Number: w.Number})
		}
	}
	heads, err := e.lookUp(ctx, l, numbersOf(ids))
	if err != nil {
		return err
	}
	for i := range s.Waits {
		w := &s.Waits[i]
		if w.Number == 0 {
			if err := e.waitForName(ctx, l, s, w); err != nil {
				return err
			}
			continue
		}
		head := heads[w.Number]
		if head == nil {
			return job.Errorf(job.NotFound, "%s", s.NoSuchJob(w))
		}
		if w.Each {
			w.Head = head
			continue
		}
		d, ok := head.Dependency(w)
		if !ok {
			return job.Errorf(job.NotFound, "%s", s.NoSuchJob(w))
		}
		s.Job.Dependencies = append(s.Job.Dependencies, d)
	}
	return nil
}

// waitForName waits for all unfinished jobs of a name, as they are now.
func (e *emulation) waitForName(ctx context.Context, l *link, s *emulate.Submission, w *emulate.Wait) error {
	q := &emulate.Query{Name: w.Name, States: []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost, job.Buried, job.Complete}}
	q.Keep = func(j *emulate.Shown) bool { return emulate.Matches(w.Name, j.Name()) }
	found, _, err := e.findJobs(ctx, l, q)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return job.Errorf(job.NotFound, "%s", s.NoSuchJob(w))
	}
	for _, j := range found {
		s.Job.Dependencies = append(s.Job.Dependencies, job.Dependency{Queue: j.Job.QueueName(), Key: j.Job.Key, Condition: w.Condition})
	}
	return nil
}

// corresponding are the dependencies of an element on those of the same index.
func (e *emulation) corresponding(s *emulate.Submission, index int64) []job.Dependency {
	var list []job.Dependency
	for i := range s.Waits {
		w := s.Waits[i]
		if w.Head == nil {
			continue
		}
		w.Index = &index
		if d, ok := w.Head.Dependency(&w); ok {
			list = append(list, d)
		}
	}
	return list
}
