package engine

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// unitQueue makes a queue of work units.
func unitQueue(t *testing.T, b *bench, def job.Queue) {
	t.Helper()
	def.Order, def.Definition = job.OrderKey, []byte{0xa0}
	if err := b.ns.SetQueue(t.Context(), def); err != nil {
		t.Fatal(err)
	}
}

func unit(key string, priority float64) *job.Job {
	return &job.Job{Queue: "u", Key: job.Key(key), Data: []byte("data of " + key), Priority: priority}
}

func (b *bench) units(t *testing.T, r UnitsRequest) []string {
	t.Helper()
	r.Queue = "u"
	if r.Limit == 0 {
		r.Limit = 100
	}
	units, err := b.ns.Units(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, u := range units {
		if u == nil {
			list = append(list, "none")
			continue
		}
		list = append(list, fmt.Sprintf("%s %v %q", u.Key, u.State, u.Data()))
	}
	return list
}

func wantList(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(append([]string{}, want...), got); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
}

func TestUnits(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "u"})
	b.add(t, unit("c", 0), unit("a", 0), unit("b", 0), unit("", 0), unit("\xff", 0))
	g := b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 3})
	b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete, Data: []byte("done")})
	b.report(t, Report{Ref: refTo(g[1]), Kind: ReportBury})
	wantList(t, b.units(t, UnitsRequest{}),
		` complete "done"`, `a buried "data of a"`, `b reserved "data of b"`, `c ready "data of c"`, "\xff ready "+`"data of \xff"`)
	wantList(t, b.units(t, UnitsRequest{States: []job.State{job.Complete, job.Ready}, Limit: 2}), ` complete "done"`, `c ready "data of c"`)
	wantList(t, b.units(t, UnitsRequest{States: []job.State{}}))
	wantList(t, b.units(t, UnitsRequest{After: new(job.Key("b")), Limit: 1}), `c ready "data of c"`)
	wantList(t, b.units(t, UnitsRequest{Keys: []job.Key{"c", "x", "", "c"}}), `c ready "data of c"`, "none", ` complete "done"`, `c ready "data of c"`)

	if n, err := b.ns.DeleteUnits(t.Context(), UnitsSelector{Queue: "u", Keys: []job.Key{"b", "", "x", "a"}, States: []job.State{job.Reserved, job.Complete}}); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	b.add(t, unit("b", 0))
	wantList(t, b.units(t, UnitsRequest{}), `a buried "data of a"`, `b ready "data of b"`, `c ready "data of c"`, "\xff ready "+`"data of \xff"`)
	if a := b.report(t, Report{Ref: refTo(g[2]), Kind: ReportComplete}); a.Err == nil {
		t.Fatal("a report on a deleted unit was accepted")
	}
	if err := b.ns.PrioritiseUnits(t.Context(), UnitsSelector{Queue: "u", Keys: []job.Key{"c"}}, new(2.5), 0); err != nil {
		t.Fatal(err)
	}
	if g := b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 1}); len(g) != 1 || g[0].Seq != 1 {
		t.Fatalf("%+v", g)
	}
	if n, err := b.ns.DeleteUnits(t.Context(), UnitsSelector{Queue: "u"}); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	if n, err := b.ns.DeleteUnits(t.Context(), UnitsSelector{Queue: "u", All: true}); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	wantList(t, b.units(t, UnitsRequest{}))
}

func TestPrune(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "u", KeepFinished: new(int64(3))})
	var units []*job.Job
	for i := range 20 {
		units = append(units, unit(fmt.Sprintf("%02d", i), 0))
	}
	b.add(t, units...)
	b.add(t, data("other"))
	for i, g := range b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, Queues: []string{"u"}, N: 10}) {
		kind := ReportComplete
		if i == 4 {
			kind = ReportBury
		}
		b.report(t, Report{Ref: refTo(g), Kind: kind})
	}
	b.report(t, Report{Ref: refTo(b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, Queues: []string{"q"}, N: 1})[0]), Kind: ReportComplete})
	if _, err := b.ns.Prune(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	wantList(t, b.units(t, UnitsRequest{States: []job.State{job.Complete, job.Buried}}),
		`04 buried "data of 04"`, `07 complete "data of 07"`, `08 complete "data of 08"`, `09 complete "data of 09"`)
	if c := b.counts(t); c[job.Complete] != 4 || c[job.Buried] != 1 || c[job.Ready] != 10 {
		t.Fatalf("%v", c)
	}
	b.add(t, unit("00", 0)) // its key is free again
	if n, err := b.ns.Prune(t.Context(), "u"); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}
