package agent

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/agent/spool"
	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// outbox has the reports the server has not acknowledged. Ends are in the spool
// too, from the moment they are known: neither a server that is away nor the
// agent's own death loses a result.
type outbox struct {
	spool *spool.Spool
	next  uint64
	kept  map[uint64]*v1.Report // by id
	ends  map[job.AttemptID]uint64
	due   []*v1.Report // not sent on this connection yet
	// starting are tasks whose start has not been reported yet.
	starting []*task
}

// newOutbox begins with what an earlier incarnation could not report.
func newOutbox(s *spool.Spool) (*outbox, error) {
	o := &outbox{spool: s, kept: map[uint64]*v1.Report{}, ends: map[job.AttemptID]uint64{}}
	for _, e := range s.Pending() {
		r := new(v1.Report)
		if err := proto.Unmarshal(e.Report, r); err != nil {
			return nil, job.Errorf(job.Damaged, "a result kept in the spool cannot be read: %w", err)
		}
		o.next++
		r.Id = o.next
		o.kept[r.Id] = r
		o.ends[e.Attempt] = r.Id
	}
	return o, nil
}

func attemptOf(r *v1.Report) job.AttemptID { return job.AttemptID{Epoch: r.Epoch, N: r.N} }

// begin notes a start; it is true for the first of a batch.
func (o *outbox) begin(t *task) bool {
	o.starting = append(o.starting, t)
	return len(o.starting) == 1
}

// flushStarts reports the starts of what still runs.
func (o *outbox) flushStarts() {
	for _, t := range o.starting {
		if t.stop == nil {
			continue // it has ended meanwhile, and says when it began
		}
		t.started = true
		r := t.report(v1.Report_start)
		r.Started = t.began.UnixNano()
		o.add(r, nil)
	}
	o.starting = o.starting[:0]
}

func (o *outbox) forgetStart(t *task) {
	o.starting = slices.DeleteFunc(o.starting, func(s *task) bool { return s == t })
}

// end reports the end of a task, durably.
func (o *outbox) end(t *task, r *v1.Report, result *job.Result) {
	o.forgetStart(t)
	o.add(r, result)
}

// add queues a report; those with a result go into the spool first.
func (o *outbox) add(r *v1.Report, result *job.Result) {
	o.next++
	r.Id = o.next
	o.kept[r.Id] = r
	o.due = append(o.due, r)
	if result == nil {
		return
	}
	r.Result = api.FromResult(result)
	o.ends[attemptOf(r)] = r.Id
	if body, err := proto.Marshal(r); err == nil {
		// A full disk must not stop the work: the report is in memory still.
		_ = o.spool.Add(attemptOf(r), body)
	}
}

// has reports whether the end of an attempt is yet to be acknowledged.
func (o *outbox) has(id job.AttemptID) bool {
	_, ok := o.ends[id]
	return ok
}

// take returns what is to be sent now.
func (o *outbox) take() []*v1.Report {
	due := o.due
	o.due = nil
	return due
}

// sendAgain makes everything unacknowledged due, in order.
func (o *outbox) sendAgain() {
	o.due = o.due[:0]
	for _, r := range o.kept {
		o.due = append(o.due, r)
	}
	slices.SortFunc(o.due, func(a, b *v1.Report) int { return int(int64(a.Id) - int64(b.Id)) })
}

// acknowledge lets go of what the server has made durable or refused.
func (o *outbox) acknowledge(r *v1.AttachResponse) {
	var ended []job.AttemptID
	for _, id := range r.Acked {
		k := o.kept[id]
		delete(o.kept, id)
		if k != nil && k.Result != nil {
			delete(o.ends, attemptOf(k))
			ended = append(ended, attemptOf(k))
		}
	}
	if len(ended) > 0 {
		// What stays in the spool for want of space is refused as a repeat later.
		_ = o.spool.Ack(ended...)
	}
}

// drop gives up the report of an attempt that is not the agent's any more.
func (o *outbox) drop(attempt job.AttemptID) {
	if id, ok := o.ends[attempt]; ok {
		o.acknowledge(&v1.AttachResponse{Acked: []uint64{id}})
	}
}

func (o *outbox) unacknowledged() int { return len(o.kept) }

// held lists the attempts whose end is yet to be reported.
func (o *outbox) held() []*v1.HeldAttempt {
	var held []*v1.HeldAttempt
	for _, id := range o.ends {
		r := o.kept[id]
		held = append(held, &v1.HeldAttempt{Epoch: r.Epoch, N: r.N, Seq: r.Seq, Started: true})
	}
	return held
}
