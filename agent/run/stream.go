package run

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// stream is one output of a command. It is a pipe, so that a command which
// prints without end fills neither memory nor disk: the beginning, the end and a
// window for those who watch are kept. A short command's output is read once,
// after its end, and costs no goroutine.
type stream struct {
	rd, wr int           // the pipe's ends; -1 when closed or handed on
	file   *os.File      // the read end once it is read on
	read   chan struct{} // closed when reading on has ended
	enough atomic.Bool   // reading on is to end although more comes

	mu      sync.Mutex
	kept    kept
	live    window
	total   int64         // bytes printed so far
	changed chan struct{} // closed at the next change; nil when nobody waits
	ended   bool
	spool   spool
}

// liveBytes is how far back somebody who begins to watch can see.
const liveBytes = 64 << 10

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// newStream makes a pipe that keeps up to keep bytes of each end.
func newStream(keep int) (*stream, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, failed(job.ReasonStart, "make a pipe for the output: %w", err)
	}
	s := &stream{rd: p[0], wr: p[1], live: window{limit: liveBytes}, kept: newKept(keep)}
	return s, setNonblock(s.rd, unix.O_RDONLY)
}

// setNonblock is unix.SetNonblock for a descriptor whose flags are known.
func setNonblock(fd, flags int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags|unix.O_NONBLOCK)
	return err
}

// child is the end that the command writes to.
func (s *stream) child() uintptr { return uintptr(s.wr) }

// closeChild closes our copy of it, so that the command's end is the output's.
func (s *stream) closeChild() {
	if s.wr >= 0 {
		unix.Close(s.wr)
		s.wr = -1
	}
}

// readOn begins to read while the command runs.
func (s *stream) readOn() {
	s.file = os.NewFile(uintptr(s.rd), "output")
	s.rd, s.read = -1, make(chan struct{})
	go func() {
		defer close(s.read)
		raw, err := s.file.SyscallConn()
		if err != nil {
			return
		}
		_ = raw.Read(func(fd uintptr) bool { return s.take(int(fd), -1) })
	}()
}

// take reads what is there, at most most bytes (negative: any number), and
// reports whether the end was reached.
func (s *stream) take(fd int, most int64) bool {
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	for most != 0 && !(most < 0 && s.enough.Load()) {
		n, err := unix.Read(fd, buf[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0:
			return true
		default:
			s.write(buf[:n])
			most = max(most-int64(n), min(most, 0))
		}
	}
	return false
}

const (
	// A process outside the attempt may have been handed the pipe and hold it
	// open. Nothing waits longer for it than this,
	stragglers = 100 * time.Millisecond
	// nor reads more than this.
	lastBytes = 2 << 20
)

// finish reads what is left after everything of the attempt has ended, and
// closes the stream.
func (s *stream) finish() {
	if s.file == nil {
		if s.rd >= 0 {
			s.take(s.rd, lastBytes)
			unix.Close(s.rd)
			s.rd = -1
		}
	} else {
		timer := time.NewTimer(stragglers)
		select {
		case <-s.read:
		case <-timer.C:
			s.enough.Store(true)
			_ = s.file.SetReadDeadline(time.Unix(1, 0))
			<-s.read
			if raw, err := s.file.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { s.take(int(fd), lastBytes) })
			}
		}
		timer.Stop()
		s.file.Close()
	}
	s.end()
}

// end notes that nothing more comes.
func (s *stream) end() {
	s.closeChild()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.end()
	s.spool.close()
	s.ended = true
	s.wake()
}

func (s *stream) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += int64(len(p))
	s.kept.write(p)
	s.live.write(p)
	s.spool.write(p)
	s.wake()
}

func (s *stream) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// output is what is kept of an ended stream.
func (s *stream) output() job.Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.kept.output()
	out.Path = s.spool.path
	return out
}

// from returns the bytes from offset on that can still be had, where they begin,
// and what to wait for when there are none yet.
func (s *stream) from(offset int64) (p []byte, at int64, wait <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset < s.total {
		if old := s.spool.from(offset, s.total-int64(len(s.live.bytes()))); old != nil {
			return old, offset, nil, nil
		}
		p, at = s.live.from(offset, s.total)
		return p, at, nil, nil
	}
	if s.ended {
		return nil, s.total, nil, io.EOF
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return nil, offset, s.changed, nil
}
