package jobserver_test

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"testing"
	"time"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
	"github.com/muster-queue/muster/coordinate/jobserver"
)

type (
	L = coordinatetest.L
	T = coordinatetest.T
	M = coordinatetest.M
	U = coordinatetest.U
)

// world is a server with a client that speaks as the Python one does.
type world struct {
	*coordinatetest.World
	t       *testing.T
	jobs    *jobserver.JobServer
	address string
	client  *cborrpc.Client
}

// newWorld opens a world over one kind of store.
func newWorld(t *testing.T, kind string) *world {
	t.Helper()
	w := &world{World: coordinatetest.Open(t, coordinatetest.Stores[kind]), t: t}
	w.serve()
	return w
}

// serve listens, and connects a client.
func (w *world) serve() {
	w.t.Helper()
	ns, err := coordinate.New(context.Background(), w.Engine).Namespace("")
	if err != nil {
		w.t.Fatal(err)
	}
	w.jobs = &jobserver.JobServer{Namespace: ns, GlobalConfig: map[string]any{"a": 1}}
	handler, err := w.jobs.Handler()
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	s := cborrpc.NewServer(cborrpc.Config{Handler: handler, Logger: slog.New(slog.DiscardHandler)})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	w.address = l.Addr().String()
	w.client = w.dial()
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Stop(ctx)
		if err := <-served; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) dial() *cborrpc.Client {
	w.t.Helper()
	c, err := cborrpc.Dial(context.Background(), w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

// call is the answer to a call in CBOR's notation, or "error: " and the message.
func (w *world) call(method string, params ...any) string {
	w.t.Helper()
	return answer(w.t, w.client, method, params...)
}

func answer(t testing.TB, c *cborrpc.Client, method string, params ...any) string {
	t.Helper()
	for i := range params {
		params[i] = coordinatetest.Python(params[i])
	}
	v, err := c.Call(context.Background(), method, params...)
	if err != nil {
		return "error: " + err.Error()
	}
	return v.String()
}

// want calls and checks the answer.
func (w *world) want(want, method string, params ...any) {
	w.t.Helper()
	if got := w.call(method, params...); got != want {
		w.t.Errorf("%s:\ngot  %s\nwant %s", method, got, want)
	}
}

// fails calls and checks that it is an error of the whole call.
func (w *world) fails(method string, params ...any) {
	w.t.Helper()
	if got := w.call(method, params...); len(got) < 6 || got[:6] != "error:" {
		w.t.Errorf("%s: %s, want an error", method, got)
	}
}

// Answers that most methods give.
const (
	done    = "[true, null]"
	refused = "[false, null]"
	noWork  = "[128([null, null, null]), null]"
	noUnits = "[[], null]"
)

// spec makes a work spec; add adds units without data.
func (w *world) spec(name string, more ...M) {
	w.t.Helper()
	m := M{"name": name, "min_gb": 1}
	for _, extra := range more {
		maps.Copy(m, extra)
	}
	w.want(done, "set_work_spec", m)
}

func (w *world) add(spec string, keys ...string) {
	w.t.Helper()
	units := L{}
	for _, key := range keys {
		units = append(units, T{key, M{}})
	}
	w.want(done, "add_work_units", spec, units)
}

// get asks for one unit and checks its key; an empty one means none.
func (w *world) get(worker, spec, key string, options ...M) {
	w.t.Helper()
	m := M{"max_jobs": 1, "lease_time": 900}
	for _, extra := range options {
		maps.Copy(m, extra)
	}
	want := noWork
	if key != "" {
		want = `[128([` + quote(spec) + `, b` + quote(key) + `, {}]), null]`
	}
	w.want(want, "get_work", worker, m)
}

// to updates a unit's status.
func (w *world) to(want, spec, key string, status int, options ...M) {
	w.t.Helper()
	m := M{"status": status}
	for _, extra := range options {
		maps.Copy(m, extra)
	}
	w.want(want, "update_work_unit", spec, key, m)
}

// status checks a unit's status.
func (w *world) status(spec, key string, status int) {
	w.t.Helper()
	v, err := w.client.Call(context.Background(), "get_work_unit_status", []byte(spec), []any{[]byte(key)})
	if err != nil {
		w.t.Fatal(err)
	}
	for list := range v.Items() {
		for one := range list.Items() {
			if n, _ := one.Get("status").Int(); int(n) != status {
				w.t.Errorf("the status of %s in %s is %s, want %d", key, spec, one, status)
			}
		}
		return
	}
}

func quote(s string) string { return cborrpc.Value(cborrpc.AppendString(nil, s)).String() }

// units checks which units are there, by key in order, and perhaps of a state.
func (w *world) units(spec string, options M, keys ...string) {
	w.t.Helper()
	v, err := w.client.Call(context.Background(), "get_work_units", []byte(spec), coordinatetest.Python(options))
	if err != nil {
		w.t.Errorf("get_work_units %s: %v", spec, err)
		return
	}
	got := []string{}
	for list := range v.Items() {
		for unit := range list.Items() {
			for key := range unit.Items() {
				s, _ := key.Str()
				got = append(got, s)
				break
			}
		}
		break
	}
	if len(got) != len(keys) {
		w.t.Errorf("units of %s: %q, want %q", spec, got, keys)
		return
	}
	for i := range keys {
		if got[i] != keys[i] {
			w.t.Errorf("units of %s: %q, want %q", spec, got, keys)
			return
		}
	}
}
