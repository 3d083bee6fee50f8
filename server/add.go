package server

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// maxBatch bounds the jobs of one batch.
const maxBatch = 100_000

// addAhead is how many batches of a stream are decoded ahead of the one that is
// being added.
const addAhead = 2

// AddJobs adds batches as they come, one after the other: their order is that
// of the jobs. While the engine is busy it reads no more.
func (s *jobsService) AddJobs(stream grpc.BidiStreamingServer[v1.AddJobsRequest, v1.AddJobsResponse]) error {
	ctx := stream.Context()
	in := receive(ctx, stream.Recv, addAhead)
	namespace := ""
	for {
		select {
		case m, ok := <-in.messages:
			if !ok {
				return in.err
			}
			if m.Namespace == "" {
				m.Namespace = namespace
			}
			namespace = m.Namespace
			answer, err := s.add(ctx, m, true)
			if err != nil {
				return err
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// AddBatch adds one batch.
func (s *jobsService) AddBatch(ctx context.Context, m *v1.AddJobsRequest) (*v1.AddJobsResponse, error) {
	return s.add(ctx, m, false)
}

// add adds a batch; with wait it waits for a busy engine.
func (s *jobsService) add(ctx context.Context, m *v1.AddJobsRequest, wait bool) (*v1.AddJobsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	b, err := newBatch(m, callerOf(ctx).Account)
	if err != nil {
		return nil, err
	}
	existing, err := api.ParseExisting(m.Existing)
	if err != nil {
		return nil, err
	}
	r, err := ns.Add(ctx, engine.AddRequest{
		Jobs: b.jobs, Existing: existing, Kick: m.Kick, Partial: m.Partial, Wait: wait,
		Client: callerOf(ctx).ID, RequestID: m.RequestId, Defined: m.Defined,
	})
	if err != nil {
		return nil, b.named(err)
	}
	return b.answer(r), nil
}

// batch is a batch of jobs on its way to the engine: those that could be read,
// with their places.
type batch struct {
	message *v1.AddJobsRequest
	jobs    []*job.Job
	// places of jobs, where some of the message are not among them; nil: all are.
	places  []int
	refused []*v1.AddedItem
}

// newBatch reads the jobs of a message. All are charged to the account, if the
// token has one. A bad job is refused by itself if the message says partial,
// else with the whole.
func newBatch(m *v1.AddJobsRequest, account string) (*batch, error) {
	if len(m.Jobs) > maxBatch {
		return nil, job.Errorf(job.Invalid, "jobs: %d in one batch; at most %d", len(m.Jobs), maxBatch)
	}
	if len(m.Lines) > 0 && len(m.Lines) != len(m.Jobs) {
		return nil, job.Errorf(job.Invalid, "lines: %d for %d jobs; give one for each, or none", len(m.Lines), len(m.Jobs))
	}
	defaults, err := api.ToJob(m.Defaults)
	if err != nil {
		return nil, job.Wrap(err, "read", "defaults")
	}
	b := &batch{message: m, jobs: make([]*job.Job, 0, len(m.Jobs))}
	for i, jm := range m.Jobs {
		j, err := readJob(jm, defaults, account)
		switch {
		case err == nil && b.places != nil:
			b.places = append(b.places, i)
			b.jobs = append(b.jobs, j)
		case err == nil:
			b.jobs = append(b.jobs, j)
		case m.Partial:
			b.refuse(i, err)
		default:
			return nil, b.at(i, err)
		}
	}
	return b, nil
}

func readJob(m *v1.Job, defaults *job.Job, account string) (*job.Job, error) {
	j, err := api.ToJobWith(m, defaults)
	if err != nil || account == "" {
		return j, err
	}
	if j.Account != "" && j.Account != account {
		return nil, job.Errorf(job.Denied, "account %.60q: the token is for account %s", j.Account, account)
	}
	j.Account = account
	return j, nil
}

// refuse leaves a job out; from then on places differ.
func (b *batch) refuse(i int, err error) {
	if b.places == nil {
		b.places = make([]int, i, len(b.message.Jobs))
		for k := range b.places {
			b.places[k] = k
		}
	}
	b.refused = append(b.refused, &v1.AddedItem{
		Item: int32(i + 1), Line: b.line(i), Queue: b.message.Jobs[i].GetQueue(), Key: b.message.Jobs[i].GetKey(),
		Result: "refused", Error: api.FromError(b.at(i, err)),
	})
}

// place is the place in the message of the engine's i-th job, from zero.
func (b *batch) place(i int) int {
	if b.places == nil {
		return i
	}
	return b.places[i]
}

func (b *batch) line(place int) int64 {
	if len(b.message.Lines) == 0 {
		return 0
	}
	return b.message.Lines[place]
}

// at says which job of the message an error is about.
func (b *batch) at(place int, err error) error {
	return &api.ItemError{Item: place + 1, Line: b.line(place), Err: err}
}

// named is the engine's error, saying which job of the message it is about.
func (b *batch) named(err error) error {
	if item, ok := errors.AsType[*engine.ItemError](err); ok {
		return b.at(b.place(item.Index), item.Err)
	}
	return err
}

// answer says what became of the batch: a line for each job, or only for those
// that were refused.
func (b *batch) answer(r *engine.AddResult) *v1.AddJobsResponse {
	a := &v1.AddJobsResponse{
		RequestId: b.message.RequestId,
		Added:     int64(r.Added), Existed: int64(r.Existed), Replaced: int64(r.Replaced),
		Rerun: int64(r.Rerun), Kicked: int64(r.Kicked), Refused: int64(r.Failed + len(b.refused)),
		Items: b.refused,
	}
	if !b.message.Items && r.Failed == 0 {
		return a
	}
	for i := range r.Items {
		if b.message.Items || r.Items[i].Err != nil {
			a.Items = append(a.Items, b.item(b.place(i), b.jobs[i], &r.Items[i]))
		}
	}
	return a
}

func (b *batch) item(place int, j *job.Job, item *engine.AddItem) *v1.AddedItem {
	m := &v1.AddedItem{
		Item: int32(place + 1), Line: b.line(place), Result: addedWords[item.Status],
		Queue: j.Queue, Key: api.KeyText(item.Key), Id: api.ID(job.DigestOf(j.Queue, item.Key)), Seq: uint64(item.Seq),
	}
	if item.Err != nil {
		m.Error = api.FromError(b.at(place, item.Err))
	}
	return m
}

// addedWords are what an add did about a job.
var addedWords = map[queue.AddStatus]string{
	queue.AddRefused: "refused", queue.AddedNew: "added", queue.AddExisted: "existed",
	queue.AddReplaced: "replaced", queue.AddRerun: "rerun", queue.AddKicked: "kicked",
}
