package external

import (
	"cmp"
	"slices"
	"time"
)

// heard is a task or worker and when something was last heard of it.
type heard struct {
	id string
	at time.Time
	// worker of a task that runs.
	worker string
}

func (h heard) compare(o heard) int { return cmp.Or(h.at.Compare(o.at), cmp.Compare(h.id, o.id)) }

// stalest gathers the things of which nothing was heard for longest, at most so many:
// a pool may have a million, and few of them are shown.
type stalest struct {
	most int
	list []heard
	// limit is what a thing must be staler than, once there are enough.
	limit *heard
	// left out: there were more.
	more bool
}

// add adds a thing, if it is one of the stalest so far. Now and then the list, which
// grows to twice the size, is cut.
func (s *stalest) add(h heard) {
	if s.limit != nil && h.compare(*s.limit) >= 0 {
		return
	}
	if s.list = append(s.list, h); len(s.list) > 2*s.most {
		s.cut()
	}
}

// cut sorts the list and leaves it as many as there may be.
func (s *stalest) cut() {
	slices.SortFunc(s.list, heard.compare)
	if len(s.list) <= s.most {
		return
	}
	s.list, s.more = s.list[:s.most], true
	if s.most > 0 {
		last := s.list[s.most-1]
		s.limit = &last
	}
}

// sorted are the stalest, the stalest first.
func (s *stalest) sorted() []heard {
	s.cut()
	return s.list
}
