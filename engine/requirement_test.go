package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// Whoever brings workers is told what the ready commands need, and those workers get
// the jobs that they were brought for.
func TestRequirements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		line := func(queue, text string, cores int64, time time.Duration) *job.Job {
			return &job.Job{
				Queue: queue, Key: job.Key(text), Command: &job.Command{Line: text}, Time: time,
				Needs: job.Resources{job.CPU: cores * job.Thousandth}, Kind: "k",
			}
		}
		b.add(t, line("a", "1", 1, 0), line("a", "2", 1, 0), line("a", "3", 2, time.Hour), line("b", "4", 2, time.Hour))
		list, err := b.ns.Requirements(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		one := Exactly{Needs: job.Resources{job.CPU: job.Thousandth}}
		two := Exactly{Needs: job.Resources{job.CPU: 2 * job.Thousandth}, Time: time.Hour}
		want := []Requirement{{Queue: "a", Exactly: one, Jobs: 2}, {Queue: "a", Exactly: two, Jobs: 1}, {Queue: "b", Exactly: two, Jobs: 1}}
		if d := cmp.Diff(want, list); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		got := ""
		for _, g := range b.reserve(t, ReserveRequest{N: 9, Commands: true, Exactly: &list[1].Exactly}) {
			j, err := g.Job()
			if err != nil {
				t.Fatal(err)
			}
			got += string(j.Key)
		}
		if got != "34" {
			t.Fatalf("a worker for 2 cores and an hour got jobs %q; want 3 and 4", got)
		}
		if err := b.ns.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list, err = b.ns.Requirements(t.Context()); err != nil || list != nil {
			t.Fatalf("a paused namespace asks for workers: %v, %v", list, err)
		}
	})
}
