package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// serve runs a server for a test.
func serve(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	if cfg.Data == "" {
		cfg.Data = t.TempDir()
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Store == "" {
		cfg.Store = "memory:"
	}
	cfg.HTTP = server.NoHTTP
	s, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(-1, nil) })
	return s
}

// dial connects to a server as its owner.
func dial(t *testing.T, s *server.Server, change func(*client.Config)) *client.Client {
	t.Helper()
	cfg, err := client.DiscoverIn(s.Layout().Dir)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&cfg)
	}
	c, err := client.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ready(t *testing.T) *client.Namespace {
	t.Helper()
	return dial(t, serve(t, server.Config{}), nil).Namespace("")
}

func line(text string) *job.Job { return &job.Job{Command: &job.Command{Line: text}} }

func data(key, group string) *job.Job {
	return &job.Job{Key: job.Key(key), Group: group, Data: []byte("about " + key)}
}

func collect[T any](t *testing.T, seq func(func(T, error) bool)) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// frail connections break after a random number of bytes.
type frail struct {
	net.Conn
	left atomic.Int64
}

func (f *frail) spend(n int, err error) (int, error) {
	if f.left.Add(-int64(n)) < 0 {
		_ = f.Conn.Close()
	}
	return n, err
}

func (f *frail) Read(b []byte) (int, error)  { return f.spend(f.Conn.Read(b)) }
func (f *frail) Write(b []byte) (int, error) { return f.spend(f.Conn.Write(b)) }

// frailty makes a client's connections frail; it counts them.
func frailty(t *testing.T, bytes int64) (func(*client.Config), *atomic.Int64) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	var dials atomic.Int64
	return func(cfg *client.Config) {
		address := cfg.Address
		cfg.Dialer = func(ctx context.Context, _ string) (net.Conn, error) {
			dials.Add(1)
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			f := &frail{Conn: conn}
			f.left.Store(bytes + random.Int64N(2*bytes))
			return f, nil
		}
	}, &dials
}

func TestAdderOverBreakingConnections(t *testing.T) {
	s := serve(t, server.Config{})
	change, dials := frailty(t, 20_000)
	ns := dial(t, s, change).Namespace("")
	const n = 5000
	var items []int64
	a := ns.Add(t.Context(), client.AddOptions{
		Batch: 50, EveryItem: true, Item: func(i client.AddedItem) { items = append(items, i.Number) },
	})
	for i := range n {
		if err := a.Add(line(fmt.Sprintf("echo %d", i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := a.Close()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(client.Added{Added: n}, sum); d != "" {
		t.Errorf("sum over %d connections (-want +got):\n%s", dials.Load(), d)
	}
	if dials.Load() < 5 {
		t.Errorf("only %d connections: nothing was tested", dials.Load())
	}
	for i, number := range items {
		if number != int64(i+1) {
			t.Fatalf("item %d is about job %d", i+1, number)
		}
	}
	counts, err := dial(t, s, nil).Namespace("").Counts(t.Context(), "", "")
	if err != nil || counts.Total() != n || len(items) != n {
		t.Errorf("the server has %d jobs, %d items were told, %v; want %d", counts.Total(), len(items), err, n)
	}
}

func TestSessionOverBreakingConnections(t *testing.T) {
	s := serve(t, server.Config{})
	ns := dial(t, s, nil).Namespace("")
	const n = 3000
	fill(t, ns, n)
	change, dials := frailty(t, 10_000)
	runs := map[job.Key]int{}
	w := dial(t, s, change).Namespace("").Worker("w", nil)
	session := w.Session(t.Context(), client.SessionOptions{
		Credits: 32, Refused: func(id job.AttemptID, err error) { t.Errorf("report of %s: %v", id, err) },
	})
	for len(runs) < n {
		g, err := session.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		j, err := g.Job()
		if err != nil || string(j.Data) != "about "+string(j.Key) {
			t.Fatalf("granted %+v, %v", j, err)
		}
		runs[j.Key]++
		if err := session.Report(client.Start(g), client.Complete(g, &job.Result{Exited: true})); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if dials.Load() < 5 {
		t.Errorf("only %d connections: nothing was tested", dials.Load())
	}
	for key, times := range runs {
		if times != 1 {
			t.Errorf("%s was given out %d times", key, times)
		}
	}
	counts, err := ns.Counts(t.Context(), "", "")
	if err != nil || counts[job.Complete] != n || counts.Live() != 0 {
		t.Errorf("counts %v, %v; want %d complete", counts, err, n)
	}
}

func fill(t *testing.T, ns *client.Namespace, n int) {
	t.Helper()
	a := ns.Add(t.Context(), client.AddOptions{})
	for i := range n {
		if err := a.Add(data(fmt.Sprintf("k%05d", i), "g"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAdderOverRestart(t *testing.T) {
	cfg := server.Config{Data: t.TempDir(), Store: "pebble:" + t.TempDir()}
	s := serve(t, cfg)
	cfg.Listen = s.Where().Address
	ns := dial(t, s, nil).Namespace("")
	const n = 4000
	a := ns.Add(t.Context(), client.AddOptions{Batch: 100})
	for i := range n {
		if i == n/2 {
			s.Stop(-1, nil)
			s = serve(t, cfg)
		}
		if err := a.Add(line(fmt.Sprintf("echo %d", i)), int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := a.Close()
	if err != nil || sum.Added != n {
		t.Fatalf("added %+v, %v; want %d", sum, err, n)
	}
	counts, err := ns.Counts(t.Context(), "", "")
	if err != nil || counts.Total() != n {
		t.Errorf("the server has %d jobs, %v; want %d", counts.Total(), err, n)
	}
}

func TestRefusedAdds(t *testing.T) {
	ns := ready(t)
	bad := &job.Job{Command: &job.Command{Line: "true"}, Needs: job.Resources{"mem": -1}}
	a := ns.Add(t.Context(), client.AddOptions{})
	_ = a.Add(line("one"), 1)
	_ = a.Add(bad, 2)
	_, err := a.Close()
	if !job.IsKind(err, job.Invalid) || !contains(err, "line 2", "mem") {
		t.Errorf("error %v; want an invalid one about mem on line 2", err)
	}
	counts, _ := ns.Counts(t.Context(), "", "")
	if counts.Total() != 0 {
		t.Errorf("%d jobs of a refused batch were added", counts.Total())
	}
	var items []client.AddedItem
	a = ns.Add(t.Context(), client.AddOptions{Partial: true, Item: func(i client.AddedItem) { items = append(items, i) }})
	_ = a.Add(line("one"), 1)
	_ = a.Add(bad, 2)
	_ = a.Add(line("one"), 3)
	sum, err := a.Close()
	if d := cmp.Diff(client.Added{Added: 1, Existed: 1, Refused: 1}, sum); d != "" || err != nil {
		t.Errorf("partial (-want +got):\n%s%v", d, err)
	}
	if len(items) != 1 || items[0].Line != 2 || items[0].Number != 2 || !contains(items[0].Err, "mem") {
		t.Errorf("items %+v; want one about line 2", items)
	}
	if err := a.Add(line("two"), 0); err == nil {
		if err := a.Flush(); err == nil {
			t.Error("a closed adder takes jobs")
		}
	}
}

func contains(err error, parts ...string) bool {
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			return false
		}
	}
	return true
}

func TestJobsByName(t *testing.T) {
	ns := ready(t)
	ctx := t.Context()
	odd := &job.Job{Group: "g", Command: &job.Command{Line: "cat caf\xe9.txt", Dir: "/tmp"}}
	_, items, err := ns.AddJobs(ctx, client.AddOptions{}, odd, data("a\nb", "g"))
	if err != nil || len(items) != 2 {
		t.Fatalf("items %+v, %v", items, err)
	}
	for i, item := range items {
		for _, ref := range []client.Ref{{Key: item.Key}, {Queue: item.Queue, Key: item.Key}, {ID: item.ID}} {
			info, err := ns.Get(ctx, ref, client.Detail{})
			if err != nil {
				t.Fatalf("get %+v: %v", ref, err)
			}
			if info.Key != item.Key || info.State != job.Ready || info.Group != "g" {
				t.Errorf("item %d: got %+v", i, info)
			}
			if i == 0 && info.Job.Command.Line != odd.Command.Line {
				t.Errorf("line %q came back as %q", odd.Command.Line, info.Job.Command.Line)
			}
		}
	}
	if _, err := ns.Get(ctx, client.Ref{Key: "absent"}, client.Detail{}); !errors.Is(err, job.ErrNoJob) {
		t.Errorf("absent job: %v; want no such job", err)
	}
	list, err := ns.Lookup(ctx, []client.Ref{{Key: "a\nb"}, {Key: "absent"}}, client.Detail{})
	if err != nil || len(list) != 1 || list[0].Key != "a\nb" {
		t.Errorf("looked up %v, %v", list, err)
	}
}

func TestListsAndChanges(t *testing.T) {
	ns := ready(t)
	ctx := t.Context()
	fill(t, ns, 1234)
	all := collect(t, ns.List(ctx, client.Filter{Group: "g"}, client.Detail{}))
	for i, info := range all {
		if want := job.Key(fmt.Sprintf("k%05d", i)); info.Key != want {
			t.Fatalf("place %d has %s, want %s", i, info.Key, want)
		}
	}
	if len(all) != 1234 {
		t.Fatalf("listed %d jobs", len(all))
	}
	some := client.Filter{KeyPrefix: "k000"}
	if c, err := ns.Cancel(ctx, client.Where(some)); err != nil || c.Changed != 100 {
		t.Errorf("cancel: %+v, %v; want 100 changed", c, err)
	}
	buried := client.Filter{States: []string{"buried"}}
	if list := collect(t, ns.List(ctx, buried, client.Detail{})); len(list) != 100 || list[0].Reason != job.ReasonCancelled {
		t.Errorf("%d buried, the first for %v", len(list), list[0].Reason)
	}
	outcomes, _, err := ns.Outcomes(ctx, client.Filter{}, 2, client.Detail{})
	if err != nil || len(outcomes) != 2 || outcomes[0].Count != 1134 || outcomes[1].Count != 100 ||
		len(outcomes[1].Jobs) != 2 || outcomes[1].Similar != 98 {
		t.Errorf("outcomes %+v, %v", outcomes, err)
	}
	if c, err := ns.Kick(ctx, client.Where(buried)); err != nil || c.Changed != 100 {
		t.Errorf("kick: %+v, %v; want 100 changed", c, err)
	}
	c, err := ns.Modify(ctx, client.Select(client.Ref{Key: "k00007"}), &job.Job{Priority: 5}, "priority")
	if err != nil || c.Changed != 1 {
		t.Errorf("modify: %+v, %v", c, err)
	}
	if info, err := ns.Get(ctx, client.Ref{Key: "k00007"}, client.Detail{}); err != nil || info.Priority != 5 || string(info.Job.Data) != "about k00007" {
		t.Errorf("modified: %+v, %v", info, err)
	}
	if _, err := ns.Delete(ctx, client.Where(client.Filter{}), client.DeleteOptions{}); !job.IsKind(err, job.Invalid) {
		t.Errorf("delete by an empty filter: %v; want invalid without all", err)
	}
	if c, err := ns.Delete(ctx, client.Selection{Filter: &client.Filter{}, All: true}, client.DeleteOptions{}); err != nil || c.Changed != 1234 {
		t.Errorf("delete all: %+v, %v", c, err)
	}
	if _, err := ns.Kick(ctx, client.Where(client.Filter{States: []string{"tired"}})); !job.IsKind(err, job.Invalid) || !contains(err, "tired", "buried") {
		t.Errorf("unknown state: %v", err)
	}
}

func TestWorkByCalls(t *testing.T) {
	ns := ready(t)
	ctx := t.Context()
	fill(t, ns, 3)
	w := ns.Worker("w", &job.Worker{Host: "h"})
	grants, err := w.Reserve(ctx, 2, 0, client.Want{Queues: []string{"default"}, Lease: time.Minute})
	if err != nil || len(grants) != 2 {
		t.Fatalf("reserved %d, %v", len(grants), err)
	}
	if left := time.Until(grants[0].Deadline); left < 50*time.Second || left > time.Minute+time.Second {
		t.Errorf("the lease ends in %v; want about a minute", left)
	}
	answers, err := w.Report(ctx, client.Start(grants[0]), client.Renew(grants[0], 0),
		client.Complete(grants[0], &job.Result{Exited: true}), client.Bury(grants[1], &job.Result{Exited: true, ExitCode: 3, Reason: job.ReasonExit}))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []job.State{job.Absent, job.Absent, job.Complete, job.Buried} {
		if answers[i].Err != nil || answers[i].State != want {
			t.Errorf("answer %d: %+v; want %s", i, answers[i], want)
		}
	}
	again, err := w.Report(ctx, client.Complete(grants[0], &job.Result{Exited: true}))
	if err != nil || again[0].Err != nil {
		t.Errorf("a repeated report: %+v, %v; want the same answer", again, err)
	}
	third, err := w.Reserve(ctx, 5, 0, client.Want{})
	if err != nil || len(third) != 1 {
		t.Fatalf("reserved %d, %v; want the last one", len(third), err)
	}
	if _, err := ns.Delete(ctx, client.Select(client.Ref{Key: "k00002"}), client.DeleteOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	late, err := w.Report(ctx, client.Complete(third[0], &job.Result{Exited: true}))
	if err != nil || !job.IsKind(late[0].Err, job.LostLease) && !job.IsKind(late[0].Err, job.NotFound) {
		t.Errorf("a report about a deleted job: %+v, %v; want a refusal", late, err)
	}
	attempts, err := ns.Attempts(ctx, client.Ref{Key: "k00001"}, true)
	if err != nil || len(attempts) != 1 || attempts[0].Result.ExitCode != 3 || attempts[0].Worker != "w" {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
}

func TestWatchAndWait(t *testing.T) {
	ns := ready(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	steps := make(chan *client.Step)
	go func() {
		defer close(steps)
		for step, err := range ns.Watch(ctx, client.WatchOptions{Events: true}) {
			if err != nil {
				return
			}
			steps <- step
		}
	}()
	if first := <-steps; first == nil || !first.Resync {
		t.Fatalf("a watch begins with %+v; want a resync", first)
	}
	fill(t, ns, 1)
	if step := <-steps; step == nil || len(step.Events) == 0 || step.Events[0].Key != "k00000" || step.Events[0].To != job.Ready {
		t.Fatalf("after an add: %+v", step)
	}
	waited := make(chan job.Counts, 1)
	begun := make(chan struct{})
	var once sync.Once
	go func() {
		counts, err := ns.Wait(ctx, client.WaitFor{Group: "g"}, func(job.Counts) { once.Do(func() { close(begun) }) })
		if err != nil {
			t.Error(err)
		}
		waited <- counts
	}()
	<-begun
	w := ns.Worker("w", nil)
	grants, err := w.Reserve(ctx, 1, time.Second, client.Want{})
	if err != nil || len(grants) != 1 {
		t.Fatalf("reserved %d, %v", len(grants), err)
	}
	if _, err := w.Report(ctx, client.Complete(grants[0], &job.Result{Exited: true})); err != nil {
		t.Fatal(err)
	}
	if counts := <-waited; counts[job.Complete] != 1 {
		t.Errorf("wait ended with %v", counts)
	}
	cancel()
	for range steps { // what was on its way
	}
}

func TestServerAndNamespaces(t *testing.T) {
	c := dial(t, serve(t, server.Config{}), nil)
	ctx := t.Context()
	info, err := c.Info(ctx)
	if err != nil || info.Mode != "started" || info.PID == 0 || info.Port == 0 || info.Role != "admin" {
		t.Errorf("info %+v, %v", info, err)
	}
	if err := c.CreateNamespace(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateNamespace(ctx, "lab"); !job.IsKind(err, job.Exists) {
		t.Errorf("a second time: %v", err)
	}
	lab := c.Namespace("lab")
	fill(t, lab, 2)
	if sum, err := lab.Summary(ctx); err != nil || sum.Counts[job.Ready] != 2 || sum.Queues != 1 || sum.Groups != 1 {
		t.Errorf("summary %+v, %v", sum, err)
	}
	if names := collect(t, c.Namespaces(ctx)); !cmp.Equal(names, []string{"default", "lab"}) {
		t.Errorf("namespaces %v", names)
	}
	if _, err := c.Pause(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	if got, err := lab.Worker("w", nil).Reserve(ctx, 1, 0, client.Want{}); err != nil || len(got) != 0 {
		t.Errorf("reserved %d while paused, %v", len(got), err)
	}
	if why, err := lab.Explain(ctx, client.Ref{Key: "k00000"}); err != nil || len(why.Obstacles) == 0 || why.Obstacles[0].Word != "paused" {
		t.Errorf("explained %+v, %v", why, err)
	}
	if err := c.Resume(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	if err := lab.Destroy(ctx, true); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Summary(ctx); !job.IsKind(err, job.NotFound) {
		t.Errorf("a destroyed namespace: %v", err)
	}
}

func TestQueuesAndEnvironments(t *testing.T) {
	ns := ready(t)
	ctx := t.Context()
	three := 3
	set, err := ns.SetQueue(ctx, &job.Queue{Name: "q", Priority: 2, Retries: &three, Lease: time.Hour, Definition: []byte{0, 255}})
	if err != nil || set.Priority != 2 || *set.Retries != 3 {
		t.Fatalf("set %+v, %v", set, err)
	}
	if _, err := ns.SetQueue(ctx, &job.Queue{Name: "q", Weight: 9}, "weight"); err != nil {
		t.Fatal(err)
	}
	got, err := ns.Queue(ctx, "q")
	if err != nil || got.Weight != 9 || got.Priority != 2 || string(got.Definition) != "\x00\xff" {
		t.Errorf("after changing one field: %+v, %v", got, err)
	}
	if q, err := ns.PauseQueue(ctx, "q"); err != nil || !q.Paused {
		t.Errorf("paused %+v, %v", q, err)
	}
	if _, err := ns.Queue(ctx, "absent"); !errors.Is(err, job.ErrNoQueue) {
		t.Errorf("absent queue: %v", err)
	}
	if _, err := ns.DeleteQueue(ctx, "q", false); err != nil {
		t.Error(err)
	}
	env := []string{"A=1", "B=\xff"}
	digest, err := ns.PutEnvironment(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ns.PutEnvironment(ctx, env); err != nil || again != digest {
		t.Errorf("again %s, %v; want %s", again, err, digest)
	}
	if back, err := ns.Environment(ctx, digest); err != nil || !cmp.Equal(back, env) {
		t.Errorf("got %q, %v", back, err)
	}
}

func TestTokens(t *testing.T) {
	s := serve(t, server.Config{})
	c := dial(t, s, nil)
	ctx := t.Context()
	made, secret, err := c.CreateToken(ctx, client.Token{Name: "look", Role: "reader"}, time.Hour)
	if err != nil || secret == "" || made.Role != "reader" {
		t.Fatalf("made %+v, %v", made, err)
	}
	reader := dial(t, s, func(cfg *client.Config) { cfg.Token = secret })
	if _, err := reader.Namespace("").Counts(ctx, "", ""); err != nil {
		t.Error(err)
	}
	if _, _, err := reader.Namespace("").AddJobs(ctx, client.AddOptions{}, line("true")); !job.IsKind(err, job.Denied) {
		t.Errorf("a reader adds: %v; want denied", err)
	}
	if err := c.RevokeToken(ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Namespace("").Counts(ctx, "", ""); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("with a revoked token: %v", err)
	}
	if list, err := c.Tokens(ctx); err != nil || len(list) == 0 {
		t.Errorf("tokens %v, %v", list, err)
	}
}

// Programs are told the data directory where the server was found by one, for its
// address may change, and the address at present.
func TestReach(t *testing.T) {
	s := serve(t, server.Config{})
	r, err := dial(t, s, nil).Reach()
	if err != nil || r.Data != s.Layout().Dir || r.Address != s.Where().Address {
		t.Errorf("%+v, %v", r, err)
	}
	known := func(cfg *client.Config) { cfg.Data, cfg.Dialer = "", nil }
	if r, err = dial(t, s, known).Reach(); err != nil || r.Data != "" || r.Address != s.Where().Address {
		t.Errorf("%+v, %v", r, err)
	}
	memory, err := client.New(client.Config{Address: "memory", Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return s.Dial(ctx) }})
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if _, err := memory.Reach(); !job.IsKind(err, job.NotFound) {
		t.Errorf("without an address: %v", err)
	}
}
