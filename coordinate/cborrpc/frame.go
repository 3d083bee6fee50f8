package cborrpc

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/muster-queue/muster/job"
)

// A frame is tag 24 over a byte string that holds the message: two bytes, the
// string's head of up to nine, the message.
const (
	frameTag0 = 0xd8
	frameTag1 = tagMessage
	maxHead   = 2 + 9
)

// MaxMessage bounds the size of one message, request or answer, in bytes.
const MaxMessage = 64 << 20

const (
	// Messages beyond small are read into memory that all connections share.
	small      = 64 << 10
	shareLarge = 4 * MaxMessage
	// stall is how long the rest of a large message may keep others waiting
	// without a byte of it arriving; between messages a client may be silent for
	// ever.
	stall = 30 * time.Second
)

// reader reads frames from a connection. A silent one holds only the bytes
// of the reader itself.
type reader struct {
	conn  net.Conn
	large *semaphore.Weighted
	// peek are the first have bytes of what comes next: most requests whole, so that
	// they take one system call.
	peek [512]byte
	have int
}

// next is the message of the next frame. release, which may be nil, is to be
// called when it is no longer needed. io.EOF means that the client has left.
func (r *reader) next(ctx context.Context) (message []byte, release func(), err error) {
	head, size, err := r.head()
	if err != nil {
		return nil, nil, err
	}
	got := min(r.have-head, size)
	first := r.peek[head : head+got]
	if size <= small {
		message = make([]byte, size)
		copy(message, first)
		r.have = copy(r.peek[:], r.peek[head+got:r.have])
		_, err = io.ReadFull(r.conn, message[got:])
		return message, nil, err
	}
	message = append(make([]byte, 0, small), first...)
	r.have = 0
	if err := r.large.Acquire(ctx, int64(size)); err != nil {
		return nil, nil, err
	}
	release = func() { r.large.Release(int64(size)) }
	if message, err = r.long(message, size); err != nil {
		release()
		return nil, nil, err
	}
	return message, release, nil
}

// head reads up to the end of a frame's head.
func (r *reader) head() (head, size int, err error) {
	for {
		head, size, complete, err := frameHead(r.peek[:r.have])
		if err != nil || complete {
			return head, size, err
		}
		n, err := r.conn.Read(r.peek[r.have:])
		if r.have += n; n == 0 && err != nil {
			if errors.Is(err, io.EOF) && r.have > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, 0, err
		}
	}
}

// frameHead reads the head of a frame from its beginning.
func frameHead(b []byte) (head, size int, complete bool, err error) {
	if len(b) > 0 && b[0] != frameTag0 || len(b) > 1 && b[1] != frameTag1 {
		return 0, 0, false, job.Errorf(job.Invalid, "what came is not a frame of CBOR-RPC: it begins with %x", b)
	}
	if len(b) < 3 {
		return 0, 0, false, nil
	}
	h, ok := readHead(b[2:])
	if h.major != majorBytes || h.info == indefinite || h.info > 27 {
		return 0, 0, false, job.Errorf(job.Invalid, "a frame of CBOR-RPC holds no byte string: it begins with %x", b)
	}
	if !ok {
		return 0, 0, false, nil
	}
	if h.arg > MaxMessage {
		return 0, 0, false, job.Errorf(job.Invalid, "a message of %d bytes; at most %d", h.arg, MaxMessage)
	}
	return 2 + h.size, int(h.arg), true, nil
}

// long reads the rest of a large message. Its memory grows with what arrives,
// not with what was announced.
func (r *reader) long(message []byte, size int) ([]byte, error) {
	defer func() { _ = r.conn.SetReadDeadline(time.Time{}) }()
	for len(message) < size {
		if len(message) == cap(message) {
			message = append(make([]byte, 0, min(size, 2*cap(message))), message...)
		}
		if err := r.conn.SetReadDeadline(time.Now().Add(stall)); err != nil {
			return nil, err
		}
		n, err := r.conn.Read(message[len(message):min(cap(message), size)])
		message = message[:len(message)+n]
		if err != nil && len(message) < size {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return message, nil
}

// frameRoom is what startFrame leaves for a frame's head: the tag and a head of
// five bytes, enough for MaxMessage.
const frameRoom = 2 + 5

// startFrame begins a frame: the message is to be appended.
func startFrame(b []byte) []byte { return append(b[:0], make([]byte, frameRoom)...) }

// endFrame writes the head of a frame before the message that was appended.
func endFrame(b []byte) []byte {
	size := len(b) - frameRoom
	var short [frameRoom]byte
	head := appendHead(append(short[:0], frameTag0, frameTag1), majorBytes, uint64(size))
	start := frameRoom - len(head)
	copy(b[start:], head)
	return b[start:]
}

// Frame wraps a message.
func Frame(message []byte) []byte {
	return AppendBytes(append(make([]byte, 0, len(message)+maxHead), frameTag0, frameTag1), message)
}
