package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/muster-queue/muster/job"
)

// GroupFailure are the buried jobs of a group that have one reason and exit code.
type GroupFailure struct {
	Reason job.Reason
	Exit   int32
	Count  int64
	// Jobs are some of them, as many as asked for.
	Jobs []JobID
}

// MaxFailureJobs is the most jobs that are named of one failure.
const MaxFailureJobs = 100

type failureKey struct {
	group  job.GroupID
	reason job.Reason
	exit   int32
}

// failed are the jobs met of one failure.
type failed struct {
	count int64
	jobs  []found
}

// fillFailures looks at the buried jobs of groups that were summed up.
func (n *Namespace) fillFailures(ctx context.Context, r *SummariesRequest, groups []GroupSummary) error {
	index := map[job.GroupID]*GroupSummary{}
	buried := int64(0)
	for i := range groups {
		index[groups[i].id] = &groups[i]
		buried += groups[i].Counts[job.Buried]
	}
	if r.Failures == 0 || buried == 0 {
		return nil
	}
	all := map[failureKey]*failed{}
	f := Filter{Group: r.Groups.Name, GroupPrefix: r.Groups.Prefix, GroupPart: r.Groups.Part, States: []job.State{job.Buried}}
	err := n.eachLive(ctx, &f, 0, false, &effort{left: orderEffort}, func(j *found, _ *job.Job) bool {
		key := failureKey{j.live.Group, j.live.Reason, j.live.Exit}
		if r.Total {
			key.group = 0
		}
		if index[key.group] == nil || r.Total && j.live.Group == 0 {
			return true
		}
		if all[key] == nil {
			all[key] = &failed{}
		}
		if all[key].count++; len(all[key].jobs) < r.Failures {
			all[key].jobs = append(all[key].jobs, *j)
		}
		return true
	})
	for key, met := range all {
		if err != nil {
			return err
		}
		failure := GroupFailure{Reason: key.reason, Exit: key.exit, Count: met.count}
		failure.Jobs, err = n.idsOf(met.jobs)
		index[key.group].Failures = append(index[key.group].Failures, failure)
	}
	for i := range groups {
		slices.SortFunc(groups[i].Failures, func(a, b GroupFailure) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Exit, b.Exit))
		})
	}
	return err
}

// idsOf are the queues and keys of jobs, without those deleted since.
func (n *Namespace) idsOf(page []found) ([]JobID, error) {
	jobs, err := n.describe(page)
	if err != nil {
		return nil, err
	}
	var ids []JobID
	for _, j := range jobs {
		if j != nil {
			ids = append(ids, JobID{Queue: j.QueueName(), Key: j.Key})
		}
	}
	return ids, nil
}
