package schedule

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// bounded is a scheduler with one large agent, at one o'clock on the first of March
// 2026, and shapes 1, 2, … that take a core each and carry the limits given.
type bounded struct {
	t   *testing.T
	s   *Scheduler
	now job.Time
	seq job.Seq
}

func newBounded(t *testing.T, cfg Config, shapes ...[]job.LimitUse) *bounded {
	b := &bounded{t: t, s: New(cfg), now: job.TimeOf(time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC))}
	b.s.Advance(b.now)
	b.s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{job.CPU: 100_000}, Prefetch: 5})
	for i, uses := range shapes {
		b.s.DefineShape(job.ShapeID(i+1), &job.Shape{Queue: 1, Command: true, Needs: job.Resources{job.CPU: 1000}, Limits: uses})
	}
	return b
}

func (b *bounded) limit(name, text string) {
	b.t.Helper()
	l, err := job.ParseLimit(text)
	if err != nil {
		b.t.Fatal(err)
	}
	l.Name = name
	b.s.Advance(b.now)
	b.s.SetLimit(&l)
}

func (b *bounded) push(shape job.ShapeID, n int) {
	for range n {
		b.seq++
		b.s.Push(shape, Item{Seq: b.seq, Place: uint64(b.seq)})
	}
}

// pass tells which jobs are placed, and tells the scheduler that they were granted.
func (b *bounded) pass() (placed []job.Seq) {
	b.t.Helper()
	for {
		list, more := b.s.Pass(b.now, 1000)
		for _, p := range slices.Clone(list) {
			placed = append(placed, p.Seq)
			b.s.Hold(Held{Seq: p.Seq, Shape: p.Shape, Worker: p.Worker, Since: b.now, Prefetched: p.Prefetched})
		}
		if !more {
			return placed
		}
	}
}

func (b *bounded) wants(placed ...job.Seq) {
	b.t.Helper()
	if d := cmp.Diff(placed, b.pass()); d != "" {
		b.t.Fatalf("placed (-want +got):\n%s", d)
	}
}

// wakes fails unless the scheduler wants a pass after that time; zero: not at all.
func (b *bounded) wakes(after time.Duration) {
	b.t.Helper()
	at, ok := b.s.NextOpening()
	if ok != (after > 0) || ok && at != b.now.Add(after) {
		b.t.Fatalf("it wants to be woken at %v (%v), want it after %v", at.Std(), ok, after)
	}
	if wake, ok := b.s.NextWake(b.now); after > 0 && (!ok || wake > b.now.Add(after)) {
		b.t.Fatalf("it wants a pass at %v (%v), want it after %v", wake.Std(), ok, after)
	}
}

func uses(list ...job.LimitUse) []job.LimitUse { return list }

func use(name string, weight int64) job.LimitUse { return job.LimitUse{Name: name, Weight: weight} }

func TestCountLimit(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 0)), uses(use("a", 2)), nil)
	b.limit("a", "3")
	b.push(1, 2) // 1, 2
	b.push(2, 1) // 3, counts two
	b.push(1, 2) // 4, 5
	b.push(3, 1) // 6, has no limit
	b.wants(1, 2, 4, 6)
	b.s.Release(1)
	b.wants(5) // it fits, the heavier one does not
	b.s.Release(2)
	b.wants()
	b.s.Release(4)
	b.wants(3)
	b.limit("a", "1") // nothing is stopped
	b.push(1, 2)      // 7, 8
	b.wants()
	b.s.Release(3)
	b.wants() // 5 is there
	b.s.Release(5)
	b.wants(7)
	b.limit("a", "0")
	b.s.Release(7)
	b.wants()
	if !b.s.DropLimit("a") || b.s.DropLimit("a") {
		t.Error("it was there once")
	}
	b.wants(8)
	if l, ok := b.s.Limit("a", b.now); !ok || l.Known || l.Used != 1 {
		t.Errorf("lifted, it is counted: %+v", l)
	}
	b.push(1, 1)
	b.limit("a", "1") // it was counted before it was set
	b.wants()
	b.wakes(0)
	b.s.Release(8)
	b.wants(9)
}

// Who is first in the order of service gets the room, across queues and shapes.
func TestLimitKeepsTheOrderOfService(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1)), uses(use("a", 1)), uses(use("a", 1), use("b", 1)))
	b.s.SetQueue(2, QueueSettings{Priority: 5})
	b.s.DefineShape(2, &job.Shape{Queue: 2, Command: true, Needs: job.Resources{job.CPU: 1000}, Limits: uses(use("a", 1))})
	b.limit("a", "1")
	b.push(1, 2) // 1, 2
	b.push(3, 1) // 3
	b.push(2, 1) // 4, of the better queue
	b.wants(4)
	b.s.Release(4)
	b.wants(1)
	b.s.Push(3, Item{Seq: 10, Priority: 7, Place: 10})
	b.limit("b", "0")
	b.s.Release(1)
	b.wants(2) // the better one has no room in b
	b.limit("b", "5")
	b.wants()
	b.s.Release(2)
	b.wants(10)
	b.s.Release(10)
	b.wants(3)
}

func TestRateLimit(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1)), uses(use("a", 2)))
	b.limit("a", "3/minute")
	b.push(1, 9)
	b.wants(1, 2, 3)
	b.s.Release(1) // that it has ended is no matter
	b.wants()
	b.wakes(time.Minute)
	b.now = b.now.Add(59 * time.Second)
	b.wants()
	b.now = b.now.Add(time.Second)
	b.wants(4, 5, 6)
	b.limit("a", "4/minute")
	b.wants(7)
	b.now = b.now.Add(30 * time.Second)
	b.limit("a", "4/20s") // a period of 20 s is over
	b.wants(8, 9)
	b.push(2, 2) // 10, 11
	b.wants(10)
	b.wakes(20 * time.Second)
	b.limit("a", "1/minute")
	b.now = b.now.Add(time.Hour)
	b.wants()
	if e := b.s.Explain(2, Item{Seq: 11, Place: 11}, b.now); e.Cause != CauseLimit || !e.Never {
		t.Errorf("%+v", e)
	}
}

// Of a large rate, starts are kept in parts of the period: units come back up to one
// part late and never early, and there is a bound to what is kept.
func TestLargeRate(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1)))
	b.s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{job.CPU: 1e12}})
	b.limit("a", "1000/minute")
	b.push(1, 100_000)
	var starts []job.Time
	for range 4000 {
		for range b.pass() {
			starts = append(starts, b.now)
		}
		b.now = b.now.Add(100 * time.Millisecond)
		if l := b.s.limits["a"]; len(l.starts) > maxStarts {
			t.Fatalf("%d starts are kept", len(l.starts))
		}
	}
	for i := 1000; i < len(starts); i++ {
		if starts[i].Sub(starts[i-1000]) < time.Minute {
			t.Fatalf("1001 within %v", starts[i].Sub(starts[i-1000]))
		}
	}
	if want := 1000 * 6; len(starts) < want {
		t.Errorf("%d started in 400 s, want at least %d", len(starts), want)
	}
}

// A placement that came to nothing in its turn has used nothing of a rate; one that
// was granted has.
func TestRateOfWhatNeverStarted(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1)))
	b.limit("a", "1/hour")
	b.push(1, 1)
	placed, _ := b.s.Pass(b.now, 1000)
	if len(placed) != 1 {
		t.Fatal(placed)
	}
	b.s.Release(1) // the state refused it
	b.s.Push(1, Item{Seq: 1, Place: 1})
	b.wants(1)
	b.s.Release(1) // its worker gave it back
	b.s.Push(1, Item{Seq: 1, Place: 1})
	b.wants()
	b.wakes(time.Hour)
}

func TestWindowLimit(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1)))
	b.limit("a", "2; 22:00-06:00")
	b.push(1, 4)
	b.wants()
	b.wakes(9 * time.Hour)
	if e := b.s.Explain(1, Item{Seq: 1, Place: 1}, b.now); e.Cause != CauseLimit || e.Opens != b.now.Add(9*time.Hour) ||
		e.reason() != "limit a is closed at this time, and opens at 2026-03-01 22:00:00Z" {
		t.Errorf("%+v: %s", e, e.reason())
	}
	b.now = b.now.Add(9 * time.Hour)
	b.wants(1, 2)
	b.wakes(8 * time.Hour) // it closes
	b.now = b.now.Add(8 * time.Hour)
	b.s.Release(1) // what runs goes on, but nothing starts
	b.wants()
	b.wakes(16 * time.Hour)
	b.limit("a", "2; 2026-03-01..2026-03-02T06:30:00Z")
	b.wants(3)
	b.wakes(30*time.Minute + time.Hour - time.Hour)
	b.now = b.now.Add(30 * time.Minute)
	b.s.Release(2)
	b.wants()
	b.wakes(0)
	if e := b.s.Explain(1, Item{Seq: 4, Place: 4}, b.now); !e.Never || e.reason() != "limit a opens no more: its last window is over" {
		t.Errorf("%+v: %s", e, e.reason())
	}
}

// What a rate or a window is about is when jobs start, so they are not given in advance.
func TestTimedJobsAreNotPrefetched(t *testing.T) {
	for text, want := range map[string]int{"9": 4, "9/minute": 1, "9; 00:00-24:00": 1} {
		b := newBounded(t, Config{}, uses(use("a", 1)))
		b.s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{job.CPU: 1000}, Prefetch: 3})
		b.limit("a", text)
		b.push(1, 9)
		if got := len(b.pass()); got != want {
			t.Errorf("%s: %d placed, want %d", text, got, want)
		}
		b.s.DropLimit("a")
		if got := len(b.pass()); got != 4-want {
			t.Errorf("%s, lifted: %d placed, want %d", text, got, 4-want)
		}
	}
}

// A job stopped by a limit neither reserves an agent nor holds up what is behind it.
func TestLimitedHeads(t *testing.T) {
	for _, strict := range []bool{false, true} {
		b := newBounded(t, Config{HeadWait: time.Second, Strict: strict}, uses(use("a", 1)), nil)
		b.s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{job.CPU: 1000}})
		b.limit("a", "0")
		b.push(1, 1)
		b.push(2, 2) // 2, 3
		b.wants(2)
		b.now = b.now.Add(time.Minute)
		b.wants()
		for _, r := range b.s.reservations {
			if r.shape.id == 1 {
				t.Error("a job that may not start has an agent reserved")
			}
		}
		b.limit("a", "1")
		b.s.Release(2)
		b.wants(1)
	}
}

// Requirements are cut by the room of limits, which what comes first takes.
func TestRequirementsAndLimits(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 2)), uses(use("a", 1)), uses(use("a", 1), use("b", 1)), nil)
	b.s.DropWorker(1)
	b.limit("a", "5")
	b.limit("b", "0")
	b.push(1, 2)
	b.push(2, 9)
	b.push(3, 9)
	b.push(4, 9)
	got := map[job.ShapeID]int64{}
	for _, r := range b.s.Requirements(10) {
		got[r.Shape] = r.Jobs
	}
	if d := cmp.Diff(map[job.ShapeID]int64{1: 2, 2: 1, 4: 9}, got); d != "" {
		t.Error(d)
	}
}

// A pull gets no more than the limits let.
func TestPullAndLimits(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1)), uses(use("a", 1), use("b", 2)))
	b.limit("a", "3")
	b.limit("b", "3")
	for i := range 6 {
		b.seq++
		b.s.Push(job.ShapeID(1+i%2), Item{Seq: b.seq, Place: uint64(b.seq), Group: 7})
	}
	for name, p := range map[string]Pull{
		"all": {}, "queue": {Queues: []job.QueueID{1}}, "shapes": {Shapes: []job.ShapeID{1, 2}}, "group": {Groups: []job.GroupID{7}}, "kind": {Kinds: []job.KindID{0}},
	} {
		p.N, p.Command = 9, true
		placed, more := b.s.Pull(b.now, p)
		for more {
			placed, more = b.s.Pull(b.now, p)
		}
		got := make([]job.Seq, 0, len(placed))
		for _, p := range placed {
			got = append(got, p.Seq)
		}
		if d := cmp.Diff([]job.Seq{1, 2, 3}, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for _, seq := range got {
			b.s.Release(seq)
			b.s.Push(job.ShapeID(1+(seq+1)%2), Item{Seq: seq, Place: uint64(seq), Group: 7})
		}
	}
}

// With accounts: who is served is decided as ever, and a job that a limit stops
// preempts nobody, though the victim holds that very limit.
func TestLimitsAndAccounts(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1)), uses(use("a", 1)))
	b.s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{job.CPU: 1000}})
	b.s.SetAccount("rich", Account{Rate: Balance{1}, Window: time.Hour})
	b.s.SetBalance("rich", Balance{1000}, b.now)
	b.s.DefineShape(2, &job.Shape{Queue: 1, Command: true, Needs: job.Resources{job.CPU: 1000}, Limits: uses(use("a", 1)), Account: "rich"})
	b.limit("a", "1")
	b.push(1, 1)
	b.wants(1) // for free
	b.now = b.now.Add(time.Minute)
	b.push(2, 1)
	b.push(1, 1)
	b.wants()
	if p := b.s.Preemptions(); len(p) > 0 {
		t.Errorf("preempted %+v", p)
	}
	b.s.Release(1)
	b.wants(2) // the one that is paid comes first
	b.limit("a", "2")
	b.push(2, 1) // 4
	b.s.Release(2)
	b.now = b.now.Add(time.Minute)
	b.wants(4)
}

// A preemptor takes its units when it is decided, and gives them back if it comes to
// nothing.
func TestPreemptorTakesItsUnits(t *testing.T) {
	b := newBounded(t, Config{}, nil, uses(use("a", 1)))
	b.s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{job.CPU: 1000}})
	b.s.SetAccount("rich", Account{Rate: Balance{1}, Window: time.Hour})
	b.s.SetBalance("rich", Balance{1000}, b.now)
	b.s.DefineShape(2, &job.Shape{Queue: 1, Command: true, Needs: job.Resources{job.CPU: 1000}, Limits: uses(use("a", 1)), Account: "rich"})
	b.limit("a", "1; ..2026-03-01T14:00:00Z")
	b.push(1, 1)
	b.wants(1)
	b.now = b.now.Add(time.Minute)
	b.push(2, 2)
	b.wants()
	if p := b.s.Preemptions(); len(p) != 1 || p[0].Seq != 2 {
		t.Fatalf("preempted %+v", p)
	}
	if l, _ := b.s.Limit("a", b.now); l.Used != 1 {
		t.Errorf("%+v", l)
	}
	b.now = b.now.Add(2 * time.Hour) // its window is over when the victim has ended
	b.s.Release(1)
	b.wants()
	if l, _ := b.s.Limit("a", b.now); l.Used != 0 || l.Ready != 2 {
		t.Errorf("%+v", l)
	}
}

// What is stored brings back what was: rates with what is used up, and counts from
// what is held.
func TestLimitsOverAReload(t *testing.T) {
	shapes := [][]job.LimitUse{uses(use("a", 1), use("b", 2))}
	b := newBounded(t, Config{}, shapes...)
	b.limit("a", "3/hour")
	b.limit("b", "5")
	b.push(1, 9)
	b.wants(1, 2)
	rows := b.s.ChangedLimits()
	if more := b.s.ChangedLimits(); len(rows) != 2 || len(more) != 0 {
		t.Fatalf("%+v and then %+v are to be stored", rows, more)
	}
	b.s.Release(1)
	if rows := b.s.ChangedLimits(); len(rows) != 0 {
		t.Errorf("that a job ended changes no row: %+v", rows)
	}
	again := newBounded(t, Config{})
	for i := range rows {
		again.s.RestoreLimit(&rows[i])
	}
	again.s.DefineShape(1, &job.Shape{Queue: 1, Command: true, Needs: job.Resources{job.CPU: 1000}, Limits: shapes[0]})
	again.s.Hold(Held{Seq: 2, Shape: 1, Worker: 1, Since: b.now})
	if rows := again.s.ChangedLimits(); len(rows) != 0 {
		t.Errorf("a load changes no row: %+v", rows)
	}
	for _, s := range []*Scheduler{b.s, again.s} {
		list := s.Limits(b.now)
		if len(list) != 2 || list[0].Started != 2 || list[0].Used != 1 || list[1].Used != 2 {
			t.Errorf("%+v", list)
		}
	}
	again.seq = 2
	again.push(1, 5)
	again.wants(3)
}

// Nothing stays of limits that nobody set when the last job that carries them is gone.
func TestNothingStaysOfLimits(t *testing.T) {
	b := newBounded(t, Config{}, uses(use("a", 1), use("b", 1)), uses(use("a", 2)))
	b.limit("b", "1/minute; 00:00-24:00")
	b.push(1, 3)
	b.push(2, 3)
	placed := b.pass()
	b.s.DropLimit("b")
	b.s.DropShape(1)
	b.s.DropShape(2)
	for _, seq := range placed {
		b.s.Release(seq)
	}
	if len(b.s.limits)+len(b.s.limitSets)+len(b.s.timed) > 0 {
		t.Errorf("%v, %v, %v", b.s.limits, b.s.limitSets, b.s.timed)
	}
}

// lanes is a scheduler with an agent and so many lanes, one job in each, of a limit.
func lanes(n int) *Scheduler {
	s := New(Config{})
	s.SetLimit(&job.Limit{Name: "l"})
	s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{job.CPU: 4000}})
	for i := range n {
		s.DefineShape(job.ShapeID(i+1), &job.Shape{
			Queue: job.QueueID(i + 1), Command: true, Needs: job.Resources{job.CPU: 1000}, Limits: []job.LimitUse{{Name: "l"}},
		})
		s.Push(job.ShapeID(i+1), Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
	}
	for more := true; more; {
		_, more = s.Pass(1, 500)
	}
	return s
}

// Opening a limit with many lanes is part of the work that passes are given, and
// nothing is served before all are open: the first job is the first that is placed.
func TestManyLanesOpen(t *testing.T) {
	s := lanes(10_000)
	s.SetLimit(&job.Limit{Name: "l", Max: 1})
	var placed []Placement
	for calls := 1; ; calls++ {
		list, more := s.Pass(1, 500)
		if placed = append(placed, list...); !more {
			break
		}
		if left := max(0, 10_000-500*calls); len(placed) == 0 && len(s.turning) != left {
			t.Fatalf("%d lanes are left after %d calls, want %d", len(s.turning), calls, left)
		}
	}
	if len(placed) != 1 || placed[0].Seq != 1 || len(s.turning) != 0 {
		t.Errorf("placed %v, with %d lanes left", placed, len(s.turning))
	}
	s.Release(1)
	for calls := 0; ; calls++ {
		switch list, more := s.Pull(1, Pull{N: 1, Command: true}); {
		case len(list) == 1 && list[0].Seq == 2 && calls == 10_000/500-1:
			return
		case !more || calls >= 10_000/500-1:
			t.Fatalf("call %d of pulls places %v", calls, list)
		}
	}
}

// BenchmarkOpening opens and closes a limit with many lanes; longest is what one call took at most.
func BenchmarkOpening(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint("lanes=", n), func(b *testing.B) {
			s, longest := lanes(n), time.Duration(0)
			timed := func(do func()) {
				began := time.Now()
				do()
				longest = max(longest, time.Since(began))
			}
			for b.Loop() {
				for _, most := range []int64{1 << 30, 0} {
					timed(func() { s.SetLimit(&job.Limit{Name: "l", Max: most}) })
					for more := true; more; {
						timed(func() { _, more = s.Pass(1, 500) })
					}
				}
			}
			b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
		})
	}
}
