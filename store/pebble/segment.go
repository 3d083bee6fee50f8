package pebble

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"sort"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// A segment indexes a range of history: by key, by group. It is written once, in
// the order of its records, and merged with its neighbours later; an entry in a
// table of its own for each key would be written many times over, as keys come
// in no order.
//
//   - buckets, by the first bits of the key digest: the hash of each key (the
//     first 8 bytes of its digest) and its end number. What is found there is
//     compared with the history record, so entries of forgotten jobs and of
//     equal hashes do no harm.
//   - a filter of the hashes, kept in memory while the namespace is open.
//   - for each group, its end numbers; for each queue likewise.
type segment struct {
	ID uint64 `cbor:"1,keyasint"`
	// The history numbers it covers, To excluded, and how many keys it has.
	From  uint64 `cbor:"2,keyasint"`
	To    uint64 `cbor:"3,keyasint"`
	Count int    `cbor:"4,keyasint"`
	// Bits of the digest that choose the bucket.
	Bits uint8 `cbor:"5,keyasint"`
	// Building is set until the segment is complete.
	Building bool `cbor:"6,keyasint,omitempty"`
	// Queues says that it has the end numbers of each queue; those of an earlier
	// release have not.
	Queues bool `cbor:"7,keyasint,omitempty"`

	filter filter
}

const (
	// bucketKeys is how many keys a bucket has on average.
	bucketKeys = 256
	// entryLen is an entry of a bucket: hash, end number less From.
	entryLen = 8 + 4
	// maxCovered is how many history numbers a segment may cover.
	maxCovered = 1 << 31
	// filterRow is how many bytes of a filter are in one record.
	filterRow = 64 << 10
	// listRow is how many end numbers of a group or queue are in one record.
	listRow = 4096
	// indexBatch is how many bytes go into one batch; commits wait behind it.
	indexBatch = 128 << 10
)

// indexEntry is what an index needs of a history record.
type indexEntry struct {
	hash  uint64
	end   uint64
	group job.GroupID
	queue job.QueueID
}

func hashOf(d job.Digest) uint64 { return binary.BigEndian.Uint64(d[:]) }

func (s *segment) bucketOf(hash uint64) uint32 {
	return uint32(hash >> (64 - s.Bits)) // no bits, one bucket: a shift by 64 is zero
}

// newSegment is an empty segment for at most count keys.
func newSegment(id, from, to uint64, count int) *segment {
	return &segment{ID: id, From: from, To: to, Bits: uint8(bits.Len(uint(count / bucketKeys))), filter: newFilter(count), Building: true, Queues: true}
}

// Keys of a segment's parts.
func (n nsID) segment(b []byte, id uint64) []byte { return n.key64(b, kindSegment, id) }

func (n nsID) bucket(b []byte, seg uint64, bucket uint32) []byte {
	return binary.BigEndian.AppendUint32(n.key64(b, kindByKey, seg), bucket)
}

func (n nsID) filterRow(b []byte, seg uint64, i uint32) []byte {
	return binary.BigEndian.AppendUint32(n.key64(b, kindFilter, seg), i)
}

// listRow is a key of the end numbers of a group or queue.
func (n nsID) listRow(b []byte, kind byte, seg uint64, of uint32, first uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(n.key64(b, kind, seg), of), first)
}

// segmentParts are the kinds of records of a segment's parts.
const segmentParts = string(kindByKey) + string(kindFilter) + string(kindByGroup) + string(kindByQueue)

// segmentWriter writes a segment's parts, not waiting for the disk.
type segmentWriter struct {
	db  *database
	id  nsID
	seg *segment
	b   *pdb.Batch
	key []byte

	bucket  uint32
	entries []byte

	kind byte // of the list being written
	of   uint32
	ends []uint64
}

func newSegmentWriter(db *database, id nsID, seg *segment) *segmentWriter {
	return &segmentWriter{db: db, id: id, seg: seg, b: db.db.NewBatchWithSize(indexBatch + 8<<10)}
}

// add adds a key; they come in the order of their hashes, equal ones in that of
// their ends.
func (w *segmentWriter) add(hash, end uint64) error {
	if bucket := w.seg.bucketOf(hash); bucket != w.bucket {
		if err := w.flushBucket(); err != nil {
			return err
		}
		w.bucket = bucket
	}
	w.seg.filter.add(hash)
	w.seg.Count++
	w.entries = binary.BigEndian.AppendUint64(w.entries, hash)
	w.entries = binary.BigEndian.AppendUint32(w.entries, uint32(end-w.seg.From))
	return nil
}

func (w *segmentWriter) flushBucket() error {
	if len(w.entries) == 0 {
		return nil
	}
	w.key = w.id.bucket(w.key[:0], w.seg.ID, w.bucket)
	err := w.set(w.entries)
	w.entries = w.entries[:0]
	return err
}

// addTo adds an end number to the list of a group or queue; they come in the order
// of the lists, then of the numbers.
func (w *segmentWriter) addTo(kind byte, of uint32, end uint64) error {
	if kind != w.kind || of != w.of || len(w.ends) == listRow {
		if err := w.flushList(); err != nil {
			return err
		}
		w.kind, w.of = kind, of
	}
	w.ends = append(w.ends, end)
	return nil
}

func (w *segmentWriter) flushList() error {
	if len(w.ends) == 0 {
		return nil
	}
	w.key = w.id.listRow(w.key[:0], w.kind, w.seg.ID, w.of, w.ends[0])
	err := w.set(appendEnds(nil, w.ends))
	w.ends = w.ends[:0]
	return err
}

// appendEnds packs ascending numbers as their distances.
func appendEnds(b []byte, ends []uint64) []byte {
	last := uint64(0)
	for _, end := range ends {
		b = binary.AppendUvarint(b, end-last)
		last = end
	}
	return b
}

func decodeEnds(b []byte) ([]uint64, error) {
	r := reader{b: b}
	var ends []uint64
	last := uint64(0)
	for len(r.b) > 0 && !r.bad {
		last += r.uvarint()
		ends = append(ends, last)
	}
	if r.bad {
		return nil, job.Errorf(job.Damaged, "a record of the index by group or queue is cut off")
	}
	return ends, nil
}

// finish writes what is left.
func (w *segmentWriter) finish() error {
	if err := errors.Join(w.flushBucket(), w.flushList()); err != nil {
		return err
	}
	i := uint32(0)
	for part := range slices.Chunk(w.seg.filter, filterRow) {
		w.key = w.id.filterRow(w.key[:0], w.seg.ID, i)
		if err := w.set(part); err != nil {
			return err
		}
		i++
	}
	return w.apply()
}

func (w *segmentWriter) set(value []byte) error {
	if err := w.b.Set(w.key, value, nil); err != nil {
		return err
	}
	if w.b.Len() < indexBatch {
		return nil
	}
	err := w.apply()
	w.b = w.db.db.NewBatchWithSize(indexBatch + 8<<10)
	return err
}

func (w *segmentWriter) apply() error { return w.db.applyNoSync(w.b) }

// dropSegment deletes a segment in a batch.
func dropSegment(b *pdb.Batch, id nsID, seg uint64) error {
	err := b.Delete(id.segment(nil, seg), nil)
	for _, kind := range []byte(segmentParts) {
		err = errors.Join(err, b.DeleteRange(id.key64(nil, kind, seg), id.key64(nil, kind, seg+1), nil))
	}
	return err
}

// readFilter reads a segment's filter into memory.
func (s *segment) readFilter(db *database, id nsID) error {
	f := make(filter, 0, len(newFilter(s.Count)))
	err := db.scan(id.key64(nil, kindFilter, s.ID), id.key64(nil, kindFilter, s.ID+1), func(_, value []byte) error {
		f = append(f, value...)
		return nil
	})
	if err == nil && (len(f) == 0 || len(f)%filterBlock != 0) {
		err = job.Errorf(job.Damaged, "the filter of index segment %d is cut off", s.ID)
	}
	s.filter = f
	return err
}

// search calls found with the end numbers a bucket has for a hash, newest first.
func (s *segment) search(bucket []byte, hash uint64, found func(end uint64)) error {
	n := len(bucket) / entryLen
	if len(bucket)%entryLen != 0 {
		return job.Errorf(job.Damaged, "a bucket of index segment %d is cut off", s.ID)
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(bucket[i*entryLen:]) }
	i := sort.Search(n, func(i int) bool { return at(i) > hash }) - 1
	for ; i >= 0 && at(i) == hash; i-- {
		found(s.From + uint64(binary.BigEndian.Uint32(bucket[i*entryLen+8:])))
	}
	return nil
}

// byHash orders entries by hash, then end number.
func byHash(a, b indexEntry) int {
	if a.hash != b.hash {
		if a.hash < b.hash {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.end, b.end)
}
