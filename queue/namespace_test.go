package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// These tests are about the namespace as a whole rather than one job's life.

func TestAdmission(t *testing.T) {
	f := newFixture(t, Config{MaxJobs: 2})
	f.add(command("a"), AddOptions{})
	f.add(command("b"), AddOptions{})
	r := f.Add([]Prepared{f.prepared(command("c")), f.prepared(command("a"))}, AddOptions{})
	if job.KindOf(r[0].Err) != job.Exhausted || r[0].Status != AddRefused || r[1].Status != AddExisted {
		t.Fatalf("%+v", r)
	}
	f = newFixture(t, Config{MaxBytes: 100})
	j := command("long long long long long long long long long long long long long long long long")
	f.add(command("a"), AddOptions{})
	if r := f.Add([]Prepared{f.prepared(j)}, AddOptions{}); job.KindOf(r[0].Err) != job.Exhausted {
		t.Fatalf("%+v", r)
	}
}

func TestAddAllOrNone(t *testing.T) {
	f := newFixture(t, Config{MaxJobs: 3})
	f.add(command("a"), AddOptions{})
	f.commit()
	f.Feed()
	bytes := f.Bytes()
	items := []Prepared{f.prepared(command("a")), f.prepared(command("b")), f.prepared(command("c")), f.prepared(command("d"))}
	r := f.Add(items, AddOptions{Whole: true})
	if len(r) != 4 || job.KindOf(r[3].Err) != job.Exhausted {
		t.Fatalf("%+v", r)
	}
	if c := f.Counts(); c.Total() != 1 || c[job.Ready] != 1 || f.Bytes() != bytes {
		t.Fatalf("%v, %d bytes, after nothing was added", c, f.Bytes())
	}
	ready := 0
	for _, feed := range f.Feed() {
		switch feed.Op {
		case FeedPush:
			ready++
		case FeedRemove:
			ready--
		}
	}
	if c := f.commit(); ready != 0 || len(c.Live) != 0 {
		t.Fatalf("the scheduler has %d, the store %d jobs of it", ready, len(c.Live))
	}
	if r = f.Add(items[:3], AddOptions{Whole: true}); len(r) != 3 || r[0].Status != AddExisted || r[2].Status != AddedNew {
		t.Fatalf("%+v", r)
	}
}

func TestSameKeyTwiceInOneAdd(t *testing.T) {
	f := newFixture(t, Config{})
	first, last := command("a"), command("a")
	last.Group = "last"
	r := f.Add([]Prepared{f.prepared(first), f.prepared(last)}, AddOptions{Existing: job.ExistingReplace})
	if r[0].Status != AddedNew || r[1].Status != AddReplaced || r[0].Seq != r[1].Seq {
		t.Fatalf("%+v", r)
	}
	if c := f.commit(); len(c.Live) != 1 || len(c.Payloads) != 2 {
		t.Fatalf("%d records, %d payloads", len(c.Live), len(c.Payloads))
	}
	if g, _ := f.GroupNamed("last"); g.Counts[job.Ready] != 1 {
		t.Fatalf("the last one does not win: %+v", g)
	}
}

func TestStaleLookUps(t *testing.T) {
	f := newFixture(t, Config{})
	f.recent.least = 0
	early := f.prepared(command("a"))
	early.Reach = f.meta.NextEnd
	g := f.run(f.add(command("a"), AddOptions{}).Seq, f.agent)
	f.end(g.Ref, Completed, 0)
	if a := f.Add([]Prepared{early}, AddOptions{})[0]; a.Status != AddExisted || a.State != job.Complete {
		t.Fatalf("while it is remembered: %+v", a)
	}
	f.commit()
	f.TrimOverlay(f.meta.NextEnd)
	if a := f.Add([]Prepared{early}, AddOptions{})[0]; a.Status != AddExisted {
		t.Fatalf("one generation more: %+v", a)
	}
	f.TrimOverlay(f.meta.NextEnd)
	if a := f.Add([]Prepared{early}, AddOptions{})[0]; a.Status != AddStale {
		t.Fatalf("when it is forgotten: %+v", a)
	}
	p := f.prepared(command("b"))
	p.Digest = early.Digest
	p.Reach = 0
	seq := f.add(command("c"), AddOptions{}).Seq
	if err := f.Modify(seq, &p); err != ErrStale {
		t.Fatalf("modify: %v", err)
	}
}

func TestNeedsTheRecord(t *testing.T) {
	f := newFixture(t, Config{})
	g := f.run(f.add(command("a"), AddOptions{}).Seq, f.agent)
	f.end(g.Ref, Completed, 0)
	f.commit()
	p := f.prepared(command("a"))
	p.Finished = nil
	a := f.Add([]Prepared{p}, AddOptions{Existing: job.ExistingRerun})[0]
	if a.Status != AddNeedFinished || a.End != 1 {
		t.Fatalf("%+v", a)
	}
}

func TestOrderOfJobs(t *testing.T) {
	f := newFixture(t, Config{})
	_, err := f.SetQueue(job.Queue{Name: "keys", Order: job.OrderKey})
	f.do(err)
	for _, k := range []string{"b", "c", "a"} {
		j := data(k)
		j.Queue = "keys"
		f.add(j, AddOptions{})
	}
	q, _ := f.QueueNamed("keys")
	all, _ := f.ByKey(job.QueueID(q.ID), 1<<job.Ready, nil, 10)
	if got := []job.Seq{all[0].Seq, all[1].Seq, all[2].Seq}; !slices.Equal(got, []job.Seq{3, 1, 2}) {
		t.Fatalf("in key order: %v", got)
	}
}

func TestQueues(t *testing.T) {
	f := newFixture(t, Config{})
	if _, err := f.SetQueue(job.Queue{Name: "q", MaxRunning: -1}); job.KindOf(err) != job.Invalid {
		t.Fatal(err)
	}
	id, err := f.SetQueue(job.Queue{Name: "q", Paused: true})
	f.do(err)
	var seqs []job.Seq
	for i := range 5 {
		j := command(fmt.Sprint(i))
		j.Queue = "q"
		seqs = append(seqs, f.add(j, AddOptions{}).Seq)
	}
	if _, ok := f.Grant(seqs[0], f.agent, 0, false); ok {
		t.Fatal("granted from a paused queue")
	}
	if again, _ := f.SetQueue(job.Queue{Name: "q", Weight: 3}); again != id {
		t.Fatal("a changed queue has another number")
	}
	g := f.run(seqs[0], f.agent)
	f.end(g.Ref, Completed, 0)
	f.run(seqs[1], f.agent)
	f.reload()
	if def, ok := f.Queue(id); !ok || def.Weight != 3 {
		t.Fatalf("after a reload: %+v", def)
	}
	want := job.Counts{job.Ready: 3, job.Running: 1, job.Complete: 1}
	if q, _ := f.QueueNamed("q"); q.Counts != want {
		t.Fatalf("counts %v", q.Counts)
	}
	if _, err := f.DeleteQueue("q", false, 100); job.KindOf(err) != job.Conflict {
		t.Fatal(err)
	}
	more, err := f.DeleteQueue("q", true, 2)
	if f.do(err); !more {
		t.Fatal("four jobs are deleted by looking at two")
	}
	if _, err := f.DeleteQueue("q", true, 100); !errors.Is(err, ErrFinishedLeft) {
		t.Fatalf("with history: %v", err)
	}
	p := f.prepared(func() job.Job { j := command("0"); j.Queue = "q"; return j }())
	f.do(f.DeleteFinished(p.Finished))
	if _, err = f.DeleteQueue("q", true, 100); job.KindOf(err) != job.Conflict {
		t.Fatalf("while a worker holds one: %v", err)
	}
	f.pass(10 * time.Minute)
	if more, err = f.DeleteQueue("q", true, 100); more || err != nil {
		t.Fatal(more, err)
	}
	if _, err = f.DeleteQueue("q", true, 100); err != job.ErrNoQueue {
		t.Fatal(err)
	}
	f.commit()
	if len(f.shelf.queues) != 0 || len(f.shelf.shapes) != 0 || len(f.shelf.live) != 0 || len(f.shelf.payloads) != 0 {
		t.Fatalf("something of the queue is left: %+v", f.shelf)
	}
}

func TestListsAreInOrder(t *testing.T) {
	f := newFixture(t, Config{})
	want := []string{}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(2000) {
		j := command(fmt.Sprint(i))
		j.Group = fmt.Sprintf("g%04d", i)
		f.add(j, AddOptions{})
		want = append(want, j.Group)
	}
	slices.Sort(want)
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page := f.Groups(after, 300)
		if len(page) == 0 {
			break
		}
		for _, g := range page {
			got = append(got, g.Name)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	for seq := range job.Seq(1999) {
		f.do(f.Delete(seq+1, false))
	}
	f.commit()
	if page := f.Groups("", 10); len(page) != 1 || len(f.shelf.groups) != 1 || len(f.groups.byID) != 1 {
		t.Fatalf("groups without jobs are still there: %v", page)
	}
}

func TestUnusedRowsAreDropped(t *testing.T) {
	f := newFixture(t, Config{})
	for i := range 3 * keepIdle {
		j := command("x")
		j.Kind, j.Needs = fmt.Sprint(i), job.Resources{"cpu": int64(i)}
		f.do(f.Delete(f.add(j, AddOptions{}).Seq, false))
		f.commit()
	}
	if n := len(f.shelf.shapes); n != keepIdle {
		t.Fatalf("%d shapes without jobs are kept", n)
	}
	for range 3 {
		f.do(f.Delete(f.add(command("x"), AddOptions{}).Seq, false))
	}
	if n := len(f.idle); n != keepIdle+1 {
		t.Fatalf("%d shapes are listed as idle", n)
	}
	f.reload()
	f.commit()
	if len(f.shelf.shapes)+len(f.shelf.kinds) != 0 {
		t.Fatalf("after a reload %d shapes and %d kinds are kept", len(f.shelf.shapes), len(f.shelf.kinds))
	}
}

func TestShapesAreShared(t *testing.T) {
	f := newFixture(t, Config{})
	shape := func(change func(*job.Job)) job.ShapeID {
		j := command(fmt.Sprint(f.meta.NextSeq))
		j.Kind = "k"
		j.Needs = job.Resources{"cpu": 1, "mem": 2, "gpu": 3}
		j.Labels, j.Limits = job.Labels{"a:1", "b:2"}, []job.LimitUse{{Name: "l"}, {Name: "m"}}
		change(&j)
		l, _ := f.BySeq(f.add(j, AddOptions{}).Seq)
		return l.Shape
	}
	base := shape(func(*job.Job) {})
	for name, same := range map[string]func(*job.Job){
		"group":    func(j *job.Job) { j.Group, j.Priority = "g", 7 },
		"labels":   func(j *job.Job) { j.Labels = job.Labels{"b:2", "a:1", "b:2"} },
		"limits":   func(j *job.Job) { j.Limits = []job.LimitUse{{Name: "m"}, {Name: "l"}} },
		"defaults": func(j *job.Job) { j.Needs = job.Resources{"cpu": 1, "mem": 2, "gpu": 3} },
		"no lists": func(j *job.Job) { j.Prefer = job.Labels{} },
	} {
		if shape(same) != base {
			t.Errorf("%s tells shapes apart", name)
		}
	}
	for name, other := range map[string]func(*job.Job){
		"queue":   func(j *job.Job) { j.Queue = "q" },
		"kind":    func(j *job.Job) { j.Kind = "other" },
		"account": func(j *job.Job) { j.Account = "a" },
		"needs":   func(j *job.Job) { j.Needs["cpu"] = 2 },
		"time":    func(j *job.Job) { j.Time = 1 },
		"prefer":  func(j *job.Job) { j.Prefer, j.Labels = j.Labels, nil },
		"limits":  func(j *job.Job) { j.Limits[0].Weight = 2 },
		"wait":    func(j *job.Job) { j.Wait = true },
		"backoff": func(j *job.Job) { j.Backoff = &job.Backoff{} },
		"lease":   func(j *job.Job) { j.Lease = time.Minute },
	} {
		if shape(other) == base {
			t.Errorf("%s does not tell shapes apart", name)
		}
	}
}

func TestDefaultNeeds(t *testing.T) {
	f := newFixture(t, Config{Needs: job.Resources{"cpu": 2000, "mem": 5}})
	needs := func(j job.Job, given job.Resources) job.Resources {
		j.Needs = given
		l, _ := f.BySeq(f.add(j, AddOptions{}).Seq)
		sh, _ := f.Shape(l.Shape)
		return sh.Needs
	}
	if d := cmp.Diff(job.Resources{"cpu": 0, "mem": 5, "gpu": 1}, needs(command("a"), job.Resources{"cpu": 0, "gpu": 1})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(job.Resources{"cpu": 2000, "mem": 5}, needs(command("b"), nil)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(job.Resources{}, needs(data("c"), nil)); d != "" {
		t.Error(d)
	}
}

func TestScan(t *testing.T) {
	f := newFixture(t, Config{})
	for i := range 1000 {
		j := command(fmt.Sprint(i))
		j.Group = fmt.Sprint("g", i%10)
		f.add(j, AddOptions{})
	}
	for i := 10; i <= 1000; i += 10 {
		_, err := f.Cancel(job.Seq(i))
		f.do(err)
	}
	g, _ := f.GroupNamed("g9")
	var found []job.Seq
	var steps int
	for from, done := job.Seq(0), false; !done; steps++ {
		var m []job.Live
		m, from, done = f.Scan(from, Filter{States: 1 << job.Buried, Group: job.GroupID(g.ID)}, 30, 77)
		for _, l := range m {
			found = append(found, l.Seq)
		}
	}
	if len(found) != 100 || !slices.IsSorted(found) || steps < 1000/77 {
		t.Fatalf("%d found in %d steps", len(found), steps)
	}
	if m, _, done := f.Scan(0, Filter{States: 1 << job.Buried}, 200, 1000); len(m) != 100 || !done {
		t.Fatalf("%d found, done %v", len(m), done)
	}
	if m, next, done := f.Scan(0, Filter{States: 1 << job.Running}, 10, 1000); len(m) != 0 || next > 1 || !done {
		t.Fatalf("a search for what the counters say is not there went on to %d", next)
	}
	if m, _, _ := f.Scan(0, Filter{Reason: job.ReasonCancelled, Group: 99}, 10, 1000); len(m) != 0 {
		t.Fatalf("%d found in no group", len(m))
	}
	gr := f.run(1, f.agent)
	if m, _, _ := f.Scan(0, Filter{Worker: f.agent}, 10, 2000); len(m) != 1 || m[0].Attempt != gr.Attempt {
		t.Fatalf("by worker: %+v", m)
	}
}

func TestModes(t *testing.T) {
	f := newFixture(t, Config{})
	j := command("x")
	j.Time = 2 * time.Hour
	a := f.add(j, AddOptions{}).Seq
	j.Command.Line, j.Time, j.Key = "y", time.Hour, ""
	b := f.add(j, AddOptions{}).Seq
	f.Pause()
	if _, ok := f.Grant(a, f.agent, 0, false); ok {
		t.Fatal("granted while paused")
	}
	f.reload()
	if _, ok := f.Grant(a, f.agent, 0, false); ok {
		t.Fatal("granted while paused, after a reload")
	}
	f.Resume()
	ga := f.run(a, f.agent)
	f.run(b, f.agent)
	f.Drain(true)
	f.pass(10 * time.Second)
	f.reload()
	if held, rest := f.Progress(); held != 2 || rest != 2*time.Hour-10*time.Second {
		t.Fatalf("%d held, %v to go", held, rest)
	}
	f.end(ga.Ref, Completed, 0)
	if held, rest := f.Progress(); held != 1 || rest != time.Hour-10*time.Second {
		t.Fatalf("%d held, %v to go", held, rest)
	}
	f.pass(2 * time.Minute)
	f.do(f.Heard(f.agent))
	if _, ok := f.Grant(f.add(command("z"), AddOptions{}).Seq, f.agent, 0, false); ok {
		t.Fatal("granted while draining")
	}
	f.Drain(false)
	f.grant(f.add(command("z"), AddOptions{}).Seq, f.agent)
}

func TestGroupsFollowTheirJobs(t *testing.T) {
	f := newFixture(t, Config{})
	j := command("x")
	j.Group = "old"
	seq := f.add(j, AddOptions{}).Seq
	f.commit()
	f.Begin(f.now)
	j.Group = "new"
	p := f.prepared(j)
	f.do(f.Modify(seq, &p))
	var told []string
	for _, e := range f.Events() {
		g, _ := f.Group(e.Group)
		told = append(told, fmt.Sprint(g, ": ", e.From, " → ", e.To))
	}
	if d := cmp.Diff([]string{"old: ready → absent", "new: absent → ready", "new: ready → ready"}, told); d != "" {
		t.Error(d)
	}
	f.commit()
	if g := f.Groups("", 9); len(g) != 1 || g[0].Name != "new" || len(f.shelf.groups) != 1 {
		t.Fatalf("groups %+v, stored %+v", g, f.shelf.groups)
	}
}

// TestDoneAndUndone: what finishes and runs again in one turn is simply live.
func TestDoneAndUndone(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	f.commit()
	f.end(f.run(seq, f.agent).Ref, Completed, 0)
	p := f.prepared(command("x"))
	p.Finished = &f.turn.finished[0]
	if a := f.Add([]Prepared{p}, AddOptions{Existing: job.ExistingRerun})[0]; a.Status != AddRerun {
		t.Fatalf("%+v", a)
	}
	c := f.commit()
	if len(c.Finished)+len(c.Forgotten)+len(c.Gone) != 0 || len(c.Live) != 1 {
		t.Fatalf("%+v", c)
	}
}

func TestRequests(t *testing.T) {
	f := newFixture(t, Config{RequestsPerClient: 3})
	for i := range 5 {
		f.Remember("c", fmt.Sprint(i), []byte{byte(i)})
	}
	f.Remember("d", "0", nil)
	if _, ok := f.Recall("c", "1"); ok {
		t.Fatal("a client may have more than its share")
	}
	if out, ok := f.Recall("c", "4"); !ok || out[0] != 4 {
		t.Fatal("the last one is gone")
	}
	f.commit()
	if len(f.shelf.requests) != 4 {
		t.Fatalf("%d stored", len(f.shelf.requests))
	}
	f.pass(59 * time.Minute)
	f.Remember("c", "9", nil)
	f.pass(time.Minute)
	if _, ok := f.Recall("c", "4"); ok {
		t.Fatal("kept for more than an hour")
	}
	if _, ok := f.Recall("c", "9"); !ok {
		t.Fatal("the new one is gone too")
	}
	f.commit()
	if len(f.shelf.requests) != 1 {
		t.Fatalf("%d stored", len(f.shelf.requests))
	}
	f.pass(time.Hour)
	if at, any := f.requests.next(); any {
		t.Fatalf("one is left until %v", at)
	}
}

func TestReserveIsRepeated(t *testing.T) {
	f := newFixture(t, Config{})
	var grants []Grant
	for i := range 3 {
		g, _ := f.Grant(f.add(data(fmt.Sprint(i)), AddOptions{}).Seq, f.puller, time.Minute, i == 1)
		grants = append(grants, g)
	}
	f.KeepReserve("s", 7, grants)
	got, known, _ := f.RepeatReserve("s", 7)
	if d := cmp.Diff(grants, got); d != "" || !known {
		t.Fatal(d)
	}
	if _, repeated, known := f.RepeatReserve("s", 8); repeated || !known {
		t.Fatal("the next sequence is taken for a repeat")
	}
	f.commit()
	r := f.shelf.requests[requestKey{ReserveClient + "s", ReserveID}]
	if seq, got, err := DecodeReserve(r.Outcome); err != nil || seq != 7 || !cmp.Equal(grants, got) {
		t.Fatalf("from the store: %d %v %v", seq, got, err)
	}
	for n := range r.Outcome {
		if _, got, err := DecodeReserve(r.Outcome[:n]); err == nil && len(got) == 3 {
			t.Fatalf("cut to %d bytes it still has three grants", n)
		}
	}
	f.KeepReserve("s", 8, nil)
	if got, known, _ := f.RepeatReserve("s", 8); !known || len(got) != 0 {
		t.Fatal("an empty answer is not repeated")
	}
}

func TestDamagedLoad(t *testing.T) {
	for name, l := range map[string]job.Live{
		"shape":   {Seq: 1, State: job.Ready, Shape: 9},
		"state":   {Seq: 1, State: job.Complete, Shape: 1},
		"unknown": {Seq: 1, State: 99, Shape: 1},
		"group":   {Seq: 1, State: job.Ready, Shape: 1, Group: 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Config{})
			s.LoadQueue(job.QueueRow{ID: 1, Def: job.Queue{Name: "q"}})
			s.LoadShape(job.ShapeRow{ID: 1, Shape: job.Shape{Queue: 1}})
			s.LoadLive(&l)
			if err := s.Loaded(start, 1, 1); job.KindOf(err) != job.Damaged {
				t.Fatal(err)
			}
		})
	}
	s := New(Config{})
	s.LoadShape(job.ShapeRow{ID: 1, Shape: job.Shape{Queue: 1}})
	if err := s.Loaded(start, 1, 1); job.KindOf(err) != job.Damaged {
		t.Fatal(err)
	}
}

func TestTurns(t *testing.T) {
	f := newFixture(t, Config{})
	f.commit()
	if c := f.Take(); !c.Empty() {
		t.Fatalf("nothing was done, but %+v", c)
	}
	seq := f.add(command("x"), AddOptions{}).Seq
	g := f.run(seq, f.agent)
	f.end(g.Ref, Released, job.ReasonExit)
	f.do(f.Kick(seq))
	c := f.Take()
	if len(c.Live) != 1 || c.Live[0].State != job.Ready || c.Live[0].Number != 1 {
		t.Fatalf("one record for a job that was touched four times, but %+v", c.Live)
	}
	kept := slices.Clone(c.Live)
	f.Begin(f.now + 1)
	f.add(command("y"), AddOptions{})
	if d := cmp.Diff(kept, c.Live); d != "" {
		t.Fatalf("the next turn writes into what was taken:\n%s", d)
	}
	f.do(f.Delete(2, false))
	if c := f.Take(); len(c.Live)+len(c.Payloads) != 0 || !slices.Equal(c.Deleted, []job.Seq{2}) {
		t.Fatalf("added and deleted in one turn: %+v", c)
	}
	f.Begin(start)
	if f.Now() != start+1 {
		t.Fatal("time went back")
	}
}
