package dispatch

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// model is the scheduler and the reconciler as anybody would write them from the rules:
// whole seconds, plain maps, and everything looked at each time.
type model struct {
	now      int
	preempt  bool
	accounts map[AccountID]*modelAccount
	tasks    map[RequestID]*modelTask
	workers  map[WorkerID]*modelWorker
	queues   map[WorkerID]*modelQueue
	errors   map[RequestID]string
	seq      int

	// Whose turn it is: when each was served, and who is first of those that never were.
	serves int
	served map[AccountID]int
	first  []AccountID
	// number decides between workers that are alike.
	number func(WorkerID) uint32
	// victims are those that were ever preempted, as they were.
	victims map[RequestID]modelTask
}

type modelAccount struct {
	*AccountConfig
	value Balance
	level Priority // as of the last pass or change
}

type modelTask struct {
	TaskRequest
	seq       int
	worker    WorkerID
	level     Priority
	cost      Balance
	confirmed int
	examined  int
	born      bool // in this pass
}

type modelWorker struct {
	labels              Labels
	confirmed, modified int
}

type modelQueue struct {
	enqueued int
	assign   RequestID
	aborts   []RequestID
	told     bool
}

func newModel(names ...AccountID) *model {
	return &model{
		preempt: true, accounts: map[AccountID]*modelAccount{}, tasks: map[RequestID]*modelTask{}, victims: map[RequestID]modelTask{}, workers: map[WorkerID]*modelWorker{},
		queues: map[WorkerID]*modelQueue{}, errors: map[RequestID]string{}, served: map[AccountID]int{}, first: turns(names),
	}
}

// turns are accounts in the order in which they are served when nothing tells them
// apart, which is found by trying.
func turns(names []AccountID) (order []AccountID) {
	s := schedule.New(schedule.Config{MaxReservations: -1, Shared: true})
	for i, name := range names {
		s.DefineShape(job.ShapeID(i+1), &job.Shape{Queue: 1, Command: true, Needs: oneSlot(), Account: string(name)})
		s.Push(job.ShapeID(i+1), schedule.Item{Seq: job.Seq(i + 1)})
		s.SetWorker(job.WorkerID(i+1), schedule.Worker{Agent: true, Capacity: oneSlot()})
	}
	placed, _ := s.Pass(1, math.MaxInt)
	for _, p := range placed {
		order = append(order, names[p.Seq-1])
	}
	return order
}

// inTurn are all names, the longest unserved first.
func (m *model) inTurn() []AccountID {
	list := slices.Clone(m.first)
	slices.SortStableFunc(list, func(a, b AccountID) int { return cmp.Compare(m.served[a], m.served[b]) })
	return list
}

// forgetTurns forgets when names were served that nobody knows any more.
func (m *model) forgetTurns() {
	for name := range m.served {
		known := m.accounts[name] != nil
		for _, r := range m.tasks {
			known = known || r.AccountID == name
		}
		if !known {
			delete(m.served, name)
		}
	}
}

func (a *modelAccount) relevel() { a.level = Priority(a.value.Level()) }

func (m *model) levelOf(name AccountID) Priority {
	if a := m.accounts[name]; a != nil {
		return a.level
	}
	return FreeBucket
}

// runningOn is what a worker runs.
func (m *model) runningOn(w WorkerID) *modelTask {
	for _, r := range m.tasks {
		if r.worker == w && w != "" {
			return r
		}
	}
	return nil
}

func (m *model) latest(w WorkerID) int {
	t := m.workers[w].confirmed
	if r := m.runningOn(w); r != nil {
		t = max(t, r.confirmed)
	}
	return t
}

func (m *model) drop(w WorkerID) { delete(m.workers, w) }

func (m *model) waiting(req *TaskRequest, t int) {
	r := m.tasks[req.ID]
	switch {
	case r == nil:
	case r.worker == "":
		r.confirmed = max(r.confirmed, t)
		return
	case t < r.confirmed || t < m.workers[r.worker].confirmed:
		return
	default:
		m.drop(r.worker)
		delete(m.tasks, r.ID)
		m.forgetTurns()
	}
	m.seq++
	m.tasks[req.ID] = &modelTask{TaskRequest: *req, seq: m.seq, confirmed: t}
}

func (m *model) idle(id WorkerID, labels Labels, t int) {
	w := m.workers[id]
	if w == nil {
		m.workers[id] = &modelWorker{labels: labels, confirmed: t, modified: m.now}
		return
	}
	if t < m.latest(id) {
		return
	}
	r := m.runningOn(id)
	if r != nil {
		delete(m.tasks, r.ID)
	}
	if r != nil || !slices.Equal(labels, w.labels) {
		w.modified = m.now
	}
	w.labels, w.confirmed = labels, max(w.confirmed, t)
}

func (m *model) running(id RequestID, wid WorkerID, t int) {
	r, w := m.tasks[id], m.workers[wid]
	if r != nil && t < r.confirmed {
		return
	}
	newer := w != nil && t >= m.latest(wid)
	switch {
	case r != nil && r.worker == wid:
		r.confirmed, w.confirmed = t, max(w.confirmed, t)
		return
	case r != nil && r.worker == "":
		m.found(r, wid, t, newer)
		return
	case r != nil:
		m.drop(r.worker)
		delete(m.tasks, id)
	}
	if newer {
		if other := m.runningOn(wid); other != nil {
			delete(m.tasks, other.ID)
		}
		m.drop(wid)
	}
}

func (m *model) found(r *modelTask, wid WorkerID, t int, newer bool) {
	if m.workers[wid] != nil && !newer {
		delete(m.tasks, r.ID)
		return
	}
	if other := m.runningOn(wid); other != nil {
		delete(m.tasks, other.ID)
	}
	if m.workers[wid] == nil {
		m.workers[wid] = &modelWorker{modified: m.now, confirmed: t}
	}
	w := m.workers[wid]
	w.confirmed = max(w.confirmed, t)
	level := m.levelOf(r.AccountID)
	if m.throttled(r) {
		level = FreeBucket
	}
	r.worker, r.level, r.cost, r.confirmed = wid, level, Balance{}, t
}

func (m *model) absent(id RequestID, t int) {
	r := m.tasks[id]
	if r == nil || t < r.confirmed || r.worker != "" && t < m.workers[r.worker].confirmed {
		return
	}
	if r.worker != "" {
		m.drop(r.worker)
	}
	delete(m.tasks, id)
}

func (m *model) unassign(id RequestID, t int) {
	r := m.tasks[id]
	m.drop(r.worker)
	if t-int(r.EnqueueTime.Unix()) > 46*hour {
		delete(m.tasks, id)
		return
	}
	r.worker = ""
}

func (m *model) update(t int) {
	if t < m.now {
		return
	}
	elapsed := float64(t - m.now)
	for _, r := range m.tasks {
		a := m.accounts[r.AccountID]
		if r.worker == "" || r.level == FreeBucket {
			continue
		}
		r.cost[r.level] += elapsed
		a.value[r.level] -= elapsed
	}
	for _, a := range m.accounts {
		for p := range a.value {
			if limit := a.ChargeRate[p] * a.MaxChargeSeconds; a.value[p] < limit {
				a.value[p] = min(limit, a.value[p]+elapsed*a.ChargeRate[p])
			}
		}
	}
	m.now = t
	for id, w := range m.workers {
		if m.runningOn(id) == nil && t-w.confirmed > 300 {
			m.drop(id)
		}
	}
}

func group(r *TaskRequest) string { return strings.Join(r.BaseLabels.With(r.ProvisionableLabels), ",") }

// throttled reports whether the fan-out of the task's group is used up.
func (m *model) throttled(r *modelTask) bool {
	a := m.accounts[r.AccountID]
	if a == nil || a.MaxFanout == 0 {
		return false
	}
	return m.alike(r, FreeBucket) >= int(a.MaxFanout)
}

// alike is how many tasks of the task's group run at a level down to one.
func (m *model) alike(r *modelTask, down Priority) (n int) {
	for _, o := range m.runs(0, down) {
		if o.AccountID == r.AccountID && group(&o.TaskRequest) == group(&r.TaskRequest) {
			n++
		}
	}
	return n
}

// full reports whether the account may have no more on the worker.
func (m *model) full(name AccountID, w WorkerID) bool {
	a := m.accounts[name]
	if a == nil {
		return false
	}
	for _, l := range m.workers[w].labels {
		key, _, _ := strings.Cut(l, ":")
		n := 0
		for _, r := range m.tasks {
			if r.worker != "" && r.AccountID == name && slices.Contains(m.workers[r.worker].labels, l) {
				n++
			}
		}
		if limit, ok := a.PerLabelTaskLimits[key]; ok && n >= int(limit) {
			return true
		}
	}
	return false
}

// sweeps is in which sweep the task is offered to any worker.
func sweeps(r *modelTask) int {
	if r.ProvisionableLabels.SubsetOf(r.BaseLabels) {
		return 0
	}
	return 1
}

// match is the idle worker for a task in a sweep: the one with the fewest labels.
func (m *model) match(r *modelTask, sweep int) (best WorkerID) {
	want := r.BaseLabels
	if sweep < sweeps(r) {
		want = want.With(r.ProvisionableLabels)
	}
	for id, w := range m.workers {
		if m.runningOn(id) != nil || !want.SubsetOf(w.labels) || m.full(r.AccountID, id) {
			continue
		}
		if o := m.workers[best]; o == nil || cmp.Or(cmp.Compare(len(w.labels), len(o.labels)), cmp.Compare(m.number(id), m.number(best))) < 0 {
			best = id
		}
	}
	return best
}

// sooner compares tasks of an account that are offered in sweeps.
func sooner(a *modelTask, sweepA int, b *modelTask, sweepB int) int {
	return cmp.Or(cmp.Compare(sweepA, sweepB), cmp.Compare(len(b.BaseLabels), len(a.BaseLabels)),
		a.EnqueueTime.Compare(b.EnqueueTime), cmp.Compare(a.seq, b.seq))
}

// queued are the waiting tasks of an account.
func (m *model) queued(name AccountID) (list []*modelTask) {
	for _, r := range m.tasks {
		if r.worker == "" && r.AccountID == name {
			list = append(list, r)
		}
	}
	return list
}

// best is the account's first task that finds a worker, of those that may start at a
// level.
func (m *model) best(name AccountID, level Priority) (first *modelTask, sweep int, worker WorkerID) {
	for _, r := range m.queued(name) {
		if throttled := m.throttled(r); level < FreeBucket && throttled || level == FreeBucket && m.levelOf(name) < FreeBucket && !throttled {
			continue
		}
		for sw := 0; sw <= sweeps(r); sw++ {
			if first != nil && sooner(first, sweep, r, sw) <= 0 {
				continue
			}
			if w := m.match(r, sw); w != "" {
				first, sweep, worker = r, sw, w
			}
		}
	}
	return first, sweep, worker
}

func (m *model) take(r *modelTask, w WorkerID, level Priority, cost Balance) {
	r.worker, r.level, r.cost, r.born = w, level, cost, true
	m.serves++
	m.served[r.AccountID] = m.serves
}

// place places what can be placed at a level.
func (m *model) place(level Priority) (all []Decision) {
	for {
		var first *modelTask
		var sweep int
		var worker WorkerID
		for _, name := range m.inTurn() {
			a := m.accounts[name]
			if level < FreeBucket && m.levelOf(name) != level || level == FreeBucket && a != nil && a.DisableFreeTasks {
				continue
			}
			if r, sw, w := m.best(name, level); r != nil && (first == nil || sw < sweep) {
				first, sweep, worker = r, sw, w
			}
		}
		if first == nil {
			return all
		}
		m.take(first, worker, level, Balance{})
		all = append(all, Decision{Type: AssignIdle, WorkerID: worker, RequestID: first.ID, Priority: level})
	}
}

func cheaper(a, b *modelTask) int {
	switch {
	case a.cost.Less(b.cost):
		return -1
	case b.cost.Less(a.cost):
		return 1
	}
	return cmp.Compare(a.seq, b.seq)
}

// runs are the tasks that run at levels, the cheapest first.
func (m *model) runs(from, to Priority) (list []*modelTask) {
	for _, r := range m.tasks {
		if r.worker != "" && r.level >= from && r.level <= to {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, cheaper)
	return list
}

func (m *model) reprioritise(p Priority) {
	for name, a := range m.accounts {
		own := func(list []*modelTask) []*modelTask {
			return slices.DeleteFunc(list, func(r *modelTask) bool { return r.AccountID != name })
		}
		here, lower := own(m.runs(p, p)), own(m.runs(p+1, FreeBucket))
		slack := a.ChargeRate[p] - float64(len(here))
		for ; a.value[p] < -600 && slack < 0 && len(here) > 0; slack++ {
			here[0].level++
			here = here[1:]
		}
		for ; a.value[p] > 600 && slack > 0 && len(lower) > 0; lower = lower[:len(lower)-1] {
			dearest := lower[len(lower)-1]
			if dearest.level < FreeBucket || a.MaxFanout == 0 || m.alike(dearest, FreeBucket-1) < int(a.MaxFanout) {
				dearest.level = p
				slack--
			}
		}
	}
}

func (m *model) preemptAt(p Priority) (all []Decision) {
	banned := map[AccountID]bool{}
	victims := m.runs(p+1, FreeBucket)
	for _, v := range victims {
		banned[v.AccountID] = true
	}
	for _, v := range victims {
		if v.born {
			continue
		}
		for _, name := range m.inTurn() {
			a := m.accounts[name]
			if a == nil || a.level != p || banned[name] || !v.cost.Less(a.value) {
				continue
			}
			if r := m.preemptor(name, v.worker); r != nil {
				all = append(all, m.swap(v, r, p))
				break
			}
		}
	}
	return all
}

func (m *model) preemptor(name AccountID, w WorkerID) (first *modelTask) {
	for _, r := range m.queued(name) {
		if !m.throttled(r) && !m.full(name, w) && r.BaseLabels.SubsetOf(m.workers[w].labels) &&
			(first == nil || sooner(r, sweeps(r), first, sweeps(first)) < 0) {
			first = r
		}
	}
	return first
}

func (m *model) swap(v, r *modelTask, p Priority) Decision {
	if a := m.accounts[v.AccountID]; a != nil {
		a.value = a.value.Add(v.cost)
	}
	a := m.accounts[r.AccountID]
	a.value = a.value.Sub(v.cost)
	delete(m.tasks, v.ID)
	m.victims[v.ID] = *v
	m.take(r, v.worker, p, v.cost)
	return Decision{Type: AssignPreempting, WorkerID: r.worker, RequestID: r.ID, TaskToAbort: v.ID, Priority: p}
}

func (m *model) pass() (all []Decision) {
	m.forgetTurns()
	for _, a := range m.accounts {
		a.relevel()
	}
	for _, r := range m.tasks {
		r.born = false
	}
	for p := range FreeBucket {
		all = append(all, m.place(p)...)
		m.reprioritise(p)
		if m.preempt {
			all = append(all, m.preemptAt(p)...)
		}
	}
	all = append(all, m.place(FreeBucket)...)
	for _, r := range m.tasks {
		a := m.accounts[r.AccountID]
		if r.worker == "" && (a == nil || !a.DisableFreeTasks || a.level < FreeBucket && !m.throttled(r)) {
			r.examined = m.now
		}
	}
	m.forgetTurns()
	return all
}
