package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
)

// writer is the one goroutine that changes a namespace. A turn takes what waits
// in the inbox, applies it, does what is due, places what can be placed, and
// hands the whole to the committer as one batch.
type writer struct {
	ns    *Namespace
	cfg   *Config
	log   *slog.Logger
	state *queue.State
	sched *schedule.Scheduler
	time  *engineTime
	locks *lock.Tree
	// ledger is who pays.
	ledger ledger
	// limits is how many named limits are set.
	limits int
	out    *committer
	// loaded is when the leases of what was held at the load began to count.
	loaded job.Time

	sessions map[job.WorkerID]*Session
	waiters  waiters
	pruning  pruning
	trims    [job.EventLogs]trimming
	figures  *figures
	sizes    sizeCheck
	fits     fits
	summing  summing
	cron     schedules
	notices  notices
	// freed is closed, and another made, when locks were released.
	freed chan struct{}

	// pending are commands taken from the inbox and not yet done.
	pending [lanes][]op
	// Of the present turn:
	done    []func(error)
	leaving []func()
	bytes   int64
	blobs   []job.Blob
	// documents and records (entries of the log) to be stored.
	documents []job.Document
	records   []job.EventRow
	// releases are runs of accounts that ended.
	releases map[job.Seq][]release
	// noted is how many attempts that ended in this turn were noted.
	noted int
	// trimBefore are the numbers before which entries of the logs are deleted.
	trimBefore [job.EventLogs]uint64
	began      time.Duration
	// more says that this turn left work that is due now.
	more bool
	// broken is why the state is of no use: a commit failed, or a turn did.
	broken error
	// fresh says that something became ready in this turn.
	fresh bool
}

// run is the writer's life.
func (w *writer) run() {
	defer close(w.ns.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !w.closing() {
		w.sleep(timer)
		if w.broken == nil {
			w.turn()
		}
		if w.broken != nil && !w.reload() {
			return
		}
	}
	w.finish()
}

// closing reports whether the inbox was closed and everything in it done.
func (w *writer) closing() bool {
	return w.ns.inbox.isClosed() && len(w.pending[urgent])+len(w.pending[normal]) == 0
}

// sleep waits until there is something to do.
func (w *writer) sleep(timer *time.Timer) {
	if w.more || len(w.pending[urgent])+len(w.pending[normal]) > 0 {
		return // the turn looks for failures
	}
	var due <-chan time.Time
	if at, ok := w.nextTime(); ok {
		timer.Reset(max(0, w.time.wait(at)))
		due = timer.C
	}
	select {
	case <-w.ns.inbox.wake:
	case <-due:
	case w.broken = <-w.out.failed:
	}
}

// nextTime is when the next timer of the state, the scheduler or the engine is
// due. The scheduler's counts only while its passes are made.
func (w *writer) nextTime() (job.Time, bool) {
	at, ok := w.state.NextTimer()
	earlier := func(t job.Time, has bool) {
		if has && (!ok || t < at) {
			at, ok = t, true
		}
	}
	earlier(w.sizes.next())
	earlier(w.pruning.next, w.pruning.next != 0)
	earlier(w.nextTrim())
	earlier(w.cron.next())
	if w.waiters.len() > 0 {
		earlier(w.state.NextIdle())
		earlier(w.sched.NextOpening())
	}
	if until, ok := w.locks.Next(); ok {
		earlier(until+1, true) // held up to and including until
	}
	if w.places() {
		earlier(w.sched.NextWake(w.time.last))
	}
	return at, ok
}

// turn does one slice of work. A panic in it is a defect: the state cannot be
// trusted any more and is loaded anew, as after a failed commit.
func (w *writer) turn() {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("a turn failed; the namespace is loaded again", "namespace", w.ns.name, "panic", p, "stack", string(debug.Stack()))
			w.broken = job.Errorf(job.Internal, "a defect in muster: %v", p)
		}
	}()
	w.take()
	// Whoever was told of a failed commit meets what is loaded after it. Their next
	// command may have been taken just now.
	select {
	case w.broken = <-w.out.failed:
		return
	default:
	}
	w.began = w.cfg.Clock.Mono()
	now := w.time.now()
	w.noticeStall(now)
	w.state.Begin(now)
	w.sched.Advance(now)
	w.more = false
	w.apply(urgent)
	w.expire(now)
	if !w.more { // whoever looks sees no lease that has ended
		w.apply(normal)
	}
	w.unblock()
	w.refile()
	w.ended()
	w.serveWaiters()
	w.place()
	w.checkSizes(now)
	w.checkPrune(now)
	w.checkTrim(now)
	w.checkCron(now)
	w.sendOrders()
	w.commit()
}

// expire does what is due, after reports and renewals were heard and before
// anything else; more is set when some of it is left.
func (w *writer) expire(now job.Time) {
	locks := w.locks.Expire(now, expireMax)
	w.more = w.state.Expire(expireMax) || locks
	w.feed()
}

// refile gives shapes to another account, after that of a queue or of the namespace
// changed, and has them ask for what was learned of their kind.
func (w *writer) refile() {
	w.more = w.state.Refile(refileMax) || w.more
	w.more = w.state.Relearn(refileMax) || w.more
	w.feed()
	w.fit()
}

// refileMax bounds the shapes that one turn gives to another account, and those that
// follow what was learned.
const refileMax = 200

// expireMax bounds the timers one turn does, and the locks that it ends.
const expireMax = 2000

// stallBound is the lateness of a timer that means that the whole process stood
// still: nobody could be heard for that long.
const stallBound = time.Second

// noticeStall gives time in which the server could not hear back to every lease,
// before anything can end for its lack.
func (w *writer) noticeStall(now job.Time) {
	due, ok := w.state.NextTimer()
	if until, held := w.locks.Next(); held && (!ok || until < due) {
		due, ok = until, true
	}
	if !ok {
		return
	}
	if late := now.Sub(due); late > stallBound {
		w.log.Warn("the server stood still; leases are extended", "namespace", w.ns.name, "by", late)
		w.state.Begin(now)
		w.shift(late)
	}
}

// shift gives back time in which nobody could be heard: to the leases of jobs
// and of locks.
func (w *writer) shift(d time.Duration) {
	w.state.Shift(d)
	w.locks.Shift(d)
}

// take gets what waits in the inbox, behind what is still pending.
func (w *writer) take() {
	var fresh [lanes][]op
	w.ns.inbox.take(&fresh)
	for l := range fresh {
		w.pending[l] = append(w.pending[l], fresh[l]...)
	}
}

// apply does the commands of a lane until none are left or, of normal ones, the
// slice or batch is full. A command is taken out before it is done, so that one
// that fails the turn is not met again.
func (w *writer) apply(l lane) {
	for did := 0; len(w.pending[l]) > 0; did++ {
		if l == normal && w.full(did) {
			break
		}
		o := w.pending[l][0]
		w.pending[l][0] = op{}
		w.pending[l] = w.pending[l][1:]
		w.do(o)
	}
}

// do applies one command and lets the scheduler know at once.
func (w *writer) do(o op) {
	w.done = append(w.done, o.done)
	o.do(w)
	w.bytes += o.bytes
	w.feed()
}

// full reports whether the turn has done enough. The clock is read rarely.
func (w *writer) full(did int) bool {
	if w.bytes >= int64(w.cfg.BatchBytes) {
		return true
	}
	return did%16 == 15 && w.cfg.Clock.Mono()-w.began > w.cfg.Slice
}

// commit hands the turn over to the committer.
func (w *writer) commit() {
	locks := w.takeLocks()
	w.ended()
	w.noted = 0
	w.noteEnds(w.state.Events())
	w.tell(w.state.Events())
	e := entry{done: w.done, leaving: w.leaving, counts: w.state.Counts()}
	if events := w.state.Events(); len(events) > 0 {
		e.events = append([]queue.Event(nil), events...)
	}
	w.figures.count(e.events)
	w.done, w.leaving, w.bytes, w.fresh = nil, nil, 0, false
	accounts, charges := w.takeLedger()
	w.sum()
	changes := w.state.Take()
	w.summing.finished, w.summing.forgotten = 0, 0
	changes.Locks = locks
	changes.Accounts, changes.Charges = accounts, charges
	changes.Limits = w.sched.ChangedLimits()
	changes.Blobs = append(changes.Blobs, w.blobs...)
	changes.Documents, changes.Events, changes.EventsBefore = w.documents, w.records, w.trimBefore
	w.blobs, w.documents, w.records, w.trimBefore = nil, nil, nil, [job.EventLogs]uint64{}
	if !changes.Empty() {
		c, err := w.ns.store.Commit(changes)
		if err != nil {
			c = failedCommit{err}
		}
		e.commit = c
		w.figures.batches.Observe(float64(len(e.done)))
	}
	if e.commit == nil && len(e.done) == 0 && len(e.leaving) == 0 {
		return
	}
	w.send(e)
	w.state.TrimOverlay(w.ns.store.Reach())
}

// send blocks while too many commits are under way; when the disk keeps it there
// for long, nobody could be heard meanwhile.
func (w *writer) send(e entry) {
	before := w.cfg.Clock.Mono()
	w.out.send(e)
	if stood := w.cfg.Clock.Mono() - before; stood > stallBound {
		w.state.Begin(w.time.now())
		w.shift(stood)
	}
}

// failedCommit is a commit that the store did not even take.
type failedCommit struct{ err error }

func (f failedCommit) Wait() error { return f.err }

// later defers something until the turn is durable.
func (w *writer) later(push func()) { w.leaving = append(w.leaving, push) }

// reload starts anew from what is stored, after everything under way has failed.
// While that is impossible, callers get Unavailable. False means: stop.
func (w *writer) reload() bool {
	w.log.Error("the namespace is loaded again", "namespace", w.ns.name, "why", w.broken)
	w.abandon()
	for pause := reloadPause; ; pause = min(2*pause, maxReloadPause) {
		err := w.load(context.Background())
		if err == nil {
			w.broken = nil
			return true
		}
		w.log.Error("loading failed; trying again", "namespace", w.ns.name, "err", err, "in", pause)
		if !w.refuse(pause, err) {
			return false
		}
	}
}

// How long to wait between attempts to load.
const (
	reloadPause    = 50 * time.Millisecond
	maxReloadPause = 5 * time.Second
)

// abandon fails everything under way; sessions end, so that their agents attach
// again and say what they hold.
func (w *writer) abandon() {
	for _, done := range w.done {
		done(job.ErrUnknownOutcome)
	}
	w.done, w.leaving, w.bytes, w.blobs, w.documents, w.records = nil, nil, 0, nil, nil, nil
	w.trimBefore, w.releases, w.noted = [job.EventLogs]uint64{}, nil, 0
	w.figures.failed++
	w.out.close()
	w.ns.events().close(job.ErrUnknownOutcome)
	for _, s := range w.sessions {
		s.end(job.ErrUnknownOutcome)
	}
	w.waiters.failAll(job.ErrUnknownOutcome)
	w.sessions = map[job.WorkerID]*Session{}
}

// refuse answers callers for a while. False means that the inbox was closed.
func (w *writer) refuse(pause time.Duration, why error) bool {
	why = job.Errorf(job.Unavailable, "namespace %s cannot be read at present (%w); the server keeps trying", w.ns.name, why)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		w.take()
		for l := range w.pending {
			for _, o := range w.pending[l] {
				o.done(why)
			}
			w.pending[l] = w.pending[l][:0]
		}
		if w.ns.inbox.isClosed() {
			return false
		}
		select {
		case <-timer.C:
			return true
		case <-w.ns.inbox.wake:
		}
	}
}

// finish lets everything out and gives the namespace back.
func (w *writer) finish() {
	w.state.StoreLearned()
	w.commit()
	w.out.close()
	w.ns.events().close(job.ErrClosed)
	for _, s := range w.sessions {
		s.end(job.ErrClosed)
	}
	w.waiters.failAll(job.ErrClosed)
	w.ns.courier.cancel()
	w.ns.background.Wait()
	if err := w.ns.store.Close(); err != nil {
		w.log.Error("closing a namespace", "namespace", w.ns.name, "err", err)
	}
}

// busy reports whether the namespace must stay in memory.
func (w *writer) busy() bool {
	if len(w.sessions) > 0 || w.waiters.len() > 0 || w.locks.Len() > 0 || w.cron.active() || !w.ns.courier.idle() {
		return true
	}
	_, timers := w.state.NextTimer()
	return timers
}

// feed tells the scheduler what the state changed.
func (w *writer) feed() {
	for _, f := range w.state.Feed() {
		w.feedOne(&f)
	}
}

func (w *writer) feedOne(f *queue.Feed) {
	switch f.Op {
	case queue.FeedDefineShape:
		shape, _ := w.state.Shape(f.Shape)
		w.sched.DefineShape(f.Shape, &shape)
		w.fits.defined(f.Shape, w.state.Asked(f.Shape))
	case queue.FeedDropShape:
		w.sched.DropShape(f.Shape)
		w.fits.dropped(f.Shape)
	case queue.FeedSetQueue:
		def, _ := w.state.Queue(f.Queue)
		if def.Then != "" {
			w.ns.follows.Store(def.Name, def.Then)
		} else {
			w.ns.follows.Delete(def.Name)
		}
		w.sched.SetQueue(f.Queue, schedule.QueueSettings{
			Priority: def.Priority, Paused: def.Paused, MaxRunning: def.MaxRunning, ByKey: def.Order == job.OrderKey, Weight: def.Weight,
		})
	case queue.FeedPush:
		w.fresh = true
		w.sizes.becameReady(w.state.Now())
		w.loadReady(f)
	case queue.FeedRemove:
		w.sched.Remove(f.Shape, item(f))
	case queue.FeedHold, queue.FeedStart:
		w.sched.Hold(schedule.Held{
			Seq: f.Seq, Shape: f.Shape, Worker: f.Worker, Since: w.state.Now(),
			Prefetched: f.Prefetched && f.Op == queue.FeedHold, Charge: w.ledger.charged(f.Seq),
		})
		w.ledger.touch(f.Seq)
	case queue.FeedRelease:
		w.released(f)
		w.sched.Release(f.Seq)
		w.ledger.touch(f.Seq)
	case queue.FeedSetWorker:
		w.fresh = true // what it waits for may be there
		row, _ := w.state.Worker(f.Worker)
		w.sched.SetWorker(f.Worker, schedule.Worker{Labels: row.Labels, Capacity: row.Capacity})
	case queue.FeedDropWorker:
		w.sched.DropWorker(f.Worker)
	case queue.FeedDropQueue:
		w.sched.DropQueue(f.Queue)
	case queue.FeedStopping:
		if l, ok := w.state.BySeq(f.Seq); !ok || l.Mark != job.MarkWithdrawn { // it may start all the same
			w.sched.Stopping(f.Seq, l.Mark == job.MarkPreempted)
		}
	case queue.FeedSilent:
		if s := w.sessions[f.Worker]; s != nil {
			row, _ := w.state.Worker(f.Worker)
			w.setWorker(s, &row.Worker, s.prefetch)
		}
	default:
		panic(fmt.Sprintf("unknown feed %d", f.Op))
	}
}

func item(f *queue.Feed) schedule.Item {
	return schedule.Item{Seq: f.Seq, Priority: f.Priority, Place: f.Place, Group: f.Group}
}
