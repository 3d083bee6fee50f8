package pebble

import (
	"fmt"
	"testing"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store/storetest"
)

// TestFinishedByKeyWhileForgotten: a page is only short where the queue ends, also
// while jobs of it are deleted; who lists would miss all others.
func TestFinishedByKeyWhileForgotten(t *testing.T) {
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
	const jobs, page = 3000, 1000
	c := &job.Changes{}
	for end := uint64(1); end <= jobs; end++ {
		f := storetest.End(end, storetest.Job(job.Seq(end)))
		f.Queue, f.Keyed, f.Key = 1, true, job.Key(fmt.Sprintf("%05d", end))
		c.Finished = append(c.Finished, f)
	}
	mustCommit(t, ns, c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range jobs - page {
			commit, err := ns.Commit(&job.Changes{Forgotten: c.Finished[i : i+1]})
			if err == nil && i%100 == 0 {
				err = commit.Wait()
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for more := true; more; {
		select {
		case <-done:
			more = false
		default:
		}
		found, err := ns.FinishedByKey(1, nil, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != page {
			t.Fatalf("a page of %d has %d", page, len(found))
		}
	}
}
