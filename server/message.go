package server

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// view is what of a job's information a caller asked for and may see, and what
// is needed to make the message of it.
type view struct {
	ns             *engine.Namespace
	brief, encoded bool
	// retries are the retries of queues met so far.
	retries map[string]int
}

// environmentAllowed refuses those who only look: what is in an environment may
// be secret.
func environmentAllowed(ctx context.Context, wanted bool) error {
	if wanted && callerOf(ctx).Role == token.Reader {
		return job.Errorf(job.Denied, "environment: it may hold secrets, which the role %s does not see", token.Reader)
	}
	return nil
}

func (v *view) infos(ctx context.Context, list []*engine.Info) ([]*v1.JobInfo, error) {
	messages := make([]*v1.JobInfo, len(list))
	for i, info := range list {
		m, err := v.info(ctx, info)
		if err != nil {
			return nil, err
		}
		messages[i] = m
	}
	return messages, nil
}

// info is a job as a message.
func (v *view) info(ctx context.Context, i *engine.Info) (*v1.JobInfo, error) {
	l := &i.Live
	m := &v1.JobInfo{
		Id: api.ID(l.Digest), Seq: uint64(l.Seq), Queue: i.Job.QueueName(), Key: api.KeyText(i.Job.Key),
		State: l.State.String(), Stopping: l.Mark.String(),
		Reason: l.Reason.Word(), ReasonText: l.Reason.String(), ExitCode: l.Exit,
		Group: text(i.Job.Group), Kind: text(i.Job.Kind), Account: text(i.Account), Priority: l.Priority,
		Attempts: l.Number, Starts: l.Starts, Failures: l.Failures, Losses: l.Losses,
		Added: stamp(l.Added), Since: stamp(l.Since), Due: stamp(l.Due), Ended: api.FromTime(i.Ended),
		Attempt: attemptOf(i), Environment: texts(i.Env),
	}
	left, err := v.retriesLeft(ctx, i)
	if err != nil {
		return nil, err
	}
	m.RetriesLeft = left
	addDependencies(m, i.Dependencies)
	if !v.brief {
		m.Job = api.FromJob(i.Job)
	}
	if v.encoded {
		m.Job.Encoded, err = job.Encode(nil, i.Job)
	}
	return m, err
}

// addDependencies adds who the job waits for, and who waits for it.
func addDependencies(m *v1.JobInfo, d *engine.Dependencies) {
	if d == nil {
		return
	}
	for i := range d.Waits {
		w := &d.Waits[i]
		m.WaitsFor = append(m.WaitsFor, &v1.DependencyStatus{
			Met: w.Met, Stuck: w.Never, Open: w.Open, Buried: w.Buried, Complete: w.Complete, Text: text(w.Text),
		})
	}
	for _, id := range d.By {
		m.AwaitedBy = append(m.AwaitedBy, &v1.JobRef{Queue: text(id.Queue), Key: api.KeyText(id.Key), Seq: uint64(id.Seq)})
	}
	m.AwaitedByMore = d.More
}

// attemptOf is the attempt a job is held by, else the last one that ended.
func attemptOf(i *engine.Info) *v1.Attempt {
	if held := i.Held(); held != nil {
		return api.FromAttempt(held)
	}
	return api.FromAttempt(i.Last)
}

// retriesLeft is how many failures a job may still have before it is buried.
func (v *view) retriesLeft(ctx context.Context, i *engine.Info) (uint32, error) {
	retries := int(i.Live.Retries)
	if retries == job.RetriesDefault {
		var err error
		if retries, err = v.queueRetries(ctx, i.Job.QueueName()); err != nil {
			return 0, err
		}
	}
	return uint32(max(retries-int(i.Live.Failures), 0)), nil
}

func (v *view) queueRetries(ctx context.Context, name string) (int, error) {
	if n, ok := v.retries[name]; ok {
		return n, nil
	}
	n := job.DefaultRetries
	q, err := v.ns.Queue(ctx, name)
	switch {
	case err == nil && q.Retries != nil:
		n = *q.Retries
	case err != nil && !job.IsKind(err, job.NotFound):
		return 0, err
	}
	if v.retries == nil {
		v.retries = map[string]int{}
	}
	v.retries[name] = n
	return n, nil
}

// jobIDs reads references to jobs.
func jobIDs(list []*v1.JobRef) ([]engine.JobID, error) {
	ids := make([]engine.JobID, len(list))
	for i, m := range list {
		id, err := jobID(m)
		if err != nil {
			return nil, &api.ItemError{Item: i + 1, Err: err}
		}
		ids[i] = id
	}
	return ids, nil
}

// jobID reads a reference to a job: an id, a number, or a queue and a key.
func jobID(m *v1.JobRef) (engine.JobID, error) {
	switch {
	case m.GetId() != "" && m.GetKey() != "" || m.GetSeq() != 0 && m.GetId()+m.GetKey() != "":
		return engine.JobID{}, job.Errorf(job.Invalid, "job: give its id, its number, or its queue and key, not two of them")
	case m.GetSeq() != 0:
		return engine.JobID{Seq: job.Seq(m.GetSeq())}, nil
	case m.GetId() != "":
		digest, err := api.ParseID(m.GetId())
		return engine.JobID{Digest: digest}, err
	case m.GetKey() == "":
		return engine.JobID{}, job.Errorf(job.Invalid, "job: its key (or id) is missing")
	}
	key, err := api.ParseKey(m.GetKey())
	return engine.JobID{Queue: m.GetQueue(), Key: key}, err
}

// jobRef is the reference to a job of a refusal.
func jobRef(id engine.JobID) *v1.JobRef {
	if id.Seq != 0 {
		return &v1.JobRef{Seq: uint64(id.Seq)}
	}
	if id.Key == "" {
		return &v1.JobRef{Id: api.ID(id.Digest)}
	}
	return &v1.JobRef{Queue: text(id.Queue), Key: api.KeyText(id.Key)}
}

// stateWords are the states a filter may name beside those of jobs.
var stateWords = map[string][]job.State{
	"live":       {job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost, job.Buried},
	"held":       {job.Reserved, job.Running, job.Lost},
	"unfinished": {job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost},
}

// filter reads a filter.
func filter(m *v1.Filter) (engine.Filter, error) {
	f := engine.Filter{
		Queue: m.GetQueue(), Group: m.GetGroup(), Kind: m.GetKind(), Account: m.GetAccount(), Worker: m.GetWorker(), Host: m.GetHost(),
		Command: m.GetCommand(), GroupPrefix: m.GetGroupPrefix(), GroupPart: m.GetGroupPart(), Submitter: m.GetSubmitter(),
	}
	if err := filterKeys(&f, m); err != nil {
		return f, err
	}
	err := filterTimes(&f, m)
	if err != nil {
		return f, err
	}
	if m.GetExitCode() != 0 || m != nil && m.ExitCode != nil {
		exit := int(m.GetExitCode())
		f.Exit = &exit
	}
	if f.States, err = states(m.GetStates()); err != nil {
		return f, err
	}
	for _, word := range m.GetReasons() {
		reason, err := job.ParseReason(word)
		if err != nil {
			return f, err
		}
		f.Reasons = append(f.Reasons, reason)
	}
	return f, nil
}

// filterKeys reads what a filter says of keys.
func filterKeys(f *engine.Filter, m *v1.Filter) (err error) {
	var prefix, part job.Key
	if m.GetKey() != "" {
		f.Key, err = api.ParseKey(m.GetKey())
	}
	if err == nil {
		prefix, err = api.ParseKey(m.GetKeyPrefix())
	}
	if err == nil {
		part, err = api.ParseKey(m.GetKeyPart())
	}
	f.KeyPrefix, f.KeyPart = string(prefix), string(part)
	return err
}

// filterTimes reads what a filter says of times.
func filterTimes(f *engine.Filter, m *v1.Filter) error {
	for _, t := range []struct {
		field string
		from  *timestamppb.Timestamp
		to    *time.Time
	}{
		{"added_since", m.GetAddedSince(), &f.Added.Since}, {"added_until", m.GetAddedUntil(), &f.Added.Until},
		{"started_since", m.GetStartedSince(), &f.Started.Since}, {"started_until", m.GetStartedUntil(), &f.Started.Until},
		{"ended_since", m.GetEndedSince(), &f.Ended.Since}, {"ended_until", m.GetEndedUntil(), &f.Ended.Until},
	} {
		if t.from == nil {
			continue
		}
		if !t.from.IsValid() {
			return job.Errorf(job.Invalid, "%s: not a time", t.field)
		}
		*t.to = t.from.AsTime()
	}
	return nil
}

// states reads words of states, each state once.
func states(words []string) ([]job.State, error) {
	var list []job.State
	for _, word := range words {
		if several, ok := stateWords[word]; ok {
			list = append(list, several...)
			continue
		}
		state, err := job.ParseState(word)
		if err != nil {
			return nil, job.Errorf(job.Invalid, "%w, live, held, unfinished", err)
		}
		list = append(list, state)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}
