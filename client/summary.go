package client

import (
	"context"
	"iter"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Groups says which groups are meant: one by its name, those whose names begin with
// Prefix, or those that have Part in them; its zero value: all.
type Groups struct{ Name, Prefix, Part string }

// Summary is a group: its jobs by state, and what the attempts used that completed its
// complete jobs. A total of several groups has no name.
type Summary struct {
	Name   string
	Counts job.Counts
	// Memory and Disk are in bytes, CPU and Wall in seconds.
	Memory, Disk, CPU, Wall Measure
	// FirstStarted and LastEnded are of the complete jobs; Elapsed is between them.
	FirstStarted, LastEnded time.Time
	Elapsed                 time.Duration
	Failures                []Failure
}

// Measure is how what was used is spread over jobs; Count is of how many it is known.
type Measure struct {
	Count                             int64
	Sum, Mean, Deviation, Median, P95 float64
}

// Failure are the buried jobs of a group with one reason and exit code; Jobs are some.
type Failure struct {
	Reason job.Reason
	Exit   int
	Count  int64
	Jobs   []Ref
}

// SummaryOptions say what else is asked for.
type SummaryOptions struct {
	// Total asks for one summary of all groups that match.
	Total bool
	// Failures asks for buried jobs by reason and exit code, so many of each by name.
	Failures int
}

// Summaries sums groups up, in the order of their names.
func (n *Namespace) Summaries(ctx context.Context, g Groups, o SummaryOptions) iter.Seq2[*Summary, error] {
	return pages(func(token string) ([]*Summary, string, error) {
		m, err := call(ctx, n.c, n.c.jobs.SummariseGroups, &musterv1.SummariseGroupsRequest{
			Namespace: n.name, Group: g.Name, GroupPrefix: g.Prefix, GroupPart: g.Part,
			Total: o.Total, Failures: int32(o.Failures), PageToken: token,
		})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Groups, toSummary)
		return list, m.NextPageToken, err
	})
}

func toSummary(m *musterv1.GroupSummary) (*Summary, error) {
	var f firstError
	s := &Summary{
		Name: m.Name, Counts: api.ToCounts(m.Counts), Elapsed: m.Elapsed.AsDuration(),
		Memory: toMeasure(m.Memory), Disk: toMeasure(m.Disk), CPU: toMeasure(m.Cpu), Wall: toMeasure(m.Wall),
		FirstStarted: stamp(m.FirstStarted), LastEnded: stamp(m.LastEnded),
	}
	for _, fm := range m.Failures {
		failure := Failure{Reason: take(&f, job.ParseReason, fm.Reason), Exit: int(fm.ExitCode), Count: fm.Count}
		for _, ref := range fm.Jobs {
			failure.Jobs = append(failure.Jobs, Ref{Queue: ref.Queue, Key: take(&f, api.ParseKey, ref.Key), ID: ref.Id})
		}
		s.Failures = append(s.Failures, failure)
	}
	return s, f.err
}

func toMeasure(m *musterv1.Measure) Measure {
	return Measure{
		Count: m.GetCount(), Sum: m.GetSum(), Mean: m.GetMean(), Deviation: m.GetDeviation(), Median: m.GetMedian(), P95: m.GetP95(),
	}
}
