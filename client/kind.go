package client

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/learn"
)

// Kind is what was learned of the jobs of one kind.
type Kind struct {
	// Name is empty for the settings of all kinds.
	Name string
	// Runs is how many runs that completed were counted, Last when the last one ended.
	Runs uint64
	Last time.Time
	// InUse: it has jobs that are not complete.
	InUse bool
	// Learned are the figures of memory and disk (bytes) and time (nanoseconds).
	Learned [learn.NumResources]learn.Figures
	// Own are the settings given for this kind, Effective those that count.
	Own, Effective learn.Settings
}

// Kind is one kind; without a name, the settings of all. NotFound if nothing is known
// of it and no job has it.
func (n *Namespace) Kind(ctx context.Context, name string) (*Kind, error) {
	return toKind(call(ctx, n.c, n.c.kinds.GetKind, &musterv1.GetKindRequest{Namespace: n.name, Kind: name}))
}

// Kinds lists the kinds of which something is known, or that have jobs, by name.
func (n *Namespace) Kinds(ctx context.Context) iter.Seq2[*Kind, error] {
	return pages(func(token string) ([]*Kind, string, error) {
		m, err := call(ctx, n.c, n.c.kinds.ListKinds, &musterv1.ListKindsRequest{Namespace: n.name, PageSize: maxPage, PageToken: token})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Kinds, func(k *musterv1.Kind) (*Kind, error) { return toKind(k, nil) })
		return list, m.NextPageToken, err
	})
}

// SetKind changes how is learned of a kind, or without a name of all. Named fields
// (min_runs, quantile, half_life, round_memory, round_disk, round_time, below, off) are
// changed, the others stay; none: all are set.
func (n *Namespace) SetKind(ctx context.Context, name string, s learn.Settings, fields ...string) (*Kind, error) {
	request := &musterv1.SetKindRequest{Namespace: n.name, Kind: name, Settings: api.FromLearning(s), RequestId: newID()}
	if len(fields) > 0 {
		request.UpdateMask = &fieldmaskpb.FieldMask{Paths: fields}
	}
	return toKind(call(ctx, n.c, n.c.kinds.SetKind, request))
}

// ResetKind forgets what was learned of a kind; its settings stay.
func (n *Namespace) ResetKind(ctx context.Context, name string) error {
	_, err := call(ctx, n.c, n.c.kinds.ResetKind, &musterv1.ResetKindRequest{Namespace: n.name, Kind: name, RequestId: newID()})
	return err
}

func toKind(m *musterv1.Kind, err error) (*Kind, error) {
	if err != nil {
		return nil, err
	}
	k := &Kind{Name: m.Name, Runs: m.Runs, Last: stamp(m.Last), InUse: m.InUse}
	for r, f := range [...]*musterv1.Learned{learn.Memory: m.Memory, learn.Disk: m.Disk, learn.Time: m.Time} {
		k.Learned[r] = learn.Figures{Runs: f.GetRuns(), Half: f.GetMedian(), Most: f.GetQuantile(), Max: f.GetMax(), Asked: learn.Unknown}
		if f != nil && f.Asked != nil {
			k.Learned[r].Asked = *f.Asked
		}
	}
	if k.Own, err = api.ToLearning(m.Settings); err == nil {
		k.Effective, err = api.ToLearning(m.Effective)
	}
	return k, answered(err)
}
