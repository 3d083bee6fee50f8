package client

import (
	"context"
	"iter"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// LogEntry is an entry of a namespace's logs: who changed something, or what was
// decided about a task.
type LogEntry struct {
	// Number orders the entries of a namespace.
	Number uint64
	Time   time.Time
	// Kind is what happened, as a word (see job.EventKinds); Text for people.
	Kind, Text string
	// Audit: somebody changed something.
	Audit bool
	// Pool is an external scheduler's; empty: the namespace's own jobs.
	Pool, Account string
	// Task is the id of a job, or what an external scheduler calls its task.
	Task, Worker string
	// Who changed it: the name and id of a token.
	Who     string
	Details map[string]string
}

// LogFilter says which entries are wanted. What is empty does not restrict.
type LogFilter struct {
	Kinds []string
	// Audit leaves out what is about tasks.
	Audit bool
	// Pool, if not nil, is the pool that they are about; the empty one: none.
	Pool                       *string
	Account, Task, Worker, Who string
	// Since and Until: those at Since or later, and before Until.
	Since, Until time.Time
}

// Events lists entries of the namespace's logs, the newest first.
func (n *Namespace) Events(ctx context.Context, f LogFilter) iter.Seq2[LogEntry, error] {
	return pages(func(token string) ([]LogEntry, string, error) {
		m, err := call(ctx, n.c, n.c.events.ListEvents, &musterv1.ListEventsRequest{
			Namespace: n.name, Kinds: f.Kinds, Audit: f.Audit, Pool: f.Pool,
			Account: f.Account, Task: f.Task, Worker: f.Worker, Who: f.Who,
			Since: api.FromTime(f.Since), Until: api.FromTime(f.Until), PageToken: token,
		})
		list := make([]LogEntry, len(m.GetEvents()))
		for i, e := range m.GetEvents() {
			list[i] = toEntry(e)
		}
		return list, m.GetNextPageToken(), err
	})
}

func toEntry(m *musterv1.Event) LogEntry {
	return LogEntry{
		Number: m.GetNumber(), Time: stamp(m.GetTime()), Kind: m.GetKind(), Text: m.GetText(), Audit: m.GetAudit(),
		Pool: m.GetPool(), Account: m.GetAccount(), Task: m.GetTask(), Worker: m.GetWorker(), Who: m.GetWho(),
		Details: m.GetDetails(),
	}
}
