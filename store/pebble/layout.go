package pebble

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/job"
)

// The directory of a store:
//
//	FORMAT     what this is: format number, identity, which database is current
//	LOCK       held by the process that has the store open; OWNER names it
//	db-N/      the database FORMAT names; any other is left over
//	blobs/     large content by digest
//	BACKUP     only in a backup that was not opened yet
//
// FORMAT is written last when a store is made and replaced last when a backup is
// brought up to date, so it is the point at which either happens.
const (
	formatFile_ = "FORMAT"
	lockFile    = "LOCK"
	ownerFile   = "OWNER"
	backupFile  = "BACKUP"
	blobDir     = "blobs"
	firstDB     = "db-1"

	// formatNumber is the format this release writes. A newer one is refused,
	// an older one migrated step by step (see migrations).
	formatNumber = 3
)

// migrations[i] brings a store from format i+1 to i+2.
var migrations = [formatNumber - 1]func(*layout) error{
	// Format 2 adds accounts, charges, the log and documents. A release that knew
	// nothing of them would give everybody free quota.
	func(*layout) error { return nil },
	// Format 3 adds dependencies, limits and what was learned. A release that knew
	// nothing of them would run jobs before what they wait for.
	func(*layout) error { return nil },
}

// layout is where the parts of a store are, as its FORMAT file says.
type layout struct {
	fs  vfs.FS
	dir string

	format int
	// id is who the store is, the same in the database; line changes when a copy
	// starts a life of its own.
	id, line string
	db       string // name of the database's directory
}

func (l *layout) path(name string) string { return l.fs.PathJoin(l.dir, name) }
func (l *layout) dbDir() string           { return l.path(l.db) }

// marshal is the FORMAT file.
func (l *layout) marshal() []byte {
	return fmt.Appendf(nil, "muster store\nformat %d\nid %s\nline %s\ndb %s\n", l.format, l.id, l.line, l.db)
}

// write puts the FORMAT file in its place.
func (l *layout) write() error { return writeFile(l.fs, l.path(formatFile_), l.marshal()) }

// readLayout reads the FORMAT file of dir; it is nil if there is none.
func readLayout(fs vfs.FS, dir string) (*layout, error) {
	l := &layout{fs: fs, dir: dir}
	b, err := readFile(fs, l.path(formatFile_))
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := l.unmarshal(b); err != nil {
		return nil, damaged(dir, err)
	}
	return l, nil
}

func (l *layout) unmarshal(b []byte) error {
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) < 2 || lines[0] != "muster store" {
		return errors.New("the file FORMAT is not that of a muster store")
	}
	fields := map[string]string{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, " ")
		fields[name] = value
	}
	var err error
	if l.format, err = strconv.Atoi(fields["format"]); err != nil || l.format < 1 {
		return errors.New("the file FORMAT has no format number")
	}
	l.id, l.line, l.db = fields["id"], fields["line"], fields["db"]
	if l.format > formatNumber {
		return nil // its other lines are the newer release's business
	}
	if l.id == "" || l.line == "" || !strings.HasPrefix(l.db, "db-") || strings.ContainsAny(l.db, `/\`) ||
		!bytes.Equal(b, l.marshal()) {
		return errors.New("the file FORMAT was altered")
	}
	return nil
}

// checkFormat refuses stores of a newer release and migrates those of older ones.
func (l *layout) checkFormat() error {
	if err := l.refuseNewer(); err != nil {
		return err
	}
	for l.format < formatNumber {
		if err := migrations[l.format-1](l); err != nil {
			return job.Wrap(err, "migrate store", l.dir)
		}
		l.format++
		if err := l.write(); err != nil {
			return err
		}
	}
	return nil
}

func (l *layout) refuseNewer() error {
	if l.format <= formatNumber {
		return nil
	}
	return job.Errorf(job.Conflict, "store %s has format %d; this release reads up to %d: use the release that wrote it, or a newer one",
		l.dir, l.format, formatNumber)
}

// nextDB is a name for another database in the directory.
func (l *layout) nextDB() string {
	n, _ := strconv.Atoi(strings.TrimPrefix(l.db, "db-")) // zero if it is a stranger's name
	return fmt.Sprintf("db-%d", n+1)
}

// tidy removes databases and temporary files that were left by a crash in the
// middle of a backup.
func (l *layout) tidy() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, "db-") && name != l.db || strings.HasSuffix(name, ".tmp") {
			err = errors.Join(err, l.fs.RemoveAll(l.path(name)))
		}
	}
	return err
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// lockDir takes the directory for this process; somebody else's is a Conflict
// error that names the holder as far as it is known.
func lockDir(fs vfs.FS, dir string) (io.Closer, error) {
	lock, err := fs.Lock(fs.PathJoin(dir, lockFile))
	if err != nil {
		if kindOfOS(err) == job.NoSpace || errors.Is(err, os.ErrPermission) && !isHeld(err) {
			return nil, job.Wrap(osError(err), "lock store", dir)
		}
		holder := "another process"
		if owner, err := readFile(fs, fs.PathJoin(dir, ownerFile)); err == nil && len(owner) > 0 {
			holder = strings.TrimSpace(string(owner))
		}
		return nil, job.Errorf(job.Conflict, "store %s is in use by %s; only one server can have it open: use that one, or stop it first", dir, holder)
	}
	host, _ := os.Hostname() // for people; empty if unknown
	owner := fmt.Sprintf("process %d on %s\n", os.Getpid(), host)
	if err := writeFile(fs, fs.PathJoin(dir, ownerFile), []byte(owner)); err != nil {
		return nil, errors.Join(job.Wrap(osError(err), "write to store", dir), lock.Close())
	}
	return lock, nil
}
