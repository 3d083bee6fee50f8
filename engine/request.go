package engine

import (
	"cmp"
	"fmt"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
	"github.com/muster-queue/muster/queue"
)

// This file has what callers ask of a namespace and what they get.

// AddRequest adds jobs, as one unit of commit.
type AddRequest struct {
	Jobs     []*job.Job
	Existing job.Existing
	// Kick also kicks those of the jobs that are there and buried.
	Kick bool
	// Partial adds the good jobs when some are bad; without it a bad job means
	// that none is added.
	Partial bool
	// Wait waits for a full inbox to drain rather than fail with Exhausted.
	Wait bool
	// Defined makes job.ErrNoQueue of queues that are not there or have no
	// definition, rather than making them; then none is added.
	Defined bool
	// Client and RequestID make a repeat safe: it gets the first one's answer.
	Client, RequestID string
}

// AddItem is the outcome for one job, in the order asked.
type AddItem struct {
	Status queue.AddStatus
	Seq    job.Seq
	Key    job.Key
	State  job.State
	Err    error
}

// AddResult is the answer to an AddRequest.
type AddResult struct {
	Items                                           []AddItem
	Added, Existed, Replaced, Rerun, Kicked, Failed int
}

// ReserveRequest asks for jobs for a pulling worker.
type ReserveRequest struct {
	// Worker is who takes them; it is registered if unknown.
	Worker job.Worker
	// N is the most jobs wanted; Wait how long to wait for the first of them
	// (zero: not at all; negative: without limit).
	N    int
	Wait time.Duration
	// Queues, Groups and Kinds restrict what is taken; empty means any.
	Queues, Groups, Kinds []string
	// Runtimes, if any, are those whose queues' jobs the worker understands.
	Runtimes []string
	// OneQueue asks that all jobs of the answer be from one queue, chosen by
	// priority and weight; the grants then come with Queue, Key and Data, in the
	// order of priority and, in queues ordered by key, of keys.
	OneQueue bool
	// Defined leaves out queues without a definition.
	Defined bool
	// AvailableMemory, if positive, is what the worker has, in bytes: queues whose
	// MinMemory is larger are left out.
	AvailableMemory int64
	// Commands asks for commands; otherwise jobs with data are given.
	Commands bool
	// Capacity, if given, bounds the sum of the jobs' needs.
	Capacity job.Resources
	// Exactly, if given, leaves out jobs that need anything else.
	Exactly *Exactly
	// Lease is the length of the lease; zero means the job's or queue's.
	Lease time.Duration
	// Session and Sequence make a repeat safe: the same sequence of the same
	// session gets the same grants again.
	Session  string
	Sequence uint64
}

// Grant is a job given to a worker.
type Grant struct {
	Seq     job.Seq
	Attempt job.AttemptID
	Number  uint32
	// Body is the stored description; Job decodes it.
	Body     []byte
	Lease    time.Duration
	Deadline time.Time
	// Queue, Key and Data are what Body says, where that was asked for
	// (ReserveRequest.OneQueue); Queue also in assignments.
	Queue string
	Key   job.Key
	Data  []byte
	// Needs are what was set aside for a command, Limits what it may use at most.
	Needs  job.Resources
	Limits learn.Amounts
}

// open decodes the description.
func (g *Grant) open() error {
	j, err := g.Job()
	if err != nil {
		return job.Wrap(err, "read the description of job", fmt.Sprint(g.Seq))
	}
	g.Queue, g.Key, g.Data = j.Queue, j.Key, j.Data
	return nil
}

// Job is the description of the job that was granted.
func (g *Grant) Job() (*job.Job, error) {
	j := new(job.Job)
	return j, job.Decode(g.Body, j)
}

// Ref names an attempt in a report.
type Ref = queue.Ref

// ReportKind is what a report says of an attempt.
type ReportKind uint8

// The kinds of report.
const (
	ReportStart ReportKind = iota
	ReportRenew
	ReportComplete
	ReportRelease
	ReportBury
	// ReportReturn gives back a job that was withdrawn or never begun.
	ReportReturn
)

// Report is one worker's news of one attempt.
type Report struct {
	Ref
	Kind   ReportKind
	Result job.Result
	// Data is the attempt's own document. It comes with the end or with a renewal;
	// the job's own stays as it is.
	Data []byte
	// Delay overrides the back-off of a release.
	Delay *time.Duration
	// Lease is the new length asked for by a renewal; zero keeps it.
	Lease          time.Duration
	Started, Ended time.Time
	// Remove deletes the job if the report buries it, unless others wait for it.
	Remove bool
	// Outputs are added with a completion. Without them a job that carries data, in a
	// queue that another one follows (Then), adds the "output" of its data to that
	// (see job.Outputs).
	Outputs []*job.Job
}

// ReportAnswer is the answer to one report.
type ReportAnswer struct {
	State    job.State
	Mark     job.Mark
	Deadline time.Time
	// Due is when a released job is tried again.
	Due time.Time
	Err error

	repeated bool
}

// Selector says which jobs a command is about: the keys, or all that match the
// filter.
type Selector struct {
	IDs    []JobID
	Filter *Filter
}

// JobID names a job in a namespace: by queue and key, by the digest of both, or
// by its number. Seq is used when it is not zero, Digest when there is no key.
type JobID struct {
	Queue  string
	Key    job.Key
	Digest job.Digest
	Seq    job.Seq
}

// digest is the digest that stands for queue and key.
func (id *JobID) digest() job.Digest {
	if id.Key == "" && id.Digest != (job.Digest{}) {
		return id.Digest
	}
	return job.DigestOf(cmp.Or(id.Queue, job.DefaultQueue), id.Key)
}

// String is how messages name the job.
func (id JobID) String() string {
	switch {
	case id.Key == "" && id.Seq != 0:
		return fmt.Sprintf("number %d", id.Seq)
	case id.Key == "":
		return fmt.Sprintf("%x", id.Digest)
	}
	return fmt.Sprintf("%s/%s", cmp.Or(id.Queue, job.DefaultQueue), id.Key)
}

// Filter selects jobs; its empty fields do not restrict.
type Filter struct {
	Queue, Group, Kind, Worker string
	// GroupPrefix is how the group's name begins, GroupPart is in it.
	GroupPrefix, GroupPart string
	// Account is the one that pays: the job's own, else its queue's, else the default.
	Account string
	// Host is that of the worker which holds the job, else had it last.
	Host    string
	States  []job.State
	Reasons []job.Reason
	Exit    *int
	// Key is the whole key. KeyPrefix is how it begins, KeyPart is in it; these, Command
	// (a part of its text) and Submitter are matched against the description.
	Key                                    job.Key
	KeyPrefix, KeyPart, Command, Submitter string
	// Added, Started (of the newest attempt) and Ended (complete or buried) are when.
	Added, Started, Ended Span
}

// Span is a time from Since on and before Until; a zero time is no bound.
type Span struct{ Since, Until time.Time }

// in reports whether a moment is in the span; none is in no span that has a bound.
func (s *Span) in(t job.Time) bool {
	if s.Since.IsZero() && s.Until.IsZero() {
		return true
	}
	return t != 0 && t >= job.TimeOf(s.Since) && (s.Until.IsZero() || t < job.TimeOf(s.Until))
}

// ListRequest lists jobs by pages: live ones in the order they were added, then
// finished ones, newest first.
type ListRequest struct {
	Filter Filter
	Page   int    // at most 1000; zero means 100
	Token  string // of the page before
	// Order, if any, asks for one page in this order; Descending has the largest first.
	Order      Order
	Descending bool
	// Output and Env ask for what is left out otherwise.
	Output, Env bool
}

// ListResult is a page.
type ListResult struct {
	Jobs []*Info
	// Next is where the next page begins, empty at the end. A page may have fewer jobs
	// than asked for, since a bounded number is looked at.
	Next string
	// Partial says of an ordered page that there were more jobs than it looked at.
	Partial bool
}

// Info is a job as people and programs see it.
type Info struct {
	Live job.Live
	// Job is the newest description.
	Job *job.Job
	// Account pays for it, if that exists; empty for nobody.
	Account string
	// Worker holds it; its zero value when nobody does.
	Worker job.Worker
	// End and Ended are of a complete job.
	End   uint64
	Ended time.Time
	// Last is the last attempt that ended, if there is one.
	Last *job.Attempt
	// Env is the captured environment, when asked for.
	Env []string
	// Dependencies are told by Get: who it waits for, and who waits for it.
	Dependencies *Dependencies

	// needs and time are what the attempt that holds it was given; see Held.
	needs job.Resources
	time  time.Duration
}

// OutcomesRequest groups jobs by state, reason and exit code.
type OutcomesRequest struct {
	Filter      Filter
	Limit       int // jobs shown of each outcome; zero means 1
	Output, Env bool
}

// Outcome are the jobs of one state, reason and exit code.
type Outcome struct {
	State  job.State
	Reason job.Reason
	Exit   int32
	Count  int64
	// Jobs are examples, as many as asked for; Similar is how many more there are.
	Jobs    []*Info
	Similar int64
}

// CountsRequest asks for counters; they are kept, never counted.
type CountsRequest struct {
	Queue, Group string
	// ByQueue and ByGroup list them, in order of name after the cursor.
	ByQueue, ByGroup bool
	After            string
	Limit            int
}

// NamedCounts are the counters of one queue or group.
type NamedCounts struct {
	Name   string
	Counts job.Counts
}

// CountsResult has the counters asked for.
type CountsResult struct {
	Total  job.Counts
	Queues []NamedCounts
	Groups []NamedCounts
	Next   string
}

// Stats are a namespace's figures.
type Stats struct {
	// Epoch is the incarnation, raised at each load.
	Epoch   uint32
	Counts  job.Counts
	Workers int
	Agents  int
	Paused  bool
	Mode    string // "started" or "draining"
	// SlowestEnds is the time until the slowest running job should end, by its
	// time bound; zero when nothing runs or nothing is bounded.
	SlowestEnds time.Duration
}

// DrainStatus answers a drain.
type DrainStatus struct {
	Running     int
	SlowestEnds time.Duration
}

// WorkersRequest lists workers in the order of their names.
type WorkersRequest struct {
	// Parent, if not empty, is the one whose children are meant.
	Parent string
	// Active leaves out all but those that announced themselves with a time that is
	// not over; All has those listed, too, that left and are remembered.
	Active, All bool
	// After leaves out this name and smaller ones.
	After string
	Limit int // at most MaxPage, which is the default
}

// WorkerInfo is a worker that is known.
type WorkerInfo struct {
	job.Worker
	// Active: it announced itself, and until Expires; Left: it said that it leaves.
	Active, Left bool
	ID           job.WorkerID
	Connected    bool
	Heard        time.Time
	Free         job.Resources
	Held         int
	Draining     bool
}

// QueueInfo is a queue with its counters.
type QueueInfo struct {
	job.Queue
	Counts job.Counts
	// Next is when a continuous queue may make its next job, if it had to wait.
	Next time.Time
}
