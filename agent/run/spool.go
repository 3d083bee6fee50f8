package run

import (
	"os"
	"path/filepath"

	"github.com/muster-queue/muster/job"
)

// spool is the file that takes the full output of a stream, when asked for. The
// zero spool takes nothing.
type spool struct {
	path string
	file *os.File
	room int64
	err  error // why writing stopped
}

func openSpool(dir, name string, room int64) (spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return spool{}, err
	}
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	return spool{path: path, file: f, room: room}, err
}

func (s *spool) write(p []byte) {
	if s.file == nil || s.err != nil {
		return
	}
	p, whole := p[:min(int64(len(p)), s.room)], len(p)
	n, err := s.file.Write(p)
	s.room -= int64(n)
	switch {
	case err != nil:
		s.err = job.Errorf(job.NoSpace, "the full output in %s is incomplete: %w", s.path, err)
	case len(p) < whole:
		s.err = job.Errorf(job.Exhausted, "the full output in %s is cut off at its bound", s.path)
	}
}

// from reads back from offset, at most to end; nil when the file has nothing
// there.
func (s *spool) from(offset, end int64) []byte {
	if s.file == nil || offset >= end {
		return nil
	}
	buf := make([]byte, min(end-offset, liveBytes))
	n, _ := s.file.ReadAt(buf, offset)
	if n == 0 {
		return nil
	}
	return buf[:n]
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}
