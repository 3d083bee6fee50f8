package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
)

// outside is a dispatcher with tasks and bots of its own: the truth about them. It
// lets a pool of the server decide, and tells it what happens, late, twice, in any
// order, and sometimes not at all.
type outside struct {
	t    *testing.T
	ctx  context.Context
	pool *client.Scheduler

	mu    sync.Mutex
	rng   *rand.Rand
	tasks map[string]*outsideTask
	bots  map[string]*outsideBot
	left  int           // tasks that are not done
	done  chan struct{} // closed when none is
	work  sync.WaitGroup
}

type outsideTask struct {
	client.TaskNews
	// waits counts how often the server was told that it waits; telling is how many
	// such news are under way.
	waits, telling int
	toldAt         time.Time
	told           []toldTo
	runs           int
	// preempted is how often it was stopped on the server's word.
	preempted int
	done      bool
	bot       *outsideBot
}

// toldTo is that a bot was told to run a task of which the server had been told so
// many times that it waits.
type toldTo struct {
	bot   string
	waits int
}

// sure is what the server has been told; unsure while it is being told.
func (t *outsideTask) sure() int {
	if t.telling > 0 {
		return unsure
	}
	return t.waits
}

const unsure = -1

type outsideBot struct {
	id     string
	labels []string
	task   *outsideTask
	stop   chan struct{} // closed to end its task
}

func newOutside(t *testing.T, ctx context.Context, pool *client.Scheduler, tasks int, seed uint64) *outside {
	return &outside{
		t: t, ctx: ctx, pool: pool, rng: rand.New(rand.NewPCG(seed, 7)),
		tasks: map[string]*outsideTask{}, bots: map[string]*outsideBot{}, left: tasks, done: make(chan struct{}),
	}
}

// chance is true for so many of a hundred.
func (o *outside) chance(percent int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rng.IntN(100) < percent
}

// pause waits, up to so long; false when all is over.
func (o *outside) pause(most time.Duration) bool {
	o.mu.Lock()
	d := time.Duration(o.rng.Int64N(int64(most)))
	o.mu.Unlock()
	select {
	case <-time.After(d):
		return true
	case <-o.ctx.Done():
		return false
	}
}

// enqueue adds a task.
func (o *outside) enqueue(id string, tags, labels, prefer []string) {
	task := &outsideTask{TaskNews: client.TaskNews{ID: id, Tags: tags, Labels: labels, Prefer: prefer}}
	o.mu.Lock()
	o.tasks[id] = task
	n := task.news()
	o.mu.Unlock()
	o.tell(n, false)
}

// news is how the task stands now; the caller has the lock.
func (t *outsideTask) news() client.TaskNews {
	n := t.TaskNews
	n.Time, n.State = time.Now(), client.TaskWaiting
	switch {
	case t.done:
		n.State = client.TaskComplete
	case t.bot != nil:
		n.State, n.Worker = client.TaskRunning, t.bot.id
	}
	return n
}

// tell tells the server, some time, perhaps twice, and what may be lost perhaps not.
func (o *outside) tell(n client.TaskNews, mayBeLost bool) {
	times := 1
	switch {
	case mayBeLost && o.chance(5):
		return
	case o.chance(20):
		times = 2
	}
	for range times {
		o.work.Go(func() {
			if !o.pause(150*time.Millisecond) || o.ctx.Err() != nil {
				return
			}
			o.waiting(n, 1)
			if err := o.pool.NotifyTasks(o.ctx, n); err != nil && o.ctx.Err() == nil {
				o.t.Errorf("tell of %s: %v", n.ID, err)
			}
			o.waiting(n, -1)
		})
	}
}

// waiting counts news that a task waits, before and after they are told.
func (o *outside) waiting(n client.TaskNews, telling int) {
	if n.State == client.TaskWaiting {
		o.mu.Lock()
		defer o.mu.Unlock()
		task := o.tasks[n.ID]
		task.waits++
		task.telling += telling
		task.toldAt = time.Now()
	}
}

// bot runs a bot until all is over: it asks, does what it is told, and asks again.
func (o *outside) bot(id string, labels ...string) {
	b := &outsideBot{id: id, labels: labels}
	o.mu.Lock()
	o.bots[id] = b
	o.mu.Unlock()
	o.work.Go(func() {
		for o.pause(80 * time.Millisecond) {
			o.poll(b)
		}
	})
}

func (o *outside) poll(b *outsideBot) {
	asked := o.waits()
	list, err := o.pool.AssignTasks(o.ctx, time.Now(), client.IdleWorker{ID: b.id, Labels: b.labels})
	switch {
	case o.ctx.Err() != nil:
		return
	case err != nil:
		o.t.Errorf("%s asks: %v", b.id, err)
		return
	case len(list) > 1 || len(list) == 1 && list[0].Worker != b.id:
		o.t.Errorf("%s was told %v", b.id, list)
		return
	case len(list) == 0:
		return
	}
	if task := o.begin(b, list[0], asked); task != nil {
		o.run(b, task)
	}
}

// waits is how often the server was told of each task that it waits.
func (o *outside) waits() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[string]int, len(o.tasks))
	for id, t := range o.tasks {
		all[id] = t.sure()
	}
	return all
}

// begin begins what a bot was told, if the task waits; otherwise it tells again how
// that stands.
func (o *outside) begin(b *outsideBot, a client.TaskAssignment, asked map[string]int) *outsideTask {
	o.mu.Lock()
	task := o.tasks[a.Task]
	if task == nil {
		o.mu.Unlock()
		o.t.Errorf("%s was told to run %s, which there never was", b.id, a.Task)
		return nil
	}
	for _, l := range task.Labels {
		if !slices.Contains(b.labels, l) {
			o.t.Errorf("%s, without %s, was told to run %s", b.id, l, a.Task)
		}
	}
	if n := task.sure(); n != unsure && n == asked[a.Task] {
		task.told = append(task.told, toldTo{b.id, n})
	}
	if task.done || task.bot != nil {
		n := task.news()
		o.mu.Unlock()
		o.tell(n, true)
		return nil
	}
	task.bot, b.task, b.stop = b, task, make(chan struct{})
	task.runs++
	n := task.news()
	o.mu.Unlock()
	o.tell(n, true)
	return task
}

// run runs a task to its end, or until it is stopped.
func (o *outside) run(b *outsideBot, task *outsideTask) {
	o.mu.Lock()
	long := 20*time.Millisecond + time.Duration(o.rng.Int64N(int64(400*time.Millisecond)))
	stop := b.stop
	o.mu.Unlock()
	stopped := false
	select {
	case <-time.After(long):
	case <-stop:
		stopped = true
	case <-o.ctx.Done():
		return
	}
	o.mu.Lock()
	task.bot, b.task, b.stop = nil, nil, nil
	task.done = !stopped
	n := task.news()
	if stopped {
		n.State = client.TaskStopped
		task.preempted++
	} else if o.left--; o.left == 0 {
		close(o.done)
	}
	o.mu.Unlock()
	o.tell(n, true)
	if stopped {
		o.again(task)
	}
}

// again tells that a task that was stopped is waiting once more.
func (o *outside) again(task *outsideTask) {
	o.mu.Lock()
	n := task.news()
	o.mu.Unlock()
	o.tell(n, false)
}

// cancel stops what is to be stopped, again and again.
func (o *outside) cancel() {
	for o.pause(100 * time.Millisecond) {
		list, err := o.pool.Cancellations(o.ctx)
		if err != nil && o.ctx.Err() == nil {
			o.t.Errorf("cancellations: %v", err)
		}
		for _, c := range list {
			o.stop(c)
		}
	}
}

func (o *outside) stop(c client.TaskCancellation) {
	o.mu.Lock()
	if c.Error {
		o.t.Errorf("something is wrong with %s: %s", c.Task, c.Why)
	}
	b := o.bots[c.Worker]
	if b != nil && b.task != nil && b.task.ID == c.Task {
		select {
		case <-b.stop:
		default:
			close(b.stop)
		}
		o.mu.Unlock()
		return
	}
	task := o.tasks[c.Task]
	if task == nil || task.done || task.bot != nil {
		o.mu.Unlock()
		return
	}
	// It never began there. It is gone from there, and waits.
	n := task.news()
	n.State = client.TaskStopped
	o.mu.Unlock()
	o.tell(n, true)
	o.again(task)
}

// callBack tells again of the tasks that the server asks about.
func (o *outside) callBack() {
	for o.pause(200 * time.Millisecond) {
		ids, err := o.pool.Callbacks(o.ctx)
		if err != nil && o.ctx.Err() == nil {
			o.t.Errorf("callbacks: %v", err)
		}
		for _, id := range ids {
			o.mu.Lock()
			task := o.tasks[id]
			n := task.news()
			o.mu.Unlock()
			o.tell(n, n.State != client.TaskWaiting)
		}
	}
}

// remind tells again of tasks that wait for long: one that was assigned and preempted
// before any bot heard of it is not known to the server any more.
func (o *outside) remind() {
	for o.pause(time.Second) {
		o.mu.Lock()
		var news []client.TaskNews
		for _, t := range o.tasks {
			if !t.done && t.bot == nil && !t.toldAt.IsZero() && time.Since(t.toldAt) > 3*time.Second {
				news = append(news, t.news())
			}
		}
		o.mu.Unlock()
		for _, n := range news {
			o.tell(n, false)
		}
	}
}

// check finds tasks that two bots were told though the outside did not say between
// that they wait, and those that did not run as often as the outside made them.
func (o *outside) check() (runs, preempted int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, t := range o.tasks {
		if !t.done || t.runs != 1+t.preempted {
			o.t.Errorf("%s: done %v, %d runs, stopped %d times", id, t.done, t.runs, t.preempted)
		}
		runs, preempted = runs+t.runs, preempted+t.preempted
		at := map[int]string{}
		for _, told := range t.told {
			if other, ok := at[told.waits]; ok && other != told.bot {
				o.t.Errorf("%s, which was told to wait %d times, was given to %s and to %s", id, told.waits, other, told.bot)
			}
			at[told.waits] = told.bot
		}
	}
	return runs, preempted
}

// undone are the tasks that are not done, with how they stand.
func (o *outside) undone() (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, t := range o.tasks {
		if !t.done {
			o.t.Logf("%s: %+v", id, t)
			names = append(names, id)
		}
	}
	return names
}

func taskName(i int) string { return fmt.Sprintf("task%04d", i) }
