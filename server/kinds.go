package server

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
	"github.com/muster-queue/muster/queue"
)

// GetKind is what was learned of a kind.
func (s *kindsService) GetKind(ctx context.Context, m *v1.GetKindRequest) (*v1.Kind, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return kindAnswer(ctx, ns, m.Kind, nil)
}

// ListKinds is a page of kinds in the order of their names.
func (s *kindsService) ListKinds(ctx context.Context, m *v1.ListKindsRequest) (*v1.ListKindsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("kinds", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := ns.Kinds(ctx, after, size+1)
	if err != nil {
		return nil, err
	}
	a := &v1.ListKindsResponse{}
	if len(list) > size {
		list, a.NextPageToken = list[:size], nextPage("kinds", list[size-1].Name)
	}
	for i := range list {
		a.Kinds = append(a.Kinds, kindMessage(&list[i]))
	}
	return a, nil
}

// SetKind changes settings: all of them, or the fields named.
func (s *kindsService) SetKind(ctx context.Context, m *v1.SetKindRequest) (*v1.Kind, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	given := m.Settings
	if given == nil {
		given = &v1.KindSettings{}
	}
	edit := func(own *learn.Settings) (err error) {
		whole := given
		if fields := m.UpdateMask.GetPaths(); len(fields) > 0 {
			whole = api.FromLearning(*own)
			if err := applyMask(whole, given, fields); err != nil {
				return err
			}
		}
		*own, err = api.ToLearning(whole)
		return err
	}
	return kindAnswer(ctx, ns, m.Kind, ns.SetKind(audited(ctx), m.Kind, edit, once(ctx, m.RequestId)))
}

// ResetKind forgets what was learned of a kind.
func (s *kindsService) ResetKind(ctx context.Context, m *v1.ResetKindRequest) (*v1.Kind, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	name := m.Kind
	if err := ns.ResetKind(audited(ctx), name, once(ctx, m.RequestId)); err != nil {
		return nil, err
	}
	a, err := kindAnswer(ctx, ns, name, nil)
	if job.IsKind(err, job.NotFound) {
		return &v1.Kind{Name: name}, nil // nothing is left of it: no settings, no jobs
	}
	return a, err
}

// kindAnswer is a kind as it is after a call.
func kindAnswer(ctx context.Context, ns *engine.Namespace, name string, err error) (*v1.Kind, error) {
	if err != nil {
		return nil, err
	}
	i, err := ns.Kind(ctx, name)
	if err != nil {
		return nil, err
	}
	return kindMessage(&i), nil
}

func kindMessage(i *queue.KindInfo) *v1.Kind {
	return &v1.Kind{
		Name: i.Name, Runs: i.Runs, Last: api.FromTime(i.Last.Std()), InUse: i.Shapes > 0,
		Memory: learned(&i.Figures[learn.Memory]), Disk: learned(&i.Figures[learn.Disk]), Time: learned(&i.Figures[learn.Time]),
		Settings: api.FromLearning(i.Own), Effective: api.FromLearning(i.Policy.Settings()),
	}
}

func learned(f *learn.Figures) *v1.Learned {
	m := &v1.Learned{Runs: f.Runs, Median: f.Half, Quantile: f.Most, Max: f.Max}
	if f.Asked != learn.Unknown {
		m.Asked = proto.Int64(f.Asked)
	}
	return m
}
