package engine

import (
	"context"
	"strconv"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
	"github.com/muster-queue/muster/queue"
)

// Kind is what was learned of a kind; without a name, the settings of all kinds.
// Errors: NotFound.
func (n *Namespace) Kind(ctx context.Context, name string) (queue.KindInfo, error) {
	return call(ctx, n, normal, func(w *writer) (queue.KindInfo, error) {
		i, ok := w.state.Learned(name)
		if !ok {
			return i, queue.ErrNoKind(name)
		}
		return i, nil
	})
}

// Kinds lists kinds by name, after one.
func (n *Namespace) Kinds(ctx context.Context, after string, limit int) ([]queue.KindInfo, error) {
	return call(ctx, n, normal, func(w *writer) ([]queue.KindInfo, error) { return w.state.Kinds(after, limit), nil })
}

// SetKind changes the settings of a kind, which needs to have no jobs yet, or without
// a name those of all kinds: edit gets them as they are. Errors: Invalid, what edit
// says.
func (n *Namespace) SetKind(ctx context.Context, name string, edit func(*learn.Settings) error, once ...Once) error {
	if err := job.CheckKind(name); err != nil {
		return err
	}
	_, err := doOnce(ctx, n, "set kind", one(once), func(w *writer) (struct{}, error) {
		was, _ := w.state.Learned(name)
		own := was.Own
		if err := edit(&own); err != nil {
			return struct{}{}, err
		}
		if err := w.state.SetKind(name, own); err != nil {
			return struct{}{}, err
		}
		if details := job.Differences(was.Own.Texts(), own.Texts()); len(details) > 0 {
			details["kind"] = name
			w.record(job.EventRow{Kind: job.EventKindSet, Who: whoOf(ctx), Details: details})
		}
		return struct{}{}, nil
	})
	return err
}

// ResetKind forgets what was learned of a kind, but not its settings. Errors: NotFound.
func (n *Namespace) ResetKind(ctx context.Context, name string, once ...Once) error {
	_, err := doOnce(ctx, n, "reset kind", one(once), func(w *writer) (struct{}, error) {
		was, _ := w.state.Learned(name)
		if err := w.state.ResetKind(name); err != nil {
			return struct{}{}, err
		}
		w.record(job.EventRow{Kind: job.EventKindReset, Who: whoOf(ctx), Details: map[string]string{
			"kind": name, "runs": strconv.FormatUint(was.Runs, 10),
		}})
		return struct{}{}, nil
	})
	return err
}
