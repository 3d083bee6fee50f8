package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// pull asks for work as Coordinate's workers do, and says what it got: the queue,
// then the keys.
func (b *bench) pull(t *testing.T, n int, r ReserveRequest) string {
	t.Helper()
	r.N, r.OneQueue, r.Defined = n, true, true
	got := ""
	for i, g := range b.reserve(t, r) {
		if i == 0 {
			got = g.Queue
		}
		if got += " " + string(g.Key); g.Queue+"" == "" {
			t.Fatalf("a grant without its queue: %+v", g)
		}
	}
	return got
}

func (b *bench) pulls(t *testing.T, n int, r ReserveRequest, want string) {
	t.Helper()
	if got := b.pull(t, n, r); got != want {
		t.Fatalf("pulled %q; want %q", got, want)
	}
}

func in(queueName string, keys ...string) []*job.Job {
	var jobs []*job.Job
	for _, k := range keys {
		jobs = append(jobs, &job.Job{Queue: queueName, Key: job.Key(k), Data: []byte{0xa0}})
	}
	return jobs
}

func numbered(queueName string, n int) []*job.Job {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("u%03d", i+1))
	}
	return in(queueName, keys...)
}

func TestOneQueue(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "a", Weight: 1})
	unitQueue(t, b, job.Queue{Name: "b", Weight: 300, Runtime: "go"})
	unitQueue(t, b, job.Queue{Name: "limited", MaxPerRequest: 5, MaxRunning: 7})
	unitQueue(t, b, job.Queue{Name: "never", Weight: -1, Priority: 9})
	unitQueue(t, b, job.Queue{Name: "paused", Paused: true, Priority: 9})
	unitQueue(t, b, job.Queue{Name: "large", MinMemory: 8 << 30, Priority: 1})
	b.add(t, numbered("a", 99)...)
	b.add(t, numbered("b", 4)...)
	b.add(t, numbered("limited", 20)...)
	b.add(t, numbered("never", 1)...)
	b.add(t, numbered("paused", 1)...)
	b.add(t, in("large", "x", "y")...)
	b.add(t, &job.Job{Queue: "plain", Key: "p", Data: []byte{0xa0}})

	b.pulls(t, 1, ReserveRequest{Queues: []string{"never", "paused", "absent"}}, "")
	b.pulls(t, 1, ReserveRequest{Queues: []string{"plain"}}, "") // no definition
	b.pulls(t, 9, ReserveRequest{AvailableMemory: 4 << 30, Queues: []string{"large"}}, "")
	b.pulls(t, 1, ReserveRequest{}, "large x") // priority before weight
	b.pulls(t, 1, ReserveRequest{AvailableMemory: 8 << 30}, "large y")
	b.pulls(t, 10, ReserveRequest{Queues: []string{"a", "b"}}, "b u001 u002 u003 u004") // not filled up from a
	b.pulls(t, 10, ReserveRequest{Queues: []string{"a", "b"}}, "a u001 u002 u003 u004 u005 u006 u007 u008 u009 u010")
	b.pulls(t, 10, ReserveRequest{Queues: []string{"limited"}}, "limited u001 u002 u003 u004 u005")
	b.pulls(t, 10, ReserveRequest{Queues: []string{"limited"}}, "limited u006 u007")
	b.pulls(t, 10, ReserveRequest{Queues: []string{"limited"}}, "")
	b.pulls(t, 1, ReserveRequest{Runtimes: []string{"go"}}, "")
	b.pulls(t, 1, ReserveRequest{Runtimes: []string{"go", ""}}, "a u011")
}

// TestOneQueueOrder: priority, then keys by their bytes, as they were changed last.
func TestOneQueueOrder(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "u"})
	b.add(t, in("u", "longer than eight bytes: b", "longer than eight bytes: a", "\xff", "", "\x00")...)
	set := 1.0
	if err := b.ns.PrioritiseUnits(b.ctx, UnitsSelector{Queue: "u", Keys: []job.Key{"\xff"}}, &set, 0); err != nil {
		t.Fatal(err)
	}
	b.pulls(t, 9, ReserveRequest{}, "u \xff  \x00 longer than eight bytes: a longer than eight bytes: b")
}

// TestShares: two queues get jobs as their weights say, whoever asks.
func TestShares(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "a", Weight: 1})
	unitQueue(t, b, job.Queue{Name: "b", Weight: 3})
	b.add(t, numbered("a", 99)...)
	b.add(t, numbered("b", 99)...)
	got := map[string]int{}
	for range 40 {
		got[b.pull(t, 1, ReserveRequest{})[:1]]++
	}
	if got["a"] != 10 || got["b"] != 30 {
		t.Fatalf("of 40, weights 1 and 3 got %v", got)
	}
}

func TestMaxAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u", MaxAttempts: 2})
		unitQueue(t, b, job.Queue{Name: "other", Weight: 1})
		b.add(t, in("u", "a", "b")...)
		for range 2 {
			b.pulls(t, 2, ReserveRequest{Lease: time.Minute}, "u a b")
			time.Sleep(2 * time.Minute)
		}
		b.add(t, in("u", "c", "d")...)
		b.add(t, in("other", "x")...)
		b.pulls(t, 2, ReserveRequest{Queues: []string{"u"}, Lease: time.Hour}, "u c d") // the whole batch fell away
		if got := b.units(t, UnitsRequest{States: []job.State{job.Buried}}); len(got) != 2 || got[0] != `a buried "\xa1itraceback`+"p"+`too many retries"` {
			t.Fatalf("buried: %q", got)
		}
		b.add(t, in("u", "e", "f")...)
		for range 2 {
			b.pulls(t, 1, ReserveRequest{Queues: []string{"u"}, Lease: time.Minute}, "u e")
			time.Sleep(2 * time.Minute)
		}
		b.pulls(t, 2, ReserveRequest{Queues: []string{"u"}, Lease: time.Hour}, "u f") // part of it: not filled up
		b.add(t, in("u", "g")...)
		for range 2 {
			b.pulls(t, 1, ReserveRequest{Queues: []string{"u"}, Lease: time.Minute}, "u g")
			time.Sleep(2 * time.Minute)
		}
		if got := b.reserve(t, ReserveRequest{Queues: []string{"u"}}); len(got) != 0 { // the ordinary API, too
			t.Fatalf("%+v", got)
		}
		if u := b.counts(t); u[job.Buried] != 4 {
			t.Fatalf("%d buried", u[job.Buried])
		}
		b.pulls(t, 1, ReserveRequest{}, "other x")
	})
}

func TestContinuous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		def := job.Queue{Name: "u", Continuous: true, CanBeContinuous: true, Interval: time.Minute}
		unitQueue(t, b, def)
		now := func() string { return fmt.Sprintf("%d.%03d", time.Now().Unix(), time.Now().UnixMilli()%1000) }
		finish := func() {
			t.Helper()
			for _, u := range b.held(t) {
				if _, err := b.ns.Update(b.ctx, UpdateRequest{Queue: "u", Key: u.Key, To: TargetComplete}); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(7 * time.Millisecond)
		b.pulls(t, 9, ReserveRequest{}, "u "+now()) // one, whatever was asked for
		if got := b.held(t); string(got[0].Own) != "\xa0" || got[0].Priority != 0 {
			t.Fatalf("made %+v", got[0])
		}
		time.Sleep(90 * time.Second)
		b.pulls(t, 1, ReserveRequest{}, "") // one is held
		finish()
		b.pulls(t, 1, ReserveRequest{}, "u "+now())
		finish()
		time.Sleep(30 * time.Second)
		b.pulls(t, 1, ReserveRequest{}, "")
		b.Stop(0)
		b.start(t, Config{}) // the next time is kept
		b.pulls(t, 1, ReserveRequest{}, "")
		time.Sleep(30 * time.Second)
		b.pulls(t, 1, ReserveRequest{}, "u "+now())
		finish()
		b.add(t, in("u", "real")...)
		time.Sleep(2 * time.Minute)
		b.pulls(t, 1, ReserveRequest{}, "u real") // goes first, and does not count
		finish()
		key := now()
		b.pulls(t, 1, ReserveRequest{}, "u "+key)
		finish()
		def.Interval = 0
		def.Continuous = false
		unitQueue(t, b, def)
		time.Sleep(time.Hour)
		b.pulls(t, 1, ReserveRequest{}, "")
		def.Continuous = true
		unitQueue(t, b, def)
		key = now()
		for range 3 { // without time passing: the same one again
			b.pulls(t, 1, ReserveRequest{}, "u "+key)
			finish()
		}
		if c := b.counts(t); c[job.Complete] != 6 {
			t.Fatalf("%d complete; want 6", c[job.Complete])
		}
		if got := b.reserve(t, ReserveRequest{}); len(got) != 1 { // the ordinary API
			t.Fatalf("%+v", got)
		}
	})
}

// held are the units of queue u that are held.
func (b *bench) held(t *testing.T) []*Unit {
	t.Helper()
	units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: "u", States: []job.State{job.Reserved, job.Running}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return units
}

// TestContinuousWakes: who waits gets the job of a continuous queue when its time
// has come, or when the one before has ended.
func TestContinuousWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u", Continuous: true, CanBeContinuous: true, Interval: time.Minute})
		b.pull(t, 1, ReserveRequest{Lease: 10 * time.Minute})
		began := time.Now()
		wait := func() time.Duration {
			if b.pull(t, 1, ReserveRequest{Wait: time.Hour, Lease: 10 * time.Minute}) == "" {
				t.Fatal("waited for nothing")
			}
			return time.Since(began)
		}
		done := func(after time.Duration) {
			time.Sleep(after)
			if _, err := b.ns.Update(b.ctx, UpdateRequest{Queue: "u", Key: b.held(t)[0].Key, To: TargetComplete}); err != nil {
				t.Error(err)
			}
		}
		go done(time.Second)
		if got := wait(); got != time.Minute {
			t.Fatalf("came after %v; want a minute", got)
		}
		go done(3 * time.Minute)
		if got := wait(); got != 4*time.Minute {
			t.Fatalf("came after %v; want four minutes", got)
		}
	})
}

// TestOneQueueWaits: a waiting pull is served by what becomes available in any
// queue that suits it.
func TestOneQueueWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u"})
		unitQueue(t, b, job.Queue{Name: "v"})
		got := make(chan string)
		go func() { got <- b.pull(t, 5, ReserveRequest{Queues: []string{"v"}, Wait: time.Hour}) }()
		synctest.Wait()
		b.add(t, in("u", "a")...)
		synctest.Wait()
		b.add(t, in("v", "a", "b")...)
		if g := <-got; g != "v a b" {
			t.Fatalf("pulled %q", g)
		}
	})
}

func TestFairestPicksByWhatIsHeld(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "a"})
	unitQueue(t, b, job.Queue{Name: "b"})
	unitQueue(t, b, job.Queue{Name: "c"})
	for _, q := range []string{"a", "b", "c"} {
		b.add(t, numbered(q, 9)...)
	}
	var got []string
	for range 6 {
		got = append(got, b.pull(t, 1, ReserveRequest{})[:1])
	}
	if !slices.Equal(got, []string{"a", "b", "c", "a", "b", "c"}) {
		t.Fatalf("in turn: %v", got)
	}
}
