package engine

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// rivals is a worker of one core that runs poor0, for which account poor has paid 30
// worker-seconds at level 1, and is told to stop it, since rich0 takes its place.
func rivals(t *testing.T, change ...func(*job.Job)) (*bench, *station) {
	t.Helper()
	b := setup(t, Config{})
	b.account(t, job.Account{Name: "poor", Window: time.Hour}, 0, 1000)
	b.account(t, job.Account{Name: "rich", Window: time.Hour}, 500)
	b.add(t, commands("poor", 2, change...)...)
	st := b.station(t, "w", 1)
	if _, runs := st.runs["poor0"]; !runs {
		t.Fatalf("runs %v", st.runs)
	}
	st.live(30 * time.Second)
	b.wantBalances(t, map[string]job.Quota{"poor": {0, 970}, "rich": {500}})
	b.add(t, commands("rich", 1)...)
	wants(t, st.look())
	return b, st
}

func (b *bench) wantBalances(t *testing.T, want map[string]job.Quota) {
	t.Helper()
	got := map[string]job.Quota{}
	for name, a := range b.accounts(t) {
		got[name] = a.Balance
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("balances (-want +got):\n%s", d)
	}
}

func (b *bench) job(t *testing.T, j *job.Job) *Info {
	t.Helper()
	j.Normalise()
	i, err := b.ns.Get(b.ctx, JobID{Queue: j.Queue, Key: j.Key}, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (b *bench) line(t *testing.T, account string, i int) *Info {
	t.Helper()
	return b.job(t, commands(account, i+1)[i])
}

// wantTold checks what the log tells of a job, the oldest first.
func (b *bench) wantTold(t *testing.T, task string, want ...string) {
	t.Helper()
	rows, _, err := b.ns.Events(b.ctx, EventsRequest{Task: &task})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range slices.Backward(rows) {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
		text := e.Kind + " " + e.Account + " " + e.Worker
		for _, name := range slices.Sorted(maps.Keys(e.Details)) {
			text += " " + name + "=" + e.Details[name]
		}
		got = append(got, text)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the log (-want +got):\n%s", d)
	}
}

// wantStopping checks that poor0 is told to stop, and nothing else happened yet.
func (st *station) wantStopping() {
	st.t.Helper()
	if d := cmp.Diff(map[string]job.Mark{"poor0": job.MarkPreempted}, st.stops); d != "" {
		st.t.Fatalf("told to stop (-want +got):\n%s", d)
	}
}

// The victim is told at once; the other starts when its end is reported, and not
// before; the victim is ready at its old place then, at no cost in retries.
func TestPreempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t)
		st.wantStopping()
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {500, -30}})
		if i := b.line(t, "poor", 0); i.Live.State != job.Running || i.Live.Mark != job.MarkPreempted {
			t.Fatalf("the victim is %v (%v)", i.Live.State, i.Live.Mark)
		}
		wants(t, st.live(10*time.Second)) // its grace
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {490, -30}})
		if a := b.accounts(t)["rich"]; a.Running[0] != 1 || a.Ready != 0 {
			t.Errorf("rich has %+v", a)
		}
		st.ends("poor0")
		wants(t, st.look(), "rich0")
		i := b.line(t, "poor", 0)
		if i.Live.State != job.Ready || i.Live.Failures != 0 || i.Live.Losses != 0 || i.Last.Outcome != job.OutcomePreempted {
			t.Fatalf("the victim is %v, with %d failures, last %v", i.Live.State, i.Live.Failures, i.Last.Outcome)
		}
		st.live(10 * time.Second)
		st.completes("rich0")
		wants(t, st.look(), "poor0") // before poor1
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {480, -30}})
		st.completes("poor0")
		wants(t, st.look(), "poor1")
		st.completes("poor1")
		if n := b.counts(t)[job.Complete]; n != 3 || len(b.charges(t)) != 0 {
			t.Errorf("%d are complete, %d charges are left", n, len(b.charges(t)))
		}
		poor0, rich0 := taskText(b.line(t, "poor", 0).Live.Digest), taskText(b.line(t, "rich", 0).Live.Digest)
		b.wantTold(t, poor0,
			"assigned poor w account_balance=0 1000 0 0 0 priority=1",
			"preempted poor w cost=0 30 0 0 0 preempting_account=rich preempting_priority=0 preempting_task="+rich0+" priority=1",
			"assigned poor w account_balance=0 1000 0 0 0 priority=1", "completed poor w cost=0 0 0 0 0 priority=1 reason=complete")
		b.wantTold(t, rich0,
			"assigned rich w account_balance=490 -30 0 0 0 preempted_task="+poor0+" preempting=true preemption_cost=0 30 0 0 0 priority=0",
			"completed rich w cost=20 30 0 0 0 priority=0 reason=complete")
	})
}

// A victim that ends before it hears of its stop is complete, and the other starts.
func TestVictimCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t)
		st.completes("poor0")
		wants(t, st.look(), "rich0")
		if i := b.line(t, "poor", 0); i.Live.State != job.Complete {
			t.Errorf("the victim is %v", i.Live.State)
		}
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {500, -30}})
	})
}

// What becomes of the one that waits while its victim is being stopped. What it has
// paid is given back if the job stays ready and cannot have the place; a job that is
// taken away has had another one stopped, and that is paid for.
func TestPreemptorLeaves(t *testing.T) {
	rich0 := func(b *bench) Selector {
		j := commands("rich", 1)[0]
		j.Normalise()
		return Selector{IDs: []JobID{{Queue: j.Queue, Key: j.Key}}}
	}
	paused := func(b *bench, on bool) error {
		return b.ns.SetQueue(b.ctx, job.Queue{Name: job.DefaultQueue, Paused: on})
	}
	for name, c := range map[string]struct {
		leave, back func(b *bench) error
		rich        job.Quota
		next        []string
	}{
		"cancelled": {
			leave: func(b *bench) error { _, err := b.ns.Cancel(b.ctx, rich0(b)); return err },
			rich:  job.Quota{500, -30}, next: []string{"poor0"},
		},
		"deleted": {
			leave: func(b *bench) error { _, err := b.ns.Delete(b.ctx, rich0(b), DeleteOptions{}); return err },
			rich:  job.Quota{500, -30}, next: []string{"poor0"},
		},
		"modified": {
			leave: func(b *bench) error {
				_, err := b.ns.Modify(b.ctx, rich0(b), func(j *job.Job) error { j.Priority = 1; return nil })
				return err
			},
			rich: job.Quota{500, -30}, next: []string{"rich0"},
		},
		"queue paused": {
			leave: func(b *bench) error { return paused(b, true) },
			back:  func(b *bench) error { return paused(b, false) },
			rich:  job.Quota{500}, next: []string{"rich0"},
		},
		"namespace paused": {
			leave: func(b *bench) error { return b.ns.Pause(b.ctx) },
			back:  func(b *bench) error { return b.ns.Resume(b.ctx) },
			rich:  job.Quota{500}, next: []string{"rich0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, st := rivals(t)
				st.wantStopping()
				if err := c.leave(b); err != nil {
					t.Fatal(err)
				}
				wants(t, st.look())
				st.ends("poor0")
				if c.back != nil {
					wants(t, st.look())
					if err := c.back(b); err != nil {
						t.Fatal(err)
					}
				}
				wants(t, st.look(), c.next...)
				b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": c.rich})
				if i := b.line(t, "poor", 0); i.Last.Outcome != job.OutcomePreempted {
					t.Errorf("the victim's attempt: %v", i.Last.Outcome)
				}
			})
		})
	}
}

// An agent that falls silent while it should stop a victim: the other is ready again
// and runs elsewhere; the victim is when its lease has ended.
func TestVictimOfASilentAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t)
		st.wantStopping()
		time.Sleep(31 * time.Second)
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {470}}) // it waited for 30 s
		if i := b.line(t, "poor", 0); i.Live.State != job.Lost {
			t.Fatalf("the victim is %v", i.Live.State)
		}
		other := b.station(t, "other", 1)
		if _, runs := other.runs["rich0"]; !runs {
			t.Fatalf("the other agent runs %v", other.runs)
		}
		other.completes("rich0")
		wants(t, other.look(), "poor1")
		other.completes("poor1")
		wants(t, other.live(3*time.Minute))
		wants(t, other.live(2*time.Minute), "poor0")
		i := b.line(t, "poor", 0)
		if i.Live.Losses != 0 || i.Last.Result.Reason != job.ReasonPreempted {
			t.Errorf("%d losses, %v", i.Live.Losses, i.Last)
		}
	})
}

// An agent that is silent has no victims: their places would be free long after.
func TestNoVictimsOnASilentAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "rich", Window: time.Hour}, 500)
		b.add(t, commands("poor", 1)...)
		st := b.station(t, "w", 1)
		time.Sleep(31 * time.Second)
		b.add(t, commands("rich", 1)...)
		wants(t, st.look())
		if len(st.stops) > 0 {
			t.Fatalf("told to stop %v", st.stops)
		}
		wants(t, st.live(2*time.Second)) // it is heard again
		if st.stops["poor0"] != job.MarkPreempted {
			t.Fatalf("told to stop %v", st.stops)
		}
	})
}

// Jobs that must not be preempted, and those whose workers cannot be told to stop,
// are no victims.
func TestNoVictims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "rich", Window: time.Hour}, 500)
		b.add(t, commands("poor", 1, func(j *job.Job) { j.NotPreemptible = true })...)
		st := b.station(t, "w", 1)
		b.add(t, data("d"))
		if g := b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "p"}}); len(g) != 1 {
			t.Fatalf("%d grants", len(g))
		}
		b.add(t, commands("rich", 1)...)
		wants(t, st.live(10*time.Second))
		if len(st.stops) > 0 {
			t.Errorf("told to stop %v", st.stops)
		}
		st.completes("poor0")
		wants(t, st.look(), "rich0")
	})
}

// A job that a person has already told to stop is no victim: it ends anyway.
func TestCancelledIsNoVictim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "rich", Window: time.Hour}, 500)
		b.add(t, commands("poor", 1)...)
		st := b.station(t, "w", 1)
		if _, err := b.ns.Cancel(b.ctx, Selector{Filter: &Filter{}}); err != nil {
			t.Fatal(err)
		}
		b.add(t, commands("rich", 1)...)
		wants(t, st.live(10*time.Second))
		if st.stops["poor0"] != job.MarkCancelled {
			t.Errorf("told to stop %v", st.stops)
		}
		b.wantBalances(t, map[string]job.Quota{"rich": {500}})
		st.ends("poor0")
		wants(t, st.look(), "rich0")
		if i := b.line(t, "poor", 0); i.Live.State != job.Buried {
			t.Errorf("it is %v", i.Live.State)
		}
	})
}

// A change of the victim's description while it is stopped does not let the other
// start before its end.
func TestVictimModified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t)
		poor0 := commands("poor", 1)[0]
		poor0.Normalise()
		_, err := b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Queue: poor0.Queue, Key: poor0.Key}}}, func(j *job.Job) error {
			j.Needs = job.Resources{job.CPU: 100}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wants(t, st.live(time.Second))
		st.ends("poor0")
		wants(t, st.look(), "rich0")
	})
}

// What was promised and paid stays so through a restart, while the victim is still
// being stopped.
func TestClaimOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t)
		st.wantStopping()
		b.restart(t, 20*time.Second)
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {480, -30}})
		st.stops = map[string]job.Mark{}
		st.attach(1)
		st.wantStopping() // it is told again
		wants(t, st.live(10*time.Second))
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {470, -30}})
		b.restart(t, 0)
		st.attach(1)
		if err := b.ns.Pause(b.ctx); err != nil {
			t.Fatal(err)
		}
		b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {470}}) // the price, not what it has cost since
		if err := b.ns.Resume(b.ctx); err != nil {
			t.Fatal(err)
		}
		st.ends("poor0")
		wants(t, st.look(), "rich0")
	})
}

// A promise that a restart finds broken is taken back, and what was paid with it.
func TestBrokenClaim(t *testing.T) {
	for name, broken := range map[string]func(row *job.ChargeRow){
		"no victim":      func(row *job.ChargeRow) { row.Victim = 999 },
		"another worker": func(row *job.ChargeRow) { row.Worker = 999 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, st := rivals(t)
				rows := b.charges(t)
				b.Stop(0)
				for _, row := range rows {
					if broken(&row); row.Price != nil {
						b.commit(t, &job.Changes{Charges: []job.ChargeRow{row}})
					}
				}
				b.start(t, Config{})
				b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {500}})
				if n := len(b.charges(t)); n > 0 {
					t.Errorf("%d charges are left", n)
				}
				b.restart(t, 0)
				b.wantBalances(t, map[string]job.Quota{"poor": {0, 1000}, "rich": {500}})
				st.attach(1)
				st.ends("poor0")
				wants(t, st.look(), "rich0")
			})
		})
	}
}

// commit changes the store behind the back of a server that is not there.
func (b *bench) commit(t *testing.T, c *job.Changes) {
	t.Helper()
	ns, err := b.store.Open(b.ctx, job.DefaultNamespace)
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Load(b.ctx, &loader{State: newState()}); err != nil {
		t.Fatal(err)
	}
	commit, err := ns.Commit(c)
	if err == nil {
		err = commit.Wait()
	}
	if err == nil {
		err = ns.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
