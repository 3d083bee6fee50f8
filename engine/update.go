package engine

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Target is the state that an Update asks for.
type Target uint8

// The targets of an Update.
const (
	// TargetNone: no other state; data or lease change.
	TargetNone Target = iota
	// TargetReady: available to anybody; an attempt that holds the job ends as if
	// its lease had, a complete or buried job is reopened.
	TargetReady
	// TargetRetry is TargetReady, but an attempt that holds the job gives it back
	// of its own accord, and the job waits for Delay.
	TargetRetry
	// TargetHeld: held; an attempt is made where there is none.
	TargetHeld
	// TargetComplete and TargetFailed: ended; an attempt is made where there is
	// none.
	TargetComplete
	TargetFailed
	numTargets
)

// UpdateRequest changes one job that carries data, as programs do that name no
// attempt: the one that holds it is meant, whoever has it, else the job itself.
type UpdateRequest struct {
	Queue string
	Key   job.Key
	// Attempt, if not zero, is the one that is meant: nothing is changed unless it
	// is still the job's newest.
	Attempt job.AttemptID
	To      Target
	// Lease is the lease's new length, from now; nil leaves it alone, zero means as
	// long as before, and a negative one ends it now.
	Lease *time.Duration
	// Data takes the place of the attempt's data, or, where no attempt is or was
	// meant, of the job's; nil keeps it. A document of its own is a map in CBOR.
	Data []byte
	// Delay, with TargetRetry, is how long the job may not be started.
	Delay time.Duration
	// Worker is whose an attempt is that has to be made; empty: nobody's.
	Worker string
	// Defined makes job.ErrNoQueue of a queue that has no definition.
	Defined bool
	Once    Once
}

// UpdateResult is the answer to an UpdateRequest.
type UpdateResult struct {
	// Changed is false when there was nothing to do.
	Changed bool
	// State is the job's state after it, Attempt its newest attempt.
	State   job.State
	Attempt job.AttemptID
}

// Update changes a job of a queue in the way that Coordinate's clients do, in one
// commit. What is possible depends on the job's state:
//
//	            none             ready, retry  held      complete     failed
//	available   job's data       job's data    attempt   attempt, end attempt, end
//	held        lease, data      ends          as none   end          end
//	complete    -                reopened      Conflict  -            -
//	buried      -                reopened      Conflict  end          -
//
// (-: nothing to do). With an attempt given, one whose lease has ended may renew it
// (rescue) or end as long as no other attempt was made.
//
// Errors: job.ErrNoQueue; job.ErrNoJob; job.ErrLostLease when the attempt given is
// not the newest; Conflict for what the table forbids and when the attempt given
// has ended otherwise ("not pending"); Invalid.
func (n *Namespace) Update(ctx context.Context, r UpdateRequest) (UpdateResult, error) {
	for {
		asked := n.loads.Load()
		if answer, known, err := earlier[UpdateResult](ctx, n, updateVerb, r.Once); known || err != nil {
			return answer, err
		}
		u, err := newUpdating(n, &r)
		if err != nil {
			return UpdateResult{}, err
		}
		u.asked = asked
		result, err := u.run(ctx)
		if !errors.Is(err, errLoadedSince) {
			return result, job.Wrap(err, "update job", JobID{Queue: r.Queue, Key: r.Key}.String())
		}
	}
}

// updating is an update under way. Its turn on the writer either does it, or says
// what must be read before, off the writer.
type updating struct {
	*UpdateRequest
	ns      *Namespace
	digest  job.Digest
	history lookup
	// own is Data as an attempt's payload.
	own []byte
	// asked is the load of the namespace when an earlier answer was looked for.
	asked uint64
	completion
	// force makes an attempt whatever the job's state; it is made then.
	force bool
	made  queue.Grant
	// missing is what must be read before the next turn; it reports whether result
	// is the answer already.
	missing func() (done bool, err error)
	result  UpdateResult

	// What was read: the job as it was then, and its new description, or the data
	// of the attempt that buried it.
	seen      job.Live
	described *queue.Prepared
	buried    []byte
	loads     uint64
	amended   uint64 // queue.State.Amended before history was read
}

func newUpdating(n *Namespace, r *UpdateRequest) (*updating, error) {
	r.Queue = cmp.Or(r.Queue, job.DefaultQueue)
	u := &updating{UpdateRequest: r, ns: n, completion: completion{given: r.Data}}
	u.digest = job.DigestOf(r.Queue, r.Key)
	u.history.digest = u.digest
	switch {
	case r.To >= numTargets:
		return nil, job.Errorf(job.Invalid, "update: target %d is unknown", r.To)
	case len(r.Data) > job.MaxData:
		return nil, job.Errorf(job.Invalid, "update: data of %d bytes; at most %d", len(r.Data), job.MaxData)
	case r.Lease != nil && *r.Lease > job.MaxLease:
		return nil, job.Errorf(job.Invalid, "update: a lease of %v; at most %v", *r.Lease, job.MaxLease)
	case r.Delay < 0 || r.Delay > job.MaxTime:
		return nil, job.Errorf(job.Invalid, "update: a delay of %v; it must be positive and at most ten years", r.Delay)
	case r.Worker != "":
		if err := job.CheckName("worker", r.Worker); err != nil {
			return nil, err
		}
	}
	if r.Data == nil {
		return u, nil
	}
	var err error
	u.own, err = ownData(r.Data)
	return u, err
}

// ownData is an attempt's data as it is stored.
func ownData(data []byte) ([]byte, error) { return job.Encode(nil, &job.Job{Data: data}) }

func (u *updating) run(ctx context.Context) (UpdateResult, error) {
	if err := u.expect(); err != nil {
		return UpdateResult{}, err
	}
	for range maxAddRounds {
		u.missing = nil
		result, err := callSized(ctx, u.ns, urgent, int64(len(u.own)+len(u.Data)), true, u.remembering)
		if err != nil || u.missing == nil {
			return result, err
		}
		if done, err := u.missing(); err != nil || done {
			return u.result, err
		}
	}
	return UpdateResult{}, job.Errorf(job.Unavailable, "it keeps being changed by others meanwhile; try again")
}

// expect makes ready what a completion is likely to feed, so that one turn is
// enough.
func (u *updating) expect() error {
	then, ok := u.ns.follows.Load(u.Queue)
	if u.To != TargetComplete || u.Data == nil || !ok {
		return nil
	}
	u.target, u.source = then.(string), source{given: true}
	return u.prepare(u.ns)
}

// remembering is the update's turn on the writer, whose answer is stored with what
// it did if the request has an id.
func (u *updating) remembering(w *writer) (UpdateResult, error) {
	if u.Once.RequestID != "" && u.ns.loads.Load() != u.asked {
		return UpdateResult{}, errLoadedSince
	}
	return onceInTurn(w, updateVerb, u.Once, func() (UpdateResult, bool, error) {
		result, err := u.turn(w)
		return result, u.missing == nil, err
	})
}

const updateVerb = "update"

// turn does the update, or says what must be read before.
func (u *updating) turn(w *writer) (UpdateResult, error) {
	q, ok := w.state.QueueNamed(u.Queue)
	if def, _ := w.state.Queue(job.QueueID(q.ID)); !ok || u.Defined && !def.Defined() {
		return UpdateResult{}, job.ErrNoQueue
	}
	if err := w.state.Pulls(u.Worker); err != nil {
		return UpdateResult{}, err
	}
	l, live := w.state.Lookup(u.digest)
	if !live {
		return u.inHistory(w)
	}
	if l.Flags&job.FlagCommand != 0 {
		return UpdateResult{}, errCommand
	}
	if w.state.Settle(l.Seq); l.State.Held() {
		l, _ = w.state.BySeq(l.Seq)
	}
	if !u.Attempt.IsZero() && l.Attempt != u.Attempt {
		return UpdateResult{}, job.ErrLostLease
	}
	changed, err := u.live(w, &l)
	w.feed()
	if err != nil || u.missing != nil {
		return UpdateResult{}, err
	}
	return w.updated(&l, changed), nil
}

var errCommand = job.Errorf(job.Conflict, "it is a command, which only its agent reports on; cancel or kick it")

// updated is the answer about a job that was live.
func (w *writer) updated(l *job.Live, changed bool) UpdateResult {
	if now, ok := w.state.BySeq(l.Seq); ok {
		return UpdateResult{Changed: changed, State: now.State, Attempt: now.Attempt}
	}
	r := UpdateResult{Changed: changed, State: job.Complete, Attempt: l.Attempt}
	for _, e := range w.state.Events() {
		if e.Seq == l.Seq {
			r.Attempt = e.Attempt
		}
	}
	return r
}
