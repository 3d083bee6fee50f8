package storetest

import (
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

func testNamespaces(t *testing.T, f Factory) {
	s := f.New(t)
	for _, name := range []string{"beta", "alpha", "with / and ü"} {
		ok(t, s.Create(t.Context(), name))
	}
	fails(t, "create again", s.Create(t.Context(), "beta"), job.Exists)
	fails(t, "create without a name", s.Create(t.Context(), ""), job.Invalid)
	_, err := s.Open(t.Context(), "gamma")
	fails(t, "open what is absent", err, job.NotFound)
	fails(t, "destroy what is absent", s.Destroy(t.Context(), "gamma"), job.NotFound)
	names, err := s.Namespaces(t.Context())
	ok(t, err)
	same(t, "namespaces", names, []string{"alpha", "beta", "with / and ü"})
	if f.Reopen != nil {
		s = f.Reopen(t, s)
		names, err = s.Namespaces(t.Context())
		ok(t, err)
		same(t, "namespaces after a restart", names, []string{"alpha", "beta", "with / and ü"})
	}
}

func testEpoch(t *testing.T, f Factory) {
	s, first := open(t, f)
	second := own(t, s, "default")
	if second.Epoch() <= first.Epoch() || first.Epoch() == 0 {
		t.Fatalf("epochs %d, %d do not rise", first.Epoch(), second.Epoch())
	}
	fails(t, "a commit of the earlier owner", Commit(first, &job.Changes{Live: []job.Live{Job(1)}}), job.Conflict)
	fails(t, "a load of the earlier owner", first.Load(t.Context(), &Contents{}), job.Conflict)
	commit(t, second, &job.Changes{Live: []job.Live{Job(2)}})
	ok(t, first.Close())
	commit(t, second, &job.Changes{Live: []job.Live{Job(3)}})
	c := Load(t, second)
	same(t, "live jobs", c.Live, []job.Live{Job(2), Job(3)})
	same(t, "epoch loaded", c.Meta.Epoch, second.Epoch())
	_, third := reopen(t, f, s, second)
	if f.Reopen != nil && third.Epoch() <= second.Epoch() {
		t.Fatalf("epoch %d after a restart, %d before", third.Epoch(), second.Epoch())
	}
	ok(t, third.Close())
	fails(t, "a commit after Close", Commit(third, &job.Changes{Live: []job.Live{Job(4)}}), job.Conflict)
}

func testLoadFirst(t *testing.T, f Factory) {
	s := f.New(t)
	ok(t, s.Create(t.Context(), "default"))
	ns, err := s.Open(t.Context(), "default")
	ok(t, err)
	c := Load(t, ns)
	same(t, "contents of a new namespace", c, &Contents{Meta: job.Meta{Epoch: ns.Epoch()}, order: []string{"meta"}}, ignoreOrder)
	commit(t, ns, &job.Changes{Live: []job.Live{Job(1)}})
}

// everything is a change of every kind of row.
func everything() *job.Changes {
	retries := 5
	return &job.Changes{
		Meta: &job.Meta{NextSeq: 7, NextAttempt: 8, NextEnd: 9, Clock: 10, HoldUntil: 11, Paused: true, Draining: true,
			Seed: 12, MinLive: 1, NextQueue: 13, NextGroup: 14, NextKind: 15, NextShape: 16, NextWorker: 17,
			NextEvent: 18, Events: [job.EventLogs]uint64{19, 20}, Trimmed: [job.EventLogs]uint64{21, 22}, Account: "lab", NextDepGroup: 23},
		Queues: []job.QueueRow{{ID: 1, Done: 3, Def: job.Queue{Name: "q", Definition: []byte{1, 2}, Runtime: "command", Priority: -1, Weight: 2,
			Paused: true, MaxRunning: 3, MaxPerRequest: 4, MaxAttempts: 5, Continuous: true, Interval: time.Minute, Order: job.OrderKey,
			Then: "r", Lease: time.Hour, Retries: &retries, Losses: &retries, Backoff: &job.DefaultBackoff, Account: "a", OnLost: job.OnLostHold}}, {ID: 300}},
		Groups: []job.GroupRow{{ID: 1, Name: "group", Done: 1 << 40}, {ID: 2, Name: ""}},
		Kinds:  []job.KindRow{{ID: 1, Name: "kind"}},
		Shapes: []job.ShapeRow{{ID: 70000, Shape: job.Shape{Queue: 1, Kind: 2, Account: "acc", Needs: job.Resources{"cpu": 1000, "mem": 1 << 30},
			Time: time.Hour, Labels: job.Labels{"os:linux"}, Prefer: job.Labels{"data:x"}, Limits: []job.LimitUse{{Name: "l", Weight: 2}},
			Command: true, NotPreemptible: true, Wait: true}}},
		Workers: []job.WorkerRow{{ID: 9, Worker: job.Worker{Name: "w", Parent: "p", Mode: "m", Host: "h", Pid: 1, Agent: true, Machine: "m", Boot: "b",
			Dir: "/d", Incarnation: 2, Labels: job.Labels{"a:b"}, Capacity: job.Resources{"gpu": 1}, Until: day, Data: []byte("data")}}},
		Locks: []job.LockRow{{Path: "", Owner: "o", Since: 1, Until: 2, Lease: 3}, {Path: "a/b", Since: job.TimeOf(day), Until: job.TimeOf(day), Lease: time.Hour}},
		Accounts: []job.AccountRow{{Account: job.Account{Name: "a", Description: "d", Rate: job.Quota{1, 0.5}, Window: time.Hour, MaxFanout: 3,
			LabelLimits: map[string]int{"gpu": 2}, NoFree: true}, Balance: job.Quota{-1, 0, 2.25}, At: job.TimeOf(day)}, {Account: job.Account{Name: "b"}}},
		Charges:   []job.ChargeRow{{Seq: 2, Level: 3, Cost: job.Quota{0, 0, 0, 1.5}, At: job.TimeOf(day), Share: 0.25, Victim: 1, Worker: 9}, {Seq: 1 << 33, Share: 1}},
		Limits:    []job.LimitRow{{Limit: job.Limit{Name: "l", Max: 3, Period: time.Minute, Windows: []job.Window{{From: time.Hour, To: 2 * time.Hour, Days: 2, Zone: "Europe/London"}, {Until: job.TimeOf(day)}}}, Started: []job.LimitStart{{At: job.TimeOf(day), Units: 2}}}, {Limit: job.Limit{Name: "m"}}},
		Learned:   []job.LearnedRow{{Kind: 1, Body: []byte{1, 2}}, {Kind: 300}},
		DepGroups: []job.DepGroupRow{{ID: 1, Name: "g", Done: 1 << 40}, {ID: 300, Digest: job.Digest{9, 8}, Past: job.DepReleased}},
		Depends: []job.DependRow{{Seq: 1, Groups: []job.DepGroupID{1, 300}}, {Seq: 2, On: []job.DependOn{
			{Group: 1, Condition: job.ConditionAny, Static: true, Met: true}, {Group: 300, IfAbsent: job.IfAbsentMet}}}},
		Live: []job.Live{Job(1), full(2)},
	}
}

// full is a live record with every field set.
func full(seq job.Seq) job.Live {
	return job.Live{
		Seq: seq, Digest: job.Digest{1, 2, 3, 255}, Place: 1, Priority: -2.5, Queue: 1, Group: 1 << 31, Kind: 300, Shape: 70000,
		State: job.Lost, Mark: job.MarkPreempted, Reason: job.ReasonMemory, Flags: job.FlagHold | job.FlagWait, Exit: -9,
		Version: 4, GivenVersion: 3, Size: 1 << 20, Number: 5, Starts: 4, Failures: 3, Losses: 2, Retries: 0,
		Attempt: job.AttemptID{Epoch: 7, N: 1 << 50}, Worker: 12, Outcome: job.OutcomeLost, Due: 1, Lease: 5 * time.Minute,
		Added: job.TimeOf(day), Since: job.TimeOf(day) - 5, Granted: job.TimeOf(day) + 10, Started: job.TimeOf(day) + 20,
	}
}

func testRoundTrip(t *testing.T, f Factory) {
	s, ns := open(t, f)
	c := everything()
	commit(t, ns, c)
	check := func() {
		t.Helper()
		got := Load(t, ns)
		meta := *c.Meta
		meta.Epoch = ns.Epoch()
		same(t, "contents", got, &Contents{Meta: meta, Queues: c.Queues, Groups: c.Groups, Kinds: c.Kinds, Shapes: c.Shapes, Workers: c.Workers, Locks: c.Locks,
			Accounts: c.Accounts, Charges: c.Charges, Limits: c.Limits, Learned: c.Learned, DepGroups: c.DepGroups, Depends: c.Depends, Live: c.Live}, ignoreOrder)
		want := []string{"meta", "queue", "queue", "group", "group", "kind", "shape", "worker", "lock", "lock", "account", "account", "charge", "charge",
			"limit", "limit", "learned", "learned", "depgroup", "depgroup", "depend", "depend", "live", "live"}
		same(t, "the order of loading", got.order, want)
	}
	check()
	_, ns = reopen(t, f, s, ns)
	check()
}

func testRowsGo(t *testing.T, f Factory) {
	s, ns := open(t, f)
	c := everything()
	commit(t, ns, c)
	gone := &job.Changes{
		Queues: []job.QueueRow{{ID: 1, Gone: true}}, Groups: []job.GroupRow{{ID: 1, Gone: true}}, Kinds: []job.KindRow{{ID: 1, Gone: true}},
		Shapes: []job.ShapeRow{{ID: 70000, Gone: true}}, Workers: []job.WorkerRow{{ID: 9, Gone: true}},
		Locks: []job.LockRow{{Path: "a/b", Gone: true}, {Path: "x", Gone: true}}, Gone: []job.Seq{1, 2, 5},
		Accounts: []job.AccountRow{{Account: job.Account{Name: "a"}, Gone: true}}, Charges: []job.ChargeRow{{Seq: 2, Gone: true}, {Seq: 3, Gone: true}},
		Limits: []job.LimitRow{{Limit: job.Limit{Name: "l"}, Gone: true}}, Learned: []job.LearnedRow{{Kind: 1, Gone: true}},
		DepGroups: []job.DepGroupRow{{ID: 1, Gone: true}}, Depends: []job.DependRow{{Seq: 2, Gone: true}, {Seq: 5, Gone: true}},
	}
	commit(t, ns, gone)
	commit(t, ns, gone) // what is gone can go again
	_, ns = reopen(t, f, s, ns)
	got := Load(t, ns)
	got.Meta = job.Meta{}
	same(t, "contents", got, &Contents{Queues: c.Queues[1:], Groups: c.Groups[1:], Locks: c.Locks[:1],
		Accounts: c.Accounts[1:], Charges: c.Charges[1:], Limits: c.Limits[1:], Learned: c.Learned[1:],
		DepGroups: c.DepGroups[1:], Depends: c.Depends[:1]}, ignoreOrder)
}

func testLive(t *testing.T, f Factory) {
	s, ns := open(t, f)
	var want []job.Live
	for seq := job.Seq(1); seq <= 300; seq++ {
		commit(t, ns, &job.Changes{Live: []job.Live{Job(seq)}})
		want = append(want, Job(seq))
	}
	want[9] = full(10)
	commit(t, ns, &job.Changes{Live: []job.Live{full(10)}, Gone: []job.Seq{300, 1, 2}, Meta: &job.Meta{MinLive: 3, NextSeq: 301}})
	want = want[2:299]
	_, ns = reopen(t, f, s, ns)
	same(t, "live jobs", Load(t, ns).Live, want)
}

// testOrder checks that of many commits under way the last one wins.
func testOrder(t *testing.T, f Factory) {
	s, ns := open(t, f)
	var under []interface{ Wait() error }
	for i := range 500 {
		l := Job(1)
		l.Number = uint32(i)
		c, err := ns.Commit(&job.Changes{Live: []job.Live{l}, Payloads: []job.Payload{description(job.Seq(i), 1, 10)}})
		ok(t, err)
		under = append(under, c)
		if got, err := ns.Payloads([]job.PayloadRef{{Seq: job.Seq(i), Version: 1}}); err != nil || got[0].Body == nil {
			t.Fatalf("the description of commit %d is not read after Commit returned: %v", i, err)
		}
	}
	for _, c := range under {
		ok(t, c.Wait())
	}
	_, ns = reopen(t, f, s, ns)
	if got := Load(t, ns).Live; len(got) != 1 || got[0].Number != 499 {
		t.Fatalf("live jobs %+v, want one with number 499", got)
	}
}

// testCommitCopies changes everything right after Commit returned.
func testCommitCopies(t *testing.T, f Factory) {
	s, ns := open(t, f)
	c := everything()
	c.Payloads = []job.Payload{description(1, 1, 100)}
	c.Requests = []job.Request{{Client: "c", ID: "i", At: 1, Outcome: []byte("outcome")}}
	under, err := ns.Commit(c)
	ok(t, err)
	c.Live[0] = job.Live{}
	c.Meta.NextSeq = 0
	c.Queues[0].Def.Definition[0] = 99
	c.Shapes[0].Needs["cpu"] = 99
	c.Payloads[0].Body[0] = 99
	c.Requests[0].Outcome[0] = 'X'
	ok(t, under.Wait())
	_, ns = reopen(t, f, s, ns)
	want := everything()
	want.Meta.Epoch = ns.Epoch()
	got := Load(t, ns)
	same(t, "contents", got, &Contents{Meta: *want.Meta, Queues: want.Queues, Groups: want.Groups, Kinds: want.Kinds, Shapes: want.Shapes,
		Workers: want.Workers, Locks: want.Locks, Accounts: want.Accounts, Charges: want.Charges,
		Limits: want.Limits, Learned: want.Learned, DepGroups: want.DepGroups, Depends: want.Depends, Live: want.Live}, ignoreOrder)
	p, err := ns.Payloads([]job.PayloadRef{{Seq: 1, Version: 1}})
	ok(t, err)
	samePayloads(t, p, []job.Payload{description(1, 1, 100)})
	r, _, err := ns.Request("c", "i")
	ok(t, err)
	same(t, "request", string(r.Outcome), "outcome")
}
