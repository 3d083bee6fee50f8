package job

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"time"
)

// Command is what an agent runs. Either Argv is executed directly, or Line is
// given to a shell.
type Command struct {
	Argv []string `cbor:"1,keyasint,omitempty"`
	Line string   `cbor:"2,keyasint,omitempty"`
	// Shell runs Line; empty means "bash", with pipefail.
	Shell string `cbor:"3,keyasint,omitempty"`

	// Dir is the base directory. Unless DirGiven, every attempt gets a unique
	// working directory below it; with DirGiven it is used itself.
	Dir      string `cbor:"4,keyasint,omitempty"`
	DirGiven bool   `cbor:"5,keyasint,omitempty"`
	// ChangeHome sets HOME to the unique working directory.
	ChangeHome bool `cbor:"6,keyasint,omitempty"`

	// EnvID is the digest of the captured environment, stored once per
	// distinct content; empty means the agent's own.
	EnvID string `cbor:"7,keyasint,omitempty"`
	// Env are "NAME=value" settings that win over the captured ones.
	Env []string `cbor:"8,keyasint,omitempty"`

	// User and UnixGroup to run as, where the agent has the right.
	User      string `cbor:"9,keyasint,omitempty"`
	UnixGroup string `cbor:"10,keyasint,omitempty"`

	// Image is a container image, run by Runtime ("docker", "podman",
	// "apptainer"; empty: found). ContainerMounts are "out[:in]".
	Image           string   `cbor:"11,keyasint,omitempty"`
	Runtime         string   `cbor:"12,keyasint,omitempty"`
	ContainerMounts []string `cbor:"13,keyasint,omitempty"`
	// MonitorContainer adds the use of a container that the command itself
	// starts: a name, or a path to a cid file.
	MonitorContainer string `cbor:"14,keyasint,omitempty"`

	// Modules are loaded with "module load" before the command.
	Modules []string `cbor:"15,keyasint,omitempty"`
	// Mounts are object stores made visible in the directory.
	Mounts []Mount `cbor:"16,keyasint,omitempty"`
	// Inputs and Outputs are files staged in before, and published after success.
	Inputs  []File `cbor:"17,keyasint,omitempty"`
	Outputs []File `cbor:"18,keyasint,omitempty"`

	OnSuccess []Behaviour `cbor:"19,keyasint,omitempty"`
	OnFailure []Behaviour `cbor:"20,keyasint,omitempty"`
	OnExit    []Behaviour `cbor:"21,keyasint,omitempty"`

	// Emulate names the batch system whose commands the job finds first in
	// PATH ("lsf", "slurm"); empty means none.
	Emulate string `cbor:"22,keyasint,omitempty"`

	// Grace is the time between SIGTERM and SIGKILL; zero means the agent's.
	Grace time.Duration `cbor:"23,keyasint,omitempty"`
	// Keep is how many bytes of the beginning and of the end of each output
	// stream are kept; zero means DefaultKeep, negative none.
	Keep int `cbor:"24,keyasint,omitempty"`
	// Spool also writes the full output to files on the agent's machine.
	Spool bool `cbor:"25,keyasint,omitempty"`
	// PlacementOptions are passed to the site's scheduler when a machine is
	// asked for (queue, avoided queues, flavour, image, script, free text).
	PlacementOptions map[string]string `cbor:"26,keyasint,omitempty"`

	// Batch is set for commands that were added through the commands of another
	// batch system, which Emulate names.
	Batch *Batch `cbor:"27,keyasint,omitempty"`

	// EnvUnset are variables that the command does not get, captured or not,
	// unless Env sets them.
	EnvUnset []string `cbor:"28,keyasint,omitempty"`
	// Secrets are variables whose values the agent finds when the command starts:
	// the name, and where the value is (see ParseSecretRef).
	Secrets map[string]string `cbor:"29,keyasint,omitempty"`
}

// DefaultKeep is how many bytes of head and of tail of each output stream are
// kept (wr's 4 KiB each).
const DefaultKeep = 4096

// Mount is an object store made visible as a directory.
type Mount struct {
	Dir     string        `cbor:"1,keyasint,omitempty"`
	Cache   string        `cbor:"2,keyasint,omitempty"`
	Retries int           `cbor:"3,keyasint,omitempty"`
	Targets []MountTarget `cbor:"4,keyasint,omitempty"`
}

// MountTarget is one bucket path overlaid at a Mount.
type MountTarget struct {
	Profile string `cbor:"1,keyasint,omitempty"`
	Path    string `cbor:"2,keyasint,omitempty"`
	Cache   bool   `cbor:"3,keyasint,omitempty"`
	Write   bool   `cbor:"4,keyasint,omitempty"`
}

// File is a file staged by content: Path in the job's directory, Digest in the
// repository (empty for outputs, known after the run).
type File struct {
	Path   string `cbor:"1,keyasint,omitempty"`
	Digest string `cbor:"2,keyasint,omitempty"`
}

// Behaviour is something the agent does after the command ended.
type Behaviour struct {
	// Run is a shell line, run in the job's directory and environment.
	Run string `cbor:"1,keyasint,omitempty"`
	// Cleanup deletes the unique directory; Remove deletes the job once buried.
	Cleanup bool `cbor:"2,keyasint,omitempty"`
	Remove  bool `cbor:"3,keyasint,omitempty"`
	// KeepDays keeps the directory that many days.
	KeepDays int `cbor:"4,keyasint,omitempty"`
}

// RemovedFor reports whether the job is to be deleted when it is buried after an
// attempt that failed for the reason.
func (c *Command) RemovedFor(r Reason) bool {
	remove := func(b Behaviour) bool { return b.Remove }
	return r != ReasonNone && !r.Innocent() && (slices.ContainsFunc(c.OnFailure, remove) || slices.ContainsFunc(c.OnExit, remove))
}

// String is the command as a person would type it.
func (c *Command) String() string {
	if c.Line != "" || len(c.Argv) == 0 {
		return c.Line
	}
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./:=@%+,", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// firstWord is what a line begins with, up to a blank.
func firstWord(line string) string {
	from := 0
	for from < len(line) && isBlank(line[from]) {
		from++
	}
	to := from
	for to < len(line) && !isBlank(line[to]) {
		to++
	}
	return line[from:to]
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// Kind is the requirement group a command has when none is given: the base name
// of its first word, or none when that cannot be a name.
func (c *Command) Kind() string {
	base := firstWord(c.Line)
	if len(c.Argv) > 0 {
		base = c.Argv[0]
	}
	if base == "" {
		return ""
	}
	if strings.Contains(base, "/") {
		base = path.Base(base)
	}
	if checkText("kind", base) != nil {
		return ""
	}
	return base
}

// Key is the identity a command has when its submitter gives none: a digest of
// the command, the directory as given, the image and the mounts. Environment,
// resources and groups are not part of it.
func (c *Command) Key() Key {
	h := make([]byte, 0, 256)
	field := func(tag byte, s string) {
		h = append(h, tag)
		h = append(h, s...)
		h = append(h, 0)
	}
	for _, a := range c.Argv {
		field('a', a)
	}
	if c.Line != "" {
		field('l', c.Line)
	}
	if c.Shell != "" {
		field('s', c.Shell)
	}
	field('d', c.Dir)
	if c.Image != "" {
		field('i', c.Image)
		for _, m := range c.ContainerMounts {
			field('c', m)
		}
	}
	for _, m := range c.Mounts {
		field('m', m.Dir)
		for _, t := range m.Targets {
			field('t', t.Profile+"\x01"+t.Path)
		}
	}
	sum := sha256.Sum256(h)
	return Key(hex.EncodeToString(sum[:16]))
}
