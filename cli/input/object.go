package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/muster-queue/muster/job"
)

// apply sets what a JSON object says. hasCommand forbids a second command.
func (r *Reader) apply(j *job.Job, object []byte, hasCommand bool) error {
	t := &target{job: j, command: j.Command, now: r.Now, setLimit: r.SetLimit}
	return eachMember(object, func(name string, value any) error {
		if hasCommand && name == "cmd" {
			return job.Errorf(job.Invalid, "cmd: the line has a command already, before the TAB")
		}
		f, ok := lookup(name)
		if !ok {
			return unknownField(name)
		}
		return f.apply(t, name, value)
	})
}

// eachMember visits the members of a JSON object in order. It is stricter than
// encoding/json: nothing may follow the object, no member may be there twice.
func eachMember(object []byte, visit func(name string, value any) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return malformed(err)
	}
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return malformed(err)
		}
		name, _ := tok.(string)
		if seen[name] {
			return job.Errorf(job.Invalid, "%s: given twice", name)
		}
		seen[name] = true
		var value any
		if err := d.Decode(&value); err != nil {
			return malformed(err)
		}
		if value == nil {
			continue // null says nothing
		}
		if err := visit(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return malformed(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return job.Errorf(job.Invalid, "something follows the JSON object; write one job a line")
	}
	return nil
}

func malformed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return job.Errorf(job.Invalid, "the JSON object does not end on its line; write each job on one line")
	}
	return job.Errorf(job.Invalid, "malformed JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func unknownField(name string) error {
	if what, ok := later[name]; ok {
		return job.Errorf(job.Unimplemented, "field %q: this release has no %s", name, what)
	}
	if near := nearest(name); near != "" {
		return job.Errorf(job.Invalid, "unknown field %q; did you mean %q?", name, near)
	}
	return job.Errorf(job.Invalid, "unknown field %q; docs/input.md lists the fields", name)
}
