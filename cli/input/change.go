package input

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/muster-queue/muster/job"
)

// Change sets a field of j for a change of jobs that are there, and gives the
// name of what changes in the API. A value that is not JSON is a text.
func Change(j *job.Job, now time.Time, name, text string) (path string, err error) {
	path, err = ChangePath(name)
	if err != nil {
		return "", err
	}
	f, _ := lookup(name)
	t := &target{job: j, command: j.Command, now: now}
	if err := f.apply(t, name, changeValue(text)); err != nil {
		return "", err
	}
	return path, nil
}

// ChangePath is the name in the API of a field that can be changed.
func ChangePath(name string) (string, error) {
	f, ok := lookup(name)
	switch {
	case !ok:
		return "", unknownField(name)
	case f.Path == "":
		return "", job.Errorf(job.Invalid, "%s: it is part of what a job is, and cannot be changed; add another job and remove this one", name)
	}
	return f.Path, nil
}

// changeValue is the value a text stands for: a JSON list, object or string, or
// the text itself, which every other field takes as well.
func changeValue(text string) any {
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if d.Decode(&v) != nil || d.More() {
		return text
	}
	switch v.(type) {
	case string, []any, map[string]any:
		return v
	}
	return text
}
