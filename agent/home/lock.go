package home

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// lockPatience is how long a lock may still be held by a process that is being
// born from, or dying after, the agent that held it.
const lockPatience = time.Second

// lock takes the directory's lock and writes into it who holds it.
func lock(ctx context.Context, dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, job.Errorf(job.Unavailable, "open the agent's lock: %w", err)
	}
	if err := flock(ctx, f); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, job.Wrap(err, "lock", path)
		}
		holder, _ := os.ReadFile(path)
		return nil, job.Errorf(job.Conflict, "another agent (%s) uses the state directory %s; give this one a directory of its own, or stop the other",
			strings.TrimSpace(string(holder)), dir)
	}
	host, _ := os.Hostname()
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "pid %d on %s\n", os.Getpid(), host), 0)
		if err != nil {
			f.Close()
			return nil, job.Wrap(err, "write", path)
		}
	}
	return f, nil
}

func flock(ctx context.Context, f *os.File) error {
	deadline := time.Now().Add(lockPatience)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
