package pebble

import (
	"encoding/hex"
	"errors"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// commit is a change on its way to the log and the disk.
type commit struct {
	db *database
	// do applies the change; batch is what to wait for then, nil if nothing.
	do    func() error
	batch *pdb.Batch
	after func() // runs once the change is visible or failed, if not nil

	// applied is closed when the change is visible to reads or has failed, synced
	// when it is durable or has failed; err is set before.
	applied, synced chan struct{}
	err             error
}

// submit hands a batch to the goroutine that applies them in order, to be
// durable. It blocks while too many wait.
func (d *database) submit(b *pdb.Batch, after func()) (*commit, error) {
	return d.queue(&commit{batch: b, after: after, do: func() error { return d.db.ApplyNoSyncWait(b, pdb.Sync) }})
}

// applyNoSync applies a batch that a crash may take.
func (d *database) applyNoSync(b *pdb.Batch) error {
	return d.run(func() error { return errors.Join(d.db.Apply(b, pdb.NoSync), b.Close()) })
}

// run runs a change among the commits.
func (d *database) run(do func() error) error {
	c, err := d.queue(&commit{do: do})
	if err != nil {
		return err
	}
	return c.wait(c.applied)
}

func (d *database) queue(c *commit) (*commit, error) {
	c.db, c.applied, c.synced = d, make(chan struct{}), make(chan struct{})
	select {
	case <-d.failed:
		return nil, d.err()
	default:
	}
	select {
	case d.commits <- c:
		return c, nil
	case <-d.failed:
		return nil, d.err()
	}
}

// applyCommits is the goroutine that applies commits.
func (d *database) applyCommits() {
	defer close(d.applied)
	for c := range d.commits {
		c.err = d.guard(c.do)
		if c.after != nil {
			c.after()
		}
		close(c.applied)
		if c.batch != nil {
			d.applied <- c
		}
	}
}

// syncCommits is the goroutine that waits until commits are durable.
func (d *database) syncCommits() {
	for c := range d.applied {
		if c.err == nil {
			c.err = c.batch.SyncWait()
			if c.err == nil {
				c.err = c.batch.Close()
			} else {
				d.fail(c.err)
				c.err = d.err()
			}
		}
		close(c.synced)
	}
}

// Wait blocks until the change is durable.
func (c *commit) Wait() error { return c.wait(c.synced) }

// wait blocks until the commit has come so far, or the database failed before.
func (c *commit) wait(done chan struct{}) error {
	select {
	case <-done:
		return c.err
	case <-c.db.failed:
	}
	select {
	case <-done:
		return c.err
	default:
		return c.db.err()
	}
}

// visible blocks until reads see the change.
func (c *commit) visible() {
	select {
	case <-c.applied:
	case <-c.db.failed:
	}
}

// Commit implements store.Namespace.
func (n *namespace) Commit(c *job.Changes) (store.Commit, error) {
	n.shared.mu.Lock()
	defer n.shared.mu.Unlock()
	db, err := n.writable()
	if err != nil {
		return nil, err
	}
	defer db.release()
	w := writer{ns: n, id: n.shared.id, b: db.db.NewBatchWithSize(sizeOf(c))}
	if err := w.changes(db, c); err != nil {
		w.dropBlobs()
		return nil, job.Wrap(n.store.readError("make a batch", err), "commit to namespace", n.shared.name)
	}
	under, err := db.submit(w.b, w.dropBlobs)
	if err != nil {
		w.dropBlobs()
		return nil, err
	}
	n.shared.last.Store(under)
	n.shared.noteFinished(c)
	return under, nil
}

// writable is the database commits go to, acquired. Only the newest owner may
// write, and only to the database it loaded from: after a failure an earlier
// commit may be lost.
func (n *namespace) writable() (*database, error) {
	if n.shared.epoch != n.epoch || n.shared.gone {
		return nil, job.Errorf(job.Conflict, "namespace %s was taken over (epoch %d, now %d): this owner may not write to it any more",
			n.shared.name, n.epoch, n.shared.epoch)
	}
	if n.closed {
		return nil, job.Errorf(job.Conflict, "namespace %s was given up by this owner", n.shared.name)
	}
	if n.db == nil {
		return nil, job.Errorf(job.Unavailable, "namespace %s must be loaded before it is written to", n.shared.name)
	}
	if !n.db.acquire() {
		return nil, job.Errorf(job.Unavailable, "the store was closed or opened anew; namespace %s must be loaded again", n.shared.name)
	}
	return n.db, nil
}

// sizeOf guesses the bytes of a batch.
func sizeOf(c *job.Changes) int {
	size := 256 + 96*len(c.Live) + 128*len(c.Finished) + 512*len(c.Attempts) + 32*(len(c.Gone)+len(c.Deleted)) +
		128*(len(c.Charges)+len(c.Events)+len(c.Accounts)+len(c.Depends)+len(c.DepGroups)+len(c.Limits)+len(c.Learned))
	for i := range c.Documents {
		size += 64 + len(c.Documents[i].Body)
	}
	for i := range c.Payloads {
		size += 32 + min(len(c.Payloads[i].Body), largeContent)
	}
	return size
}

// writer turns changes into a batch.
type writer struct {
	ns    *namespace
	id    nsID
	b     *pdb.Batch
	key   []byte
	value []byte
	blobs []string // digests held until the batch is visible
	err   error
}

func (w *writer) changes(db *database, c *job.Changes) error {
	if err := w.contents(c); err != nil {
		return err
	}
	w.rows(c)
	w.sharing(c)
	w.scheduling(c)
	w.live(c)
	w.history(c)
	w.keys(c)
	w.forget(c.Forgotten)
	if len(c.Deleted) > 0 {
		if last := w.ns.shared.last.Load(); last != nil {
			last.visible()
		}
		w.delete(db, c)
	}
	return w.err
}

func (w *writer) set() {
	if w.err == nil {
		w.err = w.b.Set(w.key, w.value, nil)
	}
}

func (w *writer) del() {
	if w.err == nil {
		w.err = w.b.Delete(w.key, nil)
	}
}

// row stores v under the key made before, or deletes it.
func (w *writer) row(gone bool, v any) {
	if w.err != nil {
		return
	}
	if gone {
		w.del()
		return
	}
	if w.value, w.err = job.Encode(w.value[:0], v); w.err == nil {
		w.set()
	}
}

func (w *writer) key32(kind byte, id uint32) { w.key = w.id.key32(w.key[:0], kind, id) }

func (w *writer) rows(c *job.Changes) {
	if c.Meta != nil {
		w.key = w.id.key(w.key[:0], kindMeta)
		w.row(false, c.Meta)
		w.trim(c.Meta.MinLive)
	}
	for i := range c.Queues {
		w.key32(kindQueue, uint32(c.Queues[i].ID))
		w.row(c.Queues[i].Gone, &c.Queues[i])
	}
	for i := range c.Groups {
		w.key32(kindGroup, uint32(c.Groups[i].ID))
		w.row(c.Groups[i].Gone, &c.Groups[i])
	}
	for i := range c.Kinds {
		w.key32(kindKind, uint32(c.Kinds[i].ID))
		w.row(c.Kinds[i].Gone, &c.Kinds[i])
	}
	for i := range c.Shapes {
		w.key32(kindShape, uint32(c.Shapes[i].ID))
		w.row(c.Shapes[i].Gone, &c.Shapes[i])
	}
	for i := range c.Workers {
		w.key32(kindWorker, uint32(c.Workers[i].ID))
		w.row(c.Workers[i].Gone, &c.Workers[i])
	}
	for i := range c.Locks {
		w.key = w.id.lock(w.key[:0], c.Locks[i].Path)
		w.row(c.Locks[i].Gone, &c.Locks[i])
	}
	for i := range c.Requests {
		r := &c.Requests[i]
		w.key = w.id.request(w.key[:0], r.Client, r.ID)
		w.row(r.Gone, &requestRow{At: r.At, Outcome: r.Outcome})
	}
}

// sharing stores who pays for what, the log, and documents.
func (w *writer) sharing(c *job.Changes) {
	for i := range c.Accounts {
		w.key = w.id.account(w.key[:0], c.Accounts[i].Name)
		w.row(c.Accounts[i].Gone, &c.Accounts[i])
	}
	for i := range c.Charges {
		w.key = w.id.key64(w.key[:0], kindCharge, uint64(c.Charges[i].Seq))
		w.row(c.Charges[i].Gone, &c.Charges[i])
	}
	for i := range c.Events {
		w.key = w.id.key64(w.key[:0], logKinds[c.Events[i].Log()], c.Events[i].N)
		w.row(false, &c.Events[i])
	}
	for log, before := range c.EventsBefore {
		if before != 0 && w.err == nil {
			w.err = w.b.DeleteRange(w.id.key(nil, logKinds[log]), w.id.key64(nil, logKinds[log], before), nil)
		}
	}
	for i := range c.Documents {
		d := &c.Documents[i]
		w.key = w.id.document(w.key[:0], d.Room, d.Key)
		if d.Gone {
			w.del()
			continue
		}
		w.value = append(append(w.value[:0], formatInline), d.Body...)
		w.set()
	}
}

// scheduling stores what keeps jobs from running, and what they are expected to need.
func (w *writer) scheduling(c *job.Changes) {
	for i := range c.Limits {
		w.key = w.id.limit(w.key[:0], c.Limits[i].Name)
		w.row(c.Limits[i].Gone, &c.Limits[i])
	}
	for i := range c.Learned {
		w.key32(kindLearned, uint32(c.Learned[i].Kind))
		w.row(c.Learned[i].Gone, &c.Learned[i])
	}
	for i := range c.DepGroups {
		w.key32(kindDepGroup, uint32(c.DepGroups[i].ID))
		w.row(c.DepGroups[i].Gone, &c.DepGroups[i])
	}
	for i := range c.Depends {
		w.key = w.id.key64(w.key[:0], kindDepend, uint64(c.Depends[i].Seq))
		w.row(c.Depends[i].Gone, &c.Depends[i])
	}
}

// requestRow is what is stored of a job.Request.
type requestRow struct {
	At      job.Time `cbor:"1,keyasint"`
	Outcome []byte   `cbor:"2,keyasint,omitempty"`
}

// trimEvery is after how many jobs the states of complete ones are deleted as a
// range, too: a load that begins at an old job then meets no tombstones.
const trimEvery = 1 << 16

func (w *writer) trim(minLive job.Seq) {
	shared := w.ns.shared
	if minLive < shared.trimmed+trimEvery || w.err != nil {
		return
	}
	from, to := w.id.key64(nil, kindLive, uint64(shared.trimmed)), w.id.key64(nil, kindLive, uint64(minLive))
	w.err = w.b.DeleteRange(from, to, nil)
	if w.err == nil {
		from[0], to[0] = kindName, kindName
		w.err = w.b.DeleteRange(from, to, nil)
	}
	shared.trimmed = minLive
}

func (w *writer) live(c *job.Changes) {
	for i := range c.Live {
		l := &c.Live[i]
		w.key = w.id.key64(w.key[:0], kindLive, uint64(l.Seq))
		w.value = appendLive(w.value[:0], l)
		w.set()
	}
	for _, seq := range c.Gone {
		w.key = w.id.key64(w.key[:0], kindLive, uint64(seq))
		w.del()
	}
}

func (w *writer) history(c *job.Changes) {
	for i := range c.Attempts {
		a := &c.Attempts[i]
		w.key = w.id.seqKey(w.key[:0], kindAttempt, a.Seq, a.Number)
		w.row(false, &a.Attempt)
	}
	for _, old := range c.OldAttempts {
		w.key = w.id.seqKey(w.key[:0], kindAttempt, old.Seq, old.Number)
		w.del()
	}
	for i := range c.Finished {
		f := &c.Finished[i]
		w.key = w.id.key64(w.key[:0], kindHistory, f.End)
		w.value = appendFinished(w.value[:0], f)
		w.set()
	}
	for i := range c.Amended {
		w.key = w.id.key64(w.key[:0], kindHistory, c.Amended[i].End)
		w.value = appendFinished(w.value[:0], &c.Amended[i])
		w.set()
	}
}

// contents stores descriptions and blobs, large ones in files.
func (w *writer) contents(c *job.Changes) error {
	for i := range c.Payloads {
		p := &c.Payloads[i]
		file, err := w.content(p.Body, "")
		if err != nil {
			return err
		}
		w.key = w.id.seqKey(w.key[:0], kindPayload, p.Seq, p.Version)
		w.set()
		if file {
			w.key = w.id.seqKey(w.key[:0], kindFile, p.Seq, p.Version)
			w.value = w.value[1:]
			w.set()
		}
	}
	for i := range c.Blobs {
		blob := &c.Blobs[i]
		if _, err := hex.DecodeString(blob.Digest); err != nil || len(blob.Digest) != digestLen {
			return job.Errorf(job.Internal, "blob %q is not named by a hex SHA-256", blob.Digest)
		}
		if _, err := w.content(blob.Body, blob.Digest); err != nil {
			return err
		}
		w.key = w.id.blob(w.key[:0], blob.Digest)
		w.set()
	}
	return w.err
}

// content makes the value that stands for a body, and tells whether it is a file.
func (w *writer) content(body []byte, digest string) (file bool, err error) {
	if len(body) <= largeContent {
		w.value = append(append(w.value[:0], formatInline), body...)
		return false, nil
	}
	digest, err = w.ns.store.blobs.put(body, digest)
	if err != nil {
		return false, err
	}
	w.blobs = append(w.blobs, digest)
	w.value = append(append(w.value[:0], formatFile), digest...)
	return true, nil
}

// dropBlobs ends the hold on the files the batch names: it names them now, or
// never will.
func (w *writer) dropBlobs() {
	for _, digest := range w.blobs {
		w.ns.store.blobs.drop(digest)
	}
	w.blobs = nil
}

// forget deletes history records. Their index entries find nothing from then on,
// and go when their segment does.
func (w *writer) forget(forgotten []job.Finished) {
	for i := range forgotten {
		w.key = w.id.key64(w.key[:0], kindHistory, forgotten[i].End)
		w.del()
	}
	if len(forgotten) > 0 {
		w.ns.shared.forgot.Store(true)
	}
}
