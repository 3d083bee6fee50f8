package coordinate_test

import (
	"errors"
	"slices"
	"time"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
)

var workerCases = []aCase{
	{"98 a family", func(w *world) {
		parent, other, child := w.worker("parent"), w.worker("other"), w.worker("child")
		is(w, coordinate.Worker(nil))(child.Parent())
		has := func(of coordinate.Worker, want ...string) {
			w.t.Helper()
			got := []string{}
			for _, c := range must[[]coordinate.Worker](w.t)(of.Children()) {
				got = append(got, c.Name())
			}
			if !slices.Equal(got, want) {
				w.t.Errorf("children of %s: %q, want %q", of.Name(), got, want)
			}
		}
		w.ok(child.SetParent(parent))
		if p := must[coordinate.Worker](w.t)(child.Parent()); p == nil || p.Name() != "parent" {
			w.t.Errorf("parent %v", p)
		}
		has(parent, "child")
		w.ok(child.SetParent(other))
		has(parent)
		has(other, "child")
		w.ok(child.SetParent(nil))
		has(other)
		is(w, coordinate.Worker(nil))(child.Parent())
		w.ok(child.SetParent(other))
		s := w.spec("s")
		w.unit(s, "u", nil)
		if got := must[[]coordinate.Attempt](w.t)(child.RequestAttempts(coordinate.AttemptRequest{})); len(got) != 1 {
			w.t.Errorf("%d attempts", len(got))
		}
		of := must[[]coordinate.Attempt](w.t)(other.ChildAttempts())
		if len(of) != 1 || of[0].Worker().Name() != "child" || of[0].WorkUnit().Name() != "u" {
			w.t.Errorf("attempts of children: %v", of)
		}
		if none := must[[]coordinate.Attempt](w.t)(parent.ChildAttempts()); len(none) != 0 {
			w.t.Errorf("attempts of children of the other: %v", none)
		}
		w.ok(child.Deactivate())
		is(w, false)(child.Active())
	}},
	{"99 what a worker says", func(w *world) {
		worker := w.worker("worker")
		is(w, true)(worker.Active())
		is(w, "")(worker.Mode())
		is(w, dict(nil))(worker.Data())
		until := coordinatetest.Start.Add(time.Hour)
		w.ok(worker.Update(dict{"host": "h", "list": []any{int64(1)}}, coordinatetest.Start, until, "RUN"))
		is(w, "RUN")(worker.Mode())
		is(w, dict{"host": "h", "list": []any{int64(1)}})(worker.Data())
		is(w, until)(worker.Expiration())
		is(w, coordinatetest.Start)(worker.LastUpdate())
		w.pass(2 * time.Hour)
		is(w, false)(worker.Active())
		w.ok(worker.Update(nil, coordinatetest.Start, until.Add(5*time.Hour), "IDLE"))
		is(w, true)(worker.Active())
		w.ok(worker.Deactivate())
		is(w, false)(worker.Active())
		w.ok(worker.Update(nil, coordinatetest.Start, until.Add(5*time.Hour), "IDLE"))
		is(w, true)(worker.Active())
		all := must[map[string]coordinate.Worker](w.t)(w.Workers())
		if len(all) != 1 || all["worker"] == nil {
			w.t.Errorf("workers %v", all)
		}
	}},
	{"a worker made by asking for it", func(w *world) {
		if w.remote {
			w.t.Skip("the time it lasts is counted from this machine's clock")
		}
		worker := w.worker("new")
		is(w, coordinatetest.Start.Add(15*time.Minute))(worker.Expiration())
		w.pass(16 * time.Minute)
		is(w, false)(worker.Active())
		is(w, false)(w.worker("new").Active())
	}},
	{"objects of two worlds", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", nil)
		stranger := local(w.t, coordinatetest.Stores["memory"])
		worker := stranger.worker("w")
		if _, err := worker.MakeAttempt(u, 0); !errors.Is(err, coordinate.ErrWrongBackend) {
			w.t.Errorf("an attempt at another world's unit: %v", err)
		}
		if err := worker.SetParent(w.worker("p")); !errors.Is(err, coordinate.ErrWrongBackend) {
			w.t.Errorf("a parent in another world: %v", err)
		}
	}},
}
