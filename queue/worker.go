package queue

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/muster-queue/muster/job"
)

// worker is a known worker and what it holds.
type worker struct {
	job.WorkerRow
	key   string   // in State.workers
	heard job.Time // last, on the lease clock
	// hold is a deadline its agent was promised before a planned stop, 0 for none.
	hold job.Time
	// quiet is the silence after which something must be done, while it holds
	// something: Config.Silence, or the shortest lease it holds.
	quiet  time.Duration
	silent bool // and what it runs is lost
	active bool // in State.active
	dirty  bool
	timer  int32
	first  uint32 // tries it holds, a list
	held   int
	lost   int // of them, jobs in state lost
	refs   int // live jobs whose last attempt was its
}

// WorkerInfo is a worker and how it is.
type WorkerInfo struct {
	job.WorkerRow
	// Heard is when it was last heard of, Silent that this is too long ago.
	Heard  job.Time
	Silent bool
	// Held is how many attempts it holds.
	Held int
	// Active: its last announcement has not expired, and it has not left.
	Active bool
}

func (s *State) putWorker(w *worker) uint32 {
	w.key = w.Name
	if _, taken := s.workers.byKey[w.key]; taken {
		s.rename(w) // a namesake that is loaded later is the newer one
	}
	s.workNames.put(w.Name)
	s.children.put(w.Parent, w.Name)
	return s.workers.put(w.ID, w.key, w)
}

// rename lets the worker that has w's name go on under a key of its own: it is an
// earlier incarnation.
func (s *State) rename(w *worker) {
	slot := s.workers.byKey[w.Name]
	old := s.workers.rows[slot]
	delete(s.workers.byKey, old.key)
	old.key = old.Name + "\x00" + strconv.FormatUint(uint64(old.ID), 10)
	s.workers.byKey[old.key] = slot
}

// Join makes a worker known, or brings a known one up to date. The second result
// are earlier incarnations of the same agent that are still known; once it has
// verified that nothing of theirs runs any more, call Supersede for each.
func (s *State) Join(row job.Worker) (job.WorkerID, []job.WorkerID) {
	slot, known := s.workers.byKey[row.Name]
	if known {
		was := s.workers.rows[slot]
		known = was.Agent == row.Agent && (!row.Agent || was.Incarnation == row.Incarnation)
	}
	var w *worker
	var had job.Worker
	if known {
		w = s.workers.rows[slot]
		had = w.offer()
		s.children.move(w.Name, w.Parent, row.Parent)
		w.Worker = row
	} else {
		w = &worker{WorkerRow: job.WorkerRow{ID: s.meta.NextWorker, Worker: row}}
		s.meta.NextWorker++
		slot = s.putWorker(w)
	}
	s.dirtyWorker(w)
	w.Forgotten, w.Left = false, false
	s.offers(w, had)
	s.activate(slot, w)
	s.hear(slot, w)
	return w.ID, s.earlier(w)
}

// offer is what a worker that pulls has for its jobs, as the scheduler knows it.
func (w *worker) offer() (o job.Worker) {
	if !w.Agent && !w.Forgotten && !w.Left {
		o.Labels, o.Capacity = w.Labels, w.Capacity
	}
	return o
}

// offers tells the scheduler when that is not what it had any more. Of an agent it
// is told by whoever attaches it.
func (s *State) offers(w *worker, had job.Worker) {
	has := w.offer()
	if !slices.Equal(has.Labels, had.Labels) || !maps.Equal(has.Capacity, had.Capacity) || (has.Capacity == nil) != (had.Capacity == nil) {
		s.feed(Feed{Op: FeedSetWorker, Worker: w.ID})
	}
}

// Pulls refuses a name to a worker that pulls: an agent has it, and leases that end
// when the agent is silent are not to become those of a program. Error: Conflict.
func (s *State) Pulls(name string) error {
	if slot, known := s.workers.byKey[name]; known {
		if w := s.workers.rows[slot]; w.Agent && (!w.Forgotten || w.held > 0) {
			return job.Errorf(job.Conflict, "worker %s is an agent, which runs commands: a program that pulls jobs needs another name", name)
		}
	}
	return nil
}

// Meet makes a worker known that asks for work, or says that it was heard. What it
// announced stays as it is; only what it says about itself now is taken over.
func (s *State) Meet(row job.Worker) job.WorkerID {
	slot, known := s.workers.byKey[row.Name]
	if !known || s.workers.rows[slot].Agent {
		id, _ := s.Join(row)
		return id
	}
	w := s.workers.rows[slot]
	had := w.offer()
	if w.update(&row) || w.Forgotten || w.Left {
		w.Forgotten, w.Left = false, false
		s.dirtyWorker(w)
		s.offers(w, had)
	}
	s.hear(slot, w)
	return w.ID
}

// update takes over what is said in row; it reports whether that is new.
func (w *worker) update(row *job.Worker) (changed bool) {
	set := func(differs bool, do func()) {
		if differs {
			do()
			changed = true
		}
	}
	set(row.Host != "" && row.Host != w.Host, func() { w.Host = row.Host })
	set(row.Pid != 0 && row.Pid != w.Pid, func() { w.Pid = row.Pid })
	set(row.Labels != nil && !slices.Equal(row.Labels, w.Labels), func() { w.Labels = row.Labels })
	set(row.Capacity != nil && !maps.Equal(row.Capacity, w.Capacity), func() { w.Capacity = row.Capacity })
	return changed
}

func (s *State) dirtyWorker(w *worker) {
	if !w.dirty {
		w.dirty = true
		s.turn.workers = append(s.turn.workers, w)
	}
}

// earlier lists the incarnations of w's agent before it.
func (s *State) earlier(w *worker) []job.WorkerID {
	var ids []job.WorkerID
	if !w.Agent {
		return nil
	}
	for _, o := range s.workers.rows {
		if o != nil && o != w && o.ID < w.ID && o.SameMachine(&w.Worker) && (o.held > 0 || !o.Forgotten) {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

// workerAt is a worker that has not left.
func (s *State) workerAt(id job.WorkerID) (uint32, *worker, error) {
	slot, ok := s.workers.byID[id]
	if !ok || s.workers.rows[slot].Forgotten && s.workers.rows[slot].held == 0 {
		return 0, nil, job.Errorf(job.NotFound, "worker %d is not known; it must join again", id)
	}
	return slot, s.workers.rows[slot], nil
}

// Heard says that the worker is alive; it renews the leases of all attempts an
// agent holds. Error: NotFound, it must join again.
func (s *State) Heard(id job.WorkerID) error {
	slot, w, err := s.workerAt(id)
	if err == nil {
		s.hear(slot, w)
	}
	return err
}

func (s *State) hear(slot uint32, w *worker) {
	w.heard = s.clock()
	if w.silent || w.lost > 0 {
		s.rise(slot, w)
	} else if w.timer == 0 && slot != 0 {
		s.wake(slot, w)
	}
}

// DrainWorker marks a worker that shall get no more jobs, or takes the mark away.
// It outlives a restart, and ends when the worker leaves. Error: NotFound.
func (s *State) DrainWorker(id job.WorkerID, on bool) error {
	_, w, err := s.workerAt(id)
	if err == nil && w.Drained != on {
		w.Drained = on
		s.dirtyWorker(w)
	}
	return err
}

// Drained reports whether the worker shall get no more jobs.
func (s *State) Drained(id job.WorkerID) bool {
	w := s.workers.byNumber(id)
	return w != nil && w.Drained
}

// EndHold says that the agent acts on ordinary leases again, not on HoldUntil.
func (s *State) EndHold(id job.WorkerID) {
	if slot, ok := s.workers.byID[id]; ok {
		s.workers.rows[slot].hold = 0
		s.endHolds()
	}
}

// endHolds forgets the planned stop when no agent acts on it any more.
func (s *State) endHolds() {
	if s.meta.HoldUntil == 0 {
		return
	}
	for _, w := range s.workers.rows {
		if w != nil && w.hold > s.now && w.held > 0 {
			return
		}
	}
	s.meta.HoldUntil = 0
}

// Supersede ends all attempts of a worker as lost at once: a successor on the
// same machine verified that its processes have ended. What was deleted by force
// is gone then. Error: NotFound.
func (s *State) Supersede(id job.WorkerID) error {
	slot, ok := s.workers.byID[id]
	if !ok {
		return job.Errorf(job.NotFound, "worker %d is not known, nothing of it is held", id)
	}
	w := s.workers.rows[slot]
	w.refs++ // keeps it while its jobs go
	for w.first != 0 {
		t := s.tries.at(w.first)
		s.lapse(t.job, s.recs.at(t.job), t, CauseSuperseded)
	}
	w.refs--
	s.leaves(slot, w)
	return nil
}

// Leave says that the worker is gone. Attempts it holds keep their leases. An agent
// is forgotten; a pulling worker is remembered for a while.
func (s *State) Leave(id job.WorkerID) {
	slot, ok := s.workers.byID[id]
	if !ok {
		return
	}
	w := s.workers.rows[slot]
	if w.Agent {
		s.leaves(slot, w)
		return
	}
	w.Left, w.Drained, w.Expires = true, false, time.Time{}
	s.activate(slot, w)
	s.dirtyWorker(w)
	s.wake(slot, w)
	s.feed(Feed{Op: FeedDropWorker, Worker: w.ID})
}

func (s *State) leaves(slot uint32, w *worker) {
	if !w.Forgotten {
		w.Forgotten = true
		s.dirtyWorker(w)
		s.activate(slot, w)
		if w.Drained {
			w.Drained = false
			s.dirtyWorker(w)
		}
		s.feed(Feed{Op: FeedDropWorker, Worker: w.ID})
	}
	s.wake(slot, w)
	s.dropWorker(slot, w)
}

func (s *State) workerUnref(slot uint32) {
	w := s.workers.rows[slot]
	w.refs--
	s.dropWorker(slot, w)
}

// dropWorker forgets a worker that left and that no live job names.
func (s *State) dropWorker(slot uint32, w *worker) {
	if slot == 0 || !w.Forgotten || w.refs > 0 {
		return
	}
	s.wakeups.remove(w.timer)
	w.dirty = false
	if s.workers.byKey[w.Name] == slot {
		s.workNames.remove(w.Name)
		s.children.remove(w.Parent, w.Name)
	}
	s.workers.remove(w.ID, w.key)
	s.turn.goneWorkers = append(s.turn.goneWorkers, job.WorkerRow{ID: w.ID, Gone: true})
}

// noteLease lets a short lease make the worker's silence noticed in time.
func (w *worker) noteLease(lease, silence time.Duration) {
	if w.quiet == 0 {
		w.quiet = silence
	}
	w.quiet = min(w.quiet, lease+margin(lease))
}

// wake sets the worker's timer: for the end of its being active, for its silence
// while it holds something, else for forgetting it.
func (s *State) wake(slot uint32, w *worker) {
	at, any := s.wakeAt(w)
	switch {
	case slot == 0:
	case !any:
		s.wakeups.remove(w.timer)
	case w.timer == 0 || at < s.wakeups.slot(w.timer-1).at:
		s.wakeups.set(w.timer, slot, at) // later is noticed when the timer fires
	}
}

func (s *State) wakeAt(w *worker) (at job.Time, any bool) {
	expires := job.TimeOf(w.Expires)
	switch {
	case w.active:
		at, any = expires, true
	case w.held == 0 && !w.Forgotten:
		at, any = max(w.heard.Add(s.deaf), expires).Add(s.cfg.WorkerKeep), true
	}
	if w.held > 0 && w.Agent && !w.silent {
		if silent := w.heard.Add(s.deaf + w.quiet); !any || silent < at {
			at, any = silent, true
		}
	}
	return at, any
}

// woken does what a worker's timer asks for.
func (s *State) woken(slot uint32) {
	w := s.workers.rows[slot]
	s.wakeups.remove(w.timer)
	s.activate(slot, w)
	if at, any := s.wakeAt(w); any && at <= s.now {
		if w.held > 0 {
			s.fall(w)
		} else {
			s.leaves(slot, w)
			return
		}
	}
	s.wake(slot, w)
}

func (s *State) info(w *worker) WorkerInfo {
	return WorkerInfo{WorkerRow: w.WorkerRow, Heard: w.heard.Add(s.deaf), Silent: w.silent, Held: w.held, Active: w.active}
}

// Worker is the worker of a number.
func (s *State) Worker(id job.WorkerID) (WorkerInfo, bool) {
	if w := s.workers.byNumber(id); w != nil {
		return s.info(w), true
	}
	return WorkerInfo{}, false
}

// HeldByKey lists the jobs a worker holds in queues that are ordered by key.
func (s *State) HeldByKey(id job.WorkerID) []Keyed {
	w := s.workers.byNumber(id)
	if w == nil {
		return nil
	}
	var list []Keyed
	for i := w.first; i != 0; i = s.tries.at(i).next {
		if r := s.recs.at(s.tries.at(i).job); !r.ghost() && s.shapes.rows[r.shape].queue.keyed != nil {
			list = append(list, Keyed{})
			s.keyedJob(r, &list[len(list)-1])
		}
	}
	return list
}

// HeldJob is a held attempt.
type HeldJob struct {
	job.Live
	Deadline job.Time
	// Ghost: the job was deleted; only the lease is left.
	Ghost bool
}

// Held lists the attempts a worker holds, with their marks and deadlines.
func (s *State) Held(id job.WorkerID) []HeldJob {
	w := s.workers.byNumber(id)
	if w == nil {
		return nil
	}
	list := make([]HeldJob, 0, w.held)
	for i := w.first; i != 0; {
		t := s.tries.at(i)
		r := s.recs.at(t.job)
		h := HeldJob{Deadline: s.deadline(w, t), Ghost: r.ghost()}
		s.live(r, &h.Live)
		list = append(list, h)
		i = t.next
	}
	return list
}
