package pebble

import (
	"bytes"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// underJob are the kinds of records that belong to one job.
var underJob = [...]byte{kindFile, kindAttempt, kindPayload}

// wideRun is how many neighbouring jobs are deleted as a range. Many small range
// deletions make every later read slow, so fewer are deleted key by key.
const wideRun = 128

// delete removes jobs with everything under them, what this batch itself brings
// included. Every earlier commit is visible.
func (w *writer) delete(db *database, c *job.Changes) {
	seqs := slices.Clone(c.Deleted)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	iter, err := db.db.NewIter(&pdb.IterOptions{
		LowerBound: []byte{kindFile}, UpperBound: []byte{kindPayload + 1},
	})
	if err != nil {
		w.err = err
		return
	}
	defer func() {
		if err := iter.Close(); w.err == nil {
			w.err = err
		}
	}()
	for len(seqs) > 0 && w.err == nil {
		run := 1
		for run < len(seqs) && seqs[run] == seqs[run-1]+1 {
			run++
		}
		w.deleteRun(iter, seqs[0], seqs[run-1]+1)
		seqs = seqs[run:]
	}
	w.deleteNew(c)
	w.ns.store.blobs.sweepSoon()
}

// deleteRun removes what is stored under the jobs from first up to end.
func (w *writer) deleteRun(iter *pdb.Iterator, first, end job.Seq) {
	for _, kind := range underJob {
		from, to := w.id.key64(nil, kind, uint64(first)), w.id.key64(nil, kind, uint64(end))
		if end-first >= wideRun {
			w.err = w.b.DeleteRange(from, to, nil)
		} else {
			w.deleteKeys(iter, from, to)
		}
		if w.err != nil {
			return
		}
	}
}

func (w *writer) deleteKeys(iter *pdb.Iterator, from, to []byte) {
	for ok := iter.SeekGE(from); ok && bytes.Compare(iter.Key(), to) < 0; ok = iter.Next() {
		w.key = append(w.key[:0], iter.Key()...)
		w.del()
	}
	if err := iter.Error(); w.err == nil {
		w.err = err
	}
}

// deleteNew takes back what the same batch wrote under a deleted job.
func (w *writer) deleteNew(c *job.Changes) {
	gone := make(map[job.Seq]bool, len(c.Deleted))
	for _, seq := range c.Deleted {
		gone[seq] = true
	}
	for i := range c.Payloads {
		if p := &c.Payloads[i]; gone[p.Seq] {
			w.key = w.id.seqKey(w.key[:0], kindPayload, p.Seq, p.Version)
			w.del()
			w.key = w.id.seqKey(w.key[:0], kindFile, p.Seq, p.Version)
			w.del()
		}
	}
	for i := range c.Attempts {
		if a := &c.Attempts[i]; gone[a.Seq] {
			w.key = w.id.seqKey(w.key[:0], kindAttempt, a.Seq, a.Number)
			w.del()
		}
	}
}
