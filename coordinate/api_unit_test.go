package coordinate_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
)

// seven makes a work spec with units in every state: available, pending, expired,
// finished, failed, retryable, delayed.
func (w *world) seven() coordinate.WorkSpec {
	w.t.Helper()
	s := w.spec("s")
	for _, name := range []string{"available", "delayed", "expired", "failed", "finished", "pending", "retryable"} {
		meta := coordinate.WorkUnitMeta{Priority: 1}
		switch name {
		case "delayed":
			meta.NotBefore = coordinatetest.Start.Add(time.Hour)
		case "available":
			meta.Priority = 0
		}
		_, err := s.AddWorkUnit(name, dict{"name": name}, meta)
		w.ok(err)
	}
	all := must[[]coordinate.Attempt](w.t)(w.worker("worker").RequestAttempts(coordinate.AttemptRequest{NumberOfWorkUnits: 5}))
	if len(all) != 5 {
		w.t.Fatalf("%d attempts", len(all))
	}
	w.ok(all[0].Expire(nil))
	w.ok(all[1].Fail(nil))
	w.ok(all[2].Finish(nil))
	w.ok(all[4].Retry(nil, 0))
	return s
}

type query = coordinate.WorkUnitQuery

var unitCases = []aCase{
	{"90 queries", func(w *world) {
		s := w.seven()
		for _, c := range []struct {
			query query
			want  []string
		}{
			{query{}, []string{"available", "delayed", "expired", "failed", "finished", "pending", "retryable"}},
			{query{Limit: 2}, []string{"available", "delayed"}},
			{query{Limit: 2, PreviousName: "delayed"}, []string{"expired", "failed"}},
			{query{PreviousName: "pending"}, []string{"retryable"}},
			{query{Statuses: []coordinate.WorkUnitStatus{coordinate.AvailableUnit}}, []string{"available", "expired", "retryable"}},
			{query{Statuses: []coordinate.WorkUnitStatus{coordinate.PendingUnit, coordinate.DelayedUnit}}, []string{"delayed", "pending"}},
			{query{Statuses: []coordinate.WorkUnitStatus{coordinate.FailedUnit, coordinate.FinishedUnit}, Limit: 1}, []string{"failed"}},
			{query{Statuses: []coordinate.WorkUnitStatus{coordinate.AnyStatus}, Limit: 1}, []string{"available"}},
			{query{Statuses: []coordinate.WorkUnitStatus{}}, []string{}},
			{query{Names: []string{"pending", "none", "failed"}}, []string{"failed", "pending"}},
			{query{Names: []string{}}, []string{}},
			{query{Names: []string{"available", "failed"}, Statuses: []coordinate.WorkUnitStatus{coordinate.FailedUnit}}, []string{"failed"}},
			{query{Names: []string{"available", "failed", "finished"}, PreviousName: "b", Limit: 1}, []string{"failed"}},
		} {
			if got := names(must[map[string]coordinate.WorkUnit](w.t)(s.WorkUnits(c.query))); fmt.Sprint(got) != fmt.Sprint(c.want) {
				w.t.Errorf("%+v: %q, want %q", c.query, got, c.want)
			}
		}
		is(w, counts{coordinate.AvailableUnit: 3, coordinate.PendingUnit: 1, coordinate.FinishedUnit: 1, coordinate.FailedUnit: 1, coordinate.DelayedUnit: 1})(s.CountWorkUnitStatus())
	}},
	{"91 deletes", func(w *world) {
		s := w.seven()
		is(w, 1)(s.DeleteWorkUnits(query{Names: []string{"available"}}))
		is(w, 0)(s.DeleteWorkUnits(query{Names: []string{"available"}}))
		is(w, 0)(s.DeleteWorkUnits(query{Names: []string{}}))
		is(w, 2)(s.DeleteWorkUnits(query{Statuses: []coordinate.WorkUnitStatus{coordinate.PendingUnit, coordinate.FailedUnit}}))
		is(w, 1)(s.DeleteWorkUnits(query{Limit: 1}))
		is(w, []string{"expired", "finished", "retryable"})(keysLeft(s))
		is(w, 3)(s.DeleteWorkUnits(query{}))
		is(w, 0)(s.DeleteWorkUnits(query{}))
		is(w, counts{})(s.CountWorkUnitStatus())
	}},
	{"92 adding again", func(w *world) {
		s := w.seven()
		for _, name := range []string{"available", "delayed", "expired", "failed", "finished", "pending", "retryable"} {
			u := w.unit(s, name, dict{"again": name})
			status, data := coordinate.AvailableUnit, dict{"again": name}
			if name == "pending" {
				status, data = coordinate.PendingUnit, dict{"name": name}
			}
			is(w, status)(u.Status())
			is(w, data)(u.Data())
		}
	}},
	{"meta and priorities", func(w *world) {
		s := w.spec("s")
		_, err := s.AddWorkUnit("a", dict{}, coordinate.WorkUnitMeta{Priority: 2.5})
		w.ok(err)
		u := must[coordinate.WorkUnit](w.t)(s.WorkUnit("a"))
		is(w, coordinate.WorkUnitMeta{Priority: 2.5})(u.Meta())
		w.ok(u.SetPriority(7))
		is(w, 7.0)(u.Priority())
		w.ok(s.AdjustWorkUnitPriorities(query{}, -1.5))
		is(w, 5.5)(u.Priority())
		w.ok(s.SetWorkUnitPriorities(query{Names: []string{"b"}}, 1))
		is(w, 5.5)(u.Priority())
		later := coordinatetest.Start.Add(time.Minute)
		w.ok(u.SetMeta(coordinate.WorkUnitMeta{Priority: 1, NotBefore: later}))
		is(w, coordinate.WorkUnitMeta{Priority: 1, NotBefore: later})(u.Meta())
		is(w, coordinate.DelayedUnit)(u.Status())
		w.none(coordinate.AttemptRequest{})
		w.pass(61 * time.Second)
		w.ok(w.attempt(coordinate.AttemptRequest{}).Finish(nil))
		w.ok(u.SetMeta(coordinate.WorkUnitMeta{Priority: 9}))
		is(w, coordinate.FinishedUnit)(u.Status())
		is(w, 9.0)(u.Priority())
	}},
	{"94 not before beats priority", func(w *world) {
		s := w.spec("s")
		w.ok(s.AddWorkUnits([]coordinate.WorkUnitItem{
			{Name: "late", Meta: coordinate.WorkUnitMeta{Priority: 9, NotBefore: coordinatetest.Start.Add(time.Minute)}}, {Name: "now"},
		}))
		if got := w.attempt(coordinate.AttemptRequest{}).WorkUnit().Name(); got != "now" {
			w.t.Error(got)
		}
		w.none(coordinate.AttemptRequest{})
		w.pass(61 * time.Second)
		if got := w.attempt(coordinate.AttemptRequest{}).WorkUnit().Name(); got != "late" {
			w.t.Error(got)
		}
	}},
	{"36 37 any key, any data", func(w *world) {
		s := w.spec("s")
		data := dict{
			"tuple": cborrpc.PythonTuple{Items: []any{int64(1), []any{}}}, "uuid": cborrpc.UUID{1, 2}, "bytes": []byte{0xff}, "text": "ü", "float": 1.5,
			"deep": map[any]any{int64(1): dict{"x": nil}}, "empty": []any{}, "no": false,
		}
		for _, name := range []string{"", "\x00", "\xff\xfe", "a/b"} {
			u := w.unit(s, name, data)
			is(w, data)(u.Data())
		}
		data["text"] = "changed"
		got := must[dict](w.t)(must[coordinate.WorkUnit](w.t)(s.WorkUnit("\xff\xfe")).Data())
		if got["text"] != "ü" {
			w.t.Error("a change to data that was passed in went through")
		}
		if got := names(must[map[string]coordinate.WorkUnit](w.t)(s.WorkUnits(query{}))); fmt.Sprintf("%q", got) != `["" "\x00" "a/b" "\xff\xfe"]` {
			w.t.Errorf("%q", got)
		}
		if _, err := s.AddWorkUnit("bad", dict{"f": func() {}}, coordinate.WorkUnitMeta{}); err == nil {
			w.t.Error("a function was stored")
		}
		if _, err := s.WorkUnit("none"); !errors.Is(err, coordinate.ErrNoSuchWorkUnit{Name: "none"}) {
			w.t.Error(err)
		}
	}},
}

func keysLeft(s coordinate.WorkSpec) ([]string, error) {
	units, err := s.WorkUnits(query{})
	return names(units), err
}
