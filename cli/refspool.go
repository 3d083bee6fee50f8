package cli

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// refSpool remembers the jobs of a run in an unnamed file: their file of commands
// may change while they run, and memory would not do for ten million.
type refSpool struct {
	file  *os.File
	w     *bufio.Writer
	count int64
}

func newRefSpool() (*refSpool, error) {
	f, err := input.Temporary()
	if err != nil {
		return nil, err
	}
	return &refSpool{file: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

// add remembers a job.
func (s *refSpool) add(j *job.Job) error {
	s.count++
	for _, text := range []string{j.Queue, string(j.Key)} {
		_, err := s.w.Write(binary.AppendUvarint(nil, uint64(len(text))))
		if err == nil {
			_, err = s.w.WriteString(text)
		}
		if err != nil {
			return job.Errorf(job.NoSpace, "remember the jobs of this run in a temporary file: %w", err)
		}
	}
	return nil
}

// pages visits the remembered jobs, a page at a time.
func (s *refSpool) pages(do func([]client.Ref) error) error {
	if err := s.w.Flush(); err != nil {
		return job.Errorf(job.NoSpace, "remember the jobs of this run in a temporary file: %w", err)
	}
	r := bufio.NewReader(io.NewSectionReader(s.file, 0, 1<<62))
	for {
		page, err := readPage(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return job.Errorf(job.Internal, "read the temporary file with the jobs of this run: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		if err := do(page); err != nil {
			return err
		}
	}
}

// readPage reads the next jobs, each once: identical lines are one job.
func readPage(r *bufio.Reader) (page []client.Ref, err error) {
	seen := make(map[client.Ref]bool, pageOfRefs)
	for len(page) < pageOfRefs {
		queue, err := readText(r)
		if err != nil {
			return page, err
		}
		key, err := readText(r)
		if err != nil {
			return page, err
		}
		ref := client.Ref{Queue: queue, Key: job.Key(key)}
		if !seen[ref] {
			seen[ref] = true
			page = append(page, ref)
		}
	}
	return page, nil
}

func readText(r *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil || n == 0 {
		return "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return string(b), err
}

// Close forgets the jobs.
func (s *refSpool) Close() error { return s.file.Close() }
