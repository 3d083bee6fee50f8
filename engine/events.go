package engine

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"time"

	"github.com/muster-queue/muster/job"
)

// record puts an entry into the namespace's logs, with this turn.
func (w *writer) record(e job.EventRow) {
	w.state.NumberEvent(&e)
	w.records = append(w.records, e)
}

type whoKey struct{}

// By says who makes the changes that are made with the context: the logs tell it.
// Where a method takes a name by itself, that counts.
func By(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, whoKey{}, who)
}

// whoOf is who makes changes, empty if nobody said.
func whoOf(ctx context.Context) string {
	who, _ := ctx.Value(whoKey{}).(string)
	return who
}

// maxRecord bounds the entries of one Record.
const maxRecord = 10_000

// Record puts entries into the namespace's logs, durably: all or none. They get
// their numbers and times here. Errors: Invalid; those of any command.
func (n *Namespace) Record(ctx context.Context, rows ...job.EventRow) error {
	return n.PutDocuments(ctx, nil, rows...)
}

func checkEvents(rows []job.EventRow) error {
	if len(rows) > maxRecord {
		return job.Errorf(job.Invalid, "%d entries of the log at once; at most %d", len(rows), maxRecord)
	}
	for i := range rows {
		if err := rows[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// EventsRequest asks for entries of a namespace's logs. Empty fields do not
// restrict.
type EventsRequest struct {
	// Kinds are words of job.EventKinds.
	Kinds []string
	// Audit leaves out what is about tasks.
	Audit bool
	// Pool is an external scheduler's pool; the empty one means the namespace's own
	// jobs.
	Pool, Account, Task, Worker, Who *string
	// Since and Until: those at Since or later, and before Until.
	Since, Until time.Time
	// Before, if not zero, is where the page before ended.
	Before uint64
	// Limit is at most MaxPage, which is also what zero means.
	Limit int
}

// eventScan is how many entries of a log one call looks at.
const eventScan = 20_000

// Events lists entries of the logs, the newest first, and tells how to go on: with
// next as Before, zero after the last. A page may have fewer entries than asked for,
// or none, and yet not be the last: what one call looks at is bounded. It sees every
// change that has been answered. Errors: Invalid.
func (n *Namespace) Events(ctx context.Context, r EventsRequest) (rows []job.EventRow, next uint64, err error) {
	q, err := newEventQuery(&r)
	if err != nil {
		return nil, 0, err
	}
	end, err := call(ctx, n, normal, func(w *writer) (uint64, error) { return w.state.Meta().NextEvent, nil })
	if err != nil || end == 0 {
		return nil, 0, err
	}
	if r.Before != 0 {
		end = min(end, r.Before)
	}
	for log := range job.EventLogs {
		if err := q.scan(ctx, n, log, end); err != nil {
			return nil, 0, job.Wrap(err, "read the log of namespace", n.name)
		}
	}
	rows, next = q.page()
	return rows, next, nil
}

// eventQuery collects the entries of one page.
type eventQuery struct {
	*EventsRequest
	logs         [job.EventLogs]bool
	since, until job.Time
	rows         []job.EventRow
	// reached is a number down to which every entry was looked at; zero: all were.
	reached uint64
}

func newEventQuery(r *EventsRequest) (*eventQuery, error) {
	q := &eventQuery{EventsRequest: r, since: job.TimeOf(r.Since), until: job.TimeOf(r.Until)}
	if r.Limit < 0 || r.Limit > MaxPage {
		return nil, job.Errorf(job.Invalid, "page size %d; it must be between 1 and %d", r.Limit, MaxPage)
	}
	or(&q.Limit, MaxPage)
	for _, word := range r.Kinds {
		if _, err := job.EventKindOf(word); err != nil {
			return nil, err
		}
		q.logs[job.LogOf(word)] = true
	}
	if len(r.Kinds) == 0 {
		q.logs = [job.EventLogs]bool{true, true}
	}
	if r.Audit {
		q.logs[job.TaskLog] = false
	}
	return q, nil
}

// scan collects from one log, below a number.
func (q *eventQuery) scan(ctx context.Context, n *Namespace, log job.EventLog, end uint64) error {
	if !q.logs[log] {
		return nil
	}
	if q.until != 0 {
		var err error
		if end, err = n.eventsUntil(log, end, func(e *job.EventRow) bool { return e.At < q.until }); err != nil {
			return err
		}
	}
	found, looked := 0, 0
	err := n.store.Events(log, end, func(e *job.EventRow) bool {
		if e.At < q.since || ctx.Err() != nil {
			return false
		}
		if looked++; q.wants(e) {
			q.rows = append(q.rows, *e)
			found++
		}
		if found < q.Limit && looked < eventScan {
			return true
		}
		q.reached = max(q.reached, e.N)
		return false
	})
	if err == nil && ctx.Err() != nil {
		err = job.Errorf(job.Timeout, "%w", context.Cause(ctx))
	}
	return err
}

func (q *eventQuery) wants(e *job.EventRow) bool {
	is := func(want *string, have string) bool { return want == nil || *want == have }
	return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) &&
		is(q.Pool, e.Pool) && is(q.Account, e.Account) && is(q.Task, e.Task) && is(q.Worker, e.Worker) && is(q.Who, e.Who)
}

// page is what was collected as far as both logs were looked at.
func (q *eventQuery) page() (rows []job.EventRow, next uint64) {
	rows = slices.DeleteFunc(q.rows, func(e job.EventRow) bool { return e.N < q.reached })
	slices.SortFunc(rows, func(a, b job.EventRow) int { return cmp.Compare(b.N, a.N) })
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		return rows, rows[q.Limit-1].N
	}
	return rows, q.reached
}

// eventsUntil is the number before which the entries of a log are that old says yes
// to: they are older than all others. It looks at few of them.
func (n *Namespace) eventsUntil(log job.EventLog, end uint64, old func(*job.EventRow) bool) (uint64, error) {
	var failed error
	newest := func(before uint64) (e *job.EventRow) {
		err := n.store.Events(log, before, func(row *job.EventRow) bool { e = row; return false })
		failed = cmp.Or(failed, err)
		return e
	}
	before := sort.Search(int(end-1), func(i int) bool {
		e := newest(uint64(i) + 2)
		return failed == nil && e != nil && !old(e)
	})
	return uint64(before) + 1, failed
}
