package coordinate_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/server"
	"github.com/muster-queue/muster/store"
)

// world is a namespace reached in one of the ways.
type world struct {
	coordinate.Namespace
	all    coordinate.Coordinate
	t      *testing.T
	pass   func(time.Duration)
	remote bool
}

// ways are how the API is reached.
var ways = map[string]func(t *testing.T) *world{
	"local, memory":  func(t *testing.T) *world { return local(t, coordinatetest.Stores["memory"]) },
	"local, pebble":  func(t *testing.T) *world { return local(t, coordinatetest.Stores["pebble"]) },
	"remote, memory": remote,
}

func local(t *testing.T, open func() (store.Store, error)) *world {
	w := coordinatetest.Open(t, open)
	return namespace(t, coordinate.New(context.Background(), w.Engine), w.Pass)
}

// remote is a server with a time of its own, and a client.
func remote(t *testing.T) *world {
	clock := &coordinatetest.Clock{}
	s, err := server.Start(context.Background(), server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", HTTP: server.NoHTTP, OpenStore: coordinatetest.Stores["memory"], Engine: engine.Config{Clock: clock},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{
		Address: "memory", Token: s.Token(), Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return s.Dial(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		s.Stop(-1, server.ErrStopped)
	})
	inside := coordinatetest.World{Engine: s.Engine(), Clock: clock, T: t}
	w := namespace(t, coordinate.Connect(context.Background(), c), inside.Pass)
	w.remote = true
	return w
}

func namespace(t *testing.T, all coordinate.Coordinate, pass func(time.Duration)) *world {
	t.Helper()
	ns, err := all.Namespace("")
	if err != nil {
		t.Fatal(err)
	}
	return &world{Namespace: ns, all: all, t: t, pass: pass}
}

// must gives a value that came without an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// is checks a value and that there was no error.
func is[T any](w *world, want T) func(got T, err error) {
	return func(got T, err error) {
		w.t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			w.t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

type (
	dict   = map[string]any
	counts = map[coordinate.WorkUnitStatus]int
)

func (w *world) spec(name string, more ...dict) coordinate.WorkSpec {
	w.t.Helper()
	m := dict{"name": name}
	for _, extra := range more {
		maps.Copy(m, extra)
	}
	return must[coordinate.WorkSpec](w.t)(w.SetWorkSpec(m))
}

func (w *world) unit(s coordinate.WorkSpec, name string, data dict) coordinate.WorkUnit {
	w.t.Helper()
	if data == nil {
		data = dict{}
	}
	return must[coordinate.WorkUnit](w.t)(s.AddWorkUnit(name, data, coordinate.WorkUnitMeta{}))
}

func (w *world) worker(name string) coordinate.Worker {
	w.t.Helper()
	return must[coordinate.Worker](w.t)(w.Worker(name))
}

// attempt is the one attempt that a worker is given.
func (w *world) attempt(req coordinate.AttemptRequest) coordinate.Attempt {
	w.t.Helper()
	all := must[[]coordinate.Attempt](w.t)(w.worker("worker").RequestAttempts(req))
	if len(all) != 1 {
		w.t.Fatalf("%d attempts, want one", len(all))
	}
	return all[0]
}

// none checks that there is no work.
func (w *world) none(req coordinate.AttemptRequest) {
	w.t.Helper()
	if all := must[[]coordinate.Attempt](w.t)(w.worker("worker").RequestAttempts(req)); len(all) != 0 {
		w.t.Errorf("%d attempts, want none", len(all))
	}
}

// names are those of units in order.
func names(units map[string]coordinate.WorkUnit) []string {
	all := []string{}
	for name := range units {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// TestAPI runs every case in every way.
func TestAPI(t *testing.T) {
	for way, open := range ways {
		for _, c := range slices.Concat(specCases, unitCases, attemptCases, workerCases) {
			t.Run(way+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.run(open(t))
			})
		}
	}
}

type aCase struct {
	name string
	run  func(w *world)
}

// isGone tells whether an error is one that an object gives which was deleted.
func isGone(err error) bool {
	var spec coordinate.ErrNoSuchWorkSpec
	var unit coordinate.ErrNoSuchWorkUnit
	return errors.Is(err, coordinate.ErrGone) || errors.As(err, &spec) || errors.As(err, &unit)
}
