package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// machine drives a State and the model with the same random commands.
type machine struct {
	t     *rapid.T
	s     *State
	m     *model
	shelf *shelf
	cfg   Config

	// found and reach are what the store's key index knew when it was last
	// brought up to date; older is what it knew before that.
	found, older   map[job.Digest]uint64
	reach, reachOf uint64

	refs    []Ref // all attempts ever granted
	granted map[job.AttemptID]bool
	agents  []job.WorkerID
	pullers []job.WorkerID
	sched   mirror
	keyed   bool     // the queue is ordered by key
	keys    []string // known ones: those given and those made
}

// keys share a long beginning, and some are the beginning of others; the order of
// the list is not theirs.
var keys = []string{"the beginning of all keys/bc", "the beginning of all keys/a", "the beginning of all keys/b", "the beginning of all keys/", "the beginning of all keys/\xff"}

func TestAgainstModel(t *testing.T) {
	for range 5 { // rapid's own number of checks is small for so many commands
		againstModel(t)
	}
}

func againstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"add": k.add, "add2": k.add, "grant": k.grant, "grant2": k.grant, "grant3": k.grant,
			"start": k.start, "start2": k.start, "renew": k.renew, "end": k.end, "end2": k.end,
			"cancel": k.cancel, "preempt": k.preempt, "withdraw": k.withdraw, "delete": k.delete,
			"kick": k.kick, "bury": k.bury, "modify": k.modify, "conclude": k.conclude, "reopen": k.reopen,
			"assign": k.assign, "lapse": k.lapse, "rescue": k.rescue, "rescue2": k.rescue, "setData": k.setData, "invent": k.invent,
			"deleteFinished": k.deleteFinished, "heard": k.heard, "supersede": k.supersede,
			"time": k.pass, "time2": k.pass, "deaf": k.deaf, "hold": k.hold, "pause": k.pause,
			"commit": k.commit, "index": k.index, "reload": k.reload,
			"": k.check,
		})
	})
}

func newMachine(t *rapid.T) *machine {
	backoff := job.Backoff{Base: mBase, Jitter: mJitter, Cap: mCap}
	k := &machine{
		t: t, shelf: newShelf(), m: &model{jobs: map[string]*mjob{}, workers: map[job.WorkerID]*mworker{}, retries: 2, lossesBound: 1},
		cfg:     Config{Retries: new(2), Losses: new(1), Backoff: &backoff, WorkerKeep: 10000 * time.Hour},
		found:   map[job.Digest]uint64{},
		keys:    slices.Clone(keys),
		granted: map[job.AttemptID]bool{},
	}
	k.s = New(k.cfg)
	k.s.recent.least = 0
	if err := k.s.Loaded(start, 1, 7); err != nil {
		t.Fatal(err)
	}
	k.sched.reset()
	k.s.Begin(start)
	k.keyed = rapid.Bool().Draw(t, "keyed")
	if k.keyed {
		def := job.Queue{Name: job.DefaultQueue, Order: job.OrderKey}
		if rapid.Bool().Draw(t, "units") {
			k.m.units, k.m.interval = 3, 50*time.Second
			def.Definition, def.MaxAttempts = []byte{0xa0}, 3
			def.Continuous, def.CanBeContinuous, def.Interval = true, true, k.m.interval
		}
		if _, err := k.s.SetQueue(def); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		a, _ := k.s.Join(job.Worker{Name: fmt.Sprint("agent", i), Agent: true})
		p, _ := k.s.Join(job.Worker{Name: fmt.Sprint("puller", i)})
		k.agents, k.pullers = append(k.agents, a), append(k.pullers, p)
		k.m.workers[a], k.m.workers[p] = &mworker{agent: true}, &mworker{}
	}
	return k
}

func (k *machine) feed() {
	for f := k.s.Feed(); len(f) > 0; f = k.s.Feed() {
		k.sched.apply(k.t, f)
		k.checkFeed(f)
	}
}

// checkFeed checks that the scheduler can order what it is told of.
func (k *machine) checkFeed(feed []Feed) {
	for _, f := range feed {
		if k.keyed && (f.Op == FeedPush || f.Op == FeedRemove) && !slices.Contains(k.keys, string(k.s.Key(f.Place))) {
			k.t.Fatalf("feed %+v: its place stands for %q", f, k.s.Key(f.Place))
		}
	}
}

func (k *machine) now() job.Time { return start.Add(k.m.now) }

// job picks a job the model knows, and its key.
func (k *machine) job(t *rapid.T) *mjob {
	j := k.m.jobs[rapid.SampledFrom(k.keys).Draw(t, "key")]
	if j == nil {
		t.Skip("no such job")
	}
	return j
}

func (k *machine) prepare(t *rapid.T, key string) Prepared {
	j := job.Job{
		Key: job.Key(key), Group: rapid.SampledFrom([]string{"", "g", "h"}).Draw(t, "group"),
		Priority: float64(rapid.IntRange(0, 2).Draw(t, "priority")),
		Time:     time.Duration(rapid.IntRange(0, 1).Draw(t, "time")) * time.Hour,
	}
	if k.m.units == 0 && rapid.Bool().Draw(t, "command") {
		j.Command = &job.Command{Line: "true"}
	} else {
		j.Data = []byte{1}
	}
	if rapid.IntRange(0, 4).Draw(t, "wait") == 0 {
		j.NotBefore = k.now().Add(40 * time.Second).Std()
	}
	if rapid.IntRange(0, 3).Draw(t, "hold") == 0 {
		j.OnLost = job.OnLostHold
	}
	if rapid.Bool().Draw(t, "own retries") {
		j.Retries = new(rapid.IntRange(0, 2).Draw(t, "retries"))
	}
	j.Normalise()
	p := Prepared{Job: &j, Digest: job.DigestOf(j.Queue, j.Key), Body: []byte(fmt.Sprint(key, j.Priority))}
	if k.older != nil && rapid.IntRange(0, 4).Draw(t, "stale") == 0 {
		p.End, p.Found = k.older[p.Digest]
		p.Reach = k.reachOf
	} else {
		k.look(&p)
	}
	return p
}

// look looks the key up in the index as it is now.
func (k *machine) look(p *Prepared) {
	p.End, p.Found = k.found[p.Digest]
	if _, kept := k.shelf.finished[p.End]; !kept {
		p.Found = false
	}
	p.Reach = k.reach
}

func (k *machine) add(t *rapid.T) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	p := k.prepare(t, key)
	o := AddOptions{Existing: job.Existing(rapid.IntRange(0, 2).Draw(t, "existing")), Kick: rapid.Bool().Draw(t, "kick")}
	a := k.s.Add([]Prepared{p}, o)[0]
	if a.Status == AddStale {
		if p.Reach == k.reach {
			t.Fatalf("a fresh look-up is called stale")
		}
		k.look(&p)
		a = k.s.Add([]Prepared{p}, o)[0]
	}
	if a.Status == AddNeedFinished {
		p.Finished = k.record(t, a.End)
		a = k.s.Add([]Prepared{p}, o)[0]
	}
	if want := k.m.add(key, &p, o); a.Status != want || a.Err != nil {
		t.Fatalf("add: status %d (%v), want %d", a.Status, a.Err, want)
	}
	j := k.m.jobs[key]
	if a.Seq != 0 {
		j.seq = a.Seq
	}
	if a.State != j.state {
		t.Fatalf("add says %v, want %v", a.State, j.state)
	}
}

// record is a history record, which may not be committed yet: the engine would
// have to commit first.
func (k *machine) record(t *rapid.T, end uint64) *job.Finished {
	if _, ok := k.shelf.finished[end]; !ok {
		k.commit(t)
	}
	f, ok := k.shelf.finished[end]
	if !ok {
		t.Fatalf("history has no end %d", end)
	}
	return &f
}

func (k *machine) grant(t *rapid.T) {
	j := k.job(t)
	by := rapid.SampledFrom(slices.Concat(k.agents, k.pullers)).Draw(t, "worker")
	lease := rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute, 5 * time.Minute}).Draw(t, "lease")
	prefetched := k.m.workers[by].agent && rapid.Bool().Draw(t, "prefetched")
	g, ok := k.s.Grant(j.seq, by, lease, prefetched)
	number := j.number
	if want := k.m.grant(j, by, lease, prefetched); ok != want {
		t.Fatalf("grant: %v, want %v", ok, want)
	}
	if ok {
		k.given(t, j, g)
	} else if j.number != number {
		j.attempt = k.lastAttempt(t, j) // the one that was too many
	}
}

// given checks a new attempt.
func (k *machine) given(t *rapid.T, j *mjob, g Grant) {
	if k.granted[g.Attempt] {
		t.Fatalf("attempt id %v was given before", g.Attempt)
	}
	k.granted[g.Attempt] = true
	j.attempt = g.Attempt
	k.refs = append(k.refs, g.Ref)
	if g.Number != j.number || g.Version != j.given || g.Lease != j.lease {
		t.Fatalf("grant %+v, want number %d version %d lease %v", g, j.number, j.given, j.lease)
	}
}

// attempt picks an attempt: half of the time one that was granted lately.
func (k *machine) attempt(t *rapid.T) (Ref, *mjob) {
	if len(k.refs) == 0 {
		t.Skip("none granted")
	}
	n := rapid.IntRange(0, len(k.refs)-1).Draw(t, "ref")
	if rapid.Bool().Draw(t, "late one") {
		n = max(0, len(k.refs)-1-n%3)
	}
	for _, j := range k.m.jobs {
		if j.seq == k.refs[n].Seq {
			return k.refs[n], j
		}
	}
	return k.refs[n], &mjob{}
}

func (k *machine) lease(t *rapid.T, what string, err error, j *mjob, ok bool) {
	t.Helper()
	switch {
	case ok && err == nil:
	case !ok && j.state == job.Absent || j.state == job.Complete:
		if !errors.Is(err, job.ErrNoJob) {
			t.Fatalf("%s: %v, want no job", what, err)
		}
	case ok || !errors.Is(err, job.ErrLostLease):
		t.Fatalf("%s: %v, want %v", what, err, ok)
	}
}

func (k *machine) start(t *rapid.T) {
	ref, j := k.attempt(t)
	gone := j.state == job.Absent || j.state == job.Complete
	_, err := k.s.Start(ref, 0)
	ok := !gone && k.m.begin(j, ref.Attempt)
	k.lease(t, "start", err, j, ok)
}

func (k *machine) renew(t *rapid.T) {
	ref, j := k.attempt(t)
	lease := rapid.SampledFrom([]time.Duration{0, 20 * time.Second, 2 * time.Minute}).Draw(t, "lease")
	got, err := k.s.Renew(ref, lease)
	ok := k.m.renew(j, ref.Attempt, lease)
	k.lease(t, "renew", err, j, ok)
	if ok && got.Mark != j.mark {
		t.Fatalf("renewal says %v, want %v", got.Mark, j.mark)
	}
}

func (k *machine) end(t *rapid.T) {
	ref, j := k.attempt(t)
	e := &End{Ref: ref, How: How(rapid.IntRange(1, 3).Draw(t, "how"))}
	if e.How != Completed {
		e.Result.Reason = rapid.SampledFrom([]job.Reason{0, job.ReasonExit, job.ReasonSignal, job.ReasonNotFound}).Draw(t, "reason")
	}
	if rapid.IntRange(0, 3).Draw(t, "own delay") == 0 {
		e.Delay = new(time.Duration(rapid.IntRange(0, 1).Draw(t, "delay")) * time.Minute)
	}
	e.Remove = rapid.IntRange(0, 7).Draw(t, "remove") == 0
	gone := j.state == job.Absent || j.state == job.Complete
	got, err := k.s.End(e)
	if gone {
		k.lease(t, "end", err, j, false)
		return
	}
	want := k.m.finish(j, e)
	if (err == nil) != want.ok || err != nil && !errors.Is(err, job.ErrLostLease) || err == nil && got.Repeated != want.repeated {
		t.Fatalf("end: %+v, %v; want %+v", got, err, want)
	}
	if err != nil || got.Repeated {
		return
	}
	if want.backoff > 0 {
		k.backoff(t, j, got, want.backoff)
	}
	if got.State != j.state {
		t.Fatalf("end led to %v, want %v", got.State, j.state)
	}
	if e.Remove && j.state == job.Buried {
		j.state = job.Absent
		k.lease(t, "the repeat of what removed the job", func() error { _, err := k.s.End(e); return err }(), j, false)
		return
	}
	again, err := k.s.End(e)
	if got.State != job.Complete && (err != nil || !again.Repeated || again.State != got.State || again.Due != got.Due) {
		t.Fatalf("the repeat got %+v, %v; first %+v", again, err, got)
	}
}

// backoff checks a delay that is partly random and tells it to the model.
func (k *machine) backoff(t *rapid.T, j *mjob, got Ended, failure int) {
	least := min(mBase<<(failure-1), mCap)
	if d := got.Due.Sub(k.now()); d < least || d > min(least+mJitter, mCap) {
		t.Fatalf("back-off after failure %d is %v", failure, d)
	}
	j.due = got.Due.Sub(start)
}

func (k *machine) known(t *rapid.T, err error, j *mjob) bool {
	if !j.live() {
		if !errors.Is(err, job.ErrNoJob) {
			t.Fatalf("%v, want no job", err)
		}
		return false
	}
	return true
}

func (k *machine) conflict(t *rapid.T, err error, want bool) {
	if (err != nil) != want || want && job.KindOf(err) != job.Conflict {
		t.Fatalf("%v; want a conflict: %v", err, want)
	}
}

func (k *machine) deleteFinished(t *rapid.T) {
	if len(k.shelf.finished) == 0 {
		t.Skip("no history")
	}
	end := rapid.SampledFrom(slices.Sorted(maps.Keys(k.shelf.finished))).Draw(t, "end")
	f := k.shelf.finished[end]
	err := k.s.DeleteFinished(&f)
	for _, j := range k.m.jobs {
		if j.seq == f.Seq && j.state == job.Complete && err == nil {
			j.state = job.Absent
			k.m.done--
			return
		}
	}
	if err == nil {
		t.Fatalf("deleted a record that is out of date")
	}
	k.commit(t)
	if _, still := k.shelf.finished[end]; still {
		t.Fatalf("refused to delete a finished job")
	}
}

func (k *machine) heard(t *rapid.T) {
	w := rapid.SampledFrom(k.agents).Draw(t, "agent")
	if err := k.s.Heard(w); err != nil {
		t.Fatal(err)
	}
	k.m.hear(w)
	if rapid.Bool().Draw(t, "ordinary leases") {
		k.s.EndHold(w)
		k.m.workers[w].hold = 0
		k.settleHold()
	}
}

// settleHold: the planned stop is forgotten when no worker acts on it.
func (k *machine) settleHold() {
	for id, w := range k.m.workers {
		if w.hold > k.m.now && k.m.holds(id) > 0 {
			return
		}
	}
	k.m.holdUntil = 0
}

func (k *machine) supersede(t *rapid.T) {
	i := rapid.IntRange(0, len(k.agents)-1).Draw(t, "agent")
	old := k.agents[i]
	if err := k.s.Supersede(old); err != nil {
		t.Fatal(err)
	}
	for _, j := range k.m.jobs {
		if j.worker == old && j.held() {
			k.m.lapse(j, true)
		}
	}
	k.agents[i], _ = k.s.Join(job.Worker{Name: fmt.Sprint("agent", i), Agent: true, Incarnation: uint64(old)})
	k.m.workers[k.agents[i]] = &mworker{agent: true, heard: k.m.clock()}
}

func (k *machine) pass(t *rapid.T) {
	d := rapid.SampledFrom([]int{1, 9, 20, 31, 61, 290, 400}).Draw(t, "seconds")
	k.advance(time.Duration(d) * time.Second)
}

// advance lets time pass. It does not pass the end of a lease and of silence
// with anything in between left out: Expire does all that is due.
func (k *machine) advance(d time.Duration) {
	k.m.now += d
	k.s.Begin(k.now())
	for k.s.Expire(3) {
	}
	k.m.tick()
	if k.m.holdUntil <= k.m.now {
		k.m.holdUntil = 0
	}
}

func (k *machine) deaf(t *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second
	k.m.now += d
	k.m.deaf += d
	k.s.Begin(k.now())
	k.s.Shift(d)
	k.advance(0)
}

func (k *machine) hold(t *rapid.T) {
	until := k.m.now + 500*time.Second
	k.s.Hold(start.Add(until))
	k.m.holdUntil = max(k.m.holdUntil, until)
	for id, w := range k.m.workers {
		if k.m.holds(id) > 0 {
			w.hold = max(w.hold, until)
		}
	}
	for _, j := range k.m.jobs {
		if j.held() && !k.m.workers[j.worker].agent {
			j.deadline = max(j.deadline, until-k.m.deaf)
		}
	}
}

func (k *machine) pause(t *rapid.T) {
	if k.m.paused = !k.m.paused; k.m.paused {
		k.s.Pause()
	} else {
		k.s.Resume()
	}
}

func (k *machine) commit(t *rapid.T) {
	k.feed()
	k.shelf.apply(t, k.s.Take())
	k.shelf.sameLive(t, k.s)
	if c := k.s.Take(); !c.Empty() {
		t.Fatalf("a turn without commands changed %+v", c)
	}
}

// index brings the store's key index up to date.
func (k *machine) index(t *rapid.T) {
	k.commit(t)
	k.older, k.reachOf = k.found, k.reach
	k.found = map[job.Digest]uint64{}
	for end, f := range k.shelf.finished {
		k.found[f.Digest] = end
	}
	k.reach = k.s.Meta().NextEnd
	k.s.TrimOverlay(k.reach)
}

func (k *machine) reload(t *rapid.T) {
	k.commit(t)
	old := k.s
	k.s = k.shelf.load(t, k.cfg, k.now(), k.reach)
	k.s.recent.least = 0
	k.older = nil // no look-up outlives a load
	maps.DeleteFunc(k.found, func(_ job.Digest, end uint64) bool { _, kept := k.shelf.finished[end]; return !kept })
	k.sched.reset()
	k.feed()
	k.s.Begin(k.now())
	k.m.deaf = 0
	for id, w := range k.m.workers {
		w.heard, w.silent, w.hold, w.quiet = k.m.now, false, 0, 0
		if k.m.holds(id) > 0 {
			w.hold = k.m.holdUntil
		}
	}
	for _, j := range k.m.jobs {
		if j.held() {
			w := k.m.workers[j.worker]
			j.deadline = max(k.m.now+j.lease, w.hold)
			w.quiet = min(orElse(w.quiet, mSilence), j.lease+mMargin(j.lease))
		}
	}
	k.settleHold()
	if d := cmp.Diff(old.Counts(), k.s.Counts()); d != "" || old.Bytes() != k.s.Bytes() {
		t.Fatalf("counters differ after a reload: %s", d)
	}
	if d := cmp.Diff([][]Named{old.Queues("", 9), old.Groups("", 9)}, [][]Named{k.s.Queues("", 9), k.s.Groups("", 9)}); d != "" {
		t.Fatalf("queues or groups differ after a reload: %s", d)
	}
}
