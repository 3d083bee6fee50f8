package queue

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// shelf is a store in maps: it applies Changes and loads a State from them.
type shelf struct {
	meta     job.Meta
	queues   map[job.QueueID]job.QueueRow
	groups   map[job.GroupID]job.GroupRow
	kinds    map[job.KindID]job.KindRow
	shapes   map[job.ShapeID]job.ShapeRow
	learned  map[job.KindID]job.LearnedRow
	workers  map[job.WorkerID]job.WorkerRow
	live     map[job.Seq]job.Live
	keys     map[job.Seq]job.Key
	byKey    map[queueKey]uint64
	finished map[uint64]job.Finished
	payloads map[job.PayloadRef][]byte
	attempts map[attemptKey]job.AttemptRow
	requests map[requestKey]job.Request
	groupsOn map[job.DepGroupID]job.DepGroupRow
	depends  map[job.Seq]job.DependRow
}

type queueKey struct {
	queue job.QueueID
	key   job.Key
}

type attemptKey struct {
	seq    job.Seq
	number uint32
}

func newShelf() *shelf {
	return &shelf{
		queues: map[job.QueueID]job.QueueRow{}, groups: map[job.GroupID]job.GroupRow{},
		kinds: map[job.KindID]job.KindRow{}, shapes: map[job.ShapeID]job.ShapeRow{}, learned: map[job.KindID]job.LearnedRow{},
		workers: map[job.WorkerID]job.WorkerRow{}, live: map[job.Seq]job.Live{},
		keys: map[job.Seq]job.Key{}, byKey: map[queueKey]uint64{},
		finished: map[uint64]job.Finished{}, payloads: map[job.PayloadRef][]byte{},
		attempts: map[attemptKey]job.AttemptRow{}, requests: map[requestKey]job.Request{},
		groupsOn: map[job.DepGroupID]job.DepGroupRow{}, depends: map[job.Seq]job.DependRow{},
	}
}

// fataler is the part of testing.TB and rapid.T that the helpers need.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// apply applies the changes, in the least convenient order the store may choose:
// additions before removals.
func (h *shelf) apply(t fataler, c *job.Changes) {
	t.Helper()
	h.disjoint(t, c)
	if c.Meta != nil {
		h.meta = *c.Meta
	}
	for _, r := range c.Queues {
		put(h.queues, r.ID, r, r.Gone)
	}
	for _, r := range c.Groups {
		put(h.groups, r.ID, r, r.Gone)
	}
	for _, r := range c.Kinds {
		put(h.kinds, r.ID, r, r.Gone)
	}
	for _, r := range c.Learned {
		put(h.learned, r.Kind, r, r.Gone)
	}
	for _, r := range c.Shapes {
		put(h.shapes, r.ID, r, r.Gone)
	}
	for _, r := range c.Workers {
		put(h.workers, r.ID, r, r.Gone)
	}
	for _, r := range c.Requests {
		put(h.requests, requestKey{r.Client, r.ID}, r, r.Gone)
	}
	for _, r := range c.DepGroups {
		put(h.groupsOn, r.ID, r, r.Gone)
	}
	for _, r := range c.Depends {
		put(h.depends, r.Seq, r, r.Gone)
	}
	for _, r := range c.Payloads {
		h.payloads[job.PayloadRef{Seq: r.Seq, Version: r.Version}] = r.Body
	}
	for _, r := range c.Attempts {
		h.attempts[attemptKey{r.Seq, r.Number}] = r
	}
	for _, l := range c.Live {
		h.live[l.Seq] = l
	}
	for _, f := range c.Finished {
		h.finished[f.End] = f
	}
	for _, f := range c.Amended {
		if _, there := h.finished[f.End]; !there {
			t.Fatalf("end %d is amended, but not there", f.End)
		}
		h.finished[f.End] = f
	}
	h.applyKeys(t, c)
	for _, seq := range c.Gone {
		delete(h.live, seq)
	}
	for _, f := range c.Forgotten {
		delete(h.finished, f.End)
	}
	for _, seq := range c.Deleted {
		maps.DeleteFunc(h.payloads, func(r job.PayloadRef, _ []byte) bool { return r.Seq == seq })
		maps.DeleteFunc(h.attempts, func(k attemptKey, _ job.AttemptRow) bool { return k.seq == seq })
	}
}

// applyKeys applies what concerns keys; here the order matters.
func (h *shelf) applyKeys(t fataler, c *job.Changes) {
	t.Helper()
	for _, k := range c.Keys {
		put(h.keys, k.Seq, k.Key, k.Gone)
	}
	for _, f := range c.Forgotten {
		if f.Keyed {
			delete(h.byKey, queueKey{f.Queue, f.Key})
		}
	}
	for _, f := range c.Finished {
		if q := h.queues[f.Queue]; f.Keyed != (q.Def.Order == job.OrderKey) || f.Digest != job.DigestOf(q.Def.Name, f.Key) && f.Keyed {
			t.Fatalf("end %d: key %q, keyed %v in queue %q", f.End, f.Key, f.Keyed, q.Def.Name)
		}
		if f.Keyed {
			h.byKey[queueKey{f.Queue, f.Key}] = f.End
		}
	}
}

// checkKeys checks that keys are stored of exactly the jobs that need them.
func (h *shelf) checkKeys(t fataler) {
	t.Helper()
	live, finished := 0, 0
	for seq, l := range h.live {
		if q := h.queues[l.Queue]; q.Def.Order == job.OrderKey {
			live++
			if key, there := h.keys[seq]; !there || job.DigestOf(q.Def.Name, key) != l.Digest {
				t.Fatalf("job %d has no key stored, or another one: %q", seq, key)
			}
		}
	}
	for end, f := range h.finished {
		if f.Keyed {
			finished++
			if h.byKey[queueKey{f.Queue, f.Key}] != end {
				t.Fatalf("end %d is not found by its key %q", end, f.Key)
			}
		}
	}
	if live != len(h.keys) || finished != len(h.byKey) {
		t.Fatalf("%d keys of %d live jobs, %d of %d finished ones", len(h.keys), live, len(h.byKey), finished)
	}
}

func put[K comparable, V any](m map[K]V, k K, v V, gone bool) {
	if gone {
		delete(m, k)
	} else {
		m[k] = v
	}
}

// disjoint checks that the result does not depend on the order of the parts.
func (h *shelf) disjoint(t fataler, c *job.Changes) {
	t.Helper()
	gone := map[job.Seq]bool{}
	for _, seq := range c.Gone {
		gone[seq] = true
	}
	once := map[job.Seq]bool{}
	for _, l := range c.Live {
		if gone[l.Seq] || once[l.Seq] {
			t.Fatalf("job %d is live twice, or live and gone, in one Changes", l.Seq)
		}
		once[l.Seq] = true
	}
	ends := map[uint64]bool{}
	for _, f := range c.Finished {
		ends[f.End] = true
	}
	for _, f := range c.Forgotten {
		if ends[f.End] {
			t.Fatalf("end %d is finished and forgotten in one Changes", f.End)
		}
	}
	for _, seq := range c.Deleted {
		for _, p := range c.Payloads {
			if p.Seq == seq {
				t.Fatalf("a payload of deleted job %d", seq)
			}
		}
	}
}

// load is a new State of what was stored; finished jobs from reach on are told.
func (h *shelf) load(t fataler, cfg Config, now job.Time, reach uint64) *State {
	t.Helper()
	s := New(cfg)
	h.meta.Epoch++
	s.LoadMeta(h.meta)
	for _, k := range slices.Sorted(maps.Keys(h.queues)) {
		s.LoadQueue(h.queues[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.groups)) {
		s.LoadGroup(h.groups[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.kinds)) {
		s.LoadKind(h.kinds[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.shapes)) {
		s.LoadShape(h.shapes[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.workers)) {
		s.LoadWorker(h.workers[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.learned)) {
		s.LoadLearned(h.learned[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.groupsOn)) {
		s.LoadDepGroup(h.groupsOn[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.depends)) {
		if _, live := h.live[k]; !live {
			t.Fatalf("job %d is not live, but what it waits for is stored", k)
		}
		s.LoadDepend(h.depends[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.live)) {
		l := h.live[k]
		s.LoadLive(&l)
	}
	h.checkKeys(t)
	for _, k := range slices.Sorted(maps.Keys(h.keys)) {
		s.LoadKey(&job.KeyRow{Seq: k, Key: h.keys[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(h.finished)) {
		if f := h.finished[k]; k >= reach {
			s.LoadFinished(&f)
		}
	}
	if err := s.Loaded(now, h.meta.Epoch, 1); err != nil {
		t.Fatalf("load: %v", err)
	}
	return s
}

// sameLive compares the live records of a State with those stored.
func (h *shelf) sameLive(t fataler, s *State) {
	t.Helper()
	got := map[job.Seq]job.Live{}
	for from, done := job.Seq(0), false; !done; {
		_, from, done = s.Scan(from, Filter{}, 1000, 1000)
	}
	for seq := s.meta.MinLive; seq < s.meta.NextSeq; seq++ {
		if slot := s.bySeq.find(seq); slot != 0 {
			var l job.Live
			s.storedLive(s.recs.at(slot), &l)
			got[seq] = l
		}
	}
	if d := cmp.Diff(h.live, got); d != "" {
		t.Fatalf("stored and live records differ (-stored +live):\n%s", d)
	}
}

// fixture is a State with a shelf behind it, for table tests.
type fixture struct {
	*State
	t      testing.TB
	shelf  *shelf
	cfg    Config
	agent  job.WorkerID
	puller job.WorkerID
}

const start = job.Time(1_000_000_000_000_000_000)

func newFixture(t testing.TB, cfg Config) *fixture {
	f := &fixture{State: New(cfg), t: t, shelf: newShelf(), cfg: cfg}
	if err := f.Loaded(start, 1, 7); err != nil {
		t.Fatal(err)
	}
	f.agent, _ = f.Join(job.Worker{Name: "agent", Host: "host", Agent: true, Machine: "m", Dir: "/d", Incarnation: 1})
	f.puller, _ = f.Join(job.Worker{Name: "puller"})
	return f
}

// prepared makes an Add's item as the engine would.
func (f *fixture) prepared(j job.Job) Prepared {
	j.Normalise()
	if err := j.Validate(); err != nil {
		f.t.Fatal(err)
	}
	body, err := job.Encode(nil, &j)
	if err != nil {
		f.t.Fatal(err)
	}
	p := Prepared{Job: &j, Digest: job.DigestOf(j.Queue, j.Key), Body: body, Reach: f.meta.NextEnd}
	for end, fin := range f.shelf.finished {
		if fin.Digest == p.Digest {
			p.Found, p.End, p.Finished = true, end, &fin
		}
	}
	for _, d := range j.Dependencies {
		on := Looked{}
		if !d.OnGroup() {
			on.Digest = job.DigestOf(d.Queue, d.Key)
		}
		for _, fin := range f.shelf.finished {
			on.Found = on.Found || fin.Digest == on.Digest
		}
		p.On = append(p.On, on)
	}
	return p
}

// command is a job that agents run.
func command(line string) job.Job { return job.Job{Command: &job.Command{Line: line}} }

// data is a job that pulling workers run.
func data(key string) job.Job { return job.Job{Key: job.Key(key), Data: []byte{0xa0}} }

func (f *fixture) add(j job.Job, o AddOptions) Added {
	f.t.Helper()
	a := f.Add([]Prepared{f.prepared(j)}, o)[0]
	if a.Err != nil {
		f.t.Fatal(a.Err)
	}
	return a
}

func (f *fixture) grant(seq job.Seq, w job.WorkerID) Grant {
	f.t.Helper()
	g, ok := f.Grant(seq, w, 0, false)
	if !ok {
		f.t.Fatalf("job %d was not granted", seq)
	}
	return g
}

func (f *fixture) run(seq job.Seq, w job.WorkerID) Grant {
	f.t.Helper()
	g := f.grant(seq, w)
	if _, err := f.Start(g.Ref, 0); err != nil {
		f.t.Fatal(err)
	}
	return g
}

func (f *fixture) commit() *job.Changes {
	f.t.Helper()
	c := f.Take()
	f.shelf.apply(f.t.(fataler), c)
	return c
}

func (f *fixture) reload() {
	f.t.Helper()
	f.commit()
	f.State = f.shelf.load(f.t.(fataler), f.cfg, f.now, 0)
}

func (f *fixture) state(seq job.Seq) job.State {
	l, _ := f.BySeq(seq)
	return l.State
}

func (f *fixture) want(seq job.Seq, st job.State) job.Live {
	f.t.Helper()
	l, _ := f.BySeq(seq)
	if l.State != st {
		f.t.Fatalf("job %d is %v, want %v", seq, l.State, st)
	}
	return l
}
