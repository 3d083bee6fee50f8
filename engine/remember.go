package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// Requests that carry an id are answered once; a repeat gets that answer. The
// answer is stored in the batch that holds what was done, so that one without
// the other is impossible.

// recalled is the answer an earlier request of this id got, or nil.
func recalled[T any](ctx context.Context, n *Namespace, client, id string) (*T, error) {
	if len(client) > job.MaxName || len(id) > job.MaxName {
		return nil, job.Errorf(job.Invalid, "request_id: client and id have at most %d bytes each", job.MaxName)
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

// remember stores the answer of a request with this turn.
func (w *writer) remember(client, id string, answer any) error {
	body, err := job.Encode(nil, answer)
	if err != nil {
		return err
	}
	w.state.Remember(client, id, body)
	return nil
}
