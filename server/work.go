package server

import (
	"context"
	"errors"
	"time"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// maxWait bounds how long a reserve waits; its client asks again.
const maxWait = 10 * time.Minute

// Reserve gives jobs to a pulling worker.
func (s *workService) Reserve(ctx context.Context, m *v1.ReserveRequest) (*v1.ReserveResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	r, err := reserveRequest(m)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	grants, err := ns.Reserve(ctx, r)
	if errors.Is(err, job.ErrDraining) {
		return &v1.ReserveResponse{Draining: true}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(grants) == 0 {
		return nothing(ctx, ns)
	}
	a := &v1.ReserveResponse{Grants: make([]*v1.Grant, len(grants))}
	form, waited := formOf(m.Want), time.Since(asked)
	for i := range grants {
		if a.Grants[i], err = form(&grants[i]); err != nil {
			return nil, err
		}
		// The worker counts from when it asked.
		a.Grants[i].Lease += int64(waited)
	}
	return a, nil
}

// nothing answers a reserve that got no jobs, and says so if that is on purpose.
func nothing(ctx context.Context, ns *engine.Namespace) (*v1.ReserveResponse, error) {
	stats, err := ns.Stats(ctx)
	return &v1.ReserveResponse{Paused: stats.Paused}, err
}

func reserveRequest(m *v1.ReserveRequest) (engine.ReserveRequest, error) {
	r, err := wanted(m.Worker, m.About, m.Want)
	if err != nil {
		return r, err
	}
	r.N, r.Session, r.Sequence = int(min(m.N, 1<<30)), m.Session, m.Sequence
	if r.Wait, err = api.ToDuration("wait", m.Wait); err != nil {
		return r, err
	}
	r.Wait = min(max(r.Wait, 0), maxWait)
	r.Lease, err = api.ToDuration("lease", m.Lease)
	return r, err
}

// wanted is what a worker takes.
func wanted(worker string, about *v1.Worker, want *v1.Want) (engine.ReserveRequest, error) {
	w, err := api.ToWorker(about)
	if err != nil {
		return engine.ReserveRequest{}, job.Wrap(err, "read", "about")
	}
	w.Name, w.Agent = worker, false
	if _, ok := forms[want.GetForm()]; !ok {
		return engine.ReserveRequest{}, job.Errorf(job.Invalid, "form: %.60q is unknown; use one of job, encoded, data", want.GetForm())
	}
	r := engine.ReserveRequest{
		Worker: w, Queues: want.GetQueues(), Groups: want.GetGroups(), Kinds: want.GetKinds(),
		Commands: want.GetCommands(), Capacity: want.GetCapacity(), OneQueue: want.GetOneQueue(),
		Runtimes: want.GetRuntimes(), Defined: want.GetDefined(), AvailableMemory: want.GetAvailableMemory(),
	}
	if r.Exactly, err = exactly(want.GetExactly()); err != nil {
		return r, err
	}
	return r, r.Capacity.Validate()
}

// exactly reads what jobs shall need; nil if that does not matter.
func exactly(m *v1.Exactly) (*engine.Exactly, error) {
	if m == nil {
		return nil, nil
	}
	time, err := api.ToDuration("exactly: time", m.Time)
	if err != nil {
		return nil, err
	}
	e := &engine.Exactly{Needs: m.Needs, Time: time}
	return e, job.Wrap(e.Needs.Validate(), "read", "exactly")
}

// form makes the message of a grant with what its worker wants to see of the job.
type form func(*engine.Grant) (*v1.Grant, error)

var forms = map[string]form{"": whole, "job": whole, "encoded": stored, "data": dataOnly}

func formOf(want *v1.Want) form { return forms[want.GetForm()] }

func stored(g *engine.Grant) (*v1.Grant, error) {
	m := &v1.Grant{
		Epoch: g.Attempt.Epoch, N: g.Attempt.N, Seq: uint64(g.Seq), Number: g.Number,
		Lease: int64(g.Lease), Encoded: g.Body, Needs: g.Needs,
	}
	if g.Needs != nil {
		m.Time, m.Limits = int64(learn.Duration(g.Limits[learn.Time])), limits(g)
	}
	return m, nil
}

func whole(g *engine.Grant) (*v1.Grant, error) {
	m, j, err := opened(g)
	if err == nil {
		m.Job = api.FromJob(j)
	}
	return m, err
}

func dataOnly(g *engine.Grant) (*v1.Grant, error) {
	m, j, err := opened(g)
	if err == nil {
		m.Data = j.Data
	}
	return m, err
}

func opened(g *engine.Grant) (*v1.Grant, *job.Job, error) {
	j, err := g.Job()
	if err != nil {
		return nil, nil, err
	}
	m, _ := stored(g)
	m.Encoded, m.Queue, m.Key = nil, j.Queue, api.KeyText(j.Key)
	return m, j, nil
}

// Report passes on what workers say of their attempts.
func (s *workService) Report(ctx context.Context, m *v1.ReportRequest) (*v1.ReportResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if len(m.Reports) > maxReports {
		return nil, job.Errorf(job.Invalid, "reports: %d in one message; at most %d", len(m.Reports), maxReports)
	}
	reports := make([]engine.Report, len(m.Reports))
	for i, rm := range m.Reports {
		if reports[i], err = readReport(rm); err != nil {
			return nil, &api.ItemError{Item: i + 1, Err: err}
		}
	}
	answers, err := ns.Report(ctx, m.Worker, reports)
	if err != nil {
		return nil, err
	}
	a := &v1.ReportResponse{}
	for i := range answers {
		if answers[i].Err == nil {
			a.Accepted++
		}
		if m.Items || answers[i].Err != nil || answers[i].Mark != job.MarkNone {
			a.Answers = append(a.Answers, reportAnswer(uint64(i+1), &answers[i]))
		}
	}
	return a, nil
}
