package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// TestUpdateRepeats: the repeat of an update changes nothing and gets the first
// one's answer, before and after a restart, also when it comes while the first is
// under way.
func TestUpdateRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Order: job.OrderKey}))
		b.add(t, data("a"))
		b.reserve(t, ReserveRequest{N: 1, Lease: time.Hour})
		own := []byte{0xa1, 0x61, 'x', 1} // {"x": 1}
		r := UpdateRequest{Queue: "q", Key: "a", To: TargetReady, Data: own, Once: Once{"c", "1"}}
		release := b.store.hold()
		answers := make(chan UpdateResult, 2)
		for range 2 {
			go func() {
				result, err := b.ns.Update(b.ctx, r)
				if err != nil {
					t.Error(err)
				}
				answers <- result
			}()
			synctest.Wait()
		}
		release()
		first, second := <-answers, <-answers
		b.Stop(0)
		b.start(t, Config{})
		third, err := b.ns.Update(b.ctx, r)
		try(t, err)
		if !first.Changed || first.State != job.Ready || second != first || third != first {
			t.Fatalf("answers %+v, %+v, %+v", first, second, third)
		}
		units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: "q", Keys: []job.Key{"a"}})
		try(t, err)
		if string(units[0].Data()) != "x" {
			t.Fatalf("the data is %q: a repeat gave the unit what was the attempt's", units[0].Data())
		}
		if _, err := b.ns.Lock(b.ctx, LockRequest{Paths: []lock.Path{"x"}, Once: r.Once}); !errors.Is(err, errOtherRequest) {
			t.Fatalf("the id for another command: %v", err)
		}
	})
}
