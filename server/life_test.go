package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, leaks...) }

// leaks are goroutines of libraries that end in their own time, or never.
var leaks = []goleak.Option{
	goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
	goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
	goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"),
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(-1, ErrStopped) })
	return s
}

func add(t *testing.T, s *Server, line string) {
	t.Helper()
	if _, err := v1.NewJobsClient(dial(t, s)).AddBatch(as(t, s.Token()), &v1.AddJobsRequest{Jobs: []*v1.Job{lineJob(line)}}); err != nil {
		t.Fatal(err)
	}
}

func ready(t *testing.T, s *Server) int64 {
	t.Helper()
	c, err := v1.NewJobsClient(dial(t, s)).CountJobs(as(t, s.Token()), &v1.CountJobsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Total.Ready
}

func TestJobsOutliveTheServer(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	s := start(t, cfg)
	add(t, s, "true")
	s.Stop(0, ErrStopped)
	if err := s.Wait(); !errors.Is(err, ErrStopped) {
		t.Errorf("ended with %v", err)
	}
	if _, err := os.Stat(s.layout.Discovery()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("server.json is still there")
	}
	again := start(t, cfg)
	if n := ready(t, again); n != 1 {
		t.Errorf("%d jobs are ready", n)
	}
	if again.Token() != s.Token() {
		t.Error("the token changed")
	}
}

func TestTwoServersOnOneDirectory(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	s := start(t, cfg)
	_, err := Start(t.Context(), cfg)
	if !job.IsKind(err, job.Conflict) || !strings.Contains(err.Error(), "process ") {
		t.Fatalf("the second: %v", err)
	}
	add(t, s, "true") // the first is not disturbed
	if _, err := os.Stat(s.layout.Discovery()); err != nil {
		t.Error("the second removed server.json of the first")
	}
	// Two directories, one store.
	_, err = Start(t.Context(), Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Store: "pebble:" + s.layout.Store()})
	if !job.IsKind(err, job.Conflict) {
		t.Errorf("the same store: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	s := testServer(t, nil)
	_, err := Start(t.Context(), Config{Listen: s.Where().Address, Store: "memory:"})
	if !job.IsKind(err, job.Unavailable) || !strings.Contains(err.Error(), s.Where().Address) {
		t.Error(err)
	}
}

func TestEphemeralStartsEmpty(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Ephemeral: true}
	s := start(t, cfg)
	add(t, s, "true")
	s.Stop(0, ErrStopped)
	again := start(t, cfg)
	if n := ready(t, again); n != 0 {
		t.Errorf("%d jobs are there", n)
	}
	if again.Token() != s.Token() {
		t.Error("the token changed")
	}
	again.Stop(0, ErrStopped)

	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.tex"), []byte("\\begin"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Store = "pebble:" + other
	if _, err := Start(t.Context(), cfg); !job.IsKind(err, job.Conflict) {
		t.Errorf("a directory with other things: %v", err)
	}
	if _, err := os.Stat(filepath.Join(other, "thesis.tex")); err != nil {
		t.Error("it was emptied")
	}
}

func TestTemporaryDirectory(t *testing.T) {
	s := start(t, Config{Listen: "127.0.0.1:0"})
	dir := s.layout.Dir
	add(t, s, "true")
	s.Stop(0, ErrStopped)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it was not removed")
	}
}

// The backup is complete at a stop, and an absent store is restored from it.
func TestBackupAndRestore(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Backup: filepath.Join(t.TempDir(), "copy")}
	s := start(t, cfg)
	add(t, s, "one")
	s.backup.refresh(t.Context())
	add(t, s, "two")
	s.Stop(0, ErrStopped)
	if s.Restored() {
		t.Error("a first start says it restored something")
	}
	if err := os.RemoveAll(s.layout.Store()); err != nil {
		t.Fatal(err)
	}
	again := start(t, cfg)
	if n := ready(t, again); n != 2 || !again.Restored() {
		t.Errorf("%d jobs, restored %v", n, again.Restored())
	}
	add(t, again, "three")
	again.Stop(0, ErrStopped)
	if last := start(t, cfg); ready(t, last) != 3 || last.Restored() {
		t.Error("the restored store did not go on")
	}
}

// countingStore counts backups.
type countingStore struct {
	store.Store
	backups int
}

func (s *countingStore) Backup(context.Context, string) error { s.backups++; return nil }

func TestBackupIsRefreshedAfterChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &countingStore{}
		b := &backup{store: st, dir: "copy", every: 30 * time.Second}
		ctx, stop := context.WithCancel(t.Context())
		go b.run(ctx)
		for _, step := range []struct {
			changes, want int
		}{{0, 0}, {1, 1}, {0, 1}, {1000, 2}} {
			for range step.changes {
				b.noticed()
			}
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if st.backups != step.want {
				t.Errorf("%d backups, want %d", st.backups, step.want)
			}
		}
		stop()
	})
}

func TestStoresAndConfigsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		kind job.ErrorKind
	}{
		"postgres":           {Config{Store: "postgres://db/muster"}, job.Unimplemented},
		"unknown store":      {Config{Store: "redis:"}, job.Invalid},
		"memory backup":      {Config{Store: "memory:", Backup: "/x"}, job.Invalid},
		"ephemeral backup":   {Config{Ephemeral: true, Backup: "/x"}, job.Invalid},
		"key without cert":   {Config{KeyFile: "/x"}, job.Invalid},
		"address":            {Config{Listen: "7411"}, job.Invalid},
		"port":               {Config{Listen: "127.0.0.1:http-ish"}, job.Invalid},
		"http address":       {Config{HTTP: "nowhere"}, job.Invalid},
		"absent certificate": {Config{Listen: "127.0.0.1:0", CertFile: "/absent", KeyFile: "/absent"}, job.Invalid},
	} {
		c.cfg.Data = t.TempDir()
		if s, err := Start(t.Context(), c.cfg); !job.IsKind(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
			if s != nil {
				s.Stop(-1, nil)
			}
		}
	}
}

func TestDamagedStoreIsNotStartedEmpty(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	s := start(t, cfg)
	add(t, s, "true")
	s.Stop(0, ErrStopped)
	if err := os.Remove(filepath.Join(s.layout.Store(), storeMark)); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), cfg); !job.IsKind(err, job.Damaged) || !strings.Contains(err.Error(), "restore") {
		t.Errorf("started: %v", err)
	}
}

// Any address but loopback has TLS, with a certificate that the authority in the
// data directory vouches for.
func TestTLS(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"all addresses": func(c *Config) { c.Listen = "0.0.0.0:0" },
		"when asked":    func(c *Config) { c.TLS = true },
	} {
		s := testServer(t, change)
		where := s.Where()
		if !where.TLS || !where.HTTPTLS || where.CAFile == "" {
			t.Fatalf("%s: %+v", name, where)
		}
		pem, err := os.ReadFile(where.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		conn, err := grpc.NewClient(where.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})))
		if err != nil {
			t.Fatal(err)
		}
		info, err := v1.NewServerClient(conn).GetInfo(as(t, s.Token()), &v1.GetInfoRequest{})
		if err != nil || info.CertificateUntil == nil {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		_ = conn.Close()
		https := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
		answer, err := https.Get("https://" + where.HTTPAddress + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
			t.Errorf("%s: HTTP answers %v with %s", name, answer.Status, answer.Proto)
		}
		_ = answer.Body.Close()
		https.CloseIdleConnections()
		if plain, err := grpc.NewClient(where.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: x509.NewCertPool()}))); err == nil {
			if _, err := v1.NewServerClient(plain).GetInfo(as(t, s.Token()), &v1.GetInfoRequest{}); err == nil {
				t.Errorf("%s: anybody's certificate would do", name)
			}
			_ = plain.Close()
		}
		c, err := client.DiscoverIn(s.layout.Dir)
		if err != nil {
			t.Fatal(err)
		}
		found, err := client.Dial(t.Context(), c)
		if err != nil {
			t.Fatalf("%s: the client that found it: %v", name, err)
		}
		_ = found.Close()
	}
}

func TestShutdownByRequest(t *testing.T) {
	s := testServer(t, nil)
	if _, err := v1.NewServerClient(dial(t, s)).Shutdown(as(t, s.Token()), &v1.ShutdownRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
}

// A drain with stop ends the server after the last job, and the next start gives
// out jobs again, paused where it was.
func TestDrainAndStop(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	s := start(t, cfg)
	add(t, s, "one")
	add(t, s, "two")
	conn, ctx := dial(t, s), as(t, s.Token())
	work, server := v1.NewWorkClient(conn), v1.NewServerClient(conn)
	reserve := &v1.ReserveRequest{Worker: "w", Want: &v1.Want{Commands: true}}
	got, err := work.Reserve(ctx, reserve)
	if err != nil {
		t.Fatal(err)
	}
	d, err := server.Drain(ctx, &v1.DrainRequest{Stop: true})
	if err != nil || d.Running != 1 {
		t.Fatalf("drain: %v, %v", d, err)
	}
	if none, err := work.Reserve(ctx, reserve); err != nil || !none.Draining || len(none.Grants) > 0 {
		t.Errorf("while draining: %v, %v", none, err)
	}
	if info, err := server.GetInfo(ctx, &v1.GetInfoRequest{}); err != nil || info.Mode != "draining" {
		t.Errorf("mode: %v, %v", info, err)
	}
	g := got.Grants[0]
	if _, err := work.Report(ctx, &v1.ReportRequest{Worker: "w", Reports: []*v1.Report{{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); !errors.Is(err, ErrDrained) {
		t.Errorf("ended with %v", err)
	}
	again := start(t, cfg)
	got, err = v1.NewWorkClient(dial(t, again)).Reserve(as(t, again.Token()), reserve)
	if err != nil || len(got.Grants) != 1 {
		t.Errorf("after the next start: %v, %v", got, err)
	}
}

func TestResumeTakesDrainBack(t *testing.T) {
	s := testServer(t, nil)
	add(t, s, "one")
	conn, ctx := dial(t, s), as(t, s.Token())
	if _, err := v1.NewWorkClient(conn).Reserve(ctx, &v1.ReserveRequest{Worker: "w", Want: &v1.Want{Commands: true}}); err != nil {
		t.Fatal(err)
	}
	server := v1.NewServerClient(conn)
	if _, err := server.Drain(ctx, &v1.DrainRequest{Stop: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Resume(ctx, &v1.ResumeRequest{}); err != nil {
		t.Fatal(err)
	}
	if info, err := server.GetInfo(ctx, &v1.GetInfoRequest{}); err != nil || info.Mode != "started" {
		t.Errorf("mode: %v, %v", info, err)
	}
	s.drains.mu.Lock()
	defer s.drains.mu.Unlock()
	if s.drains.stop != nil {
		t.Error("it still stops after the last job")
	}
}

// A stop ends streams at once, idle ones too, with an error that says so.
func TestStopEndsStreams(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	watch, err := v1.NewJobsClient(conn).WatchJobs(ctx, &v1.WatchJobsRequest{Level: "jobs"})
	if err != nil {
		t.Fatal(err)
	}
	adding, err := v1.NewJobsClient(conn).AddJobs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	session, err := v1.NewWorkClient(conn).WorkSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Send(&v1.WorkSessionRequest{Open: &v1.OpenSession{Worker: "w"}, Credits: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.Stop(-1, ErrStopped)
	if took := time.Since(began); took > s.cfg.StopGrace {
		t.Errorf("it took %v", took)
	}
	for name, recv := range map[string]func() error{
		"watch":   func() error { _, err := watch.Recv(); return err },
		"add":     func() error { _, err := adding.Recv(); return err },
		"session": func() error { _, err := session.Recv(); return err },
	} {
		if err := recv(); !job.IsKind(api.FromStatus(err), job.Unavailable) {
			t.Errorf("%s ended with %v", name, err)
		}
	}
}
