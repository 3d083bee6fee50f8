package client

import (
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Info is a job as it stands.
type Info struct {
	// ID is the digest of queue and key, in hexadecimal; Seq the job's number in
	// its namespace, in the order of adding.
	ID    string
	Seq   job.Seq
	Queue string
	Key   job.Key

	State job.State
	// Stopping is why a held job is being stopped.
	Stopping job.Mark
	// Reason and Exit are of the last attempt that ended.
	Reason job.Reason
	Exit   int

	Group, Kind string
	// Account pays for it: its own, else its queue's, else the default one.
	Account  string
	Priority float64

	// Attempts made, times it ran, failures and losses charged, and how many
	// failures it may still have before it is buried.
	Attempts, Starts, Failures, Losses, RetriesLeft uint32

	// Since is when it entered its state, Due when a delayed job becomes ready,
	// Ended when a complete one ended.
	Added, Since, Due, Ended time.Time

	// Attempt is the held one, else the last one that ended; nil if none.
	Attempt *job.Attempt
	// Job is the description; nil in brief listings.
	Job *job.Job
	// Environment is the captured one, when asked for.
	Environment []string

	// Waits are the dependencies of a live job as they stand, in the order of its
	// description, and AwaitedBy some of the jobs that wait for it, with AwaitedByMore
	// if there are others. Get tells of them, lists do not.
	Waits         []Dependency
	AwaitedBy     []Ref
	AwaitedByMore bool
}

// Dependency is one dependency of a live job as it stands.
type Dependency struct {
	Met bool
	// Stuck: it cannot be met as things are; somebody has to act.
	Stuck bool
	// Open, Buried and Complete are the members of the group by how far they are.
	Open, Buried, Complete int64
	// Text says for people what it waits for, and what can be done about it.
	Text string
}

func toDependency(m *musterv1.DependencyStatus) Dependency {
	return Dependency{Met: m.Met, Stuck: m.Stuck, Open: m.Open, Buried: m.Buried, Complete: m.Complete, Text: m.Text}
}

func toInfo(m *musterv1.JobInfo) (*Info, error) {
	i := &Info{
		ID: m.Id, Seq: job.Seq(m.Seq), Queue: m.Queue, Group: m.Group, Kind: m.Kind, Account: m.Account, Priority: m.Priority, Exit: int(m.ExitCode),
		Attempts: m.Attempts, Starts: m.Starts, Failures: m.Failures, Losses: m.Losses, RetriesLeft: m.RetriesLeft,
		Added: stamp(m.Added), Since: stamp(m.Since), Due: stamp(m.Due), Ended: stamp(m.Ended),
		Environment: m.Environment,
	}
	var f firstError
	i.Key = take(&f, api.ParseKey, m.Key)
	i.State = take(&f, parseState, m.State)
	i.Stopping = take(&f, api.ParseMark, m.Stopping)
	i.Reason = take(&f, job.ParseReason, m.Reason)
	i.Attempt = take(&f, api.ToAttempt, m.Attempt)
	if m.Job != nil {
		i.Job = take(&f, api.ToJob, m.Job)
	}
	for _, w := range m.WaitsFor {
		i.Waits = append(i.Waits, toDependency(w))
	}
	for _, r := range m.AwaitedBy {
		i.AwaitedBy = append(i.AwaitedBy, Ref{Queue: r.Queue, Key: take(&f, api.ParseKey, r.Key), Seq: job.Seq(r.Seq)})
	}
	i.AwaitedByMore = m.AwaitedByMore
	return i, answered(f.err)
}

// parseState reads a state of an event, which may be that of no job.
func parseState(word string) (job.State, error) {
	if word == "" || word == job.Absent.String() {
		return job.Absent, nil
	}
	return job.ParseState(word)
}

// firstError keeps the first error of several conversions.
type firstError struct{ err error }

func take[M, T any](f *firstError, convert func(M) (T, error), m M) T {
	v, err := convert(m)
	if f.err == nil {
		f.err = err
	}
	return v
}

// answered makes what cannot be read in an answer the fault of versions that do
// not understand each other, not the caller's.
func answered(err error) error {
	if err == nil {
		return nil
	}
	return job.Errorf(job.Internal, "the server's answer cannot be read; is it of a newer release? %w", err)
}

// stamp reads a time that the server gave, zero if none.
func stamp(m interface {
	IsValid() bool
	AsTime() time.Time
},
) time.Time {
	if !m.IsValid() {
		return time.Time{}
	}
	return m.AsTime()
}

// Ref names a job: by queue (empty: the default) and key, by ID, or by number.
type Ref struct {
	Queue string
	Key   job.Key
	ID    string
	Seq   job.Seq
}

func (r Ref) message() *musterv1.JobRef {
	if r.Seq != 0 {
		return &musterv1.JobRef{Seq: uint64(r.Seq)}
	}
	if r.ID != "" {
		return &musterv1.JobRef{Id: r.ID}
	}
	return &musterv1.JobRef{Queue: r.Queue, Key: api.KeyText(r.Key)}
}

func refs(list []Ref) []*musterv1.JobRef {
	out := make([]*musterv1.JobRef, len(list))
	for i, r := range list {
		out[i] = r.message()
	}
	return out
}

// Filter selects jobs; its empty fields do not restrict.
type Filter struct {
	Queue, Group, Kind, Account string
	// States are any of these: names of states, "live" (not complete), "held"
	// (reserved, running, lost), "unfinished" (live and not buried).
	States []string
	// Reasons are any of these, of the last attempt that ended.
	Reasons []job.Reason
	// Exit is the exit code of the last attempt that ended.
	Exit         *int
	Host, Worker string
	// Key is the whole key; KeyPrefix begins its text, KeyPart is in it. Command is a part
	// of the command's.
	Key                         job.Key
	KeyPrefix, KeyPart, Command string
	// GroupPrefix begins the group's name, GroupPart is in it.
	GroupPrefix, GroupPart string
	// Submitter is who added the job.
	Submitter string
	// Added, Started (of the newest attempt) and Ended (complete or buried) are when.
	Added, Started, Ended Span
}

// Span is a time from Since on and before Until; a zero time is no bound.
type Span struct{ Since, Until time.Time }

func (f *Filter) message() *musterv1.Filter {
	if f == nil {
		return nil
	}
	m := &musterv1.Filter{
		Queue: f.Queue, Group: f.Group, Kind: f.Kind, Account: f.Account, States: f.States,
		Host: f.Host, Worker: f.Worker, KeyPrefix: f.KeyPrefix, KeyPart: f.KeyPart, Command: f.Command,
		GroupPrefix: f.GroupPrefix, GroupPart: f.GroupPart, Submitter: f.Submitter,
		AddedSince: api.FromTime(f.Added.Since), AddedUntil: api.FromTime(f.Added.Until),
		StartedSince: api.FromTime(f.Started.Since), StartedUntil: api.FromTime(f.Started.Until),
		EndedSince: api.FromTime(f.Ended.Since), EndedUntil: api.FromTime(f.Ended.Until),
	}
	if f.Key != "" {
		m.Key = api.KeyText(f.Key)
	}
	for _, r := range f.Reasons {
		m.Reasons = append(m.Reasons, r.Word())
	}
	if f.Exit != nil {
		exit := int32(*f.Exit)
		m.ExitCode = &exit
	}
	return m
}
