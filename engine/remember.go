package engine

import (
	"context"
	"errors"

	"github.com/muster-queue/muster/job"
)

// Requests that carry an id are answered once; a repeat gets that answer. The
// answer is stored in the batch that holds what was done, so that one without
// the other is impossible.

// Once makes a change safe to repeat: for an hour, a request of the same client
// and id gets the first one's answer. Without an id nothing is remembered. What
// takes several turns of the writer is remembered with the last of them: if it is
// cut off before, its repeat goes on with what is left.
type Once struct{ Client, RequestID string }

// errOtherRequest refuses an id that was used for something else.
var errOtherRequest = job.Errorf(job.Invalid, "request_id: it was used for another command before; give each request an id of its own")

func checkRequestID(client, id string) error {
	if len(client) > job.MaxName || len(id) > job.MaxName {
		return job.Errorf(job.Invalid, "request_id: client and id have at most %d bytes each", job.MaxName)
	}
	return nil
}

// recalled is the answer an earlier request of this id got, or nil.
func recalled[T any](ctx context.Context, n *Namespace, client, id string) (*T, error) {
	if err := checkRequestID(client, id); err != nil {
		return nil, err
	}
	body, err := call(ctx, n, normal, func(w *writer) ([]byte, error) {
		body, _ := w.state.Recall(client, id)
		return body, nil
	})
	if err != nil {
		return nil, err
	}
	if body == nil {
		row, found, err := n.store.Request(client, id)
		if err != nil || !found {
			return nil, err
		}
		body = row.Outcome
	}
	answer := new(T)
	return answer, job.Decode(body, answer)
}

// remembered is the answer of a request of one turn.
type remembered[T any] struct {
	Verb   string `cbor:"20,keyasint"`
	Answer T      `cbor:"21,keyasint"`
}

func (r *remembered[T]) of(verb string) (T, error) {
	if r.Verb != verb {
		return r.Answer, errOtherRequest
	}
	return r.Answer, nil
}

// doOnce does in one turn what a request asks for, and remembers the answer; or
// gives the answer that an earlier request of its id got. What failed is done again.
func doOnce[T any](ctx context.Context, n *Namespace, verb string, o Once, do func(*writer) (T, error)) (T, error) {
	for {
		loads := n.loads.Load()
		if answer, known, err := earlier[T](ctx, n, verb, o); known || err != nil {
			return answer, err
		}
		answer, err := call(ctx, n, normal, func(w *writer) (answer T, err error) {
			if o.RequestID != "" && n.loads.Load() != loads {
				return answer, errLoadedSince
			}
			return onceInTurn(w, verb, o, func() (T, bool, error) {
				answer, err := do(w)
				return answer, true, err
			})
		})
		if !errors.Is(err, errLoadedSince) {
			return answer, err
		}
	}
}

// errLoadedSince: what was looked up before the namespace was loaded is out of
// date, since the writer forgot whom it answered meanwhile.
var errLoadedSince = job.Errorf(job.Unavailable, "the namespace was loaded again meanwhile; try again")

// earlier is the answer that an earlier request of this id got, if one is stored;
// onceInTurn finds those that are on their way. Few requests are repeats, so that
// the writer is only asked about one that is known to be: its answer has to be
// durable.
func earlier[T any](ctx context.Context, n *Namespace, verb string, o Once) (answer T, known bool, err error) {
	if o.RequestID == "" {
		return answer, false, nil
	}
	if err := checkRequestID(o.Client, o.RequestID); err != nil {
		return answer, false, err
	}
	if _, found, err := n.store.Request(o.Client, o.RequestID); err != nil || !found {
		return answer, false, err
	}
	r, err := recalled[remembered[T]](ctx, n, o.Client, o.RequestID)
	if err != nil || r == nil {
		return answer, false, err
	}
	answer, err = r.of(verb)
	return answer, true, err
}

// onceInTurn is what a turn does of a request, unless another one of its id came
// before since that was looked up. With its last turn the answer is remembered.
func onceInTurn[T any](w *writer, verb string, o Once, do func() (answer T, last bool, err error)) (T, error) {
	if body, known := w.state.Recall(o.Client, o.RequestID); known && o.RequestID != "" {
		var r remembered[T]
		if err := job.Decode(body, &r); err != nil {
			return r.Answer, err
		}
		return r.of(verb)
	}
	answer, last, err := do()
	if err == nil && last && o.RequestID != "" {
		err = w.remember(o.Client, o.RequestID, &remembered[T]{verb, answer})
	}
	return answer, err
}

// remember stores the answer of a request with this turn.
func (w *writer) remember(client, id string, answer any) error {
	body, err := job.Encode(nil, answer)
	if err != nil {
		return err
	}
	w.state.Remember(client, id, body)
	return nil
}
