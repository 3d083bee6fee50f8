package job

import "strings"

// Batch is what only a command has that was added through the commands of another
// batch system: what its users see of it there, and where it reads and writes.
type Batch struct {
	// Name is the job's name there; that of an element is its array's.
	Name string `cbor:"1,keyasint,omitempty"`
	// User added it, by the name its machine knows. It proves nothing.
	User    string `cbor:"2,keyasint,omitempty"`
	Comment string `cbor:"3,keyasint,omitempty"`
	// Stdin, Stdout and Stderr are files in place of the standard streams, below
	// the command's directory if they are not absolute. Package emulate says what
	// the patterns in them stand for. Stderr alone may be empty while Stdout is
	// not: it goes there as well.
	Stdin  string `cbor:"4,keyasint,omitempty"`
	Stdout string `cbor:"5,keyasint,omitempty"`
	Stderr string `cbor:"6,keyasint,omitempty"`
	// Append leaves what is in the files.
	Append bool `cbor:"7,keyasint,omitempty"`
	// Array has the indices of an array as its user wrote them, Index is that of
	// this element, and Place its place among the elements, from zero: they were
	// added in one batch, so that the number of the first is the number of this one
	// less its place.
	Array string `cbor:"8,keyasint,omitempty"`
	Index int64  `cbor:"9,keyasint,omitempty"`
	Place int64  `cbor:"10,keyasint,omitempty"`
}

// The batch systems that are emulated, as Command.Emulate names them.
const (
	LSF   = "lsf"
	Slurm = "slurm"
)

// checkEmulation checks what a command has of another batch system.
func (c *Command) checkEmulation() error {
	if c.Emulate != "" && c.Emulate != LSF && c.Emulate != Slurm {
		return Errorf(Invalid, "emulate: %.40q is not known; there are %q and %q", c.Emulate, LSF, Slurm)
	}
	b := c.Batch
	if b == nil {
		return nil
	}
	if c.Emulate == "" {
		return Errorf(Invalid, "batch: say with emulate which batch system the command is of")
	}
	for field, s := range map[string]string{
		"name": b.Name, "user": b.User, "comment": b.Comment, "array": b.Array,
		"stdin": b.Stdin, "stdout": b.Stdout, "stderr": b.Stderr,
	} {
		if len(s) > maxBatchText || strings.IndexByte(s, 0) >= 0 {
			return Errorf(Invalid, "batch: %s has %d bytes or a NUL byte; at most %d without", field, len(s), maxBatchText)
		}
	}
	if b.Place < 0 || b.Array == "" && (b.Index != 0 || b.Place != 0) {
		return Errorf(Invalid, "batch: index %d and place %d are not of the array %.40q", b.Index, b.Place, b.Array)
	}
	return nil
}

// maxBatchText is as long as a path can be.
const maxBatchText = 4096

// What the names of limits begin with that whoever adds jobs may set: those of an array,
// and of jobs of which one at a time may run.
const (
	ArrayLimit     = "array "
	SingletonLimit = "singleton "
)

// IsBatchLimit tells whether a limit is of an array or a singleton.
func IsBatchLimit(name string) bool {
	return strings.HasPrefix(name, ArrayLimit) || strings.HasPrefix(name, SingletonLimit)
}
