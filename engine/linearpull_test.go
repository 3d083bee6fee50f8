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

// What a caller of TestLinearizablePulls does to one unit, and was answered.
type pullOp struct {
	kind string // pull, complete, fail, retry, back, take, expire, read
}

type pullOut struct {
	unknown bool // the commit failed: it may or may not have happened
	changed bool
	attempt job.AttemptID // a pull's or a take's
	state   job.State     // a read's
}

// TestLinearizablePulls has 64 callers pull batches of units from two queues, and
// finish, fail, retry, expire and force them without naming attempts, as
// Coordinate's clients do, while commits fail now and then. What they saw must have
// been possible one at a time.
func TestLinearizablePulls(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := &bench{store: &shelf{Store: memory.New()}, ctx: t.Context()}
	b.start(t, Config{})
	h := &pullHistory{began: time.Now(), ops: map[string][]porcupine.Operation{}}
	for _, q := range []string{"u", "v"} {
		unitQueue(t, b, job.Queue{Name: q, MaxPerRequest: 3})
		b.add(t, numbered(q, pullUnits)...)
	}
	const callers, steps = 64, 24
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			for range steps {
				if rng.IntN(300) == 0 {
					b.store.failNext(errors.New("simulated fault"))
				}
				h.step(t, b, rng, c)
			}
		})
	}
	wg.Wait()
	model := pullModel()
	for key, ops := range h.all() {
		if porcupine.CheckOperationsTimeout(model, ops, 20*time.Second) == porcupine.Illegal {
			for _, o := range ops {
				t.Logf("%+v", o)
			}
			t.Fatalf("what callers saw of %s cannot have happened one at a time", key)
		}
	}
	if h.pulled == 0 || h.pulled == h.batches {
		t.Fatalf("%d units in %d pulls: nothing was pulled in batches", h.pulled, h.batches)
	}
}

// pullUnits is how many units each queue has: few, so that callers meet.
const pullUnits = 20

type pullHistory struct {
	mu    sync.Mutex
	began time.Time
	ops   map[string][]porcupine.Operation
	// lost are pulls with an unknown outcome: they may have taken any unit.
	lost            []porcupine.Operation
	pulled, batches int
}

func (h *pullHistory) now() int64 { return time.Since(h.began).Nanoseconds() }

func (h *pullHistory) note(key string, in pullOp, out pullOut, call int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := porcupine.Operation{Input: in, Output: out, Call: call, Return: h.now()}
	if out.unknown {
		o.Return = never
	}
	if key == "" {
		h.lost = append(h.lost, o)
		return
	}
	o.ClientId = len(h.ops[key])
	h.ops[key] = append(h.ops[key], o)
}

// all are the operations on each unit, with those that may have been on it.
func (h *pullHistory) all() map[string][]porcupine.Operation {
	for key := range h.ops {
		for _, o := range h.lost {
			o.ClientId = len(h.ops[key])
			h.ops[key] = append(h.ops[key], o)
		}
	}
	return h.ops
}

// step does one thing. A pull takes units of one queue; all else is about one unit.
func (h *pullHistory) step(t *testing.T, b *bench, rng *rand.Rand, c int) {
	call := h.now()
	if rng.IntN(3) == 0 {
		h.pull(t, b, rng, c, call)
		return
	}
	queueName, unit := []string{"u", "v"}[rng.IntN(2)], job.Key(fmt.Sprintf("u%03d", rng.IntN(pullUnits)+1))
	key := queueName + "/" + string(unit)
	kinds := []string{"complete", "fail", "retry", "back", "expire", "take", "read"}
	kind := kinds[rng.IntN(len(kinds))]
	switch kind {
	case "take":
		g, err := b.ns.MakeAttempt(b.ctx, "", queueName, unit, time.Hour)
		out := pullOut{unknown: unknown(t, err), changed: true}
		if !out.unknown {
			out.attempt = g.Attempt
		}
		h.note(key, pullOp{kind}, out, call)
	case "read":
		units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: queueName, Keys: []job.Key{unit}, Brief: true})
		if unknown(t, err) {
			return
		}
		out := pullOut{state: units[0].State}
		if units[0].Attempt != nil {
			out.attempt = units[0].Attempt.ID
		}
		h.note(key, pullOp{kind}, out, call)
	default:
		r := UpdateRequest{Queue: queueName, Key: unit}
		switch kind {
		case "complete":
			r.To = TargetComplete
		case "fail":
			r.To = TargetFailed
		case "retry":
			r.To = TargetReady
		case "back":
			r.To = TargetRetry
		case "expire":
			r.Lease = new(-time.Second)
		}
		got, err := b.ns.Update(b.ctx, r)
		h.note(key, pullOp{kind}, pullOut{unknown: unknown(t, err), changed: got.Changed}, call)
	}
}

func (h *pullHistory) pull(t *testing.T, b *bench, rng *rand.Rand, c int, call int64) {
	grants, err := b.ns.Reserve(b.ctx, ReserveRequest{
		Worker: job.Worker{Name: fmt.Sprint("w", c)}, N: 1 + rng.IntN(5), OneQueue: true, Defined: true, Lease: time.Hour,
	})
	if unknown(t, err) {
		h.note("", pullOp{"pull"}, pullOut{unknown: true}, call)
		return
	}
	for i := range grants {
		g := &grants[i]
		if g.Queue != grants[0].Queue || i > 0 && g.Key <= grants[i-1].Key || len(grants) > 3 {
			t.Errorf("a batch that is too large, of two queues, or not in order: %+v", grants)
		}
		h.note(g.Queue+"/"+string(g.Key), pullOp{"pull"}, pullOut{attempt: g.Attempt, changed: true}, call)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pulled += len(grants); len(grants) > 0 {
		h.batches++
	}
}

// pullState is one unit in the model. An unknown attempt is zero.
type pullState struct {
	state   job.State
	attempt job.AttemptID
}

func pullModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{pullState{state: job.Ready}} },
		Step: func(s, in, out any) []any {
			o := out.(pullOut)
			next, fits := pullStep(s.(pullState), in.(pullOp).kind, o)
			switch {
			case o.unknown:
				return []any{s, next}
			case fits:
				return []any{next}
			}
			return nil
		},
		Equal: func(a, b any) bool { return a == b },
	}
	return m.ToModel()
}

// pullStep is the table of updates for one unit, without its data; it reports
// whether that could be answered so.
func pullStep(s pullState, kind string, o pullOut) (pullState, bool) {
	to := s
	switch held := s.state == job.Reserved; {
	case kind == "read":
		known := s.attempt.IsZero() || s.state == job.Ready || o.attempt == s.attempt
		return s, s.state == o.state && known
	case kind == "pull":
		if s.state != job.Ready {
			return s, false
		}
		to = pullState{job.Reserved, o.attempt}
	case kind == "take":
		to = pullState{job.Reserved, o.attempt}
	case kind == "complete" && s.state != job.Complete:
		to.state = job.Complete
	case kind == "fail" && (held || s.state == job.Ready):
		to.state = job.Buried
	case (kind == "retry" || kind == "back") && s.state != job.Ready, kind == "expire" && held:
		to.state = job.Ready
	}
	if (kind == "complete" || kind == "fail") && s.state == job.Ready && to.state != job.Ready {
		to.attempt = job.AttemptID{} // a new one, which nobody was told of
	}
	return to, o.changed == (to.state != s.state) || kind == "take"
}
