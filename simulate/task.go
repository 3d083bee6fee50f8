package simulate

import (
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// task is a job that has come and is not done.
type task struct {
	seq     job.Seq
	stream  int
	shape   *shape
	ledger  *ledger
	arrived job.Time
	lasts   time.Duration

	state taskState
	// first is when it first started; zero: never.
	first job.Time
	// Of the present try, counted from one: since when, where (and at which place
	// there), at which level, and how much of the worker it takes.
	try    int
	since  job.Time
	worker job.WorkerID
	place  int
	level  schedule.Level
	share  float64
}

type taskState uint8

const (
	waiting taskState = iota
	running
	stopping // preempted, not ended yet
)

// item is the task as the scheduler knows it when it is ready: its place among
// others is that of its arrival, however often it was started.
func (s *simulator) item(t *task) schedule.Item {
	return schedule.Item{Seq: t.seq, Priority: s.Jobs[t.stream].Priority, Place: uint64(t.seq)}
}

// jobArrives makes the next job of a stream.
func (s *simulator) jobArrives(stream int) error {
	o := s.sources[stream]
	if s.jobs++; s.jobs > MaxJobs {
		return tooManyJobs(float64(s.jobs))
	}
	s.last++
	t := &task{
		seq: s.last, stream: stream, shape: s.ofStream[stream], arrived: s.now, lasts: o.take(),
	}
	t.ledger = t.shape.ledger
	s.live[t.seq] = t
	t.ledger.jobs++
	t.ledger.ready++
	s.trace(t, Arrived, Event{})
	s.sched.Push(t.shape.id, s.item(t))
	s.await(stream)
	return nil
}

// await puts the next arrival of a stream on the agenda.
func (s *simulator) await(stream int) {
	if at, ok := s.sources[stream].next(); ok {
		s.agenda.push(happening{at: begin.Add(at), what: jobArrives, n: stream})
		return
	}
	s.open--
}

// start begins a try that the scheduler placed.
func (s *simulator) start(p *schedule.Placement) {
	t := s.live[p.Seq]
	charge, _ := s.sched.Charge(p.Seq)
	t.state, t.since, t.worker, t.level, t.share = running, s.now, p.Worker, p.Level, charge.Share
	t.try++
	s.running++
	m := &s.machines[p.Worker]
	t.place = len(m.tasks)
	m.tasks = append(m.tasks, t)
	t.ledger.ready--
	t.ledger.begins(t, s.now)
	s.meters.add(t.shape.needs, 1, s.now)
	if t.first == 0 {
		t.first = s.now
		t.ledger.waited(s.now.Sub(t.arrived))
	}
	s.trace(t, Started, Event{})
	s.agenda.push(happening{at: s.now.Add(t.lasts), what: runEnds, seq: t.seq, try: t.try})
}

// stop ends a try: the job no longer has its place.
func (s *simulator) stop(t *task) {
	s.running--
	m := &s.machines[t.worker]
	last := m.tasks[len(m.tasks)-1]
	m.tasks[t.place], last.place = last, t.place
	m.tasks = m.tasks[:len(m.tasks)-1]
	t.ledger.ends(t, s.now)
	s.meters.add(t.shape.needs, -1, s.now)
	s.sched.Release(t.seq)
}

// runEnds completes a job.
func (s *simulator) runEnds(t *task) {
	s.stop(t)
	delete(s.live, t.seq)
	s.done++
	t.ledger.completed(t, s.now)
	s.trace(t, Completed, Event{})
}

// again makes a job ready anew, at its old place: what it did is lost.
func (s *simulator) again(t *task) {
	t.ledger.lost += t.share * s.now.Sub(t.since).Seconds()
	s.stop(t)
	s.trace(t, Ended, Event{})
	t.state = waiting
	t.ledger.ready++
	s.sched.Push(t.shape.id, s.item(t))
}

// move notes the new level of a run.
func (s *simulator) move(m *schedule.Move) {
	t := s.live[m.Seq]
	t.ledger.moves(t, m.To, s.now)
	s.trace(t, Moved, Event{Was: m.From})
}

// preempt stops a run for another, which starts when it has ended. A run that would
// end by itself in that time does.
func (s *simulator) preempt(p *schedule.Preemption) {
	t, by := s.live[p.Victim], s.live[p.Seq]
	t.ledger.stops(t, s.now)
	t.state = stopping
	by.ledger.preempts++
	s.trace(t, Preempted, Event{By: p.Seq, ByAccount: by.ledger.name})
	s.agenda.push(happening{at: s.now.Add(s.Grace), what: graceEnds, seq: t.seq, try: t.try})
}
