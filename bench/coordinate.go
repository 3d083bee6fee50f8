package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// The rows of this file are measured over Coordinate's protocol, with the bytes
// that its Python client sends.

// site is a server with a work spec, for a measurement.
type site struct {
	h       *muster.Handle
	address string
	control *cborrpc.Client
}

// spec is the work spec of these rows.
const spec = "bench"

func (l *lab) site(ctx context.Context) (*site, error) {
	h, err := muster.Open(ctx, muster.Config{Server: server.Config{
		Data: l.fresh(), Listen: "127.0.0.1:0", HTTP: server.NoHTTP, RequestRate: -1, Coordinate: server.CoordinateConfig{Listen: "127.0.0.1:0"},
	}})
	if err != nil {
		return nil, err
	}
	s := &site{h: h, address: h.Server().Where().CoordinateAddress}
	if s.control, err = cborrpc.Dial(ctx, s.address); err == nil {
		_, err = s.control.Call(ctx, "set_work_spec", bytesMap{"name": spec, "module": "bench", "run_function": "run"}.value())
	}
	if err != nil {
		_ = h.Stop()
		return nil, err
	}
	return s, nil
}

func (s *site) close() {
	_ = s.control.Close()
	_ = s.h.Stop()
}

// bytesMap is a dictionary of strs, which Python 2 sends as byte strings.
type bytesMap map[string]string

func (m bytesMap) value() cborrpc.Value {
	b := cborrpc.AppendMap(nil, len(m))
	for k, v := range m {
		b = cborrpc.AppendBytes(cborrpc.AppendBytes(b, k), v)
	}
	return b
}

func unitKey(i int) string { return fmt.Sprintf("unit-%09d", i) }

// units are the second parameter of add_work_units: tuples of a key and a
// dictionary of about 100 bytes.
func units(from, n int) cborrpc.Value {
	b := cborrpc.AppendList(nil, n)
	path := "/data/corpus/" + strings.Repeat("x", 60)
	for i := range n {
		b = cborrpc.AppendBytes(cborrpc.AppendTuple(b, 2), unitKey(from+i))
		b = cborrpc.AppendBytes(cborrpc.AppendMap(b, 2), "path")
		b = cborrpc.AppendBytes(b, path)
		b = cborrpc.AppendInt(cborrpc.AppendBytes(b, "part"), int64(from+i))
	}
	return b
}

// add adds units from one client, in batches whose bytes are made beforehand: what
// Python takes to make them is not muster's.
func (s *site) add(ctx context.Context, from, n int, took *samples) (time.Duration, error) {
	batches := make([]cborrpc.Value, 0, n/batchSize+1)
	for i := 0; i < n; i += batchSize {
		batches = append(batches, units(from+i, min(batchSize, n-i)))
	}
	began := time.Now()
	for _, batch := range batches {
		asked := time.Now()
		answer, err := s.control.Call(ctx, "add_work_units", []byte(spec), batch)
		if err == nil {
			err = changed(answer)
		}
		if err != nil {
			return 0, err
		}
		took.add(time.Since(asked))
	}
	return time.Since(began), nil
}

// changed is an error unless the answer is [true, null].
func changed(answer cborrpc.Value) error {
	for first := range answer.Items() {
		if ok, isBool := first.Bool(); ok && isBool {
			return nil
		}
		break
	}
	return job.Errorf(job.Internal, "the server did not do what it was asked")
}

// count is how many units are in a state (1: available, 4: finished).
func (s *site) count(ctx context.Context, state int64) (int64, error) {
	answer, err := s.control.Call(ctx, "count_work_units", []byte(spec))
	if err != nil {
		return 0, err
	}
	for counts := range answer.Items() {
		for k, v := range counts.Entries() {
			if n, ok := k.Int(); ok && n == state {
				count, _ := v.Int()
				return count, nil
			}
		}
		break
	}
	return 0, nil
}

func (s *site) expect(ctx context.Context, state int64, want int) error {
	n, err := s.count(ctx, state)
	if err == nil && n != int64(want) {
		err = job.Errorf(job.Internal, "%d units are in state %d, not %d", n, state, want)
	}
	return err
}

func coordinateAdd(ctx context.Context, l *lab) ([]Result, error) {
	s, err := l.site(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	n := l.jobs(100_000)
	var took samples
	spent, err := s.add(ctx, 0, n, &took)
	if err == nil {
		err = s.expect(ctx, 1, n)
	}
	r := rate("coordinate/add", n, spent, 100_000, &took)
	r.Unit, r.Note = "units/s", "one Python-shaped client, 1,000 units a call"
	return []Result{r}, err
}

// pythonWorker is one connection that does units as the Python worker does.
type pythonWorker struct {
	id string
	c  *cborrpc.Client
}

func (s *site) worker(ctx context.Context, i int) (*pythonWorker, error) {
	c, err := cborrpc.Dial(ctx, s.address)
	return &pythonWorker{id: fmt.Sprintf("%032x", i), c: c}, err
}

// take is get_work for one unit; empty when there is none.
func (w *pythonWorker) take(ctx context.Context) (key string, err error) {
	answer, err := w.c.Call(ctx, "get_work", []byte(w.id), options(option{"lease_time", 900}, option{"max_jobs", 1}))
	if err != nil {
		return "", err
	}
	for unit := range answer.Items() {
		i := 0
		for item := range unit.Items() {
			if i == 1 {
				key, _ = item.Str()
			}
			i++
		}
		break
	}
	return key, nil
}

// option is an entry of a dictionary of options.
type option struct {
	name  string
	value int64
}

func options(all ...option) cborrpc.Value {
	b := cborrpc.AppendMap(nil, len(all))
	for _, o := range all {
		b = cborrpc.AppendInt(cborrpc.AppendBytes(b, o.name), o.value)
	}
	return b
}

func (w *pythonWorker) finish(ctx context.Context, key string) error {
	answer, err := w.c.Call(ctx, "update_work_unit", []byte(spec), []byte(key), options(option{"status", 4}))
	if err != nil {
		return err
	}
	return changed(answer)
}

// heartbeat is what the worker tells every 15 s: who and where it is.
func (w *pythonWorker) heartbeat(ctx context.Context) error {
	data := bytesMap{"worker_id": w.id, "hostname": "node", "fqdn": "node.example.org", "version": "0.1.5", "working_set": strings.Repeat("package 1.0 ", 40)}
	answer, err := w.c.Call(ctx, "worker_heartbeat", []byte(w.id), []byte("RUN"), 6000, data.value(), []byte("parent"))
	if err != nil {
		return err
	}
	return changed(answer)
}

// coordinateWork: 8 connections take a unit, finish it, take the next.
func coordinateWork(ctx context.Context, l *lab) ([]Result, error) {
	s, err := l.site(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	n := l.jobs(40_000)
	if _, err := s.add(ctx, 0, n, &samples{}); err != nil {
		return nil, err
	}
	var took samples
	began := time.Now()
	g, grouped := errgroup.WithContext(ctx)
	for i := range drainWorkers {
		g.Go(func() error { return s.drain(grouped, i, &took) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r := rate("coordinate/work", n, time.Since(began), min(10_000, 0.6*drainWorkers/(2*l.fsync.Seconds())), &took)
	r.Unit, r.Note = "units/s", "get_work and update_work_unit, 8 connections; goal: 10,000 or 60 % of connections / (2 x fsync p50)"
	return []Result{r}, s.expect(ctx, 4, n)
}

func (s *site) drain(ctx context.Context, i int, took *samples) error {
	w, err := s.worker(ctx, i)
	if err != nil {
		return err
	}
	defer w.c.Close()
	for {
		asked := time.Now()
		key, err := w.take(ctx)
		if err != nil || key == "" {
			return err
		}
		if err := w.finish(ctx, key); err != nil {
			return err
		}
		took.add(time.Since(asked))
	}
}

// Workers of coordinateWorkers, and for how long they are looked at.
const (
	coordinateCrowd = 800
	crowdTime       = 5 * time.Second
	heartbeatEvery  = 3 * time.Second // five times as often as the Python worker
)

// coordinateWorkers: 800 connected workers, each of which does a unit a second and
// tells that it is there.
func coordinateWorkers(ctx context.Context, l *lab) ([]Result, error) {
	s, err := l.site(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	crowd := min(coordinateCrowd, l.jobs(coordinateCrowd))
	if _, err := s.add(ctx, 0, 2*crowd*int(crowdTime/time.Second), &samples{}); err != nil {
		return nil, err
	}
	var took samples
	var units atomic.Int64
	g, grouped := errgroup.WithContext(ctx)
	for i := range crowd {
		g.Go(func() error { return s.attend(grouped, i, &took, &units) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	p99 := ms(took.percentile(99))
	return []Result{{
		Name: "coordinate/workers", Value: p99, Unit: "ms", Goal: 20, Below: true, P50: ms(took.percentile(50)), P99: p99,
		Note: fmt.Sprintf("get_work of %d connected workers with heartbeats, %d units/s", crowd, units.Load()/int64(crowdTime/time.Second)),
	}}, s.expect(ctx, 4, int(units.Load()))
}

// attend is one worker of the crowd.
func (s *site) attend(ctx context.Context, i int, took *samples, units *atomic.Int64) error {
	w, err := s.worker(ctx, i)
	if err != nil {
		return err
	}
	defer w.c.Close()
	if err := w.heartbeat(ctx); err != nil {
		return err
	}
	// They do not begin together, or all would ask in the same moment for ever.
	if err := wait(ctx, time.Second+rand.N(time.Second)); err != nil {
		return err
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	beats := time.NewTicker(heartbeatEvery)
	defer beats.Stop()
	for end := time.Now().Add(crowdTime); time.Now().Before(end); {
		select {
		case <-second.C:
			err = w.timed(ctx, took, units)
		case <-beats.C:
			err = w.heartbeat(ctx)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// timed does one unit, and takes the time of getting it.
func (w *pythonWorker) timed(ctx context.Context, took *samples, units *atomic.Int64) error {
	asked := time.Now()
	key, err := w.take(ctx)
	if err != nil || key == "" {
		return err
	}
	took.add(time.Since(asked))
	units.Add(1)
	return w.finish(ctx, key)
}

// coordinateMillions: counts and pages of a work spec of five million units.
func coordinateMillions(ctx context.Context, l *lab) ([]Result, error) {
	s, err := l.site(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	n := l.jobs(5_000_000)
	const part = 100_000
	for from := 0; from < n; from += part {
		if _, err := s.add(ctx, from, min(part, n-from), &samples{}); err != nil {
			return nil, err
		}
	}
	var counts, pages samples
	for range 100 {
		asked := time.Now()
		if err := s.expect(ctx, 1, n); err != nil {
			return nil, err
		}
		counts.add(time.Since(asked))
		asked = time.Now()
		if err := s.page(ctx, rand.IntN(max(1, n-batchSize))); err != nil {
			return nil, err
		}
		pages.add(time.Since(asked))
	}
	row := func(name string, took *samples, goal float64, note string) Result {
		return Result{
			Name: name, Value: ms(took.percentile(99)), Unit: "ms", Goal: goal, Below: true,
			P50: ms(took.percentile(50)), P99: ms(took.percentile(99)), Note: note,
		}
	}
	return []Result{
		row("coordinate/counts-5m", &counts, 10, "count_work_units of a spec of 5 million units (times the scale)"),
		row("coordinate/page-5m", &pages, 20, "get_work_units: 1,000 of them after a random key"),
	}, nil
}

// page gets the thousand units after a key, or as many as there are.
func (s *site) page(ctx context.Context, after int) error {
	b := cborrpc.AppendBytes(cborrpc.AppendMap(nil, 2), "start")
	b = cborrpc.AppendBytes(b, unitKey(after))
	b = cborrpc.AppendInt(cborrpc.AppendBytes(b, "limit"), batchSize)
	answer, err := s.control.Call(ctx, "get_work_units", []byte(spec), cborrpc.Value(b))
	if err != nil {
		return err
	}
	for page := range answer.Items() {
		if page.Len() == 0 {
			return job.Errorf(job.Internal, "an empty page")
		}
		break
	}
	return nil
}
