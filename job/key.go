package job

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// Key identifies a job in its queue: any bytes, at most MaxKey of them. Only jobs
// with data may have an empty one.
type Key string

// Digest stands for (queue, key) where the bytes themselves would cost too
// much: the first 16 bytes of a SHA-256, so that nobody can make two keys meet.
type Digest [16]byte

// DigestOf is the digest of a key in a queue.
func DigestOf(queue string, key Key) Digest {
	var stack [256]byte
	b := append(stack[:0], queue...)
	b = append(b, 0)
	b = append(b, key...)
	sum := sha256.Sum256(b)
	return Digest(sum[:16])
}

// Seq numbers the jobs of a namespace in the order of their adding. It is never
// reused in a namespace's life; the store's records are kept in its order.
type Seq uint64

// AttemptID is a fencing token: one granted try of one job. It is never reused,
// not after delete, re-add, rerun or restore: Epoch is the namespace's
// incarnation, raised durably each time it is loaded, and N counts in it.
type AttemptID struct {
	Epoch uint32
	N     uint64
}

// IsZero reports whether there is no attempt.
func (a AttemptID) IsZero() bool { return a == AttemptID{} }

// Less orders attempts by the time of their grant.
func (a AttemptID) Less(b AttemptID) bool {
	if a.Epoch != b.Epoch {
		return a.Epoch < b.Epoch
	}
	return a.N < b.N
}

// String is the form people and APIs see, "epoch-n".
func (a AttemptID) String() string { return fmt.Sprintf("%d-%d", a.Epoch, a.N) }

// ParseAttemptID reads the form of AttemptID.String.
func ParseAttemptID(s string) (AttemptID, error) {
	epoch, n, ok := strings.Cut(s, "-")
	e, err1 := strconv.ParseUint(epoch, 10, 32)
	m, err2 := strconv.ParseUint(n, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return AttemptID{}, Errorf(Invalid, "attempt id %q is not of the form EPOCH-NUMBER", s)
	}
	return AttemptID{Epoch: uint32(e), N: m}, nil
}
