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

// TrimEvents notes that the oldest entries of a log, up to one, are deleted.
func (s *State) TrimEvents(last *job.EventRow) {
	log := last.Log()
	s.meta.Trimmed[log] = max(s.meta.Trimmed[log], last.Count)
}
