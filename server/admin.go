package server

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// GetInfo tells what the server is.
func (s *serverService) GetInfo(ctx context.Context, _ *v1.GetInfoRequest) (*v1.ServerInfo, error) {
	t := callerOf(ctx)
	m := &v1.ServerInfo{
		Address: s.where.Address, HttpAddress: s.where.HTTPAddress, Pid: int32(os.Getpid()),
		Pools: []string{"local"}, Version: s.cfg.Version, Store: s.engine.StoreStats().Kind, Data: text(s.layout.Dir),
		Started: api.FromTime(s.started), Role: string(t.Role), Token: text(t.Name),
	}
	m.Host, m.Port = hostPort(s.where.Address)
	_, m.HttpPort = hostPort(s.where.HTTPAddress)
	if s.cert != nil {
		m.CertificateUntil = api.FromTime(s.cert.Until())
	}
	var err error
	m.Mode, err = s.modeOf(ctx)
	return m, err
}

func hostPort(address string) (string, int32) {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.ParseInt(port, 10, 32)
	return host, int32(n)
}

// modeOf is the server's mode as the caller's namespace sees it.
func (s *Server) modeOf(ctx context.Context) (string, error) {
	mode := *s.mode.Load()
	if mode != "started" {
		return mode, nil
	}
	ns, err := s.namespace(ctx, "")
	if err != nil {
		return "", err
	}
	stats, err := ns.Stats(ctx)
	switch {
	case err != nil:
		return "", err
	case stats.Mode == "draining":
		return stats.Mode, nil
	case stats.Paused:
		return "paused", nil
	}
	return mode, nil
}

// namespaces are those a request about one (named) or all (no name) means.
func (s *Server) namespaces(ctx context.Context, name string) ([]*engine.Namespace, error) {
	if name != "" || callerOf(ctx).Namespace != "" {
		ns, err := s.namespace(ctx, name)
		return []*engine.Namespace{ns}, err
	}
	return s.allNamespaces(ctx)
}

func (s *Server) allNamespaces(ctx context.Context) ([]*engine.Namespace, error) {
	names, err := s.engine.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]*engine.Namespace, 0, len(names))
	for _, name := range names {
		ns, err := s.engine.Namespace(ctx, name)
		if job.IsKind(err, job.NotFound) {
			continue // destroyed just now
		}
		if err != nil {
			return nil, err
		}
		all = append(all, ns)
	}
	return all, nil
}

// GetStats sums the numbers of namespaces up.
func (s *serverService) GetStats(ctx context.Context, m *v1.GetStatsRequest) (*v1.ServerStats, error) {
	all, err := s.namespaces(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	var counts job.Counts
	var slowest time.Duration
	a := &v1.ServerStats{Namespaces: int64(len(all)), Watchers: s.watchers.Load()}
	for _, ns := range all {
		stats, err := ns.Stats(ctx)
		if err != nil {
			return nil, err
		}
		counts.Add(&stats.Counts)
		slowest = max(slowest, stats.SlowestEnds)
		workers, err := countWorkers(ctx, ns)
		if err != nil {
			return nil, err
		}
		a.Workers += workers
	}
	a.Counts, a.UntilEnd = api.FromCounts(&counts), api.FromDuration(slowest)
	s.addMachine(a)
	return a, nil
}

func (s *Server) addMachine(a *v1.ServerStats) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	st := s.engine.StoreStats()
	a.MemoryBytes = int64(mem.Sys - mem.HeapReleased)
	a.DiskBytes, a.FreeBytes, a.SyncP50 = st.DiskBytes, st.FreeBytes, api.FromDuration(st.SyncP50)
	if err := s.engine.Health(); err != nil {
		a.Unhealthy = text(err.Error())
	}
}

// Drain grants no more jobs. With stop the server ends after the last one.
func (s *serverService) Drain(ctx context.Context, m *v1.DrainRequest) (*v1.DrainResponse, error) {
	if m.Stop {
		if err := wholeServer(ctx); err != nil {
			return nil, err
		}
		if m.Namespace != "" {
			return nil, job.Errorf(job.Invalid, "stop: the server ends when all namespaces are drained; leave namespace out")
		}
	}
	all, err := s.namespaces(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	held, slowest, err := drain(audited(ctx), all)
	if err != nil {
		return nil, err
	}
	if m.Stop {
		s.note(ctx, "", job.EventServerStopped, map[string]string{"drain": "true"})
		s.stopWhenDrained()
	}
	return &v1.DrainResponse{Running: held, UntilEnd: api.FromDuration(slowest)}, nil
}

// Pause grants no more jobs until Resume.
func (s *serverService) Pause(ctx context.Context, m *v1.PauseRequest) (*v1.PauseResponse, error) {
	all, err := s.namespaces(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	a := &v1.PauseResponse{}
	for _, ns := range all {
		if err := ns.Pause(audited(ctx)); err != nil {
			return nil, err
		}
		stats, err := ns.Stats(ctx)
		if err != nil {
			return nil, err
		}
		a.Running += stats.Counts[job.Reserved] + stats.Counts[job.Running] + stats.Counts[job.Lost]
	}
	return a, nil
}

// Resume ends pausing and draining.
func (s *serverService) Resume(ctx context.Context, m *v1.ResumeRequest) (*v1.ResumeResponse, error) {
	all, err := s.namespaces(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	s.drains.cancel()
	for _, ns := range all {
		if err := ns.Resume(audited(ctx)); err != nil {
			return nil, err
		}
	}
	return &v1.ResumeResponse{}, nil
}

// Backup writes a consistent copy of the store.
func (s *serverService) Backup(ctx context.Context, m *v1.BackupRequest) (*v1.BackupResponse, error) {
	if err := wholeServer(ctx); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(m.Dir) {
		return nil, job.Errorf(job.Invalid, "dir: %.200q is not an absolute path of the server's machine", m.Dir)
	}
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return nil, job.Errorf(job.Invalid, "dir: the server cannot make it: %w", err)
	}
	began := time.Now()
	if err := s.engine.Backup(ctx, m.Dir); err != nil {
		return nil, err
	}
	return &v1.BackupResponse{Dir: m.Dir, Bytes: sizeOf(m.Dir), Took: api.FromDuration(time.Since(began))}, nil
}

// sizeOf is the size of a directory's files, as far as they can be seen.
func sizeOf(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// Shutdown stops the server; jobs go on running.
func (s *serverService) Shutdown(ctx context.Context, m *v1.ShutdownRequest) (*v1.ShutdownResponse, error) {
	if err := wholeServer(ctx); err != nil {
		return nil, err
	}
	hold, err := api.ToDuration("hold", m.Hold)
	if err != nil {
		return nil, err
	}
	if hold < 0 || hold > job.MaxTime {
		return nil, job.Errorf(job.Invalid, "hold: %v; it must be positive and at most ten years", hold)
	}
	all, err := s.allNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	a := &v1.ShutdownResponse{}
	for _, ns := range all {
		stats, err := ns.Stats(ctx)
		if err != nil {
			return nil, err
		}
		a.Running += stats.Counts[job.Reserved] + stats.Counts[job.Running] + stats.Counts[job.Lost]
	}
	s.note(ctx, "", job.EventServerStopped, map[string]string{"hold": hold.String()})
	s.stopLater(hold, ErrStopped)
	return a, nil
}
