package server

import (
	"context"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// GetJob is one job.
func (s *jobsService) GetJob(ctx context.Context, m *v1.GetJobRequest) (*v1.JobInfo, error) {
	ns, id, err := s.job(ctx, m.Namespace, m.Job)
	if err != nil {
		return nil, err
	}
	if err := environmentAllowed(ctx, m.Environment); err != nil {
		return nil, err
	}
	info, err := ns.Get(ctx, id, m.Output, m.Environment)
	if err != nil {
		return nil, err
	}
	return (&view{ns: ns, encoded: m.Encoded}).info(ctx, info)
}

// job finds the namespace and reads the reference of a request about one job.
func (s *Server) job(ctx context.Context, namespace string, ref *v1.JobRef) (*engine.Namespace, engine.JobID, error) {
	ns, err := s.namespace(ctx, namespace)
	if err != nil {
		return nil, engine.JobID{}, err
	}
	id, err := jobID(ref)
	return ns, id, err
}

// ListJobs is a page of jobs, or the jobs named.
func (s *jobsService) ListJobs(ctx context.Context, m *v1.ListJobsRequest) (*v1.ListJobsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if err := environmentAllowed(ctx, m.Environment); err != nil {
		return nil, err
	}
	var page *engine.ListResult
	if len(m.Jobs) > 0 {
		page, err = named(ctx, ns, m)
	} else {
		page, err = listed(ctx, ns, m)
	}
	if err != nil {
		return nil, err
	}
	infos, err := (&view{ns: ns, brief: m.Brief}).infos(ctx, page.Jobs)
	return &v1.ListJobsResponse{Jobs: infos, NextPageToken: page.Next, Partial: page.Partial}, err
}

func listed(ctx context.Context, ns *engine.Namespace, m *v1.ListJobsRequest) (*engine.ListResult, error) {
	f, err := filter(m.Filter)
	if err != nil {
		return nil, err
	}
	order, descending, err := engine.ParseOrder(m.OrderBy)
	if err != nil {
		return nil, err
	}
	return ns.List(ctx, engine.ListRequest{
		Filter: f, Page: int(m.PageSize), Token: m.PageToken, Output: m.Output, Env: m.Environment,
		Order: order, Descending: descending,
	})
}

// named are the jobs named that are there, in the order named.
func named(ctx context.Context, ns *engine.Namespace, m *v1.ListJobsRequest) (*engine.ListResult, error) {
	if m.Filter != nil || m.PageToken != "" {
		return nil, job.Errorf(job.Invalid, "jobs: name jobs or give a filter, not both")
	}
	if len(m.Jobs) > engine.MaxPage {
		return nil, job.Errorf(job.Invalid, "jobs: %d are named; at most %d", len(m.Jobs), engine.MaxPage)
	}
	ids, err := jobIDs(m.Jobs)
	if err != nil {
		return nil, err
	}
	page := &engine.ListResult{}
	for _, id := range ids {
		info, err := ns.Get(ctx, id, m.Output, m.Environment)
		switch {
		case err == nil:
			page.Jobs = append(page.Jobs, info)
		case !job.IsKind(err, job.NotFound):
			return nil, err
		}
	}
	return page, nil
}

// ListOutcomes groups jobs by how they stand.
func (s *jobsService) ListOutcomes(ctx context.Context, m *v1.ListOutcomesRequest) (*v1.ListOutcomesResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if err := environmentAllowed(ctx, m.Environment); err != nil {
		return nil, err
	}
	f, err := filter(m.Filter)
	if err != nil {
		return nil, err
	}
	if m.Limit < 0 || m.Limit > engine.MaxPage {
		return nil, job.Errorf(job.Invalid, "limit: %d; it must be between 0 and %d", m.Limit, engine.MaxPage)
	}
	groups, partial, err := ns.Outcomes(ctx, engine.OutcomesRequest{Filter: f, Limit: int(m.Limit), Output: m.Output, Env: m.Environment})
	if err != nil {
		return nil, err
	}
	v := &view{ns: ns}
	a := &v1.ListOutcomesResponse{Partial: partial}
	for _, g := range groups {
		infos, err := v.infos(ctx, g.Jobs)
		if err != nil {
			return nil, err
		}
		a.Outcomes = append(a.Outcomes, &v1.OutcomeGroup{
			State: g.State.String(), Reason: g.Reason.Word(), ReasonText: g.Reason.String(), ExitCode: g.Exit,
			Count: g.Count, Jobs: infos, Similar: g.Similar,
		})
	}
	return a, nil
}

// CountJobs counts by state.
func (s *jobsService) CountJobs(ctx context.Context, m *v1.CountJobsRequest) (*v1.CountJobsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if m.Queue != "" && m.Group != "" {
		return nil, job.Errorf(job.Invalid, "counts: of a queue or of a group; list the outcomes of both")
	}
	if m.By != "" && m.By != "queue" && m.By != "group" {
		return nil, job.Errorf(job.Invalid, "by: %.60q is unknown; use queue or group", m.By)
	}
	after, size, err := pageOf("counts/"+m.By, m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	r, err := ns.Counts(ctx, engine.CountsRequest{
		Queue: m.Queue, Group: m.Group, ByQueue: m.By == "queue", ByGroup: m.By == "group", After: after, Limit: size,
	})
	if err != nil {
		return nil, err
	}
	a := &v1.CountJobsResponse{Total: api.FromCounts(&r.Total), NextPageToken: nextPage("counts/"+m.By, r.Next)}
	for _, list := range [][]engine.NamedCounts{r.Queues, r.Groups} {
		for i := range list {
			a.Items = append(a.Items, &v1.NamedCounts{Name: text(list[i].Name), Counts: api.FromCounts(&list[i].Counts)})
		}
	}
	return a, nil
}

// ListAttempts is the history of a job; the attempt that holds it is the last.
func (s *jobsService) ListAttempts(ctx context.Context, m *v1.ListAttemptsRequest) (*v1.ListAttemptsResponse, error) {
	ns, id, err := s.job(ctx, m.Namespace, m.Job)
	if err != nil {
		return nil, err
	}
	info, err := ns.Get(ctx, id, false, false)
	if err != nil {
		return nil, err
	}
	rows, err := ns.Attempts(ctx, id)
	if err != nil {
		return nil, err
	}
	a := &v1.ListAttemptsResponse{}
	for i := range rows {
		if !m.Output {
			rows[i].Result.Stdout, rows[i].Result.Stderr = job.Output{}, job.Output{}
		}
		a.Attempts = append(a.Attempts, api.FromAttempt(&rows[i].Attempt))
	}
	if info.Live.State.Held() {
		a.Attempts = append(a.Attempts, attemptOf(info))
	}
	return a, nil
}

// ExplainJob tells why a job is not running.
func (s *jobsService) ExplainJob(ctx context.Context, m *v1.ExplainJobRequest) (*v1.ExplainJobResponse, error) {
	ns, id, err := s.job(ctx, m.Namespace, m.Job)
	if err != nil {
		return nil, err
	}
	e, err := ns.Explain(ctx, id)
	if err != nil {
		return nil, err
	}
	a := &v1.ExplainJobResponse{State: e.State.String(), Summary: text(e.Summary)}
	for _, o := range e.Obstacles {
		a.Obstacles = append(a.Obstacles, &v1.Obstacle{Word: o.Word, Text: text(o.Text), Until: api.FromTime(o.Until)})
	}
	return a, nil
}
