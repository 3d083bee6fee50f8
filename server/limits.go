package server

import (
	"context"
	"slices"
	"strings"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// SetLimit makes a limit, or changes it: as a whole, or the fields named.
func (s *limitsService) SetLimit(ctx context.Context, m *v1.SetLimitRequest) (*v1.LimitInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	given, err := api.ToLimit(m.Limit)
	if err != nil {
		return nil, err
	}
	if callerOf(ctx).Role == token.Submitter && given.Name != "" && !job.IsBatchLimit(given.Name) {
		return nil, job.Errorf(job.Denied, "limit %s: a submitter's token sets no limits but those of arrays and singletons of emulated batch systems", given.Name)
	}
	edit := func(l *job.Limit) error {
		*l = *given
		return nil
	}
	if fields := m.UpdateMask.GetPaths(); len(fields) > 0 {
		edit = func(l *job.Limit) error {
			whole := api.FromLimit(l)
			if err := applyMask(whole, m.Limit, fields); err != nil {
				return err
			}
			edited, err := api.ToLimit(whole)
			if err == nil {
				edited.Name = l.Name // it was named, not changed
				*l = *edited
			}
			return err
		}
	}
	return limitAnswer(ns.ChangeLimit(audited(ctx), given.Name, edit, once(ctx, m.RequestId)))
}

// GetLimit is a limit as it stands.
func (s *limitsService) GetLimit(ctx context.Context, m *v1.GetLimitRequest) (*v1.LimitInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return limitAnswer(ns.Limit(ctx, m.Limit))
}

// ListLimits is a page of limits in the order of their names.
func (s *limitsService) ListLimits(ctx context.Context, m *v1.ListLimitsRequest) (*v1.ListLimitsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("limits", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := ns.Limits(ctx)
	if err != nil {
		return nil, err
	}
	from, found := slices.BinarySearchFunc(list, after, func(l engine.LimitState, name string) int { return strings.Compare(l.Name, name) })
	if found {
		from++
	}
	a := &v1.ListLimitsResponse{}
	list = list[from:]
	if len(list) > size {
		list, a.NextPageToken = list[:size], nextPage("limits", list[size-1].Name)
	}
	for i := range list {
		a.Limits = append(a.Limits, limitInfo(&list[i]))
	}
	return a, nil
}

// RemoveLimit lifts a limit.
func (s *limitsService) RemoveLimit(ctx context.Context, m *v1.RemoveLimitRequest) (*v1.RemoveLimitResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return &v1.RemoveLimitResponse{}, ns.RemoveLimit(audited(ctx), m.Limit, once(ctx, m.RequestId))
}

func limitAnswer(l engine.LimitState, err error) (*v1.LimitInfo, error) {
	if err != nil {
		return nil, err
	}
	return limitInfo(&l), nil
}

func limitInfo(l *engine.LimitState) *v1.LimitInfo {
	return &v1.LimitInfo{
		Limit: api.FromLimit(&l.Limit), Known: l.Known, Used: l.Used, Started: l.Started, Ready: l.Ready,
		Full: l.Full, Opens: api.FromTime(l.Opens),
	}
}
