package queue

import (
	"bytes"
	"slices"

	"github.com/muster-queue/muster/internal/sorted"
	"github.com/muster-queue/muster/job"
)

// byKey has what is kept of a queue that is ordered by key, beyond what others
// have: its live jobs in the order of their keys, those of each state apart, so
// that a page of jobs of any states is cheap. What is counted is in it.
type byKey [job.NumStates]sorted.List[uint32]

// setOrder brings the queue in line with its definition; it is empty.
func (q *queueRow) setOrder() {
	q.keyed = nil
	if q.Def.Order == job.OrderKey {
		q.keyed = new(byKey)
	}
}

// ref is the reference to the key of a job in a queue that is ordered by key.
func (r *rec) ref() uint32 { return uint32(r.place) }

// file enters a counted job in its queue's order, or takes it out.
func (s *State) file(q *queueRow, r *rec, n int64) {
	if q.keyed == nil || s.loading {
		return
	}
	ref := r.ref()
	if n > 0 {
		q.keyed[r.state].Push(ref, &s.keys.order)
	} else {
		q.keyed[r.state].Remove(&ref, &s.keys.order)
	}
}

// moves reports whether setKey will change the job's place.
func (s *State) moves(r *rec, from, to *queueRow, key job.Key) bool {
	if from.keyed == nil || to.keyed == nil {
		return from.keyed != to.keyed
	}
	return string(s.keys.at(r.ref())) != string(key)
}

// completeKey gives the record of a job that completes its key.
func (s *State) completeKey(r *rec, f *job.Finished) {
	if q := s.shapes.rows[r.shape].queue; q.keyed != nil {
		f.Keyed, f.Key = true, job.Key(s.keys.at(r.ref()))
		s.keyedLog.add(KeyedChange{q, f.Key, f.End})
	}
}

// amendKey notes that the record of a complete job is written anew.
func (s *State) amendKey(f *job.Finished) {
	if q := s.queues.byNumber(f.Queue); f.Keyed && q != nil {
		s.keyedLog.add(KeyedChange{q, f.Key, f.End})
	}
}

// forgetKey notes that a job is not complete any more.
func (s *State) forgetKey(f *job.Finished) {
	if q := s.queues.byNumber(f.Queue); f.Keyed && q != nil {
		s.keyedLog.add(KeyedChange{q, f.Key, 0})
	}
}

// setKey gives a job that is not filed the key it has in the queue to; from is
// the queue it was in, nil for a new job. In queues that are not ordered by key
// the place is left as it is, or made that of the job's number.
func (s *State) setKey(slot uint32, r *rec, from, to *queueRow, key job.Key) {
	was := from != nil && from.keyed != nil
	if was && to.keyed != nil && string(s.keys.at(r.ref())) == string(key) {
		return
	}
	if was {
		s.keys.give(r.ref())
		r.place = uint64(r.seq)
	}
	switch {
	case to.keyed != nil:
		r.place = uint64(s.keys.put(slot, key))
		s.turn.keys = append(s.turn.keys, job.KeyRow{Seq: r.seq, Key: key})
	case was:
		s.turn.keys = append(s.turn.keys, job.KeyRow{Seq: r.seq, Gone: true})
	}
}

// dropKey ends what is kept of the key of a job that leaves.
func (s *State) dropKey(r *rec) {
	if s.shapes.rows[r.shape].queue.keyed != nil {
		s.keys.give(r.ref())
		s.turn.keys = append(s.turn.keys, job.KeyRow{Seq: r.seq, Gone: true})
	}
}

// LoadKey receives the key of a live job in a queue that is ordered by key.
func (s *State) LoadKey(k *job.KeyRow) {
	slot := s.bySeq.find(k.Seq)
	if slot == 0 {
		return
	}
	r := s.recs.at(slot)
	if s.shapes.rows[r.shape].queue.keyed != nil && r.place == 0 {
		r.place = uint64(s.keys.put(slot, k.Key))
	}
}

// loadedKeys files what was loaded.
func (s *State) loadedKeys() {
	s.loading = false
	refs := map[*queueRow]*[job.NumStates][]uint32{}
	for _, q := range s.queues.rows[1:] {
		if q != nil && q.keyed != nil {
			refs[q] = new([job.NumStates][]uint32)
		}
	}
	if len(refs) == 0 {
		return
	}
	for seq := s.meta.MinLive; ; seq++ {
		slot, next := s.bySeq.next(seq, s.meta.NextSeq, 1<<30)
		if slot == 0 {
			break
		}
		seq = next
		r := s.recs.at(slot)
		if of := refs[s.shapes.rows[r.shape].queue]; of == nil {
			continue
		} else if r.place == 0 {
			s.damaged("the key of job %d is missing", r.seq)
		} else if !r.ghost() {
			of[r.state] = append(of[r.state], r.ref())
		}
	}
	for q, of := range refs {
		for st, refs := range of {
			s.keys.sort(refs)
			q.keyed[st].Fill(refs, &s.keys.order)
		}
	}
}

// Key is the key that the place of a live job stands for, in a queue that is
// ordered by key. It is valid until the Feed that follows the job's leaving was
// handed out.
func (s *State) Key(place uint64) []byte { return s.keys.at(uint32(place)) }

// Keyed is a live job of a queue that is ordered by key.
type Keyed struct {
	job.Live
	Key job.Key
	// Worker and Deadline are those of the attempt that holds it.
	Worker   string
	Deadline job.Time
}

// ByKey lists live jobs of a queue that is ordered by key, in that order: at most
// limit of those in one of the states, a set as in Filter, behind the key after
// (nil: from the start). ok is false when there is no such queue.
func (s *State) ByKey(id job.QueueID, states uint16, after *job.Key, limit int) (page []Keyed, ok bool) {
	q := s.queues.byNumber(id)
	if q == nil || q.keyed == nil {
		return nil, false
	}
	refs := s.refsByKey(q, states, after, limit)
	page = make([]Keyed, len(refs))
	for i, ref := range refs {
		s.keyedJob(s.recs.at(s.keys.slot(ref)), &page[i])
	}
	return page, true
}

// KeyedJob finds a live job of a queue that is ordered by key by the digest of its
// key.
func (s *State) KeyedJob(d job.Digest) (k Keyed, ok bool) {
	slot := s.byDigest.find(&s.recs, &d)
	if slot == 0 {
		return k, false
	}
	r := s.recs.at(slot)
	if r.ghost() || s.shapes.rows[r.shape].queue.keyed == nil {
		return k, false
	}
	s.keyedJob(r, &k)
	return k, true
}

func (s *State) keyedJob(r *rec, k *Keyed) {
	s.live(r, &k.Live)
	k.Key = job.Key(s.keys.at(r.ref()))
	if r.state.Held() {
		t := s.tries.at(r.try)
		w := s.workers.rows[t.worker]
		k.Worker, k.Deadline = w.Name, s.deadline(w, t)
	}
}

// refsByKey merges the lists of the states.
func (s *State) refsByKey(q *queueRow, states uint16, after *job.Key, limit int) []uint32 {
	var from *uint32
	if after != nil {
		from = s.keys.look(*after)
	}
	var heads [][]uint32
	for st := range q.keyed {
		if states&(1<<st) == 0 || q.keyed[st].Len() == 0 {
			continue
		}
		var refs []uint32
		q.keyed[st].Each(from, &s.keys.order, func(ref *uint32) bool {
			if len(refs) < limit {
				refs = append(refs, *ref)
			}
			return len(refs) < limit
		})
		if len(refs) > 0 {
			heads = append(heads, refs)
		}
	}
	if len(heads) == 1 {
		return heads[0]
	}
	var merged []uint32
	for len(heads) > 0 && len(merged) < limit {
		least := 0
		for i := range heads {
			if s.keys.before(&heads[i][0], &heads[least][0]) {
				least = i
			}
		}
		merged = append(merged, heads[least][0])
		if heads[least] = heads[least][1:]; len(heads[least]) == 0 {
			heads = slices.Delete(heads, least, least+1)
		}
	}
	return merged
}

// KeyedChange says that a job of a queue that is ordered by key completed (End is
// its number), or is not complete any more (zero).
type KeyedChange struct {
	queue *queueRow
	Key   job.Key
	End   uint64
}

// keyedLog is the last of these changes. Who reads the store's index of complete
// jobs by key learns from it what the store may not have known.
type keyedLog struct {
	changes []KeyedChange
	first   uint64 // the number of changes[0]
}

// maxKeyedLog bounds the log; half of it is forgotten when it is full.
const maxKeyedLog = 1 << 16

func (l *keyedLog) add(c KeyedChange) {
	if len(l.changes) >= maxKeyedLog {
		drop := len(l.changes) / 2
		l.changes = append([]KeyedChange(nil), l.changes[drop:]...)
		l.first += uint64(drop)
	}
	l.changes = append(l.changes, c)
}

// KeyedVersion is the number of the next change to the jobs that are complete, in
// queues that are ordered by key.
func (s *State) KeyedVersion() uint64 { return s.keyedLog.first + uint64(len(s.keyedLog.changes)) }

// KeyedSince are the changes in a queue since a version, the newest of each key,
// in the order of keys. ok is false when it is too long ago.
func (s *State) KeyedSince(id job.QueueID, version uint64) (changes []KeyedChange, ok bool) {
	l := &s.keyedLog
	if version < l.first {
		return nil, false
	}
	q := s.queues.byNumber(id)
	for _, c := range l.changes[version-l.first:] {
		if c.queue == q {
			changes = append(changes, c)
		}
	}
	slices.SortStableFunc(changes, func(a, b KeyedChange) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	newest := changes[:0]
	for i, c := range changes {
		if i+1 == len(changes) || changes[i+1].Key != c.Key {
			newest = append(newest, c)
		}
	}
	return newest, true
}
