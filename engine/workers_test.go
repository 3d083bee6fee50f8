package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func (b *bench) announce(t *testing.T, w job.Worker) {
	t.Helper()
	if err := b.ns.Announce(b.ctx, w, false); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) workerNames(t *testing.T, r WorkersRequest) []string {
	t.Helper()
	list, err := b.ns.Workers(b.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for i := range list {
		names = append(names, list[i].Name)
	}
	return names
}

func soon(d time.Duration) time.Time { return time.Now().Add(d) }

// TestWorkersLive: who announces himself is active until that expires or he leaves,
// is remembered for a while, and all of it survives a restart.
func TestWorkersLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.announce(t, job.Worker{Name: "p", Mode: "RUN", Expires: soon(time.Hour)})
		b.announce(t, job.Worker{Name: "c1", Parent: "p", Data: []byte("about"), Mode: "IDLE", Expires: soon(10 * time.Minute)})
		b.announce(t, job.Worker{Name: "c2", Parent: "p", Expires: soon(time.Hour)})
		b.announce(t, job.Worker{Name: "silent"}) // without a time
		b.add(t, data("a"))
		b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "c1"}})
		b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "puller"}})
		restarted := false
		check := func(r WorkersRequest, want ...string) {
			t.Helper()
			wantList(t, b.workerNames(t, r), want...)
		}
		for range 2 {
			check(WorkersRequest{Active: true}, "c1", "c2", "p")
			check(WorkersRequest{Active: true, Parent: "p"}, "c1", "c2")
			check(WorkersRequest{}, "c1", "c2", "p", "puller", "silent")
			check(WorkersRequest{Parent: "nobody"})
			check(WorkersRequest{After: "c1", Limit: 2}, "c2", "p")
			w, err := b.ns.Worker(b.ctx, "c1")
			if err != nil || w.Mode != "IDLE" || string(w.Data) != "about" || w.Parent != "p" || !w.Active {
				t.Fatalf("asking for work changed what was announced (%v): %+v, %v", restarted, w, err)
			}
			b.Stop(0)
			b.start(t, Config{})
			restarted = true
		}
		time.Sleep(11 * time.Minute)
		check(WorkersRequest{Active: true}, "c2", "p")
		check(WorkersRequest{Parent: "p"}, "c1", "c2")
		b.announce(t, job.Worker{Name: "c1", Parent: "p", Expires: soon(time.Minute)}) // active again
		check(WorkersRequest{Active: true, Parent: "p"}, "c1", "c2")
		b.announce(t, job.Worker{Name: "c2", Parent: "q", Expires: soon(time.Hour)})
		check(WorkersRequest{Parent: "p"}, "c1")
		check(WorkersRequest{Parent: "q"}, "c2")
		if err := b.ns.Announce(b.ctx, job.Worker{Name: "c2"}, true); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			check(WorkersRequest{Active: true}, "c1", "p")
			check(WorkersRequest{Parent: "q"})
			check(WorkersRequest{Parent: "q", All: true}, "c2")
			w, err := b.ns.Worker(b.ctx, "c2")
			if err != nil || !w.Left || w.Active || w.Parent != "q" || w.Connected {
				t.Fatalf("one that left: %+v, %v", w, err)
			}
			b.Stop(0)
			b.start(t, Config{})
			time.Sleep(time.Second)
		}
		b.announce(t, job.Worker{Name: "c2", Parent: "q", Expires: soon(time.Minute)})
		check(WorkersRequest{Active: true, Parent: "q"}, "c2")
		time.Sleep(2*time.Hour + time.Minute)
		var err error
		if b.ns, err = b.Namespace(b.ctx, ""); err != nil { // it may have been unloaded
			t.Fatal(err)
		}
		check(WorkersRequest{All: true})
		if err := b.ns.Announce(b.ctx, job.Worker{Name: "c2"}, true); !job.IsKind(err, job.NotFound) {
			t.Fatalf("one that is forgotten leaves: %v", err)
		}
	})
}

func TestAnnounceIsBounded(t *testing.T) {
	b := setup(t, Config{})
	for _, bad := range []job.Worker{
		{}, {Name: "a\x00"}, {Name: "a", Parent: string(make([]byte, job.MaxName+1))},
		{Name: "a", Mode: string(make([]byte, job.MaxName+1))}, {Name: "a", Data: make([]byte, job.MaxWorkerData+1)},
	} {
		if err := b.ns.Announce(b.ctx, bad, false); !job.IsKind(err, job.Invalid) {
			t.Fatalf("%+v: %v; want invalid", bad.Name, err)
		}
	}
}

// keysOf are the keys of units.
func keysOf(units []*Unit) []string {
	keys := []string{}
	for _, u := range units {
		keys = append(keys, u.Queue+"/"+string(u.Key))
	}
	return keys
}

func TestFamilyUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u"})
		unitQueue(t, b, job.Queue{Name: "v"})
		b.add(t, in("u", "a", "b")...)
		b.add(t, in("v", "c")...)
		for _, name := range []string{"c1", "c2", "idle"} {
			b.announce(t, job.Worker{Name: name, Parent: "p", Expires: soon(time.Hour)})
		}
		children := func() map[string][]string {
			t.Helper()
			units, err := b.ns.ChildUnits(b.ctx, "p")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for name, list := range units {
				got[name] = keysOf(list)
			}
			return got
		}
		same := func(want map[string][]string) {
			t.Helper()
			if d := cmp.Diff(want, children()); d != "" {
				t.Fatalf("children's units (-want +got):\n%s", d)
			}
		}
		same(map[string][]string{})
		c1, c2 := ReserveRequest{Worker: job.Worker{Name: "c1"}, Lease: time.Minute}, ReserveRequest{Worker: job.Worker{Name: "c2"}}
		b.pulls(t, 2, c1, "u a b")
		b.pulls(t, 2, c2, "v c")
		same(map[string][]string{"c1": {"u/a", "u/b"}, "c2": {"v/c"}})
		units, err := b.ns.ChildUnits(b.ctx, "p")
		if u := units["c1"][0]; err != nil || u.Attempt.Worker != "c1" || !u.Attempt.Deadline.Equal(soon(time.Minute)) || string(u.Data()) != "\xa0" {
			t.Fatalf("%+v %+v, %v", u, u.Attempt, err)
		}
		if _, err := b.ns.Update(b.ctx, UpdateRequest{Queue: "u", Key: "a", To: TargetComplete}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ns.DeleteQueue(b.ctx, "v", true); err != nil {
			t.Fatal(err)
		}
		same(map[string][]string{"c1": {"u/b"}})
		had := func(all bool, want ...string) {
			t.Helper()
			units, err := b.ns.WorkerUnits(b.ctx, "c1", all)
			if err != nil {
				t.Fatal(err)
			}
			wantList(t, keysOf(units), want...)
		}
		had(false, "u/b")
		had(true, "u/a", "u/b")
		time.Sleep(2 * time.Minute) // the lease has ended
		had(false)
		had(true, "u/a", "u/b")
		same(map[string][]string{})
		if units, err := b.ns.WorkerUnits(b.ctx, "nobody", true); err != nil || len(units) != 0 {
			t.Fatalf("%v, %v", units, err)
		}
	})
}

// TestUnitAttempts: every attempt is told with the data it had.
func TestUnitAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u"})
		b.into(t, "expired", false) // 1: its own data
		g := b.reserve(t, ReserveRequest{Lease: time.Minute})[0]
		b.report(t, Report{Ref: refTo(g), Kind: ReportBury, Data: []byte("failed")}) // 2
		if r, err := b.update(t, UpdateRequest{To: TargetReady}); err != nil || !r.Changed {
			t.Fatalf("%+v, %v", r, err)
		}
		if _, err := b.update(t, UpdateRequest{To: TargetHeld, Worker: "w3"}); err != nil { // 3: none
			t.Fatal(err)
		}
		got, err := b.ns.UnitAttempts(b.ctx, "u", "k")
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, a := range got {
			list = append(list, fmt.Sprintf("%d %s %v %q %v", a.Number, a.Worker, a.Outcome, a.Data, a.Ended.IsZero()))
		}
		wantList(t, list, `1 w lost "try" false`, `2 w buried "failed" false`, `3 w3  "" true`)
		if _, err := b.ns.UnitAttempts(b.ctx, "u", "absent"); !job.IsKind(err, job.NotFound) {
			t.Fatal(err)
		}
	})
}

// A program that pulls under the name of an agent must not become that agent: what
// the agent runs would be granted to others.
func TestPullerNamedLikeAnAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		agent := job.Worker{
			Name: "a", Agent: true, Machine: "m", Boot: "b", Dir: "d", Incarnation: 1, Capacity: job.Resources{job.CPU: 1000},
		}
		s, err := b.ns.Attach(b.ctx, AttachRequest{Worker: agent})
		try(t, err)
		b.add(t, &job.Job{Command: &job.Command{Line: "true", Dir: "/"}}, data("x"))
		synctest.Wait()
		o, err := s.Take()
		if err != nil || o == nil || len(o.Assign) != 1 {
			t.Fatalf("orders %+v, %v", o, err)
		}
		_, reserveErr := b.ns.Reserve(b.ctx, ReserveRequest{Worker: job.Worker{Name: "a"}, N: 1})
		announceErr := b.ns.Announce(b.ctx, job.Worker{Name: "a"}, false)
		leaveErr := b.ns.Announce(b.ctx, job.Worker{Name: "a"}, true)
		_, updateErr := b.ns.Update(b.ctx, UpdateRequest{Queue: "q", Key: "x", To: TargetHeld, Worker: "a"})
		for _, err := range []error{reserveErr, announceErr, leaveErr, updateErr} {
			if !job.IsKind(err, job.Conflict) {
				t.Errorf("%v; want a conflict", err)
			}
		}
		w, err := b.ns.Worker(b.ctx, "a")
		if err != nil || !w.Agent {
			t.Fatalf("the agent is %+v, %v", w, err)
		}
	})
}
