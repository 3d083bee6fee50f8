package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/muster-queue/muster/job"
)

// Stop stops the server as planned: no job dies of it. All leases are durably
// extended by hold (zero: Config.Hold; negative: not at all) and the agents
// told; requests under way end; the backup is completed and the store closed.
// It blocks until all that is done; reason is what Wait then gives.
func (s *Server) Stop(hold time.Duration, reason error) {
	s.stopOnce.Do(func() {
		s.reason = reason
		s.setMode("stopping")
		s.log.Info("the server stops", "why", reason)
		if hold == 0 {
			hold = s.cfg.Hold
		}
		s.health.Shutdown()
		s.endRun()
		s.external.Close()
		s.engine.Stop(max(hold, 0))
		s.closeAll()
		close(s.done)
	})
	<-s.done
}

// stopLater stops without waiting, for requests that ask for it: they are
// answered first.
func (s *Server) stopLater(hold time.Duration, reason error) { go s.Stop(hold, reason) }

// closeAll closes what is open, in the order opposite to the start.
func (s *Server) closeAll() {
	if s.lock != nil { // else the file is of the server that has it
		_ = os.Remove(s.layout.Discovery())
	}
	s.closeFaces()
	if s.external != nil {
		s.external.Close()
	}
	if s.engine != nil {
		s.engine.Stop(0)
	}
	s.work.Wait()
	if s.store != nil {
		s.backup.refresh(context.Background())
		if err := s.store.Close(); err != nil {
			s.log.Error("closing the store", "err", err)
		}
	}
	if s.tokens != nil {
		if err := s.tokens.Flush(); err != nil {
			s.log.Warn("when tokens were last used is not kept", "err", err)
		}
	}
	if s.lock != nil {
		s.lock.release()
	}
	if s.cfg.Data == "" && s.layout.Dir != "" {
		_ = os.RemoveAll(s.layout.Dir)
	}
}

// closeFaces ends requests: those under way may finish for a while.
func (s *Server) closeFaces() {
	s.streams.endAll(job.ErrClosed)
	s.coordinate.close(s.cfg.StopGrace)
	if s.http != nil {
		grace, cancel := context.WithTimeout(context.Background(), s.cfg.StopGrace)
		defer cancel()
		if err := s.http.Shutdown(grace); err != nil {
			_ = s.http.Close()
		}
	}
	if s.inner != nil {
		_ = s.inner.Close()
	}
	if s.grpc != nil {
		force := time.AfterFunc(s.cfg.StopGrace, s.grpc.Stop)
		s.grpc.GracefulStop()
		force.Stop()
	}
	for _, l := range []net.Listener{s.listener, s.web} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// fail ends the server because a part of it broke.
func (s *Server) fail(what string, err error) {
	if err == nil || errors.Is(err, http.ErrServerClosed) || s.run.Err() != nil {
		return
	}
	s.log.Error("the server fails", "what", what, "err", err)
	s.stopLater(0, job.Errorf(job.Internal, "%s: %w", what, err))
}
