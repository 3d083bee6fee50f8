package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// maxDocument bounds a document; of one PutDocuments they are as many bytes as a
// request may have.
const maxDocument = job.MaxJob

// PutDocuments stores documents, or deletes those that are Gone, and records
// events of the namespace's log with them: all of it, durably, or nothing. Of
// several for one key the last counts. Errors: Invalid; those of any command.
func (n *Namespace) PutDocuments(ctx context.Context, docs []job.Document, events ...job.EventRow) error {
	if err := checkEvents(events); err != nil {
		return err
	}
	bytes := int64(0)
	for i := range docs {
		if err := checkDocument(&docs[i]); err != nil {
			return err
		}
		bytes += int64(len(docs[i].Body) + len(docs[i].Key))
	}
	_, err := callSized(ctx, n, normal, bytes, true, func(w *writer) (struct{}, error) {
		w.documents = append(w.documents, docs...)
		for i := range events {
			w.record(events[i])
		}
		return struct{}{}, nil
	})
	return err
}

func checkDocument(d *job.Document) error {
	if err := job.CheckName("room", d.Room); err != nil {
		return err
	}
	if d.Key == "" || len(d.Key) > job.MaxKey {
		return job.Errorf(job.Invalid, "document of room %s: a key of %d bytes; it has 1 to %d", d.Room, len(d.Key), job.MaxKey)
	}
	if len(d.Body) > maxDocument {
		return job.Errorf(job.Invalid, "document %.80q of room %s: %d bytes; at most %d", d.Key, d.Room, len(d.Body), maxDocument)
	}
	return nil
}

// Documents visits the documents of a room whose keys begin with prefix, in order
// of keys, until visit returns false. It sees every PutDocuments that has returned.
// The body is the visitor's to keep.
func (n *Namespace) Documents(room, prefix string, visit func(key string, body []byte) bool) error {
	n.touch()
	return job.Wrap(n.store.Documents(room, prefix, visit), "read documents of room", room)
}
