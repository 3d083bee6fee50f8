package server

import "sync"

// streams are the streams under way, to end them at a stop.
type streams struct {
	mu    sync.Mutex
	next  uint64
	ends  map[uint64]func(error)
	ended error
}

// add notes a stream; the function returned forgets it.
func (s *streams) add(end func(error)) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		end(s.ended)
		return func() {}
	}
	if s.ends == nil {
		s.ends = map[uint64]func(error){}
	}
	s.next++
	n := s.next
	s.ends[n] = end
	return func() {
		s.mu.Lock()
		delete(s.ends, n)
		s.mu.Unlock()
	}
}

// endAll ends all streams, those to come included.
func (s *streams) endAll(err error) {
	s.mu.Lock()
	ends := s.ends
	s.ends, s.ended = nil, err
	s.mu.Unlock()
	for _, end := range ends {
		end(err)
	}
}
