package client

import (
	"context"
	"sync"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Want restricts which jobs a worker takes; empty fields do not.
type Want struct {
	Queues, Groups, Kinds []string
	// Commands takes commands rather than data.
	Commands bool
	// Capacity bounds what the jobs need together; nil: not compared.
	Capacity job.Resources
	// OneQueue takes all from one queue, chosen by priority and weight against
	// what the queues hold.
	OneQueue bool
	// Runtimes, if any, are those of the queues that are meant.
	Runtimes []string
	// Defined leaves out queues without a definition.
	Defined bool
	// AvailableMemory, if positive, leaves out queues whose MinMemory is larger.
	AvailableMemory int64
	// Exactly, if set, leaves out jobs that need anything else.
	Exactly *Exactly
	// Lease is the length of leases; zero: the job's, else the queue's.
	Lease time.Duration
}

// Exactly is what a job needs, and how long it may run (zero: without bound), with
// what was learned about it. A need of zero is none.
type Exactly struct {
	Needs job.Resources
	Time  time.Duration
}

func (w *Want) message() *musterv1.Want {
	m := &musterv1.Want{
		Queues: w.Queues, Groups: w.Groups, Kinds: w.Kinds, Commands: w.Commands, Capacity: w.Capacity, Form: "encoded",
		OneQueue: w.OneQueue, Runtimes: w.Runtimes, Defined: w.Defined, AvailableMemory: w.AvailableMemory,
	}
	if e := w.Exactly; e != nil {
		m.Exactly = &musterv1.Exactly{Needs: e.Needs, Time: api.FromDuration(e.Time)}
	}
	return m
}

// Grant is the right to run a job once.
type Grant struct {
	Attempt job.AttemptID
	Seq     job.Seq
	// Number of the attempt, from 1.
	Number uint32
	// Deadline is when the lease ends unless it is renewed, by this machine's
	// clock; work that may overlap less is begun with some margin before it.
	Deadline time.Time
	// Lease is its length.
	Lease time.Duration
	// Limits are what a command may use at most, and Time how long it may run (zero:
	// without bound), with what was learned of its kind.
	Limits job.Resources
	Time   time.Duration

	m *musterv1.Grant
}

// Job is the description of what was granted, queue and key included.
func (g *Grant) Job() (*job.Job, error) {
	switch {
	case len(g.m.Encoded) > 0:
		j := &job.Job{}
		return j, answered(job.Decode(g.m.Encoded, j))
	case g.m.Job != nil:
		j, err := api.ToJob(g.m.Job)
		return j, answered(err)
	}
	return nil, job.Errorf(job.Internal, "the server granted attempt %s without saying of what", g.Attempt)
}

// toGrant makes a grant whose lease counts from a moment.
func toGrant(m *musterv1.Grant, from time.Time) *Grant {
	return &Grant{
		Attempt: job.AttemptID{Epoch: m.Epoch, N: m.N}, Seq: job.Seq(m.Seq), Number: m.Number,
		Deadline: from.Add(time.Duration(m.Lease)), Lease: time.Duration(m.Lease),
		Limits: api.Limits(m), Time: time.Duration(m.Time), m: m,
	}
}

// Report tells one thing about an attempt; the functions below make them.
type Report struct{ m *musterv1.Report }

func (g *Grant) report(action musterv1.Report_Action, r *job.Result) Report {
	m := &musterv1.Report{Epoch: g.m.Epoch, N: g.m.N, Seq: g.m.Seq, Action: action}
	if r != nil {
		m.Result = api.FromResult(r)
	}
	return Report{m}
}

// Start reports that the job runs.
func Start(g *Grant) Report { return g.report(musterv1.Report_start, nil) }

// Renew asks for the lease to begin anew, with another length unless it is zero.
func Renew(g *Grant, lease time.Duration) Report {
	r := g.report(musterv1.Report_renew, nil)
	r.m.Lease = int64(lease)
	return r
}

// Complete reports that the job is done.
func Complete(g *Grant, result *job.Result) Report {
	return g.report(musterv1.Report_complete, result)
}

// Release reports a failure: the job is tried again as often as its budget allows.
func Release(g *Grant, result *job.Result) Report {
	return g.report(musterv1.Report_release, result)
}

// Bury reports a failure that shall not be tried again without a person's word.
func Bury(g *Grant, result *job.Result) Report { return g.report(musterv1.Report_bury, result) }

// GiveBack returns a job that was never begun to its place, free of charge.
func GiveBack(g *Grant) Report { return g.report(musterv1.Report_give_back, nil) }

// After sets when a released job may be tried again, in place of the back-off.
func (r Report) After(delay time.Duration) Report {
	ns := int64(delay)
	r.m.Delay = &ns
	return r
}

// With adds the attempt's own document, and for a complete job those that the
// queue's Then gets.
func (r Report) With(data []byte, outputs ...*job.Job) Report {
	r.m.Data = data
	for _, j := range outputs {
		r.m.Outputs = append(r.m.Outputs, api.FromJob(j))
	}
	return r
}

// ends tells whether the worker has nothing more to do with the attempt.
func (r Report) ends() bool {
	return r.m.Action != musterv1.Report_start && r.m.Action != musterv1.Report_renew
}

// Answer is what the server says to a report.
type Answer struct {
	// Err is why it was refused; job.ErrLostLease when the attempt is over.
	Err error
	// Stopping, unless none, orders the end of the attempt.
	Stopping job.Mark
	// State is the job's after an end, and Due when a delayed one becomes ready.
	State job.State
	Due   time.Time
}

func toAnswer(m *musterv1.ReportAnswer) (Answer, error) {
	var f firstError
	a := Answer{
		Err: api.ToError(m.Error), Stopping: take(&f, api.ParseMark, m.Stopping), State: take(&f, parseState, m.State), Due: stamp(m.Due),
	}
	return a, answered(f.err)
}

// Worker pulls jobs under a name. Its methods may be called from any goroutine;
// those that take jobs wait for each other.
type Worker struct {
	n       *Namespace
	name    string
	about   *musterv1.Worker
	session string

	mu       sync.Mutex
	sequence uint64
}

// Worker is a worker of the namespace; its name is unique there. About says more
// about it, and may be nil.
func (n *Namespace) Worker(name string, about *job.Worker) *Worker {
	w := &Worker{n: n, name: name, session: newID()}
	if about != nil {
		w.about = api.FromWorker(about)
		w.about.Name = name
	}
	return w
}

// Reserve takes up to count jobs, waiting for the first one. It gives none when
// there was none in time, or while the server drains or is paused.
func (w *Worker) Reserve(ctx context.Context, count int, wait time.Duration, want Want) ([]*Grant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sequence++
	asked := time.Now()
	m, err := call(ctx, w.n.c, w.n.c.work.Reserve, &musterv1.ReserveRequest{
		Namespace: w.n.name, Worker: w.name, About: w.about, Session: w.session, Sequence: w.sequence,
		N: uint32(max(count, 0)), Wait: api.FromDuration(wait), Lease: api.FromDuration(want.Lease), Want: want.message(),
	})
	if err != nil {
		return nil, err
	}
	return each(m.Grants, func(m *musterv1.Grant) *Grant { return toGrant(m, asked) }), nil
}

// Report tells about attempts, and gives an answer for each report in order. A
// repeat of a report gets the same answer.
func (w *Worker) Report(ctx context.Context, reports ...Report) ([]Answer, error) {
	q := &musterv1.ReportRequest{Namespace: w.n.name, Worker: w.name, Items: true, Reports: make([]*musterv1.Report, len(reports))}
	for i, r := range reports {
		q.Reports[i] = r.m
	}
	m, err := call(ctx, w.n.c, w.n.c.work.Report, q)
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, len(reports))
	for _, a := range m.Answers {
		if a.Item < 1 || a.Item > uint64(len(answers)) {
			return nil, job.Errorf(job.Internal, "report: the server answered report %d of %d", a.Item, len(answers))
		}
		if answers[a.Item-1], err = toAnswer(a); err != nil {
			return nil, err
		}
	}
	return answers, nil
}
