package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Attempt is one try of one job, in the hands of a function. Its methods may be
// called from any goroutine until the function returns.
type Attempt struct {
	w     *Worker
	grant *client.Grant
	queue *job.Queue
	job   *job.Job
	task  string
	lease time.Duration // length

	ctx     context.Context // of this attempt alone
	cancel  context.CancelCauseFunc
	left    *countdown
	unwatch func() bool // ends the counting of ctx; false when that was counted

	told chan struct{} // closed when the end is on its way

	mu       sync.Mutex
	data     []byte
	unsaved  bool // data has changed since the server was told
	outputs  []*job.Job
	began    time.Time
	renewed  time.Time // when the lease was last begun
	renewing bool      // the server has been asked and has not answered
	ended    bool
}

// ID is the attempt's: the token that its results are accepted by.
func (a *Attempt) ID() job.AttemptID { return a.grant.Attempt }

// Number is 1 for the first attempt at the job.
func (a *Attempt) Number() int { return int(a.grant.Number) }

// Task is the name under which the function is registered.
func (a *Attempt) Task() string { return a.task }

// Queue is the job's queue, Key its key there. Nobody may write into them.
func (a *Attempt) Queue() *job.Queue { return a.queue }

// Key identifies the job in its queue.
func (a *Attempt) Key() job.Key { return a.job.Key }

// Job is the description that was granted. Nobody may write into it.
func (a *Attempt) Job() *job.Job { return a.job }

// Context ends when this attempt must; in a batch before that of the function.
func (a *Attempt) Context() context.Context { return a.ctx }

// Deadline is when the lease ends unless it is renewed, by this machine's clock.
func (a *Attempt) Deadline() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.renewed.Add(a.lease)
}

// Bytes is the data as it stands: the job's, or what was put in its place.
func (a *Attempt) Bytes() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.data
}

// SetBytes puts data in place of what is there. The server is told with the next
// renewal, or the end.
func (a *Attempt) SetBytes(data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.data, a.unsaved = slices.Clone(data), true
}

// Decode reads the data into v, as package cbor does, with these allowances for
// what other languages write: names of fields may be byte strings, and tags are
// passed over where v has no use for them.
func (a *Attempt) Decode(v any) error {
	return job.Wrap(decode(a.Bytes(), v), "read", "the data of "+a.String())
}

// Encode puts v in place of the data, as SetBytes does.
func (a *Attempt) Encode(v any) error {
	data, err := encode(v)
	if err != nil {
		return job.Wrap(err, "write", "the data of "+a.String())
	}
	a.SetBytes(data)
	return nil
}

// Definition reads the definition of the job's queue into v.
func (a *Attempt) Definition(v any) error {
	return job.Wrap(decode(a.queue.Definition, v), "read", "the definition of queue "+a.queue.Name)
}

// Emit adds jobs to the queue that the job's queue feeds (its "then"), in the same
// instant in which this job completes, and only if it does; a queue that feeds none
// drops them. What a work unit's data has under "output" is added by the server.
func (a *Attempt) Emit(jobs ...*job.Job) {
	if a.queue.Then == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, j := range jobs {
		output := *j
		output.Queue = a.queue.Then
		a.outputs = append(a.outputs, &output)
	}
}

// Update stores the data as it stands, and lets the lease begin anew. The error is
// job.ErrLostLease when the attempt is over, ErrCancelled when it shall end.
func (a *Attempt) Update(ctx context.Context) error {
	answer := make(chan error, 1)
	if err := a.ask(func(err error) { answer <- err }); err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *Attempt) ask(answered func(error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return job.Errorf(job.Conflict, "%s: its attempt has ended", a)
	}
	if err := a.fits(); err != nil {
		return err
	}
	a.renew(answered)
	return nil
}

// fits tells whether the data is small enough to be stored; mu is held.
func (a *Attempt) fits() error {
	if len(a.data) > job.MaxData {
		return job.Errorf(job.Invalid, "%s: data of %d bytes; at most %d", a, len(a.data), job.MaxData)
	}
	return nil
}

// End reports the end of the attempt before the function returns: it is complete
// if err is nil, and has failed otherwise. Only the first end counts.
func (a *Attempt) End(err error) { a.end(err) }

// String is the attempt's job, for messages.
func (a *Attempt) String() string { return fmt.Sprintf("%s/%.200q", a.queue.Name, string(a.job.Key)) }
