package pebble

import (
	"encoding/binary"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// Every key begins with the kind of record and the number of its namespace (4
// bytes, never reused); numbers are big-endian, so that keys sort as they count.
// Namespace 0 has what belongs to the store as a whole.
//
// The kinds that are many have small letters and their own tables (see spans):
// most come in order, and a table that overlaps no other is never written
// again. The others have capital letters, to be first: Pebble compacts them
// often, together with the new tables that it finds between theirs and the next
// old one, and those behind them are old.
//
//	A N NAME                an account
//	B N digest              content by digest
//	C N seq                 what a run costs
//	D N len ROOM KEY        a document
//	E N                     the epoch
//	F N seq version         the digest of a description kept in a file
//	G|K|Q|W N id            group, kind, queue, worker rows
//	I 0                     who the store is (storeRow)
//	J N number              an entry of the log of who changed what
//	L N PATH                a held lock
//	M N                     job.Meta
//	N 0 NAME                the number of a namespace
//	P N id                  dependency group rows
//	R N len CLIENT ID       remembered outcomes
//	S N id                  shape rows
//	T N NAME                a named limit
//	V N id                  what was learned of a kind
//	X N id                  an index segment of history
//	Z N                     how far the index of history reaches
//	a N seq number          an attempt that ended
//	d N seq                 who waits for whom
//	e N number              an entry of the log of tasks
//	f N id i                part of a segment's filter
//	g N id group end        end numbers of a group in a segment
//	h N end                 history
//	k N id bucket           hashes and end numbers of keys in a segment
//	l N seq                 state of a live job
//	n N seq                 key of a live job in a queue that is ordered by key
//	p N seq version         a description
//	q N id queue end        end numbers of a queue in a segment
//	u N queue KEY           end number of a complete job in such a queue
const (
	kindAccount   = 'A'
	kindBlob      = 'B'
	kindCharge    = 'C'
	kindDepGroup  = 'P'
	kindLearned   = 'V'
	kindLimit     = 'T'
	kindDocument  = 'D'
	kindEpoch     = 'E'
	kindFile      = 'F'
	kindGroup     = 'G'
	kindStore     = 'I'
	kindAudit     = 'J'
	kindKind      = 'K'
	kindLock      = 'L'
	kindMeta      = 'M'
	kindNamespace = 'N'
	kindQueue     = 'Q'
	kindRequest   = 'R'
	kindShape     = 'S'
	kindWorker    = 'W'
	kindSegment   = 'X'
	kindReach     = 'Z'

	kindAttempt = 'a'
	kindDepend  = 'd'
	kindTask    = 'e'
	kindFilter  = 'f'
	kindByGroup = 'g'
	kindHistory = 'h'
	kindByKey   = 'k'
	kindLive    = 'l'
	kindName    = 'n'
	kindPayload = 'p'
	kindByQueue = 'q'
	kindKeyed   = 'u'
)

// allKinds are the kinds of records a namespace has, manyKinds those with
// tables of their own; both in the order of keys.
const (
	manyKinds = "adefghklnpqu"
	allKinds  = "ABCDEFGJKLMPQRSTVWXZ" + manyKinds
)

// logKinds are the kinds of the logs' entries.
var logKinds = [job.EventLogs]byte{job.TaskLog: kindTask, job.AuditLog: kindAudit}

// nsID is the number of a namespace in keys.
type nsID uint32

// prefixLen is the length of what all keys begin with.
const prefixLen = 5

func (n nsID) key(b []byte, kind byte) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind), uint32(n))
}

// end is behind the last key of a kind.
func (n nsID) end(kind byte) []byte { return (n + 1).key(nil, kind) }

func (n nsID) key32(b []byte, kind byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(n.key(b, kind), id)
}

func (n nsID) key64(b []byte, kind byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64(n.key(b, kind), id)
}

// seqKey is a key under a job: payload versions, attempt numbers.
func (n nsID) seqKey(b []byte, kind byte, seq job.Seq, sub uint32) []byte {
	return binary.BigEndian.AppendUint32(n.key64(b, kind, uint64(seq)), sub)
}

func (n nsID) request(b []byte, client, id string) []byte {
	b = binary.AppendUvarint(n.key(b, kindRequest), uint64(len(client)))
	return append(append(b, client...), id...)
}

func (n nsID) blob(b []byte, digest string) []byte {
	return append(n.key(b, kindBlob), digest...)
}

func (n nsID) limit(b []byte, name string) []byte { return append(n.key(b, kindLimit), name...) }

func (n nsID) account(b []byte, name string) []byte { return append(n.key(b, kindAccount), name...) }

func (n nsID) document(b []byte, room, key string) []byte {
	b = binary.AppendUvarint(n.key(b, kindDocument), uint64(len(room)))
	return append(append(b, room...), key...)
}

func (n nsID) lock(b []byte, path string) []byte { return append(n.key(b, kindLock), path...) }

// last64 is the number a key ends with.
func last64(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// seqOf is the job a seqKey or a live key belongs to.
func seqOf(key []byte) job.Seq {
	return job.Seq(binary.BigEndian.Uint64(key[prefixLen : prefixLen+8]))
}

// subOf is the version or number of a seqKey.
func subOf(key []byte) uint32 { return binary.BigEndian.Uint32(key[prefixLen+8:]) }

// spans ends the table being written at the next kind that is many.
func spans(start []byte) (pdb.SpanPolicy, []byte, error) {
	for i := range len(manyKinds) {
		if len(start) == 0 || manyKinds[i] > start[0] {
			return pdb.SpanPolicy{}, []byte{manyKinds[i]}, nil
		}
	}
	return pdb.SpanPolicy{}, nil, nil
}
