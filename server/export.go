package server

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Bounds of one message of an export.
const (
	exportJobs  = 500
	exportBytes = 256 << 10
)

// ExportJobs sends jobs, or attempts.
func (s *jobsService) ExportJobs(m *v1.ExportJobsRequest, stream v1.Jobs_ExportJobsServer) error {
	ctx := stream.Context()
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return err
	}
	f, err := filter(m.Filter)
	if err != nil {
		return err
	}
	x := &exporting{view: view{ns: ns}, send: stream.Send, batch: new(v1.ExportJobsResponse)}
	err = ns.Export(ctx, engine.ExportRequest{Filter: f, Attempts: m.Attempts, Output: m.Output}, func(i *engine.Info, a *job.Attempt) error {
		return x.add(ctx, i, a)
	})
	if err == nil {
		err = x.flush()
	}
	return err
}

// exporting collects messages until one is full.
type exporting struct {
	view
	send  func(*v1.ExportJobsResponse) error
	batch *v1.ExportJobsResponse
	bytes int
}

func (x *exporting) add(ctx context.Context, i *engine.Info, a *job.Attempt) error {
	info, err := x.info(ctx, i)
	if err != nil {
		return err
	}
	x.batch.Jobs = append(x.batch.Jobs, info)
	if x.bytes += proto.Size(info); a != nil {
		attempt := api.FromAttempt(a)
		info.Attempt = nil
		x.batch.Attempts = append(x.batch.Attempts, attempt)
		x.bytes += proto.Size(attempt)
	}
	if len(x.batch.Jobs) < exportJobs && x.bytes < exportBytes {
		return nil
	}
	return x.flush()
}

func (x *exporting) flush() error {
	if len(x.batch.Jobs) == 0 {
		return nil
	}
	err := x.send(x.batch)
	x.batch, x.bytes = new(v1.ExportJobsResponse), 0
	return err
}
