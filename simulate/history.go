package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// Past is a job that ran: what the scheduler knew of it, when it came and how long
// its last run took.
type Past struct {
	Account, Queue string
	Priority       float64
	Labels, Prefer job.Labels
	Needs          job.Resources
	Time           time.Duration
	NotPreemptible bool

	Added time.Time
	Lasts time.Duration
}

// Recall makes streams of jobs that ran: those that were alike are one. Their times
// are counted from since; a job that came before it was waiting then. None of the
// times has more than milliseconds.
func Recall(list []Past, since time.Time) []Stream {
	byLikeness := map[string]int{}
	var streams []Stream
	for i := range list {
		p := &list[i]
		s := Stream{
			Account: p.Account, Queue: p.Queue, Priority: p.Priority, Labels: p.Labels.Sorted(), Prefer: p.Prefer.Sorted(),
			Needs: p.Needs, Time: p.Time, NotPreemptible: p.NotPreemptible,
		}
		key := fmt.Sprintf("%q %q %v %q %q %s %d %v", s.Account, s.Queue, s.Priority, s.Labels, s.Prefer, s.Needs, s.Time, s.NotPreemptible)
		at, ok := byLikeness[key]
		if !ok {
			at = len(streams)
			byLikeness[key] = at
			streams = append(streams, s)
		}
		streams[at].Recorded = append(streams[at].Recorded, Recorded{
			At: max(0, p.Added.Sub(since)).Truncate(tick), Lasts: max(tick, p.Lasts.Round(tick)),
		})
	}
	slices.SortFunc(streams, func(a, b Stream) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Queue, b.Queue), cmp.Compare(len(b.Recorded), len(a.Recorded)))
	})
	names := map[string]int{}
	for i := range streams {
		s := &streams[i]
		slices.SortStableFunc(s.Recorded, func(a, b Recorded) int { return cmp.Compare(a.At, b.At) })
		s.Name = s.name()
		if names[s.Name]++; names[s.Name] > 1 {
			s.Name = fmt.Sprintf("%s-%d", s.Name, names[s.Name])
		}
	}
	return streams
}

// name is one for a stream of the past.
func (s *Stream) name() string {
	if s.Account == "" {
		return s.Queue
	}
	return s.Account + "-" + s.Queue
}
