package engine

import (
	"context"
	"slices"

	"github.com/muster-queue/muster/job"
)

// Named is a job with what events do not say of it.
type Named struct {
	Job *job.Job
	// Worker holds it; empty when nobody does.
	Worker string
}

// Names tells which jobs are meant by numbers, at most MaxPage of them, with one
// turn of the writer and few reads of the store. Jobs that are gone are left out.
func (n *Namespace) Names(ctx context.Context, seqs []job.Seq) (map[job.Seq]Named, error) {
	if len(seqs) > MaxPage {
		return nil, job.Errorf(job.Invalid, "names: %d jobs are asked for; at most %d", len(seqs), MaxPage)
	}
	seqs = slices.Compact(slices.Sorted(slices.Values(seqs)))
	workers, err := call(ctx, n, normal, func(w *writer) (map[job.Seq]string, error) {
		workers := map[job.Seq]string{}
		for _, seq := range seqs {
			if l, ok := w.state.BySeq(seq); ok && l.State.Held() {
				workers[seq] = w.found(&l).worker.Name
			}
		}
		return workers, nil
	})
	if err != nil {
		return nil, err
	}
	names := make(map[job.Seq]Named, len(seqs))
	for len(seqs) > 0 {
		if seqs, err = n.nameSome(seqs, workers, names); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// nameSome reads the descriptions of the first jobs, and of their neighbours with
// them, and returns the jobs that are left.
func (n *Namespace) nameSome(seqs []job.Seq, workers map[job.Seq]string, names map[job.Seq]Named) ([]job.Seq, error) {
	near := 1
	for near < len(seqs) && seqs[near] < seqs[0]+readAheadJobs {
		near++
	}
	rows, err := n.store.PayloadsFrom(seqs[0], int(seqs[near-1]-seqs[0])+1, readAheadBytes)
	if err != nil {
		return nil, job.Wrap(err, "read descriptions", "")
	}
	past := seqs[near-1] // where the reading ended
	if len(rows) > 0 {
		past = min(past, max(seqs[0], rows[len(rows)-1].Seq))
	}
	for i := range rows {
		seq := rows[i].Seq
		if _, asked := slices.BinarySearch(seqs[:near], seq); !asked {
			continue
		}
		j := new(job.Job)
		if err := job.Decode(rows[i].Body, j); err != nil {
			return nil, job.Wrap(err, "read a description", "")
		}
		names[seq] = Named{Job: j, Worker: workers[seq]}
	}
	next, _ := slices.BinarySearch(seqs, past+1)
	return seqs[next:], nil
}
