package agent

import (
	"context"
	"sync"
	"time"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/run"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// desk is where a running agent decides: one goroutine that takes what the
// server says and what commands do, in turn, and answers in batches.
type desk struct {
	a    *Agent
	link *link
	envs *environments

	secrets secrets

	tasks    map[job.AttemptID]*task
	waiting  []*task // in the order they came
	running  int
	free     job.Resources
	out      *outbox
	prefetch pace

	conn     *conn // nil while the server is away
	beat     time.Duration
	gone     time.Time // since when it is away
	leaving  bool      // no new jobs; end when there are none
	failed   error     // why it leaves, if that is an error
	stopping <-chan time.Time
	starts   *time.Timer // the next report of starts
	patience *time.Timer // the next look at those that have waited for long

	began chan *task
	ended chan ending
}

// ending is a command that ended.
type ending struct {
	task   *task
	result job.Result
	// giveBack: it never began, through no fault of its own.
	giveBack bool
}

// Times of the desk.
const (
	defaultBeat = 10 * time.Second
	// startDelay is how long the report of a start waits, for most short commands
	// have ended by then and need none.
	startDelay = 20 * time.Millisecond
	// lastReports is how long an agent that leaves waits for its last reports to
	// be acknowledged; they are in the spool in any case.
	lastReports = 5 * time.Second
	// maxAhead is how long a job may wait here for others to end, when it is meant
	// to wait for about a second; then it is given back, for another agent may have
	// room.
	maxAhead = 3 * time.Second
	// pruneEvery is how often directories and outputs whose time is over go.
	pruneEvery = time.Hour
)

func newDesk(a *Agent) (*desk, error) {
	out, err := newOutbox(a.spool)
	if err != nil {
		return nil, err
	}
	return &desk{
		secrets: secrets{ns: a.cfg.Client.Namespace(a.cfg.Namespace), dir: a.cfg.Secrets},
		a:       a, link: newLink(a.cfg.Client, a.log), envs: newEnvironments(a.cfg.Client, a.cfg.Namespace),
		tasks: map[job.AttemptID]*task{}, free: a.caps.Clone(), out: out,
		prefetch: pace{max: a.cfg.MaxPrefetch}, beat: defaultBeat, gone: time.Now(),
		began: make(chan *task, 64), ended: make(chan ending, 64), starts: time.NewTimer(time.Hour),
		patience: time.NewTimer(maxAhead),
	}, nil
}

// work is the desk's life.
func (d *desk) work(ctx context.Context) error {
	links, end := context.WithCancel(context.WithoutCancel(ctx))
	var link sync.WaitGroup
	link.Go(func() { d.link.run(links) })
	defer link.Wait()
	defer end()
	beats := time.NewTimer(d.beat)
	prunes := time.NewTicker(pruneEvery)
	defer beats.Stop()
	defer d.starts.Stop()
	defer d.patience.Stop()
	defer prunes.Stop()
	go d.prune(time.Now())
	quit := ctx.Done()
	for !d.finished() {
		select {
		case c := <-d.link.up:
			d.attach(c)
		case c := <-d.link.down:
			d.detach(c)
		case m := <-d.link.in:
			d.hear(m)
		case t := <-d.began:
			d.begin(t)
		case e := <-d.ended:
			d.end(e)
		case <-d.starts.C:
			d.out.flushStarts()
		case <-d.patience.C:
			d.shorten()
		case <-beats.C:
			d.heartbeat()
			beats.Reset(d.beat)
		case now := <-prunes.C:
			go d.prune(now)
		case <-quit:
			quit = nil
			d.leave(nil)
			d.stopping = time.After(d.a.cfg.StopGrace)
		case <-d.stopping:
			d.stopAll(run.ErrStopping)
		case err := <-d.a.lost:
			d.leave(err)
			d.stopAll(run.ErrLease)
		}
		d.drainEvents()
		d.startWaiting(ctx)
		d.flush()
	}
	d.lastWords()
	return d.failed
}

// drainEvents takes what else has happened already, so that it goes out in the
// same message.
func (d *desk) drainEvents() {
	for range 256 {
		select {
		case e := <-d.ended:
			d.end(e)
		case t := <-d.began:
			d.begin(t)
		default:
			return
		}
	}
}

// finished reports whether there is nothing left to do.
func (d *desk) finished() bool {
	if d.running > 0 {
		return false
	}
	if limit := d.a.cfg.ServerGone; limit > 0 && d.conn == nil && time.Since(d.gone) > limit {
		d.failed = job.Errorf(job.Unavailable, "the server could not be reached for %v", limit)
		return true
	}
	return d.leaving && len(d.waiting) == 0
}

// hear takes a message of the server.
func (d *desk) hear(m incoming) {
	if m.conn != d.conn {
		return // of a connection given up
	}
	r := m.response
	if w := r.Welcome; w != nil {
		d.a.setWorker(w.Worker)
		if w.Settings != nil && w.Settings.Heartbeat > 0 {
			d.beat = time.Duration(w.Settings.Heartbeat)
		}
		d.a.log.Info("attached", "worker", w.Worker)
	}
	d.renew(r)
	d.out.acknowledge(r)
	for _, ref := range r.Disown {
		d.disown(ref)
	}
	for _, g := range r.Assign {
		d.accept(g)
	}
	for _, s := range r.Stops {
		d.stop(s)
	}
	for _, ref := range r.Withdraw {
		d.giveBack(job.AttemptID{Epoch: ref.Epoch, N: ref.N})
	}
	for _, t := range r.Tails {
		d.conn.tail(d.a.runner, t)
	}
	if r.Drain {
		d.leave(nil)
	}
}

// renew extends all leases from the reading of the clock the server processed.
func (d *desk) renew(r *v1.AttachResponse) {
	if r.Renewed == 0 {
		return
	}
	reading := time.Duration(r.Renewed)
	for _, t := range d.tasks {
		// Readings may come late; a deadline does not move back.
		t.extend(reading + max(t.lease, time.Duration(r.Hold)))
		if t.stop != nil {
			d.a.runner.Extend(t.id, t.until())
		}
	}
}

// accept takes a job. A repeat of one it has changes nothing.
func (d *desk) accept(g *v1.Grant) {
	t, err := newTask(g)
	if err != nil {
		d.a.log.Error("a job that cannot be read", "err", err)
		r := (&task{grant: g}).report(v1.Report_bury)
		d.out.add(r, &job.Result{Reason: job.ReasonStart, Message: err.Error()})
		return
	}
	if d.tasks[t.id] != nil || d.out.has(t.id) {
		return
	}
	if d.leaving {
		d.out.add(t.report(v1.Report_give_back), nil)
		return
	}
	d.tasks[t.id] = t
	d.waiting = append(d.waiting, t)
}

// startWaiting starts what fits, in order. A task that does not fit is overtaken
// by smaller ones a number of times, and then holds up what is behind it until
// there is room.
func (d *desk) startWaiting(ctx context.Context) {
	left, now := d.waiting[:0], home.Now()
	for i, t := range d.waiting {
		if d.full(t) || len(left) > maxLook || len(left) > 0 && left[0].overtaken >= maxOvertaken {
			left = append(left, d.waiting[i:]...)
			break
		}
		switch {
		case t.expired(now):
			delete(d.tasks, t.id) // the server has given it to somebody else, or will
		case d.running < d.a.home.Table.Slots() && t.needs.Fits(d.free):
			d.start(ctx, t)
			overtake(left)
		default:
			left = append(left, t)
		}
	}
	clear(d.waiting[len(left):])
	d.waiting = left
}

// full reports whether the task, and with that most behind it, must wait for a
// core: the usual case, told without a look at each.
func (d *desk) full(t *task) bool { return d.free[job.CPU] <= 0 && t.needs[job.CPU] > 0 }

// Bounds of the look for a waiting task that fits: how many that do not are
// passed over, and how often one of them may be.
const (
	maxLook      = 64
	maxOvertaken = 256
)

func overtake(waiting []*task) {
	for _, t := range waiting {
		t.overtaken++
	}
}

// start runs a task; its end comes back on the channel.
func (d *desk) start(ctx context.Context, t *task) {
	runCtx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	t.stop, t.began = stop, time.Now()
	d.free.Sub(t.needs)
	d.running++
	go func() {
		spec := t.spec(func(int) { d.began <- t })
		var err error
		if spec.Env, err = d.envs.get(runCtx, t.job.Command.EnvID); err == nil {
			var lent string
			if spec.Secrets, lent, err = d.secrets.of(runCtx, t.job.Command, t.id, job.Seq(t.grant.Seq)); err == nil {
				spec.Reach = d.a.reach(lent)
			}
		}
		if err != nil {
			d.ended <- unenvironed(runCtx, t, err)
			return
		}
		d.ended <- ending{task: t, result: d.a.runner.Run(runCtx, spec)}
	}()
}

// begin takes note of a command that has begun, to be reported soon together with
// others. The deadline may have moved since it was started.
func (d *desk) begin(t *task) {
	if t.stop != nil {
		d.a.runner.Extend(t.id, t.until())
	}
	if d.out.begin(t) {
		d.starts.Reset(startDelay)
	}
}

// unenvironed is the end of a task whose environment or secrets could not be had:
// given back when the server was away, or it is not the agent's any more; failed
// when what it needs is not there.
func unenvironed(ctx context.Context, t *task, err error) ending {
	switch kind := job.KindOf(err); {
	case ctx.Err() != nil, kind == job.LostLease, kind == job.Exhausted, kind == job.Timeout,
		kind == job.Unavailable, kind == job.Internal:
		return ending{task: t, giveBack: true}
	}
	return ending{task: t, result: job.Result{Reason: job.ReasonEnv, Message: err.Error()}}
}

// end takes in a command that ended.
func (d *desk) end(e ending) {
	t := e.task
	t.stop(nil)
	t.stop = nil
	d.running--
	d.free.Add(t.needs)
	if d.tasks[t.id] == t {
		delete(d.tasks, t.id)
	} else {
		d.out.forgetStart(t)
		return // disowned: nobody wants to know
	}
	if e.giveBack {
		d.out.add(t.report(v1.Report_give_back), nil)
		return
	}
	d.prefetch.ended(&e.result, max(d.running, 1))
	r := t.report(action(&e.result))
	r.Remove = t.job.Command.RemovedFor(e.result.Reason)
	r.Started, r.Ended = t.began.UnixNano(), time.Now().UnixNano()
	d.out.end(t, r, &e.result)
}

// stop carries out an order to end a command.
func (d *desk) stop(s *v1.Stop) {
	t := d.tasks[job.AttemptID{Epoch: s.Epoch, N: s.N}]
	switch {
	case t == nil:
	case t.stop == nil:
		d.giveBack(t.id)
	default:
		t.stop(cause(s.Why))
	}
}

func cause(why string) error {
	switch why {
	case job.MarkPreempted.String():
		return run.ErrPreempted
	case job.MarkDeleted.String():
		return run.ErrDeleted
	}
	return run.ErrCancelled
}

// giveBack returns a task that has not begun; one that runs is kept, and its
// report tells the server that it came too late.
func (d *desk) giveBack(id job.AttemptID) {
	t := d.tasks[id]
	if t == nil || t.stop != nil {
		return
	}
	d.drop(t)
	d.out.add(t.report(v1.Report_give_back), nil)
}

// shorten gives back what was sent ahead and has waited for too long.
func (d *desk) shorten() {
	next := maxAhead
	var stuck []job.AttemptID
	for _, t := range d.waiting {
		switch waited := time.Since(t.came); {
		case !t.grant.Prefetched:
		case waited >= maxAhead:
			stuck = append(stuck, t.id)
		default:
			next = min(next, maxAhead-waited)
		}
	}
	d.patience.Reset(next)
	if len(stuck) == 0 || d.conn == nil {
		return // without a server nobody else can have them
	}
	d.prefetch.wrong()
	d.heartbeat() // before they are back, or they would come again
	for _, id := range stuck {
		d.giveBack(id)
	}
}

// drop forgets a waiting task.
func (d *desk) drop(t *task) {
	delete(d.tasks, t.id)
	for i, w := range d.waiting {
		if w == t {
			d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
			return
		}
	}
}

// disown ends a task that is not the agent's any more; it is not reported.
func (d *desk) disown(ref *v1.AttemptRef) {
	id := job.AttemptID{Epoch: ref.Epoch, N: ref.N}
	d.out.drop(id)
	t := d.tasks[id]
	if t == nil {
		return
	}
	if t.stop == nil {
		d.drop(t)
		return
	}
	delete(d.tasks, id)
	t.stop(run.ErrLease)
}

// leave takes no more jobs and gives back those that have not begun.
func (d *desk) leave(why error) {
	d.leaving = true
	if d.failed == nil {
		d.failed = why
	}
	for len(d.waiting) > 0 {
		d.giveBack(d.waiting[0].id)
	}
	d.heartbeat()
}

func (d *desk) stopAll(why error) {
	d.stopping = nil
	for _, t := range d.tasks {
		if t.stop != nil {
			t.stop(why)
		}
	}
}

// held lists what the agent has: what waits or runs, and what it has yet to report.
func (d *desk) held() []*v1.HeldAttempt {
	held := make([]*v1.HeldAttempt, 0, len(d.tasks))
	for _, t := range d.tasks {
		held = append(held, t.ref())
	}
	return append(held, d.out.held()...)
}

// attach greets the server on a new connection, with every report it has not
// acknowledged. From here on an extension promised before a planned stop is
// over: the server counts leases from this reading again, whether or not its
// answer arrives.
func (d *desk) attach(c *conn) {
	d.conn = c
	d.out.sendAgain()
	m := &v1.AttachRequest{Hello: d.a.hello(d), Reports: d.out.take()}
	reading := time.Duration(m.Hello.Clock)
	for _, t := range d.tasks {
		t.limit(reading + t.lease)
		if t.stop != nil {
			d.a.runner.Extend(t.id, t.until())
		}
	}
	c.send(m)
}

func (d *desk) detach(c *conn) {
	if d.conn == c {
		d.conn, d.gone = nil, time.Now()
	}
}

// heartbeat tells the clock; its echo renews all leases.
func (d *desk) heartbeat() {
	if d.conn == nil {
		return
	}
	d.conn.send(&v1.AttachRequest{Heartbeat: d.heartbeatMessage()})
}

func (d *desk) heartbeatMessage() *v1.Heartbeat {
	d.prefetch.told()
	return &v1.Heartbeat{
		Clock: int64(home.Now()), Free: d.free.Clone(), Prefetch: uint32(d.prefetch.wanted),
		Running: uint32(d.running), Waiting: uint32(len(d.waiting)), Draining: d.leaving,
		Until: untilMessage(d.a.cfg.Until),
	}
}

// flush sends the reports that are due, with a new wish for prefetched jobs when
// the pace of the work has changed much.
func (d *desk) flush() {
	if d.conn == nil {
		return
	}
	m := &v1.AttachRequest{Reports: d.out.take()}
	if d.prefetch.changed() {
		m.Heartbeat = d.heartbeatMessage()
	}
	if len(m.Reports) > 0 || m.Heartbeat != nil {
		d.conn.send(m)
	}
}

// prune removes what is kept for a time that is over.
func (d *desk) prune(now time.Time) {
	if err := d.a.runner.Prune(now); err != nil {
		d.a.log.Warn("directories and outputs that are due could not all be removed", "err", err)
	}
}

// lastWords waits a moment for the last reports to be acknowledged.
func (d *desk) lastWords() {
	limit := time.NewTimer(lastReports)
	defer limit.Stop()
	for d.conn != nil && d.out.unacknowledged() > 0 {
		d.flush()
		select {
		case m := <-d.link.in:
			if m.conn == d.conn {
				d.out.acknowledge(m.response)
			}
		case c := <-d.link.down:
			d.detach(c)
		case <-limit.C:
			return
		}
	}
	if d.conn != nil {
		d.conn.close()
	}
}
