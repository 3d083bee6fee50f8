package engine

import (
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
)

// pulling is a reserve being tried: what it asks of the scheduler.
type pulling struct {
	*writer
	waiter *waiter
	schedule.Pull
	// idle are continuous queues that may make a job of their own for it.
	idle []job.QueueID
	// buried says that jobs were met that had no attempts left.
	buried bool
}

// tryReserve gives the reserve what there is; false if that is nothing.
func (w *writer) tryReserve(q *waiter) bool {
	r := q.request
	if w.state.Drained(q.worker) {
		return false
	}
	p := &pulling{writer: w, waiter: q, Pull: schedule.Pull{
		Worker: q.worker, N: r.N, Command: r.Commands, Data: !r.Commands, Capacity: r.Capacity,
	}}
	if r.Exactly != nil {
		p.Exactly = &schedule.Exactly{Needs: r.Exactly.Needs, Time: r.Exactly.Time}
	}
	if !w.resolve(&p.Pull, r) {
		return false
	}
	if !r.Commands && len(r.Groups)+len(r.Kinds) == 0 {
		p.idle = w.state.Idle()
	}
	grants := p.pull()
	if len(grants) == 0 {
		return false
	}
	if r.Session != "" {
		w.state.KeepReserve(r.Session, r.Sequence, grants)
	}
	w.settle(q, grants)
	return true
}

// resolve turns the names of a reserve into numbers; false means that none of
// the names exists, so that nothing can match.
func (w *writer) resolve(p *schedule.Pull, r *ReserveRequest) bool {
	for _, name := range r.Queues {
		if q, ok := w.state.QueueNamed(name); ok {
			p.Queues = append(p.Queues, job.QueueID(q.ID))
		}
	}
	for _, name := range r.Groups {
		if g, ok := w.state.GroupNamed(name); ok {
			p.Groups = append(p.Groups, job.GroupID(g.ID))
		}
	}
	for _, name := range r.Kinds {
		if id, ok := w.state.KindNamed(name); ok {
			p.Kinds = append(p.Kinds, id)
		}
	}
	return (len(r.Queues) == 0 || len(p.Queues) > 0) &&
		(len(r.Groups) == 0 || len(p.Groups) > 0) &&
		(len(r.Kinds) == 0 || len(p.Kinds) > 0)
}

// picky reports whether the request cares what its jobs' queues are like.
func (r *ReserveRequest) picky() bool {
	return r.Defined || len(r.Runtimes) > 0 || r.AvailableMemory > 0
}

// suits reports whether jobs of the queue may be given to the request.
func (r *ReserveRequest) suits(q *job.Queue) bool {
	return (!r.Defined || q.Defined()) &&
		(len(r.Runtimes) == 0 || slices.Contains(r.Runtimes, q.Runtime)) &&
		(r.AvailableMemory <= 0 || q.MinMemory <= r.AvailableMemory)
}

// contenders are the queues that can give the request something now.
func (p *pulling) contenders() []schedule.Contender {
	r := p.waiter.request
	return slices.DeleteFunc(p.sched.Contenders(p.Pull, p.idle), func(c schedule.Contender) bool {
		def, _ := p.state.Queue(c.Queue)
		return !r.suits(&def)
	})
}

// pull finds and grants jobs by the rules of the request.
func (p *pulling) pull() []queue.Grant {
	if p.waiter.request.OneQueue {
		return p.fromOne(p.contenders())
	}
	whole := p.Pull
	if p.waiter.request.picky() {
		p.Queues = nil
		for _, c := range p.contenders() {
			p.Queues = append(p.Queues, c.Queue)
		}
		if len(p.Queues) == 0 {
			return nil
		}
	}
	if grants := p.grants(); len(grants) > 0 || len(p.idle) == 0 {
		return grants
	}
	p.Pull = whole
	return p.fromOne(slices.DeleteFunc(p.contenders(), func(c schedule.Contender) bool {
		return !slices.Contains(p.idle, c.Queue)
	}))
}

// fromOne serves the request from one queue: the fairest that has something that
// fits. When all that was found had no attempts left, nobody else is asked, unless
// the request waits.
func (p *pulling) fromOne(all []schedule.Contender) []queue.Grant {
	wanted := p.N
	for len(all) > 0 {
		c := schedule.Fairest(all)
		p.N = wanted
		if grants := p.from(c.Queue); len(grants) > 0 {
			p.sched.Served(c.Queue)
			return grants
		}
		if p.waiter.need != 0 || p.buried && p.waiter.request.Wait == 0 {
			return nil
		}
		all = slices.DeleteFunc(all, func(o schedule.Contender) bool { return o.Queue == c.Queue })
	}
	return nil
}

// from takes jobs of one queue. One that is idle makes a job of its own.
func (p *pulling) from(id job.QueueID) []queue.Grant {
	def, ok := p.state.Queue(id)
	if !ok {
		return nil
	}
	if def.MaxPerRequest > 0 {
		p.N = int(min(int64(p.N), def.MaxPerRequest))
	}
	p.Queues = []job.QueueID{id}
	if slices.Contains(p.idle, id) {
		if !p.invent(id) {
			return nil
		}
		p.N = 1
	}
	return p.grants()
}

// invent has an idle queue make its job. It may need what history knows of a job
// of the same key, which the caller of the reserve must read; one that waits
// already gets a job of another key in a moment.
func (p *pulling) invent(id job.QueueID) bool {
	a := p.state.Invent(id, p.waiter.finished)
	p.feed()
	switch {
	case a.Status == queue.AddNeedFinished && p.waiter.waiting:
		p.state.Postpone(id)
	case a.Status == queue.AddNeedFinished:
		p.waiter.need = a.End
	case a.Err != nil:
		p.log.Warn("a continuous queue cannot make its next job", "namespace", p.ns.name, "err", a.Err)
	}
	return a.Err == nil && a.State == job.Ready
}

// fallMax bounds how many jobs without attempts left one request is passed over.
const fallMax = 1000

// grants pulls and grants. A batch of which nothing could be granted, because all
// its jobs had no attempts left, is picked anew; one of which something could is
// not filled up.
func (p *pulling) grants() []queue.Grant {
	for fell := 0; fell < fallMax; {
		placed, more := p.sched.Pull(p.state.Now(), p.Pull)
		p.more = p.more || more
		grants, buried := p.grant(placed, p.waiter.request.Lease)
		p.buried = p.buried || buried > 0
		if len(grants) > 0 || buried == 0 {
			return grants
		}
		fell += buried
	}
	p.more = true
	return nil
}

// grant turns placements into attempts. One that cannot be granted any more is
// taken back from the scheduler; buried is how many had no attempts left.
func (w *writer) grant(placed []schedule.Placement, lease time.Duration) (grants []queue.Grant, buried int) {
	grants = make([]queue.Grant, 0, len(placed))
	for _, p := range placed {
		if g, ok := w.state.Grant(p.Seq, p.Worker, lease, p.Prefetched); ok {
			grants = append(grants, g)
			w.assigned(&p)
			continue
		}
		l, ok := w.state.BySeq(p.Seq)
		if ok && l.State == job.Ready && w.sched.GiveBack(p.Seq) {
			continue
		}
		w.sched.Release(p.Seq)
		switch {
		case ok && l.State == job.Ready:
			w.sched.Push(l.Shape, schedule.Item{Seq: l.Seq, Priority: l.Priority, Place: l.Place, Group: l.Group})
		case ok && l.State == job.Buried:
			buried++
		}
	}
	w.feed()
	return grants, buried
}
