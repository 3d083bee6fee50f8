package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// program is what is executed for a command.
type program struct {
	path string
	argv []string
	// status is an extra pipe (descriptor 3) on which the part before the command
	// proper tells that it failed; nil when there is no such part.
	status *stream
	// container is what ends the container the program runs; nil: none.
	container *container
}

// unsupported refuses what this release cannot do, rather than run the command
// without it.
func (x *attempt) unsupported() error {
	c := x.spec.Command
	switch {
	case c == nil:
		return failed(job.ReasonStart, "the job has no command")
	case len(c.Mounts) > 0:
		return failed(job.ReasonMount, "object store mounts come with a later release of muster")
	case len(c.Inputs) > 0:
		return failed(job.ReasonInput, "staging of inputs comes with a later release of muster, with the repository")
	case len(c.Outputs) > 0:
		return failed(job.ReasonUpload, "publishing of outputs comes with a later release of muster, with the repository")
	}
	return nil
}

// program says what is executed: the arguments themselves, or a shell with the
// line; in a container and after "module load" where asked for.
func (x *attempt) program() (p program, err error) {
	c := x.spec.Command
	p.argv = c.Argv
	if len(p.argv) == 0 {
		if p.argv, err = x.shell(c.Line); err != nil {
			return p, err
		}
	}
	if c.Image != "" {
		if p.container, err = x.contain(); err != nil {
			return p, err
		}
		p.argv = p.container.wrap(p.argv)
	}
	p.argv = x.redirect(p.argv)
	if len(c.Modules) > 0 {
		if p.status, err = newStream(-1); err != nil {
			return p, err
		}
		p.argv = slices.Concat([]string{"bash", "-c", moduleScript(c.Modules), "muster"}, p.argv)
	}
	p.path, err = x.find(p.argv[0])
	return p, err
}

// maxArg is the longest single argument Linux takes.
const maxArg = 128<<10 - 1

// shell is the argument list that runs a line: bash, unless the command names
// another shell, with the failure of any part of a pipeline being its failure
// where the shell knows that.
func (x *attempt) shell(line string) ([]string, error) {
	words := strings.Fields(x.spec.Command.Shell)
	if len(words) == 0 {
		words = []string{"bash"}
	}
	switch filepath.Base(words[0]) {
	case "bash", "zsh", "ksh":
		words = slices.Concat(words, []string{"-o", "pipefail"})
	}
	if len(line) <= maxArg {
		return slices.Concat(words, []string{"-c", line}), nil
	}
	if !x.dir.unique() {
		return nil, failed(job.ReasonStart, "the line has %d bytes, the system takes %d; a longer one needs a directory of its own", len(line), maxArg)
	}
	script := filepath.Join(x.dir.tmp, ".muster-line")
	if err := os.WriteFile(script, []byte(line+"\n"), 0o644); err != nil {
		return nil, failed(job.ReasonStart, "write the line, which is too long to pass, to a file: %w", err)
	}
	return slices.Concat(words, []string{script}), nil
}

// moduleScript loads modules and then becomes its arguments. Where the shell has
// no "module" yet, it is set up as a login shell would.
func moduleScript(modules []string) string {
	quoted := make([]string, len(modules))
	for i, m := range modules {
		quoted[i] = "'" + strings.ReplaceAll(m, "'", `'\''`) + "'"
	}
	return `if ! type module >/dev/null 2>&1; then
  for f in "$MODULESHOME/init/bash" "$LMOD_PKG/init/bash" /etc/profile.d/modules.sh /etc/profile.d/lmod.sh /usr/share/modules/init/bash /usr/share/lmod/lmod/init/bash; do
    if [ -r "$f" ]; then . "$f"; break; fi
  done
fi
module load ` + strings.Join(quoted, " ") + ` || { echo failed >&3; exit 1; }
export -f module 2>/dev/null
exec 3>&-
exec "$@"`
}

// modulesFailed reports whether "module load" failed.
func (x *attempt) modulesFailed() bool {
	return x.prog.status != nil && x.prog.status.total > 0
}

// makeOutputs makes the pipes that the command prints to.
func (x *attempt) makeOutputs() (err error) {
	c := x.spec.Command
	if x.out, err = newStream(c.Keep); err != nil {
		return err
	}
	if x.err, err = newStream(c.Keep); err != nil {
		x.closeOutputs()
		return err
	}
	if c.Spool {
		x.spoolOutputs()
	}
	return nil
}

// spoolOutputs opens the files for the full outputs. A command is not failed for
// the want of them.
func (x *attempt) spoolOutputs() {
	cfg := x.r.cfg
	dir := cfg.Home.Path(outputsName, x.spec.Attempt.String())
	for name, s := range map[string]*stream{"stdout": x.out, "stderr": x.err} {
		var err error
		if s.spool, err = openSpool(dir, name, cfg.SpoolBytes); err != nil {
			x.note("spool the full output: %v", err)
		}
	}
	x.r.keepFor(dir, cfg.SpoolDays)
}

func (x *attempt) streams() []*stream {
	var list []*stream
	for _, s := range []*stream{x.out, x.err, x.prog.status} {
		if s != nil {
			list = append(list, s)
		}
	}
	return list
}

func (x *attempt) closeChildEnds() {
	for _, s := range x.streams() {
		s.closeChild()
	}
}

// drain reads what is left of the outputs when everything has ended.
func (x *attempt) drain() {
	for _, s := range x.streams() {
		s.finish()
		if s.spool.err != nil {
			x.note("%v", s.spool.err)
		}
	}
}

// closeOutputs gives the outputs up when the command did not start.
func (x *attempt) closeOutputs() {
	x.closeChildEnds()
	x.drain()
}
