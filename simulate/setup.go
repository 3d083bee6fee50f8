package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// shape is jobs that are alike to the scheduler.
type shape struct {
	id     job.ShapeID
	ledger *ledger
	needs  []portion
}

// machine is a worker and what runs on it.
type machine struct{ tasks []*task }

// group is a group of workers: the number of its first and of the one after its
// last.
type group struct {
	first, end job.WorkerID
	capacity   []portion
}

// change is an account's change by place; index -1 is its arrival.
type change struct{ account, index int }

// clone is a workload of its own, as far as settling it changes anything.
func (w *Workload) clone() *Workload {
	c := *w
	c.Jobs = slices.Clone(w.Jobs)
	return &c
}

func newSimulator(w *Workload, o Options) *simulator {
	s := &simulator{
		Workload: w, Options: o, now: begin, active: begin,
		sched:  schedule.New(schedule.Config{Seed: w.Seed, NoPreemption: w.NoPreemption}),
		queues: map[string]job.QueueID{}, live: map[job.Seq]*task{},
		meters: meters{of: map[string]int{}, workers: meter{at: begin}},
	}
	s.sched.Advance(begin)
	s.addLedgers()
	s.addQueues()
	s.addAccounts()
	s.addWorkers()
	s.addStreams()
	s.startSampling()
	return s
}

// addLedgers makes one for each account, and for each name that jobs give.
func (s *simulator) addLedgers() {
	places := map[string]int{}
	for i := range s.Jobs {
		places[s.Jobs[i].Account] = -1
	}
	for i := range s.Accounts {
		places[s.Accounts[i].Name] = i
	}
	for _, name := range slices.Sorted(maps.Keys(places)) {
		s.ledgers = append(s.ledgers, &ledger{name: name, known: places[name] >= 0, at: begin, ratedAt: begin})
		s.placeOf = append(s.placeOf, places[name])
	}
}

func (s *simulator) ledger(name string) *ledger {
	i, _ := slices.BinarySearchFunc(s.ledgers, name, func(l *ledger, name string) int { return cmp.Compare(l.name, name) })
	return s.ledgers[i]
}

func (s *simulator) addQueues() {
	for i := range s.Queues {
		q := &s.Queues[i]
		s.sched.SetQueue(s.queue(q.Name), schedule.QueueSettings{Priority: q.Priority, Weight: q.Weight, MaxRunning: q.MaxRunning})
	}
}

func (s *simulator) queue(name string) job.QueueID {
	id, ok := s.queues[name]
	if !ok {
		id = job.QueueID(len(s.queues) + 1)
		s.queues[name] = id
	}
	return id
}

// addAccounts puts what happens to accounts on the agenda. Those that are there
// from the beginning are made at once.
func (s *simulator) addAccounts() {
	for i := range s.Accounts {
		a := &s.Accounts[i]
		s.settings = append(s.settings, Settings{})
		s.addChange(a.Arrive, change{i, -1})
		for j := range a.Changes {
			s.addChange(a.Changes[j].At, change{i, j})
		}
	}
}

func (s *simulator) addChange(at time.Duration, c change) {
	s.changes = append(s.changes, c)
	s.agenda.push(happening{at: begin.Add(at), what: accountChanges, n: len(s.changes) - 1})
}

// change makes an account what it is to be from now on.
func (s *simulator) change(n int) {
	c := s.changes[n]
	a := &s.Accounts[c.account]
	now, said := &s.settings[c.account], &a.Settings
	if c.index >= 0 {
		said = &a.Changes[c.index].Settings
	}
	*now = now.with(said)
	account := now.account(a.Name)
	s.sched.SetAccount(a.Name, schedule.Account{
		Rate: schedule.Balance(account.Rate), Window: account.Window,
		MaxFanout: account.MaxFanout, LabelLimits: account.LabelLimits, NoFree: account.NoFree,
	})
	s.ledger(a.Name).setRate(account.Rate, s.now)
	if said.Balance != nil {
		s.sched.SetBalance(a.Name, schedule.Balance(*said.Balance), s.now)
	}
}

func (s *simulator) addWorkers() {
	s.machines = []machine{{}} // numbers begin at one
	for i := range s.Workers {
		g := &s.Workers[i]
		first := job.WorkerID(len(s.machines))
		s.machines = append(s.machines, make([]machine, g.Count)...)
		s.groups = append(s.groups, group{first, job.WorkerID(len(s.machines)), s.meters.portions(g.Capacity)})
		s.agenda.push(happening{at: begin.Add(g.Arrive), what: workersArrive, n: i})
		if g.Leave > 0 {
			s.agenda.push(happening{at: begin.Add(g.Leave), what: workersLeave, n: i})
		}
	}
}

// arrive brings in a group of workers.
func (s *simulator) arrive(n int) {
	g, ids := &s.Workers[n], &s.groups[n]
	def := schedule.Worker{Agent: true, Capacity: g.Capacity, Labels: g.Labels}
	if g.Leave > 0 {
		def.Until = begin.Add(g.Leave)
	}
	for id := ids.first; id < ids.end; id++ {
		s.sched.SetWorker(id, def)
	}
	s.meters.grow(ids.capacity, int64(g.Count), s.now)
}

// leave takes a group of workers out; what they run begins anew elsewhere.
func (s *simulator) leave(n int) {
	ids := &s.groups[n]
	for id := ids.first; id < ids.end; id++ {
		s.sched.DropWorker(id)
		for m := &s.machines[id]; len(m.tasks) > 0; {
			t := m.tasks[0]
			t.ledger.dropped++
			s.again(t)
		}
	}
	s.meters.grow(ids.capacity, -int64(s.Workers[n].Count), s.now)
}

func (s *simulator) addStreams() {
	s.shapes = map[string]*shape{}
	s.open = len(s.Jobs)
	for i := range s.Jobs {
		s.ofStream = append(s.ofStream, s.shapeOf(&s.Jobs[i]))
		s.sources = append(s.sources, newSource(&s.Jobs[i], s.Seed))
		s.await(i)
	}
}

// shapeOf is the shape of a stream; streams that are alike share one.
func (s *simulator) shapeOf(o *Stream) *shape {
	def := job.Shape{
		Queue: s.queue(o.Queue), Account: o.Account, Needs: o.Needs, Time: o.Time, Command: true,
		Labels: o.Labels.Sorted(), Prefer: o.Prefer.Sorted(), NotPreemptible: o.NotPreemptible,
	}
	key := fmt.Sprintf("%q %d %s %d %v %q %q", def.Account, def.Queue, def.Needs, def.Time, def.NotPreemptible,
		strings.Join(def.Labels, " "), strings.Join(def.Prefer, " "))
	if sh := s.shapes[key]; sh != nil {
		return sh
	}
	sh := &shape{id: job.ShapeID(len(s.shapes) + 1), ledger: s.ledger(o.Account), needs: s.meters.portions(o.Needs)}
	s.shapes[key] = sh
	s.sched.DefineShape(sh.id, &def)
	return sh
}
