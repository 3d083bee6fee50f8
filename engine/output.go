package engine

import (
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// A job that completes in a queue with Then makes jobs for that queue, in the same
// commit. What they are is in its data, which is read, and their keys looked up in
// history, off the writer; the writer says when it needs that, and does nothing
// before it has it.

// feeding is what a completion feeds to the queue that follows, made ready.
type feeding struct {
	adding
	// target is the queue it is for, and source where the data was read from;
	// both are empty where the report itself said what is added.
	target string
	source source
}

// source is where a completing job's data is: with the report, else in a payload.
type source struct {
	given   bool
	payload job.PayloadRef
}

// feed makes ready what data says that the completion of its job makes for target.
// What no job can be made of is passed over, as in job.Outputs.
func (n *Namespace) feed(target string, from source, data []byte) (*feeding, error) {
	made, err := job.Outputs(data)
	if err != nil {
		return nil, err
	}
	f := &feeding{target: target, source: from, adding: adding{ns: n, request: AddRequest{Existing: job.ExistingReplace}}}
	now := n.cfg.Clock.Wall()
	for i := range made {
		m := &made[i]
		j := &job.Job{Queue: target, Key: m.Key, Data: m.Data, Priority: m.Priority}
		if m.Delay > 0 {
			j.NotBefore = now.Add(m.Delay)
		}
		if p, err := prepare(j); err == nil {
			f.todo = append(f.todo, p)
			f.bytes += int64(len(p.Body))
		}
	}
	return f, f.lookUp()
}

// feedJobs makes the jobs ready that a report says are to be added.
func (n *Namespace) feedJobs(jobs []*job.Job) (*feeding, error) {
	f := &feeding{adding: adding{ns: n, request: AddRequest{Existing: job.ExistingReplace}}}
	for _, j := range jobs {
		p, err := prepare(j)
		if err != nil {
			return nil, err
		}
		f.todo = append(f.todo, p)
		f.bytes += int64(len(p.Body))
	}
	return f, f.lookUp()
}

// feedFrom reads the data of a completing job and makes ready what it feeds.
func (n *Namespace) feedFrom(target string, from source, given []byte) (*feeding, error) {
	if from.given {
		return n.feed(target, from, given)
	}
	bodies, err := n.store.Payloads([]job.PayloadRef{from.payload})
	if err != nil {
		return nil, job.Wrap(err, "read the data of a job", "")
	}
	data, err := dataOf(bodies[0].Body)
	if err != nil {
		return nil, err
	}
	return n.feed(target, from, data)
}

// good reports whether nothing has changed since the feeding was made ready that
// matters to it; otherwise its keys must be looked up again. The error is Exhausted
// when there is no room for its jobs.
func (f *feeding) good(w *writer) (bool, error) {
	if f.loads != w.ns.loads.Load() {
		return false, nil
	}
	good := true
	for i := range f.todo {
		p := &f.todo[i]
		switch a := w.state.Foresee(p, queue.AddOptions{Existing: job.ExistingReplace}); {
		case a.Err != nil:
			return false, a.Err
		case a.Status == queue.AddStale || a.Status == queue.AddNeedFinished:
			p.Found, p.End = a.Status == queue.AddNeedFinished, a.End
			good = false
		}
	}
	if !good {
		return false, nil
	}
	return true, w.state.Room(int64(len(f.todo)), f.bytes)
}

// add adds what is fed, in the turn in which good said that all of it can be.
func (f *feeding) add(w *writer) {
	if f != nil && len(f.todo) > 0 {
		w.state.Add(f.todo, queue.AddOptions{Existing: job.ExistingReplace})
		w.feed()
	}
}

// follower is the queue that the job's completion feeds: it is there, and its jobs
// are work units; else empty.
func (w *writer) follower(l *job.Live) string {
	def, _ := w.state.Queue(l.Queue)
	if def.Then == "" || l.Flags&job.FlagCommand != 0 {
		return ""
	}
	named, ok := w.state.QueueNamed(def.Then)
	if !ok {
		return ""
	}
	if next, _ := w.state.Queue(job.QueueID(named.ID)); !next.Defined() {
		return ""
	}
	return def.Then
}

// completion is a job about to complete, and what that feeds.
type completion struct {
	// given is the data that comes with it; nil: the job's attempt, or the job, has
	// what there is.
	given []byte
	// explicit: the report says itself what is added.
	explicit bool
	fed      *feeding
	// What fed must be for the completion to be done.
	target string
	source source
}

// ready reports whether the job can complete now; version is the payload with its
// data unless that was given. If it cannot, and there is no error, prepare is to be
// called off the writer first.
func (c *completion) ready(w *writer, l *job.Live, version uint32) (bool, error) {
	if !c.explicit {
		c.target, c.source = w.follower(l), source{given: c.given != nil}
		if c.target == "" {
			c.fed = nil
			return true, nil
		}
		if !c.source.given {
			c.source.payload = job.PayloadRef{Seq: l.Seq, Version: version}
		}
	}
	if !c.read() {
		return false, nil
	}
	return c.fed.good(w)
}

// read reports whether fed is what is wanted, if perhaps out of date.
func (c *completion) read() bool {
	return c.fed != nil && c.fed.target == c.target && c.fed.source == c.source
}

// prepare makes ready what ready wants.
func (c *completion) prepare(n *Namespace) (err error) {
	if c.read() {
		return c.fed.lookUp()
	}
	c.fed, err = n.feedFrom(c.target, c.source, c.given)
	return err
}
