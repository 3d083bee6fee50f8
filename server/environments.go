package server

import (
	"context"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// PutEnvironment stores an environment under its digest, once.
func (s *environmentsService) PutEnvironment(ctx context.Context, m *v1.PutEnvironmentRequest) (*v1.PutEnvironmentResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if len(m.Content) > job.MaxJob {
		return nil, job.Errorf(job.Invalid, "content: %d bytes; an environment has at most %d", len(m.Content), job.MaxJob)
	}
	if _, err := api.ParseEnvironment(m.Content); err != nil {
		return nil, err
	}
	digest := api.EnvironmentDigest(m.Content)
	if m.Digest != "" && m.Digest != digest {
		return nil, job.Errorf(job.Invalid, "digest: %.80q is not that of the content, which is %s", m.Digest, digest)
	}
	has, err := ns.HasBlob(digest)
	if err == nil && !has {
		err = ns.PutBlob(ctx, digest, m.Content)
	}
	return &v1.PutEnvironmentResponse{Digest: digest, Existed: has}, err
}

// HasEnvironment tells whether an environment is stored.
func (s *environmentsService) HasEnvironment(ctx context.Context, m *v1.HasEnvironmentRequest) (*v1.HasEnvironmentResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	has, err := ns.HasBlob(m.Digest)
	return &v1.HasEnvironmentResponse{Has: has}, err
}

// GetEnvironment is the content of an environment.
func (s *environmentsService) GetEnvironment(ctx context.Context, m *v1.GetEnvironmentRequest) (*v1.GetEnvironmentResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	settings, err := ns.Environment(m.Digest)
	if err != nil {
		return nil, err
	}
	content, _, err := api.Environment(settings)
	return &v1.GetEnvironmentResponse{Content: content}, err
}
