package schedule

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// model is the scheduler as anybody would write it who has time: every question
// is answered by looking at everything and sorting it. Its answers are the
// specification that Scheduler is tested against.
type model struct {
	cfg     Config
	now     job.Time
	queues  map[job.QueueID]QueueSettings
	shapes  map[job.ShapeID]job.Shape
	ready   map[job.Seq]modelJob
	workers map[job.WorkerID]Worker
	held    map[job.Seq]modelHold
	waiting map[job.ShapeID]job.Time
	kept    []*modelReservation
	limits  map[string]*modelLimit
}

type modelJob struct {
	Item
	shape job.ShapeID
}

type modelHold struct {
	Held
	queue  job.QueueID
	needs  job.Resources
	time   time.Duration
	limits []job.LimitUse
	told   bool // the scheduler heard of it since
}

func (h modelHold) ends() job.Time {
	if h.time == 0 {
		return 0
	}
	return h.Since.Add(h.time)
}

type modelReservation struct {
	shape  job.ShapeID
	worker job.WorkerID
	start  job.Time
	made   job.Time
}

func newModel(cfg Config) *model {
	return &model{
		cfg:     New(cfg).cfg,
		queues:  map[job.QueueID]QueueSettings{},
		shapes:  map[job.ShapeID]job.Shape{},
		ready:   map[job.Seq]modelJob{},
		workers: map[job.WorkerID]Worker{},
		held:    map[job.Seq]modelHold{},
		waiting: map[job.ShapeID]job.Time{},
		limits:  map[string]*modelLimit{},
	}
}

// sorted are the ready jobs in the order of service.
func (m *model) sorted() []modelJob {
	jobs := slices.Collect(maps.Values(m.ready))
	slices.SortFunc(jobs, func(a, b modelJob) int {
		return cmp.Or(
			-cmp.Compare(m.queues[m.shapes[a.shape].Queue].Priority, m.queues[m.shapes[b.shape].Queue].Priority),
			-cmp.Compare(a.Priority, b.Priority),
			m.comparePlaces(a, b),
			cmp.Compare(a.Seq, b.Seq),
		)
	})
	return jobs
}

// comparePlaces compares places, or keys where those are the order. Jobs of such
// queues come first.
func (m *model) comparePlaces(a, b modelJob) int {
	aKeys, bKeys := m.queues[m.shapes[a.shape].Queue].ByKey, m.queues[m.shapes[b.shape].Queue].ByKey
	switch {
	case aKeys && bKeys:
		return bytes.Compare(keyOfPlace(a.Place), keyOfPlace(b.Place))
	case aKeys:
		return -1
	case bKeys:
		return 1
	}
	return cmp.Compare(a.Place, b.Place)
}

// head is the place of the shape's first job in the order; -1 if it has none.
func (m *model) head(order []modelJob, id job.ShapeID) int {
	return slices.IndexFunc(order, func(j modelJob) bool { return j.shape == id })
}

func (m *model) running(q job.QueueID) (n int64) {
	for _, h := range m.held {
		if h.queue == q {
			n++
		}
	}
	return n
}

func (m *model) open(q job.QueueID) bool {
	set := m.queues[q]
	return !set.Paused && (set.MaxRunning <= 0 || m.running(q) < set.MaxRunning)
}

// free is what the worker has beyond everything it holds, prefetched jobs too.
func (m *model) free(id job.WorkerID) job.Resources {
	free := m.workers[id].Capacity.Clone()
	for _, h := range m.held {
		if h.Worker == id {
			free.Sub(h.needs)
		}
	}
	return free
}

func (m *model) backlog(id job.WorkerID) (n int) {
	for _, h := range m.held {
		if h.Worker == id && h.Prefetched {
			n++
		}
	}
	return n
}

func takes(w Worker) bool { return w.Agent && !w.Closed }

func (m *model) agents() (ids []job.WorkerID) {
	for id, w := range m.workers {
		if takes(w) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func fits(needs, free job.Resources) bool {
	for name, n := range needs {
		if n > 0 && n > free[name] {
			return false
		}
	}
	return true
}

// inTime reports whether an attempt that starts now ends before the alloc.
func (m *model) inTime(sh job.Shape, w Worker) bool {
	return sh.Time == 0 || w.Until == 0 || m.now.Add(sh.Time) <= w.Until
}

func (m *model) reservationOf(shape job.ShapeID) *modelReservation {
	i := slices.IndexFunc(m.kept, func(r *modelReservation) bool { return r.shape == shape })
	if i < 0 {
		return nil
	}
	return m.kept[i]
}

func (m *model) reservationOn(worker job.WorkerID) *modelReservation {
	i := slices.IndexFunc(m.kept, func(r *modelReservation) bool { return r.worker == worker })
	if i < 0 {
		return nil
	}
	return m.kept[i]
}

func (m *model) cancel(shape job.ShapeID) {
	m.kept = slices.DeleteFunc(m.kept, func(r *modelReservation) bool { return r.shape == shape })
}

// allowed reports whether a reservation lets a job onto the worker.
func (m *model) allowed(order []modelJob, j modelJob, worker job.WorkerID) bool {
	r := m.reservationOn(worker)
	if r == nil || r.shape == j.shape {
		return true
	}
	if m.head(order, j.shape) < m.head(order, r.shape) {
		return true
	}
	sh := m.shapes[j.shape]
	return sh.Time > 0 && m.now.Add(sh.Time) <= r.start
}

// choose picks the worker for the first job of a shape.
func (m *model) choose(order []modelJob, j modelJob) (best job.WorkerID, prefetched bool) {
	sh := m.shapes[j.shape]
	for _, id := range m.agents() {
		w, free := m.workers[id], m.free(id)
		if sh.Labels.SubsetOf(w.Labels) && fits(sh.Needs, free) && m.inTime(sh, w) && m.allowed(order, j, id) &&
			(best == 0 || cmp.Or(cmp.Compare(sizeOf(free), sizeOf(m.free(best))),
				cmp.Compare(len(w.Labels.Sorted()), len(m.workers[best].Labels.Sorted()))) < 0) {
			best = id
		}
	}
	if best != 0 {
		return best, false
	}
	for _, id := range m.agents() {
		w := m.workers[id]
		if sh.Labels.SubsetOf(w.Labels) && fits(sh.Needs, w.Capacity) && m.inTime(sh, w) && m.reservationOn(id) == nil &&
			!m.timed(sh) && w.Prefetch > m.backlog(id) && (best == 0 || m.backlog(id) < m.backlog(best)) {
			best = id
		}
	}
	return best, true
}

func sizeOf(r job.Resources) int64 {
	a := amountsOf(r)
	return a.size()
}

func (m *model) grant(j modelJob, worker job.WorkerID, prefetched bool) Placement {
	sh := m.shapes[j.shape]
	m.held[j.Seq] = modelHold{
		Held:  Held{Seq: j.Seq, Shape: j.shape, Worker: worker, Since: m.now, Prefetched: prefetched},
		queue: sh.Queue, needs: sh.Needs, time: sh.Time, limits: sh.Limits,
	}
	m.use(sh.Limits)
	delete(m.ready, j.Seq)
	delete(m.waiting, j.shape)
	m.cancel(j.shape)
	return Placement{Seq: j.Seq, Shape: j.shape, Worker: worker, Prefetched: prefetched, Level: Free}
}

func (m *model) feasible(sh job.Shape) bool {
	for _, id := range m.agents() {
		if w := m.workers[id]; sh.Labels.SubsetOf(w.Labels) && fits(sh.Needs, w.Capacity) {
			return true
		}
	}
	return false
}

func (m *model) pass(now job.Time) (placed []Placement) {
	m.now = max(m.now, now)
	for {
		m.revise()
		got := m.sweep()
		placed = append(placed, got...)
		if m.cfg.Strict {
			return placed
		}
		kept := slices.Clone(m.kept)
		if m.plan(); len(got) == 0 && slices.Equal(m.kept, kept) {
			return placed
		}
	}
}

// sweep tries every ready command in order.
func (m *model) sweep() (placed []Placement) {
	for {
		p, ok := m.placeFirst()
		if !ok {
			return placed
		}
		placed = append(placed, p)
	}
}

func (m *model) placeFirst() (Placement, bool) {
	order := m.sorted()
	tried := map[job.ShapeID]bool{}
	for _, j := range order {
		sh := m.shapes[j.shape]
		if !sh.Command || tried[j.shape] || !m.may(sh) {
			continue
		}
		tried[j.shape] = true
		if w, prefetched := m.choose(order, j); w != 0 {
			return m.grant(j, w, prefetched), true
		}
		if m.cfg.Strict && m.feasible(sh) {
			break
		}
	}
	return Placement{}, false
}

// revise recomputes the planned starts.
func (m *model) revise() {
	for _, r := range m.kept {
		r.start = m.prospect(r.shape, r.worker).start
	}
}

type modelProspect struct {
	worker  job.WorkerID
	known   bool
	start   job.Time
	missing int64
}

func (m *model) prospect(shape job.ShapeID, id job.WorkerID) modelProspect {
	sh, w := m.shapes[shape], m.workers[id]
	free := m.free(id)
	var ending []modelHold
	for _, h := range m.held {
		if h.Worker == id && h.time > 0 {
			ending = append(ending, h)
		}
	}
	slices.SortFunc(ending, func(a, b modelHold) int { return cmp.Compare(a.ends(), b.ends()) })
	p := modelProspect{worker: id, start: m.now}
	for !fits(sh.Needs, free) {
		if len(ending) == 0 {
			lack := job.Resources{}
			for name, n := range sh.Needs {
				lack[name] = max(0, n-m.free(id)[name])
			}
			return modelProspect{worker: id, missing: sizeOf(lack)}
		}
		free.Add(ending[0].needs)
		p.start = max(p.start, ending[0].ends())
		ending = ending[1:]
	}
	if p.known = true; sh.Time > 0 && w.Until != 0 && p.start.Add(sh.Time) > w.Until {
		return modelProspect{}
	}
	return p
}

func (m *model) plan() {
	m.revise()
	order := m.sorted()
	for _, r := range slices.Clone(m.kept) {
		sh := m.shapes[r.shape]
		if m.head(order, r.shape) < 0 || !m.may(sh) || !m.feasible(sh) {
			m.cancel(r.shape)
		}
	}
	for {
		shape := m.due(order)
		if shape == 0 {
			return
		}
		m.reserve(shape)
	}
}

// due is a shape that a reservation is to be made or reconsidered for.
func (m *model) due(order []modelJob) job.ShapeID {
	for _, r := range m.kept {
		if m.now >= r.made.Add(m.cfg.HeadWait) {
			return r.shape
		}
	}
	var heads []job.ShapeID
	for _, j := range order {
		sh := m.shapes[j.shape]
		if sh.Command && m.may(sh) && m.feasible(sh) && !slices.Contains(heads, j.shape) && len(heads) < m.cfg.MaxReservations {
			heads = append(heads, j.shape)
		}
	}
	limit := min(m.cfg.MaxReservations, max(1, int(m.cfg.ReservedShare*float64(len(m.agents())))))
	for _, id := range heads {
		if m.waiting[id] == 0 {
			m.waiting[id] = m.now
		}
		if m.reservationOf(id) == nil && len(m.kept) < limit && m.now >= m.waiting[id].Add(m.cfg.HeadWait) {
			return id
		}
	}
	return 0
}

func (m *model) reserve(shape job.ShapeID) {
	sh := m.shapes[shape]
	var best modelProspect
	for _, id := range m.agents() {
		w := m.workers[id]
		if r := m.reservationOn(id); r != nil && r.shape != shape || !sh.Labels.SubsetOf(w.Labels) || !fits(sh.Needs, w.Capacity) {
			continue
		}
		p := m.prospect(shape, id)
		if p.worker != 0 && (best.worker == 0 || p.known && !best.known ||
			p.known == best.known && (p.start < best.start || p.start == best.start && p.missing < best.missing)) {
			best = p
		}
	}
	if r := m.reservationOf(shape); r != nil && r.worker == best.worker {
		r.made = m.now
		return
	}
	m.cancel(shape)
	if best.worker == 0 {
		m.waiting[shape] = m.now
		return
	}
	m.kept = append(m.kept, &modelReservation{shape: shape, worker: best.worker, start: best.start, made: m.now})
}

func (m *model) pull(now job.Time, p Pull) (placed []Placement) {
	m.now = max(m.now, now)
	m.revise()
	if m.workers[p.Worker].Closed {
		return nil
	}
	room := p.Capacity
	if room != nil {
		room = room.Clone()
	}
	for len(placed) < p.N {
		got, ok := m.pullOne(p, room)
		if !ok {
			break
		}
		placed = append(placed, got)
	}
	return placed
}

func (m *model) pullOne(p Pull, room job.Resources) (Placement, bool) {
	order := m.sorted()
	w, known := m.workers[p.Worker]
	limited := known && (w.Agent || w.Capacity != nil)
	for _, j := range order {
		sh := m.shapes[j.shape]
		if !p.passes(sh, j) || !m.may(sh) || !sh.Labels.SubsetOf(w.Labels) {
			continue
		}
		if (room == nil || fits(sh.Needs, room)) &&
			(!limited || fits(sh.Needs, m.free(p.Worker)) && m.inTime(sh, w) && m.allowed(order, j, p.Worker)) {
			if room != nil {
				room.Sub(sh.Needs)
			}
			return m.grant(j, p.Worker, false), true
		}
		if m.cfg.Strict && (p.Capacity == nil || fits(sh.Needs, p.Capacity)) && (!limited || fits(sh.Needs, w.Capacity)) {
			break
		}
	}
	return Placement{}, false
}

// passes reports whether the filters of a request let a job through.
func (p Pull) passes(sh job.Shape, j modelJob) bool {
	in := func(n int, has bool) bool { return n == 0 || has }
	return (sh.Command && p.Command || !sh.Command && p.Data) &&
		in(len(p.Queues), slices.Contains(p.Queues, sh.Queue)) &&
		in(len(p.Kinds), slices.Contains(p.Kinds, sh.Kind)) &&
		in(len(p.Groups), slices.Contains(p.Groups, j.Group)) &&
		in(len(p.Shapes), slices.Contains(p.Shapes, j.shape))
}
