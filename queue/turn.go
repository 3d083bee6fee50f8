package queue

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// FeedOp is one kind of Feed.
type FeedOp uint8

// What the scheduler is told.
const (
	// FeedDefineShape: Shape is new, or another account pays; see State.Shape.
	FeedDefineShape FeedOp = iota + 1
	// FeedDropShape: nothing refers to Shape any more.
	FeedDropShape
	// FeedSetQueue: the settings of Queue are new or changed; see State.Queue.
	FeedSetQueue
	// FeedDropQueue: Queue was deleted.
	FeedDropQueue
	// FeedPush: the job is ready.
	FeedPush
	// FeedRemove: the job is not ready any more, and was not granted.
	FeedRemove
	// FeedHold: Worker holds the job; it was ready before (FeedPush), unless
	// this follows a load or a FeedRelease of the same job, or Worker held it
	// already and what it is filed under changed. Prefetched says that it takes
	// limits but no resources yet.
	FeedHold
	// FeedStart: the held, prefetched job started: it takes its resources.
	FeedStart
	// FeedRelease: Worker does not hold the job any more.
	FeedRelease
	// FeedStopping: the held job was told to stop; it is no victim any more.
	FeedStopping
	// FeedSetWorker: what Worker, which pulls, has is new or changed: its labels and
	// capacity; see State.Worker.
	FeedSetWorker
	// FeedSilent: Worker, an agent, fell silent or was heard again, see
	// WorkerInfo.Silent.
	FeedSilent
	// FeedDropWorker: Worker was forgotten.
	FeedDropWorker
)

// Feed is one step that keeps the scheduler's picture equal to the State's.
// Steps must be applied in order.
type Feed struct {
	Op         FeedOp
	Prefetched bool
	Seq        job.Seq
	// Place orders jobs of equal priority, smaller first; ties go by Seq.
	Place    uint64
	Priority float64
	Shape    job.ShapeID
	Queue    job.QueueID
	Group    job.GroupID
	Worker   job.WorkerID
}

// Event is a change of a job that watchers are told of. A job whose group or
// queue changed leaves the one (To is Absent) and enters the other.
type Event struct {
	Seq      job.Seq
	Queue    job.QueueID
	Group    job.GroupID
	From, To job.State
	Cause    Cause
	Mark     job.Mark
	Reason   job.Reason
	Exit     int32
	Attempt  job.AttemptID
	At       job.Time
}

// turn is what one turn has done so far.
type turn struct {
	dirty     []uint32 // slots of touched jobs; some may be gone or twice here
	gone      []job.Seq
	finished  []job.Finished
	forgotten []job.Finished
	amended   []job.Finished
	deleted   []job.Seq
	payloads  []job.Payload
	attempts  []job.AttemptRow
	// oldAttempts are those that a queue does not keep any more.
	oldAttempts []job.AttemptRef
	requests    []job.Request
	keys        []job.KeyRow
	depGroups   []uint32  // slots of dirty ones
	linked      []job.Seq // jobs whose dependencies or groups changed

	queues  []*queueRow
	groups  []*groupRow
	kinds   []job.KindRow
	learned []*kindRow
	shapes  []job.ShapeRow
	workers []*worker
	// Rows that are gone.
	goneQueues  []job.QueueRow
	goneGroups  []job.GroupRow
	goneWorkers []job.WorkerRow

	// What groups without members were until they got one.
	pasts []depPast

	feed   []Feed
	fed    bool // feed was handed out
	events []Event
	orders []Order
}

// Begin starts a turn at the given engine time; a time that goes back is taken
// as no time having passed.
func (s *State) Begin(now job.Time) {
	s.now = max(s.now, now)
	s.turn.events = s.turn.events[:0]
	s.turn.orders = s.turn.orders[:0]
}

// Now is the time of the turn.
func (s *State) Now() job.Time { return s.now }

// Feed is what the scheduler must be told since the last call; valid until the
// next command or Feed. After Loaded it comes in portions: call it until empty.
func (s *State) Feed() []Feed {
	t := &s.turn
	if t.fed {
		t.feed, t.fed = t.feed[:0], false
		s.keys.release()
	}
	if s.loadedTo != 0 {
		s.feedLoaded()
	}
	t.fed = true
	return t.feed
}

// Events are the changes since Begin; valid until the next Begin.
func (s *State) Events() []Event { return s.turn.events }

// Ended are the attempts that ended since Begin; valid until Take.
func (s *State) Ended() []job.AttemptRow { return s.turn.attempts }

// Orders are what workers must be told since Begin; valid until the next Begin.
func (s *State) Orders() []Order { return s.turn.orders }

func (s *State) feed(f Feed) {
	t := &s.turn
	if t.fed {
		t.feed, t.fed = t.feed[:0], false
		s.keys.release()
	}
	t.feed = append(t.feed, f)
}

func (s *State) feedJob(op FeedOp, r *rec) {
	sh := s.shapes.rows[r.shape]
	f := Feed{
		Op: op, Seq: r.seq, Place: r.place, Priority: r.priority,
		Shape: sh.ID, Queue: sh.Queue, Group: s.groups.rows[r.group].ID,
		Prefetched: r.flags&job.FlagPrefetched != 0,
	}
	if r.try != 0 && r.state.Held() {
		f.Worker = s.workers.rows[s.tries.at(r.try).worker].ID
	}
	s.feed(f)
}

func (s *State) event(r *rec, from, to job.State, c Cause) {
	e := Event{
		Seq: r.seq, Queue: s.shapes.rows[r.shape].Queue, Group: s.groups.rows[r.group].ID,
		From: from, To: to, Cause: c, Mark: r.mark, Reason: r.reason, At: s.now,
	}
	if r.try != 0 {
		t := s.tries.at(r.try)
		e.Exit, e.Attempt = t.exit, t.attempt()
	}
	s.turn.events = append(s.turn.events, e)
}

// touch notes that the job's record must be stored.
func (s *State) touch(slot uint32, r *rec) {
	if !r.touched {
		r.touched = true
		s.turn.dirty = append(s.turn.dirty, slot)
	}
}

// Take ends the turn: what must be stored, as absolute values, each job once.
// It is valid until the next Take, and empty (Changes.Empty) if nothing changed.
func (s *State) Take() *job.Changes {
	t := &s.turn
	s.dropIdle(keepIdle)
	s.dropGroups()
	c := &s.out[s.outNext]
	s.outNext ^= 1
	*c = job.Changes{
		Live: c.Live[:0], Queues: t.goneQueues, Groups: t.goneGroups, Workers: t.goneWorkers,
		Kinds: t.kinds, Shapes: t.shapes, Payloads: t.payloads, Attempts: t.attempts, OldAttempts: t.oldAttempts,
		Requests: t.requests, Keys: t.keys, Amended: t.amended, Gone: t.gone, Finished: t.finished,
		Forgotten: t.forgotten, Deleted: t.deleted,
	}
	s.takeJobs(c)
	s.takeRows(c)
	c.Learned = s.takeLearned()
	s.takeDepends(c)
	s.settle(c)
	s.takeMeta(c)
	s.turn = turn{
		dirty: t.dirty[:0], feed: t.feed, fed: t.fed, events: t.events, orders: t.orders,
		queues: t.queues[:0], groups: t.groups[:0], workers: t.workers[:0], learned: t.learned[:0],
		depGroups: t.depGroups[:0], linked: t.linked[:0],
	}
	s.recycle()
	return c
}

// recycle gives the next turn the buffers of the Changes before the last.
func (s *State) recycle() {
	old, t := &s.out[s.outNext], &s.turn
	t.gone, t.finished = old.Gone[:0], old.Finished[:0]
	t.oldAttempts = nil
	t.payloads, t.attempts, t.keys = reuse(old.Payloads), reuse(old.Attempts), reuse(old.Keys)
	*old = job.Changes{Live: old.Live[:0]}
}

// reuse empties a slice whose elements have pointers, and lets go of one that
// grew large.
func reuse[T any](b []T) []T {
	clear(b)
	return b[:0]
}

func (s *State) takeJobs(c *job.Changes) {
	for _, slot := range s.turn.dirty {
		if !s.recs.has(slot) {
			continue
		}
		r := s.recs.at(slot)
		if !r.touched {
			continue // gone, or written already
		}
		r.touched = false
		c.Live = append(c.Live, job.Live{})
		s.storedLive(r, &c.Live[len(c.Live)-1])
	}
}

func (s *State) takeRows(c *job.Changes) {
	for _, q := range s.turn.queues {
		if q.dirty {
			q.dirty = false
			c.Queues = append(c.Queues, q.QueueRow)
		}
	}
	for _, g := range s.turn.groups {
		if g.dirty {
			g.dirty = false
			c.Groups = append(c.Groups, g.GroupRow)
		}
	}
	for _, w := range s.turn.workers {
		if w.dirty {
			w.dirty = false
			c.Workers = append(c.Workers, w.WorkerRow)
		}
	}
}

// dropGroups forgets groups that have no job any more, live or finished.
func (s *State) dropGroups() {
	for _, g := range s.turn.groups {
		if g.dirty && g.Done == 0 && g.refs == 0 {
			g.dirty = false
			s.groups.remove(g.ID, g.Name)
			s.groupNames.remove(g.Name)
			s.turn.goneGroups = append(s.turn.goneGroups, job.GroupRow{ID: g.ID, Name: g.Name, Gone: true})
		}
	}
}

// settle takes out what the turn did and undid, so that the order in which the
// parts of a Changes are applied does not matter.
func (s *State) settle(c *job.Changes) {
	if len(c.Forgotten) > 0 && len(c.Finished) > 0 {
		both := make(map[uint64]bool)
		for i := range c.Forgotten {
			both[c.Forgotten[i].End] = true
		}
		again := make(map[uint64]bool)
		c.Finished = slices.DeleteFunc(c.Finished, func(f job.Finished) bool {
			again[f.End] = both[f.End]
			return both[f.End]
		})
		c.Forgotten = slices.DeleteFunc(c.Forgotten, func(f job.Finished) bool { return again[f.End] })
	}
	if len(c.Amended) > 0 && len(c.Forgotten) > 0 {
		gone := make(map[uint64]bool, len(c.Forgotten))
		for i := range c.Forgotten {
			gone[c.Forgotten[i].End] = true
		}
		c.Amended = slices.DeleteFunc(c.Amended, func(f job.Finished) bool { return gone[f.End] })
	}
	c.Gone = slices.DeleteFunc(c.Gone, func(seq job.Seq) bool { return s.bySeq.find(seq) != 0 })
	if len(c.Deleted) == 0 {
		return
	}
	dead := make(map[job.Seq]bool, len(c.Deleted))
	for _, seq := range c.Deleted {
		dead[seq] = true
	}
	c.Payloads = slices.DeleteFunc(c.Payloads, func(p job.Payload) bool { return dead[p.Seq] })
	c.Attempts = slices.DeleteFunc(c.Attempts, func(a job.AttemptRow) bool { return dead[a.Seq] })
}

func (s *State) takeMeta(c *job.Changes) {
	if s.meta == s.stored && c.Empty() {
		return
	}
	s.advanceMinLive()
	s.meta.Clock = max(s.meta.Clock, s.now)
	s.stored = s.meta
	m := s.meta
	c.Meta = &m
}

// advanceMinLive moves the lower bound of live numbers up, a little each turn.
func (s *State) advanceMinLive() {
	if s.meta.MinLive != 0 {
		_, s.meta.MinLive = s.bySeq.next(s.meta.MinLive, s.meta.NextSeq, 64)
	}
}
