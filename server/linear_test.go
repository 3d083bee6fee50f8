package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/pebble"
)

// What clients see is as if all that was ever acknowledged had happened one
// after the other, each at some moment between its call and its answer, though
// the machine crashes (what was not synced may be gone) or the server is
// restarted in between. Each job has a queue of its own, so that histories can
// be checked job by job. MUSTER_TEST_SEED repeats a run.
func TestHistoriesAreLinearizable(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("MUSTER_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("MUSTER_TEST_SEED=%d", seed)
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), data: t.TempDir(), fs: vfs.NewCrashableMem(), attempts: map[string][]attemptID{}}
	w.start()
	const clients, ops, restarts = 6, 200, 6
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)+2))
			for range ops {
				w.act(rng)
			}
		})
	}
	for r := range restarts {
		w.awaitOps(int64((r + 1) * clients * ops / (restarts + 1)))
		w.restart(r%3 != 2)
	}
	wg.Wait()
	w.server.Stop(-1, ErrStopped)
	w.check()
}

// world is a server that crashes, and the history its clients saw.
type world struct {
	t    *testing.T
	rng  *rand.Rand
	data string

	clock atomic.Int64
	done  atomic.Int64 // operations
	moved sync.Cond    // of mu: done or gen changed

	mu       sync.Mutex
	fs       *vfs.MemFS
	server   *Server
	calls    *calls
	gen      int // raised at each restart
	down     bool
	history  []porcupine.Operation
	attempts map[string][]attemptID // by job, the newest last
}

// calls are the methods of one server.
type calls struct {
	jobs v1.JobsClient
	work v1.WorkClient
	ctx  context.Context
}

type attemptID struct {
	epoch uint32
	n     uint64
	seq   uint64
}

func (a attemptID) String() string { return fmt.Sprintf("%d-%d/%d", a.epoch, a.n, a.seq) }

func (w *world) start() {
	w.t.Helper()
	fs := w.fs
	s, err := Start(context.Background(), Config{
		Data: w.data, Listen: "127.0.0.1:0", HTTP: NoHTTP, Hold: time.Hour,
		OpenStore: func() (store.Store, error) {
			return pebble.Open(pebble.Config{Dir: "store", FS: fs, Log: slog.New(slog.DiscardHandler)})
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	conn := dial(w.t, s)
	w.server = s
	w.calls = &calls{jobs: v1.NewJobsClient(conn), work: v1.NewWorkClient(conn), ctx: as(w.t, s.Token())}
	w.moved.L = &w.mu
}

// restart stops the server as planned, or crashes the machine: what was not
// synced is gone, in part or as a whole, and nobody hears of what happens after.
func (w *world) restart(crash bool) {
	w.mu.Lock()
	w.gen++
	w.down = true
	old := w.server
	if crash {
		w.fs = w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: w.rng.IntN(101), RNG: w.rng})
	}
	w.mu.Unlock()
	hold := time.Duration(0)
	if crash {
		hold = -1
	}
	old.Stop(hold, ErrStopped)
	w.mu.Lock()
	w.start()
	w.down = false
	w.moved.Broadcast()
	w.mu.Unlock()
}

// awaitOps waits until that many operations were done.
func (w *world) awaitOps(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.done.Load() < n {
		w.moved.Wait()
	}
}

// operation is what a client asks, of one job.
type operation struct {
	what    string
	key     string
	attempt attemptID
}

// unknown is the output of an operation that was not answered: it may have
// happened or not, then or later.
const unknown = "?"

// act does one random operation and notes it in the history.
func (w *world) act(rng *rand.Rand) {
	op := operation{
		what: actions[rng.IntN(len(actions))],
		key:  fmt.Sprint("job", rng.IntN(5)),
	}
	w.mu.Lock()
	for w.down {
		w.moved.Wait()
	}
	if list := w.attempts[op.key]; len(list) > 0 {
		// Mostly the newest attempt, now and then an old one.
		op.attempt = list[max(0, len(list)-1-int(rng.ExpFloat64()/2))]
	} else if needsAttempt[op.what] {
		op.what = "reserve"
	}
	c, gen := w.calls, w.gen
	w.mu.Unlock()

	called := w.clock.Add(1)
	out, err := c.do(&op)
	w.mu.Lock()
	defer w.mu.Unlock()
	returned := w.clock.Add(1)
	if gen != w.gen || err != nil {
		if gen == w.gen {
			w.t.Errorf("%v: %v", op, err)
		}
		out, returned = unknown, math.MaxInt64
	}
	if id, ok := out.(attemptID); ok {
		w.attempts[op.key] = append(w.attempts[op.key], id)
	}
	w.history = append(w.history, porcupine.Operation{Input: op, Call: called, Output: out, Return: returned})
	w.done.Add(1)
	w.moved.Broadcast()
}

// actions are what clients do, the frequent ones several times.
var actions = []string{
	"add", "add", "reserve", "reserve", "reserve", "start", "start", "renew", "complete", "release", "release",
	"bury", "kick", "kick", "cancel", "delete", "get", "get",
}

var needsAttempt = map[string]bool{"start": true, "renew": true, "complete": true, "release": true, "bury": true}

// do asks the server. The output is comparable.
func (c *calls) do(op *operation) (any, error) {
	ref := []*v1.JobRef{{Queue: "q-" + op.key, Key: op.key}}
	change := &v1.ChangeJobsRequest{Jobs: ref, Force: true}
	switch op.what {
	case "add":
		retries := int32(1_000_000)
		a, err := c.jobs.AddBatch(c.ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{{Queue: ref[0].Queue, Key: op.key, Data: []byte("x"), Retries: &retries}}})
		return a.GetAdded() == 1, err
	case "reserve":
		a, err := c.work.Reserve(c.ctx, &v1.ReserveRequest{Worker: "w", Want: &v1.Want{Queues: []string{ref[0].Queue}}})
		if err != nil || len(a.Grants) == 0 {
			return "", err
		}
		g := a.Grants[0]
		return attemptID{g.Epoch, g.N, g.Seq}, nil
	case "kick":
		return changedOne(c.jobs.KickJobs(c.ctx, change))
	case "cancel":
		return changedOne(c.jobs.CancelJobs(c.ctx, change))
	case "delete":
		return changedOne(c.jobs.DeleteJobs(c.ctx, change))
	case "get":
		info, err := c.jobs.GetJob(c.ctx, &v1.GetJobRequest{Job: ref[0]})
		if job.IsKind(api.FromStatus(err), job.NotFound) {
			return "absent", nil
		}
		return info.GetState() + " " + info.GetStopping(), err
	}
	return c.report(op)
}

func changedOne(a *v1.ChangeJobsResponse, err error) (any, error) { return a.GetChanged() == 1, err }

var reports = map[string]v1.Report_Action{
	"start": v1.Report_start, "renew": v1.Report_renew, "complete": v1.Report_complete,
	"release": v1.Report_release, "bury": v1.Report_bury,
}

// report is true when the server accepted it.
func (c *calls) report(op *operation) (any, error) {
	r := &v1.Report{Epoch: op.attempt.epoch, N: op.attempt.n, Seq: op.attempt.seq, Action: reports[op.what]}
	if op.what == "release" {
		r.Delay = new(int64(0))
	}
	a, err := c.work.Report(c.ctx, &v1.ReportRequest{Worker: "w", Reports: []*v1.Report{r}})
	if err != nil {
		return nil, err
	}
	if a.Accepted == 1 {
		return true, nil
	}
	if said := api.ToError(a.Answers[0].Error); !job.IsKind(said, job.LostLease) {
		return nil, said
	}
	return false, nil
}

// check looks for an order in which everything makes sense, job by job.
func (w *world) check() {
	unanswered := 0
	for _, op := range w.history {
		if op.Output == unknown {
			unanswered++
		}
	}
	w.t.Logf("%d operations, %d unanswered, %d restarts", len(w.history), unanswered, w.gen)
	model := porcupine.NondeterministicModel{
		Partition: byJob,
		Init:      func() []any { return []any{lifeModel{}} },
		Step:      func(state, in, out any) []any { return state.(lifeModel).step(in.(operation), out) },
	}
	m := model.ToModel()
	for _, part := range byJob(w.history) {
		switch porcupine.CheckOperationsTimeout(m, part, time.Minute) {
		case porcupine.Illegal:
			w.explain(m, part)
		case porcupine.Unknown:
			w.t.Logf("the history of %s was too long to be checked in time", part[0].Input.(operation).key)
		}
	}
}

// explain shows the shortest beginning of a history that makes no sense.
func (w *world) explain(m porcupine.Model, part []porcupine.Operation) {
	slices.SortFunc(part, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	n := sort.Search(len(part), func(i int) bool { return !porcupine.CheckOperations(m, until(part, part[i].Return)) })
	if n == len(part) {
		n-- // only with what was never answered
	}
	w.t.Errorf("the history of %s makes no sense from %v on:", part[n].Input.(operation).key, part[n].Input)
	for _, op := range until(part, part[n].Return)[max(0, n-30):] {
		w.t.Logf("%6d %19d %v -> %v", op.Call, op.Return, op.Input, op.Output)
	}
}

// until is what was known of a history at some moment.
func until(part []porcupine.Operation, moment int64) []porcupine.Operation {
	var known []porcupine.Operation
	for _, op := range part {
		if op.Return > moment && op.Call < moment {
			op.Output, op.Return = unknown, math.MaxInt64
		}
		if op.Call < moment {
			known = append(known, op)
		}
	}
	return known
}

func byJob(history []porcupine.Operation) [][]porcupine.Operation {
	index := map[string]int{}
	var parts [][]porcupine.Operation
	for _, op := range history {
		key := op.Input.(operation).key
		if _, ok := index[key]; !ok {
			index[key] = len(parts)
			parts = append(parts, nil)
		}
		parts[index[key]] = append(parts[index[key]], op)
	}
	return parts
}

// lifeModel is the life of one job, as small as it can be told.
type lifeModel struct {
	state   string // "" is absent
	attempt attemptID
	// stopping: it was cancelled while it was held.
	stopping bool
	// doomed: nobody was told of the attempt that holds it.
	doomed bool
	// ended is how the attempt ended: what repeats are answered by.
	ended string
}

func (m lifeModel) held() bool { return m.state == "reserved" || m.state == "running" }

// step gives the states that may follow an operation with an output. One that was
// not answered may not have happened, or had any output.
func (m lifeModel) step(op operation, out any) []any {
	next, want := m.apply(op)
	if out == unknown {
		if op.what == "reserve" && m.state == "ready" {
			next = lifeModel{state: "reserved"} // by an attempt nobody knows
		}
		return []any{m, next}
	}
	if id, ok := out.(attemptID); ok {
		if m.state != "ready" {
			return nil
		}
		return []any{lifeModel{state: "reserved", attempt: id}}
	}
	if op.what == "reserve" && m.state == "ready" {
		// It was granted, and deleted by force before the answer left: there is
		// nothing to answer then. Only that delete can follow, and looks.
		return []any{lifeModel{state: "reserved", doomed: true}}
	}
	if m.doomed && op.what != "delete" && op.what != "get" && next != m {
		return nil
	}
	if out != want {
		return nil
	}
	return []any{next}
}

// apply is what an operation does, and what it answers.
func (m lifeModel) apply(op operation) (lifeModel, any) {
	switch op.what {
	case "add":
		if m.state == "" {
			return lifeModel{state: "ready"}, true
		}
		return m, false
	case "reserve":
		if m.state == "ready" {
			return m, "a grant"
		}
		return m, ""
	case "get":
		return m, m.shown()
	case "kick":
		if m.state != "buried" {
			return m, false
		}
		m.state = "ready"
		return m, true
	case "cancel":
		return m.cancel()
	case "delete":
		return lifeModel{}, m.state != ""
	}
	return m.report(op)
}

func (m lifeModel) shown() string {
	switch {
	case m.state == "":
		return "absent"
	case m.stopping && m.held():
		return m.state + " cancelled"
	}
	return m.state + " "
}

func (m lifeModel) cancel() (lifeModel, any) {
	switch {
	case m.held():
		m.stopping = true
	case m.state == "ready":
		m.state = "buried"
	default:
		return m, false
	}
	return m, true
}

func (m lifeModel) report(op operation) (lifeModel, any) {
	if m.attempt != op.attempt {
		return m, false
	}
	if !m.held() {
		return m, m.repeats(op.what)
	}
	switch op.what {
	case "start":
		m.state = "running"
	case "renew":
	case "complete":
		m.state, m.ended = "complete", "complete"
	case "release":
		m.state, m.ended = "ready", "released"
	case "bury":
		m.state, m.ended = "buried", "buried"
	}
	if m.ended != "" && m.stopping && m.ended != "complete" {
		m.state, m.ended = "buried", "buried" // cancel beats every retry
	}
	m.stopping = m.stopping && m.held()
	return m, true
}

// repeats tells whether a report of an attempt that has ended is taken for the
// repeat of the one that ended it.
func (m lifeModel) repeats(what string) bool {
	switch m.ended {
	case "complete":
		return what == "complete"
	case "released":
		return what == "release"
	case "buried":
		return what == "bury" || what == "release"
	}
	return false
}
