package jobserver_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
	"github.com/muster-queue/muster/job"
)

// aCase is one behaviour that Coordinate's clients rely on; number and letters are
// those of the list they come from.
type aCase struct {
	name string
	run  func(w *world)
}

// TestCases runs every case over the wire, on every kind of store.
func TestCases(t *testing.T) {
	for kind := range coordinatetest.Stores {
		for _, family := range [][]aCase{unitCases, workCases, leaseCases, specCases, chainCases, workerCases, lockCases, wireCases} {
			for _, c := range family {
				t.Run(kind+"/"+c.name, func(t *testing.T) {
					t.Parallel()
					c.run(newWorld(t, kind))
				})
			}
		}
	}
}

var unitCases = []aCase{
	{"1 life of a unit", func(w *world) {
		w.spec("s")
		w.want(done, "add_work_units", "s", L{T{"k", M{"a": 1}}})
		data := `[[128([b"k", {b"a": 1}])], null]`
		w.status("s", "k", 1)
		w.want(data, "get_work_units", "s", M{"work_unit_keys": L{"k"}})
		w.want(`[128(["s", b"k", {b"a": 1}]), null]`, "get_work", "w", M{"max_jobs": 1, "lease_time": 900})
		w.want(`[[{"expiration": 1000000900, "status": 3, "worker_id": "w"}], null]`, "get_work_unit_status", "s", L{"k"})
		w.want(data, "get_work_units", "s", M{"work_unit_keys": L{"k"}})
		w.to(done, "s", "k", 4)
		w.want(`[[{"status": 4, "worker_id": "w"}], null]`, "get_work_unit_status", "s", L{"k"})
		w.want(data, "get_work_units", "s", M{"work_unit_keys": L{"k"}})
		w.want("[{4: 1}, null]", "count_work_units", "s")
	}},
	{"2 data of the job is kept", func(w *world) {
		w.spec("s")
		w.want(done, "add_work_units", "s", L{T{"k", M{"a": 1}}})
		w.call("get_work", "w", M{})
		w.to(done, "s", "k", 4, M{"data": M{"a": 1, "output": M{"x": 2}}})
		w.want(`[[128([b"k", {b"a": 1, b"output": {b"x": 2}}])], null]`, "get_work_units", "s", M{})
	}},
	{"6 finish twice", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k")
		w.to(done, "s", "k", 4)
		w.to(refused, "s", "k", 4, M{"data": M{"late": true}})
		w.want(`[[128([b"k", {}])], null]`, "get_work_units", "s", M{})
	}},
	{"14 fail after finish is ignored", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k")
		w.to(done, "s", "k", 4)
		w.to(refused, "s", "k", 5)
		w.status("s", "k", 4)
	}},
	{"15 finish after fail wins", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k")
		w.to(done, "s", "k", 5, M{"data": M{"traceback": "no"}})
		w.want(`[[{"status": 5, "traceback": b"no", "worker_id": "w"}], null]`, "get_work_unit_status", "s", L{"k"})
		w.to(refused, "s", "k", 5)
		w.to(done, "s", "k", 4, M{"data": M{"well": 1}})
		w.want(`[[128([b"k", {b"well": 1}])], null]`, "get_work_units", "s", M{"state": 4})
	}},
	{"28 unfinished units", func(w *world) {
		w.spec("s")
		w.add("s", "a", "b")
		w.units("s", M{"state": T{1, 3}}, "a", "b")
		w.get("w", "s", "a")
		w.units("s", M{"state": T{1, 3}}, "a", "b")
		w.to(done, "s", "a", 4)
		w.units("s", M{"state": T{1, 3}}, "b")
		w.units("s", M{"state": 4}, "a")
	}},
	{"29 windows by limit", func(w *world) {
		w.spec("s")
		w.add("s", "foo", "bar")
		w.units("s", M{"limit": 1}, "bar")
		w.units("s", M{"limit": 2}, "bar", "foo")
		w.units("s", M{"limit": 0}, "bar", "foo")
		w.units("s", M{"limit": -3}, "bar", "foo")
	}},
	{"30 start is exclusive", func(w *world) {
		w.spec("s")
		w.add("s", "foo", "bar", "")
		w.units("s", M{"start": "bar", "limit": 1}, "foo")
		w.units("s", M{"start": "foo"})
		w.units("s", M{"start": ""}, "bar", "foo")
		w.units("s", M{"start": nil}, "", "bar", "foo")
	}},
	{"31 delete by key", func(w *world) {
		w.spec("s")
		w.add("s", "foo", "bar")
		w.want("[1, null]", "del_work_units", "s", M{"work_unit_keys": L{"foo", "none"}})
		w.units("s", M{}, "bar")
	}},
	{"32 delete by key in each state", func(w *world) {
		for i, key := range []string{"1", "3", "4", "5"} {
			w.oneInEachState()
			w.want("[1, null]", "del_work_units", "s", M{"work_unit_keys": L{key}})
			rest := []string{"1", "3", "4", "5"}
			w.units("s", M{}, append(rest[:i:i], rest[i+1:]...)...)
			w.want(`[false, "no such work unit key=\"`+key+`\""]`, "update_work_unit", "s", key, M{"status": 4})
			w.want("1", "clear")
		}
	}},
	{"33 delete by state", func(w *world) {
		for _, state := range []int{1, 3, 4, 5} {
			w.oneInEachState()
			w.want("[1, null]", "del_work_units", "s", M{"state": state})
			w.want("[0, null]", "del_work_units", "s", M{"state": state})
			w.want("[0, null]", "del_work_units", "s", M{"state": 2})
			w.want("[0, null]", "del_work_units", "s", M{"state": 77})
			w.want("[3, null]", "del_work_units", "s", M{"all": true, "state": 1, "work_unit_keys": L{}})
			w.want("1", "clear")
		}
	}},
	{"34 delete by key and state", func(w *world) {
		w.oneInEachState()
		w.want("[1, null]", "del_work_units", "s", M{"state": 4, "work_unit_keys": L{"1", "4", "5"}})
		w.units("s", M{}, "1", "3", "5")
	}},
	{"nothing said deletes nothing", func(w *world) {
		w.oneInEachState()
		w.want(`[0, "nothing says which work units to delete"]`, "del_work_units", "s", M{})
		w.want(`[0, "nothing says which work units to delete"]`, "del_work_units", "s", M{"all": false, "state": nil})
		w.want("[0, null]", "del_work_units", "s", M{"work_unit_keys": L{}})
		w.units("s", M{}, "1", "3", "4", "5")
	}},
	{"36 binary keys", func(w *world) {
		keys := []string{"", "\x00", "\x00\x00", "a\x00b", "\xff\xfea\x00b\x00", "k/l", "\xc3\xbc", "\xff", "\xff\xff"}
		w.spec("s")
		w.add("s", keys...)
		w.units("s", M{}, "", "\x00", "\x00\x00", "a\x00b", "k/l", "\xc3\xbc", "\xff", "\xff\xfea\x00b\x00", "\xff\xff")
		seen := map[string]bool{}
		for range keys {
			v, err := w.client.Call(context.Background(), "get_work", []byte("w"), coordinatetest.Python(M{}))
			if err != nil {
				w.t.Fatal(err)
			}
			var parts []string
			for unit := range v.Items() {
				for part := range unit.Items() {
					s, _ := part.Str()
					parts = append(parts, s)
				}
				break
			}
			if seen[parts[1]] {
				w.t.Errorf("%q came twice", parts[1])
			}
			seen[parts[1]] = true
			w.to(done, "s", parts[1], 4)
		}
		w.get("w", "s", "")
		w.units("s", M{"state": 4}, "", "\x00", "\x00\x00", "a\x00b", "k/l", "\xc3\xbc", "\xff", "\xff\xfea\x00b\x00", "\xff\xff")
		w.want(`[[128([b"ü", {}])], null]`, "get_work_units", "s", M{"work_unit_keys": L{U("ü")}})
	}},
	{"3 37 kinds of values", func(w *world) {
		uuid := [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
		data := M{"list": L{}, "tuple": T{1, L{T{}}}, "nothing": nil, "map": map[any]any{1: "one", -2: M{}}, "bytes": "\xff", "ascii": U("a"), "text": U("ü"),
			"uuid": uuidValue(uuid), "float": 1.0, "yes": true, "big": bigInt("123456789012345678901234567890")}
		w.spec("s", M{"config": data})
		shown := `{b"ascii": "a", b"big": 2(b"\x01\x8e\xe9\x0f\xf6\xc3s\xe0\xeeN?\n\xd2"), b"bytes": b"\xff", b"float": 1.0, b"list": [], b"map": {-2: {}, 1: "one"}, b"nothing": null, b"text": "ü", b"tuple": 128([1, [128([])]]), b"uuid": 37(b"\x01#Eg\x89\xab\xcd\xef\x01#Eg\x89\xab\xcd\xef"), b"yes": true}`
		w.want(done, "add_work_units", "s", L{T{"k", data}})
		w.want(`[[128([b"k", `+shown+`])], null]`, "get_work_units", "s", M{})
		w.want(`[128(["s", b"k", `+shown+`]), null]`, "get_work", "w", M{})
		w.to(done, "s", "k", 4, M{"data": data})
		w.want(`[[128([b"k", `+shown+`])], null]`, "get_work_units", "s", M{})
		w.want(`{b"config": `+shown+`, b"min_gb": 1, b"name": b"s"}`, "get_work_spec", "s")
		w.Restart()
		w.serve()
		w.want(`[[128([b"k", `+shown+`])], null]`, "get_work_units", "s", M{})
	}},
	{"48 status of what is not there", func(w *world) {
		w.spec("s")
		w.add("s", "a", "b", "c")
		w.get("w", "s", "a")
		w.to(done, "s", "a", 4)
		w.get("w", "s", "b", M{"lease_time": 10.9})
		w.want(`[[{"status": 4, "worker_id": "w"}, {"expiration": 1000000010, "status": 3, "worker_id": "w"}, {"status": 1}, null], null]`,
			"get_work_unit_status", "s", L{"a", "b", "c", "x"})
		w.want(noUnits, "get_work_unit_status", "s", T{})
	}},
	{"49 work specs that are not there", func(w *world) {
		no := `"No such work spec none"`
		w.want("null", "get_work_spec", "none")
		w.want("[null, "+no+"]", "get_work_spec_meta", "none")
		w.want("[false, "+no+"]", "control_work_spec", "none", M{"status": 2})
		w.want("[false, "+no+"]", "del_work_spec", "none")
		w.want("[false, "+no+"]", "add_work_units", "none", L{T{"k", M{}}})
		w.want("[null, "+no+"]", "count_work_units", "none")
		w.want("[null, "+no+"]", "get_work_units", "none", M{})
		w.want("[null, "+no+"]", "get_work_unit_status", "none", L{"k"})
		w.want("[false, "+no+"]", "prioritize_work_units", "none", M{"work_unit_keys": L{"k"}, "priority": 1})
		w.want("[0, "+no+"]", "del_work_units", "none", M{"all": true})
		w.want("[false, "+no+"]", "update_work_unit", "none", "k", M{"status": 4})
	}},
	{"92 adding again", func(w *world) {
		w.oneInEachState()
		units := L{}
		for _, key := range []string{"1", "3", "4", "5"} {
			units = append(units, T{key, M{"new": 1}})
		}
		w.want(done, "add_work_units", "s", units)
		w.units("s", M{"state": 1}, "1", "4", "5")
		w.want(`[[128([b"3", {}])], null]`, "get_work_units", "s", M{"state": 3})
		w.to(done, "s", "3", 1)
		w.want(`[[128([b"3", {b"new": 1}])], null]`, "get_work_units", "s", M{"work_unit_keys": L{"3"}})
	}},
	{"93 work specs do not mix", func(w *world) {
		w.spec("s")
		w.spec("t")
		w.add("s", "k")
		w.add("t", "k")
		w.get("w", "t", "k", M{"work_spec_names": L{"t"}})
		w.status("s", "k", 1)
		w.to(done, "t", "k", 4)
		w.status("s", "k", 1)
		w.want("[1, null]", "del_work_units", "t", M{"all": true})
		w.units("s", M{}, "k")
	}},
	{"what is added is checked first", func(w *world) {
		w.spec("s")
		for _, bad := range []any{
			L{T{"a", M{}}, T{"b"}}, L{T{"a", M{}}, 5}, L{T{"a", M{}}, T{5, M{}}}, L{T{"a", M{}}, T{"b", 5}}, L{T{"a", M{}}, T{"b", M{}, 5}},
			L{T{"a", M{}}, T{"b", M{}, M{"priority": "x"}}}, L{T{"a", M{}}, T{"b", M{}, nil, "x"}}, M{"a": M{}}, nil, 5, "a",
			L{T{"a", M{}}, T{"b", map[any]any{1: 2}}}, L{T{"a", M{}}, T{"b", M{}, M{"delay": nan}}}, L{T{"a", M{}}, T{strings.Repeat("k", job.MaxKey+1), M{}}},
		} {
			w.fails("add_work_units", "s", bad)
		}
		w.units("s", M{})
		w.want(done, "add_work_units", "s", L{})
		w.want(done, "add_work_units", "s", L{"bare", L{"listed", nil}, T{"twice", M{"n": 1}}, T{"twice", M{"n": 2}, nil, 3}})
		w.want(`[[128([b"bare", {}]), 128([b"listed", null]), 128([b"twice", {b"n": 2}])], null]`, "get_work_units", "s", M{})
	}},
	{"no match is an empty list", func(w *world) {
		w.spec("s")
		w.add("s", "a")
		for _, options := range []M{{"state": 5}, {"state": 2}, {"state": L{}}, {"state": 99}, {"work_unit_keys": L{}}, {"work_unit_keys": L{"x"}}, {"start": "zzz"}} {
			w.want(noUnits, "get_work_units", "s", options)
		}
		w.fails("get_work_units", "s", M{"state": "available"})
		w.fails("get_work_units", "s", M{"limit": "ten"})
		w.units("s", M{"work_unit_keys": L{"a", "x", "a"}, "state": 5, "limit": 1}, "a", "a")
	}},
	{"2.13 every state to every state", func(w *world) {
		for _, c := range []struct {
			key    string
			status any
			want   string
			then   int
		}{
			{"1", nil, refused, 1}, {"1", 1, refused, 1}, {"1", 3, done, 3}, {"1", 4, done, 4}, {"1", 5, done, 5},
			{"3", nil, done, 3}, {"3", 1, done, 1}, {"3", 3, done, 3}, {"3", 4, done, 4}, {"3", 5, done, 5},
			{"4", nil, refused, 4}, {"4", 1, done, 1}, {"4", 3, "error", 4}, {"4", 4, refused, 4}, {"4", 5, refused, 4},
			{"5", nil, refused, 5}, {"5", 1, done, 1}, {"5", 3, "error", 5}, {"5", 4, done, 4}, {"5", 5, refused, 5},
		} {
			w.oneInEachState()
			got := w.call("update_work_unit", "s", c.key, M{"status": c.status})
			if got != c.want && !(c.want == "error" && strings.HasPrefix(got, "error:")) {
				w.t.Errorf("%s to %v: %s, want %s", c.key, c.status, got, c.want)
			}
			w.status("s", c.key, c.then)
			w.want("1", "clear")
		}
		w.oneInEachState()
		for _, bad := range []M{{"status": 2}, {"status": 0}, {"status": 9}, {"status": "x"}, {"lease_time": "x"}, {"lease_time": nan}, {"data": 5}, {"data": L{}}} {
			w.fails("update_work_unit", "s", "3", bad)
		}
		w.want(done, "update_work_unit", "s", "1", M{"data": M{"x": 1}})
		w.want(`[[128([b"1", {b"x": 1}])], null]`, "get_work_units", "s", M{"state": 1})
	}},
	{"priorities", func(w *world) {
		w.spec("s")
		w.add("s", "a", "b", "c")
		w.want(`[false, "missing work_unit_keys"]`, "prioritize_work_units", "s", M{"work_unit_keys": nil, "priority": 1})
		w.want(done, "prioritize_work_units", "s", M{"work_unit_keys": L{}, "priority": 1})
		w.want(done, "prioritize_work_units", "s", M{"work_unit_keys": L{"x", "c"}, "priority": nan, "adjustment": 2})
		w.want(done, "prioritize_work_units", "s", M{"work_unit_keys": L{"a"}, "priority": nil, "adjustment": nil})
		w.fails("prioritize_work_units", "s", M{"work_unit_keys": L{"a"}, "priority": "x"})
		w.get("w", "s", "c")
		w.get("w", "s", "a")
	}},
}

// oneInEachState makes the work spec s with the units 1, 3, 4 and 5, each in the
// state that it is called.
func (w *world) oneInEachState() {
	w.t.Helper()
	w.spec("s")
	w.add("s", "4", "5", "3", "1")
	for _, key := range []string{"3", "4", "5"} {
		w.want(done, "prioritize_work_units", "s", M{"work_unit_keys": L{key}, "priority": 1})
		w.get("w", "s", key)
	}
	w.to(done, "s", "4", 4)
	w.to(done, "s", "5", 5)
}

var workCases = []aCase{
	{"7 pause and resume", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.want(done, "control_work_spec", "s", M{"status": 2})
		w.get("w", "s", "")
		w.get("w", "s", "", M{"work_spec_names": L{"s"}})
		w.want(done, "control_work_spec", "s", M{"status": 1})
		w.get("w", "s", "k")
	}},
	{"8 many at once", func(w *world) {
		w.spec("s")
		w.add("s", numbered(99)...)
		w.want(batch("s", numbered(10)), "get_work", "w", M{"max_jobs": 10})
	}},
	{"9 max_getwork", func(w *world) {
		w.spec("s", M{"max_getwork": 5})
		w.add("s", numbered(99)...)
		w.want(batch("s", numbered(5)), "get_work", "w", M{"max_jobs": 10})
	}},
	{"10 one work spec at a time", func(w *world) {
		w.spec("a", M{"weight": 1})
		w.spec("b", M{"weight": 300})
		w.add("a", numbered(99)...)
		w.add("b", "1", "2", "3", "4")
		w.want(batch("b", []string{"1", "2", "3", "4"}), "get_work", "w", M{"max_jobs": 10})
	}},
	{"11 order and prioritise", func(w *world) {
		w.spec("s")
		w.add("s", "a", "b", "c")
		w.get("w", "s", "a")
		w.want(done, "prioritize_work_units", "s", M{"work_unit_keys": L{"c"}, "priority": 1, "adjustment": nil})
		w.get("w", "s", "c")
		w.get("w", "s", "b")
		w.get("w", "s", "")
	}},
	{"12 adjustment", func(w *world) {
		w.spec("s")
		w.add("s", "a", "b", "c")
		for i, key := range []string{"a", "b", "c"} {
			w.want(done, "prioritize_work_units", "s", M{"work_unit_keys": T{key}, "adjustment": 10 * (i + 1)})
		}
		w.get("w", "s", "c")
		w.get("w", "s", "b")
		w.get("w", "s", "a")
	}},
	{"13 priority, then adjustment", func(w *world) {
		w.spec("s")
		w.want(done, "add_work_units", "s", L{T{"a", M{}, M{"priority": 10}}, T{"b", M{}, nil, 20.0}, T{"c", M{}, M{"priority": 5}, 30}})
		w.get("w", "s", "c")
		w.want(done, "prioritize_work_units", "s", M{"work_unit_keys": L{"a"}, "adjustment": 15})
		w.get("w", "s", "a")
		w.get("w", "s", "b")
	}},
	{"50 max_running", func(w *world) {
		w.spec("s", M{"max_running": 1})
		w.add("s", "a", "b")
		w.get("w", "s", "a")
		w.get("v", "s", "")
		w.to(done, "s", "a", 4)
		w.get("v", "s", "b")
	}},
	{"51 max_running caps a batch", func(w *world) {
		w.spec("s", M{"max_running": 1})
		w.add("s", numbered(30)...)
		w.want(batch("s", numbered(1)), "get_work", "w", M{"max_jobs": 20})
		w.want(noUnits, "get_work", "w", M{"max_jobs": 20})
	}},
	{"52 continuous", func(w *world) {
		w.spec("s", M{"continuous": true})
		w.want(`[128(["s", b"1000000000.000", {}]), null]`, "get_work", "w", M{})
		w.get("w", "s", "")
		w.Pass(time.Second)
		w.to(done, "s", "1000000000.000", 4)
		w.add("s", "real")
		w.get("w", "s", "real")
		w.to(done, "s", "real", 4)
		w.want(`[[128(["s", b"1000000001.000", {}])], null]`, "get_work", "w", M{"max_jobs": 5})
	}},
	{"53 continuous switched", func(w *world) {
		w.spec("s", M{"continuous": true})
		w.want(done, "control_work_spec", "s", M{"continuous": false})
		w.get("w", "s", "")
		w.want(done, "control_work_spec", "s", M{"continuous": true})
		w.get("w", "s", "1000000000.000")
	}},
	{"54 interval", func(w *world) {
		w.spec("s", M{"continuous": true, "interval": 60})
		w.get("w", "s", "1000000000.000")
		w.to(done, "s", "1000000000.000", 4)
		w.Pass(30 * time.Second)
		w.get("w", "s", "")
		w.Pass(30 * time.Second)
		w.get("w", "s", "1000000060.000")
		w.to(done, "s", "1000000060.000", 4)
		w.Pass(120 * time.Second)
		w.get("w", "s", "1000000180.000")
		w.to(done, "s", "1000000180.000", 4)
		w.get("w", "s", "")
	}},
	{"55 continuous not allowed", func(w *world) {
		w.spec("s")
		w.want(`[false, "Cannot make a work spec continuous that does not allow it"]`, "control_work_spec", "s", M{"continuous": true, "weight": 3})
		w.want(`[{"continuous": false, "interval": 0.0, "max_running": 0, "status": 1, "weight": 20}, null]`, "get_work_spec_meta", "s")
		w.get("w", "s", "")
	}},
	{"56 a day's interval", func(w *world) {
		w.spec("s", M{"continuous": true, "interval": 86400})
		w.want(`[{"continuous": true, "interval": 86400.0, "max_running": 0, "status": 1, "weight": 20}, null]`, "get_work_spec_meta", "s")
		w.get("w", "s", "1000000000.000")
	}},
	{"95 work specs asked for", func(w *world) {
		w.spec("low")
		w.spec("mid", M{"priority": 1})
		w.spec("high", M{"priority": 2})
		for _, s := range []string{"low", "mid", "high"} {
			w.add(s, "1", "2", "3")
		}
		w.get("w", "mid", "1", M{"work_spec_names": L{"low", "mid", "none"}})
		w.get("w", "", "", M{"work_spec_names": L{"none"}})
		w.get("w", "high", "1", M{"work_spec_names": L{}})
		w.get("w", "high", "2", M{"work_spec_names": nil})
	}},
	{"96 only Python's runtime", func(w *world) {
		w.spec("go", M{"runtime": "go"})
		w.add("go", "k")
		w.get("w", "", "")
		w.spec("python")
		w.add("python", "k")
		w.get("w", "python", "k")
	}},
	{"100 what is never chosen", func(w *world) {
		w.get("w", "", "")
		w.spec("zero")
		w.spec("paused", M{"disabled": true})
		w.spec("empty")
		w.spec("full", M{"max_running": 1})
		w.add("zero", "k")
		w.add("paused", "k")
		w.add("full", "j", "k")
		w.want(done, "control_work_spec", "zero", M{"weight": 0})
		w.get("w", "full", "j")
		w.get("w", "", "")
		w.want(done, "control_work_spec", "zero", M{"weight": 1})
		w.get("w", "zero", "k")
	}},
	{"101 proportions", func(w *world) {
		w.spec("one", M{"weight": 1})
		w.spec("ten", M{"weight": 10})
		w.add("one", numbered(110)...)
		w.add("ten", numbered(110)...)
		counts := map[string]int{}
		for range 110 {
			answer := w.call("get_work", "w", M{})
			counts[answer[strings.Index(answer, `"`)+1:][:3]]++
		}
		if counts["one"] < 8 || counts["one"] > 12 {
			w.t.Errorf("weights 1 and 10 shared as %v", counts)
		}
	}},
	{"102 priority of work specs", func(w *world) {
		w.spec("low", M{"weight": 1000})
		w.spec("high", M{"priority": 1})
		w.add("low", "k")
		w.add("high", "j", "k")
		w.get("w", "high", "j")
		w.get("w", "high", "k")
		w.get("w", "low", "k")
	}},
	{"103 continuous competes", func(w *world) {
		w.spec("c", M{"continuous": true, "weight": 1000})
		w.spec("s")
		w.add("s", "k")
		w.get("w", "c", "1000000000.000")
		w.get("w", "s", "k")
	}},
	{"available memory", func(w *world) {
		w.spec("big", M{"min_gb": 8})
		w.spec("small", M{"min_gb": 0.5, "priority": -1})
		w.add("big", "j", "k")
		w.add("small", "k")
		w.get("w", "small", "k", M{"available_gb": 4})
		w.get("w", "", "", M{"available_gb": 4})
		w.get("w", "big", "j", M{"available_gb": 8.5})
		w.get("w", "big", "k", M{"available_gb": 0})
	}},
	{"options of get_work", func(w *world) {
		w.spec("s")
		w.add("s", "a", "b", "c", "d", "e")
		w.get("w", "s", "a", M{"max_jobs": nil, "lease_time": nil})
		w.get("w", "s", "b", M{"max_jobs": -4})
		w.want(batch("s", []string{"c", "d"}), "get_work", "w", M{"max_jobs": 2.0, "lease_time": 0.5})
		w.want(`[[{"expiration": 1000000300, "status": 3, "worker_id": "w"}], null]`, "get_work_unit_status", "s", L{"d"})
		w.want(batch("s", []string{"e"}), "get_work", U("w"), M{"max_jobs": 2, "lease_time": 86401})
		w.want(`[[{"expiration": 1000000300, "status": 3, "worker_id": "w"}], null]`, "get_work_unit_status", "s", L{"e"})
		w.fails("get_work", "w", M{"lease_time": nan})
		w.fails("get_work", "w", M{"max_jobs": "many"})
		w.fails("get_work", "w", M{"work_spec_names": "s"})
		w.fails("get_work", "", M{})
		w.fails("get_work", nil, M{})
	}},
}

// numbered are the keys u001, u002, ...
func numbered(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("u%03d", i+1)
	}
	return keys
}

// batch is the answer of a get_work that gives these units without data.
func batch(spec string, keys []string) string {
	var all []string
	for _, key := range keys {
		all = append(all, `128([`+quote(spec)+`, b`+quote(key)+`, {}])`)
	}
	return "[[" + strings.Join(all, ", ") + "], null]"
}
