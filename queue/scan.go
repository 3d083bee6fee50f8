package queue

import (
	"github.com/muster-queue/muster/job"
)

// Filter selects live jobs; zero fields select all.
type Filter struct {
	// States is a set: 1 << state for each that is wanted.
	States uint16
	Queue  job.QueueID
	Group  job.GroupID
	Kind   job.KindID
	Shape  job.ShapeID
	Worker job.WorkerID
	Reason job.Reason
}

// Lookup finds a live job by the digest of its key.
func (s *State) Lookup(d job.Digest) (job.Live, bool) {
	return s.visible(s.byDigest.find(&s.recs, &d))
}

// BySeq finds a live job by its number.
func (s *State) BySeq(seq job.Seq) (job.Live, bool) { return s.visible(s.bySeq.find(seq)) }

// Then is the queue that the completion of a live job with data may feed; empty if
// none.
func (s *State) Then(seq job.Seq) string {
	slot := s.bySeq.find(seq)
	if slot == 0 {
		return ""
	}
	r := s.recs.at(slot)
	if r.flags&job.FlagCommand != 0 {
		return ""
	}
	return s.shapes.rows[r.shape].queue.Def.Then
}

func (s *State) visible(slot uint32) (l job.Live, ok bool) {
	if slot == 0 || s.recs.at(slot).ghost() {
		return l, false
	}
	s.live(s.recs.at(slot), &l)
	return l, true
}

// Scan lists live jobs from number from on, in order, that match f: at most
// limit, looking at no more than work jobs. next is where to go on; done says
// that there are no more. A scan from the start ends as soon as the counters say
// that all were found.
func (s *State) Scan(from job.Seq, f Filter, limit, work int) (matches []job.Live, next job.Seq, done bool) {
	total := int64(-1)
	if from <= s.meta.MinLive {
		total = s.total(&f)
	}
	next = max(from, s.meta.MinLive)
	for ; work > 0 && len(matches) < limit && int64(len(matches)) != total; work-- {
		slot, seq := s.bySeq.next(next, s.meta.NextSeq, 16)
		if slot == 0 {
			if next = seq; seq >= s.meta.NextSeq {
				return matches, next, true
			}
			continue
		}
		next = seq + 1
		if r := s.recs.at(slot); s.matches(&f, r) {
			matches = append(matches, job.Live{})
			s.live(r, &matches[len(matches)-1])
		}
	}
	return matches, next, int64(len(matches)) == total || next >= s.meta.NextSeq
}

// total is an upper bound of the jobs that match f, reached if only f's states
// and one of queue and group are set.
func (s *State) total(f *Filter) int64 {
	counts := []*job.Counts{&s.counts}
	if f.Queue != 0 {
		q := s.queues.byNumber(f.Queue)
		if q == nil {
			return 0
		}
		counts = append(counts, &q.counts)
	}
	if f.Group != 0 {
		g := s.groups.byNumber(f.Group)
		if g == nil {
			return 0
		}
		counts = append(counts, &g.counts)
	}
	least := int64(-1)
	for _, c := range counts {
		var n int64
		for st := job.Blocked; st < job.Complete; st++ {
			if f.States == 0 || f.States&(1<<st) != 0 {
				n += c[st]
			}
		}
		if least < 0 || n < least {
			least = n
		}
	}
	return least
}

func (s *State) matches(f *Filter, r *rec) bool {
	if r.ghost() || f.States != 0 && f.States&(1<<r.state) == 0 || f.Reason != 0 && f.Reason != r.reason {
		return false
	}
	if f.Group != 0 && s.groups.rows[r.group].ID != f.Group {
		return false
	}
	if sh := s.shapes.rows[r.shape]; f.Queue != 0 && sh.Queue != f.Queue || f.Kind != 0 && sh.Kind != f.Kind ||
		f.Shape != 0 && sh.ID != f.Shape {
		return false
	}
	if f.Worker == 0 {
		return true
	}
	return r.try != 0 && s.workers.rows[s.tries.at(r.try).worker].ID == f.Worker
}
