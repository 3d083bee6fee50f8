package pebble

import (
	"errors"
	"os"
	"syscall"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// kindOfOS is the kind of an error of the operating system: NoSpace when the
// disk or the quota is full, else Unavailable.
func kindOfOS(err error) job.ErrorKind {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return job.NoSpace
	}
	return job.Unavailable
}

// isHeld tells the refusal of a lock that someone holds from other refusals.
func isHeld(err error) bool { return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) }

// osError gives an error of the operating system its kind; others stay.
func osError(err error) error {
	var mine *job.Error
	if err == nil || errors.As(err, &mine) {
		return err
	}
	return &job.Error{Kind: kindOfOS(err), Err: err}
}

// openError says why a database cannot be opened: the operating system refused,
// or what is stored cannot be read.
func openError(dir string, err error) error {
	var mine *job.Error
	var errno syscall.Errno
	switch {
	case err == nil || errors.As(err, &mine):
		return err
	case isNotExist(err) || pdb.IsCorruptionError(err):
		return damaged(dir, err)
	case errors.As(err, &errno) || errors.Is(err, os.ErrPermission) || errors.Is(err, errFenced):
		return job.Wrap(osError(err), "open store", dir)
	}
	return damaged(dir, err)
}

// readError says why a record could not be read.
func (s *Store) readError(op string, err error) error {
	var mine *job.Error
	switch {
	case err == nil || errors.As(err, &mine):
		return err
	case pdb.IsCorruptionError(err):
		return job.Wrap(damaged(s.dir, err), op, "")
	}
	return &job.Error{Kind: kindOfOS(err), Op: op, Err: err}
}

// damaged says that the store in dir cannot be read, and what to do.
func damaged(dir string, err error) error {
	return job.Errorf(job.Damaged, "store %s is damaged: %w; nothing was changed: "+
		"restore a backup into a new directory with `muster --data NEWDIR restore BACKUP`", dir, err)
}
