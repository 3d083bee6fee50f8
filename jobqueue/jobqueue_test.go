package jobqueue_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/jobqueue"
)

// roleVar makes this test binary something else: a runner, or a server that obeys
// signals.
const roleVar = "JOBQUEUE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "runner":
		os.Exit(beRunner())
	case "server":
		os.Exit(beServer())
	case "crash":
		beCrashing()
	}
	dir, err := os.MkdirTemp("", "jobqueue-test-")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_STATE_HOME", dir)
	for _, name := range []string{client.EnvServer, client.EnvToken, client.EnvTokenFile, client.EnvData} {
		os.Unsetenv(name)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// serve starts a server for the test, on any port if the configuration names none.
func serve(t *testing.T, cfg jobqueue.ServerConfig) *jobqueue.Server {
	t.Helper()
	if cfg.Port == "" {
		cfg.Port = "0"
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, _, err := jobqueue.Serve(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func connect(t *testing.T, s *jobqueue.Server, queue string) *jobqueue.Client {
	t.Helper()
	return dial(t, s, jobqueue.ClientConfig{Queue: queue})
}

func dial(t *testing.T, s *jobqueue.Server, cfg jobqueue.ClientConfig) *jobqueue.Client {
	t.Helper()
	cfg.Addr = s.Addr()
	if cfg.Timeout == 0 {
		cfg.Timeout = 20 * time.Second
	}
	c, err := jobqueue.Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Disconnect)
	return c
}

// one is a server and a client of it.
func one(t *testing.T) *jobqueue.Client {
	t.Helper()
	return connect(t, serve(t, jobqueue.ServerConfig{}), "q")
}

func newJob(cmd string) *jobqueue.Job {
	return jobqueue.NewJob(cmd, "/tmp", "group", 10, time.Hour, 1, 0, 0, 3, "rep")
}

func add(t *testing.T, c *jobqueue.Client, jobs ...*jobqueue.Job) {
	t.Helper()
	added, existed, err := c.Add(jobs)
	if err != nil || added != len(jobs) || existed != 0 {
		t.Fatalf("Add: %d added, %d existed, %v; want %d and 0", added, existed, err, len(jobs))
	}
}

// reserve takes a job that must be there.
func reserve(t *testing.T, c *jobqueue.Client) *jobqueue.Job {
	t.Helper()
	j, err := c.Reserve(20 * time.Second)
	if err != nil || j == nil {
		t.Fatalf("Reserve: %v, %v", j, err)
	}
	return j
}

// ran starts a job and says how it ended.
func ran(t *testing.T, c *jobqueue.Client, j *jobqueue.Job, exitcode int) {
	t.Helper()
	ok(t, c.Started(j, 4711, "node-1"))
	ok(t, c.Ended(j, exitcode, 123, 2*time.Second, []byte("said\n"), []byte("complained\n")))
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails checks that an error is one of jobqueue's, with that text.
func fails(t *testing.T, err error, text string) {
	t.Helper()
	e, is := errors.AsType[jobqueue.Error](err)
	if !is || e.Err != text {
		t.Fatalf("%v; want an error with %q", err, text)
	}
	if e.Op == "" || !strings.Contains(e.Error(), text) {
		t.Fatalf("the error does not say what it is about: %+v", e)
	}
}

// get looks a job up.
func get(t *testing.T, c *jobqueue.Client, cmd string) *jobqueue.Job {
	t.Helper()
	j, err := c.GetByCmd(cmd, "/tmp", true, true)
	if err != nil || j == nil {
		t.Fatalf("GetByCmd %s: %v, %v", cmd, j, err)
	}
	return j
}

func isState(t *testing.T, c *jobqueue.Client, cmd, state string) *jobqueue.Job {
	t.Helper()
	j := get(t, c, cmd)
	if j.State != state {
		t.Fatalf("job %q is %s; want %s", cmd, j.State, state)
	}
	return j
}

func TestConnect(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c := connect(t, s, "q")
	if !c.Ping(10 * time.Second) {
		t.Error("the server does not answer")
	}
	c.Disconnect()
	if c.Ping(10 * time.Second) {
		t.Error("it answers although the client is disconnected")
	}
	_, _, err := c.Add([]*jobqueue.Job{newJob("true")})
	fails(t, err, jobqueue.ErrQueueClosed)
	if err := c.Execute(&jobqueue.Job{}, ""); err == nil {
		t.Error("a disconnected client executes")
	}

	for _, x := range []struct{ addr, queue, want string }{
		{"127.0.0.1:1", "q", jobqueue.ErrNoServer},
		{s.Addr(), "", jobqueue.ErrBadRequest},
		{"nowhere", "q", jobqueue.ErrBadRequest},
	} {
		_, err := jobqueue.Connect(x.addr, x.queue, time.Second)
		fails(t, err, x.want)
	}
	_, err = jobqueue.Dial(jobqueue.ClientConfig{Addr: s.Addr(), Queue: "q", ItemTTR: 10 * time.Second})
	fails(t, err, jobqueue.ErrBadRequest) // touched less often than that
	_, err = jobqueue.Dial(jobqueue.ClientConfig{Addr: s.Addr(), Queue: "q", Token: "wrong"})
	fails(t, err, jobqueue.ErrUnknown)
	addr := s.Addr()
	ok(t, s.Stop())
	_, err = jobqueue.Connect(addr, "q", time.Second)
	fails(t, err, jobqueue.ErrNoServer)
}

func TestAdd(t *testing.T) {
	c := one(t)
	jobs := []*jobqueue.Job{newJob("a"), newJob("b"), newJob("a")}
	added, existed, err := c.Add(jobs)
	if err != nil || added != 2 || existed != 1 {
		t.Fatalf("%d added, %d existed, %v; want 2 and 1", added, existed, err)
	}
	j := reserve(t, c)
	ran(t, c, j, 0)
	ok(t, c.Archive(j))
	if added, existed, err = c.Add(jobs); err != nil || added != 0 || existed != 3 {
		t.Fatalf("%d added, %d existed, %v; want 0 and 3: a complete one counts", added, existed, err)
	}
	if added, existed, err = c.Add(nil); err != nil || added+existed != 0 {
		t.Fatalf("nothing: %d, %d, %v", added, existed, err)
	}
	elsewhere := newJob("a")
	elsewhere.Cwd = "/var/tmp"
	add(t, c, elsewhere) // the directory is part of the identity
	other := connect(t, serve(t, jobqueue.ServerConfig{}), "other")
	add(t, other, newJob("a"), newJob("b"))

	for name, bad := range map[string]*jobqueue.Job{
		"nil":       nil,
		"no Cmd":    {Cwd: "/tmp"},
		"no Cwd":    {Cmd: "true"},
		"RAM":       {Cmd: "true", Cwd: "/tmp", RAM: -1},
		"Cores":     {Cmd: "true", Cwd: "/tmp", Cores: -1},
		"Override":  {Cmd: "true", Cwd: "/tmp", Override: 3},
		"too large": {Cmd: strings.Repeat("x", 2<<20), Cwd: "/tmp"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := c.Add([]*jobqueue.Job{bad})
			fails(t, err, jobqueue.ErrBadRequest)
		})
	}
}

func TestAddMany(t *testing.T) {
	c := one(t)
	jobs := make([]*jobqueue.Job, 2500)
	for i := range jobs {
		jobs[i] = newJob(fmt.Sprint("echo ", i))
	}
	add(t, c, jobs...)
	s, err := c.ServerStats()
	if err != nil || s.Ready != len(jobs) {
		t.Fatalf("%+v, %v", s, err)
	}
	pairs := make([][2]string, len(jobs))
	for i, j := range jobs {
		pairs[i] = [2]string{j.Cmd, j.Cwd}
	}
	list, err := c.GetByCmds(pairs)
	if err != nil || len(list) != len(jobs) {
		t.Fatalf("%d of %d, %v", len(list), len(jobs), err)
	}
	if list, err = c.GetIncomplete(0, "", false, false); err != nil || len(list) != len(jobs) {
		t.Fatalf("%d of %d incomplete, %v", len(list), len(jobs), err)
	}
}

// A server keeps all that a job was added with, and gives it back.
func TestFields(t *testing.T) {
	t.Setenv("JOBQUEUE_TEST", "a=b=c")
	t.Setenv("JOBQUEUE_TOKEN", "hush")
	c := one(t)
	j := jobqueue.NewJob("echo x", "/tmp", "kind", 1500, 90*time.Minute, 2, 1, 200, 7, "report")
	j.Priority = 255
	add(t, c, j)
	got := get(t, c, "echo x")
	env, err := got.Env()
	ok(t, err)
	if !strings.Contains(strings.Join(env, "\n")+"\n", "JOBQUEUE_TEST=a=b=c\n") {
		t.Errorf("the environment is %q", env)
	}
	if strings.Contains(strings.Join(env, "\n"), "hush") {
		t.Error("a secret was stored")
	}
	want := *j
	want.State, want.UntilBuried, want.Queue, want.Exitcode = "ready", 8, "q", -1
	want.EnvC, want.EnvKey = got.EnvC, got.EnvKey
	if g, w := fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", want); g != w || got.EnvKey == "" {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if got.Key() != j.Key() {
		t.Errorf("the key %s became %s", j.Key(), got.Key())
	}
	if plain, err := c.GetByCmd("echo x", "/tmp", false, false); err != nil || plain.EnvC != nil {
		t.Errorf("an environment that was not asked for: %v, %v", plain, err)
	}
}

// Larger priorities first, and those of one priority in the order of adding.
func TestOrder(t *testing.T) {
	c := one(t)
	for i, p := range []uint8{0, 5, 255, 5, 0} {
		j := newJob(fmt.Sprint(i))
		j.Priority = p
		add(t, c, j)
	}
	got := ""
	for range 5 {
		got += reserve(t, c).Cmd
	}
	if got != "21304" {
		t.Errorf("the order was %s; want 21304", got)
	}
}

// connectTo is another client of the same server.
func connectTo(t *testing.T, c *jobqueue.Client, queue string) *jobqueue.Client {
	t.Helper()
	s, err := c.ServerStats()
	ok(t, err)
	other, err := jobqueue.Connect(s.Addr, queue, 20*time.Second)
	ok(t, err)
	t.Cleanup(other.Disconnect)
	return other
}
