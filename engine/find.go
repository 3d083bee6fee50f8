package engine

import (
	"context"
	"slices"
	"strings"

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
	// account pays; of a complete job it is known with its description.
	account string
}

func foundFinished(f *job.Finished) found {
	past := *f
	return found{live: f.Live, end: f.End, ended: f.Ended, past: &past}
}

// states is the set of states the filter lets pass.
func (f *Filter) states() uint16 {
	var set uint16
	for _, s := range f.States {
		set |= 1 << s
	}
	if set == 0 {
		set = 1<<job.NumStates - 1
	}
	return set
}

// wants reports whether jobs of the state can match.
func (f *Filter) wants(s job.State) bool { return f.states()&(1<<s) != 0 }

func (f *Filter) wantsLive() bool { return f.states()&^(1<<job.Complete|1<<job.Absent) != 0 }

// narrow is the part of the filter the state machine has indexes for; false
// means that nothing can match.
func (w *writer) narrow(f *Filter) (queue.Filter, bool) {
	q := queue.Filter{States: f.states() &^ (1 << job.Complete)}
	if f.Queue != "" {
		n, ok := w.state.QueueNamed(f.Queue)
		if !ok {
			return q, false
		}
		q.Queue = job.QueueID(n.ID)
	}
	if f.Group != "" {
		n, ok := w.state.GroupNamed(f.Group)
		if !ok {
			return q, false
		}
		q.Group = job.GroupID(n.ID)
	}
	if f.Kind != "" {
		id, ok := w.state.KindNamed(f.Kind)
		if !ok {
			return q, false
		}
		q.Kind = id
	}
	if f.Worker != "" {
		row, ok := w.state.WorkerNamed(f.Worker)
		if !ok {
			return q, false
		}
		q.Worker = row.ID
	}
	if len(f.Reasons) == 1 {
		q.Reason = f.Reasons[0]
	}
	return q, true
}

// matchLive checks what the state record tells beyond narrow.
func (f *Filter) matchLive(l *job.Live) bool {
	return f.wants(l.State) &&
		(len(f.Reasons) == 0 || slices.Contains(f.Reasons, l.Reason)) &&
		(f.Exit == nil || l.Number > 0 && int(l.Exit) == *f.Exit)
}

// needsJob reports whether the description must be read to decide.
func (f *Filter) needsJob() bool { return f.KeyPrefix != "" || f.Command != "" }

// matchJob checks the description.
func (f *Filter) matchJob(j *job.Job) bool {
	if !strings.HasPrefix(string(j.Key), f.KeyPrefix) {
		return false
	}
	return f.Command == "" || j.Command != nil && strings.Contains(j.Command.String(), f.Command)
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
		if !possible || !f.wantsLive() {
			return livePage{done: true}, nil
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
	return j
}

// eachLive visits the live jobs that match, with their descriptions if the filter
// or the caller needs them, until visit returns false.
func (n *Namespace) eachLive(ctx context.Context, f *Filter, from job.Seq, describe bool, visit func(*found, *job.Job) bool) error {
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
	if host == "" || j.live.State.Held() {
		return host == "" || j.worker.Host == host, nil
	}
	if j.live.Number == 0 {
		return false, nil
	}
	rows, err := n.store.Attempts(j.live.Seq)
	if err != nil || len(rows) == 0 {
		return false, job.Wrap(err, "read attempts", "")
	}
	return rows[len(rows)-1].Host == host, nil
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

// eachFinished visits the finished jobs that match, newest first, those below
// the end number before (zero: all), until visit returns false.
func (n *Namespace) eachFinished(ctx context.Context, f *Filter, before uint64, describe bool, visit func(*found, *job.Job) bool) error {
	if !f.wants(job.Complete) {
		return nil
	}
	group, possible, err := n.groupID(ctx, f.Group)
	if err != nil || !possible {
		return err
	}
	for {
		page, err := n.finishedPage(ctx, f, before, group)
		if err != nil {
			return err
		}
		describe := describe || f.Queue+f.Kind+f.Account != "" || f.needsJob()
		stopped, err := n.visitPage(ctx, page, f, describe, func(j *found, d *job.Job) bool {
			if d != nil && !f.matchFinished(j, d) {
				return true
			}
			return visit(j, d)
		})
		if err != nil || stopped || len(page) < scanPage {
			return err
		}
		before = page[len(page)-1].end
	}
}

// matchFinished checks of a complete job what narrow and the shape tell of a live one.
func (f *Filter) matchFinished(j *found, d *job.Job) bool {
	return (f.Queue == "" || d.Queue == f.Queue) && (f.Kind == "" || d.Kind == f.Kind) &&
		(f.Account == "" || j.account == f.Account)
}

func (n *Namespace) groupID(ctx context.Context, name string) (id job.GroupID, possible bool, err error) {
	if name == "" {
		return 0, true, nil
	}
	g, err := call(ctx, n, normal, func(w *writer) (queue.Named, error) {
		g, _ := w.state.GroupNamed(name)
		return g, nil
	})
	return job.GroupID(g.ID), g.ID != 0, err
}

func (n *Namespace) finishedPage(ctx context.Context, f *Filter, before uint64, group job.GroupID) ([]found, error) {
	var page []found
	err := n.store.History(before, group, func(d *job.Finished) bool {
		if f.matchLive(&d.Live) {
			page = append(page, foundFinished(d))
		}
		return len(page) < scanPage && ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	return page, job.Wrap(err, "read history", "")
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
