// Package coordinatetest gives the tests of Coordinate's face a world to play in:
// an engine whose time passes when the test says so, over each kind of store, and
// values as a Python 2 client sends them.
package coordinatetest

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/memory"
	"github.com/muster-queue/muster/store/pebble"
)

// Stores opens each kind of store that the cases are run against.
var Stores = map[string]func() (store.Store, error){
	"memory": func() (store.Store, error) { return memory.New(), nil },
	"pebble": func() (store.Store, error) { return pebble.Open(pebble.Config{Dir: "store", FS: vfs.NewMem()}) },
}

// Clock stands still until it is told to go on.
type Clock struct{ passed atomic.Int64 }

// Start is the time at which every world begins.
var Start = time.Unix(1_000_000_000, 0).UTC()

// Wall implements engine.Clock.
func (c *Clock) Wall() time.Time { return Start.Add(c.Mono()) }

// Mono implements engine.Clock.
func (c *Clock) Mono() time.Duration { return time.Duration(c.passed.Load()) }

// World is an engine in a time of its own.
type World struct {
	*engine.Engine
	Clock *Clock
	T     *testing.T
	Store store.Store
}

// Open makes a world over a store, which is closed at the end of the test.
func Open(t *testing.T, open func() (store.Store, error)) *World {
	t.Helper()
	st, err := open()
	if err != nil {
		t.Fatal(err)
	}
	w := &World{Clock: &Clock{}, T: t, Store: st}
	w.start()
	t.Cleanup(func() {
		w.Stop(0)
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *World) start() {
	w.T.Helper()
	e, err := engine.New(context.Background(), engine.Config{Clock: w.Clock}, w.Store)
	if err != nil {
		w.T.Fatal(err)
	}
	e.Listening()
	w.Engine = e
}

// Restart stops the engine and starts another over the same store.
func (w *World) Restart() {
	w.Stop(0)
	w.start()
}

// step is how far time goes at once: less than what an engine takes for a stall.
const step = 500 * time.Millisecond

// Pass lets time pass, with the engine looking at it as it does.
func (w *World) Pass(d time.Duration) {
	w.T.Helper()
	ns, err := w.Namespace(context.Background(), job.DefaultNamespace)
	if err != nil {
		w.T.Fatal(err)
	}
	for d > 0 {
		s := min(d, step)
		w.Clock.passed.Add(int64(s))
		d -= s
		if _, err := ns.Now(context.Background()); err != nil {
			w.T.Fatal(err)
		}
	}
}

// L is a list, as Python 2 programs send it.
type L []any

// T is a tuple.
type T []any

// M is a dictionary.
type M map[string]any

// U is a unicode string.
type U string

// Python makes the values that a Python 2 client would send. A string of Go stands
// for a str, which is a byte string on the wire.
func Python(v any) any {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case U:
		return string(v)
	case L:
		return list(v)
	case []string:
		all := L{}
		for _, s := range v {
			all = append(all, s)
		}
		return list(all)
	case T:
		return cborrpc.PythonTuple{Items: list(v)}
	case M:
		return dictionary(v)
	}
	return v
}

func list(items []any) []any {
	all := make([]any, len(items))
	for i := range items {
		all[i] = Python(items[i])
	}
	return all
}

// dictionary has byte strings for keys.
func dictionary(m M) cborrpc.Value {
	b := cborrpc.AppendMap(nil, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value, err := cborrpc.Encode(Python(m[name]))
		if err != nil {
			panic(err)
		}
		b = append(cborrpc.AppendBytes(b, name), value...)
	}
	return b
}
