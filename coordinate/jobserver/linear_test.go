package jobserver_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// What a client does: get a unit, or make the one it has available again or finish
// it.
type linearOp struct {
	to   byte // 'g', 'a', 'f'
	unit int
}

// noUnit is the answer of a get without work.
const noUnit = -1

// linearClients are so many connections at a time.
const linearClients = 64

// recorder keeps what all clients did and saw.
type recorder struct {
	mu      sync.Mutex
	began   time.Time
	history []porcupine.Operation
}

// note keeps a call and the unit that it was about.
func (r *recorder) note(client int, op linearOp, call func() int) int {
	start := time.Since(r.began)
	unit := call()
	r.mu.Lock()
	defer r.mu.Unlock()
	if op.to == 'g' {
		op.unit = unit
	}
	r.history = append(r.history, porcupine.Operation{
		ClientId: client, Input: op, Output: unit, Call: int64(start), Return: int64(time.Since(r.began)),
	})
	return unit
}

// clients runs what each client does, on a connection of its own.
func (r *recorder) clients(w *world, do func(id int, call func(method string, params ...any) string)) {
	r.began, r.history = time.Now(), nil
	var wg sync.WaitGroup
	for i := range linearClients {
		c := w.dial()
		wg.Go(func() {
			do(i, func(method string, params ...any) string { return answer(w.t, c, method, params...) })
		})
	}
	wg.Wait()
}

// TestLinearHolders checks that what 64 connections saw of each unit, getting it,
// giving it back and finishing it, could have happened one call at a time: nobody
// is given what another holds.
func TestLinearHolders(t *testing.T) {
	const units = 30
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t, "memory")
	w.spec("s")
	w.add("s", numbered(units)...)
	var r recorder
	r.clients(w, func(id int, call func(string, ...any) string) {
		rng := rand.New(rand.NewPCG(seed, uint64(id)))
		for range 12 {
			unit := r.note(id, linearOp{to: 'g'}, func() int { return unitOf(call("get_work", fmt.Sprint("w", id), M{"max_jobs": 1})) })
			if unit == noUnit {
				continue
			}
			op := linearOp{to: "aaaf"[rng.IntN(4)], unit: unit}
			status := map[byte]int{'a': 1, 'f': 4}[op.to]
			r.note(id, op, func() int {
				if got := call("update_work_unit", "s", numbered(units)[unit], M{"status": status}); got != done {
					t.Errorf("the holder's update: %s", got)
				}
				return unit
			})
		}
	})
	holders := porcupine.Model{
		Partition: byUnit,
		Init:      func() any { return byte('a') },
		Step: func(state, input, _ any) (bool, any) {
			before := map[byte]byte{'g': 'a', 'a': 'g', 'f': 'g'}
			to := input.(linearOp).to
			return state.(byte) == before[to], to
		},
	}
	if got := porcupine.CheckOperationsTimeout(holders, r.history, time.Minute); got != porcupine.Ok {
		t.Errorf("what %d clients saw: %v", linearClients, got)
	}
}

// byUnit leaves out what got nothing.
func byUnit(history []porcupine.Operation) [][]porcupine.Operation {
	units := map[int][]porcupine.Operation{}
	for _, o := range history {
		if unit := o.Input.(linearOp).unit; unit != noUnit {
			units[unit] = append(units[unit], o)
		}
	}
	return slices.Collect(maps.Values(units))
}

// TestLinearOrder checks that 64 connections get units in the one order there is,
// and nothing only when there is nothing left.
func TestLinearOrder(t *testing.T) {
	const units = 200
	w := newWorld(t, "memory")
	w.spec("s")
	w.add("s", numbered(units)...)
	var r recorder
	r.clients(w, func(id int, call func(string, ...any) string) {
		for range 4 {
			r.note(id, linearOp{to: 'g'}, func() int { return unitOf(call("get_work", fmt.Sprint("w", id), M{"max_jobs": 1})) })
		}
	})
	order := porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, _, output any) (bool, any) {
			next := state.(int)
			if next == units {
				return output.(int) == noUnit, next
			}
			return output.(int) == next, next + 1
		},
	}
	if got := porcupine.CheckOperationsTimeout(order, r.history, time.Minute); got != porcupine.Ok {
		t.Errorf("what %d clients saw: %v", linearClients, got)
	}
}

// unitOf is the number of the unit in an answer of get_work.
func unitOf(answer string) int {
	var n int
	if i := strings.Index(answer, `b"u`); i >= 0 {
		if _, err := fmt.Sscanf(answer[i:], `b"u%03d`, &n); err == nil {
			return n - 1
		}
	}
	return noUnit
}
