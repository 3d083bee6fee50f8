package input

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Change sets a field of j for a change of jobs that are there, and gives the
// names of what changes in the API. A value that is not JSON is a text.
func Change(j *job.Job, now time.Time, name, text string) (paths []string, err error) {
	paths, err = ChangePaths(name)
	if err != nil {
		return nil, err
	}
	f, _ := lookup(name)
	t := &target{job: j, command: j.Command, now: now}
	if err := f.apply(t, name, changeValue(text)); err != nil {
		return nil, err
	}
	if err := settleCommands(j, &job.Command{}, false); err != nil {
		return nil, err
	}
	return paths, nil
}

// ChangePaths are the names in the API of a field.
func ChangePaths(name string) ([]string, error) {
	f, ok := lookup(name)
	if !ok {
		return nil, unknownField(name)
	}
	return strings.Split(f.Path, ","), nil
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
