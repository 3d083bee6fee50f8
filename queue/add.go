package queue

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// Prepared is a job made ready for Add or Modify off the writer: normalised,
// validated, encoded, and its key looked up in history. It must not outlive a
// load: after one, look the key up again.
type Prepared struct {
	Job    *job.Job
	Digest job.Digest
	// Body is the encoded description, to be stored as a payload.
	Body []byte
	// Found says that history has a finished job of this key, under the number
	// End. Reach is the store's Reach, read before the look-up.
	Found bool
	End   uint64
	Reach uint64
	// Finished is the history record End, needed only for a rerun or replace.
	Finished *job.Finished
	// Redue says that a Modify changed NotBefore, so that a job that is delayed waits
	// for that and nothing else.
	Redue bool
	// On is what history says about the keys that the job's dependencies name, in their
	// order, with those on groups left zero. It was asked as Found was.
	On []Looked
}

// AddOptions say what an Add does about jobs that are already there.
type AddOptions struct {
	Existing job.Existing
	// Kick also kicks existing jobs that are buried.
	Kick bool
	// Whole ends with the first item that is refused, and takes back the new jobs
	// before it. What was there before them, and was changed, stays changed.
	Whole bool
}

// AddStatus is what an Add did with one item.
type AddStatus uint8

// What an Add did with an item.
const (
	// AddRefused: nothing; Added.Err says why.
	AddRefused AddStatus = iota
	// AddedNew: the job is new.
	AddedNew
	// AddExisted: the job was there, live or finished, and was left alone.
	AddExisted
	// AddReplaced: the job was there and has the new description.
	AddReplaced
	// AddRerun: the job had finished and runs again.
	AddRerun
	// AddKicked: the job was there, buried, and was kicked.
	AddKicked
	// AddStale: the look-up is older than what is still remembered of recently
	// finished jobs; look the key up again and repeat the item.
	AddStale
	// AddNeedFinished: the history record Added.End is needed; read it and
	// repeat the item with Prepared.Finished.
	AddNeedFinished
)

// Added is the result for one item of an Add.
type Added struct {
	Status AddStatus
	// Seq is the job's number; zero for one that finished and was left alone.
	Seq job.Seq
	// State is the job's state after the Add.
	State job.State
	// End is the number of the finished job that is there or needed.
	End uint64
	Err error
}

// ErrStale answers a Modify whose look-up is too old, as AddStale does an Add.
var ErrStale = job.Errorf(job.Unavailable, "the look-up of the key is out of date; look it up again and repeat")

// Add adds jobs. The result has one entry per item, in order, and is valid until
// the next Add. With Whole it ends with the item that was refused, if one was.
func (s *State) Add(items []Prepared, o AddOptions) []Added {
	s.added = s.added[:0]
	events, pasts := len(s.turn.events), len(s.turn.pasts)
	for i := range items {
		a := s.addOne(&items[i], o)
		if o.Whole && a.Status == AddRefused {
			s.takeBack(events, pasts)
			return append(s.added, a)
		}
		s.added = append(s.added, a)
	}
	return s.added
}

// takeBack removes the new jobs of an add, with the events since the ones given that are
// about them, for nobody has heard of them yet; groups have the past again that they had.
func (s *State) takeBack(events, pasts int) {
	fresh := map[job.Seq]bool{}
	for _, a := range slices.Backward(s.added) {
		if a.Status == AddedNew {
			slot, r := s.find(a.Seq)
			s.erase(slot, r)
			fresh[a.Seq] = true
		}
	}
	kept := slices.DeleteFunc(s.turn.events[events:], func(e Event) bool { return fresh[e.Seq] })
	s.turn.events = s.turn.events[:events+len(kept)]
	for _, p := range s.turn.pasts[pasts:] {
		if g := s.dep.groups.at(p.group); g.n == [2]uint32{} && g.done == 0 {
			g.past = p.past
			s.regroup(p.group)
		}
	}
}

func (s *State) addOne(p *Prepared, o AddOptions) Added {
	if slot := s.byDigest.find(&s.recs, &p.Digest); slot != 0 {
		if err := s.fitting(p.Job); err != nil {
			return Added{Err: err}
		}
		return s.addLive(slot, s.recs.at(slot), p, o)
	}
	switch a := s.Foresee(p, o); a.Status {
	case AddedNew:
		return s.addNew(p)
	case AddReplaced:
		return s.readd(p, CauseReplace)
	case AddRerun:
		return s.readd(p, CauseRerun)
	case AddNeedFinished:
		if f := s.finishedNow(a.End); f != nil {
			p.Finished = f
			return s.addOne(p, o)
		}
		return a
	default:
		return a
	}
}

// Foresee is what Add would do with an item, as far as it depends on history and
// not on the namespace's bounds; of a live job it says that it existed.
func (s *State) Foresee(p *Prepared, o AddOptions) Added {
	if err := s.fitting(p.Job); err != nil {
		return Added{Err: err}
	}
	if slot := s.byDigest.find(&s.recs, &p.Digest); slot != 0 {
		return Added{Status: AddExisted, Seq: s.recs.at(slot).seq, State: s.recs.at(slot).state}
	}
	end, fresh := s.History(p)
	switch {
	case !fresh:
		return Added{Status: AddStale}
	case end == 0:
		return Added{Status: AddedNew}
	case o.Existing == job.ExistingKeep:
		return Added{Status: AddExisted, State: job.Complete, End: end}
	case p.Finished == nil || p.Finished.End != end:
		return Added{Status: AddNeedFinished, State: job.Complete, End: end}
	case o.Existing == job.ExistingReplace:
		return Added{Status: AddReplaced, State: job.Complete, End: end}
	}
	return Added{Status: AddRerun, State: job.Complete, End: end}
}

// finishedNow is a job that completed in this turn; nil if that did not.
func (s *State) finishedNow(end uint64) *job.Finished {
	all := s.turn.finished
	i, found := slices.BinarySearchFunc(all, end, func(f job.Finished, end uint64) int { return cmp.Compare(f.End, end) })
	if !found {
		return nil
	}
	f := all[i]
	return &f
}

// fitting refuses what cannot be honoured: a command in a queue of work units, whose
// workers would not know what to do with it.
func (s *State) fitting(j *job.Job) error {
	if slot, ok := s.queues.byKey[j.Queue]; ok && j.IsCommand() && s.queues.rows[slot].Def.Defined() {
		return job.Errorf(job.Invalid, "queue %s has a definition: its jobs carry data for workers that know it; add the command to another queue", j.Queue)
	}
	return nil
}

// History is the number of the finished job that has the item's key, 0 if there
// is none. It is not fresh when nobody can say, since the look-up is too old.
func (s *State) History(p *Prepared) (end uint64, fresh bool) {
	if end, ok := s.recent.find(p.Digest); ok {
		return end, true
	}
	if p.Reach < s.recent.floor {
		return 0, false
	}
	if p.Found {
		return p.End, true
	}
	return 0, true
}

// Room refuses what would exceed the namespace's bounds: so many live jobs more,
// with descriptions of so many bytes. The error is Exhausted.
func (s *State) Room(jobs, bytes int64) error {
	switch {
	case s.jobs+jobs > s.cfg.MaxJobs:
		return exhausted("the namespace has %d jobs that are not complete, and its limit is %d; wait until some are done, or raise the limit", s.jobs, s.cfg.MaxJobs)
	case s.bytes+bytes > s.cfg.MaxBytes:
		return exhausted("the descriptions of the namespace's jobs take %d bytes, and its limit is %d; wait until some are done, or raise the limit", s.bytes, s.cfg.MaxBytes)
	}
	return nil
}

func (s *State) admit(p *Prepared) error { return s.Room(1, int64(len(p.Body))) }

func exhausted(format string, args ...any) error {
	return &job.Error{Kind: job.Exhausted, Err: fmt.Errorf(format, args...), RetryAfter: 10 * time.Second}
}

func (s *State) addNew(p *Prepared) Added {
	if err := s.admit(p); err != nil {
		return Added{Err: err}
	}
	if err := s.linkable(0, p); err != nil {
		return unlinkable(err)
	}
	q := s.queueFor(p.Job)
	seq := s.newSeq()
	slot, r := s.enter(seq, &p.Digest)
	return s.begin(slot, r, p, q, CauseAdd, Added{Status: AddedNew, Seq: seq})
}

// readd makes a finished job live again, under its old number.
func (s *State) readd(p *Prepared, c Cause) Added {
	if err := s.admit(p); err != nil {
		return Added{Err: err}
	}
	if err := s.linkable(0, p); err != nil {
		return unlinkable(err)
	}
	f := p.Finished
	s.forget(f)
	q := s.queueFor(p.Job)
	slot, r := s.enter(f.Seq, &p.Digest)
	r.version, r.reason = f.Version, f.Reason
	t := s.tried(slot, r)
	t.epoch, t.n, t.given, t.exit = f.Attempt.Epoch, f.Attempt.N, f.GivenVersion, f.Exit
	t.number, t.starts, t.outcome = f.Number, f.Starts, f.Outcome
	t.granted, t.started = f.Granted, f.Started
	status := AddRerun
	if c == CauseReplace {
		status = AddReplaced
	}
	return s.begin(slot, r, p, q, c, Added{Status: status, Seq: f.Seq})
}

// begin gives a job that was entered its description and its first state.
func (s *State) begin(slot uint32, r *rec, p *Prepared, q *queueRow, c Cause, a Added) Added {
	s.describe(slot, r, p, q)
	from, turn := job.Absent, r.seq
	if a.Status != AddedNew {
		from, turn = job.Complete, s.newSeq()
	}
	r.added, r.since = s.now, s.now
	setPlace(r, turn, q)
	r.state = s.line(slot, r, job.TimeOf(p.Job.NotBefore))
	check(r.seq, from, r.state, c)
	s.count(r, +1)
	if r.state == job.Ready {
		s.feedJob(FeedPush, r)
	}
	s.event(r, from, r.state, c)
	a.State = r.state
	return a
}

// newSeq is a number that was never given before.
func (s *State) newSeq() job.Seq {
	s.meta.NextSeq++
	return s.meta.NextSeq - 1
}

// setPlace orders a job among those of equal priority by its number (one that
// runs again uses up a number for its place), unless its key does.
func setPlace(r *rec, turn job.Seq, q *queueRow) {
	if q.keyed == nil {
		r.place = uint64(turn)
	}
}

// delay sets the timer of a job that is, or is about to be, delayed.
func (s *State) delay(slot uint32, r *rec, due job.Time) {
	t := s.tried(slot, r)
	t.due = due
	s.timers.set(t.timer, r.try, due)
}

// addLive is an Add of a key that is live.
func (s *State) addLive(slot uint32, r *rec, p *Prepared, o AddOptions) Added {
	if r.ghost() || o.Existing == job.ExistingReplace {
		if err := s.linkable(slot, p); err != nil {
			return unlinkable(err)
		}
	}
	if r.ghost() {
		return s.revive(slot, r, p)
	}
	a := Added{Status: AddExisted, Seq: r.seq}
	switch {
	case o.Existing == job.ExistingReplace:
		s.replace(slot, r, p)
		a.Status = AddReplaced
	case o.Kick && r.state == job.Buried:
		s.kick(slot, r)
		a.Status = AddKicked
	}
	a.State = r.state
	return a
}

// revive adds the key of a job that was deleted by force and whose lease has not
// ended: it may still run, so the new job waits for that end.
func (s *State) revive(slot uint32, r *rec, p *Prepared) Added {
	check(r.seq, job.Absent, r.state, CauseAdd)
	q := s.queueFor(p.Job)
	s.describe(slot, r, p, q)
	r.mark, r.added, r.since = job.MarkRevoked, s.now, s.now
	setPlace(r, s.newSeq(), q)
	t := s.tries.at(r.try)
	t.failures, t.losses = 0, 0
	if r.state == job.Lost {
		s.workers.rows[t.worker].lost++
	}
	s.count(r, +1)
	s.event(r, job.Absent, r.state, CauseAdd)
	return Added{Status: AddedNew, Seq: r.seq, State: r.state}
}

// replace gives a live job a new description. An attempt that is held goes on
// with the old one.
func (s *State) replace(slot uint32, r *rec, p *Prepared) {
	s.describe(slot, r, p, s.queueFor(p.Job))
	if r.state.Held() {
		if r.mark == job.MarkCancelled {
			r.mark = job.MarkRevoked
		}
		s.event(r, r.state, r.state, CauseReplace)
		return
	}
	s.resetBudgets(r)
	s.requeue(slot, r, job.TimeOf(p.Job.NotBefore), CauseReplace)
}

func (s *State) undelay(r *rec) {
	if r.state == job.Delayed {
		s.timers.remove(s.tries.at(r.try).timer)
	}
}

func (s *State) resetBudgets(r *rec) {
	if r.try != 0 {
		t := s.tries.at(r.try)
		t.failures, t.losses = 0, 0
	}
}
