package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// State is one namespace.
type State struct{}

// New is an empty namespace. To load a stored one, let the store call the Load
// methods, then call Loaded; for a new one call Loaded alone.
func New(cfg Config) *State { panic(0) }

// LoadMeta and its siblings receive a namespace's records, in the order of
// store.Loader.
func (s *State) LoadMeta(m job.Meta)          { panic(0) }
func (s *State) LoadQueue(r job.QueueRow)     { panic(0) }
func (s *State) LoadGroup(r job.GroupRow)     { panic(0) }
func (s *State) LoadKind(r job.KindRow)       { panic(0) }
func (s *State) LoadShape(r job.ShapeRow)     { panic(0) }
func (s *State) LoadWorker(r job.WorkerRow)   { panic(0) }
func (s *State) LoadLive(l *job.Live)         { panic(0) }
func (s *State) LoadFinished(f *job.Finished) { panic(0) }

// Loaded ends a load: every held attempt gets a fresh full lease from now, or
// what remains of Meta.HoldUntil if that is longer. epoch is the store's
// Namespace.Epoch, seed is used when the namespace has none yet. Call Feed until
// it is empty before the first command.
func (s *State) Loaded(now job.Time, epoch uint32, seed uint64) { panic(0) }

// Begin starts a turn at the given engine time, which must not go back.
func (s *State) Begin(now job.Time) { panic(0) }

// Take ends the turn: what must be stored, as absolute values, each job once.
// It is valid until the next Take, and empty (Changes.Empty) if nothing changed.
func (s *State) Take() *job.Changes { panic(0) }

// Feed is what the scheduler must be told since the last call; valid until the
// next command or Feed. After Loaded it comes in portions: call it until empty.
func (s *State) Feed() []Feed { panic(0) }

// Events are the changes since Begin; valid until the next Begin.
func (s *State) Events() []Event { panic(0) }

// Orders are what workers must be told since Begin; valid until the next Begin.
func (s *State) Orders() []Order { panic(0) }

// Now is the time of the turn.
func (s *State) Now() job.Time { panic(0) }

// Meta is a copy of the namespace's counters and modes.
func (s *State) Meta() job.Meta { panic(0) }

// Add adds jobs. The result has one entry per item, in order, and is valid until
// the next Add.
func (s *State) Add(items []Prepared, o AddOptions) []Added { panic(0) }

// TrimOverlay lets go of what is remembered of jobs that finished below the end
// number reach, keeping one generation more. Call it now and then with the
// store's Reach.
func (s *State) TrimOverlay(reach uint64) { panic(0) }

// Grant gives a ready job to a worker. It is false if the job is not ready any
// more, its queue or the namespace is paused or draining, or its attempts were
// used up (it is buried then). A lease of zero means the job's, else the queue's,
// else the default.
func (s *State) Grant(seq job.Seq, w job.WorkerID, lease time.Duration, prefetched bool) (Grant, bool) {
	panic(0)
}

// Start: the attempt runs since at (zero: now). A repeat is accepted.
func (s *State) Start(ref Ref, at job.Time) (Renewal, error) { panic(0) }

// Renew gives the attempt a lease from now; zero means as long as before.
// For attempts held by agents Heard renews all at once.
func (s *State) Renew(ref Ref, lease time.Duration) (Renewal, error) { panic(0) }

// End is a worker's report. Errors: job.ErrNoJob (not live: look in history,
// the same attempt there means a repeat), job.ErrLostLease.
func (s *State) End(e *End) (Ended, error) { panic(0) }

// Cancel: a waiting or lost job is buried(cancelled) at once, a held one is
// marked and its worker told. Buried: nothing to do, no error.
func (s *State) Cancel(seq job.Seq) (job.State, error) { panic(0) }

// Preempt marks a held attempt: when it ends, the job is ready at its old place.
func (s *State) Preempt(seq job.Seq) error { panic(0) }

// Withdraw asks a prefetched job back from its worker.
func (s *State) Withdraw(seq job.Seq) error { panic(0) }

// Delete removes a live job. Held ones are refused (Conflict) unless force, which
// revokes the lease.
func (s *State) Delete(seq job.Seq, force bool) error { panic(0) }

// DeleteFinished removes a finished job with all that is kept of it.
func (s *State) DeleteFinished(f *job.Finished) error { panic(0) }

// Kick makes a buried (or delayed) job ready and resets its budgets.
func (s *State) Kick(seq job.Seq) error { panic(0) }

// Bury buries a waiting job for a reason (resource).
func (s *State) Bury(seq job.Seq, reason job.Reason) error { panic(0) }

// Modify gives a live job a new description, which may change its key (Exists
// if another job has that). A held attempt is not disturbed.
func (s *State) Modify(seq job.Seq, p *Prepared) error { panic(0) }

// Conclude is the administrative end of a job that nobody holds: ready, delayed
// or buried to Complete, ready or delayed to Buried. From ready it makes an
// attempt by the worker (zero: nobody). Result and data are the attempt's.
func (s *State) Conclude(seq job.Seq, to job.State, w job.WorkerID, r *job.Result, data []byte) error {
	panic(0)
}

// Reopen makes a finished job live again with its description as it was
// (complete to ready). p.Finished must be set.
func (s *State) Reopen(p *Prepared) Added { panic(0) }

// Join makes a worker known, or brings a known name up to date. The second
// result are earlier incarnations of the same agent that still are known.
func (s *State) Join(w job.Worker) (job.WorkerID, []job.WorkerID) { panic(0) }

// Heard: the worker is alive; it renews the leases of all attempts an agent holds.
func (s *State) Heard(w job.WorkerID) error { panic(0) }

// EndHold: the worker acts on ordinary leases again, not on HoldUntil.
func (s *State) EndHold(w job.WorkerID) { panic(0) }

// Supersede ends all attempts of a worker as lost at once: a successor on the
// same machine verified that its processes have ended. Its ghosts go too.
func (s *State) Supersede(w job.WorkerID) error { panic(0) }

// Leave: the worker is gone for good. Attempts it holds keep their leases.
func (s *State) Leave(w job.WorkerID) { panic(0) }

// Shift adds d to every lease: the server could not hear for that long.
func (s *State) Shift(d time.Duration) { panic(0) }

// Hold extends all leases, durably, to at least until.
func (s *State) Hold(until job.Time) { panic(0) }

// Pause, Resume and Drain set the namespace's modes; Drain(false) ends draining.
func (s *State) Pause()        { panic(0) }
func (s *State) Resume()       { panic(0) }
func (s *State) Drain(on bool) { panic(0) }

// Progress is how many jobs are held, and the time until the slowest running one
// should have ended by its time bound.
func (s *State) Progress() (held int64, rest time.Duration) { panic(0) }

// SetQueue creates or changes a queue.
func (s *State) SetQueue(def job.Queue) (job.QueueID, error) { panic(0) }

// DeleteQueue deletes a queue. One with jobs is refused (Conflict) unless all,
// which deletes its live jobs too, at most max in a call; more says that it must
// be called again. Finished jobs must be deleted before.
func (s *State) DeleteQueue(name string, all bool, max int) (more bool, err error) { panic(0) }

// Expire does what is due (delays, lease ends, silence, old requests), at most
// max things; more says that there is more to do now.
func (s *State) Expire(max int) (more bool) { panic(0) }

// NextTimer is when Expire has something to do; false if never.
func (s *State) NextTimer() (job.Time, bool) { panic(0) }

// Remember keeps the outcome of a client's request; Recall finds it.
func (s *State) Remember(client, id string, outcome []byte) { panic(0) }
func (s *State) Recall(client, id string) ([]byte, bool)    { panic(0) }

// KeepReserve remembers what a reserve session's request was given, in the place
// of its earlier one; RepeatReserve finds it. known is false for a new sequence.
func (s *State) KeepReserve(session string, sequence uint64, grants []Grant) { panic(0) }
func (s *State) RepeatReserve(session string, sequence uint64) (grants []Grant, known bool) {
	panic(0)
}

// Lookup finds a live job by the digest of its key, BySeq by its number.
func (s *State) Lookup(d job.Digest) (job.Live, bool) { panic(0) }
func (s *State) BySeq(seq job.Seq) (job.Live, bool)   { panic(0) }

// Counts are the numbers of all jobs by state, Bytes those of their descriptions.
func (s *State) Counts() job.Counts { panic(0) }
func (s *State) Bytes() int64       { panic(0) }

// Named is a queue or group with its counters.
type Named struct {
	Name   string
	ID     uint32
	Counts job.Counts
}

// Queues and Groups list at most limit, in the order of their names, those after
// the name after.
func (s *State) Queues(after string, limit int) []Named { panic(0) }
func (s *State) Groups(after string, limit int) []Named { panic(0) }

// QueueNamed and GroupNamed find one by name.
func (s *State) QueueNamed(name string) (Named, bool) { panic(0) }
func (s *State) GroupNamed(name string) (Named, bool) { panic(0) }

// Queue, Group, Kind, Shape and Worker are the rows behind numbers.
func (s *State) Queue(id job.QueueID) (job.Queue, bool)    { panic(0) }
func (s *State) Group(id job.GroupID) (string, bool)       { panic(0) }
func (s *State) Kind(id job.KindID) (string, bool)         { panic(0) }
func (s *State) Shape(id job.ShapeID) (job.Shape, bool)    { panic(0) }
func (s *State) Worker(id job.WorkerID) (WorkerInfo, bool) { panic(0) }

// WorkerNamed finds a worker by name; Workers lists them by name.
func (s *State) WorkerNamed(name string) (WorkerInfo, bool)   { panic(0) }
func (s *State) Workers(after string, limit int) []WorkerInfo { panic(0) }

// WorkerInfo is a worker and how it is.
type WorkerInfo struct {
	job.WorkerRow
	// Heard is when it was last heard of, Silent that this is too long ago.
	Heard  job.Time
	Silent bool
	Held   int
}

// Held lists the attempts a worker holds, with their marks and deadlines.
func (s *State) Held(w job.WorkerID) []HeldJob { panic(0) }

// HeldJob is a held attempt.
type HeldJob struct {
	job.Live
	Deadline job.Time
	// Ghost: the job was deleted; only the lease is left.
	Ghost bool
}

// Filter selects live jobs; zero fields select all.
type Filter struct {
	// States is a set: 1 << state for each that is wanted.
	States uint16
	Queue  job.QueueID
	Group  job.GroupID
	Kind   job.KindID
	Worker job.WorkerID
	Reason job.Reason
}

// Scan lists live jobs from number from on, in order, that match f: at most
// limit, looking at no more than work jobs. next is where to go on; done says
// that there are no more.
func (s *State) Scan(from job.Seq, f Filter, limit, work int) (matches []job.Live, next job.Seq, done bool) {
	panic(0)
}
