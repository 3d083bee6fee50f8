// Package spool keeps an agent's reports about ended attempts until the server
// has acknowledged them, in a file of the agent's state directory: so they
// outlive the agent, and a successor there sends them again. The agent's session
// calls it for every report, so adding costs one write; a report that is not
// acknowledged soon is also forced to the disk. Reports are bytes here.
package spool

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/job"
)

// Entry is one report not yet acknowledged.
type Entry struct {
	Attempt job.AttemptID
	Report  []byte
}

const (
	// SyncAfter is how long a report may wait for its acknowledgement before it
	// is forced to the disk.
	SyncAfter = 200 * time.Millisecond
	// MaxBytes bounds what waits.
	MaxBytes = 1 << 30
	// The file is written anew when it is this large and mostly acknowledged.
	compactBytes = 16 << 20
)

// Spool is the reports of one agent. Its methods may be called from many
// goroutines.
type Spool struct {
	path string

	mu      sync.Mutex
	file    *os.File
	size    int64 // of the file
	waiting int64 // bytes of the reports not acknowledged
	entries map[job.AttemptID]entry
	order   uint64
	timer   *time.Timer // syncs; nil when everything is on the disk
	err     error       // why the file lacks something; nil again once it is rewritten
}

type entry struct {
	report []byte
	order  uint64 // reports are sent again in the order they were added
}

// Open reads what an earlier incarnation left. Records after a damaged one,
// which a machine that lost its power may have left at the end, are dropped.
func Open(h *home.Home) (*Spool, error) {
	s := &Spool{path: h.Path("spool"), entries: map[job.AttemptID]entry{}}
	if err := s.load(); err != nil {
		return nil, job.Wrap(err, "open the agent's spool", s.path)
	}
	return s, nil
}

func (s *Spool) load() (err error) {
	if s.file, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	b, err := io.ReadAll(s.file)
	if err == nil {
		rest := b
		for len(rest) > 0 {
			n := s.replay(rest)
			if n == 0 {
				break
			}
			rest = rest[n:]
		}
		s.size = int64(len(b) - len(rest))
		err = s.file.Truncate(s.size)
	}
	if err == nil {
		_, err = s.file.Seek(s.size, io.SeekStart)
	}
	if err != nil {
		s.file.Close()
	}
	return err
}

// A record is its length and check sum (of what follows), four bytes each, the
// attempt's epoch (4) and number (8), and the report. Without a report it is an
// acknowledgement.
const headBytes = 4 + 4 + 4 + 8

var table = crc32.MakeTable(crc32.Castagnoli)

func record(b []byte, a job.AttemptID, report []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(12+len(report)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, a.Epoch)
	b = binary.LittleEndian.AppendUint64(b, a.N)
	b = append(b, report...)
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(b[start+8:], table))
	return b
}

// replay takes in the first record of b and returns its length; zero when there
// is no whole record.
func (s *Spool) replay(b []byte) int {
	if len(b) < headBytes {
		return 0
	}
	n := 8 + int(binary.LittleEndian.Uint32(b))
	if n < headBytes || n > len(b) || crc32.Checksum(b[8:n], table) != binary.LittleEndian.Uint32(b[4:]) {
		return 0
	}
	a := job.AttemptID{Epoch: binary.LittleEndian.Uint32(b[8:]), N: binary.LittleEndian.Uint64(b[12:])}
	if n == headBytes {
		s.forget(a)
	} else {
		s.remember(a, b[headBytes:n])
	}
	return n
}

func (s *Spool) remember(a job.AttemptID, report []byte) {
	s.forget(a)
	s.order++
	s.entries[a] = entry{report: report, order: s.order}
	s.waiting += int64(len(report))
}

func (s *Spool) forget(a job.AttemptID) {
	if e, ok := s.entries[a]; ok {
		s.waiting -= int64(len(e.report))
		delete(s.entries, a)
	}
}

// Add keeps a report until it is acknowledged; report must not be empty, nor
// changed afterwards. When it returns without error the report survives the
// agent's death, and SyncAfter later the machine's. With an error (no space, or
// job.Exhausted when MaxBytes wait) it is at least kept in memory, if there is
// room, and sent while the agent lives.
func (s *Spool) Add(a job.AttemptID, report []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return job.ErrClosed
	}
	if s.waiting+int64(len(report)) > MaxBytes {
		return job.Errorf(job.Exhausted, "keep the report of attempt %v: %d MiB of reports wait for the server already", a, MaxBytes>>20)
	}
	s.remember(a, report)
	return s.append(record(nil, a, report))
}

// append writes records to the file. A file that could not be written to is
// written anew, with everything that waits, at the next chance.
func (s *Spool) append(records []byte) error {
	if s.err != nil {
		s.err = s.rewrite()
		return s.err
	}
	if _, err := s.file.Write(records); err != nil {
		s.err = job.Errorf(job.NoSpace, "write to the agent's spool %s: %w", s.path, err)
		return s.err
	}
	s.size += int64(len(records))
	if s.timer == nil {
		s.timer = time.AfterFunc(SyncAfter, s.sync)
	}
	return nil
}

// sync forces to the disk what still waits.
func (s *Spool) sync() {
	s.mu.Lock()
	file, waits := s.file, len(s.entries) > 0
	s.timer = nil
	s.mu.Unlock()
	if file == nil || !waits {
		return
	}
	// Adding goes on meanwhile. A failed sync tells nothing about which part of
	// the file is good, so the file is written anew.
	if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.file == file {
			s.err = job.Errorf(job.NoSpace, "sync the agent's spool %s: %w", s.path, err)
		}
	}
}

// Ack forgets reports that the server has acknowledged.
func (s *Spool) Ack(attempts ...job.AttemptID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return job.ErrClosed
	}
	var records []byte
	for _, a := range attempts {
		if _, ok := s.entries[a]; ok {
			s.forget(a)
			records = record(records, a, nil)
		}
	}
	switch {
	case len(records) == 0:
		return nil
	case len(s.entries) == 0 && s.err == nil:
		return s.empty()
	case s.size > compactBytes && s.size > 4*s.waiting:
		s.err = s.rewrite()
		return s.err
	}
	return s.append(records)
}

// empty drops the file's content when nothing waits. A machine that loses its
// power may bring old reports back; the server knows them and changes nothing.
func (s *Spool) empty() error {
	if err := s.file.Truncate(0); err != nil {
		return err
	}
	_, err := s.file.Seek(0, io.SeekStart)
	s.size = 0
	return err
}

// rewrite replaces the file by one that holds just what waits.
func (s *Spool) rewrite() error {
	var b []byte
	for _, e := range s.pending() {
		b = record(b, e.Attempt, e.Report)
	}
	if err := renameio.WriteFile(s.path, b, 0o600); err != nil {
		return job.Errorf(job.NoSpace, "write the agent's spool anew: %w", err)
	}
	file, err := os.OpenFile(s.path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		file.Close()
		return err
	}
	s.file.Close()
	s.file, s.size = file, int64(len(b))
	return nil
}

// Pending lists the reports that wait, oldest first.
func (s *Spool) Pending() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending()
}

func (s *Spool) pending() []Entry {
	list := make([]Entry, 0, len(s.entries))
	for a, e := range s.entries {
		list = append(list, Entry{Attempt: a, Report: e.report})
	}
	s.sort(list)
	return list
}

func (s *Spool) sort(list []Entry) {
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Compare(s.entries[a.Attempt].order, s.entries[b.Attempt].order)
	})
}

// Close forces what waits to the disk and closes the file.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	err := s.err
	if err == nil && len(s.entries) > 0 {
		err = s.file.Sync()
	}
	err = errors.Join(err, s.file.Close())
	s.file = nil
	return err
}
