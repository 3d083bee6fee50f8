package pebble

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/job"
)

// Backup implements store.Store. A checkpoint of the database is made beside
// it, which costs hard links only, and copied. Tables never change, so one that
// the backup has already is linked from there. The FORMAT file is replaced last:
// until then the directory is the earlier backup, afterwards the new one.
func (s *Store) Backup(ctx context.Context, dir string) error {
	s.backup.Lock()
	defer s.backup.Unlock()
	db, err := s.database()
	if err != nil {
		return err
	}
	defer db.release()
	return job.Wrap(osError(s.backupTo(ctx, db, dir)), "back up to", dir)
}

func (s *Store) backupTo(ctx context.Context, db *database, dir string) error {
	if s.fs.PathJoin(dir) == s.fs.PathJoin(s.dir) {
		return job.Errorf(job.Invalid, "a store cannot be backed up into itself")
	}
	if err := makeDir(s.fs, dir); err != nil {
		return err
	}
	lock, err := lockDir(s.fs, dir)
	if err != nil {
		return err
	}
	err = s.backupLocked(ctx, db, dir)
	return errors.Join(err, removeIfThere(s.fs, s.fs.PathJoin(dir, ownerFile)), lock.Close())
}

func (s *Store) backupLocked(ctx context.Context, db *database, dir string) error {
	target, old, err := s.backupTarget(dir)
	if err != nil {
		return err
	}
	checkpoint := s.layout.path(s.layout.nextDB() + ".tmp")
	if err := s.fs.RemoveAll(checkpoint); err != nil && !isNotExist(err) {
		return err
	}
	refs, release, err := s.checkpoint(db, checkpoint)
	if err != nil {
		return err
	}
	defer release()
	err = copyDatabase(ctx, s.fs, checkpoint, target.dbDir(), old)
	if err == nil {
		err = copyBlobs(ctx, s.blobs, newBlobs(s.fs, target.path(blobDir)), refs)
	}
	if err == nil {
		err = writeFile(s.fs, target.path(backupFile), nil)
	}
	if err == nil {
		err = target.write()
	}
	if err == nil {
		err = errors.Join(target.tidy(), trimBlobs(newBlobs(s.fs, target.path(blobDir)), refs))
	}
	return errors.Join(err, s.fs.RemoveAll(checkpoint))
}

// backupTarget is the layout of the backup to be made in dir, and the database
// of the earlier one there whose tables can be used again, if any.
func (s *Store) backupTarget(dir string) (target *layout, old string, err error) {
	target = &layout{fs: s.fs, dir: dir, format: formatNumber, id: s.layout.id, line: s.layout.line, db: firstDB}
	there, err := readLayout(s.fs, dir)
	if err != nil {
		return nil, "", err
	}
	isBackup, err := exists(s.fs, target.path(backupFile))
	if err != nil {
		return nil, "", err
	}
	if there == nil {
		return target, "", s.checkEmpty(dir, isBackup)
	}
	if !isBackup {
		return nil, "", job.Errorf(job.Conflict, "%s is a store that was in use, not a backup: choose another directory", dir)
	}
	if there.id != s.layout.id {
		return nil, "", job.Errorf(job.Conflict, "%s is the backup of another store: choose another directory", dir)
	}
	target.db = there.nextDB()
	if there.line == s.layout.line {
		old = there.dbDir()
	}
	return target, old, nil
}

// checkEmpty refuses a directory that has something else; what an interrupted
// first backup left may stay.
func (s *Store) checkEmpty(dir string, isBackup bool) error {
	names, err := s.fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case name == lockFile, name == ownerFile, name == blobDir, isBackup, strings.HasPrefix(name, "db-"), strings.HasSuffix(name, ".tmp"):
		default:
			return job.Errorf(job.Conflict, "%s is not empty and not a backup (it has %s): choose another directory", dir, name)
		}
	}
	return nil
}

// checkpoint makes a consistent image of the database in dir, which stays until
// the end of the backup, and holds the blob files that its records name.
func (s *Store) checkpoint(db *database, dir string) (refs map[string]bool, release func(), err error) {
	held := map[string]bool{}
	release = func() {
		for digest := range held {
			s.blobs.drop(digest)
		}
	}
	files, err := s.blobs.files()
	if err != nil {
		return nil, nil, err
	}
	for _, digest := range files { // none of these is deleted before it is copied
		if len(digest) == digestLen {
			s.blobs.hold(digest)
			held[digest] = true
		}
	}
	if err = db.flushLog(); err == nil {
		err = db.guard(func() error { return db.db.Checkpoint(dir) })
	}
	if err == nil {
		refs, err = s.refsOf(db)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return refs, release, nil
}

// copyDatabase copies a checkpoint durably. Tables that old has are linked.
func copyDatabase(ctx context.Context, fs vfs.FS, from, to, old string) error {
	if err := fs.RemoveAll(to); err != nil && !isNotExist(err) {
		return err
	}
	if err := makeDir(fs, to); err != nil {
		return err
	}
	names, err := fs.List(from)
	if err != nil {
		return err
	}
	var logs []uint64
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyOne(fs, from, to, old, name); err != nil {
			return err
		}
		var n uint64
		if _, err := fmt.Sscanf(name, "%d.log", &n); err == nil {
			logs = append(logs, n)
		}
	}
	l := ledger{fs: fs, dir: to}
	return errors.Join(l.write(logs), l.close(), syncDir(fs, to))
}

func copyOne(fs vfs.FS, from, to, old, name string) error {
	source, target := fs.PathJoin(from, name), fs.PathJoin(to, name)
	if old != "" && strings.HasSuffix(name, ".sst") && sameSize(fs, source, fs.PathJoin(old, name)) {
		return linkOrCopy(fs, fs.PathJoin(old, name), target)
	}
	return vfs.CopyAcrossFS(fs, source, fs, target)
}

func sameSize(fs vfs.FS, a, b string) bool {
	x, err1 := fs.Stat(a)
	y, err2 := fs.Stat(b)
	return err1 == nil && err2 == nil && x.Size() == y.Size()
}

// copyBlobs copies the files that are not there; each is verified on the way.
func copyBlobs(ctx context.Context, from, to *blobs, refs map[string]bool) error {
	for digest := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if there, err := exists(to.fs, to.path(digest)); there || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		body, err := from.get(digest)
		if err != nil {
			return err
		}
		if err := to.write(digest, body); err != nil {
			return err
		}
	}
	return nil
}

// trimBlobs deletes the files of a backup that it does not name any more.
func trimBlobs(b *blobs, refs map[string]bool) error {
	return b.collect(func() (map[string]bool, error) { return refs, nil })
}

// blobRefs are the digests that records name.
func (s *Store) blobRefs() (map[string]bool, error) {
	db, err := s.database()
	if err != nil {
		return nil, err
	}
	defer db.release()
	return s.refsOf(db)
}

func (s *Store) refsOf(db *database) (map[string]bool, error) {
	s.mu.Lock()
	ids := make([]nsID, 0, len(s.names))
	for _, n := range s.names {
		ids = append(ids, n.id)
	}
	s.mu.Unlock()
	refs := map[string]bool{}
	for _, id := range ids {
		err := errors.Join(
			db.scan(id.key(nil, kindFile), id.end(kindFile), func(_, value []byte) error {
				refs[string(value)] = true
				return nil
			}),
			db.scan(id.key(nil, kindBlob), id.end(kindBlob), func(_, value []byte) error {
				if len(value) > 0 && value[0] == formatFile {
					refs[string(value[1:])] = true
				}
				return nil
			}))
		if err != nil {
			return nil, s.readError("read blob references", err)
		}
	}
	return refs, nil
}

// Restore makes a store in dir, which must be absent or empty, from a backup. The
// backup stays as it is.
func Restore(ctx context.Context, backup, dir string) error {
	return restore(ctx, vfs.Default, backup, dir)
}

func restore(ctx context.Context, fs vfs.FS, backup, dir string) error {
	source, err := readLayout(fs, backup)
	if err != nil {
		return job.Wrap(osError(err), "restore", backup)
	}
	if source == nil {
		return job.Errorf(job.NotFound, "restore: %s is not a backup: it has no file %s", backup, formatFile_)
	}
	if err := source.refuseNewer(); err != nil {
		return err
	}
	names, err := list(fs, dir)
	if err == nil && len(names) > 0 {
		return job.Errorf(job.Exists, "restore: %s is not empty (it has %s): restoring never overwrites; move it away or choose another directory", dir, names[0])
	}
	if err == nil {
		err = copyStore(ctx, fs, source, dir)
	}
	return job.Wrap(osError(err), "restore to", dir)
}

// copyStore copies a store that nobody has open. The FORMAT file is last: what an
// interrupted restore left is refused.
func copyStore(ctx context.Context, fs vfs.FS, source *layout, dir string) error {
	target := *source
	target.dir, target.line, target.db = dir, newID(), firstDB
	if err := makeDir(fs, dir); err != nil {
		return err
	}
	if err := copyDatabase(ctx, fs, source.dbDir(), target.dbDir(), ""); err != nil {
		return err
	}
	from, to := newBlobs(fs, source.path(blobDir)), newBlobs(fs, target.path(blobDir))
	files, err := from.files()
	if err != nil {
		return err
	}
	refs := map[string]bool{}
	for _, name := range files {
		if len(name) == digestLen {
			refs[name] = true
		}
	}
	if err := copyBlobs(ctx, from, to, refs); err != nil {
		return err
	}
	return target.write()
}
