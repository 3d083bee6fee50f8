package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-queue/muster/job"
	"pgregory.net/rapid"
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
}

// mirror is the scheduler's picture, kept from the feed alone.
type mirror struct {
	ready  map[job.Seq]Feed
	held   map[job.Seq]Feed
	shapes map[job.ShapeID]bool
}

var keys = []string{"a", "b", "c", "d", "e"}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"add": k.add, "add2": k.add, "grant": k.grant, "grant2": k.grant, "grant3": k.grant,
			"start": k.start, "start2": k.start, "renew": k.renew, "end": k.end, "end2": k.end,
			"cancel": k.cancel, "preempt": k.preempt, "withdraw": k.withdraw, "delete": k.delete,
			"kick": k.kick, "bury": k.bury, "modify": k.modify, "conclude": k.conclude, "reopen": k.reopen,
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
		granted: map[job.AttemptID]bool{},
	}
	k.s = New(k.cfg)
	if err := k.s.Loaded(start, 1, 7); err != nil {
		t.Fatal(err)
	}
	k.sched.reset()
	k.s.Begin(start)
	for i := range 2 {
		a, _ := k.s.Join(job.Worker{Name: fmt.Sprint("agent", i), Agent: true})
		p, _ := k.s.Join(job.Worker{Name: fmt.Sprint("puller", i)})
		k.agents, k.pullers = append(k.agents, a), append(k.pullers, p)
		k.m.workers[a], k.m.workers[p] = &mworker{agent: true}, &mworker{}
	}
	return k
}

func (m *mirror) reset() {
	*m = mirror{ready: map[job.Seq]Feed{}, held: map[job.Seq]Feed{}, shapes: map[job.ShapeID]bool{}}
}

// apply keeps the picture; steps that do not fit it are failures.
func (m *mirror) apply(t fataler, feed []Feed) {
	t.Helper()
	for _, f := range feed {
		_, ready := m.ready[f.Seq]
		old, held := m.held[f.Seq]
		ok := true
		switch f.Op {
		case FeedDefineShape:
			ok = !m.shapes[f.Shape]
			m.shapes[f.Shape] = true
		case FeedDropShape:
			ok = m.shapes[f.Shape]
			delete(m.shapes, f.Shape)
		case FeedPush:
			ok = !ready && !held && m.shapes[f.Shape]
			m.ready[f.Seq] = f
		case FeedRemove:
			ok = ready && m.ready[f.Seq].Shape == f.Shape && m.ready[f.Seq].Priority == f.Priority
			delete(m.ready, f.Seq)
		case FeedHold:
			ok = !held && m.shapes[f.Shape]
			delete(m.ready, f.Seq)
			m.held[f.Seq] = f
		case FeedStart:
			ok = held && old.Prefetched
			old.Prefetched = false
			m.held[f.Seq] = old
		case FeedRelease:
			ok = held && old.Shape == f.Shape && old.Worker == f.Worker && old.Prefetched == f.Prefetched
			delete(m.held, f.Seq)
		case FeedStopping:
			ok = held
		}
		if !ok {
			t.Fatalf("feed %+v does not fit what was fed before", f)
		}
	}
}

func (k *machine) feed() {
	for f := k.s.Feed(); len(f) > 0; f = k.s.Feed() {
		k.sched.apply(k.t, f)
	}
}

func (k *machine) now() job.Time { return start.Add(k.m.now) }

// job picks a job the model knows, and its key.
func (k *machine) job(t *rapid.T) *mjob {
	j := k.m.jobs[rapid.SampledFrom(keys).Draw(t, "key")]
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
	if rapid.Bool().Draw(t, "command") {
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
	if want := k.m.grant(j, by, lease, prefetched); ok != want {
		t.Fatalf("grant: %v, want %v", ok, want)
	}
	if !ok {
		return
	}
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

func (k *machine) cancel(t *rapid.T) {
	j := k.job(t)
	_, err := k.s.Cancel(j.seq)
	switch {
	case !k.known(t, err, j) || j.state == job.Buried:
	case j.state == job.Lost:
		k.m.release(j, job.Buried, job.OutcomeCancelled)
		j.reason = job.ReasonCancelled
	case j.held():
		j.mark, j.revoked = job.MarkCancelled, false
	default:
		j.state, j.reason = job.Buried, job.ReasonCancelled
	}
}

func (k *machine) preempt(t *rapid.T) {
	j := k.job(t)
	err := k.s.Preempt(j.seq)
	if k.known(t, err, j) {
		can := j.held() && (j.mark == 0 || j.mark == job.MarkWithdrawn)
		if k.conflict(t, err, !can); can {
			j.mark = job.MarkPreempted
		}
	}
}

func (k *machine) withdraw(t *rapid.T) {
	j := k.job(t)
	err := k.s.Withdraw(j.seq)
	if k.known(t, err, j) {
		can := j.prefetched && j.mark == 0
		if k.conflict(t, err, !can); can {
			j.mark = job.MarkWithdrawn
		}
	}
}

func (k *machine) delete(t *rapid.T) {
	j := k.job(t)
	force := rapid.Bool().Draw(t, "force")
	err := k.s.Delete(j.seq, force)
	if !k.known(t, err, j) {
		return
	}
	k.conflict(t, err, j.held() && !force)
	switch {
	case err != nil:
	case j.held() && k.m.workers[j.worker].agent && k.m.end(j) > k.m.now:
		j.ghost, j.revoked, j.mark = true, false, job.MarkDeleted
	case j.held():
		k.m.release(j, job.Absent, 0)
	default:
		j.state = job.Absent
	}
}

func (k *machine) kick(t *rapid.T) {
	j := k.job(t)
	err := k.s.Kick(j.seq)
	if !k.known(t, err, j) {
		return
	}
	over := j.state == job.Lost && k.m.end(j) <= k.m.now
	k.conflict(t, err, j.held() && !over)
	switch {
	case err != nil || j.state == job.Ready:
		return
	case over:
		k.m.release(j, job.Ready, job.OutcomeLost)
		j.reason = job.ReasonLost
	}
	j.state, j.failures, j.losses = job.Ready, 0, 0
}

func (k *machine) bury(t *rapid.T) {
	j := k.job(t)
	err := k.s.Bury(j.seq, job.ReasonResource)
	if k.known(t, err, j) {
		can := j.state == job.Ready || j.state == job.Delayed
		if k.conflict(t, err, !can); can {
			j.state, j.reason = job.Buried, job.ReasonResource
		}
	}
}

func (k *machine) modify(t *rapid.T) {
	j := k.job(t)
	key := rapid.SampledFrom(keys).Draw(t, "new key")
	if rapid.Bool().Draw(t, "same key") {
		key = j.key
	}
	p := k.prepare(t, key)
	k.look(&p)
	err := k.s.Modify(j.seq, &p)
	if !k.known(t, err, j) {
		return
	}
	other := k.m.jobs[key]
	taken := other != nil && other != j && other.state != job.Absent
	switch {
	case taken:
		if job.KindOf(err) != job.Exists {
			t.Fatalf("modify: %v, want exists", err)
		}
		return
	case key != j.key && j.held():
		k.conflict(t, err, true)
		return
	case err != nil:
		t.Fatal(err)
	}
	delete(k.m.jobs, j.key)
	j.key = key
	k.m.jobs[key] = j
	k.m.describe(j, &p)
	if j.state == job.Ready || j.state == job.Delayed {
		k.m.wait(j, &p)
	}
}

func (k *machine) conclude(t *rapid.T) {
	j := k.job(t)
	to := rapid.SampledFrom([]job.State{job.Complete, job.Buried}).Draw(t, "to")
	by := rapid.SampledFrom(k.pullers).Draw(t, "worker")
	err := k.s.Conclude(j.seq, to, by, nil, nil)
	if !k.known(t, err, j) {
		return
	}
	k.conflict(t, err, j.held() || j.state == to)
	if err != nil {
		return
	}
	if j.state != job.Buried || j.number == 0 {
		j.number++
		j.given, j.due, j.worker, j.started = j.version, 0, by, false
		l := k.lastAttempt(t, j)
		if k.granted[l] {
			t.Fatalf("attempt id %v was given before", l)
		}
		k.granted[l], j.attempt = true, l
	}
	j.state, j.outcome, j.reason = to, job.OutcomeComplete, 0
	if to == job.Buried {
		j.outcome, j.reason = job.OutcomeBuried, job.ReasonWorker
	} else {
		k.m.done++
	}
}

// lastAttempt is the id of the job's last attempt, from the row that was kept.
func (k *machine) lastAttempt(t *rapid.T, j *mjob) job.AttemptID {
	k.commit(t)
	return k.shelf.attempts[attemptKey{j.seq, j.number}].ID
}

func (k *machine) reopen(t *rapid.T) {
	j := k.job(t)
	p := k.prepare(t, j.key)
	k.look(&p)
	a := k.s.Reopen(&p)
	if a.Status == AddNeedFinished {
		p.Finished = k.record(t, a.End)
		p.Job.NotBefore = time.Time{}
		a = k.s.Reopen(&p)
	}
	if (a.Status == AddRerun) != (j.state == job.Complete) {
		t.Fatalf("reopen of a job that is %v: %+v", j.state, a)
	}
	if a.Status == AddRerun {
		k.m.addFinished(j, &p, AddOptions{Existing: job.ExistingRerun})
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

// check compares everything after each command.
func (k *machine) check(t *rapid.T) {
	k.t = t
	k.feed()
	k.s.Begin(k.now())
	k.checkJobs(t)
	checkInvariants(t, k.s, &k.sched)
	if got := k.s.Counts()[job.Complete]; got != k.m.done {
		t.Fatalf("%d jobs are counted complete, want %d", got, k.m.done)
	}
}

func (k *machine) checkJobs(t *rapid.T) {
	n := 0
	for _, j := range k.m.jobs {
		l, ok := k.s.BySeq(j.seq)
		if ok != j.live() {
			t.Fatalf("job %s is there: %v, want %v (%v)", j.key, ok, j.live(), j.state)
		}
		if !ok {
			continue
		}
		n++
		k.checkJob(t, j, &l)
	}
	all, _, done := k.s.Scan(0, Filter{}, 1000, 1000)
	if len(all) != n || !done {
		t.Fatalf("scan finds %d jobs, want %d", len(all), n)
	}
}

func (k *machine) checkJob(t *rapid.T, j *mjob, l *job.Live) {
	type view struct {
		State                                            job.State
		Mark                                             job.Mark
		Reason                                           job.Reason
		Version, Given, Number, Starts, Failures, Losses uint32
		Attempt                                          job.AttemptID
		Outcome                                          job.Outcome
		Priority                                         float64
		Group                                            string
		Due                                              job.Time
	}
	want := view{j.state, j.mark, j.reason, j.version, j.given, j.number, j.starts, j.failures, j.losses, j.attempt, j.outcome, j.priority, j.group, 0}
	group, _ := k.s.Group(l.Group)
	got := view{l.State, l.Mark, l.Reason, l.Version, l.GivenVersion, l.Number, l.Starts, l.Failures, l.Losses, l.Attempt, l.Outcome, l.Priority, group, 0}
	if j.state == job.Delayed {
		want.Due, got.Due = start.Add(j.due), l.Due
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("job %s (-want +got):\n%s", j.key, d)
	}
	for _, o := range k.m.jobs { // order among equals is the order of turns
		if ol, ok := k.s.BySeq(o.seq); ok && o.turn < j.turn && !(ol.Place < l.Place || ol.Place == l.Place && ol.Seq < l.Seq) {
			t.Fatalf("job %s comes before %s, which was first", j.key, o.key)
		}
	}
	if j.held() {
		k.checkDeadline(t, j)
	}
}

func (k *machine) checkDeadline(t *rapid.T, j *mjob) {
	for _, h := range k.s.Held(j.worker) {
		if h.Seq == j.seq {
			margin := time.Duration(0)
			if k.m.workers[j.worker].agent {
				margin = mMargin(j.lease)
			}
			if want := start.Add(k.m.end(j) - margin); h.Deadline != want {
				t.Fatalf("the lease of %s ends at %v, want %v", j.key, h.Deadline.Sub(start), want.Sub(start))
			}
			return
		}
	}
	t.Fatalf("job %s is not in its worker's list", j.key)
}

// checkInvariants recounts what the State counts, and compares the scheduler's
// picture with the states.
func checkInvariants(t fataler, s *State, m *mirror) {
	t.Helper()
	var counts job.Counts
	groups, queues := map[uint32]job.Counts{}, map[*queueRow]job.Counts{}
	var ready, held, bytes, jobs int64
	add := func(c job.Counts, st job.State) job.Counts { c[st]++; return c }
	for seq := job.Seq(0); seq < s.meta.NextSeq; seq++ {
		slot := s.bySeq.find(seq)
		if slot == 0 {
			continue
		}
		r := s.recs.at(slot)
		jobs++
		bytes += int64(r.size)
		if s.byDigest.find(&s.recs, &r.digest) != slot || seq < s.meta.MinLive {
			t.Fatalf("job %d is not found by its key, or below the lower bound %d", seq, s.meta.MinLive)
		}
		if r.state.Held() {
			held++
			f, ok := m.held[seq]
			if !ok || f.Shape != s.shapes.rows[r.shape].ID || f.Prefetched != (r.flags&job.FlagPrefetched != 0) {
				t.Fatalf("the scheduler does not know that job %d is held", seq)
			}
		}
		if r.state == job.Ready {
			ready++
			if f, ok := m.ready[seq]; !ok || f.Shape != s.shapes.rows[r.shape].ID || f.Priority != r.priority || f.Place != r.place {
				t.Fatalf("the scheduler does not know that job %d is ready", seq)
			}
		}
		if r.ghost() {
			continue
		}
		counts = add(counts, r.state)
		groups[r.group] = add(groups[r.group], r.state)
		q := s.shapes.rows[r.shape].queue
		queues[q] = add(queues[q], r.state)
	}
	if ready != int64(len(m.ready)) || held != int64(len(m.held)) {
		t.Fatalf("the scheduler has %d ready and %d held jobs, the state %d and %d", len(m.ready), len(m.held), ready, held)
	}
	counts[job.Complete] = s.counts[job.Complete]
	if counts != s.counts || bytes != s.bytes || jobs != s.jobs || int(jobs) != s.recs.used {
		t.Fatalf("counted %v, %d bytes, %d jobs; recounted %v, %d, %d", s.counts, s.bytes, s.jobs, counts, bytes, jobs)
	}
	for slot, g := range s.groups.rows {
		if g != nil && g.counts != groups[uint32(slot)] {
			t.Fatalf("group %q counts %v, recounted %v", g.Name, g.counts, groups[uint32(slot)])
		}
	}
	for _, q := range s.queues.rows[1:] {
		if q != nil && q.counts != queues[q] {
			t.Fatalf("queue %q counts %v, recounted %v", q.Def.Name, q.counts, queues[q])
		}
	}
}
