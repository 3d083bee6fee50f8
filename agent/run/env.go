package run

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/job"
)

// environ is the command's environment: the captured one (or the agent's own),
// what its user and directory imply, less what the job unsets, the job's settings
// and secrets, which win, and what names the attempt. Everything after the first "=" of an entry is its value,
// whatever it contains; the last entry of a name counts.
func (x *attempt) environ() ([]string, error) {
	base := x.spec.Env
	if base == nil {
		base = x.r.env
	}
	c := x.spec.Command
	e := newEnv(len(base) + len(c.Env) + 16)
	if err := e.add(base); err != nil {
		return nil, failed(job.ReasonEnv, "the captured environment: %w", err)
	}
	if x.who != nil && x.who.name != "" {
		e.set("HOME", x.who.home)
		e.set("USER", x.who.name)
		e.set("LOGNAME", x.who.name)
	}
	e.set("PWD", x.dir.cwd)
	if x.dir.unique() {
		e.set("TMPDIR", x.dir.tmp)
		if c.ChangeHome {
			e.set("HOME", x.dir.cwd)
		}
	}
	for _, name := range c.EnvUnset {
		e.remove(name)
	}
	if err := e.add(c.Env); err != nil {
		return nil, failed(job.ReasonEnv, "the job's settings: %w", err)
	}
	if e.add(x.spec.Secrets) != nil { // what is wrong quotes it
		return nil, failed(job.ReasonEnv, "the job's secrets: one of them contains a NUL byte")
	}
	x.name(e)
	if err := x.emulate(e); err != nil {
		return nil, err
	}
	return e.list, nil
}

// ownEnv is this process's environment for commands without a captured one. What
// gives access to the server is not for them.
func ownEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "MUSTER_TOKEN=") })
}

// name adds what tells a command which attempt it is.
func (x *attempt) name(e *env) {
	s := x.spec
	e.set("MUSTER_NAMESPACE", x.r.cfg.Namespace)
	e.set("MUSTER_QUEUE", s.Queue)
	e.set("MUSTER_JOB", strings.ToValidUTF8(strings.ReplaceAll(string(s.Key), "\x00", ""), ""))
	e.set("MUSTER_GROUP", s.Group)
	e.set("MUSTER_ATTEMPT", s.Attempt.String())
	e.set("MUSTER_ATTEMPT_NUMBER", strconv.FormatUint(uint64(s.Number), 10))
	name, mark, _ := strings.Cut(x.scope.Env(), "=")
	e.set(name, mark)
}

// env is an environment being put together.
type env struct {
	list  []string
	where map[string]int
}

func newEnv(size int) *env {
	return &env{list: make([]string, 0, size), where: make(map[string]int, size)}
}

// add adds entries. One without a name or "=" cannot be passed on and is left
// out, as shells do; one with a NUL byte is an error.
func (e *env) add(entries []string) error {
	for _, entry := range entries {
		if strings.IndexByte(entry, 0) >= 0 {
			return job.Errorf(job.Invalid, "%.60q contains a NUL byte", entry)
		}
		if name, _, ok := strings.Cut(entry, "="); ok && name != "" {
			e.put(name, entry)
		}
	}
	return nil
}

func (e *env) set(name, value string) { e.put(name, name+"="+value) }

func (e *env) put(name, entry string) {
	if i, ok := e.where[name]; ok {
		e.list[i] = entry
		return
	}
	e.where[name] = len(e.list)
	e.list = append(e.list, entry)
}

// remove takes a variable out.
func (e *env) remove(name string) {
	i, ok := e.where[name]
	if !ok {
		return
	}
	last := len(e.list) - 1
	e.list[i] = e.list[last]
	moved, _, _ := strings.Cut(e.list[i], "=")
	e.list, e.where[moved] = e.list[:last], i
	delete(e.where, name)
}

// getenv reads a variable from an environment without duplicates.
func getenv(env []string, name string) string {
	for _, entry := range env {
		if rest, ok := strings.CutPrefix(entry, name); ok && strings.HasPrefix(rest, "=") {
			return rest[1:]
		}
	}
	return ""
}
