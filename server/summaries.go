package server

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// SummariseGroups sums groups up.
func (s *jobsService) SummariseGroups(ctx context.Context, m *v1.SummariseGroupsRequest) (*v1.SummariseGroupsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if m.Failures < 0 || m.Failures > engine.MaxFailureJobs {
		return nil, job.Errorf(job.Invalid, "failures: %d; it must be between 0 and %d", m.Failures, engine.MaxFailureJobs)
	}
	size := m.PageSize
	if size == 0 {
		size = engine.MaxPage
	}
	after, size2, err := pageOf("summaries", m.PageToken, size)
	if err != nil {
		return nil, err
	}
	r, err := ns.Summaries(ctx, engine.SummariesRequest{
		Groups: engine.GroupMatch{Name: m.Group, Prefix: m.GroupPrefix, Part: m.GroupPart},
		After:  after, Limit: size2, Total: m.Total, Failures: int(m.Failures),
	})
	if err != nil {
		return nil, err
	}
	a := &v1.SummariseGroupsResponse{NextPageToken: nextPage("summaries", r.Next)}
	for i := range r.Groups {
		a.Groups = append(a.Groups, groupSummary(&r.Groups[i]))
	}
	return a, nil
}

func groupSummary(g *engine.GroupSummary) *v1.GroupSummary {
	m := &v1.GroupSummary{
		Name: text(g.Name), Counts: api.FromCounts(&g.Counts),
		Memory: measure(&g.Memory, 1), Disk: measure(&g.Disk, 1),
		Cpu: measure(&g.CPU, float64(time.Second)), Wall: measure(&g.Wall, float64(time.Second)),
		FirstStarted: api.FromTime(g.First), LastEnded: api.FromTime(g.Last),
	}
	if !g.First.IsZero() {
		m.Elapsed = durationpb.New(g.Last.Sub(g.First))
	}
	for i := range g.Failures {
		f := &g.Failures[i]
		failure := &v1.GroupFailure{Reason: f.Reason.Word(), ReasonText: f.Reason.String(), ExitCode: f.Exit, Count: f.Count}
		for _, id := range f.Jobs {
			failure.Jobs = append(failure.Jobs, jobRef(id))
		}
		m.Failures = append(m.Failures, failure)
	}
	return m
}

// measure is a measure in another unit, so many times larger.
func measure(m *engine.Measure, unit float64) *v1.Measure {
	if m.Count == 0 {
		return nil
	}
	return &v1.Measure{
		Count: m.Count, Sum: m.Sum / unit, Mean: m.Mean / unit, Deviation: m.Deviation / unit, Median: m.Median / unit, P95: m.P95 / unit,
	}
}
