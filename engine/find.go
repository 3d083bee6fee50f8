package engine

import (
	"context"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Bounds of one look at the live jobs: how many are returned, how many looked at.
const (
	scanPage = 1000
	scanWork = 20_000
)

// found is a job met by a search: live ones with the names of who holds them.
type found struct {
	live job.Live
	// end, ended and past, its record, are of a finished one.
	end    uint64
	ended  job.Time
	past   *job.Finished
	worker job.Worker
	mark   job.Mark
	// needs and time are what the attempt that holds it was given, its own and what
	// was learned.
	needs job.Resources
	time  time.Duration
	// account pays; of a complete job it is known with its description.
	account string
}

func foundFinished(f *job.Finished) found {
	past := *f
	return found{live: f.Live, end: f.End, ended: f.Ended, past: &past}
}

// livePage is a part of the live jobs that match the indexed part of a filter.
type livePage struct {
	jobs []found
	next job.Seq
	done bool
}

// scanLive looks at a part of the live jobs, from a number on.
func (n *Namespace) scanLive(ctx context.Context, f *Filter, from job.Seq, limit int) (livePage, error) {
	return call(ctx, n, normal, func(w *writer) (livePage, error) {
		q, possible := w.narrow(f)
		switch {
		case !possible || !f.wantsLive():
			return livePage{done: true}, nil
		case f.Key != "":
			return w.liveByKey(f, &q, from), nil
		}
		matches, next, done := w.state.Scan(from, q, limit, scanWork)
		p := livePage{next: next, done: done}
		for i := range matches {
			if w.matches(f, &matches[i]) {
				p.jobs = append(p.jobs, w.found(&matches[i]))
			}
		}
		return p, nil
	})
}

func (w *writer) found(l *job.Live) found {
	j := found{live: *l, account: w.payer(l)}
	if !l.State.Held() {
		return j
	}
	if row, ok := w.state.Worker(l.Worker); ok {
		j.worker = row.Worker
	}
	j.mark = l.Mark
	ask := w.state.Granted(l.Seq)
	j.needs, j.time = ask.Needs, ask.Time
	return j
}

// eachLive visits the live jobs that match, with their descriptions if the filter
// or the caller needs them, until visit returns false or the effort is spent.
func (n *Namespace) eachLive(ctx context.Context, f *Filter, from job.Seq, describe bool, e *effort, visit func(*found, *job.Job) bool) error {
	for {
		page, err := n.scanLive(ctx, f, from, scanPage)
		if err != nil {
			return err
		}
		stopped, err := n.visitPage(ctx, page.jobs, f, describe, visit)
		if err != nil || stopped || page.done {
			return err
		}
		from = page.next
		if e.spend(scanWork/10, len(page.jobs), describe || f.needsJob()) {
			e.at = pageToken{Live: true, Seq: from}
			return nil
		}
	}
}

func (n *Namespace) visitPage(ctx context.Context, page []found, f *Filter, describe bool, visit func(*found, *job.Job) bool) (bool, error) {
	var jobs []*job.Job
	if describe || f.needsJob() {
		var err error
		if jobs, err = n.describe(page); err == nil {
			err = n.findPayers(ctx, page, jobs)
		}
		if err != nil {
			return true, err
		}
	}
	for i := range page {
		if on, err := n.onHost(&page[i], f.Host); err != nil || !on {
			if err != nil {
				return true, err
			}
			continue
		}
		var j *job.Job
		if jobs != nil {
			j = jobs[i]
			if j == nil || !f.matchJob(j) {
				continue // deleted since, or not wanted
			}
		}
		if !visit(&page[i], j) {
			return true, nil
		}
	}
	return false, nil
}

// onHost reports whether the worker that holds the job, else had it last, is on
// the host; any job is on no host in particular.
func (n *Namespace) onHost(j *found, host string) (bool, error) {
	switch {
	case host == "":
		return true, nil
	case j.live.State.Held():
		return j.worker.Host == host, nil
	case j.past != nil && j.past.Host != "":
		return j.past.Host == host, nil
	}
	if j.live.Number == 0 {
		return false, nil
	}
	last, err := n.lastAttempt(&j.live)
	if err != nil || last == nil {
		return false, err
	}
	return last.Host == host, nil
}

// lastAttempt is the newest attempt of a job that ended; nil if there is none.
func (n *Namespace) lastAttempt(l *job.Live) (*job.Attempt, error) {
	number := l.Number
	if l.State.Held() && number > 0 {
		number--
	}
	if number == 0 {
		return nil, nil
	}
	rows, err := n.store.AttemptRows([]job.AttemptRef{{Seq: l.Seq, Number: number}})
	if err == nil && rows[0].Number == 0 { // that one left no record
		rows, err = n.store.Attempts(l.Seq)
	}
	if err != nil || len(rows) == 0 {
		return nil, job.Wrap(err, "read attempts", "")
	}
	return &rows[len(rows)-1].Attempt, nil
}

// describe reads the newest descriptions of jobs; nil for one deleted since.
func (n *Namespace) describe(page []found) ([]*job.Job, error) {
	refs := make([]job.PayloadRef, len(page))
	for i := range page {
		refs[i] = job.PayloadRef{Seq: page[i].live.Seq, Version: page[i].live.Version}
	}
	payloads, err := n.store.Payloads(refs)
	if err != nil {
		return nil, job.Wrap(err, "read descriptions", "")
	}
	jobs := make([]*job.Job, len(page))
	for i := range page {
		if payloads[i].Body == nil {
			continue
		}
		j := new(job.Job)
		if err := job.Decode(payloads[i].Body, j); err != nil {
			return nil, job.Wrap(err, "read a description", "")
		}
		j.Priority = page[i].live.Priority // may have been changed since
		jobs[i] = j
	}
	return jobs, nil
}

// find looks a job up by its id, among the live ones and in history.
func (n *Namespace) find(ctx context.Context, id JobID) (*found, error) {
	digest, err := n.digest(id)
	if err != nil {
		return nil, err
	}
	h := lookup{digest: digest}
	for range maxAddRounds {
		f, err := call(ctx, n, normal, func(w *writer) (*found, error) {
			l, ok := w.state.Lookup(digest)
			if id.Seq != 0 {
				l, ok = w.state.BySeq(id.Seq)
			}
			if ok {
				return new(w.found(&l)), nil
			}
			return nil, h.settle(w)
		})
		if f != nil || err != nil {
			return f, job.Wrap(err, "find job", id.String())
		}
		record, err := h.read(n)
		if record != nil || err != nil {
			return foundRecord(record), job.Wrap(err, "find job", id.String())
		}
	}
	return nil, job.Errorf(job.Unavailable, "find job %s: it keeps being changed by others meanwhile; try again", id)
}

func foundRecord(f *job.Finished) *found {
	if f == nil {
		return nil
	}
	return new(foundFinished(f))
}

// lookup finds out about a key among the complete jobs. The store, which is read off
// the writer, may know less than that, or already more; so what it does not have is
// only absent when the writer says so afterwards.
type lookup struct {
	digest job.Digest
	// end is the complete job's number, if the writer knows it.
	end uint64
	// looked is what the store's index said, as of a load of the namespace.
	looked *queue.Prepared
	loads  uint64
}

// settle asks the writer about a key that is not live: job.ErrNoJob if there is no
// complete job either, else nil, and read is to be called.
func (h *lookup) settle(w *writer) error {
	if h.loads != w.ns.loads.Load() {
		h.looked = nil
	}
	end, known := w.state.FinishedLately(h.digest)
	if !known && h.looked != nil {
		end, known = w.state.History(h.looked)
	}
	if known && end == 0 {
		return job.ErrNoJob
	}
	h.end = end
	return nil
}

// read reads the complete job's record; nil when the writer is to be asked again.
func (h *lookup) read(n *Namespace) (*job.Finished, error) {
	h.loads = n.loads.Load()
	if h.end == 0 {
		h.looked = &queue.Prepared{Digest: h.digest, Reach: n.store.Reach()}
		var err error
		if h.looked.End, h.looked.Found, err = n.store.Find(h.digest); err != nil || !h.looked.Found {
			return nil, err
		}
		h.end = h.looked.End
	}
	f, err := n.store.Finished(h.end)
	if job.IsKind(err, job.NotFound) || err == nil && f.Digest != h.digest {
		h.looked = nil // it runs again, or was deleted
		return nil, nil
	}
	return &f, err
}

// digest is the digest of the job's key. A job named by its number alone has it
// in its description, live or finished.
func (n *Namespace) digest(id JobID) (job.Digest, error) {
	if id.Seq == 0 || id.Key != "" {
		return id.digest(), nil
	}
	payloads, err := n.store.PayloadsFrom(id.Seq, 1, 1)
	if err != nil {
		return job.Digest{}, job.Wrap(err, "find job", id.String())
	}
	if len(payloads) == 0 || payloads[0].Seq != id.Seq {
		return job.Digest{}, job.Wrap(job.ErrNoJob, "find job", id.String())
	}
	j := new(job.Job)
	if err := job.Decode(payloads[0].Body, j); err != nil {
		return job.Digest{}, err
	}
	return job.DigestOf(j.Queue, j.Key), nil
}
