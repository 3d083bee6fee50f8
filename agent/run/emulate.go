package run

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-queue/muster/agent/links"
	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/lsf"
	"github.com/muster-queue/muster/emulate/slurm"
	"github.com/muster-queue/muster/job"
)

// emulate sets what a command has that finds the commands of another batch system: they
// come first in its PATH, and reach the server with the token that it is lent.
func (x *attempt) emulate(e *env) error {
	c := x.spec.Command
	if c.Emulate == "" {
		return nil
	}
	dir, err := x.r.linkDir(c.Emulate, x.who)
	if err != nil {
		return failed(job.ReasonEnv, "make the commands of %s: %w", c.Emulate, err)
	}
	e.set("PATH", dir+":"+getenv(e.list, "PATH"))
	if err := x.reach(e); err != nil {
		return failed(job.ReasonEnv, "tell how to reach the server: %w", err)
	}
	e.set("MUSTER_EMULATE", c.Emulate)
	e.set("MUSTER_EMULATE_QUEUE", x.spec.Queue)
	e.set("MUSTER_EMULATE_ACCOUNT", x.spec.Account)
	return x.batchEnviron(e, dir)
}

// batchEnviron is what the batch system itself would set.
func (x *attempt) batchEnviron(e *env, dir string) error {
	r := x.batch()
	switch {
	case x.spec.Command.Emulate == job.LSF:
		return e.add(lsf.Environ(r, dir))
	case r.Batch != nil:
		return e.add(slurm.Environ(r))
	}
	return nil // a job of muster's own is to Slurm what a login is
}

// batch is the attempt as package emulate sees it.
func (x *attempt) batch() *emulate.Running {
	s := x.spec
	return &emulate.Running{
		Seq: s.Seq, Queue: s.Queue, Command: s.Command, Needs: s.Needs, Time: s.Time, Number: s.Number,
		Host: x.r.host, Start: time.Now(),
	}
}

// linkDir is the directory with the commands of a batch system, each a link to the
// program.
func (r *Runner) linkDir(system string, who *identity) (string, error) {
	program := r.cfg.Program
	if program == "" {
		return "", job.Errorf(job.Unimplemented, "this agent is part of another program, and muster's own is not known to it; let jobs that use %s run on agents started with \"muster agent\"", system)
	}
	r.linkMu.Lock()
	defer r.linkMu.Unlock()
	dir := r.cfg.Home.Path("emulate", system)
	if who != nil {
		open, err := r.openDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(open, system)
	}
	return dir, links.Make(dir, system, program)
}

// openDir is a directory that other users than the agent's can read, which cannot
// enter its state directory. The caller holds linkMu.
func (r *Runner) openDir() (string, error) {
	if r.openLinks != "" {
		return r.openLinks, nil
	}
	dir, err := os.MkdirTemp("", "muster-emulate-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // for commands of other users
		return "", err
	}
	r.openLinks = dir
	return dir, nil
}

// redirector puts files in place of the standard streams: $1 is the standard input, $2
// the output, $3 the error output, $4 how to open them, $5 what follows when one cannot
// be opened. An empty name leaves a stream as it is, but errors go where the output goes.
// The names of its variables are none that a command has in its environment.
const redirector = `_muster_in=$1 _muster_out=$2 _muster_err=$3 _muster_how=$4 _muster_failed=$5; shift 5
to() { # FILE: opens it, as descriptor 4
  if [ "$_muster_how" = append ]; then { exec 4>>"$1"; } else { exec 4>"$1"; } fi || { [ "$_muster_failed" = run ] || exit 1; return 1; }
}
[ -z "$_muster_in" ] || { exec <"$_muster_in"; } || exit 1
if [ -n "$_muster_out" ]; then to "$_muster_out" && exec >&4; fi
if [ -n "$_muster_err" ] && [ "$_muster_err" != "$_muster_out" ]; then to "$_muster_err" && exec 2>&4; elif [ -n "$_muster_out" ]; then exec 2>&1; fi
exec 4>&-
exec "$@"`

// redirect wraps a program so that it reads and writes the files its batch system has
// for it. They are opened by the command's own process, with its rights.
func (x *attempt) redirect(argv []string) []string {
	b := x.spec.Command.Batch
	if b == nil || b.Stdin+b.Stdout+b.Stderr == "" {
		return argv
	}
	name := lsf.File
	if x.spec.Command.Emulate == job.Slurm {
		name = slurm.File
	}
	r, how, failed := x.batch(), "truncate", "fail"
	if b.Append {
		how = "append"
	}
	if x.spec.Command.Emulate == job.LSF {
		failed = "run" // a job of LSF runs nevertheless
	}
	words := []string{"bash", "-c", redirector, "muster"}
	for _, pattern := range []string{b.Stdin, b.Stdout, b.Stderr} {
		words = append(words, strings.TrimSpace(name(pattern, r)))
	}
	return append(append(words, how, failed), argv...)
}
