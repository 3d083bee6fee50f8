package client

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// LimitInfo is a limit as it stands.
type LimitInfo struct {
	job.Limit
	// Known: somebody set it. Others are what jobs carry; they let everything pass, and
	// are counted.
	Known bool
	// Used is how many units are held; Started, of a rate, how many are used up at
	// present.
	Used, Started int64
	// Ready is how many ready jobs carry it.
	Ready int64
	// Full: there is no room for one more unit. Opens is when time gives it some; zero
	// if time alone does not.
	Full  bool
	Opens time.Time
}

// SetLimit makes a limit or changes it, from now on: nothing that runs is stopped. Named
// fields (max, period, windows) are changed, the others stay; none: all are set.
func (n *Namespace) SetLimit(ctx context.Context, l *job.Limit, fields ...string) (*LimitInfo, error) {
	request := &musterv1.SetLimitRequest{Namespace: n.name, Limit: api.FromLimit(l), RequestId: newID()}
	if len(fields) > 0 {
		request.UpdateMask = &fieldmaskpb.FieldMask{Paths: fields}
	}
	return limitInfo(call(ctx, n.c, n.c.limits.SetLimit, request))
}

// RemoveLimit lifts a limit; NotFound if nobody set it.
func (n *Namespace) RemoveLimit(ctx context.Context, name string) error {
	_, err := call(ctx, n.c, n.c.limits.RemoveLimit, &musterv1.RemoveLimitRequest{Namespace: n.name, Limit: name, RequestId: newID()})
	return err
}

// Limit is a limit; NotFound if nobody set it and no job carries it.
func (n *Namespace) Limit(ctx context.Context, name string) (*LimitInfo, error) {
	return limitInfo(call(ctx, n.c, n.c.limits.GetLimit, &musterv1.GetLimitRequest{Namespace: n.name, Limit: name}))
}

// Limits lists the limits that are set and those that jobs carry, in order of names.
func (n *Namespace) Limits(ctx context.Context) iter.Seq2[*LimitInfo, error] {
	return pages(func(token string) ([]*LimitInfo, string, error) {
		m, err := call(ctx, n.c, n.c.limits.ListLimits, &musterv1.ListLimitsRequest{Namespace: n.name, PageSize: maxPage, PageToken: token})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Limits, toLimitInfo)
		return list, m.NextPageToken, err
	})
}

func limitInfo(m *musterv1.LimitInfo, err error) (*LimitInfo, error) {
	if err != nil {
		return nil, err
	}
	return toLimitInfo(m)
}

func toLimitInfo(m *musterv1.LimitInfo) (*LimitInfo, error) {
	l, err := api.ToLimit(m.Limit)
	if err != nil {
		return nil, answered(err)
	}
	return &LimitInfo{
		Limit: *l, Known: m.Known, Used: m.Used, Started: m.Started, Ready: m.Ready, Full: m.Full, Opens: stamp(m.Opens),
	}, nil
}
