package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// resolveMax bounds the dependencies that one turn looks at after a group ended, or got
// a member.
const resolveMax = 2000

// unblock lets jobs go on that waited for others, or wait again.
func (w *writer) unblock() {
	w.ns.depends.Store(w.state.Depends())
	w.more = w.state.Resolve(resolveMax) || w.more
	w.feed()
}

// digestsOn are the digests of the keys that a job depends on.
func digestsOn(j *job.Job) []queue.Looked {
	if len(j.Dependencies) == 0 {
		return nil
	}
	on := make([]queue.Looked, len(j.Dependencies))
	for i := range j.Dependencies {
		if d := &j.Dependencies[i]; !d.OnGroup() {
			on[i].Digest = job.DigestOf(d.Queue, d.Key)
		}
	}
	return on
}

// lookUp asks history about the keys of n descriptions, whose finished jobs it returns,
// and about the keys that they depend on.
func (n *Namespace) lookUp(count int, at func(int) *queue.Prepared) (ends []uint64, err error) {
	digests := make([]job.Digest, count, count+8)
	for i := range count {
		digests[i] = at(i).Digest
	}
	var on []*queue.Looked
	for i := range count {
		for k := range at(i).On {
			if o := &at(i).On[k]; o.Digest != (job.Digest{}) {
				on, digests = append(on, o), append(digests, o.Digest)
			}
		}
	}
	ends = make([]uint64, len(digests))
	reach := n.store.Reach()
	if err := n.store.FindMany(digests, ends); err != nil {
		return nil, job.Wrap(err, "look up finished jobs", "")
	}
	for i := range count {
		at(i).Reach = reach
	}
	for k, o := range on {
		o.Found = ends[count+k] != 0
	}
	return ends[:count], nil
}

// tell puts the names of jobs into what the state machine says about dependencies, which
// has numbers. self is the job that the error is about. Other errors are left alone.
func (n *Namespace) tell(ctx context.Context, err error, self JobID) error {
	var cycle *queue.Cycle
	var awaited *queue.ErrAwaited
	switch {
	case errors.As(err, &cycle):
		return n.tellCycle(ctx, cycle, self)
	case errors.As(err, &awaited):
		return n.tellAwaited(ctx, err, awaited)
	}
	return err
}

func (n *Namespace) tellCycle(ctx context.Context, c *queue.Cycle, self JobID) error {
	path, skipped := c.Path, len(c.Path)-maxSteps
	if skipped > 0 {
		path = slices.Concat(path[:maxSteps/2], path[len(path)-maxSteps/2:])
	}
	var seqs []job.Seq
	for _, step := range path {
		if step.Seq != 0 {
			seqs = append(seqs, step.Seq)
		}
	}
	names, err := n.Names(ctx, seqs)
	if err != nil {
		return err
	}
	words := make([]string, len(path))
	for i, step := range path {
		switch {
		case step.Group != "":
			words[i] = step.Group
		case step.Seq != 0:
			words[i] = named(names, step.Seq).String()
		default:
			words[i] = self.String()
		}
	}
	if skipped > 0 {
		words = slices.Insert(words, maxSteps/2, fmt.Sprintf("(%d more)", skipped))
	}
	return job.Errorf(job.Conflict, "it would wait for itself: %s; take one of these dependencies away", strings.Join(words, " -> "))
}

// maxSteps is how much is shown of the way of a cycle.
const maxSteps = 12

func (n *Namespace) tellAwaited(ctx context.Context, err error, a *queue.ErrAwaited) error {
	names, nerr := n.Names(ctx, a.By)
	if nerr != nil {
		return nerr
	}
	var by []string
	for _, seq := range a.By {
		by = append(by, named(names, seq).String())
	}
	who := strings.Join(by, ", ")
	if a.More {
		who += " and others"
	}
	text := strings.ReplaceAll(err.Error(), a.Error(), "other jobs wait for it ("+who+")")
	return job.Errorf(job.KindOf(err), "%s", text)
}
