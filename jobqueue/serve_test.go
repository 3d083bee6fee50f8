package jobqueue_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/jobqueue"
	"github.com/muster-queue/muster/learn"
)

func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	file := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	for name, x := range map[string]struct {
		cfg  jobqueue.ServerConfig
		text string
		says string
	}{
		"no port":       {jobqueue.ServerConfig{}, jobqueue.ErrBadRequest, "Port"},
		"lsf":           {jobqueue.ServerConfig{Port: "0", SchedulerName: "lsf"}, jobqueue.ErrBadRequest, "pool"},
		"openstack":     {jobqueue.ServerConfig{Port: "0", SchedulerName: "openstack"}, jobqueue.ErrBadRequest, "pool"},
		"scheduler":     {jobqueue.ServerConfig{Port: "0", SchedulerName: "cron"}, jobqueue.ErrBadRequest, "cron"},
		"its config":    {jobqueue.ServerConfig{Port: "0", SchedulerConfig: 1}, jobqueue.ErrBadRequest, "LocalConfig"},
		"deployment":    {jobqueue.ServerConfig{Port: "0", Deployment: "test"}, jobqueue.ErrBadRequest, "test"},
		"backup alone":  {jobqueue.ServerConfig{Port: "0", DBFileBackup: "/tmp/x"}, jobqueue.ErrBadRequest, "DBFile"},
		"few verbs":     {jobqueue.ServerConfig{Port: "0", RunnerCmd: "run %s"}, jobqueue.ErrBadRequest, "RunnerCmd"},
		"wrong verbs":   {jobqueue.ServerConfig{Port: "0", RunnerCmd: "run %d %s %s %s %d %d"}, jobqueue.ErrBadRequest, "RunnerCmd"},
		"port taken":    {jobqueue.ServerConfig{Port: port}, jobqueue.ErrInternalError, port},
		"DB not usable": {jobqueue.ServerConfig{Port: "0", DBFile: filepath.Join(file, "db")}, jobqueue.ErrDBError, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			x.cfg.Logger = slog.New(slog.DiscardHandler)
			s, _, err := jobqueue.Serve(x.cfg)
			if s != nil {
				_ = s.Stop()
			}
			fails(t, err, x.text)
			if !strings.Contains(err.Error(), x.says) {
				t.Errorf("%v does not speak of %s", err, x.says)
			}
		})
	}
}

// start is serve with the message, and without a stop.
func start(t *testing.T, cfg jobqueue.ServerConfig) (*jobqueue.Server, string) {
	t.Helper()
	cfg.Port, cfg.Logger = "0", slog.New(slog.DiscardHandler)
	s, msg, err := jobqueue.Serve(cfg)
	ok(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	return s, msg
}

func TestDatabase(t *testing.T) {
	db, backup := filepath.Join(t.TempDir(), "db"), filepath.Join(t.TempDir(), "backup")
	cfg := jobqueue.ServerConfig{DBFile: db, DBFileBackup: backup}
	says := func(msg, want string) {
		t.Helper()
		if !strings.Contains(msg, want) {
			t.Errorf("the message is %q; want %q in it", msg, want)
		}
	}
	s, msg := start(t, cfg)
	says(msg, "created a new, empty database in "+db)
	c := connect(t, s, "q")
	add(t, c, newJob("a"), newJob("b"), newJob("c"))
	j := reserve(t, c)
	ran(t, c, j, 0)
	ok(t, c.Archive(j))
	ok(t, c.Bury(reserve(t, c), jobqueue.FailReasonExit))

	// A second server on the same database is refused.
	_, _, err := jobqueue.Serve(jobqueue.ServerConfig{Port: "0", DBFile: db, Logger: slog.New(slog.DiscardHandler)})
	fails(t, err, jobqueue.ErrDBError)
	ok(t, s.Stop())
	ok(t, s.Stop()) // once more

	for _, how := range []string{"opened the database", "has been restored from " + backup} {
		if how != "opened the database" {
			ok(t, os.RemoveAll(db))
		}
		s, msg = start(t, cfg)
		says(msg, how)
		c = connect(t, s, "q")
		isState(t, c, "a", "complete")
		isState(t, c, "b", "buried")
		isState(t, c, "c", "ready")
		ok(t, s.Stop())
	}

	cfg.Deployment = jobqueue.Development
	s, msg = start(t, cfg)
	says(msg, "emptied")
	c = connect(t, s, "q")
	if jobs, err := c.GetIncomplete(0, "", false, false); err != nil || len(jobs) != 0 {
		t.Errorf("development begins with %v, %v", jobs, err)
	}
	ok(t, s.Stop())
	_, msg = start(t, jobqueue.ServerConfig{})
	says(msg, "no database")
}

// A server that is started again goes on where it was: jobs that clients have stay
// theirs, if they speak up.
func TestRestart(t *testing.T) {
	cfg := jobqueue.ServerConfig{DBFile: filepath.Join(t.TempDir(), "db")}
	s, _ := start(t, cfg)
	c := dial(t, s, jobqueue.ClientConfig{Queue: "q", ItemTTR: 4 * time.Second, TouchInterval: time.Second})
	add(t, c, newJob("mine"), newJob("forgotten"), newJob("waits"))
	mine := reserve(t, c)
	ok(t, c.Started(mine, 1, "h"))
	ok(t, c.Started(reserve(t, c), 2, "h"))
	_, port, _ := net.SplitHostPort(s.Addr())
	ok(t, s.Stop())

	cfg.Port, cfg.Logger = port, slog.New(slog.DiscardHandler)
	s, _, err := jobqueue.Serve(cfg)
	ok(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	isState(t, c, "mine", "running")
	isState(t, c, "forgotten", "running")
	ok(t, c.Touch(mine))
	ok(t, c.Ended(mine, 0, 1, 0, nil, nil))
	ok(t, c.Archive(mine))
	isState(t, c, "mine", "complete")
	other := connect(t, s, "q")
	if j := reserve(t, other); j.Cmd != "waits" {
		t.Errorf("reserved %s; want what nobody had", j.Cmd)
	}
	if j := reserve(t, other); j.Cmd != "forgotten" || j.Attempts != 1 {
		t.Errorf("reserved %+v; want what nobody speaks for", j)
	}
}

func TestStats(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{WebPort: "0", Deployment: jobqueue.Development})
	c := connect(t, s, "q")
	for i, state := range []string{"buried", "buried", "delayed", "running", "reserved", "complete"} {
		inState(t, c, state+string(rune('0'+i)), state, 1)
	}
	add(t, c, newJob("a"))
	stats, err := c.ServerStats()
	ok(t, err)
	for name, x := range map[string]*jobqueue.ServerStats{"client's": stats, "server's": s.GetServerStats()} {
		if x.Ready != 1 || x.Delayed != 1 || x.Running != 2 || x.Buried != 2 || x.ETC <= 59*time.Minute || x.ETC > time.Hour {
			t.Errorf("%s: %+v", name, x)
		}
		i := x.ServerInfo
		_, port, _ := net.SplitHostPort(s.Addr())
		if i.Addr != s.Addr() || i.Port != port || i.WebPort == "" || i.Host == "" || i.PID != os.Getpid() ||
			i.Deployment != "development" || i.Scheduler != "local" || i.Mode != jobqueue.ServerModeNormal {
			t.Errorf("%s: %+v", name, i)
		}
	}
	if s.HasRunners() {
		t.Error("nobody runs anything")
	}
	ok(t, s.Stop())
	if x := s.GetServerStats(); x.Addr == "" || x.Ready != 0 {
		t.Errorf("after the end: %+v", x)
	}
}

func TestDrain(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c, other := connect(t, s, "q"), connect(t, s, "q")
	add(t, c, newJob("a"), newJob("b"))
	j := reserve(t, c)
	ok(t, c.Started(j, 1, "h"))
	for range 2 { // it may be repeated
		running, etc, err := other.DrainServer()
		if err != nil || running != 1 || etc <= 0 {
			t.Fatalf("%d run, for %v, %v", running, etc, err)
		}
	}
	if stats, err := c.ServerStats(); err != nil || stats.Mode != jobqueue.ServerModeDrain {
		t.Fatalf("%+v, %v", stats, err)
	}
	if j, err := other.Reserve(0); j != nil || err != nil {
		t.Fatalf("a draining server gave %v, %v", j, err)
	}
	ran(t, c, j, 0)
	ok(t, c.Archive(j))
	fails(t, s.Block(), jobqueue.ErrClosedStop)

	idle := serve(t, jobqueue.ServerConfig{})
	ok(t, idle.Drain())
	fails(t, idle.Block(), jobqueue.ErrClosedStop)
}

func TestShutdown(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c := connect(t, s, "q")
	blocked := make(chan error)
	go func() { blocked <- s.Block() }()
	if !c.ShutdownServer() {
		t.Fatal("the server was not shut down")
	}
	fails(t, <-blocked, jobqueue.ErrClosedStop)
	c2 := dialOnly(s.Addr())
	fails(t, c2, jobqueue.ErrNoServer)
}

func dialOnly(addr string) error {
	_, err := jobqueue.Connect(addr, "q", time.Second)
	return err
}

func TestSignals(t *testing.T) {
	for sig, want := range map[syscall.Signal]string{syscall.SIGINT: jobqueue.ErrClosedInt, syscall.SIGTERM: jobqueue.ErrClosedTerm} {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), roleVar+"=server")
		out, err := c.StdoutPipe()
		ok(t, err)
		ok(t, c.Start())
		up := make([]byte, len("up\n"))
		if _, err := io.ReadFull(out, up); err != nil {
			t.Fatal(err)
		}
		ok(t, c.Process.Signal(sig))
		rest, err := io.ReadAll(out)
		ok(t, err)
		ok(t, c.Wait())
		if string(rest) != want+"\n" {
			t.Errorf("%v: %q; want %q", sig, rest, want)
		}
	}
}

// What is set of learning and of the log is as the server then works.
func TestLearningAndLog(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		var log bytes.Buffer
		logs := !quiet
		s, _, err := jobqueue.Serve(jobqueue.ServerConfig{
			Port: "0", RecMBRound: 250, RecSecRound: 60, LogClientErrors: &logs, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		ok(t, err)
		at, err := client.DiscoverIn(s.Data())
		ok(t, err)
		c, err := client.New(at)
		ok(t, err)
		k, err := c.Namespace("").Kind(t.Context(), "")
		ok(t, err)
		if k.Effective.RoundMemory != 250*learn.MB || k.Effective.RoundTime != time.Minute {
			t.Errorf("%+v", k.Effective)
		}
		if _, err := c.Namespace("").Kind(t.Context(), "never seen"); err == nil {
			t.Error("a kind that is not there was found")
		}
		ok(t, c.Close())
		ok(t, s.Stop())
		if told := strings.Contains(log.String(), "never seen"); told == quiet {
			t.Errorf("quiet %v, logged: %s", quiet, log.String())
		}
	}
}
