package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store/memory"
)

var simSeed = flag.Uint64("simseed", 0, "seed of the simulation to repeat; zero: several new ones")

// TestSimulation runs the engine with agents in simulated time while commits
// fail, servers are killed and started again, networks are cut, agents are
// killed, hang and come back. It proves from the commands' own traces that every
// job completed and that no two runs of one job overlapped.
func TestSimulation(t *testing.T) {
	seeds := []uint64{*simSeed}
	if *simSeed == 0 {
		seeds = seeds[:0]
		for range 6 {
			seeds = append(seeds, rand.Uint64())
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed, nil, nil) })
		})
	}
}

const (
	simJobs   = 200
	simAgents = 4
)

// simulate runs a world; with accounts, they pay for jobs in turn, and with limits, all
// jobs count against these.
func simulate(t *testing.T, seed uint64, accounts []job.Account, limits *simLimits) {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), traces: map[string][]span{}, limits: limits}
	w.store = &shelf{Store: memory.New()}
	w.serve()
	w.addAccounts(accounts)
	if limits != nil {
		limits.begin(w)
	}
	w.addJobs()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.breakThings(ctx) })
	for i := range simAgents {
		wg.Go(func() { w.machine(ctx, i) })
	}
	w.awaitCompletion()
	stop()
	wg.Wait()
	if accounts != nil {
		w.checkAccounts()
	}
	if limits != nil {
		limits.end(w)
	}
	w.current().Stop(0)
	w.check()
}

// world is the simulated surroundings: one server at a time, several machines.
type world struct {
	t     *testing.T
	store *shelf
	// limits, if any, are carried by all jobs.
	limits *simLimits

	mu     sync.Mutex
	rng    *rand.Rand
	payers []string
	engine *Engine // nil while the server is down
	traces map[string][]span
}

// span is one run of a command as the command itself saw it.
type span struct {
	from, to time.Time
	attempt  job.AttemptID
	whole    bool
}

func (w *world) random(max time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rng.Int64N(int64(max)))
}

func (w *world) chance(percent int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(100) < percent
}

// pause lets simulated time pass; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// serve starts a server. One that was killed goes on in the background, as a
// process that does not know yet that it lost its store would.
func (w *world) serve() {
	e, err := New(context.Background(), Config{}, w.store)
	if err != nil {
		w.t.Error(err)
		return
	}
	e.Listening()
	w.mu.Lock()
	w.engine = e
	w.mu.Unlock()
}

func (w *world) current() *Engine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine
}

// namespace waits for a server that is up.
func (w *world) namespace(ctx context.Context) *Namespace {
	for ctx.Err() == nil {
		if e := w.current(); e != nil {
			if ns, err := e.Namespace(ctx, ""); err == nil {
				return ns
			}
		}
		pause(ctx, time.Second)
	}
	return nil
}

func (w *world) addJobs() {
	jobs := make([]*job.Job, simJobs)
	for i := range jobs {
		retries := 1000
		jobs[i] = &job.Job{Command: &job.Command{Line: fmt.Sprint("job ", i)}, Retries: &retries}
		if n := len(w.payers); n > 0 {
			jobs[i].Account = w.payers[w.random(time.Duration(n))]
		}
		if w.limits != nil {
			w.limits.give(jobs[i], i)
		}
	}
	ctx := w.t.Context()
	losses := 1000
	if err := w.namespace(ctx).SetQueue(ctx, job.Queue{Name: job.DefaultQueue, Losses: &losses}); err != nil {
		w.t.Fatal(err)
	}
	r, err := w.namespace(ctx).Add(ctx, AddRequest{Jobs: jobs})
	if err != nil || r.Added != simJobs {
		w.t.Fatalf("%+v, %v", r, err)
	}
}

// breakThings breaks the server again and again, and lets it recover.
func (w *world) breakThings(ctx context.Context) {
	for pause(ctx, time.Minute+w.random(time.Hour)) {
		switch {
		case w.chance(40):
			w.store.failNext(errors.New("simulated fault"))
		case w.chance(50):
			w.restart(ctx, 0)
		default:
			w.restart(ctx, 20*time.Minute)
		}
	}
}

// restart ends the server, with a hold as planned or without one as a crash, and
// starts it again after a while.
func (w *world) restart(ctx context.Context, hold time.Duration) {
	w.mu.Lock()
	old := w.engine
	w.engine = nil
	w.mu.Unlock()
	old.Stop(hold)
	pause(ctx, w.random(10*time.Minute))
	w.serve()
}

func (w *world) awaitCompletion() {
	deadline := time.Now().Add(14 * 24 * time.Hour)
	for time.Now().Before(deadline) {
		ns := w.namespace(w.t.Context())
		c, err := ns.Counts(w.t.Context(), CountsRequest{})
		if err == nil && c.Total[job.Complete] == simJobs {
			return
		}
		pause(w.t.Context(), time.Minute)
	}
	w.t.Error("not all jobs completed in two simulated weeks")
}

func (w *world) check() {
	for key, spans := range w.traces {
		whole := 0
		for i, a := range spans {
			if a.whole {
				whole++
			}
			for _, b := range spans[i+1:] {
				if a.from.Before(b.to) && b.from.Before(a.to) {
					w.t.Errorf("job %s ran twice at once: %v %v–%v and %v %v–%v", key,
						a.attempt, a.from.Unix(), a.to.Unix(), b.attempt, b.from.Unix(), b.to.Unix())
				}
			}
		}
		if whole == 0 {
			w.t.Errorf("job %s completed without having run to its end", key)
		}
	}
	if len(w.traces) != simJobs {
		w.t.Errorf("%d of %d jobs ever ran", len(w.traces), simJobs)
	}
}

// machine is one machine's life: agents on it one after the other.
func (w *world) machine(ctx context.Context, number int) {
	for incarnation := uint64(1); ctx.Err() == nil; incarnation++ {
		a := &simAgent{w: w, tasks: map[job.AttemptID]*simTask{}}
		a.who = job.Worker{
			Name: fmt.Sprintf("m%d-%d", number, incarnation), Machine: fmt.Sprint("m", number), Boot: "b", Dir: "/d",
			Incarnation: incarnation, Capacity: job.Resources{job.CPU: 2000},
		}
		life, die := context.WithTimeout(ctx, time.Minute+w.random(30*time.Minute))
		a.live(life)
		die()
		// The keeper ends what the agent left within a second; a successor takes
		// over only after that.
		a.endAll(w.random(time.Second))
		pause(ctx, time.Second+w.random(5*time.Minute))
	}
}

// simAgent follows the rules of leases of an agent and its keeper.
type simAgent struct {
	w   *world
	who job.Worker

	mu      sync.Mutex
	tasks   map[job.AttemptID]*simTask
	reports []Numbered // unacknowledged
	next    uint64
	wake    chan struct{}
}

type simTask struct {
	a        Assignment
	began    time.Time
	deadline time.Time // of the lease, by the agent's clock
	timer    *time.Timer
	kill     *time.Timer
}

// live attaches again and again until the agent is killed.
func (a *simAgent) live(ctx context.Context) {
	a.wake = make(chan struct{}, 1)
	for ctx.Err() == nil {
		ns := a.w.namespace(ctx)
		if ns == nil {
			return
		}
		// A connection lasts until the network is cut; sometimes the agent hangs
		// meanwhile, which the keeper does not.
		conn, cut := context.WithTimeout(ctx, a.w.random(20*time.Minute))
		a.converse(conn, ns)
		cut()
		pause(ctx, a.w.random(20*time.Minute))
	}
}

func (a *simAgent) converse(ctx context.Context, ns *Namespace) {
	a.mu.Lock()
	r := AttachRequest{Worker: a.who, PredecessorEnded: true, Clock: time.Now().UnixNano(), Reports: a.reports}
	for id, task := range a.tasks {
		r.Held = append(r.Held, Ref{Seq: task.a.Seq, Attempt: id})
		// Promised extensions are over once the server may have heard this.
		task.limit(time.Now().Add(task.a.Lease))
	}
	for _, rep := range a.reports {
		r.Held = append(r.Held, rep.Ref)
	}
	a.mu.Unlock()
	s, err := ns.Attach(ctx, r)
	if err != nil {
		return
	}
	defer s.Close()
	go a.speak(ctx, s)
	for {
		o, err := s.Recv(ctx)
		if err != nil {
			return
		}
		if a.w.chance(10) && !pause(ctx, a.w.random(time.Minute)) {
			return // a slow network
		}
		a.obey(o)
		if o.Closed != nil {
			return
		}
	}
}

func (a *simAgent) speak(ctx context.Context, s *Session) {
	beat := time.NewTicker(10 * time.Second)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			clock := time.Now().UnixNano()
			if a.w.chance(5) && !pause(ctx, a.w.random(2*time.Minute)) {
				return // the reading grows old on its way
			}
			_ = s.Beat(ctx, Beat{Clock: clock})
		case <-a.wake:
			a.mu.Lock()
			reports := append([]Numbered(nil), a.reports...)
			a.mu.Unlock()
			_ = s.Report(ctx, reports)
		case <-ctx.Done():
			return
		}
	}
}

func (a *simAgent) obey(o *Orders) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range o.Answers {
		for i := range a.reports {
			if a.reports[i].Number == n.Number {
				a.reports = append(a.reports[:i], a.reports[i+1:]...)
				break
			}
		}
	}
	for _, ref := range o.Gone {
		if task := a.tasks[ref.Attempt]; task != nil {
			a.endTask(task, false)
		}
	}
	for _, task := range a.tasks {
		if o.Renewed != 0 {
			task.extend(time.Unix(0, o.Renewed).Add(task.a.Lease))
		}
		if !o.HoldUntil.IsZero() {
			task.extend(o.HoldUntil)
		}
	}
	for _, as := range o.Assign {
		a.start(as)
	}
	for _, st := range o.Stop {
		if task := a.tasks[st.Attempt]; task != nil {
			a.endTask(task, false)
		}
	}
}

// start runs a command unless its lease is about over.
func (a *simAgent) start(as Assignment) {
	if a.tasks[as.Attempt] != nil {
		return
	}
	task := &simTask{a: as, began: time.Now(), deadline: time.Unix(0, as.Since).Add(as.Lease)}
	if !time.Now().Before(task.end()) {
		return
	}
	a.tasks[as.Attempt] = task
	task.timer = time.AfterFunc(a.w.random(30*time.Minute), func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.tasks[as.Attempt] == task {
			a.endTask(task, true)
		}
	})
	task.kill = time.AfterFunc(time.Until(task.end()), func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.tasks[as.Attempt] == task && !time.Now().Before(task.end()) {
			a.endTask(task, false)
		}
	})
	a.tell(Numbered{Report: Report{Ref: Ref{Seq: as.Seq, Attempt: as.Attempt}, Kind: ReportStart}})
}

// end is when the command is ended for want of a renewal.
func (k *simTask) end() time.Time {
	return k.deadline.Add(-max(2*time.Second, k.a.Lease/100))
}

func (k *simTask) extend(to time.Time) {
	if to.After(k.deadline) {
		k.deadline = to
		k.kill.Reset(time.Until(k.end()))
	}
}

func (k *simTask) limit(to time.Time) {
	if to.Before(k.deadline) {
		k.deadline = to
		k.kill.Reset(time.Until(k.end()))
	}
}

// endTask ends a command, by itself (whole) or killed, notes its trace and what
// is to be reported.
func (a *simAgent) endTask(k *simTask, whole bool) {
	k.timer.Stop()
	k.kill.Stop()
	delete(a.tasks, k.a.Attempt)
	a.trace(k, whole)
	r := Report{Ref: Ref{Seq: k.a.Seq, Attempt: k.a.Attempt}, Kind: ReportComplete}
	if !whole {
		r.Kind, r.Result.Reason = ReportRelease, job.ReasonLost
	}
	a.tell(Numbered{Report: r})
}

func (a *simAgent) trace(k *simTask, whole bool) {
	j, err := k.a.Job()
	if err != nil {
		a.w.t.Error(err)
		return
	}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	key := j.Command.Line
	a.w.traces[key] = append(a.w.traces[key], span{k.began, time.Now(), k.a.Attempt, whole})
}

func (a *simAgent) tell(n Numbered) {
	a.next++
	n.Number = a.next
	a.reports = append(a.reports, n)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// endAll is what the keeper does when the agent died.
func (a *simAgent) endAll(after time.Duration) {
	<-time.After(after)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.tasks {
		k.timer.Stop()
		k.kill.Stop()
		delete(a.tasks, k.a.Attempt)
		a.trace(k, false)
	}
}
