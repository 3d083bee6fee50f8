// Package input reads jobs as people write them: one a line, from a file or a
// pipe, as a shell command, as JSON, or as a command, a TAB and JSON. The command
// line (package cli) is its only caller.
//
// Lines are read one at a time, so that ten million need no more memory than
// ten. The table of fields in field.go is the one place where their names,
// meanings and limits are written; flags and docs/input.md are made from it.
package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/muster-queue/muster/job"
)

// MaxLine is how many bytes a line may have.
const MaxLine = 10 << 20

// Reader reads jobs from a stream of lines.
type Reader struct {
	// Template is what every job starts as; what its line says wins.
	Template *job.Job
	// Duplicates, when not empty, makes each line a job of its own: the key of a
	// job that names none is made from its command, its line number and this
	// text, which stands for the file. The same file read again gives the same keys.
	Duplicates string
	// Now is the time that a "delay" counts from.
	Now time.Time
	// SetLimit is told of the limits that lines set; where it is nil they may not.
	SetLimit func(*job.Limit)

	name  string
	lines lineReader
}

// NewReader reads from r; name is how errors call it.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{Template: &job.Job{}, Now: time.Now(), name: name, lines: newLineReader(r)}
}

// LineError is what is wrong with one line. Reading can go on after it.
type LineError struct {
	File string
	Line int
	Err  error
}

// Error is "FILE line N: what is wrong".
func (e *LineError) Error() string { return fmt.Sprintf("%s line %d: %v", e.File, e.Line, e.Err) }

// Unwrap gives what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Line is the number of the line that Next read last, counted from 1.
func (r *Reader) Line() int { return r.lines.number }

// Next reads the next job, normalised and validated. Blank lines and lines that
// begin with "#" are skipped. A bad line is a *LineError, after which Next can be
// called again; the end is io.EOF. Jobs may share what they have from the
// template: a caller replaces, and does not change, their maps and lists.
func (r *Reader) Next() (*job.Job, error) {
	for {
		line, err := r.lines.next()
		if errors.Is(err, errTooLong) {
			return nil, r.bad(err)
		}
		if err != nil {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		j, err := r.parse(line)
		if err != nil {
			return nil, r.bad(err)
		}
		return j, nil
	}
}

func (r *Reader) bad(err error) error {
	return &LineError{File: r.name, Line: r.lines.number, Err: err}
}

func (r *Reader) parse(line []byte) (*job.Job, error) {
	j := r.fresh()
	text, object := split(line)
	j.Command.Line = string(text)
	if object != nil {
		if err := r.apply(j, object, len(text) > 0); err != nil {
			return nil, err
		}
	}
	j.Command.Dir = below(r.Template, j.Command.Dir)
	return j, Finish(j, r.salt())
}

// below makes a directory that a line gives relative to the template's.
func below(template *job.Job, dir string) string {
	if dir == "" || filepath.IsAbs(dir) || template.Command == nil || template.Command.Dir == "" {
		return dir
	}
	return filepath.Join(template.Command.Dir, dir)
}

// fresh is a copy of the template with a command of its own.
func (r *Reader) fresh() *job.Job {
	j := *r.Template
	c := job.Command{}
	if j.Command != nil {
		c = *j.Command
	}
	j.Command = &c
	return &j
}

func (r *Reader) salt() string {
	if r.Duplicates == "" {
		return ""
	}
	return fmt.Sprintf("%s\x00%d", r.Duplicates, r.lines.number)
}

// Finish gives a job its defaults and its key, and validates it. With a salt,
// a job that names no key gets one that differs for every salt.
func Finish(j *job.Job, salt string) error {
	if err := settleCommands(j, j.Command, salt != ""); err != nil {
		return err
	}
	if salt != "" && j.Key == "" {
		j.Key = saltedKey(j.Command.Key(), salt)
	}
	j.Normalise()
	return j.Validate()
}

// split tells a line's command from its JSON; either may be empty.
func split(line []byte) (command, object []byte) {
	if looksJSON(line) {
		return nil, line
	}
	if line[len(line)-1] != '}' {
		return line, nil
	}
	if i := bytes.Index(line, []byte("\t{")); i >= 0 {
		return bytes.TrimSpace(line[:i]), line[i+1:]
	}
	return line, nil
}

// looksJSON tells a JSON object from the other thing that begins with a brace, a
// group of shell commands, where the shell wants a blank and then a word.
func looksJSON(line []byte) bool {
	if line[0] != '{' {
		return false
	}
	rest := bytes.TrimLeft(line[1:], " \t")
	return len(rest) == len(line)-1 || len(rest) == 0 || rest[0] == '"' || rest[0] == '}'
}
