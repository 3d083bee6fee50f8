package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store/memory"
)

// What clients do in TestLinearizable, each to one key.
type linearOp struct {
	kind    string // add, reserve, complete, bury, kick, cancel, get
	key     string
	attempt job.AttemptID
}

// linearOut is what they were answered. unknown: the commit failed, so that it
// may or may not have happened.
type linearOut struct {
	unknown bool
	refused bool
	existed bool
	attempt job.AttemptID
	state   job.State
}

// linearState is one key in the model.
type linearState struct {
	state   job.State
	attempt job.AttemptID // the holder; of reserved jobs
	last    job.AttemptID // the last attempt whose end was accepted
	ended   string        // and how it had ended
}

// TestLinearizable checks that what several clients saw of a namespace, whose
// commits fail now and then, could have happened one at a time.
func TestLinearizable(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := &bench{store: &shelf{Store: memory.New()}, ctx: t.Context()}
	b.start(t, Config{})
	h := &history{began: time.Now()}
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			cl := &linearClient{b: b, h: h, id: c, rng: rng, held: map[string]job.AttemptID{}}
			for range 300 {
				if rng.IntN(40) == 0 {
					b.store.failNext(errors.New("simulated fault"))
				}
				cl.step(t)
			}
		})
	}
	wg.Wait()
	model := linearModel()
	for key, ops := range h.byKey() {
		if got := porcupine.CheckOperationsTimeout(model, ops, 30*time.Second); got == porcupine.Illegal {
			for _, o := range ops {
				t.Logf("%+v", o)
			}
			t.Fatalf("what clients saw of key %s cannot have happened one at a time", key)
		}
	}
}

// linearKeys are few, so that clients meet.
const linearKeys = 6

// history is what all clients did and saw.
type history struct {
	mu    sync.Mutex
	began time.Time
	ops   []porcupine.Operation
	// lost are reserves with an unknown outcome: they may have taken any key.
	lost []porcupine.Operation
}

func (h *history) now() int64 { return time.Since(h.began).Nanoseconds() }

const never = int64(1) << 60

func (h *history) note(client int, in linearOp, out linearOut, call int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call, Return: h.now()}
	if out.unknown {
		o.Return = never
	}
	if in.kind == "reserve" && out.unknown {
		h.lost = append(h.lost, o)
		return
	}
	h.ops = append(h.ops, o)
}

// byKey splits the history; a client's concurrent operations get ids of their own.
func (h *history) byKey() map[string][]porcupine.Operation {
	all := map[string][]porcupine.Operation{}
	for i, o := range h.ops {
		o.ClientId = i
		key := o.Input.(linearOp).key
		all[key] = append(all[key], o)
	}
	for key := range all {
		for i, o := range h.lost {
			o.ClientId = len(h.ops) + i
			all[key] = append(all[key], o)
		}
	}
	return all
}

type linearClient struct {
	b    *bench
	h    *history
	id   int
	rng  *rand.Rand
	held map[string]job.AttemptID
	refs map[string]Ref
}

func (c *linearClient) step(t *testing.T) {
	key := fmt.Sprint("k", c.rng.IntN(linearKeys))
	call := c.h.now()
	switch n := c.rng.IntN(10); {
	case n < 3:
		c.add(t, key, call)
	case n < 6:
		c.reserve(t, call)
	case n < 8 && len(c.held) > 0:
		c.report(t, call)
	default:
		c.administer(t, key, call)
	}
}

func (c *linearClient) add(t *testing.T, key string, call int64) {
	r, err := c.b.ns.Add(c.b.ctx, AddRequest{Jobs: []*job.Job{data(key)}, Wait: true})
	out := linearOut{unknown: unknown(t, err)}
	if !out.unknown {
		out.existed = r.Existed == 1
	}
	c.h.note(c.id, linearOp{kind: "add", key: key}, out, call)
}

// unknown reports whether err means that the outcome is; other errors fail the test.
func unknown(t *testing.T, err error) bool {
	if err != nil && !job.IsKind(err, job.Unavailable) {
		t.Error(err)
	}
	return err != nil
}

func (c *linearClient) reserve(t *testing.T, call int64) {
	g, err := c.b.ns.Reserve(c.b.ctx, ReserveRequest{Worker: job.Worker{Name: fmt.Sprint("w", c.id)}, N: 1, Lease: time.Hour})
	if unknown(t, err) {
		c.h.note(c.id, linearOp{kind: "reserve"}, linearOut{unknown: true}, call)
		return
	}
	for _, g := range g {
		j, err := g.Job()
		if err != nil {
			t.Error(err)
			return
		}
		if c.refs == nil {
			c.refs = map[string]Ref{}
		}
		c.held[string(j.Key)], c.refs[string(j.Key)] = g.Attempt, refTo(g)
		c.h.note(c.id, linearOp{kind: "reserve", key: string(j.Key)}, linearOut{attempt: g.Attempt}, call)
	}
}

// report ends a held attempt, now and then more than once.
func (c *linearClient) report(t *testing.T, call int64) {
	for key, attempt := range c.held {
		kind, name := ReportComplete, "complete"
		if c.rng.IntN(2) == 0 {
			kind, name = ReportBury, "bury"
		}
		a, err := c.b.ns.Report(c.b.ctx, fmt.Sprint("w", c.id), []Report{{Ref: c.refs[key], Kind: kind}})
		out := linearOut{unknown: unknown(t, err)}
		if !out.unknown {
			out.refused = a[0].Err != nil
		}
		if !out.unknown && c.rng.IntN(3) > 0 {
			delete(c.held, key)
		}
		c.h.note(c.id, linearOp{kind: name, key: key, attempt: attempt}, out, call)
		return
	}
}

func (c *linearClient) administer(t *testing.T, key string, call int64) {
	id := JobID{Queue: "q", Key: job.Key(key)}
	sel := Selector{IDs: []JobID{id}}
	switch c.rng.IntN(3) {
	case 0:
		r, err := c.b.ns.Kick(c.b.ctx, sel)
		c.changed(t, "kick", key, r, err, call)
	case 1:
		r, err := c.b.ns.Cancel(c.b.ctx, sel)
		c.changed(t, "cancel", key, r, err, call)
	default:
		state, err := c.stateOf(id)
		out := linearOut{unknown: unknown(t, err), state: state}
		c.h.note(c.id, linearOp{kind: "get", key: key}, out, call)
	}
}

func (c *linearClient) changed(t *testing.T, kind, key string, r *ChangeResult, err error, call int64) {
	out := linearOut{unknown: unknown(t, err)}
	if !out.unknown {
		out.refused = r.Changed == 0
	}
	c.h.note(c.id, linearOp{kind: kind, key: key}, out, call)
}

// stateOf reads a job's state; absent is no error here.
func (c *linearClient) stateOf(id JobID) (job.State, error) {
	f, err := c.b.ns.find(c.b.ctx, id)
	if job.IsKind(err, job.NotFound) {
		return job.Absent, nil
	}
	if err != nil {
		return 0, err
	}
	return f.live.State, nil
}

// linearModel is a namespace's rules for one key of a data job.
func linearModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{linearState{}} },
		Step: func(s, in, out any) []any {
			st, op, o := s.(linearState), in.(linearOp), out.(linearOut)
			next, answer := apply(st, op, o)
			switch {
			case o.unknown && next == st:
				return []any{st}
			case o.unknown:
				return []any{st, next}
			case answer:
				return []any{next}
			}
			return nil
		},
		Equal: func(a, b any) bool { return a == b },
	}
	return m.ToModel()
}

// apply is the state after an operation, and whether it could be answered so.
func apply(s linearState, op linearOp, o linearOut) (linearState, bool) {
	switch op.kind {
	case "add":
		if s.state == job.Absent {
			return linearState{state: job.Ready}, !o.existed
		}
		return s, o.existed
	case "reserve":
		if s.state != job.Ready {
			return s, false
		}
		return linearState{state: job.Reserved, attempt: o.attempt}, true
	case "complete", "bury":
		return applyEnd(s, op, o)
	case "kick":
		if s.state == job.Buried {
			return linearState{state: job.Ready, last: s.last, ended: s.ended}, !o.refused
		}
		return s, o.refused
	case "cancel":
		if s.state == job.Ready {
			return linearState{state: job.Buried, last: s.last, ended: s.ended}, !o.refused
		}
		return s, o.refused || s.state == job.Reserved // marked, shown by its worker's end
	}
	return s, o.state == s.state
}

func applyEnd(s linearState, op linearOp, o linearOut) (linearState, bool) {
	if s.state == job.Reserved && (s.attempt == op.attempt) {
		to := job.Complete
		if op.kind == "bury" {
			to = job.Buried
		}
		return linearState{state: to, last: op.attempt, ended: op.kind}, !o.refused
	}
	repeat := s.last == op.attempt && s.ended == op.kind
	return s, o.refused || repeat
}
