package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/store/memory"
)

var longLeases = queue.Config{Lease: 24 * time.Hour}

// every is a schedule of data jobs of queue q.
func every(name, expression string) cron.Schedule {
	return cron.Schedule{Name: name, Expression: expression, Job: &job.Job{Queue: "q", Data: []byte("x")}}
}

func (b *bench) schedule(t *testing.T, s cron.Schedule) ScheduleState {
	t.Helper()
	state, err := b.ns.AddSchedule(By(b.ctx, "ann"), s)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// made are the times of the jobs there are of a schedule, with their states.
func (b *bench) made(t *testing.T, name string) []string {
	t.Helper()
	var all []string
	list, err := b.ns.List(b.ctx, ListRequest{Page: MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list.Jobs {
		if at, ok := strings.CutPrefix(string(i.Job.Key), name+"@"); ok {
			when, err := time.Parse(time.RFC3339Nano, at)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, when.Format(time.TimeOnly)+" "+i.Live.State.String())
		}
	}
	slices.Sort(all)
	return all
}

func wantMade(t *testing.T, b *bench, name string, want ...string) {
	t.Helper()
	if got := b.made(t, name); !slices.Equal(got, want) {
		t.Errorf("schedule %s made %q, want %q", name, got, want)
	}
}

// until lets simulated time pass until a clock time of the first of January 2000,
// where it begins, or days later.
func until(t *testing.T, clock string) {
	t.Helper()
	at, err := time.Parse(time.DateTime, "2000-01-01 "+clock)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(at))
	synctest.Wait()
}

func TestScheduleFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		s := b.schedule(t, every("nightly", "*/10 * * * *"))
		if s.Next.Std().Format(time.TimeOnly) != "00:10:00" {
			t.Errorf("it fires next at %v", s.Next.Std())
		}
		until(t, "00:09:59")
		wantMade(t, b, "nightly")
		until(t, "00:10:00")
		wantMade(t, b, "nightly", "00:10:00 ready")
		g := b.reserve(t, ReserveRequest{N: 1})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		until(t, "00:20:01")
		wantMade(t, b, "nightly", "00:10:00 complete", "00:20:00 ready")
		s, err := b.ns.Schedule(b.ctx, "nightly")
		if err != nil || s.Fired != 2 || s.Last.Key != "nightly@2000-01-01T00:20:00Z" || s.Last.State != job.Ready || s.Last.Ended != 0 {
			t.Errorf("the schedule is %+v, %v", s, err)
		}
	})
}

func TestScheduleMissed(t *testing.T) {
	for _, c := range []struct {
		policy cron.Missed
		max    int
		want   []string
		missed int64
	}{
		{cron.MissedSkip, 0, []string{"00:10:00 ready"}, 3},
		{cron.MissedOnce, 0, []string{"00:10:00 ready", "00:40:00 ready"}, 2},
		{cron.MissedAll, 0, []string{"00:10:00 ready", "00:20:00 ready", "00:30:00 ready", "00:40:00 ready"}, 0},
		{cron.MissedAll, 2, []string{"00:10:00 ready", "00:30:00 ready", "00:40:00 ready"}, 1},
	} {
		t.Run(fmt.Sprint(c.policy, c.max), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config{})
				s := every("s", "*/10 * * * *")
				s.Missed, s.MissedMax, s.Overlap = c.policy, c.max, cron.OverlapAllow
				b.schedule(t, s)
				until(t, "00:10:00")
				b.Stop(0)
				until(t, "00:45:00")
				b.start(t, Config{})
				synctest.Wait()
				wantMade(t, b, "s", c.want...)
				state, err := b.ns.Schedule(b.ctx, "s")
				if err != nil || state.Missed != c.missed || state.Next.Std().Format(time.TimeOnly) != "00:50:00" {
					t.Errorf("%d missed, next %v, %v; want %d", state.Missed, state.Next.Std(), err, c.missed)
				}
			})
		})
	}
}

func TestScheduleOverlap(t *testing.T) {
	for policy, want := range map[cron.Overlap][]string{
		cron.OverlapSkip:    {"00:10:00 reserved"},
		cron.OverlapAllow:   {"00:10:00 reserved", "00:20:00 ready", "00:30:00 ready"},
		cron.OverlapReplace: {"00:10:00 reserved", "00:20:00 buried", "00:30:00 ready"},
	} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config{Queue: longLeases})
				s := every("s", "*/10 * * * *")
				s.Overlap = policy
				b.schedule(t, s)
				until(t, "00:10:00")
				g := b.reserve(t, ReserveRequest{N: 1})
				until(t, "00:30:00")
				wantMade(t, b, "s", want...)
				if policy != cron.OverlapSkip {
					return
				}
				b.report(t, Report{Ref: refTo(g[0]), Kind: ReportBury})
				until(t, "00:40:00") // a buried one is no reason to wait
				wantMade(t, b, "s", "00:10:00 buried", "00:40:00 ready")
				state, err := b.ns.Schedule(b.ctx, "s")
				if err != nil || state.Skipped != 2 || state.Fired != 2 {
					t.Errorf("%d skipped and %d fired, %v", state.Skipped, state.Fired, err)
				}
			})
		})
	}
}

// An interval after the end of the run is counted from whatever end it has, also over
// a restart.
func TestScheduleAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{Queue: longLeases})
		b.schedule(t, every("poll", "@after 5m"))
		synctest.Wait()
		wantMade(t, b, "poll", "00:00:00 ready")
		g := b.reserve(t, ReserveRequest{N: 1})
		until(t, "00:07:00")
		wantMade(t, b, "poll", "00:00:00 reserved")
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		until(t, "00:11:59")
		wantMade(t, b, "poll", "00:00:00 complete")
		until(t, "00:12:00")
		wantMade(t, b, "poll", "00:00:00 complete", "00:12:00 ready")
		g = b.reserve(t, ReserveRequest{N: 1})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportBury})
		b.Stop(0)
		until(t, "00:16:00")
		b.start(t, Config{Queue: longLeases})
		until(t, "00:16:59")
		wantMade(t, b, "poll", "00:00:00 complete", "00:12:00 buried")
		until(t, "00:17:00")
		wantMade(t, b, "poll", "00:00:00 complete", "00:12:00 buried", "00:17:00 ready")
		if _, err := b.ns.Delete(b.ctx, Selector{Filter: &Filter{Queue: "q"}}, DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		until(t, "00:22:00") // deleted: an end as any other
		wantMade(t, b, "poll", "00:22:00 ready")
	})
}

func TestSchedulePausedChangedRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{IdleUnload: 24 * time.Hour})
		s := every("s", "*/10 * * * *")
		s.Missed, s.Overlap = cron.MissedAll, cron.OverlapAllow
		b.schedule(t, s)
		edit := func(change func(*cron.Schedule)) {
			t.Helper()
			if _, err := b.ns.ModifySchedule(b.ctx, "s", func(s *cron.Schedule) error { change(s); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		edit(func(s *cron.Schedule) { s.Paused = true })
		until(t, "00:35:00")
		edit(func(s *cron.Schedule) { s.Paused = false })
		until(t, "00:40:00")
		wantMade(t, b, "s", "00:40:00 ready")
		edit(func(s *cron.Schedule) { s.Expression, s.Zone = "45 2 * * *", "Europe/Berlin" })
		until(t, "01:46:00")
		wantMade(t, b, "s", "00:40:00 ready", "01:45:00 ready")
		run, err := b.ns.RunSchedule(b.ctx, "s")
		if err != nil || run.Last.Key != "s@2000-01-01T01:46:00Z" {
			t.Errorf("run now: %+v, %v", run.Last, err)
		}
		if err := b.ns.RemoveSchedule(b.ctx, "s"); err != nil {
			t.Fatal(err)
		}
		until(t, "23:00:00")
		wantMade(t, b, "s", "00:40:00 ready", "01:45:00 ready", "01:46:00 ready")
		if err := b.ns.RemoveSchedule(b.ctx, "s"); !job.IsKind(err, job.NotFound) {
			t.Errorf("removed twice: %v", err)
		}
		rows, _, err := b.ns.Events(b.ctx, EventsRequest{Audit: true})
		kinds := map[string]int{}
		for _, e := range rows {
			kinds[e.Kind]++
		}
		if err != nil || kinds["schedule_added"] != 1 || kinds["schedule_changed"] != 3 || kinds["schedule_run"] != 1 || kinds["schedule_removed"] != 1 {
			t.Errorf("the log has %v, %v", kinds, err)
		}
		if i := slices.IndexFunc(rows, func(e job.EventRow) bool { return e.Kind == "schedule_added" }); rows[i].Who != "ann" || rows[i].Details["expression"] != "*/10 * * * *" {
			t.Errorf("the log says %+v", rows[i])
		}
	})
}

func TestScheduleRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.schedule(t, every("there", "@daily"))
		for name, c := range map[string]struct {
			s    cron.Schedule
			kind job.ErrorKind
		}{
			"there is one": {every("there", "@hourly"), job.Exists},
			"expression":   {every("s", "* * *"), job.Invalid},
			"over":         {cron.Schedule{Name: "s", Expression: "@after 1s", Job: every("", "").Job, End: 1}, job.Invalid},
			"before any":   {cron.Schedule{Name: "s", Expression: "0 0 1 1 *", Job: every("", "").Job, End: job.TimeOf(time.Now().Add(time.Minute))}, job.Invalid},
			"no job":       {cron.Schedule{Name: "s", Expression: "@daily"}, job.Invalid},
			"bad job":      {cron.Schedule{Name: "s", Expression: "@daily", Job: &job.Job{Data: []byte("x"), Needs: job.Resources{"cpu": -1}}}, job.Invalid},
		} {
			if _, err := b.ns.AddSchedule(b.ctx, c.s); !job.IsKind(err, c.kind) {
				t.Errorf("%s: %v, want %v", name, err, c.kind)
			}
		}
		_, err := b.ns.ModifySchedule(b.ctx, "there", func(s *cron.Schedule) error { s.Name = "x"; return nil })
		if !job.IsKind(err, job.Invalid) {
			t.Errorf("renamed: %v", err)
		}
	})
}

// A namespace that nobody uses fires all the same, also after a restart; one whose
// schedules are all paused leaves memory.
func TestScheduleKeepsNamespaceAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		if err := b.CreateNamespace(b.ctx, "team"); err != nil {
			t.Fatal(err)
		}
		ns, err := b.Namespace(b.ctx, "team")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ns.AddSchedule(b.ctx, every("s", "0 3 * * *")); err != nil {
			t.Fatal(err)
		}
		until(t, "02:00:00")
		if b.Running()["team"] != ns {
			t.Fatal("the namespace was unloaded")
		}
		b.Stop(0)
		b.start(t, Config{})
		until(t, "03:00:00")
		running := b.Running()["team"]
		if running == nil {
			t.Fatal("the namespace was not loaded")
		}
		c, err := running.Counts(b.ctx, CountsRequest{})
		if err != nil || c.Total[job.Ready] != 1 {
			t.Errorf("%v jobs, %v", c.Total, err)
		}
		if _, err := running.ModifySchedule(b.ctx, "s", func(s *cron.Schedule) error { s.Paused = true; return nil }); err != nil {
			t.Fatal(err)
		}
		until(t, "04:00:00")
		if b.Running()["team"] != nil {
			t.Error("the namespace is still loaded")
		}
	})
}

// There is no room: the job is made when there is some.
func TestScheduleWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{}
		cfg.Queue.MaxJobs = 1
		b := setup(t, cfg)
		b.add(t, data("a"))
		b.schedule(t, every("s", "*/10 * * * *"))
		until(t, "00:10:05")
		wantMade(t, b, "s")
		if s, _ := b.ns.Schedule(b.ctx, "s"); !strings.Contains(s.Error, "limit is 1") {
			t.Errorf("it says %q", s.Error)
		}
		g := b.reserve(t, ReserveRequest{N: 1})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		until(t, "00:10:10")
		wantMade(t, b, "s", "00:10:00 ready")
	})
}

// Whatever happens (restarts, failing commits, waiting), a time makes one job: never
// two, and with everything made up for never none.
func TestScheduleFiresExactlyOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 12).Draw(r, "steps")
		waits := rapid.SliceOfN(rapid.IntRange(0, 400), len(steps), len(steps)).Draw(r, "waits")
		synctest.Test(t, func(t *testing.T) {
			b := &bench{store: &shelf{Store: memory.New()}, ctx: t.Context()}
			b.start(t, Config{})
			s := every("s", "* * * * *")
			s.Missed, s.MissedMax, s.Overlap = cron.MissedAll, cron.MaxMissed, cron.OverlapAllow
			b.schedule(t, s)
			for i, step := range steps {
				time.Sleep(time.Duration(waits[i]) * time.Second)
				switch step {
				case 0:
					b.Stop(0)
					time.Sleep(time.Duration(waits[i]) * time.Second)
					b.start(t, Config{})
				case 1:
					b.store.mu.Lock()
					b.store.fail = errors.New("the disk is gone")
					b.store.mu.Unlock()
				case 2:
					if g, err := b.ns.Reserve(b.ctx, ReserveRequest{N: 2, Worker: job.Worker{Name: "w"}}); err == nil && len(g) > 0 {
						_, _ = b.ns.Report(b.ctx, "w", []Report{{Ref: refTo(g[0]), Kind: ReportComplete}})
					}
				}
			}
			b.Stop(0)
			b.start(t, Config{})
			time.Sleep(time.Second)
			synctest.Wait()
			want := int(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Minute)
			made := b.made(t, "s")
			for i := range made {
				made[i], _, _ = strings.Cut(made[i], " ")
			}
			if n := len(slices.Compact(made)); n != want || len(made) != want {
				t.Errorf("%d jobs of %d times, want %d", len(made), n, want)
			}
		})
	})
}
