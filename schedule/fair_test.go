package schedule

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// draw serves contenders by the rule for n times, each service adding one pending
// job that is never finished, and counts who was served.
func draw(all []Contender, n int) map[job.QueueID]int {
	served := map[job.QueueID]int{}
	for i := range n {
		c := Fairest(all)
		served[c.Queue]++
		for j := range all {
			if all[j].Queue == c.Queue {
				all[j].Pending++
				all[j].Served = uint64(i + 1)
			}
		}
	}
	return served
}

func TestFairest(t *testing.T) {
	for _, c := range []struct {
		name string
		all  []Contender
		want job.QueueID
	}{
		{"alone", []Contender{{Queue: 7, Weight: 1, Pending: 99}}, 7},
		{"priority is absolute", []Contender{{Queue: 1, Weight: 900}, {Queue: 2, Priority: 1, Weight: 1, Pending: 50}}, 2},
		{"a negative priority is behind none", []Contender{{Queue: 1, Priority: -1, Weight: 900}, {Queue: 2, Weight: 1}}, 2},
		{"the larger weight", []Contender{{Queue: 1, Weight: 1}, {Queue: 2, Weight: 300}}, 2},
		{"1·3−11·0 = 3 against 10·3−11·2 = 8", []Contender{{Queue: 1, Weight: 1}, {Queue: 2, Weight: 10, Pending: 2}}, 2},
		{"one that is overfull waits", []Contender{{Queue: 1, Weight: 1}, {Queue: 2, Weight: 10, Pending: 12}}, 1},
		{"of equals the longest unserved", []Contender{{Queue: 1, Weight: 5, Served: 4}, {Queue: 2, Weight: 5, Served: 3}}, 2},
		{"of equals never served the first made", []Contender{{Queue: 9, Weight: 5}, {Queue: 3, Weight: 5}}, 3},
	} {
		if got := Fairest(c.all); got.Queue != c.want {
			t.Errorf("%s: queue %d; want %d", c.name, got.Queue, c.want)
		}
	}
}

// TestFairestShares: what queues hold follows their weights.
func TestFairestShares(t *testing.T) {
	got := draw([]Contender{{Queue: 1, Weight: 20}, {Queue: 2, Weight: 20}, {Queue: 3, Weight: 20}}, 999)
	if got[1] != 333 || got[2] != 333 || got[3] != 333 {
		t.Errorf("three of equal weight got %v", got)
	}
	got = draw([]Contender{{Queue: 1, Weight: 1}, {Queue: 2, Weight: 10}}, 1100)
	if got[1] != 100 || got[2] != 1000 {
		t.Errorf("weights 1 and 10 got %v", got)
	}
}

// TestFairestProperties: whoever is chosen has the highest priority and a positive
// score, and no share is missed by more than one job.
func TestFairestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "queues")
		all := make([]Contender, n)
		var weights int64
		for i := range all {
			all[i] = Contender{Queue: job.QueueID(i + 1), Weight: rapid.Int64Range(1, job.MaxWeight).Draw(t, "weight")}
			weights += all[i].Weight
		}
		rounds := rapid.IntRange(1, 300).Draw(t, "rounds")
		got := draw(all, rounds)
		for _, c := range all {
			share := float64(rounds) * float64(c.Weight) / float64(weights)
			if d := float64(got[c.Queue]) - share; d > 1 || d < -float64(n) {
				t.Fatalf("queue %d of weight %d got %d; its share is %.2f of %d", c.Queue, c.Weight, got[c.Queue], share, rounds)
			}
		}
	})
}
