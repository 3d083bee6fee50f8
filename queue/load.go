package queue

import (
	"github.com/muster-queue/muster/job"
)

// LoadMeta and its siblings receive a namespace's records, in the order of
// store.Loader; Loaded ends the load.
func (s *State) LoadMeta(m job.Meta) { s.meta, s.stored = m, m }

// LoadQueue receives a queue.
func (s *State) LoadQueue(r job.QueueRow) {
	s.putQueue(&queueRow{QueueRow: r})
	s.counts[job.Complete] += r.Done
}

// LoadGroup receives a group.
func (s *State) LoadGroup(r job.GroupRow) { s.putGroup(&groupRow{GroupRow: r}) }

// LoadKind receives a kind.
func (s *State) LoadKind(r job.KindRow) {
	s.putKind(&kindRow{KindRow: r})
}

// LoadLearned receives what was learned of a kind, or, of none, the settings of all.
func (s *State) LoadLearned(r job.LearnedRow) {
	if r.Kind == 0 {
		k := s.kinds.rows[0]
		k.known = unpack(r.Body)
		s.learning = k.known.Own
	} else if k := s.kinds.byNumber(r.Kind); k != nil {
		k.packed = r.Body
	}
}

// LoadShape receives a shape.
func (s *State) LoadShape(r job.ShapeRow) {
	q, k := s.queues.byNumber(r.Queue), s.kinds.rows[0]
	if r.Kind != 0 {
		k = s.kinds.byNumber(r.Kind)
	}
	if q == nil || k == nil {
		s.damaged("shape %d names queue %d and kind %d, which are not there", r.ID, r.Queue, r.Kind)
		return
	}
	row := &shapeRow{ShapeRow: r, key: string(appendShape(nil, &r.Shape, nil)), queue: q, kind: k}
	s.joinKind(row)
	s.addLabels(row)
	s.shapes.put(r.ID, row.key, row)
}

// LoadWorker receives a worker.
func (s *State) LoadWorker(r job.WorkerRow) { s.putWorker(&worker{WorkerRow: r}) }

// LoadLive receives a live job.
func (s *State) LoadLive(l *job.Live) {
	shape, ok := s.shapes.byID[l.Shape]
	group, ok2 := s.groups.byID[l.Group]
	if !ok || !ok2 && l.Group != 0 || !l.State.Live() || s.bySeq.find(l.Seq) != 0 {
		s.damaged("the record of job %d is not consistent (state %v, shape %d, group %d)", l.Seq, l.State, l.Shape, l.Group)
		return
	}
	slot, r := s.enter(l.Seq, &l.Digest)
	r.place, r.priority, r.added, r.since = l.Place, l.Priority, l.Added, l.Since
	if s.shapes.rows[shape].queue.keyed != nil {
		r.place = 0 // LoadKey gives it one
	}
	r.version, r.size, r.retries = l.Version, l.Size, l.Retries
	r.state, r.mark, r.reason, r.flags = l.State, l.Mark, l.Reason, l.Flags
	s.loadLink(slot, r)
	r.shape = shape
	s.shapes.rows[shape].refs++
	s.bytes += int64(r.size)
	s.setGroup(r, group)
	if !r.ghost() {
		s.count(r, +1)
	}
	if l.Number > 0 || l.Due != 0 || !l.Attempt.IsZero() {
		s.loadTry(slot, r, l)
	}
}

func (s *State) loadTry(slot uint32, r *rec, l *job.Live) {
	t := s.tried(slot, r)
	t.epoch, t.n, t.given, t.exit = l.Attempt.Epoch, l.Attempt.N, l.GivenVersion, l.Exit
	t.number, t.starts, t.failures, t.losses = l.Number, l.Starts, l.Failures, l.Losses
	t.due, t.granted, t.started, t.lease = l.Due, l.Granted, l.Started, l.Lease
	t.outcome = l.Outcome
	if w, ok := s.workers.byID[l.Worker]; ok {
		t.worker = w
		s.workers.rows[w].refs++
	}
	if l.State.Held() {
		s.link(r.try, t)
	}
	if l.State == job.Delayed {
		s.timers.set(t.timer, r.try, t.due)
	}
}

// LoadFinished receives a job that finished not long ago.
func (s *State) LoadFinished(f *job.Finished) { s.recent.put(f.Digest, f.End, f.End) }

func (s *State) damaged(format string, args ...any) {
	if s.loadError == nil {
		s.loadError = job.Errorf(job.Damaged, format, args...)
	}
}

// Loaded ends a load: every held attempt gets a fresh full lease from now, or
// what remains of Meta.HoldUntil if that is longer. epoch is the store's
// Namespace.Epoch, seed is used when the namespace has none yet. The error is
// Damaged when the records do not fit together. Call Feed until it is empty
// before the first command.
func (s *State) Loaded(now job.Time, epoch uint32, seed uint64) error {
	if s.loadError != nil {
		return job.Wrap(s.loadError, "load", "namespace")
	}
	s.now = max(now, s.meta.Clock)
	m := &s.meta
	m.Epoch = max(m.Epoch, epoch)
	m.Seed = orElse(m.Seed, seed)
	m.NextSeq, m.NextAttempt, m.NextEnd = max(1, m.NextSeq), max(1, m.NextAttempt), max(1, m.NextEnd)
	m.NextQueue, m.NextGroup, m.NextKind = max(1, m.NextQueue), max(1, m.NextGroup), max(1, m.NextKind)
	m.NextShape, m.NextWorker, m.NextDepGroup = max(1, m.NextShape), max(1, m.NextWorker), max(1, m.NextDepGroup)
	if m.HoldUntil <= s.now {
		m.HoldUntil = 0
	}
	if s.loadedKeys(); s.loadError != nil {
		return job.Wrap(s.loadError, "load", "namespace")
	}
	s.loadedDepends()
	s.dropUnused()
	for _, q := range s.queues.rows[1:] {
		s.feed(Feed{Op: FeedSetQueue, Queue: q.ID})
	}
	for _, sh := range s.shapes.rows[1:] {
		if sh != nil {
			s.reckon(sh)
			s.feedShape(sh)
		}
	}
	for slot, w := range s.workers.rows {
		if w != nil {
			s.loadedWorker(uint32(slot), w)
		}
	}
	s.endHolds()
	s.loadedTo = max(1, m.MinLive)
	return nil
}

func (s *State) dropUnused() {
	for slot, row := range s.shapes.rows {
		if slot > 0 && row.refs == 0 {
			row.idle = true
			s.idle = append(s.idle, uint32(slot))
		}
	}
	s.dropIdle(0)
	for slot, k := range s.kinds.rows {
		if slot > 0 && k != nil && len(k.shapes) == 0 && !k.unused {
			s.unuse(k)
		}
	}
	for _, g := range s.groups.rows[1:] {
		if g.refs == 0 && g.Done == 0 {
			s.dirtyGroup(g)
		}
	}
	s.turn.feed = s.turn.feed[:0] // the scheduler never heard of them
}

// loadedWorker gives what a worker holds fresh leases.
func (s *State) loadedWorker(slot uint32, w *worker) {
	w.heard = s.clock()
	s.offers(w, job.Worker{})
	if w.Forgotten {
		s.dropWorker(slot, w) // unless a job names it
	}
	if w.held > 0 {
		w.hold = s.meta.HoldUntil
	}
	for i := w.first; i != 0; {
		t := s.tries.at(i)
		r := s.recs.at(t.job)
		s.grants(r, t)
		if time := s.asks[t.ask].Time; time > 0 && t.started != 0 {
			s.ends.set(t.end, i, -t.started.Add(time))
		}
		w.noteLease(t.lease, s.cfg.Silence)
		if !w.Agent || r.state == job.Lost {
			t.deadline = max(s.clock().Add(t.lease), w.hold)
			s.timers.set(t.timer, i, s.leaseEnd(w, t))
		}
		if r.state == job.Lost && !r.ghost() {
			w.lost++
		}
		if s.feedJob(FeedHold, r); r.mark != job.MarkNone {
			s.feedJob(FeedStopping, r)
		}
		i = t.next
	}
	s.activate(slot, w)
	s.wake(slot, w)
}

// feedPortion is how many jobs one call of Feed looks at after a load.
const feedPortion = 4096

// feedLoaded feeds the next ready jobs after a load, in the order of numbers;
// those of queues that are ordered by key come last, in that order, which is the
// one that costs the scheduler least.
func (s *State) feedLoaded() {
	for n := 0; n < feedPortion || len(s.turn.feed) == 0; n++ {
		slot, seq := s.bySeq.next(s.loadedTo, s.meta.NextSeq, feedPortion)
		s.loadedTo = seq + 1
		if slot != 0 {
			if r := s.recs.at(slot); r.state == job.Ready && s.shapes.rows[r.shape].queue.keyed == nil {
				s.feedJob(FeedPush, r)
			}
		} else if seq >= s.meta.NextSeq {
			s.loadedTo = s.meta.NextSeq
			if !s.feedByKey() {
				s.loadedTo = 0
			}
			return
		}
	}
}

// loadedKey is where feedByKey goes on.
type loadedKey struct {
	queue int    // in State.queues
	last  uint32 // the reference fed last, 0 for none
}

// feedByKey feeds some of the ready jobs of queues that are ordered by key; more
// says that there may be others.
func (s *State) feedByKey() (more bool) {
	at, n := &s.loadedKey, 0
	for at.queue < len(s.queues.rows) {
		if q := s.queues.rows[at.queue]; q != nil && q.keyed != nil {
			var from *uint32
			if last := at.last; last != 0 {
				from = &last
			}
			q.keyed[job.Ready].Each(from, &s.keys.order, func(ref *uint32) bool {
				if n == feedPortion {
					return false
				}
				n++
				at.last = *ref
				s.feedJob(FeedPush, s.recs.at(s.keys.slot(*ref)))
				return true
			})
		}
		if n == feedPortion {
			return true
		}
		at.queue, at.last = at.queue+1, 0
	}
	return false
}
