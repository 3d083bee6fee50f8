package client

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// ExportOptions say what is exported of jobs.
type ExportOptions struct {
	// Attempts asks for every attempt, each as its job with that Attempt.
	Attempts bool
	// Output asks for the kept output.
	Output bool
}

// Export is every job that a filter selects, live ones in the order of adding, then
// complete ones from the newest; or every attempt of them, oldest first of each job. It
// takes the same memory for any number of them.
func (n *Namespace) Export(ctx context.Context, f Filter, o ExportOptions) iter.Seq2[*Info, error] {
	return func(yield func(*Info, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := n.c.jobs.ExportJobs(ctx, &musterv1.ExportJobsRequest{
			Namespace: n.name, Filter: f.message(), Attempts: o.Attempts, Output: o.Output,
		})
		for err == nil {
			var m *musterv1.ExportJobsResponse
			if m, err = stream.Recv(); err != nil {
				break
			}
			list, bad := exported(m)
			for _, i := range list {
				if !yield(i, nil) {
					return
				}
			}
			if bad != nil {
				yield(nil, bad)
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, n.c.failure(ctx, err))
		}
	}
}

// exported are the jobs of a message, each with its attempt.
func exported(m *musterv1.ExportJobsResponse) ([]*Info, error) {
	list, err := convert(m.Jobs, toInfo)
	for i := range list {
		if i < len(m.Attempts) && err == nil {
			list[i].Attempt, err = api.ToAttempt(m.Attempts[i])
		}
	}
	return list, err
}
