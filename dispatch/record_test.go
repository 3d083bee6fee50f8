package dispatch

import (
	"context"
	"strings"
	"testing"

	"github.com/muster-queue/muster/job"
)

// stored is a pool's records as a store keeps them.
type stored map[string]Record

func (st stored) put(changed []Record) {
	for _, r := range changed {
		if r.Gone {
			delete(st, r.Key)
		} else {
			st[r.Key] = r
		}
	}
}

func (st stored) load(t reporter) *Pool {
	t.Helper()
	var all []Record
	for _, r := range st {
		all = append(all, r)
	}
	p, err := LoadPool(all)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (st stored) keys() string {
	var all []string
	for key := range st {
		all = append(all, key)
	}
	return strings.Join(job.Labels(all).Sorted(), " ")
}

// TestRecords: what changed, stored one over the other, is the pool.
func TestRecords(t *testing.T) {
	w := preempted(t)
	p, st := &Pool{Scheduler: w.s, Reconciler: w.r}, stored{}
	st.put(p.Changed())
	want := "account/a config/ queue/Worker1 request/Request2 worker/Worker1"
	if got := st.keys(); got != want {
		t.Fatalf("stored: %s, want %s", got, want)
	}
	if again := p.Changed(); len(again) > 0 {
		t.Fatalf("nothing changed but %v", again)
	}
	w.samePool(p, st.load(t))

	w.tellAbsent("Request1", 2)
	w.ok(w.r.AddTaskError("bad", errText("no slices")))
	w.calls(30, "Worker2 os:linux")
	w.tellWaiting("Request3", "b", "x", 31)
	st.put(p.Changed())
	w.samePool(p, st.load(t))

	p.Wipe(at(40))
	st.put(p.Changed())
	if got := st.keys(); got != "account/a config/" {
		t.Fatalf("after a wipe there is %s", got)
	}
	w.samePool(p, st.load(t))
	if b := p.Scheduler.GetBalances()["a"]; b != (Balance{}) {
		t.Fatalf("after a wipe the account has %v", b)
	}
}

type errText string

func (e errText) Error() string { return string(e) }

// samePool wants two pools to be the same, but for the times at which requests were
// examined.
func (w *world) samePool(want, got *Pool) {
	w.t.Helper()
	a, b := want.view(), got.view()
	w.same(a, b)
}

// view is all that can be seen of a pool, in comparable form.
type view struct {
	Config   Config
	Balances map[AccountID]Balance
	Waiting  map[RequestID]TaskRequest
	Workers  map[WorkerID]Worker
	Queues   []WorkerQueue
	Cancel   []Cancellation
	Time     string
}

func (p *Pool) view() view {
	s := p.Scheduler
	v := view{
		Config: s.Config(), Balances: s.GetBalances(), Waiting: s.GetWaitingRequests(), Workers: s.GetWorkers(),
		Queues: p.Reconciler.WorkerQueues(), Cancel: p.Reconciler.Cancellations(context.Background()), Time: s.Time().String(),
	}
	v.Config.Recheck = 0
	for id, r := range v.Waiting {
		r.ExaminedTime = unixZero
		v.Waiting[id] = r
	}
	for _, w := range v.Workers {
		if w.Running != nil {
			w.Running.Request.ExaminedTime = unixZero
		}
	}
	return v
}

// TestRecordsDamaged: what cannot be read is named.
func TestRecordsDamaged(t *testing.T) {
	w := preempted(t)
	p, st := &Pool{Scheduler: w.s, Reconciler: w.r}, stored{}
	st.put(p.Changed())
	for _, c := range []struct{ without, with, want string }{
		{without: "config/", want: "config/"},
		{without: "worker/Worker1", want: "request/Request2"},
		{with: "worker/x", want: "worker/x"},
		{with: "boat/x", want: "boat/x"},
	} {
		var all []Record
		for key, r := range st {
			if key != c.without {
				all = append(all, r)
			}
		}
		if c.with != "" {
			all = append(all, Record{Key: c.with, Body: []byte{0xff}})
		}
		_, err := LoadPool(all)
		if !job.IsKind(err, job.Damaged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("without %q, with %q: %v", c.without, c.with, err)
		}
	}
}
