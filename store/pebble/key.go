package pebble

import (
	"bytes"
	"encoding/binary"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// Every key begins with the number of its namespace (4 bytes, never reused) and
// the kind of record; numbers are big-endian, so that keys sort as they count.
// Namespace 0 has what belongs to the store as a whole.
//
//	0 s                     who the store is (storeRow)
//	0 n NAME                the number of a namespace
//	N e                     the epoch
//	N m                     job.Meta
//	N q|g|k|w id            queue, group, kind, worker rows
//	N s id                  shape rows
//	N r len CLIENT ID       remembered outcomes
//	N l seq                 state of a live job
//	N p seq version         a description
//	N f seq version         the digest of a description kept in a file
//	N a seq number          an attempt that ended
//	N h end                 history
//	N b digest              content by digest
//	N x digest end          index: key digest to history
//	N y group end           index: group to history
//	N z                     how far the two indexes reach
const (
	kindStore     = 's'
	kindNamespace = 'n'

	kindEpoch   = 'e'
	kindMeta    = 'm'
	kindQueue   = 'q'
	kindGroup   = 'g'
	kindKind    = 'k'
	kindShape   = 's'
	kindWorker  = 'w'
	kindRequest = 'r'
	kindLive    = 'l'
	kindPayload = 'p'
	kindFile    = 'f'
	kindAttempt = 'a'
	kindHistory = 'h'
	kindBlob    = 'b'
	kindByKey   = 'x'
	kindByGroup = 'y'
	kindReach   = 'z'
)

// nsID is the number of a namespace in keys.
type nsID uint32

const (
	prefixLen = 5
	byKeyLen  = prefixLen + len(job.Digest{}) + 8
)

func (n nsID) key(b []byte, kind byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(n)), kind)
}

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

func (n nsID) byKey(b []byte, digest job.Digest, end uint64) []byte {
	return binary.BigEndian.AppendUint64(append(n.key(b, kindByKey), digest[:]...), end)
}

func (n nsID) byGroup(b []byte, group job.GroupID, end uint64) []byte {
	return binary.BigEndian.AppendUint64(n.key32(b, kindByGroup, uint32(group)), end)
}

func (n nsID) request(b []byte, client, id string) []byte {
	b = binary.AppendUvarint(n.key(b, kindRequest), uint64(len(client)))
	return append(append(b, client...), id...)
}

func (n nsID) blob(b []byte, digest string) []byte {
	return append(n.key(b, kindBlob), digest...)
}

// last64 is the number a key ends with.
func last64(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// seqOf is the job a seqKey or a live key belongs to.
func seqOf(key []byte) job.Seq {
	return job.Seq(binary.BigEndian.Uint64(key[prefixLen : prefixLen+8]))
}

// subOf is the version or number of a seqKey.
func subOf(key []byte) uint32 { return binary.BigEndian.Uint32(key[prefixLen+8:]) }

// comparer orders keys by their bytes. The digest of an index entry is its
// prefix, so that a Bloom filter answers for it whatever end follows.
var comparer = func() *pdb.Comparer {
	c := *pdb.DefaultComparer
	c.Name = "muster.keys.1"
	c.Compare = bytes.Compare
	c.Split = func(key []byte) int {
		if len(key) == byKeyLen && key[4] == kindByKey {
			return len(key) - 8
		}
		return len(key)
	}
	return &c
}()
