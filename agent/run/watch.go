package run

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/job"
)

// stop is what was done to end a command before it ended by itself.
type stop struct {
	reason job.Reason // ReasonNone: nothing was done
	why    string
	kill   time.Time // when SIGKILL follows, or is repeated
}

// looks is when the next look at a command is due.
type looks struct {
	reading bool          // its output is read as it comes
	next    time.Time     // the next look at its memory
	every   time.Duration // the time between looks
	disk    time.Time     // the next look at its directory
	outside time.Duration // processor time seen of processes that are not its children
}

const (
	// Commands shorter than this are neither looked at nor is their output read
	// before they end; a pipe holds 64 KiB.
	firstRead = 5 * time.Millisecond
	firstLook = 25 * time.Millisecond
	// A look may cost this part of the time until the next: 1/25.
	lookShare = 25
	// However dear, a look comes after this at the latest.
	lookMost = time.Minute
	// Until a killed command is gone it is killed again this often: what it
	// started meanwhile may have escaped.
	killAgain = 50 * time.Millisecond
)

// watch returns when the command's main process has ended, by itself or because
// a limit, its deadline or the context ended it.
func (x *attempt) watch() {
	cancel := context.AfterFunc(x.ctx, x.main.interrupt)
	defer cancel()
	x.looks = looks{next: x.main.began.Add(firstLook), every: firstLook, disk: x.main.began.Add(time.Second)}
	for due := x.main.began.Add(firstRead); ; due = x.due() {
		// The context is asked after the deadline is set (in wait), or its
		// interrupt could be overwritten by it.
		if x.main.wait(due, x.ctxPending) {
			return
		}
		x.look(time.Now())
	}
}

// ctxPending reports whether the context asks for a stop that was not yet begun.
func (x *attempt) ctxPending() bool {
	return x.ctx.Err() != nil && !x.stoppedFor(stopReason(context.Cause(x.ctx)))
}

// stoppedFor reports whether a stop for a reason changes nothing: one has begun,
// and only a person's cancel comes before another.
func (x *attempt) stoppedFor(reason job.Reason) bool {
	return x.stop.reason != job.ReasonNone &&
		(reason != job.ReasonCancelled || x.stop.reason == job.ReasonCancelled)
}

// due is when the command has to be looked at next.
func (x *attempt) due() time.Time {
	if x.stop.reason != job.ReasonNone {
		return x.stop.kill
	}
	due := x.looks.next
	if x.spec.Needs[job.Disk] > 0 && x.looks.disk.Before(due) {
		due = x.looks.disk
	}
	if limit := x.main.began.Add(x.spec.Time); x.spec.Time > 0 && limit.Before(due) {
		due = limit
	}
	if term := x.r.cfg.Home.Table.Get(x.slot.Index).Term; term != 0 {
		if at := time.Now().Add(term - home.Now()); at.Before(due) {
			due = at
		}
	}
	return due
}

// look does whatever is due.
func (x *attempt) look(now time.Time) {
	if !x.looks.reading {
		x.looks.reading = true
		x.out.readOn()
		x.err.readOn()
	}
	if x.ctxPending() {
		cause := context.Cause(x.ctx)
		x.begin(stopReason(cause), cause.Error(), x.grace())
	}
	if x.stop.reason != job.ReasonNone {
		x.pursue(now)
		return
	}
	if limit := x.spec.Time; limit > 0 && now.Sub(x.main.began) >= limit {
		x.begin(job.ReasonTime, "stopped at its time limit of "+limit.String(), x.grace())
	}
	if slot := x.r.cfg.Home.Table.Get(x.slot.Index); slot.Term != 0 && home.Now() >= slot.Term {
		x.begin(job.ReasonLost, ErrLease.Error(), slot.Kill-slot.Term)
	}
	if !now.Before(x.looks.next) {
		x.lookAtMemory(now)
	}
	if x.spec.Needs[job.Disk] > 0 && !now.Before(x.looks.disk) {
		x.lookAtDisk(now)
	}
}

// begin begins to stop the command: SIGTERM now and SIGKILL after grace, or
// SIGKILL at once when there is no grace. A stop already begun only takes on the
// reason.
func (x *attempt) begin(reason job.Reason, why string, grace time.Duration) {
	if x.stoppedFor(reason) {
		return
	}
	first := x.stop.reason == job.ReasonNone
	x.stop.reason, x.stop.why = reason, why
	if !first {
		return
	}
	x.note("stopping: %s", why)
	now := time.Now()
	x.stop.kill = now.Add(grace)
	if grace > 0 {
		x.signal(x.main, unix.SIGTERM)
		return
	}
	x.pursue(now)
}

// pursue kills a command whose grace is over, again and again until it is gone.
func (x *attempt) pursue(now time.Time) {
	if now.Before(x.stop.kill) {
		return
	}
	x.signal(x.main, unix.SIGKILL)
	x.stop.kill = now.Add(killAgain)
}

// grace is the time between SIGTERM and SIGKILL.
func (x *attempt) grace() time.Duration {
	if g := x.spec.Command.Grace; g > 0 {
		return g
	}
	return x.r.cfg.Grace
}

// reaping is the time kept for the processes of a command to be gone after
// SIGKILL, and for the keeper to see that they are not.
const reaping = time.Second

// deadline turns the time by which an attempt must have ended into the times of
// SIGTERM and SIGKILL. The grace shrinks to a quarter of a short lease.
func (x *attempt) deadline(until time.Duration) (term, kill time.Duration) {
	if until == 0 {
		return 0, 0
	}
	kill = until - reaping
	return kill - min(x.grace(), max(until-home.Now(), 0)/4), kill
}
