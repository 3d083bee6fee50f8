package cli

import (
	"context"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
)

// sayNone tells a person that there are no jobs as they want them.
func (s *selection) sayNone(ctx context.Context, l *link) error {
	if !s.app.table() {
		return nil
	}
	s.app.say("No job matches.")
	return s.sayUnknown(ctx, l)
}

// sayUnknown tells, when a selection found nothing, that its group or queue is
// not known: a slip of the pen, most likely.
func (s *selection) sayUnknown(ctx context.Context, l *link) error {
	if s.named() {
		return nil
	}
	if name := s.filter.Queue; name != "" {
		_, err := l.Queue(ctx, name)
		if job.IsKind(err, job.NotFound) {
			s.app.say("There is no queue %s; \"muster queue list\" shows the queues.", output.Clean(name))
			return nil
		}
		if err != nil {
			return err
		}
	}
	if name := s.filter.Group; name != "" {
		counts, err := l.Counts(ctx, "", name)
		if err == nil && counts.Total() == 0 {
			s.app.say("There are no jobs in group %s; \"muster status\" shows the groups.", output.Clean(name))
		}
		return err
	}
	return nil
}
