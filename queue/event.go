package queue

import "github.com/muster-queue/muster/job"

// NumberEvent gives an entry its place in the namespace's logs.
func (s *State) NumberEvent(e *job.EventRow) {
	m := &s.meta
	m.NextEvent = max(1, m.NextEvent)
	e.N, e.At = m.NextEvent, s.now
	m.NextEvent++
	m.Events[e.Log()]++
	e.Count = m.Events[e.Log()]
}

// TrimEvents notes that entries of a log before a number are deleted.
func (s *State) TrimEvents(log job.EventLog, before uint64) {
	s.meta.FirstEvent[log] = max(s.meta.FirstEvent[log], before)
}
