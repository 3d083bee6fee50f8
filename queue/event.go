package queue

// NumberEvent is the number of the next entry of the namespace's log.
func (s *State) NumberEvent() uint64 {
	s.meta.NextEvent = max(1, s.meta.NextEvent)
	n := s.meta.NextEvent
	s.meta.NextEvent++
	return n
}
