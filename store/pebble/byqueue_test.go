package pebble

import (
	"testing"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store/storetest"
)

// TestSegmentsWithoutQueues reads the complete jobs of a queue where an earlier
// release made the index, which had no lists of them.
func TestSegmentsWithoutQueues(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	ns, err := s.Open(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Load(t.Context(), &storetest.Contents{}); err != nil {
		t.Fatal(err)
	}
	end := uint64(0)
	write := func() {
		c := &job.Changes{}
		for range 100 {
			end++
			f := storetest.End(end, storetest.Job(job.Seq(end)))
			f.Queue = job.QueueID(end%2 + 1)
			c.Finished = append(c.Finished, f)
		}
		mustCommit(t, ns, c)
		if err := s.Index(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string) {
		t.Helper()
		for _, from := range []uint64{0, 50, 101, 250} {
			want := from + from%2 // queue 1 has the even numbers
			if want == 0 {
				want = 2
			}
			if err := ns.FinishedIn(1, from, func(f *job.Finished) bool {
				if f.End != want {
					t.Fatalf("%s, from %d: end %d, want %d", what, from, f.End, want)
				}
				want += 2
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if want <= end {
				t.Fatalf("%s, from %d: nothing from %d on", what, from, want)
			}
		}
	}
	write()
	segs := ns.(*namespace).shared.segments.list()
	for _, seg := range segs {
		seg.Queues = false
	}
	write()
	check("an old segment and a new one")
	for range 6 {
		write()
	}
	check("merged")
	if segs = ns.(*namespace).shared.segments.list(); segs[0].Queues {
		t.Fatal("a merge of an old segment says that it lists queues")
	}
}
