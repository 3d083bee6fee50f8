package engine

import (
	"context"
	"errors"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Add adds jobs as one unit: when it returns without an error, they are durable.
// Checking, encoding and looking up finished keys happen here, in the caller's
// goroutine, so that the writer only moves small records.
func (n *Namespace) Add(ctx context.Context, r AddRequest) (*AddResult, error) {
	if err := n.engine.Health(); err != nil {
		return nil, err
	}
	if r.RequestID != "" {
		if answer, err := recalled[addAnswer](ctx, n, r.Client, r.RequestID); answer != nil || err != nil {
			return answer.result(&r), err
		}
	}
	p := &adding{ns: n, request: r, result: &AddResult{Items: make([]AddItem, len(r.Jobs))}}
	if err := p.check(); err != nil {
		return nil, err
	}
	for round := 0; len(p.todo) > 0; round++ {
		if round == maxAddRounds {
			return nil, job.Errorf(job.Unavailable, "these jobs keep being changed by others meanwhile; try again")
		}
		if err := p.lookUp(); err != nil {
			return nil, err
		}
		if err := p.submit(ctx); err != nil {
			return nil, p.tell(ctx, err)
		}
	}
	for i := range p.result.Items {
		if item := &p.result.Items[i]; item.Err != nil {
			item.Err = n.tell(ctx, item.Err, p.id(i))
		}
	}
	return p.result, nil
}

// maxAddRounds bounds how often items are looked up again because history moved
// on between their look-up and their turn; once is rare.
const maxAddRounds = 10

// adding is an add under way.
type adding struct {
	ns      *Namespace
	request AddRequest
	result  *AddResult
	bytes   int64

	// todo are the items not settled yet; index is their place in the request.
	todo  []queue.Prepared
	index []int
	// loads is which load of the namespace the look-ups are good for.
	loads uint64
}

// check normalises, validates and encodes every job. Without Partial the first
// bad one is the error, and nothing is added.
func (p *adding) check() error {
	p.todo = make([]queue.Prepared, 0, len(p.request.Jobs))
	p.index = make([]int, 0, len(p.request.Jobs))
	for i, j := range p.request.Jobs {
		prepared, err := prepare(j)
		if err != nil && !p.request.Partial {
			return &ItemError{Index: i, Err: err}
		}
		if err != nil {
			p.result.Items[i] = AddItem{Key: j.Key, Err: err}
			p.result.Failed++
			continue
		}
		p.bytes += int64(len(prepared.Body))
		p.todo = append(p.todo, prepared)
		p.index = append(p.index, i)
	}
	return nil
}

// ItemError says which job of a request is bad; Index counts from zero.
type ItemError struct {
	Index int
	Err   error
}

func (e *ItemError) Error() string { return e.Err.Error() }
func (e *ItemError) Unwrap() error { return e.Err }

// tell puts names into an error about one of the jobs.
func (p *adding) tell(ctx context.Context, err error) error {
	if item := new(ItemError); errors.As(err, &item) {
		return &ItemError{Index: item.Index, Err: p.ns.tell(ctx, item.Err, p.id(item.Index))}
	}
	return err
}

func (p *adding) id(i int) JobID {
	return JobID{Queue: p.request.Jobs[i].Queue, Key: p.request.Jobs[i].Key}
}

// prepare makes a job ready for the writer.
func prepare(j *job.Job) (queue.Prepared, error) {
	j.Normalise()
	if err := j.Validate(); err != nil {
		return queue.Prepared{}, err
	}
	if err := unsupported(j); err != nil {
		return queue.Prepared{}, err
	}
	body, err := job.Encode(make([]byte, 0, 192), j)
	if err != nil {
		return queue.Prepared{}, err
	}
	if limit := maxBody(j); len(body) > limit {
		return queue.Prepared{}, job.Errorf(job.Invalid, "the job is described in %d bytes; at most %d", len(body), limit)
	}
	return queue.Prepared{Job: j, Digest: job.DigestOf(j.Queue, j.Key), Body: body, On: digestsOn(j)}, nil
}

func maxBody(j *job.Job) int {
	if j.Command == nil {
		return job.MaxData + job.MaxKey + 4096
	}
	return job.MaxJob
}

// unsupported refuses what the vocabulary has a place for but this release
// cannot honour: running such a job as if it were not asked for would be wrong.
func unsupported(j *job.Job) error {
	var what string
	switch c := j.Command; {
	case c != nil && len(c.Mounts) > 0:
		what = "mounts"
	case c != nil && len(c.Inputs)+len(c.Outputs) > 0:
		what = "staged inputs and outputs"
	default:
		return nil
	}
	return job.Errorf(job.Unimplemented, "this release does not do %s yet", what)
}

// lookUp asks history about the keys of what is to do.
func (p *adding) lookUp() error {
	p.loads = p.ns.loads.Load()
	ends, err := p.ns.lookUp(len(p.todo), func(i int) *queue.Prepared { return &p.todo[i] })
	if err != nil {
		return err
	}
	for i := range p.todo {
		t := &p.todo[i]
		if ends[i] != 0 { // else keep what the writer said it needs
			t.Found, t.End = true, max(t.End, ends[i])
		}
		if err := p.readFinished(t); err != nil {
			return err
		}
	}
	return nil
}

// readFinished reads the history record that replacing or running again needs.
func (p *adding) readFinished(t *queue.Prepared) error {
	t.Finished = nil
	if !t.Found || p.request.Existing == job.ExistingKeep {
		return nil
	}
	f, err := p.ns.store.Finished(t.End)
	if job.IsKind(err, job.NotFound) {
		t.Found, t.End = false, 0
		return nil
	}
	if err == nil {
		t.Finished = &f
	}
	return err
}

// submit has the writer add what is to do, and keeps what must be done again.
func (p *adding) submit(ctx context.Context) error {
	opts := queue.AddOptions{Existing: p.request.Existing, Kick: p.request.Kick, Whole: !p.request.Partial}
	_, err := callSized(ctx, p.ns, normal, p.bytes, p.request.Wait, func(w *writer) (struct{}, error) {
		return struct{}{}, p.turn(w, opts)
	})
	return err
}

// turn is the add's turn on the writer.
func (p *adding) turn(w *writer, opts queue.AddOptions) error {
	if p.loads != w.ns.loads.Load() {
		return nil // what was looked up before a load is out of date: once more
	}
	if err := p.checkQueues(w); err != nil {
		return err
	}
	todo, index := p.todo, p.index
	p.todo, p.index = nil, nil
	added := w.state.Add(todo, opts)
	w.feed()
	for i, a := range added {
		if a.Status == queue.AddStale || a.Status == queue.AddNeedFinished {
			todo[i].Found, todo[i].End = a.Status == queue.AddNeedFinished, a.End
			p.todo = append(p.todo, todo[i])
			p.index = append(p.index, index[i])
			continue
		}
		if err := p.settle(todo[i].Job.Key, index[i], &a); err != nil {
			p.nameTaken(err, added[:i], index)
			return err
		}
	}
	for i := range p.result.Items {
		w.refuseTooLarge(&p.result.Items[i])
	}
	if p.request.RequestID != "" && len(p.todo) == 0 {
		return w.remember(p.request.Client, p.request.RequestID, answerOf(p.result))
	}
	return nil
}

// nameTaken puts the names of jobs that were taken back into an error about a job that
// would wait for itself by way of them: nobody else knows their numbers any more.
func (p *adding) nameTaken(err error, added []queue.Added, index []int) {
	cycle := new(queue.Cycle)
	if !errors.As(err, &cycle) {
		return
	}
	places := map[job.Seq]int{}
	for i, a := range added {
		if a.Status == queue.AddedNew {
			places[a.Seq] = index[i]
		}
	}
	for i, step := range cycle.Path {
		if place, ok := places[step.Seq]; ok && step.Group == "" {
			cycle.Path[i].Group = p.id(place).String()
		}
	}
}

// checkQueues finds jobs whose queue has no definition, where that matters.
func (p *adding) checkQueues(w *writer) error {
	checked := ""
	for i := range p.todo {
		name := p.todo[i].Job.Queue
		if !p.request.Defined || name == checked {
			continue
		}
		q, ok := w.state.QueueNamed(name)
		if def, _ := w.state.Queue(job.QueueID(q.ID)); !ok || !def.Defined() {
			return job.Wrap(job.ErrNoQueue, "add jobs to queue", name)
		}
		checked = name
	}
	return nil
}

// settle notes what became of one job. One that is refused, by a bound of the namespace
// or since it would wait for itself, refuses the whole request unless Partial was asked
// for; the state machine then added none of it.
func (p *adding) settle(key job.Key, index int, a *queue.Added) error {
	r := p.result
	switch a.Status {
	case queue.AddRefused:
		if !p.request.Partial {
			return &ItemError{Index: index, Err: a.Err}
		}
		r.Failed++
	case queue.AddedNew:
		r.Added++
	case queue.AddExisted:
		r.Existed++
	case queue.AddReplaced:
		r.Replaced++
	case queue.AddRerun:
		r.Rerun++
	case queue.AddKicked:
		r.Kicked++
	}
	r.Items[index] = AddItem{Status: a.Status, Seq: a.Seq, Key: key, State: a.State, Err: a.Err}
	return nil
}

// addAnswer is what is remembered of an add for its repeat. A repeat brings its
// jobs along, so that their keys need not be kept: there may be thousands of
// such answers.
type addAnswer struct {
	Added    int               `cbor:"1,keyasint,omitempty"`
	Existed  int               `cbor:"2,keyasint,omitempty"`
	Replaced int               `cbor:"3,keyasint,omitempty"`
	Rerun    int               `cbor:"4,keyasint,omitempty"`
	Kicked   int               `cbor:"5,keyasint,omitempty"`
	Failed   int               `cbor:"6,keyasint,omitempty"`
	Statuses []byte            `cbor:"7,keyasint,omitempty"` // none: all are new
	Errors   map[int]itemError `cbor:"8,keyasint,omitempty"`
}

type itemError struct {
	Kind job.ErrorKind `cbor:"1,keyasint"`
	Text string        `cbor:"2,keyasint"`
}

func answerOf(r *AddResult) *addAnswer {
	a := &addAnswer{Added: r.Added, Existed: r.Existed, Replaced: r.Replaced, Rerun: r.Rerun, Kicked: r.Kicked, Failed: r.Failed}
	if r.Added == len(r.Items) {
		return a
	}
	a.Statuses = make([]byte, len(r.Items))
	for i, item := range r.Items {
		a.Statuses[i] = byte(item.Status)
		if item.Err != nil {
			if a.Errors == nil {
				a.Errors = map[int]itemError{}
			}
			a.Errors[i] = itemError{job.KindOf(item.Err), item.Err.Error()}
		}
	}
	return a
}

// result is the answer again, to the same request; nil for no answer.
func (a *addAnswer) result(r *AddRequest) *AddResult {
	if a == nil {
		return nil
	}
	again := &AddResult{
		Items: make([]AddItem, len(r.Jobs)),
		Added: a.Added, Existed: a.Existed, Replaced: a.Replaced, Rerun: a.Rerun, Kicked: a.Kicked, Failed: a.Failed,
	}
	for i, j := range r.Jobs {
		j.Normalise()
		item := AddItem{Status: queue.AddedNew, Key: j.Key}
		if i < len(a.Statuses) {
			item.Status = queue.AddStatus(a.Statuses[i])
		}
		if e, bad := a.Errors[i]; bad {
			item.Err = job.Errorf(e.Kind, "%s", e.Text)
		}
		again.Items[i] = item
	}
	return again
}
