package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// station is an agent that a test drives by hand.
type station struct {
	t    *testing.T
	b    *bench
	name string
	s    *Session
	n    uint64
	// runs are the attempts it has, by the command lines of their jobs; stops what it
	// was told to stop.
	runs  map[string]Ref
	stops map[string]job.Mark
}

// station attaches an agent with that many cores.
func (b *bench) station(t *testing.T, name string, cores int64, labels ...string) *station {
	t.Helper()
	st := &station{t: t, b: b, name: name, runs: map[string]Ref{}, stops: map[string]job.Mark{}}
	st.attach(cores, labels...)
	return st
}

func (st *station) attach(cores int64, labels ...string) {
	st.t.Helper()
	var err error
	st.s, err = st.b.ns.Attach(st.b.ctx, AttachRequest{
		Worker: job.Worker{
			Name: st.name, Host: "host-of-" + st.name, Machine: st.name, Boot: "b", Dir: "/", Labels: labels,
			Capacity: job.Resources{job.CPU: cores * job.Thousandth},
		},
		Held: slices.Collect(maps.Values(st.runs)), Clock: int64(time.Second),
	})
	if err != nil {
		st.t.Fatal(err)
	}
	st.look()
}

// look takes the orders there are, starts what it was assigned, and tells which
// lines these were.
func (st *station) look() (started []string) {
	st.t.Helper()
	for {
		synctest.Wait()
		o, err := st.s.Take()
		if err != nil {
			st.t.Fatal(err)
		}
		if o == nil {
			slices.Sort(started)
			return started
		}
		for i := range o.Assign {
			started = append(started, st.start(&o.Assign[i]))
		}
		for _, stop := range o.Stop {
			st.stops[st.lineOf(stop.Ref)] = stop.Mark
		}
	}
}

func (st *station) start(a *Assignment) string {
	st.t.Helper()
	j, err := a.Job()
	if err != nil {
		st.t.Fatal(err)
	}
	line := j.Command.Line
	st.runs[line] = Ref{Seq: a.Seq, Attempt: a.Attempt}
	st.tell(Report{Ref: st.runs[line], Kind: ReportStart})
	return line
}

func (st *station) lineOf(ref Ref) string {
	for line, r := range st.runs {
		if r == ref {
			return line
		}
	}
	st.t.Fatalf("%s was told to stop %v, which it has not got", st.name, ref)
	return ""
}

func (st *station) tell(r Report) {
	st.t.Helper()
	st.n++
	if err := st.s.Report(st.b.ctx, []Numbered{{Number: st.n, Report: r}}); err != nil {
		st.t.Fatal(err)
	}
}

// completes reports that a run completed; ends that its command was ended.
func (st *station) completes(line string) { st.reports(line, ReportComplete, job.Result{Exited: true}) }

func (st *station) ends(line string) {
	st.reports(line, ReportRelease, job.Result{Signal: "terminated", Reason: job.ReasonSignal})
}

func (st *station) reports(line string, kind ReportKind, result job.Result) {
	st.t.Helper()
	ref, ok := st.runs[line]
	if !ok {
		st.t.Fatalf("%s does not run %q; it runs %v", st.name, line, st.runs)
	}
	delete(st.runs, line)
	delete(st.stops, line)
	st.tell(Report{Ref: ref, Kind: kind, Result: result})
	synctest.Wait()
}

// live lets time pass, with a heartbeat every ten seconds.
func (st *station) live(d time.Duration) (started []string) {
	st.t.Helper()
	for d > 0 {
		step := min(d, 10*time.Second)
		time.Sleep(step)
		d -= step
		if err := st.s.Beat(st.b.ctx, Beat{Clock: int64(time.Second)}); err != nil {
			st.t.Fatal(err)
		}
		started = append(started, st.look()...)
	}
	return started
}

// wants fails unless the lines are those given.
func wants(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("started %q, want %q", got, want)
	}
}

// commands are jobs of an account that take one core each, unless change says so.
func commands(account string, n int, change ...func(*job.Job)) []*job.Job {
	all := make([]*job.Job, n)
	for i := range all {
		all[i] = &job.Job{Account: account, Command: &job.Command{Line: fmt.Sprint(account, i)}}
		for _, c := range change {
			c(all[i])
		}
	}
	return all
}

// account makes an account.
func (b *bench) account(t *testing.T, a job.Account, balance ...float64) {
	t.Helper()
	q, err := job.QuotaOf(balance...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ns.AddAccount(b.ctx, a, q, "tester"); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) accounts(t *testing.T) map[string]AccountState {
	t.Helper()
	list, err := b.ns.Accounts(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]AccountState{}
	for _, a := range list {
		all[a.Name] = a
	}
	return all
}

// restart ends the server and starts another one on the same store, after a while.
func (b *bench) restart(t *testing.T, away time.Duration) {
	t.Helper()
	b.Stop(0)
	time.Sleep(away)
	b.start(t, Config{})
}
