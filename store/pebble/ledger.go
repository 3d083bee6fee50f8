package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ledger is a list of the log files that were begun, kept beside them. Pebble
// checks that its tables are there, but takes the logs it finds for all there
// are; with the ledger a missing log is noticed. An entry, 12 bytes with a
// checksum, is durable before anything is written to its log; a log's entry
// stays until the log lies before every state the manifest can describe.
type ledger struct {
	fs  vfs.FS
	dir string

	mu   sync.Mutex
	file vfs.File
	logs []uint64
}

const (
	ledgerFile = "LOGS"
	entrySize  = 12
	// maxEntries is how many entries a ledger gets before it is pruned.
	maxEntries = 1024
)

// openLedger checks that every log the database needs is there. A database that
// is being made has no ledger yet.
func openLedger(fs vfs.FS, dir string, mustExist bool) (*ledger, error) {
	l := &ledger{fs: fs, dir: dir}
	if !mustExist {
		if err := makeDir(fs, dir); err != nil {
			return nil, err
		}
		return l, l.write(nil)
	}
	b, err := readFile(fs, l.path())
	if err != nil {
		return nil, err
	}
	if l.logs, err = parseLedger(b); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return l, l.prune()
}

func (l *ledger) path() string { return l.fs.PathJoin(l.dir, ledgerFile) }

func parseLedger(b []byte) ([]uint64, error) {
	var logs []uint64
	for ; len(b) >= entrySize; b = b[entrySize:] {
		if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
			if len(b) >= 2*entrySize {
				return nil, errors.New("the list of its log files (LOGS) was altered")
			}
			break // the entry a crash cut off; its log has nothing yet
		}
		logs = append(logs, binary.BigEndian.Uint64(b))
	}
	return logs, nil
}

// check compares the ledger and the manifest with the files that are there.
func (l *ledger) check() error {
	_, last, err := l.logNumbers()
	if err != nil {
		return err
	}
	needed := slices.DeleteFunc(slices.Clone(l.logs), func(n uint64) bool { return n < last })
	next := uint64(0)
	for i, n := range needed {
		if next, err = l.checkLog(n, next, i == len(needed)-1); err != nil {
			return err
		}
	}
	return nil
}

// checkLog checks that a log is there and goes on where the one before ended, at
// the batch number next; zero if that is not known. Pebble itself notices a torn
// log that is not the newest only where the tear is not between two records.
func (l *ledger) checkLog(n, next uint64, newest bool) (uint64, error) {
	name := fmt.Sprintf("%06d.log", n)
	f, err := l.fs.Open(l.fs.PathJoin(l.dir, name))
	if isNotExist(err) {
		return 0, fmt.Errorf("its log file %s is missing", name)
	}
	if err != nil {
		return 0, err
	}
	first, end, err := logBatches(f, n)
	info, err2 := f.Stat()
	if err := errors.Join(err, err2, f.Close()); err != nil {
		return 0, err
	}
	if info.Size() == 0 && !newest || next != 0 && first != 0 && first != next {
		return 0, fmt.Errorf("its log file %s, or the one before, was cut off", name)
	}
	if end == 0 {
		end = next
	}
	return end, nil
}

// logBatches reads the numbers of the first batch of a log, and of the one after
// the last; both are zero if there is none. What cannot be read ends it; Pebble
// judges that.
func logBatches(f io.Reader, log uint64) (first, end uint64, err error) {
	records := logReader(record.NewReader, f, log)
	var header [batchrepr.HeaderLen]byte
	for {
		r, err := records.Next()
		if err == nil {
			_, err = io.ReadFull(r, header[:])
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || record.IsInvalidRecord(err) {
			return first, end, nil
		}
		if err != nil {
			return 0, 0, err
		}
		h, _ := batchrepr.ReadHeader(header[:]) // it is long enough
		if end = uint64(h.SeqNum) + uint64(h.Count); first == 0 {
			first = uint64(h.SeqNum)
		}
	}
}

// logReader calls record.NewReader, whose file numbers have a type without a
// public name.
func logReader[N ~uint64](open func(io.Reader, N) *record.Reader, f io.Reader, log uint64) *record.Reader {
	return open(f, N(log))
}

// prune writes the ledger without the entries no state of the manifest needs.
func (l *ledger) prune() error {
	first, _, err := l.logNumbers()
	if err != nil {
		return err
	}
	return l.write(slices.DeleteFunc(l.logs, func(n uint64) bool { return n < first }))
}

// write puts a new ledger in its place and opens it for additions.
func (l *ledger) write(logs []uint64) error {
	l.logs = logs
	var b []byte
	for _, n := range logs {
		b = appendEntry(b, n)
	}
	if err := writeFile(l.fs, l.path(), b); err != nil {
		return err
	}
	if err := l.close(); err != nil {
		return err
	}
	var err error
	l.file, err = l.fs.OpenReadWrite(l.path(), category)
	return err
}

func (l *ledger) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

func appendEntry(b []byte, n uint64) []byte {
	b = binary.BigEndian.AppendUint64(b, n)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[len(b)-8:]))
}

// add notes a new log file.
func (l *ledger) add(name string) error {
	n, err := strconv.ParseUint(strings.TrimSuffix(path.Base(name), ".log"), 10, 64)
	if err != nil {
		return fmt.Errorf("unexpected name of a log file: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := syncDir(l.fs, l.dir); err != nil {
		return err
	}
	if len(l.logs)%maxEntries == maxEntries-1 {
		// The manifest may just be replaced; then the next time will do.
		if err := l.prune(); err != nil && !isNotExist(err) {
			return err
		}
	}
	if _, err := l.file.WriteAt(appendEntry(nil, n), int64(len(l.logs)*entrySize)); err != nil {
		return err
	}
	l.logs = append(l.logs, n)
	return l.file.SyncData()
}

// logNumbers are the oldest logs needed by the first and by the last state that
// the current manifest describes. A manifest without a readable state is an
// error: Pebble would take it for an empty database.
func (l *ledger) logNumbers() (first, last uint64, err error) {
	desc, err := pdb.Peek(l.dir, l.fs)
	if err != nil {
		return 0, 0, err
	}
	if !desc.Exists {
		return 0, 0, fmt.Errorf("its database %s is missing or has no manifest", path.Base(l.dir))
	}
	f, err := l.fs.Open(desc.ManifestFilename)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	first, last, err = manifestLogs(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", path.Base(desc.ManifestFilename), err)
	}
	return first, last, err
}

// Tags of the fields a manifest record begins with.
const (
	tagComparer  = 1
	tagLogNumber = 2
)

// manifestLogs reads the log number out of the records of a manifest.
func manifestLogs(f io.Reader) (first, last uint64, err error) {
	records := record.NewReader(f, 0)
	for n := 0; ; n++ {
		var b []byte
		r, err := records.Next()
		if err == nil {
			b, err = io.ReadAll(r)
		}
		if errors.Is(err, io.EOF) || record.IsInvalidRecord(err) {
			if n == 0 {
				return 0, 0, errors.New("the first record of the manifest cannot be read")
			}
			return first, last, nil
		}
		if err != nil {
			return 0, 0, err
		}
		log := recordLog(b)
		if n == 0 {
			first = log
		}
		if log != 0 {
			last = log
		}
	}
}

// recordLog is the log number of one record, zero if it has none. The fields are
// always in this order: comparer, log number, others.
func recordLog(b []byte) uint64 {
	r := reader{b: b}
	tag := r.uvarint()
	if tag == tagComparer {
		r.take(int(min(r.uvarint(), uint64(len(b)))))
		tag = r.uvarint()
	}
	if tag != tagLogNumber || r.bad {
		return 0
	}
	return r.uvarint()
}
