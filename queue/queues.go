package queue

import (
	"github.com/muster-queue/muster/job"
)

// queueFor is the queue a job is added to, made with default settings when it is
// not there.
func (s *State) queueFor(j *job.Job) *queueRow {
	if slot, ok := s.queues.byKey[j.Queue]; ok {
		return s.queues.rows[slot]
	}
	def := job.Queue{Name: j.Queue}
	if j.IsCommand() {
		def.Runtime = "command"
	}
	return s.newQueue(def)
}

func (s *State) newQueue(def job.Queue) *queueRow {
	q := &queueRow{QueueRow: job.QueueRow{ID: s.meta.NextQueue, Def: def}}
	s.meta.NextQueue++
	s.putQueue(q)
	s.dirtyQueue(q)
	s.feed(Feed{Op: FeedSetQueue, Queue: q.ID})
	return q
}

func (s *State) putQueue(q *queueRow) {
	q.setOrder()
	s.queues.put(q.ID, q.Def.Name, q)
	s.noteContinuous(q, q.Def.Continuous)
	s.noteKept(q, true)
	s.queueNames.put(q.Def.Name)
}

func (s *State) dirtyQueue(q *queueRow) {
	if !q.dirty {
		q.dirty = true
		s.turn.queues = append(s.turn.queues, q)
	}
}

// SetQueue creates or changes a queue. Jobs that are there keep what they got
// from its settings when they were added: labels, place, lost policy; but who pays
// for those that wait follows, see Refile. Errors: Invalid; Conflict if the order
// would change and there are jobs.
func (s *State) SetQueue(def job.Queue) (job.QueueID, error) {
	if err := def.Validate(); err != nil {
		return 0, err
	}
	slot, ok := s.queues.byKey[def.Name]
	if !ok {
		return s.newQueue(def).ID, nil
	}
	q := s.queues.rows[slot]
	reorder := def.Order != q.Def.Order
	if reorder && (q.counts.Live() > 0 || q.Done > 0 || s.haunted(q)) {
		return 0, job.Errorf(job.Conflict, "queue %s: its order can be changed only while it has no jobs, complete ones included; delete them first, or make another queue", def.Name)
	}
	if def.Account != q.Def.Account {
		s.refiling = 1
	}
	if q.Def = def; reorder {
		q.setOrder()
	}
	s.noteContinuous(q, def.Continuous)
	s.noteKept(q, true)
	s.dirtyQueue(q)
	s.feed(Feed{Op: FeedSetQueue, Queue: q.ID})
	return q.ID, nil
}

// ErrFinishedLeft answers a DeleteQueue of a queue that has only finished jobs.
var ErrFinishedLeft = job.Errorf(job.Conflict, "the queue has finished jobs; delete them first")

// DeleteQueue deletes a queue. One with jobs is refused (Conflict) unless all,
// which deletes its live jobs too, by force, looking at no more than max jobs in
// a call; more says that it must be called again. Finished jobs must be deleted
// too, with DeleteFinished: ErrFinishedLeft says so once no other is left. Error:
// job.ErrNoQueue.
func (s *State) DeleteQueue(name string, all bool, max int) (more bool, err error) {
	slot, ok := s.queues.byKey[name]
	if !ok {
		return false, job.ErrNoQueue
	}
	q := s.queues.rows[slot]
	live := q.counts.Live()
	switch {
	case !all && (live > 0 || q.Done > 0):
		return false, job.Errorf(job.Conflict, "delete queue %s: it has %s, %d of them complete; delete them first, or force it", name, job.Plural(live+q.Done, "job"), q.Done)
	case s.sweep(q, max):
		return true, nil
	case q.stayed != nil:
		err, q.stayed = q.stayed, nil
		return false, job.Wrap(err, "delete queue", name)
	case q.Done > 0:
		return false, ErrFinishedLeft
	case s.haunted(q):
		return false, job.Errorf(job.Conflict, "delete queue %s: workers still hold jobs of it that were deleted; try again when they have ended", name)
	}
	s.dropQueue(q)
	return false, nil
}

// sweep deletes live jobs of the queue; more says that some may be left. Those that jobs
// of other queues wait for stay: q.stayed says so at the end of a round.
func (s *State) sweep(q *queueRow, max int) (more bool) {
	q.sweep = orElse(q.sweep, s.meta.MinLive)
	if q.going == nil {
		q.going = &Going{Goes: func(seq job.Seq) bool {
			_, r := s.find(seq)
			return r != nil && s.shapes.rows[r.shape].queue == q
		}}
	}
	for ; max > 0 && q.counts.Live() > 0; max-- {
		slot, seq := s.bySeq.next(q.sweep, s.meta.NextSeq, 16)
		q.sweep = seq
		if slot == 0 {
			if seq >= s.meta.NextSeq {
				if q.sweep = s.meta.MinLive; q.stayed != nil {
					return false
				}
				// some were added behind it
			}
			continue
		}
		q.sweep++
		if r := s.recs.at(slot); s.shapes.rows[r.shape].queue == q && !r.ghost() {
			if err := s.DeleteWith(r.seq, DeleteOptions{Force: true, Going: q.going}); err != nil {
				q.stayed = err
			}
		}
	}
	return q.counts.Live() > 0
}

// haunted reports whether ghosts are left in the queue.
func (s *State) haunted(q *queueRow) bool {
	for _, sh := range s.shapes.rows[1:] {
		if sh != nil && sh.queue == q && sh.refs > 0 {
			return true
		}
	}
	return false
}

func (s *State) dropQueue(q *queueRow) {
	keep := s.idle[:0]
	for _, slot := range s.idle {
		if row := s.shapes.rows[slot]; row.queue == q {
			row.idle = false
			s.dropShape(row)
		} else {
			keep = append(keep, slot)
		}
	}
	s.idle = keep
	q.dirty = false
	s.noteContinuous(q, false)
	s.noteKept(q, false)
	s.queues.remove(q.ID, q.Def.Name)
	s.queueNames.remove(q.Def.Name)
	s.turn.goneQueues = append(s.turn.goneQueues, job.QueueRow{ID: q.ID, Def: job.Queue{Name: q.Def.Name}, Gone: true})
	s.feed(Feed{Op: FeedDropQueue, Queue: q.ID})
}
