package coordinate_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/coordinate"
)

var specCases = []aCase{
	{"69 default meta", func(w *world) {
		is(w, coordinate.WorkSpecMeta{Weight: 20})(w.spec("s").Meta(true))
	}},
	{"70 meta from keys", func(w *world) {
		s := w.spec("s", dict{
			"priority": 1, "weight": 2, "disabled": true, "continuous": true, "interval": 0.5, "max_running": 3, "max_getwork": 4,
			"max_retries": 5, "then": "t", "runtime": "go", "min_gb": 2.0,
		})
		is(w, coordinate.WorkSpecMeta{
			Priority: 1, Weight: 2, Paused: true, Continuous: true, CanBeContinuous: true, Interval: time.Second / 2, MinMemoryGb: 2,
			MaxRunning: 3, MaxAttemptsReturned: 4, MaxRetries: 5, NextWorkSpecName: "t", Runtime: "go",
		})(s.Meta(false))
	}},
	{"72 SetMeta limits", func(w *world) {
		s := w.spec("s", dict{"then": "t", "runtime": "go"})
		w.ok(s.SetMeta(coordinate.WorkSpecMeta{
			Priority: 10, Weight: 100, Paused: true, Continuous: true, CanBeContinuous: true, MinMemoryGb: 1, Interval: time.Minute, MaxRunning: 1,
			MaxAttemptsReturned: 2, MaxRetries: 3, NextWorkSpecName: "u", Runtime: "rust", AvailableCount: 9, PendingCount: 9,
		}))
		is(w, coordinate.WorkSpecMeta{
			Priority: 10, Weight: 100, Paused: true, MinMemoryGb: 1, Interval: time.Minute, MaxRunning: 1, MaxAttemptsReturned: 2, MaxRetries: 3,
			NextWorkSpecName: "t", Runtime: "go",
		})(s.Meta(true))
		c := w.spec("c", dict{"continuous": true})
		w.ok(c.SetMeta(coordinate.WorkSpecMeta{Weight: 0}))
		is(w, coordinate.WorkSpecMeta{CanBeContinuous: true})(c.Meta(false))
		w.ok(c.SetMeta(coordinate.WorkSpecMeta{Weight: 1, Continuous: true}))
		is(w, coordinate.WorkSpecMeta{Weight: 1, Continuous: true, CanBeContinuous: true})(c.Meta(false))
	}},
	{"73 SetData errors", func(w *world) {
		s := w.spec("s", dict{"a": 1})
		for want, data := range map[error]dict{
			coordinate.ErrNoWorkSpecName: {}, coordinate.ErrBadWorkSpecName: {"name": 4}, coordinate.ErrChangedName: {"name": "t"},
		} {
			if err := s.SetData(data); !errors.Is(err, want) {
				w.t.Errorf("%v: %v, want %v", data, err, want)
			}
		}
		is(w, dict{"name": "s", "a": int64(1)})(s.Data())
		w.ok(s.SetMeta(coordinate.WorkSpecMeta{Weight: 7, Paused: true}))
		w.ok(s.SetData(dict{"name": "s", "b": 2, "weight": 3}))
		is(w, dict{"name": "s", "b": int64(2), "weight": int64(3)})(s.Data())
		is(w, coordinate.WorkSpecMeta{Weight: 3})(s.Meta(false))
	}},
	{"74 names at creation", func(w *world) {
		for want, data := range map[error]dict{coordinate.ErrNoWorkSpecName: {}, coordinate.ErrBadWorkSpecName: {"name": 4}} {
			if _, err := w.SetWorkSpec(data); !errors.Is(err, want) {
				w.t.Errorf("%v: %v, want %v", data, err, want)
			}
		}
		is(w, []string{})(w.WorkSpecNames())
	}},
	{"75 an empty list stays one", func(w *world) {
		s := w.spec("s", dict{"config": dict{"list": []any{}, "map": dict{}, "null": nil}})
		is(w, dict{"name": "s", "config": dict{"list": []any{}, "map": dict{}, "null": nil}})(s.Data())
	}},
	{"work specs of a namespace", func(w *world) {
		w.spec("b")
		w.spec("a")
		is(w, []string{"a", "b"})(w.WorkSpecNames())
		s := must[coordinate.WorkSpec](w.t)(w.Namespace.WorkSpec("a"))
		if s.Name() != "a" {
			w.t.Error(s.Name())
		}
		w.ok(w.DestroyWorkSpec("a"))
		is(w, []string{"b"})(w.WorkSpecNames())
		for _, err := range []error{w.DestroyWorkSpec("a"), second(w.Namespace.WorkSpec("a"))} {
			if !errors.Is(err, coordinate.ErrNoSuchWorkSpec{Name: "a"}) {
				w.t.Error(err)
			}
		}
	}},
	{"76 meta counts", func(w *world) {
		s := w.spec("s")
		w.unit(s, "u", nil)
		has := func(available, pending int) {
			w.t.Helper()
			m := must[coordinate.WorkSpecMeta](w.t)(s.Meta(true))
			if m.AvailableCount != available || m.PendingCount != pending {
				w.t.Errorf("%d available, %d pending; want %d, %d", m.AvailableCount, m.PendingCount, available, pending)
			}
		}
		has(1, 0)
		a := w.attempt(coordinate.AttemptRequest{})
		has(0, 1)
		w.ok(a.Expire(nil))
		has(1, 0)
		a = w.attempt(coordinate.AttemptRequest{})
		w.ok(a.Retry(nil, 0))
		has(1, 0)
		w.ok(w.attempt(coordinate.AttemptRequest{}).Finish(nil))
		has(0, 0)
		is(w, counts{coordinate.FinishedUnit: 1})(s.CountWorkUnitStatus())
	}},
	{"97 what was deleted", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", nil)
		a := w.attempt(coordinate.AttemptRequest{})
		is(w, 1)(s.DeleteWorkUnits(coordinate.WorkUnitQuery{}))
		for name, err := range map[string]error{
			"data": second(u.Data()), "status": second(u.Status()), "meta": second(u.Meta()), "priority": u.SetPriority(1), "attempts": second(u.Attempts()),
			"set meta": u.SetMeta(coordinate.WorkUnitMeta{}), "active": second(u.ActiveAttempt()), "clear": u.ClearActiveAttempt(), "number": second(u.NumAttempts()),
			"finish": a.Finish(nil), "renew": a.Renew(time.Minute, nil), "attempt": second(a.Status()), "unit": second(s.WorkUnit("u")),
		} {
			if !isGone(err) {
				w.t.Errorf("%s of a deleted unit: %v", name, err)
			}
		}
		w.ok(w.DestroyWorkSpec("s"))
		for name, err := range map[string]error{
			"data": second(s.Data()), "set data": s.SetData(dict{"name": "s"}), "meta": second(s.Meta(true)), "set meta": s.SetMeta(coordinate.WorkSpecMeta{}),
			"add": second(s.AddWorkUnit("u", nil, coordinate.WorkUnitMeta{})), "units": second(s.WorkUnits(coordinate.WorkUnitQuery{})), "unit": second(s.WorkUnit("u")),
			"count": second(s.CountWorkUnitStatus()), "delete": second(s.DeleteWorkUnits(coordinate.WorkUnitQuery{})), "unit's data": second(u.Data()),
			"prioritise": s.SetWorkUnitPriorities(coordinate.WorkUnitQuery{}, 1), "summary": second(s.Summarize()),
		} {
			if !isGone(err) {
				w.t.Errorf("%s of a deleted work spec: %v", name, err)
			}
		}
		ns := must[coordinate.Namespace](w.t)(w.all.Namespace("other"))
		_, err := ns.SetWorkSpec(dict{"name": "s"})
		w.ok(err)
		w.ok(ns.Destroy())
		for name, err := range map[string]error{
			"destroy": ns.Destroy(), "set": second(ns.SetWorkSpec(dict{"name": "s"})), "names": second(ns.WorkSpecNames()), "worker": second(ns.Worker("w")),
			"workers": second(ns.Workers()), "spec": second(ns.WorkSpec("s")),
		} {
			if !isGone(err) {
				w.t.Errorf("%s of a destroyed namespace: %v", name, err)
			}
		}
	}},
	{"106 deleted and made again", func(w *world) {
		s := w.spec("s")
		u := w.unit(s, "u", dict{"a": 1})
		w.ok(w.DestroyWorkSpec("s"))
		w.spec("s", dict{"again": true})
		is(w, dict{"name": "s", "again": true})(s.Data())
		w.unit(s, "u", dict{"b": 2})
		is(w, dict{"b": int64(2)})(u.Data())
	}},
	{"namespaces", func(w *world) {
		ns := must[coordinate.Namespace](w.t)(w.all.Namespace("other"))
		_, err := ns.SetWorkSpec(dict{"name": "s"})
		w.ok(err)
		is(w, []string{})(w.WorkSpecNames())
		all := must[map[string]coordinate.Namespace](w.t)(w.all.Namespaces())
		if len(all) != 2 || all[""].Name() != "" || all["other"].Name() != "other" {
			w.t.Errorf("namespaces %v", all)
		}
		is(w, []string{"s"})(all["other"].WorkSpecNames())
	}},
	{"summaries", func(w *world) {
		s := w.spec("s")
		w.unit(s, "a", nil)
		w.unit(s, "b", nil)
		w.attempt(coordinate.AttemptRequest{})
		w.spec("empty")
		want := coordinate.Summary{
			{WorkSpec: "s", Status: coordinate.AvailableUnit, Count: 1}, {WorkSpec: "s", Status: coordinate.PendingUnit, Count: 1},
		}
		for _, from := range []coordinate.Summarizable{s, w.Namespace, w.all} {
			got := must[coordinate.Summary](w.t)(from.Summarize())
			slices.SortFunc(got, func(a, b coordinate.SummaryRecord) int { return strings.Compare(a.Status.String(), b.Status.String()) })
			if !reflect.DeepEqual(got, want) {
				w.t.Errorf("%T: %v, want %v", from, got, want)
			}
		}
	}},
}

// second is the error of two values.
func second[T any](_ T, err error) error { return err }
