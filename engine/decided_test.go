package engine

import (
	"encoding/hex"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
	"github.com/muster-queue/muster/tally"
)

func (b *bench) figures(t *testing.T) *Figures {
	t.Helper()
	f, err := b.ns.Figures(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The log and the numbers tell the story of a preemption, the same also to those who
// ask after a restart and a commit that failed.
func TestStoryOfAPreemption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t)
		names := map[string]string{}
		for account, n := range map[string]int{"poor": 2, "rich": 1} {
			for i := range n {
				d := b.line(t, account, i).Live.Digest
				names[hex.EncodeToString(d[:])] = fmt.Sprint(account, i)
			}
		}
		st.live(10 * time.Second)
		st.ends("poor0")
		st.live(20 * time.Second)
		st.completes("rich0")
		st.look()
		st.completes("poor0")
		b.restart(t, 0)
		rows, _, err := b.ns.Events(b.ctx, EventsRequest{Kinds: []string{
			job.EventAssigned, job.EventPreempted, job.EventCompleted, job.EventReprioritized, job.EventUnassigned,
		}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := len(rows) - 1; i >= 0; i-- {
			e := &rows[i]
			text := fmt.Sprint(e.Kind, " ", names[e.Task], " of ", e.Account, " on ", e.Worker)
			for _, name := range []string{"priority", "reason", "cost", "preempting", "preemption_cost"} {
				if v := e.Details[name]; v != "" {
					text += fmt.Sprint(" ", name, "=", v)
				}
			}
			for _, name := range []string{"preempting_task", "preempted_task"} {
				if v := e.Details[name]; v != "" {
					text += fmt.Sprint(" ", name, "=", names[v])
				}
			}
			got = append(got, text)
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
		want := []string{
			"assigned poor0 of poor on w priority=1",
			"preempted poor0 of poor on w priority=1 cost=0 30 0 0 0 preempting_task=rich0",
			"assigned rich0 of rich on w priority=0 preempting=true preemption_cost=0 30 0 0 0 preempted_task=poor0",
			"completed rich0 of rich on w priority=0 reason=complete cost=30 30 0 0 0",
			"assigned poor0 of poor on w priority=1",
			"completed poor0 of poor on w priority=1 reason=complete cost=0 0 0 0 0",
			"assigned poor1 of poor on w priority=1",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

func TestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t, func(j *job.Job) { j.Prefer = job.Labels{"disk:ssd"} })
		f := b.figures(t)
		if f.Ready != [6]int64{0, 1} || f.Held[schedule.Free] != 0 || f.Held[0] != 1 {
			t.Errorf("ready %v, held %v", f.Ready, f.Held)
		}
		if f.Workers != (WorkerFigures{Busy: 1}) || len(f.Accounts) != 2 || f.Accounts[1].Balance != (job.Quota{500, -30}) {
			t.Errorf("workers %+v, accounts %+v", f.Workers, f.Accounts)
		}
		if d := cmp.Diff([]LabelFigures{{Label: "disk:ssd", Waiting: 1, Held: 1}}, f.Labels); d != "" {
			t.Error(d)
		}
		if f.Logged[job.AuditLog] != 2 || f.Logged[job.TaskLog] != 2 {
			t.Errorf("%v entries are kept", f.Logged)
		}
		st.ends("poor0")
		st.live(20 * time.Second)
		st.completes("rich0")
		f = b.figures(t)
		d := f.Decided
		if d.Enqueued != 3 || d.Preempted != 1 || d.Completed["complete"] != 1 || len(d.Completed) != 1 {
			t.Errorf("%+v", d)
		}
		assigned := map[tally.Assigned]int64{{Preempting: true}: 1, {ProvisionRequired: true}: 2}
		if diff := cmp.Diff(assigned, d.Assigned); diff != "" {
			t.Error(diff)
		}
		spent := map[tally.Spent]float64{{Account: "rich", Level: 0}: 20, {Account: "rich", Level: 1}: 30}
		if diff := cmp.Diff(spent, d.Spent); diff != "" {
			t.Error(diff)
		}
		if total, _ := f.Batches.Cumulative(); total == 0 {
			t.Error("no batch was counted")
		}
		adds := int64(0)
		for _, m := range f.Moves {
			if m.Cause == "add" && m.To == job.Ready {
				adds = m.N
			}
		}
		if adds != 3 {
			t.Errorf("moves %v", f.Moves)
		}
	})
}

// What was counted outlives the unloading of the namespace, and asking for it does
// not keep the namespace in memory.
func TestFiguresOfAnIdleNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{IdleUnload: time.Minute})
		b.add(t, data("a"), data("b"))
		for g := b.reserve(t, ReserveRequest{N: 2}); len(g) > 0; g = g[1:] {
			b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		}
		for range 3 * 60 * 24 { // the worker is forgotten at last
			if n := b.Running()["default"]; n != nil {
				if _, err := n.Figures(b.ctx); err != nil && !job.IsKind(err, job.Unavailable) {
					t.Fatal(err)
				}
			}
			time.Sleep(20 * time.Second)
		}
		if len(b.Running()) != 0 {
			t.Fatal("it is still in memory")
		}
		var err error
		if b.ns, err = b.Namespace(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		if f := b.figures(t); f.Decided.Enqueued != 2 || f.Decided.Completed["complete"] != 2 || f.Counts[job.Complete] != 2 {
			t.Errorf("%+v", f.Decided)
		}
	})
}
