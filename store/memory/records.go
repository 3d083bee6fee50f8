package memory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"

	"github.com/muster-queue/muster/internal/sorted"
	"github.com/muster-queue/muster/job"
)

type requestKey struct{ client, id string }

// under is what is kept under a job: encoded, each in the order of its numbers.
type under struct {
	payloads []numbered
	attempts []numbered
}

// numbered is a record with its version or number.
type numbered struct {
	n    uint32
	body []byte
}

// put adds a record or replaces it.
func put(all []numbered, n uint32, body []byte) []numbered {
	i, found := slices.BinarySearchFunc(all, n, func(x numbered, n uint32) int { return cmp.Compare(x.n, n) })
	if found {
		all[i].body = body
		return all
	}
	return slices.Insert(all, i, numbered{n, body})
}

// records are what a namespace holds.
type records struct {
	name string

	mu    sync.RWMutex
	epoch uint32
	gone  bool
	contents
}

// contents are the records themselves, one map a kind.
type contents struct {
	meta      job.Meta
	queues    map[job.QueueID][]byte
	groups    map[job.GroupID][]byte
	kinds     map[job.KindID][]byte
	shapes    map[job.ShapeID][]byte
	workers   map[job.WorkerID][]byte
	locks     map[string][]byte
	accounts  map[string][]byte
	charges   map[job.Seq][]byte
	limits    map[string][]byte
	learned   map[job.KindID][]byte
	depGroups map[job.DepGroupID][]byte
	depends   map[job.Seq][]byte
	docs      map[docKey][]byte
	events    [job.EventLogs][]event // ascending; appended to, or made anew
	live      map[job.Seq]job.Live
	jobs      map[job.Seq]*under
	lastSeq   job.Seq
	finished  map[uint64]job.Finished
	ends      []uint64                // ascending; those forgotten are taken out from time to time
	byKey     map[job.Digest][]uint64 // ends, ascending
	keys      map[job.Seq]job.Key
	keyed     map[job.QueueID]*sorted.List[keyEnd]
	requests  map[requestKey]job.Request
	blobs     map[string][]byte
	reach     uint64
}

func newRecords(name string) *records {
	return &records{name: name, contents: contents{
		queues: map[job.QueueID][]byte{}, groups: map[job.GroupID][]byte{}, kinds: map[job.KindID][]byte{},
		shapes: map[job.ShapeID][]byte{}, workers: map[job.WorkerID][]byte{},
		locks: map[string][]byte{}, accounts: map[string][]byte{},
		charges: map[job.Seq][]byte{}, limits: map[string][]byte{}, learned: map[job.KindID][]byte{},
		depGroups: map[job.DepGroupID][]byte{}, depends: map[job.Seq][]byte{}, docs: map[docKey][]byte{},
		live: map[job.Seq]job.Live{}, jobs: map[job.Seq]*under{},
		finished: map[uint64]job.Finished{}, byKey: map[job.Digest][]uint64{},
		keys: map[job.Seq]job.Key{}, keyed: map[job.QueueID]*sorted.List[keyEnd]{},
		requests: map[requestKey]job.Request{}, blobs: map[string][]byte{},
	}}
}

// end makes every owner's commits and reads fail.
func (r *records) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone, r.contents = true, contents{}
}

// apply makes the changes; they were checked and encoded before, so nothing of
// it can fail in the middle.
func (r *records) apply(c *job.Changes, rows *encoded) {
	if c.Meta != nil {
		r.meta = *c.Meta
	}
	merge(r.queues, rows.queues)
	merge(r.groups, rows.groups)
	merge(r.kinds, rows.kinds)
	merge(r.shapes, rows.shapes)
	merge(r.workers, rows.workers)
	merge(r.locks, rows.locks)
	merge(r.accounts, rows.accounts)
	merge(r.charges, rows.charges)
	merge(r.limits, rows.limits)
	merge(r.learned, rows.learned)
	merge(r.depGroups, rows.depGroups)
	merge(r.depends, rows.depends)
	merge(r.docs, rows.docs)
	r.applyEvents(c, rows)
	r.applyJobs(c, rows)
	r.applyHistory(c)
	r.applyKeys(c)
	for _, q := range c.Requests {
		if key := (requestKey{q.Client, q.ID}); q.Gone {
			delete(r.requests, key)
		} else {
			r.requests[key] = job.Request{Client: q.Client, ID: q.ID, At: q.At, Outcome: slices.Clone(q.Outcome)}
		}
	}
	for _, b := range c.Blobs {
		r.blobs[b.Digest] = append([]byte{}, b.Body...)
	}
	r.delete(c.Deleted)
}

func (r *records) applyJobs(c *job.Changes, rows *encoded) {
	for _, p := range c.Payloads {
		u := r.under(p.Seq)
		u.payloads = put(u.payloads, p.Version, append([]byte{}, p.Body...))
	}
	for i := range c.Attempts {
		u := r.under(c.Attempts[i].Seq)
		u.attempts = put(u.attempts, c.Attempts[i].Number, rows.attempts[i])
	}
	for _, old := range c.OldAttempts {
		u := r.under(old.Seq)
		u.attempts = slices.DeleteFunc(u.attempts, func(a numbered) bool { return a.n == old.Number })
	}
	for _, l := range c.Live {
		r.live[l.Seq] = l
	}
	for _, seq := range c.Gone {
		delete(r.live, seq)
	}
}

// under is the place for what belongs to a job.
func (r *records) under(seq job.Seq) *under {
	u := r.jobs[seq]
	if u == nil {
		u = &under{}
		r.jobs[seq] = u
		r.lastSeq = max(r.lastSeq, seq)
	}
	return u
}

func (r *records) applyHistory(c *job.Changes) {
	for _, f := range c.Finished {
		r.finished[f.End] = f
		r.ends = append(r.ends, f.End)
		r.byKey[f.Digest] = append(r.byKey[f.Digest], f.End)
		r.reach = max(r.reach, f.End+1)
	}
	for _, f := range c.Amended {
		r.finished[f.End] = f
	}
	for _, f := range c.Forgotten {
		delete(r.finished, f.End)
		ends := slices.DeleteFunc(r.byKey[f.Digest], func(end uint64) bool { return end == f.End })
		if r.byKey[f.Digest] = ends; len(ends) == 0 {
			delete(r.byKey, f.Digest)
		}
	}
	if len(r.ends) > 2*len(r.finished)+1000 {
		r.ends = slices.DeleteFunc(slices.Clone(r.ends), func(end uint64) bool { return r.finished[end].End != end })
	}
}

// delete removes what is kept under jobs.
func (r *records) delete(seqs []job.Seq) {
	for _, seq := range seqs {
		delete(r.jobs, seq)
	}
}

// merge takes rows over; a nil one deletes.
func merge[K comparable](into, from map[K][]byte) {
	for k, row := range from {
		if row == nil {
			delete(into, k)
		} else {
			into[k] = row
		}
	}
}

// encoded are the rows of changes, encoded; nil ones are gone.
type encoded struct {
	queues    map[job.QueueID][]byte
	groups    map[job.GroupID][]byte
	kinds     map[job.KindID][]byte
	shapes    map[job.ShapeID][]byte
	workers   map[job.WorkerID][]byte
	locks     map[string][]byte
	accounts  map[string][]byte
	charges   map[job.Seq][]byte
	limits    map[string][]byte
	learned   map[job.KindID][]byte
	depGroups map[job.DepGroupID][]byte
	depends   map[job.Seq][]byte
	docs      map[docKey][]byte
	events    [job.EventLogs][]event
	attempts  [][]byte // as in Changes.Attempts
	err       error
}

func encode(c *job.Changes) (*encoded, error) {
	e := &encoded{}
	e.queues = encodeRows(e, c.Queues, func(r *job.QueueRow) (job.QueueID, bool, any) { return r.ID, r.Gone, r })
	e.groups = encodeRows(e, c.Groups, func(r *job.GroupRow) (job.GroupID, bool, any) { return r.ID, r.Gone, r })
	e.kinds = encodeRows(e, c.Kinds, func(r *job.KindRow) (job.KindID, bool, any) { return r.ID, r.Gone, r })
	e.shapes = encodeRows(e, c.Shapes, func(r *job.ShapeRow) (job.ShapeID, bool, any) { return r.ID, r.Gone, r })
	e.workers = encodeRows(e, c.Workers, func(r *job.WorkerRow) (job.WorkerID, bool, any) { return r.ID, r.Gone, r })
	e.locks = encodeRows(e, c.Locks, func(r *job.LockRow) (string, bool, any) { return r.Path, r.Gone, r })
	e.accounts = encodeRows(e, c.Accounts, func(r *job.AccountRow) (string, bool, any) { return r.Name, r.Gone, r })
	e.charges = encodeRows(e, c.Charges, func(r *job.ChargeRow) (job.Seq, bool, any) { return r.Seq, r.Gone, r })
	e.limits = encodeRows(e, c.Limits, func(r *job.LimitRow) (string, bool, any) { return r.Name, r.Gone, r })
	e.learned = encodeRows(e, c.Learned, func(r *job.LearnedRow) (job.KindID, bool, any) { return r.Kind, r.Gone, r })
	e.depGroups = encodeRows(e, c.DepGroups, func(r *job.DepGroupRow) (job.DepGroupID, bool, any) { return r.ID, r.Gone, r })
	e.depends = encodeRows(e, c.Depends, func(r *job.DependRow) (job.Seq, bool, any) { return r.Seq, r.Gone, r })
	e.docs = encodeDocuments(c.Documents)
	e.encodeEvents(c.Events)
	e.attempts = make([][]byte, len(c.Attempts))
	for i := range c.Attempts {
		if e.err == nil {
			e.attempts[i], e.err = job.Encode(nil, &c.Attempts[i].Attempt)
		}
	}
	for i := range c.Blobs {
		sum := sha256.Sum256(c.Blobs[i].Body)
		if is := hex.EncodeToString(sum[:]); is != c.Blobs[i].Digest {
			return nil, job.Errorf(job.Invalid, "blob %s: its content has digest %s", c.Blobs[i].Digest, is)
		}
	}
	return e, e.err
}

func encodeRows[K comparable, R any](e *encoded, rows []R, of func(*R) (K, bool, any)) map[K][]byte {
	all := make(map[K][]byte, len(rows))
	for i := range rows {
		key, gone, v := of(&rows[i])
		if all[key] = nil; gone || e.err != nil {
			continue
		}
		all[key], e.err = job.Encode(nil, v)
	}
	return all
}
