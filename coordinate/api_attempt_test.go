package coordinate_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
)

type request = coordinate.AttemptRequest

var attemptCases = []aCase{
	{"77 life of an attempt", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", dict{"a": 1})
		worker := w.worker("worker")
		is(w, coordinate.Attempt(nil))(u.ActiveAttempt())
		a := w.attempt(request{})
		if a.WorkUnit().Name() != "u" || a.Worker().Name() != "worker" || a.WorkUnit().WorkSpec().Name() != "s" {
			w.t.Errorf("attempt at %s by %s", a.WorkUnit().Name(), a.Worker().Name())
		}
		has := func(status coordinate.AttemptStatus, unit coordinate.WorkUnitStatus, active, all int) {
			w.t.Helper()
			is(w, status)(a.Status())
			is(w, unit)(u.Status())
			is(w, 1)(u.NumAttempts())
			for list, want := range map[*[]coordinate.Attempt]int{
				first(worker.ActiveAttempts()): active, first(worker.AllAttempts()): all, first(u.Attempts()): 1,
			} {
				if len(*list) != want {
					w.t.Errorf("%d attempts, want %d", len(*list), want)
				}
			}
			current := must[coordinate.Attempt](w.t)(u.ActiveAttempt())
			if current == nil {
				w.t.Fatal("no active attempt")
			}
			is(w, status)(current.Status())
		}
		has(coordinate.Pending, coordinate.PendingUnit, 1, 1)
		w.ok(a.Renew(time.Minute, dict{"b": 2}))
		is(w, dict{"b": int64(2)})(a.Data())
		is(w, dict{"b": int64(2)})(u.Data())
		w.ok(a.Finish(nil))
		has(coordinate.Finished, coordinate.FinishedUnit, 0, 1)
		is(w, dict{"b": int64(2)})(u.Data())
	}},
	{"78 clearing the active attempt", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", dict{"own": true})
		for _, end := range []func(coordinate.Attempt) error{
			func(a coordinate.Attempt) error { return a.Renew(time.Minute, dict{"half": 1}) },
			func(a coordinate.Attempt) error { return a.Finish(dict{"done": 1}) },
			func(a coordinate.Attempt) error { return a.Fail(dict{"traceback": "x"}) },
		} {
			w.ok(end(w.attempt(request{})))
			w.ok(u.ClearActiveAttempt())
			is(w, coordinate.AvailableUnit)(u.Status())
			is(w, coordinate.Attempt(nil))(u.ActiveAttempt())
			is(w, dict{"own": true})(u.Data())
		}
		is(w, 3)(u.NumAttempts())
		if all := must[[]coordinate.Attempt](w.t)(u.Attempts()); len(all) != 3 {
			w.t.Errorf("%d attempts in its history", len(all))
		}
		w.ok(u.ClearActiveAttempt())
	}},
	{"79 times and data", func(w *world) {
		s := w.spec("s")
		w.unit(s, "u", dict{"a": 1})
		a := w.attempt(request{})
		start := coordinatetest.Start
		is(w, start)(a.StartTime())
		is(w, time.Time{})(a.EndTime())
		is(w, start.Add(15*time.Minute))(a.ExpirationTime())
		is(w, dict{"a": int64(1)})(a.Data())
		w.pass(time.Minute)
		w.ok(a.Renew(5*time.Minute, nil))
		is(w, start)(a.StartTime())
		is(w, start.Add(6*time.Minute))(a.ExpirationTime())
		w.pass(time.Minute)
		w.ok(a.Finish(dict{"b": 2}))
		is(w, start.Add(2*time.Minute))(a.EndTime())
		is(w, dict{"b": int64(2)})(a.Data())
	}},
	{"80 expiry", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", nil)
		a := w.attempt(request{})
		w.pass(20 * time.Minute)
		is(w, coordinate.Expired)(a.Status())
		is(w, coordinate.AvailableUnit)(u.Status())
		is(w, counts{coordinate.AvailableUnit: 1})(s.CountWorkUnitStatus())
		b := w.attempt(request{Lifetime: time.Minute})
		is(w, coordinate.Pending)(b.Status())
		if err := a.Renew(time.Minute, nil); !errors.Is(err, coordinate.ErrLostLease) {
			w.t.Errorf("renewing what another has: %v", err)
		}
		if err := a.Finish(nil); !errors.Is(err, coordinate.ErrLostLease) {
			w.t.Errorf("finishing what another has: %v", err)
		}
		w.ok(b.Finish(nil))
		if err := b.Renew(time.Minute, nil); !errors.Is(err, coordinate.ErrNotPending) {
			w.t.Errorf("renewing what is finished: %v", err)
		}
		is(w, 2)(u.NumAttempts())
	}},
	{"80 rescue", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", nil)
		a := w.attempt(request{Lifetime: time.Minute})
		w.pass(2 * time.Minute)
		is(w, coordinate.AvailableUnit)(u.Status())
		w.ok(a.Renew(time.Minute, dict{"x": 1}))
		is(w, coordinate.PendingUnit)(u.Status())
		w.none(request{})
		w.pass(2 * time.Minute)
		w.ok(a.Finish(nil))
		is(w, coordinate.FinishedUnit)(u.Status())
		is(w, dict{"x": int64(1)})(u.Data())
	}},
	{"81 retry with a delay", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", dict{"own": 1})
		a := w.attempt(request{})
		w.ok(a.Retry(dict{"x": 1}, 90*time.Second))
		is(w, coordinate.Retryable)(a.Status())
		is(w, coordinate.DelayedUnit)(u.Status())
		is(w, dict{"own": int64(1)})(u.Data())
		w.pass(time.Minute)
		w.none(request{})
		is(w, coordinate.DelayedUnit)(u.Status())
		w.pass(time.Minute)
		is(w, coordinate.AvailableUnit)(u.Status())
		w.attempt(request{})
	}},
	{"82 max_retries", func(w *world) {
		s := w.spec("s", dict{"max_retries": 2})
		u := w.unit(s, "u", nil)
		for range 2 {
			w.attempt(request{})
			w.pass(16 * time.Minute)
		}
		w.none(request{})
		is(w, coordinate.FailedUnit)(u.Status())
		is(w, dict{"traceback": "too many retries"})(u.Data())
	}},
	{"14 15 failed and finished", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", nil)
		a := w.attempt(request{})
		w.ok(a.Fail(dict{"traceback": "x"}))
		is(w, coordinate.Failed)(a.Status())
		w.ok(a.Finish(dict{"well": true}))
		is(w, coordinate.FinishedUnit)(u.Status())
		is(w, coordinate.Finished)(a.Status())
		is(w, dict{"well": true})(u.Data())
	}},
	{"87 a superseded attempt does not chain", func(w *world) {
		s := w.spec("s", dict{"then": "t"})
		then := w.spec("t")
		w.unit(s, "u", nil)
		a := w.attempt(request{Lifetime: time.Minute})
		w.pass(2 * time.Minute)
		b := w.attempt(request{})
		if err := a.Finish(dict{"output": []any{"no"}}); !errors.Is(err, coordinate.ErrLostLease) {
			w.t.Error(err)
		}
		is(w, counts{})(then.CountWorkUnitStatus())
		w.ok(b.Finish(dict{"output": dict{"yes": dict{"x": 1}}}))
		is(w, []string{"yes"})(keysLeft(then))
	}},
	{"95 96 what is asked for", func(w *world) {
		for name, runtime := range map[string]string{"python": "", "go": "go"} {
			s := w.spec(name, dict{"runtime": runtime})
			for i := range 4 {
				w.unit(s, fmt.Sprint(i), nil)
			}
		}
		from := func(want string, req request) {
			w.t.Helper()
			if got := w.attempt(req).WorkUnit().WorkSpec().Name(); got != want {
				w.t.Errorf("%+v: from %s, want %s", req, got, want)
			}
		}
		from("python", request{Runtimes: []string{""}})
		from("go", request{Runtimes: []string{"go"}})
		from("go", request{WorkSpecs: []string{"go", "none"}})
		w.none(request{WorkSpecs: []string{"none"}})
		w.none(request{Runtimes: []string{"rust"}})
		w.none(request{Runtimes: []string{"go"}, WorkSpecs: []string{"python"}})
		seen := map[string]bool{}
		for range 5 {
			seen[w.attempt(request{}).WorkUnit().WorkSpec().Name()] = true
		}
		if len(seen) != 2 {
			w.t.Errorf("without runtimes: %v", seen)
		}
	}},
	{"an attempt made by force", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", dict{"own": 1})
		a := w.attempt(request{})
		b := must[coordinate.Attempt](w.t)(w.worker("other").MakeAttempt(u, time.Minute))
		is(w, coordinate.Pending)(b.Status())
		if err := a.Finish(nil); !errors.Is(err, coordinate.ErrLostLease) {
			w.t.Errorf("the attempt before it: %v", err)
		}
		w.ok(b.Finish(nil))
		c := must[coordinate.Attempt](w.t)(w.worker("other").MakeAttempt(u, 0))
		is(w, coordinate.PendingUnit)(u.Status())
		is(w, coordinatetest.Start.Add(15*time.Minute))(c.ExpirationTime())
		is(w, 3)(u.NumAttempts())
	}},
}

// first is a pointer to a value, so that it can be the key of a map.
func first[T any](v T, _ error) *T { return &v }
