package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
	"github.com/muster-queue/muster/store/memory"
)

// receiver stands for what is at URLs.
type receiver struct {
	mu   sync.Mutex
	got  []string // "event key", in order of arrival
	ids  map[string]int
	fail func(m *notice.Message) error
	all  []notice.Facts
	when []time.Time
}

func (r *receiver) receive(ctx context.Context, m *notice.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.when = append(r.when, time.Now())
	if r.fail != nil {
		if err := r.fail(m); err != nil {
			return err
		}
	}
	var b struct {
		Type string
		Data notice.Facts
	}
	if err := json.Unmarshal([]byte(m.Body), &b); err != nil {
		return err
	}
	if r.ids == nil {
		r.ids = map[string]int{}
	}
	if r.ids[m.ID]++; r.ids[m.ID] == 1 {
		r.got = append(r.got, strings.TrimSpace(b.Type+" "+b.Data.Key+b.Data.Group))
		r.all = append(r.all, b.Data)
	}
	return nil
}

// want compares what was received, in any order.
func (r *receiver) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := slices.Sorted(slices.Values(r.got))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("received %q, want %q", got, want)
	}
}

func (b *bench) notice(t *testing.T, n notice.Notice) {
	t.Helper()
	if n.URL == "" && n.Job == nil {
		n.URL = "https://example.org/hook"
	}
	if n.On == 0 {
		n.On = notice.Ends
	}
	if _, err := b.ns.AddNotice(By(b.ctx, "ann"), n, ""); err != nil {
		t.Fatal(err)
	}
}

// end takes a job and ends it.
func (b *bench) end(t *testing.T, kind ReportKind) {
	t.Helper()
	g := b.reserve(t, ReserveRequest{N: 1})
	if len(g) != 1 {
		t.Fatal("no job to end")
	}
	b.report(t, Report{Ref: refTo(g[0]), Kind: ReportStart})
	if a := b.report(t, Report{Ref: refTo(g[0]), Kind: kind, Result: job.Result{Reason: job.ReasonWorker}}); a.Err != nil {
		t.Fatal(a.Err)
	}
}

func TestNoticeOfEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		b := setup(t, Config{Webhook: r.receive})
		b.add(t, data("before"))
		b.end(t, ReportComplete)
		b.notice(t, notice.Notice{Name: "all"})
		b.add(t, data("a"), data("b"))
		b.end(t, ReportComplete)
		b.end(t, ReportBury)
		r.want(t, "job.complete a", "job.buried b")
		i := slices.IndexFunc(r.all, func(f notice.Facts) bool { return f.Key == "b" })
		f := r.all[i]
		if f.Queue != "q" || f.Namespace != "default" || f.Notice != "all" || f.State != "buried" || f.Worker != "w" || f.Attempt != 1 ||
			f.ID != taskText(job.DigestOf("q", "b")) || f.Ended == "" || f.ExitCode == nil || f.Reason == "" {
			t.Errorf("told %+v", f)
		}
		s, err := b.ns.Notice(b.ctx, "all")
		if err != nil || s.Delivered != 2 || s.Pending != 0 || s.Error != "" {
			t.Errorf("the notice is %+v, %v", s, err)
		}
	})
}

func TestNoticeScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		b := setup(t, Config{Webhook: r.receive})
		b.notice(t, notice.Notice{Name: "queue", Queue: "q", URL: "https://queue.org", On: 1 << notice.Complete})
		b.notice(t, notice.Notice{Name: "other", Queue: "p"})
		b.notice(t, notice.Notice{Name: "key", Queue: "q", Key: "a"})
		b.notice(t, notice.Notice{Name: "account", Account: "acme"})
		b.notice(t, notice.Notice{Name: "group", Group: "g"})
		a, c := data("a"), data("c")
		c.Group, c.Account = "g", "acme"
		b.add(t, a)
		b.end(t, ReportComplete)
		r.want(t, "job.complete a", "job.complete a")
		b.add(t, c)
		b.end(t, ReportBury)
		r.want(t, "job.complete a", "job.complete a", "job.buried cg", "job.buried cg")
	})
}

// Each time no unfinished job of a group is left, that is told once, with the counts.
func TestNoticeOfGroupEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		b := setup(t, Config{Webhook: r.receive})
		b.notice(t, notice.Notice{Name: "end", Group: "g", On: 1 << notice.GroupEnd})
		in := func(key string) *job.Job { j := data(key); j.Group = "g"; return j }
		b.add(t, in("a"), in("b"), in("c"), data("other"))
		b.end(t, ReportComplete)
		b.end(t, ReportBury)
		r.want(t)
		if _, err := b.ns.Delete(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "c"}}}, DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		r.want(t, "group.end g")
		if c := r.all[0].Counts; len(c) != 2 || c["complete"] != 1 || c["buried"] != 1 {
			t.Errorf("counts %v", c)
		}
		if _, err := b.ns.Kick(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "b"}}}); err != nil {
			t.Fatal(err)
		}
		b.end(t, ReportComplete) // other
		b.end(t, ReportComplete)
		r.want(t, "group.end g", "group.end g")
	})
}

func TestNoticeOfFailuresAndLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		b := setup(t, Config{Webhook: r.receive})
		b.notice(t, notice.Notice{Name: "n", On: 1<<notice.Failed | 1<<notice.Lost})
		j := &job.Job{Queue: "q", Key: "k", Command: &job.Command{Line: "false"}, Needs: job.Resources{job.CPU: 0}}
		b.add(t, j)
		g := b.reserve(t, ReserveRequest{N: 1, Commands: true})
		if len(g) != 1 {
			t.Fatal("no job")
		}
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportStart})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportRelease, Result: job.Result{ExitCode: 3, Exited: true}})
		r.want(t, "job.failed k")
		if f := r.all[0]; f.ExitCode == nil || *f.ExitCode != 3 || f.Reason != "exit" || f.State != "delayed" {
			t.Errorf("told %+v", f)
		}
	})
}

// A receiver that fails gets the same delivery again after longer and longer pauses,
// up to a day; then it is with the dead, from where it can be brought back.
func TestNoticeRetriesAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{fail: func(*notice.Message) error { return errors.New("out to lunch") }}
		b := setup(t, Config{Webhook: r.receive, IdleUnload: 72 * time.Hour})
		b.notice(t, notice.Notice{Name: "n"})
		b.add(t, data("a"))
		b.end(t, ReportComplete)
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		if len(r.when) < 25 || len(r.when) > 60 {
			t.Errorf("%d tries in a day", len(r.when))
		}
		for i := 1; i < len(r.when); i++ {
			pause := r.when[i].Sub(r.when[i-1])
			if least := min(5*time.Second<<min(i-1, 20), time.Hour); pause < least || pause > 2*least+6*time.Second {
				t.Errorf("pause %d is %v", i, pause)
			}
		}
		if last := r.when[len(r.when)-1].Sub(r.when[0]); last > 24*time.Hour {
			t.Errorf("tried for %v", last)
		}
		dead, err := b.ns.ListDeliveries("", true, "", 10)
		s, _ := b.ns.Notice(b.ctx, "n")
		if err != nil || len(dead) != 1 || dead[0].Facts.Key != "a" || dead[0].Error != "out to lunch" || s.Dead != 1 || s.Pending != 0 || s.Error != "out to lunch" {
			t.Fatalf("dead %+v, %v; the notice is %+v", dead, err, s)
		}
		r.fail = nil
		if n, err := b.ns.RetryDeliveries(b.ctx, "n"); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		r.want(t, "job.complete a")
		if r.ids[dead[0].ID] != 1 {
			t.Errorf("ids %v, want %s", r.ids, dead[0].ID)
		}
		if dead, _ := b.ns.ListDeliveries("", true, "", 10); len(dead) != 0 {
			t.Errorf("still dead: %+v", dead)
		}
	})
}

// What the receiver says counts: gone is final, and it may ask for a pause.
func TestNoticeRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		answers := []error{
			&notice.Refusal{Err: errors.New("busy"), After: 10 * time.Minute},
			&notice.Refusal{Err: errors.New("gone"), Final: true},
		}
		r.fail = func(*notice.Message) error { return answers[min(len(r.when), 2)-1] }
		b := setup(t, Config{Webhook: r.receive, IdleUnload: 72 * time.Hour})
		b.notice(t, notice.Notice{Name: "n"})
		b.add(t, data("a"))
		b.end(t, ReportComplete)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if len(r.when) != 2 || r.when[1].Sub(r.when[0]) < 10*time.Minute {
			t.Errorf("tries at %v", r.when)
		}
		if n, err := b.ns.RemoveDeliveries(b.ctx, "", "no such id"); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := b.ns.RemoveDeliveries(b.ctx, "n"); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// One that is slow or fails holds up nobody else.
func TestNoticeSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		slow := make(chan struct{})
		b := setup(t, Config{Webhook: func(ctx context.Context, m *notice.Message) error {
			if strings.Contains(m.URL, "slow") {
				select {
				case <-slow:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return r.receive(ctx, m)
		}})
		b.notice(t, notice.Notice{Name: "slow", URL: "https://slow.org"})
		b.notice(t, notice.Notice{Name: "quick"})
		want := []string{}
		for i := range 10 {
			b.add(t, data(fmt.Sprint(i)))
			b.end(t, ReportComplete)
			want = append(want, fmt.Sprint("job.complete ", i))
		}
		r.want(t, want...)
		close(slow)
		time.Sleep(time.Hour) // what was given up for its time comes again
		r.want(t, append(want, want...)...)
	})
}

// A command is added as a job, which knows what it is about, and of which nobody is
// told.
func TestNoticeHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.notice(t, notice.Notice{Name: "hook", Job: &job.Job{Queue: "hooks", Command: &job.Command{Line: "mail"}}})
		b.add(t, data("a"))
		b.end(t, ReportComplete)
		synctest.Wait()
		g := b.reserve(t, ReserveRequest{N: 1, Queues: []string{"hooks"}, Commands: true})
		if len(g) != 1 {
			t.Fatalf("%d hooks", len(g))
		}
		j, err := g[0].Job()
		if err != nil || j.Group != "muster.notice/hook" || !slices.Contains(j.Command.Env, "MUSTER_NOTICE_KEY=a") || !slices.Contains(j.Command.Env, "MUSTER_NOTICE_STATE=complete") {
			t.Fatalf("the hook is %+v, %v", j, err)
		}
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportBury})
		time.Sleep(time.Minute)
		synctest.Wait()
		if c := b.counts(t); c.Live() != 1 || c[job.Buried] != 1 {
			t.Errorf("jobs %v", c)
		}
	})
}

func TestNoticePausedTestedRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		b := setup(t, Config{Webhook: r.receive, IdleUnload: 48 * time.Hour})
		b.notice(t, notice.Notice{Name: "n", Paused: true})
		b.add(t, data("a"))
		b.end(t, ReportComplete)
		time.Sleep(time.Hour)
		r.want(t)
		if s, _ := b.ns.Notice(b.ctx, "n"); s.Pending != 1 {
			t.Errorf("%d pending", s.Pending)
		}
		if _, err := b.ns.ModifyNotice(b.ctx, "n", "", func(n *notice.Notice) error { n.Paused = false; return nil }); err != nil {
			t.Fatal(err)
		}
		r.want(t, "job.complete a")
		id, err := b.ns.TestNotice(b.ctx, "n")
		if err != nil || r.ids[id] != 1 {
			t.Errorf("test %s: %v; received %v", id, err, r.ids)
		}
		r.fail = func(*notice.Message) error { return errors.New("no") }
		if _, err := b.ns.TestNotice(b.ctx, "n"); err == nil {
			t.Error("a test that fails says nothing")
		}
		b.add(t, data("b"))
		b.end(t, ReportComplete)
		if err := b.ns.RemoveNotice(b.ctx, "n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // a delivery that is under way goes on, and fails
		r.fail = nil
		time.Sleep(time.Hour)
		r.want(t, "job.complete a", "test")
		if left, err := b.ns.ListDeliveries("", false, "", 10); len(left) != 0 || err != nil {
			t.Errorf("left: %+v, %v", left, err)
		}
	})
}

// Whatever is interrupted when, no end is left untold, and each has one id.
func TestNoticeLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 15).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			r := &receiver{}
			cfg := Config{Webhook: r.receive}
			b := &bench{store: &shelf{Store: memory.New()}, ctx: t.Context()}
			b.start(t, cfg)
			b.notice(t, notice.Notice{Name: "n", On: 1 << notice.Complete})
			for i, step := range steps {
				switch step {
				case 0:
					b.Stop(0)
					b.start(t, cfg)
				case 1:
					b.store.mu.Lock()
					b.store.fail = errors.New("the disk is gone")
					b.store.mu.Unlock()
				case 2:
					r.mu.Lock()
					r.fail = func(*notice.Message) error { return errors.New("no") }
					r.mu.Unlock()
				case 3:
					r.mu.Lock()
					r.fail = nil
					r.mu.Unlock()
				default:
					key := fmt.Sprint(i)
					if _, err := b.ns.Add(b.ctx, AddRequest{Jobs: []*job.Job{data(key)}}); err != nil {
						continue
					}
					if g, err := b.ns.Reserve(b.ctx, ReserveRequest{N: 1, Worker: job.Worker{Name: "w"}}); err == nil && len(g) == 1 {
						_, _ = b.ns.Report(b.ctx, "w", []Report{{Ref: refTo(g[0]), Kind: ReportComplete}})
					}
				}
			}
			r.mu.Lock()
			r.fail = nil
			r.mu.Unlock()
			b.Stop(0)
			b.start(t, cfg)
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			c, err := b.Namespace(b.ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			counts, err := c.Counts(b.ctx, CountsRequest{})
			if err != nil || int64(len(r.ids)) != counts.Total[job.Complete] {
				t.Errorf("%d ends were told of %d, %v", len(r.ids), counts.Total[job.Complete], err)
			}
		})
	})
}
