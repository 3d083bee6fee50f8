package engine

import (
	"context"
	"fmt"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Dependencies are who a live job waits for, and who waits for it.
type Dependencies struct {
	// Waits are the job's dependencies as they stand, in the order of its description.
	Waits []Dependency
	// By are some of those who wait for it; More says that there are others.
	By   []JobID
	More bool
}

// Dependency is one dependency of a job as it stands.
type Dependency struct {
	queue.Wait
	// Text says for people what it waits for, and what can be done about it.
	Text string
}

// maxAwaitedBy is how many of those who wait for a job are shown.
const maxAwaitedBy = 10

// maxCulprits bounds the jobs whose names are read to say what a job waits for.
const maxCulprits = 100

// dependencies finds who a live job waits for, and who waits for it; nil if it has no
// part in any dependency.
func (n *Namespace) dependencies(ctx context.Context, seq job.Seq, j *job.Job) (*Dependencies, error) {
	if !n.depends.Load() {
		return nil, nil
	}
	type standing struct {
		waits []queue.Wait
		by    []job.Seq
		more  bool
	}
	s, err := call(ctx, n, normal, func(w *writer) (s standing, err error) {
		s.waits = w.state.Waits(seq)
		s.by, s.more = w.state.Awaited(seq, maxAwaitedBy)
		return s, nil
	})
	if err != nil || len(s.waits)+len(s.by) == 0 {
		return nil, err
	}
	seqs := s.by
	for i := range s.waits {
		if c := s.waits[i].Culprit; c != 0 && len(seqs) < maxCulprits {
			seqs = append(seqs, c)
		}
	}
	names, err := n.Names(ctx, seqs)
	if err != nil {
		return nil, err
	}
	d := &Dependencies{More: s.more}
	for _, by := range s.by {
		d.By = append(d.By, named(names, by))
	}
	for i, w := range s.waits {
		on := ""
		if i < len(j.Dependencies) && w.Group == "" {
			on = JobID{Queue: j.Dependencies[i].Queue, Key: j.Dependencies[i].Key}.String()
		}
		culprit := ""
		if w.Culprit != 0 {
			culprit = named(names, w.Culprit).String()
		}
		d.Waits = append(d.Waits, Dependency{w, waitText(&w, on, culprit)})
	}
	return d, nil
}

// named is how a job is called, by its number if it has gone.
func named(names map[job.Seq]Named, seq job.Seq) JobID {
	if n, ok := names[seq]; ok {
		return JobID{Queue: n.Job.Queue, Key: n.Job.Key, Seq: seq}
	}
	return JobID{Seq: seq}
}

// waitText says what a dependency waits for: on is the job it is on, if it is on a key.
func waitText(w *queue.Wait, on, culprit string) string {
	what, members := "job "+on, ""
	if w.Group != "" {
		what = "dependency group " + w.Group
		members = fmt.Sprintf(" (%d not ended, %d buried, %d complete)", w.Open, w.Buried, w.Complete)
	}
	switch {
	case w.Met && w.Open+w.Buried+w.Complete == 0:
		return what + ": nothing to wait for"
	case w.Met:
		return what + ": met" + members
	case w.Never:
		return what + ": cannot be met as it is" + members + "; " + remedy(w, culprit)
	case w.Open+w.Buried+w.Complete == 0 && w.Group == "":
		return what + ", which is not there yet"
	case w.Open+w.Buried+w.Complete == 0:
		return what + ", which has no members yet"
	}
	return what + untilText(w.Condition) + members
}

func untilText(c job.Condition) string {
	switch c {
	case job.ConditionFailed:
		return ", for a failure"
	case job.ConditionAny:
		return ", until it has ended"
	}
	return ", until it is complete"
}

// remedy says what can be done about a dependency that cannot be met.
func remedy(w *queue.Wait, culprit string) string {
	if w.Condition == job.ConditionFailed {
		return "nothing failed: remove the job that waits for a failure, or change its dependencies"
	}
	return culprit + " is buried: kick it, or remove it with --dependants release"
}
