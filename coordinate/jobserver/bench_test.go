package jobserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
	"github.com/muster-queue/muster/coordinate/jobserver"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/store/pebble"
)

// benchServer serves an engine on this machine's disk, and gives clients of it.
func benchServer(b *testing.B) func() *cborrpc.Client {
	st, err := pebble.Open(pebble.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(context.Background(), engine.Config{}, st)
	if err != nil {
		b.Fatal(err)
	}
	e.Listening()
	ns, err := coordinate.New(context.Background(), e).Namespace("")
	if err != nil {
		b.Fatal(err)
	}
	handler, err := (&jobserver.JobServer{Namespace: ns}).Handler()
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := cborrpc.NewServer(cborrpc.Config{Handler: handler, Logger: slog.New(slog.DiscardHandler)})
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Stop(ctx)
		e.Stop(0)
		_ = st.Close()
	})
	return func() *cborrpc.Client {
		c, err := cborrpc.Dial(context.Background(), l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		return c
	}
}

const benchBatch = 1000

// addUnits adds batches of units, as the Python client does.
func addUnits(b *testing.B, c *cborrpc.Client, first, n int) {
	for at := first; at < first+n; at += benchBatch {
		units := make(L, 0, benchBatch)
		for i := at; i < min(at+benchBatch, first+n); i++ {
			units = append(units, T{fmt.Sprintf("unit-%09d", i), M{"url": "http://example.org/some/path", "size": i}})
		}
		if got := answer(b, c, "add_work_units", "s", units); got != done {
			b.Fatal(got)
		}
	}
}

// BenchmarkAdd adds units over one connection.
func BenchmarkAdd(b *testing.B) {
	c := benchServer(b)()
	answer(b, c, "set_work_spec", M{"name": "s"})
	// The client of the benchmark makes its messages beforehand.
	var batches []cborrpc.Value
	for at := 0; at < b.N; at += benchBatch {
		units := make(L, 0, benchBatch)
		for i := at; i < min(at+benchBatch, b.N); i++ {
			units = append(units, T{fmt.Sprintf("unit-%09d", i), M{"url": "http://example.org/some/path", "size": i}})
		}
		v, err := cborrpc.Encode(coordinatetest.Python(units))
		if err != nil {
			b.Fatal(err)
		}
		batches = append(batches, v)
	}
	b.ResetTimer()
	for _, v := range batches {
		if got := answer(b, c, "add_work_units", "s", v); got != done {
			b.Fatal(got)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "units/s")
}

// BenchmarkWork gets and finishes units over eight connections.
func BenchmarkWork(b *testing.B) {
	dial := benchServer(b)
	c := dial()
	answer(b, c, "set_work_spec", M{"name": "s"})
	addUnits(b, c, 0, b.N)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range 8 {
		c := dial()
		wg.Go(func() {
			worker := []byte(fmt.Sprint("worker", i))
			for left.Add(-1) >= 0 {
				v, err := c.Call(context.Background(), "get_work", worker, map[string]any{"max_jobs": 1, "lease_time": 900})
				if err != nil {
					b.Error(err)
					return
				}
				if got := answer(b, c, "update_work_unit", "s", keyOf(v), map[string]any{"status": 4, "lease_time": 300, "data": map[string]any{"ok": true}}); got != done {
					b.Error(got)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "units/s")
}

// keyOf is the key of the one unit that get_work answered with.
func keyOf(v cborrpc.Value) cborrpc.Value {
	for unit := range v.Items() {
		i := 0
		for part := range unit.Items() {
			if i == 1 {
				return part
			}
			i++
		}
	}
	return cborrpc.Null
}
