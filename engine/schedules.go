package engine

import (
	"cmp"
	"container/heap"

	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// recurring is a schedule in memory. What it holds is never changed: a change makes
// another one.
type recurring struct {
	ScheduleState
	expression *cron.Expression
}

// schedules are those of a namespace.
type schedules struct {
	all map[string]*scheduled
	// order has those that fire some time, the next one first.
	order firingOrder
	// last says whose last job a job is.
	last map[job.Seq]string
	// busy: some are firing, and none is looked at meanwhile; none is before again.
	busy  bool
	again job.Time
}

// scheduled is the place of a schedule; in order it is at index, which is negative
// when it is not there.
type scheduled struct {
	*recurring
	index int
}

// firingOrder is a heap.
type firingOrder []*scheduled

// Len, Less, Swap, Push and Pop are for package heap.
func (o firingOrder) Len() int           { return len(o) }
func (o firingOrder) Less(i, j int) bool { return o[i].Next < o[j].Next }
func (o firingOrder) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].index, o[j].index = i, j
}

// Push adds at the end.
func (o *firingOrder) Push(x any) {
	s := x.(*scheduled)
	s.index = len(*o)
	*o = append(*o, s)
}

// Pop takes the last away.
func (o *firingOrder) Pop() any {
	s := (*o)[len(*o)-1]
	*o = (*o)[:len(*o)-1]
	s.index = -1
	return s
}

// set keeps a schedule in the place of the one of its name.
func (c *schedules) set(s *recurring) {
	place := c.all[s.Name]
	if place == nil {
		place = &scheduled{index: -1}
		c.all[s.Name] = place
	} else {
		c.unlink(place)
	}
	place.recurring = s
	if s.Last.Seq != 0 {
		c.last[s.Last.Seq] = s.Name
	}
	if s.Next != 0 {
		heap.Push(&c.order, place)
	}
}

func (c *schedules) unlink(s *scheduled) {
	delete(c.last, s.Last.Seq)
	if s.index >= 0 {
		heap.Remove(&c.order, s.index)
	}
}

// get is the schedule of a name; nil if there is none.
func (c *schedules) get(name string) *recurring {
	if place := c.all[name]; place != nil {
		return place.recurring
	}
	return nil
}

func (c *schedules) remove(name string) {
	c.unlink(c.all[name])
	delete(c.all, name)
}

// next is when the first is due.
func (c *schedules) next() (at job.Time, ok bool) {
	if c.busy || len(c.order) == 0 {
		return 0, false
	}
	return max(c.order[0].Next, c.again), true
}

// due are schedules that are due, the longest first, at most so many.
func (c *schedules) due(now job.Time, limit int) []*recurring {
	var due []*recurring
	for len(c.order) > 0 && c.order[0].Next <= now && len(due) < limit {
		due = append(due, heap.Pop(&c.order).(*scheduled).recurring)
	}
	for _, s := range due {
		heap.Push(&c.order, c.all[s.Name])
	}
	return due
}

// active reports whether a schedule may fire some time.
func (c *schedules) active() bool {
	for _, s := range c.all {
		if s.expression != nil && !s.Paused && (s.Next != 0 || s.expression.After() != 0) {
			return true
		}
	}
	return c.busy
}

// loadSchedules reads the schedules of the namespace.
func (w *writer) loadSchedules() error {
	w.cron = schedules{all: map[string]*scheduled{}, last: map[job.Seq]string{}}
	var bad error
	err := w.ns.store.Documents(roomCron, "", func(_ string, body []byte) bool {
		s := &recurring{}
		if bad = s.decode(body); bad == nil {
			s.Next = w.nextFiring(s)
			w.cron.set(s)
		}
		return bad == nil
	})
	return job.Wrap(cmp.Or(err, bad), "load the schedules of namespace", w.ns.name)
}

func (s *recurring) decode(body []byte) error {
	if err := job.Decode(body, &s.ScheduleState); err != nil {
		return err
	}
	s.Job = new(job.Job)
	if err := job.Decode(s.Body, s.Job); err != nil {
		return err
	}
	var err error
	if s.expression, err = s.Validate(s.Made.Std()); err != nil {
		s.Error = err.Error() // such as a zone that this release does not know any more
	}
	return nil
}

// keepSchedule keeps a schedule in the place of the one of its name, durably with
// this turn.
func (w *writer) keepSchedule(s *recurring) error {
	s.Next = w.nextFiring(s)
	w.cron.set(s)
	body, err := job.Encode(nil, &s.ScheduleState)
	w.documents = append(w.documents, job.Document{Room: roomCron, Key: s.Name, Body: body})
	return err
}

// nextFiring is when the schedule fires next; zero if never, or not before its last
// job has ended.
func (w *writer) nextFiring(s *recurring) job.Time {
	if s.Paused || s.expression == nil {
		return 0
	}
	pause := s.expression.After()
	switch {
	case pause == 0:
		return job.TimeOf(s.Schedule.Next(s.expression, s.Seen.Std()))
	case w.unfinished(s.Last.Seq):
		return 0
	}
	next := max(s.Made, s.Start)
	if s.Last.At != 0 {
		next = max(s.Start, s.Last.Ended.Add(pause))
	}
	if s.Error != "" {
		next = max(next, s.Seen.Add(pause))
	}
	if s.End != 0 && next >= s.End {
		return 0
	}
	return next
}

// unfinished reports whether a job is still to come to an end by itself.
func (w *writer) unfinished(seq job.Seq) bool {
	l, ok := w.state.BySeq(seq)
	return seq != 0 && ok && l.State != job.Buried
}

// noteEnds keeps how the last jobs of schedules ended.
func (w *writer) noteEnds(events []queue.Event) {
	if len(w.cron.last) == 0 {
		return
	}
	for i := range events {
		e := &events[i]
		if name, ok := w.cron.last[e.Seq]; ok && e.From != e.To && (e.To == job.Complete || e.To == job.Buried || e.To == job.Absent) {
			w.noteEnd(name, e)
		}
	}
}

func (w *writer) noteEnd(name string, e *queue.Event) {
	s := *w.cron.get(name)
	s.Last.Ended, s.Last.State, s.Last.Reason, s.Last.Exit = e.At, e.To, e.Reason, e.Exit
	if err := w.keepSchedule(&s); err != nil {
		w.log.Error("the end of a schedule's job is not kept", "namespace", w.ns.name, "schedule", name, "err", err)
	}
}

// stateNow is a schedule for people: with the state its last job has now.
func (w *writer) stateNow(s *recurring) ScheduleState {
	state := s.ScheduleState
	if l, ok := w.state.BySeq(state.Last.Seq); ok && state.Last.Seq != 0 {
		state.Last.State, state.Last.Reason, state.Last.Exit = l.State, l.Reason, l.Exit
		if l.State != job.Buried {
			state.Last.Ended = 0
		}
	}
	return state
}
