package schedule

import (
	"flag"
	"maps"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// keyedQueue is ordered by key.
const keyedQueue = 3

// twin drives a Scheduler and the model with the same commands.
type twin struct {
	s    *Scheduler
	m    *model
	seq  job.Seq
	step int // units of work in a call of Pass
}

// TestAgainstModel gives both the same random commands and wants the same
// placements.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			HeadWait:        20 * time.Second,
			Key:             keyOfPlace,
			MaxReservations: rapid.SampledFrom([]int{-1, 1, 2, 5}).Draw(t, "reservations"),
			ReservedShare:   rapid.SampledFrom([]float64{0.1, 0.5, 1}).Draw(t, "share"),
			Strict:          rapid.IntRange(0, 4).Draw(t, "strict") == 0,
		}
		w := &twin{s: New(cfg), m: newModel(cfg), step: rapid.SampledFrom([]int{1, 3, math.MaxInt}).Draw(t, "step")}
		w.s.tune = drawTuning(t)
		w.s.begin(1000 * job.Time(time.Second))
		w.m.now = w.s.now
		w.s.SetQueue(keyedQueue, QueueSettings{ByKey: true})
		w.m.queues[keyedQueue] = QueueSettings{ByKey: true}
		for range 3 {
			w.setWorker(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"define":      w.define,
			"push":        w.push,
			"push more":   w.push,
			"remove":      w.remove,
			"queue":       w.setQueue,
			"limit":       w.setLimit,
			"worker":      w.setWorker,
			"drop worker": w.dropWorker,
			"release":     w.release,
			"start":       w.start,
			"pass":        w.pass,
			"later":       w.later,
			"pull":        w.pull,
			"drop shape":  w.dropShape,
			"":            w.check,
		})
	})
}

// drawTuning makes the scheduler change its ways at numbers a test comes to.
func drawTuning(t *rapid.T) tuning {
	n := rapid.SampledFrom([]int{0, 1, 3, 1000})
	return tuning{
		news: n.Draw(t, "news"), walks: n.Draw(t, "walks"), lanes: n.Draw(t, "lanes"), listed: n.Draw(t, "listed"),
		turns:   rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "turns"),
		indexed: rapid.SampledFrom([]int{2, 5, 1000}).Draw(t, "indexed"),
	}
}

// TestMain makes the random tests long enough to mean something, unless told how
// long they shall be.
func TestMain(m *testing.M) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("2000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestInterrupted lets passes stop anywhere, with commands in between. Who gets
// what is then not determined, but every placement must be right, and when the
// scheduler says that it is done, nothing more may fit.
func TestInterrupted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{HeadWait: 20 * time.Second, Key: keyOfPlace, ReservedShare: 0.5, Strict: rapid.IntRange(0, 4).Draw(t, "strict") == 0}
		w := &twin{s: New(cfg), m: newModel(cfg), step: rapid.IntRange(1, 4).Draw(t, "step")}
		w.s.tune = drawTuning(t)
		w.s.begin(1000 * job.Time(time.Second))
		w.m.now = w.s.now
		w.s.SetQueue(keyedQueue, QueueSettings{ByKey: true})
		w.m.queues[keyedQueue] = QueueSettings{ByKey: true}
		for range 3 {
			w.setWorker(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"define":      w.define,
			"push":        w.push,
			"push more":   w.push,
			"remove":      w.remove,
			"queue":       w.setQueue,
			"limit":       w.setLimit,
			"worker":      w.setWorker,
			"drop worker": w.dropWorker,
			"release":     w.release,
			"start":       w.start,
			"step":        func(t *rapid.T) { w.passStep(t) },
			"steps":       func(t *rapid.T) { w.passStep(t) },
			"pull":        func(t *rapid.T) { w.mirror(); w.pull(t) },
			"later": func(t *rapid.T) {
				w.m.now = w.m.now.Add(time.Duration(rapid.SampledFrom([]int{1, 20}).Draw(t, "seconds")) * time.Second)
			},
			"drain": w.drain,
			"":      w.check,
		})
	})
}

// mirror copies the scheduler's reservations to the model.
func (w *twin) mirror() {
	w.m.kept = nil
	for _, r := range w.s.reservations {
		w.m.kept = append(w.m.kept, &modelReservation{shape: r.shape.id, worker: r.worker.id, start: r.start, made: r.made})
	}
}

// passStep calls Pass once and checks what it placed.
func (w *twin) passStep(t *rapid.T) (more bool) {
	placed, more := w.s.Pass(w.m.now, w.step)
	for _, p := range placed {
		j, ready := w.m.ready[p.Seq]
		sh, wk := w.m.shapes[p.Shape], w.m.workers[p.Worker]
		free := w.m.free(p.Worker)
		if p.Prefetched {
			free = wk.Capacity
		}
		if !ready || j.shape != p.Shape || !sh.Command || !w.m.may(sh) || !takes(wk) || p.Prefetched && w.m.timed(sh) || !sh.Labels.SubsetOf(wk.Labels) ||
			!fits(sh.Needs, free) || !w.m.inTime(sh, wk) || p.Prefetched && w.m.backlog(p.Worker) >= wk.Prefetch {
			t.Fatalf("wrong: %+v of %+v on %+v with %v free", p, sh, wk, free)
		}
		if order := w.m.sorted(); order[w.m.head(order, p.Shape)].Seq != p.Seq {
			t.Fatalf("job %d overtook one of its shape", p.Seq)
		}
		w.m.grant(j, p.Worker, p.Prefetched)
	}
	return more
}

// drain lets the scheduler come to the end.
func (w *twin) drain(t *rapid.T) {
	for w.passStep(t) {
	}
	w.mirror()
	if p, ok := w.m.placeFirst(); ok {
		t.Fatalf("the scheduler is done, but %+v is possible", p)
	}
}

func drawResources(t *rapid.T, most int64) job.Resources {
	r := job.Resources{}
	if n := rapid.Int64Range(0, most).Draw(t, "cpu"); n > 0 {
		r["cpu"] = n * 500
	}
	if n := rapid.Int64Range(0, most).Draw(t, "mem"); n > 0 {
		r["mem"] = n << 30
	}
	if rapid.IntRange(0, 3).Draw(t, "special") == 0 {
		r["gpu"] = rapid.Int64Range(0, 2).Draw(t, "gpu") * 1000
		r["licence"] = rapid.Int64Range(0, 2).Draw(t, "licence") * 1000
		r["token"] = rapid.Int64Range(0, 1).Draw(t, "token") * 1000
	}
	return r
}

func drawLabels(t *rapid.T) job.Labels {
	var l job.Labels
	for _, x := range []string{"os:linux", "site:a"} {
		if rapid.IntRange(0, 2).Draw(t, x) == 0 {
			l = append(l, x)
		}
	}
	return l
}

func drawShapeID(t *rapid.T) job.ShapeID {
	return job.ShapeID(rapid.IntRange(1, 9).Draw(t, "shape"))
}

func (w *twin) define(t *rapid.T) {
	id := drawShapeID(t)
	sh := job.Shape{
		Queue: job.QueueID(rapid.IntRange(1, 3).Draw(t, "queue")), Kind: job.KindID(rapid.IntRange(1, 3).Draw(t, "kind")),
		Needs: drawResources(t, 6), Labels: drawLabels(t), Command: rapid.IntRange(0, 4).Draw(t, "command") > 0,
		Time:   time.Duration(rapid.SampledFrom([]int{0, 0, 5, 15, 40}).Draw(t, "time")) * time.Second,
		Limits: drawLimits(t),
	}
	if was, again := w.m.shapes[id]; again && (was.Queue == keyedQueue) != (sh.Queue == keyedQueue) {
		sh.Queue = was.Queue
	}
	w.s.DefineShape(id, &sh)
	w.m.shapes[id] = sh
	delete(w.m.waiting, id)
	w.m.cancel(id)
}

func (w *twin) dropShape(t *rapid.T) {
	id := drawShapeID(t)
	w.s.DropShape(id)
	delete(w.m.shapes, id)
	delete(w.m.waiting, id)
	w.m.cancel(id)
	maps.DeleteFunc(w.m.ready, func(_ job.Seq, j modelJob) bool { return j.shape == id })
}

func (w *twin) push(t *rapid.T) {
	id := drawShapeID(t)
	if _, ok := w.m.shapes[id]; !ok {
		t.Skip("no such shape")
	}
	for range rapid.IntRange(1, 6).Draw(t, "n") {
		w.seq++
		it := Item{
			Seq: w.seq, Priority: rapid.SampledFrom([]float64{0, 0, 0, 1, -1.5}).Draw(t, "priority"),
			Place: uint64(w.seq), Group: job.GroupID(rapid.IntRange(1, 4).Draw(t, "group")),
		}
		if rapid.IntRange(0, 5).Draw(t, "old place") == 0 {
			it.Place = uint64(rapid.IntRange(1, int(w.seq)).Draw(t, "place"))
		}
		w.s.Push(id, it)
		w.m.ready[it.Seq] = modelJob{it, id}
	}
}

func pick[K interface{ ~uint32 | ~uint64 }, V any](t *rapid.T, m map[K]V) (K, V) {
	if len(m) == 0 {
		t.Skip("none")
	}
	k := rapid.SampledFrom(slices.Sorted(maps.Keys(m))).Draw(t, "which")
	return k, m[k]
}

func (w *twin) remove(t *rapid.T) {
	_, j := pick(t, w.m.ready)
	if !w.s.Remove(j.shape, j.Item) {
		t.Fatalf("job %d was not there", j.Seq)
	}
	if w.s.Remove(j.shape, j.Item) {
		t.Fatalf("job %d was there twice", j.Seq)
	}
	delete(w.m.ready, j.Seq)
	if w.m.head(w.m.sorted(), j.shape) < 0 {
		delete(w.m.waiting, j.shape)
		w.m.cancel(j.shape)
	}
}

func (w *twin) setQueue(t *rapid.T) {
	id := job.QueueID(rapid.IntRange(1, 3).Draw(t, "queue"))
	q := QueueSettings{
		Priority: rapid.Int64Range(-1, 1).Draw(t, "priority"), Paused: rapid.IntRange(0, 3).Draw(t, "paused") == 0,
		MaxRunning: rapid.SampledFrom([]int64{0, 0, 1, 2, 5}).Draw(t, "max running"),
		ByKey:      id == keyedQueue,
	}
	w.s.SetQueue(id, q)
	w.m.queues[id] = q
}

func (w *twin) setWorker(t *rapid.T) {
	id := job.WorkerID(rapid.IntRange(1, 6).Draw(t, "worker"))
	def := Worker{
		Labels: drawLabels(t), Capacity: drawResources(t, 12), Prefetch: rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "prefetch"),
		Agent: rapid.IntRange(0, 4).Draw(t, "agent") > 0, Closed: rapid.IntRange(0, 7).Draw(t, "closed") == 0,
	}
	if rapid.IntRange(0, 3).Draw(t, "until") == 0 {
		def.Until = w.m.now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "left")) * time.Second)
	}
	old, present := w.m.workers[id]
	if present && rapid.Bool().Draw(t, "same") {
		def.Labels, def.Capacity, def.Agent, def.Closed = old.Labels, old.Capacity, old.Agent, old.Closed
	}
	if !def.Agent && rapid.Bool().Draw(t, "says nothing") {
		def.Capacity = nil
	}
	w.s.SetWorker(id, def)
	w.m.workers[id] = def
	alike := present && old.Agent == def.Agent && old.Closed == def.Closed &&
		slices.Equal(old.Labels.Sorted(), def.Labels.Sorted()) && w.keyOf(old.Capacity) == w.keyOf(def.Capacity)
	if r := w.m.reservationOn(id); r != nil && !alike {
		w.m.cancel(r.shape)
	}
}

func (w *twin) keyOf(r job.Resources) string {
	a := amountsOf(r)
	return a.key()
}

func (w *twin) dropWorker(t *rapid.T) {
	id := job.WorkerID(rapid.IntRange(1, 6).Draw(t, "worker"))
	w.s.DropWorker(id)
	delete(w.m.workers, id)
	if r := w.m.reservationOn(id); r != nil {
		w.m.cancel(r.shape)
	}
}

func (w *twin) release(t *rapid.T) {
	seq, h := pick(t, w.m.held)
	if !w.s.Release(seq) || w.s.Release(seq) {
		t.Fatalf("job %d was not held once", seq)
	}
	delete(w.m.held, seq)
	if !h.told {
		w.m.unuse(h.limits)
	}
	if _, ok := w.m.shapes[h.Shape]; ok && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		it := Item{Seq: seq, Place: uint64(seq), Group: 1}
		w.s.Push(h.Shape, it)
		w.m.ready[seq] = modelJob{it, h.Shape}
	}
}

// start begins a prefetched job, or holds one as after a reload.
func (w *twin) start(t *rapid.T) {
	if rapid.Bool().Draw(t, "reload") {
		id, sh := pick(t, w.m.shapes)
		w.seq++
		h := Held{
			Seq: w.seq, Shape: id, Worker: job.WorkerID(rapid.IntRange(0, 6).Draw(t, "worker")), Since: w.m.now.Add(-time.Second),
			Prefetched: rapid.IntRange(0, 3).Draw(t, "prefetched") == 0,
		}
		w.s.Hold(h)
		w.m.held[h.Seq] = modelHold{h, sh.Queue, sh.Needs, sh.Time, sh.Limits, true}
		return
	}
	seq, h := pick(t, w.m.held)
	if _, ok := w.m.shapes[h.Shape]; !ok {
		t.Skip("shape is gone")
	}
	h.Prefetched, h.Since, h.told = false, w.m.now, true
	w.s.Hold(h.Held)
	w.m.held[seq] = h
}

func (w *twin) later(t *rapid.T) {
	w.m.now = w.m.now.Add(time.Duration(rapid.SampledFrom([]int{1, 4, 20, 60}).Draw(t, "seconds")) * time.Second)
	w.pass(t)
}

func (w *twin) pass(t *rapid.T) {
	now := w.m.now
	want := w.m.pass(now)
	var got []Placement
	for {
		placed, more := w.s.Pass(now, w.step)
		got = append(got, placed...)
		if !more {
			break
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("pass at %d (-model +scheduler):\n%s", now, d)
	}
	w.checkReservations(t)
}

func (w *twin) checkReservations(t *rapid.T) {
	type kept struct {
		Shape  job.ShapeID
		Worker job.WorkerID
	}
	var want, got []kept
	for _, r := range w.m.kept {
		want = append(want, kept{r.shape, r.worker})
	}
	for _, r := range w.s.reservations {
		got = append(got, kept{r.shape.id, r.worker.id})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("reservations (-model +scheduler):\n%s", d)
	}
}

func (w *twin) pull(t *rapid.T) {
	p := Pull{
		Worker: job.WorkerID(rapid.IntRange(0, 7).Draw(t, "worker")), N: rapid.IntRange(0, 6).Draw(t, "n"),
		Command: rapid.Bool().Draw(t, "command"), Data: rapid.IntRange(0, 3).Draw(t, "data") > 0,
	}
	if rapid.IntRange(0, 2).Draw(t, "by queue") == 0 {
		p.Queues = rapid.SliceOfN(rapid.Map(rapid.Uint32Range(1, 4), func(n uint32) job.QueueID { return job.QueueID(n) }), 1, 3).Draw(t, "queues")
	}
	if rapid.IntRange(0, 2).Draw(t, "by kind") == 0 {
		p.Kinds = rapid.SliceOfN(rapid.Map(rapid.Uint32Range(1, 4), func(n uint32) job.KindID { return job.KindID(n) }), 1, 3).Draw(t, "kinds")
	}
	if rapid.IntRange(0, 2).Draw(t, "by group") == 0 {
		p.Groups = rapid.SliceOfN(rapid.Map(rapid.Uint32Range(1, 5), func(n uint32) job.GroupID { return job.GroupID(n) }), 1, 3).Draw(t, "groups")
	}
	if rapid.IntRange(0, 3).Draw(t, "by shape") == 0 {
		p.Shapes = rapid.SliceOfN(rapid.Map(rapid.Uint32Range(1, 9), func(n uint32) job.ShapeID { return job.ShapeID(n) }), 1, 4).Draw(t, "shapes")
	}
	if rapid.Bool().Draw(t, "with capacity") {
		p.Capacity = drawResources(t, 12)
	}
	want := w.m.pull(w.m.now, p)
	w.s.Advance(w.m.now)
	w.s.tick()
	turning := len(w.s.turning)
	got, more := w.s.Pull(w.m.now, p)
	for more {
		if len(p.Groups) == 0 && len(w.s.turning) >= turning || len(got) > 0 {
			t.Fatal("a pull was not answered at once")
		}
		turning = len(w.s.turning)
		got, more = w.s.Pull(w.m.now, p)
	}
	if d := cmp.Diff(want, slices.Clone(got)); d != "" && len(want)+len(got) > 0 {
		t.Fatalf("pull %+v (-model +scheduler):\n%s", p, d)
	}
}

// check compares what both know and looks for broken invariants.
func (w *twin) check(t *rapid.T) {
	if w.s.Ready() != int64(len(w.m.ready)) || len(w.s.held) != len(w.m.held) {
		t.Fatalf("%d ready and %d held, want %d and %d", w.s.Ready(), len(w.s.held), len(w.m.ready), len(w.m.held))
	}
	for id, q := range w.s.queues {
		if q.running != w.m.running(id) {
			t.Fatalf("queue %d runs %d, want %d", id, q.running, w.m.running(id))
		}
	}
	for id, wk := range w.s.workers {
		w.checkWorker(t, id, wk)
	}
	w.checkLimits(t)
	w.checkIndexes(t)
}

func (w *twin) checkWorker(t *rapid.T, id job.WorkerID, wk *worker) {
	if !wk.present {
		return
	}
	free := w.m.free(id)
	for name := range w.m.workers[id].Capacity {
		if wk.free.get(name) != free[name] {
			t.Fatalf("worker %d has %d of %s free, want %d", id, wk.free.get(name), name, free[name])
		}
	}
	if wk.backlog != w.m.backlog(id) {
		t.Fatalf("worker %d has %d prefetched, want %d", id, wk.backlog, w.m.backlog(id))
	}
}

// checkIndexes looks whether every index holds what it should and covers it.
func (w *twin) checkIndexes(t *rapid.T) {
	for _, l := range w.s.lanes {
		l.shapes.check(t)
		if l.order != nil && (l.file(l.shapes.head()).less(l.key) || !l.need.covers(ptr(l.shapes.exact()))) {
			t.Fatalf("a lane of queue %d is filed too late or too narrow", l.queue.id)
		}
		if !l.turning && (l.order != nil) != (l.shapes.n > 0 && l.open()) || l.order != nil && l.order != w.s.orderOf(l) {
			t.Fatalf("a lane of queue %d with %d shapes is in order %p", l.queue.id, l.shapes.n, l.order)
		}
	}
	for _, sh := range w.s.shapes {
		for _, o := range sh.offers {
			if o.listed != (sh.items.len() > 0) || o.listed && (o.head().less(o.key) || !o.stale && o.head() != o.key) {
				t.Fatalf("shape %d is not filed where its first job is", sh.id)
			}
		}
	}
	for _, c := range w.s.classes {
		c.free.check(t)
		c.spare.check(t)
		if c.free.n != len(slices.DeleteFunc(w.m.agents(), func(id job.WorkerID) bool { return !w.s.labels.names(c.labels).SubsetOf(w.m.workers[id].Labels) })) {
			t.Fatalf("class %v %v has %d agents, %v", c.labels, w.s.labels.names(c.labels), c.free.n, w.m.workers)
		}
	}
}

// exact is bound without any memory of it.
func (x *index[T]) exact() vec {
	v := (&leaf[T]{}).top()
	for _, l := range x.leaves {
		top := l.top()
		v.raise(&top)
	}
	return v
}

func ptr[T any](v T) *T { return &v }

// check looks whether an index is in order and its summaries are right.
func (x *index[T]) check(t interface{ Fatalf(string, ...any) }) {
	n := 0
	last := rank{}
	for i, l := range x.leaves {
		if len(l.ranks) == 0 || l.ranks[0].less(x.firsts[i]) || l.top() != x.tops[i] || !x.top.covers(&x.tops[i]) {
			t.Fatalf("leaf %d of %d is empty or wrongly summed up", i, len(x.leaves))
		}
		for _, r := range l.ranks {
			if n > 0 && !last.less(r) {
				t.Fatalf("entry %d is out of order", n)
			}
			last = r
			n++
		}
	}
	if n != x.n {
		t.Fatalf("%d entries, counted %d", n, x.n)
	}
}
