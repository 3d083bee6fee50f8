package queue

import (
	"fmt"

	"github.com/muster-queue/muster/job"
)

// Cause is what moves a job from one state to another.
type Cause uint8

// The causes.
const (
	CauseAdd Cause = iota
	CauseReplace
	CauseRerun
	CauseModify
	CauseGrant
	CauseStart
	CauseComplete
	CauseRelease
	CauseFail
	CauseStopped
	CauseCancel
	CausePreempt
	CauseWithdraw
	CauseDelete
	CauseKick
	CauseBury
	CauseConclude
	CauseReopen
	CauseDue
	CauseSilence
	CauseHeard
	CauseLeaseEnd
	CauseSuperseded
	CauseRescue
	CauseMet
	CauseOpened
	// NumCauses is how many there are.
	NumCauses int = iota
)

var causes = [NumCauses]struct{ word, who string }{
	CauseAdd:        {"add", "person"},
	CauseReplace:    {"add, replacing", "person"},
	CauseRerun:      {"add, running again", "person"},
	CauseModify:     {"modify", "person"},
	CauseGrant:      {"grant", "scheduler"},
	CauseStart:      {"start", "worker"},
	CauseComplete:   {"complete", "worker"},
	CauseRelease:    {"release", "worker"},
	CauseFail:       {"fail", "worker"},
	CauseStopped:    {"end of a stopping attempt", "worker"},
	CauseCancel:     {"cancel", "person"},
	CausePreempt:    {"preempt", "scheduler"},
	CauseWithdraw:   {"withdraw", "scheduler"},
	CauseDelete:     {"delete", "person"},
	CauseKick:       {"kick", "person"},
	CauseBury:       {"bury", "server"},
	CauseConclude:   {"conclude", "person"},
	CauseReopen:     {"reopen", "person"},
	CauseDue:        {"time reached", "clock"},
	CauseSilence:    {"silence of the agent", "clock"},
	CauseHeard:      {"agent heard again", "worker"},
	CauseLeaseEnd:   {"end of lease", "clock"},
	CauseSuperseded: {"successor on the same machine", "worker"},
	CauseRescue:     {"renewal after the end of the lease", "worker"},
	CauseMet:        {"dependencies met", "server"},
	CauseOpened:     {"a dependency open again", "server"},
}

// String is the cause's word.
func (c Cause) String() string { return causes[c].word }

// transition is one row of the table: a cause leads from each of some states to
// another.
type transition struct {
	from  []job.State
	to    job.State
	cause Cause
	when  string
}

// transitions is the one table. Whatever is not in it cannot happen: move
// refuses it. docs/states.md is made from it.
var transitions = []transition{
	{states(job.Absent), job.Ready, CauseAdd, "the key is new"},
	{states(job.Absent), job.Delayed, CauseAdd, "the key is new, and not before a time to come"},
	{states(job.Absent), job.Blocked, CauseAdd, "the key is new, and it waits for other jobs"},
	{states(job.Absent), job.Reserved, CauseAdd, "the key is of a job deleted by force whose lease has not ended; marked revoked"},
	{states(job.Absent), job.Running, CauseAdd, "the same"},
	{states(job.Absent), job.Lost, CauseAdd, "the same"},
	{states(job.Blocked, job.Ready, job.Buried, job.Complete), job.Delayed, CauseReplace, "not before a time to come"},
	{states(job.Blocked, job.Delayed, job.Buried, job.Complete), job.Ready, CauseReplace, ""},
	{states(job.Ready, job.Delayed, job.Buried, job.Complete), job.Blocked, CauseReplace, "it waits for other jobs"},
	{states(job.Complete), job.Ready, CauseRerun, ""},
	{states(job.Complete), job.Blocked, CauseRerun, "it waits for other jobs"},
	{states(job.Complete), job.Delayed, CauseRerun, "not before a time to come"},
	{states(job.Blocked, job.Ready), job.Delayed, CauseModify, "not before a time to come"},
	{states(job.Blocked, job.Delayed), job.Ready, CauseModify, "not held back any more"},
	{states(job.Ready, job.Delayed), job.Blocked, CauseModify, "it waits for other jobs now"},

	{states(job.Blocked), job.Ready, CauseMet, ""},
	{states(job.Blocked), job.Delayed, CauseMet, "not before a time to come"},
	{states(job.Ready, job.Delayed), job.Blocked, CauseOpened, "a group has a new member, or what had ended runs again"},

	{states(job.Ready), job.Reserved, CauseGrant, ""},
	{states(job.Ready), job.Buried, CauseGrant, "the queue's cap of attempts is reached"},
	{states(job.Reserved), job.Running, CauseStart, ""},
	{states(job.Reserved, job.Running, job.Lost), job.Complete, CauseComplete, ""},
	{states(job.Blocked, job.Ready, job.Delayed, job.Buried), job.Complete, CauseComplete, "late report of the last attempt, after it was lost"},
	{states(job.Reserved, job.Running, job.Lost), job.Ready, CauseRelease, "it never started, or without delay"},
	{states(job.Reserved, job.Running, job.Lost), job.Delayed, CauseRelease, "it failed and has retries left"},
	{states(job.Reserved, job.Running, job.Lost), job.Blocked, CauseRelease, "a dependency opened meanwhile"},
	{states(job.Reserved, job.Running, job.Lost), job.Buried, CauseRelease, "no retries left, or trying again cannot help"},
	{states(job.Ready, job.Buried), job.Delayed, CauseRelease, "late report of the last attempt, after it was lost"},
	{states(job.Delayed, job.Buried), job.Ready, CauseRelease, "the same"},
	{states(job.Blocked, job.Ready, job.Delayed), job.Buried, CauseRelease, "the same"},
	{states(job.Ready, job.Delayed, job.Buried), job.Blocked, CauseRelease, "the same, and a dependency opened meanwhile"},
	{states(job.Reserved, job.Running, job.Lost), job.Buried, CauseFail, ""},
	{states(job.Blocked, job.Ready, job.Delayed), job.Buried, CauseFail, "late report of the last attempt, after it was lost"},
	{states(job.Reserved, job.Running, job.Lost), job.Ready, CauseStopped, "preempted, withdrawn or revoked"},
	{states(job.Reserved, job.Running, job.Lost), job.Blocked, CauseStopped, "the same, and a dependency opened meanwhile"},
	{states(job.Reserved, job.Running, job.Lost), job.Buried, CauseStopped, "cancelled"},

	{states(job.Blocked, job.Ready, job.Delayed, job.Lost), job.Buried, CauseCancel, "reserved and running jobs are marked and stopped first"},
	{states(job.Blocked, job.Ready, job.Delayed, job.Buried), job.Absent, CauseDelete, "also a job that was buried just now, by its behaviour remove"},
	{states(job.Reserved, job.Running, job.Lost), job.Absent, CauseDelete, "by force"},
	{states(job.Complete), job.Absent, CauseDelete, ""},
	{states(job.Buried, job.Delayed), job.Ready, CauseKick, ""},
	{states(job.Lost), job.Ready, CauseKick, "policy hold, and the lease has ended"},
	{states(job.Buried), job.Blocked, CauseKick, "it waits for other jobs"},
	{states(job.Lost), job.Blocked, CauseKick, "policy hold, the lease has ended, and a dependency opened meanwhile"},
	{states(job.Ready, job.Delayed), job.Buried, CauseBury, "no machine can ever run it"},
	{states(job.Blocked, job.Ready, job.Delayed), job.Complete, CauseConclude, "administrative; makes an attempt"},
	{states(job.Blocked, job.Ready, job.Delayed), job.Buried, CauseConclude, "administrative; makes an attempt"},
	{states(job.Buried), job.Complete, CauseConclude, "administrative"},
	{states(job.Complete), job.Ready, CauseReopen, "administrative"},
	{states(job.Complete), job.Delayed, CauseReopen, "administrative; not before a time to come"},
	{states(job.Complete), job.Blocked, CauseReopen, "administrative; it waits for other jobs"},

	{states(job.Delayed), job.Ready, CauseDue, ""},
	{states(job.Running), job.Lost, CauseSilence, ""},
	{states(job.Lost), job.Running, CauseHeard, ""},
	{states(job.Lost), job.Reserved, CauseHeard, "it had not started"},
	{states(job.Reserved, job.Running, job.Lost), job.Ready, CauseLeaseEnd, "policy rerun"},
	{states(job.Reserved, job.Running, job.Lost), job.Blocked, CauseLeaseEnd, "policy rerun, and a dependency opened meanwhile"},
	{states(job.Reserved), job.Lost, CauseLeaseEnd, "policy hold"},
	{states(job.Reserved, job.Running, job.Lost), job.Buried, CauseLeaseEnd, "lost too often, or cancelled"},
	{states(job.Blocked, job.Ready, job.Delayed), job.Reserved, CauseRescue, "pulled work that nobody else was given meanwhile"},
	{states(job.Blocked, job.Ready, job.Delayed), job.Running, CauseRescue, "the same, and it had started"},
	{states(job.Reserved, job.Running, job.Lost), job.Ready, CauseSuperseded, "policy rerun"},
	{states(job.Reserved, job.Running, job.Lost), job.Blocked, CauseSuperseded, "policy rerun, and a dependency opened meanwhile"},
	{states(job.Reserved, job.Running, job.Lost), job.Buried, CauseSuperseded, "policy hold, lost too often, or cancelled"},
}

func states(s ...job.State) []job.State { return s }

// allowed is the table by cause and from, as a set of to.
var allowed = func() (a [NumCauses][job.NumStates]uint16) {
	for _, t := range transitions {
		for _, from := range t.from {
			a[t.cause][from] |= 1 << t.to
		}
	}
	return a
}()

// Bug is what a State panics with when it finds itself about to do what the
// transition table forbids. Nothing of the turn must be stored: the caller
// forgets the State and loads again.
type Bug struct {
	Seq      job.Seq
	From, To job.State
	Cause    Cause
}

// Error names the transition.
func (b *Bug) Error() string {
	return fmt.Sprintf("defect: job %d cannot go from %v to %v by %v", b.Seq, b.From, b.To, b.Cause)
}

func check(seq job.Seq, from, to job.State, c Cause) {
	if allowed[c][from]&(1<<to) == 0 {
		panic(&Bug{seq, from, to, c})
	}
}

// move is the one place where a live job changes its state.
func (s *State) move(slot uint32, r *rec, to job.State, c Cause) {
	from := r.state
	check(r.seq, from, to, c)
	if from == job.Ready && to != job.Reserved {
		s.feedJob(FeedRemove, r)
	}
	s.count(r, -1)
	r.state, r.since = to, s.now
	s.count(r, +1)
	if to == job.Ready {
		s.feedJob(FeedPush, r)
	}
	if r.linked {
		s.relist(slot, r)
	}
	s.event(r, from, to, c)
	s.touch(slot, r)
}

// count adds n, one or less one, to every counter the job is in.
func (s *State) count(r *rec, n int64) {
	s.counts[r.state] += n
	s.groups.rows[r.group].counts[r.state] += n
	sh := s.shapes.rows[r.shape]
	for _, l := range sh.labels {
		l.counts[r.state] += n
	}
	q := sh.queue
	q.counts[r.state] += n
	s.file(q, r, n)
}
