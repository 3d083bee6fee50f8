// Package links makes directories with the commands of another batch system, each a
// link to the program of muster, which behaves as the command it is called by. Agents
// make them for jobs, and the command line for people.
package links

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/muster-queue/muster/emulate/lsf"
	"github.com/muster-queue/muster/emulate/slurm"
	"github.com/muster-queue/muster/job"
)

// commands are the names of the commands of each batch system.
var commands = map[string][]string{job.LSF: lsf.Commands, job.Slurm: slurm.Commands}

// Make makes the directory with the commands of a batch system, or completes it.
func Make(dir, system, program string) error {
	names, known := commands[system]
	if !known {
		return job.Errorf(job.Invalid, "%.40q is not emulated; there are %s and %s", system, job.LSF, job.Slurm)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		if err := link(filepath.Join(dir, name), program); err != nil {
			return err
		}
	}
	if system != job.LSF {
		return nil
	}
	return write(filepath.Join(dir, "lsf.conf"), lsf.Conf)
}

// link makes a link, unless it is there. Another attempt may make it at the same time.
func link(path, program string) error {
	to, err := os.Readlink(path)
	switch {
	case err == nil && to == program:
		return nil
	case err == nil:
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Symlink(program, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// write writes a file, unless it is there with that content.
func write(path, content string) error {
	if b, err := os.ReadFile(path); err == nil && string(b) == content {
		return nil
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
