package server

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// drainEvery is how often a draining server that is to stop looks whether the
// last job has ended.
const drainEvery = 100 * time.Millisecond

// drains is the wish to stop when drained; a resume takes it back.
type drains struct {
	mu   sync.Mutex
	stop context.CancelFunc
}

func (d *drains) cancel() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// drain stops giving out jobs and tells how many are held in all, and when the
// slowest should end.
func drain(ctx context.Context, all []*engine.Namespace) (held int64, slowest time.Duration, err error) {
	for _, ns := range all {
		st, err := ns.Drain(ctx)
		if err != nil {
			return 0, 0, err
		}
		held += int64(st.Running)
		slowest = max(slowest, st.SlowestEnds)
	}
	return held, slowest, nil
}

// Drain gives out no more jobs in any namespace, and tells how many are held and
// when the slowest should end. With stop the server ends after the last one.
func (s *Server) Drain(ctx context.Context, stop bool) (held int64, slowest time.Duration, err error) {
	all, err := s.allNamespaces(ctx)
	if err != nil {
		return 0, 0, err
	}
	held, slowest, err = drain(ctx, all)
	if err == nil && stop {
		s.stopWhenDrained()
	}
	return held, slowest, err
}

// stopWhenDrained ends the server after the last job, unless jobs are given out
// again first.
func (s *Server) stopWhenDrained() {
	s.drains.mu.Lock()
	defer s.drains.mu.Unlock()
	if s.drains.stop != nil || s.run.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(s.run)
	s.drains.stop = stop
	s.work.Go(func() {
		defer stop()
		if s.awaitDrained(ctx) {
			s.stopLater(0, ErrDrained)
		}
	})
}

func (s *Server) awaitDrained(ctx context.Context) bool {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		all, err := s.allNamespaces(ctx)
		if err == nil {
			var held int64
			if held, _, err = drain(ctx, all); err == nil && held == 0 {
				return s.noteDrained()
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
}

// noteDrained has the next start give out jobs again: the drain was for the end
// of this one.
func (s *Server) noteDrained() bool {
	if err := os.WriteFile(s.layout.Drained(), nil, 0o600); err != nil {
		s.log.Warn("the next start will still be draining; resume it then", "err", err)
	}
	return true
}

// endDrain ends a drain that an earlier server ended with. Who had paused a
// namespace finds it paused.
func (s *Server) endDrain(ctx context.Context) error {
	if _, err := os.Stat(s.layout.Drained()); err != nil {
		return nil //nolint:nilerr // there was none
	}
	all, err := s.allNamespaces(ctx)
	if err != nil {
		return err
	}
	for _, ns := range all {
		stats, err := ns.Stats(ctx)
		if err == nil && stats.Mode == "draining" {
			err = ns.Resume(ctx)
			if err == nil && stats.Paused {
				err = ns.Pause(ctx)
			}
		}
		if err != nil {
			return job.Wrap(err, "end the drain of namespace", ns.Name())
		}
	}
	return os.Remove(s.layout.Drained())
}
