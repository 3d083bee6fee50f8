package input

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"github.com/muster-queue/muster/job"
)

// Source is a file of jobs that can be read more than once: first to check all
// of it, then to add. A pipe is kept in an unnamed temporary file for that.
type Source struct {
	// Name is how people call it: the name of the file, or "stdin".
	Name string
	// Identity stands for it in keys of duplicates: the path of a file, so that
	// lines can be put at its end; of a pipe a digest of its content.
	Identity string

	file *os.File
}

// Stdin is the path that means the standard input.
const Stdin = "-"

// OpenSource opens a file of jobs, or reads all of stdin.
func OpenSource(path string, stdin io.Reader) (*Source, error) {
	if path == Stdin {
		return keep("stdin", stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, job.Errorf(job.NotFound, "read the jobs: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err == nil && info.Mode().IsRegular():
		return source(path, f)
	case err == nil && info.IsDir():
		err = job.Errorf(job.Invalid, "read the jobs: %s is a directory; give a file with a command on each line", path)
	case err == nil: // a named pipe, or what a shell's <(...) gives
		s, kerr := keep(path, f)
		f.Close()
		return s, kerr
	}
	f.Close()
	return nil, err
}

func source(path string, f *os.File) (*Source, error) {
	identity, err := filepath.Abs(path)
	if err != nil {
		f.Close()
		return nil, job.Errorf(job.Internal, "read the jobs: %w", err)
	}
	return &Source{Name: filepath.Base(path), Identity: identity, file: f}, nil
}

func keep(name string, r io.Reader) (*Source, error) {
	f, err := Temporary()
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, digest), r); err != nil {
		f.Close()
		return nil, job.Errorf(job.Internal, "read the jobs from %s: %w", name, err)
	}
	return &Source{Name: name, Identity: hex.EncodeToString(digest.Sum(nil)), file: f}, nil
}

// Temporary is a file without a name, gone when it is closed.
func Temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "muster-*")
	if err != nil {
		return nil, job.Errorf(job.NoSpace, "make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, job.Errorf(job.Internal, "make a temporary file: %w", err)
	}
	return f, nil
}

// Reader reads it from the beginning.
func (s *Source) Reader() (*Reader, error) {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, job.Errorf(job.Internal, "read the jobs from %s: %w", s.Name, err)
	}
	return NewReader(s.file, s.Name), nil
}

// Close closes it.
func (s *Source) Close() error { return s.file.Close() }
