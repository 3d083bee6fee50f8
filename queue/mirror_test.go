package queue

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// mirror is the scheduler's picture, kept from the feed alone.
type mirror struct {
	ready  map[job.Seq]Feed
	held   map[job.Seq]Feed
	shapes map[job.ShapeID]bool
}

func (m *mirror) reset() {
	*m = mirror{ready: map[job.Seq]Feed{}, held: map[job.Seq]Feed{}, shapes: map[job.ShapeID]bool{}}
}

// apply keeps the picture; steps that do not fit it are failures.
func (m *mirror) apply(t fataler, feed []Feed) {
	t.Helper()
	for _, f := range feed {
		_, ready := m.ready[f.Seq]
		old, held := m.held[f.Seq]
		ok := true
		switch f.Op {
		case FeedDefineShape:
			m.shapes[f.Shape] = true
		case FeedDropShape:
			ok = m.shapes[f.Shape]
			delete(m.shapes, f.Shape)
		case FeedPush:
			ok = !ready && !held && m.shapes[f.Shape]
			m.ready[f.Seq] = f
		case FeedRemove:
			ok = ready && m.ready[f.Seq].Shape == f.Shape && m.ready[f.Seq].Priority == f.Priority
			delete(m.ready, f.Seq)
		case FeedHold:
			ok = (!held || old.Worker == f.Worker && old.Prefetched == f.Prefetched) && m.shapes[f.Shape]
			delete(m.ready, f.Seq)
			m.held[f.Seq] = f
		case FeedStart:
			ok = held && old.Prefetched
			old.Prefetched = false
			m.held[f.Seq] = old
		case FeedRelease:
			ok = held && old.Shape == f.Shape && old.Worker == f.Worker && old.Prefetched == f.Prefetched
			delete(m.held, f.Seq)
		case FeedStopping:
			ok = held
		}
		if !ok {
			t.Fatalf("feed %+v does not fit what was fed before", f)
		}
	}
}

// checkInvariants recounts what the State counts, and compares the scheduler's
// picture with the states.
func checkInvariants(t fataler, s *State, m *mirror) {
	t.Helper()
	var counts job.Counts
	groups, queues := map[uint32]job.Counts{}, map[*queueRow]job.Counts{}
	var ready, held, bytes, jobs int64
	var timed, ending int32
	lost, heldBy := map[uint32]int{}, map[uint32]int{}
	add := func(c job.Counts, st job.State) job.Counts { c[st]++; return c }
	for seq := job.Seq(0); seq < s.meta.NextSeq; seq++ {
		slot := s.bySeq.find(seq)
		if slot == 0 {
			continue
		}
		r := s.recs.at(slot)
		jobs++
		bytes += int64(r.size)
		if s.byDigest.find(&s.recs, &r.digest) != slot || seq < s.meta.MinLive {
			t.Fatalf("job %d is not found by its key, or below the lower bound %d", seq, s.meta.MinLive)
		}
		if r.state.Held() {
			held++
			f, ok := m.held[seq]
			if !ok || f.Shape != s.shapes.rows[r.shape].ID || f.Prefetched != (r.flags&job.FlagPrefetched != 0) {
				t.Fatalf("the scheduler does not know that job %d is held", seq)
			}
		}
		if r.state == job.Ready {
			ready++
			if f, ok := m.ready[seq]; !ok || f.Shape != s.shapes.rows[r.shape].ID || f.Priority != r.priority || f.Place != r.place {
				t.Fatalf("the scheduler does not know that job %d is ready", seq)
			}
		}
		if r.try != 0 {
			t1 := s.tries.at(r.try)
			if t1.timer != 0 && r.state != job.Delayed && !r.state.Held() || t1.end != 0 && !r.state.Held() || r.state == job.Delayed && t1.timer == 0 {
				t.Fatalf("job %d is %v, with timer %d and end %d", seq, r.state, t1.timer, t1.end)
			}
			if r.state.Held() {
				heldBy[t1.worker]++
			}
			if r.state == job.Lost && !r.ghost() {
				lost[t1.worker]++
			}
			timed, ending = timed+min(t1.timer, 1), ending+min(t1.end, 1)
		}
		if r.ghost() {
			continue
		}
		counts = add(counts, r.state)
		groups[r.group] = add(groups[r.group], r.state)
		q := s.shapes.rows[r.shape].queue
		queues[q] = add(queues[q], r.state)
	}
	if ready != int64(len(m.ready)) || held != int64(len(m.held)) {
		t.Fatalf("the scheduler has %d ready and %d held jobs, the state %d and %d", len(m.ready), len(m.held), ready, held)
	}
	for slot, w := range s.workers.rows {
		if w != nil && (w.lost != lost[uint32(slot)] || w.held != heldBy[uint32(slot)]) {
			t.Fatalf("worker %d counts %d held and %d lost, recounted %d and %d", w.ID, w.held, w.lost, heldBy[uint32(slot)], lost[uint32(slot)])
		}
	}
	if timed != s.timers.n || ending != s.ends.n {
		t.Fatalf("%d timers and %d ends, jobs have %d and %d", s.timers.n, s.ends.n, timed, ending)
	}
	checkByKey(t, s)
	counts[job.Complete] = s.counts[job.Complete]
	if counts != s.counts || bytes != s.bytes || jobs != s.jobs || int(jobs) != s.recs.used {
		t.Fatalf("counted %v, %d bytes, %d jobs; recounted %v, %d, %d", s.counts, s.bytes, s.jobs, counts, bytes, jobs)
	}
	for slot, g := range s.groups.rows {
		if g != nil && g.counts != groups[uint32(slot)] {
			t.Fatalf("group %q counts %v, recounted %v", g.Name, g.counts, groups[uint32(slot)])
		}
	}
	for _, q := range s.queues.rows[1:] {
		if q != nil && q.counts != queues[q] {
			t.Fatalf("queue %q counts %v, recounted %v", q.Def.Name, q.counts, queues[q])
		}
	}
}

// checkByKey compares the orders of keys with the jobs there are.
func checkByKey(t fataler, s *State) {
	t.Helper()
	want := map[*queueRow]*[job.NumStates][]string{}
	cells := map[*keyChunk]int{}
	for seq := job.Seq(0); seq < s.meta.NextSeq; seq++ {
		slot := s.bySeq.find(seq)
		if slot == 0 {
			continue
		}
		r := s.recs.at(slot)
		q := s.shapes.rows[r.shape].queue
		if q.keyed == nil {
			continue
		}
		key := string(s.keys.at(r.ref()))
		if job.DigestOf(q.Def.Name, job.Key(key)) != r.digest || s.keys.slot(r.ref()) != slot {
			t.Fatalf("job %d has the key %q, that of slot %d, not its own", seq, key, s.keys.slot(r.ref()))
		}
		cells[s.keys.chunks[r.ref()>>chunkBits]]++
		if r.ghost() {
			continue
		}
		if want[q] == nil {
			want[q] = new([job.NumStates][]string)
		}
		want[q][r.state] = append(want[q][r.state], key)
	}
	for _, q := range s.queues.rows[1:] {
		if q == nil || q.keyed == nil {
			continue
		}
		for st := range q.keyed {
			var got, all []string
			q.keyed[st].Each(nil, &s.keys.order, func(ref *uint32) bool {
				got = append(got, string(s.keys.at(*ref)))
				return true
			})
			if want[q] != nil {
				all = want[q][st]
			}
			if slices.Sort(all); !slices.Equal(got, all) {
				t.Fatalf("%v jobs of queue %s by key: %q, want %q", job.State(st), q.Def.Name, got, all)
			}
		}
	}
	for _, ref := range s.keys.freed {
		cells[s.keys.chunks[ref>>chunkBits]]++
	}
	for _, c := range s.keys.chunks {
		if c != nil && int(c.used) != cells[c] {
			t.Fatalf("a chunk of keys has %d cells taken, want %d", c.used, cells[c])
		}
	}
}
