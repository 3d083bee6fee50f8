package input

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

func str(at func(*target) *string) setter {
	return func(t *target, v any) (err error) {
		*at(t), err = text(v)
		return err
	}
}

func flag(at func(*target) *bool) setter {
	return func(t *target, v any) (err error) {
		*at(t), err = boolean(v)
		return err
	}
}

func not(at func(*target) *bool) setter {
	return func(t *target, v any) error {
		b, err := boolean(v)
		*at(t) = !b
		return err
	}
}

func span(at func(*target) *time.Duration) setter {
	return func(t *target, v any) (err error) {
		*at(t), err = duration(v)
		return err
	}
}

func list(at func(*target) *[]string) setter {
	return func(t *target, v any) (err error) {
		*at(t), err = texts(v)
		return err
	}
}

func labels(at func(*target) *job.Labels) setter {
	return func(t *target, v any) error {
		l, err := texts(v)
		*at(t) = l
		return err
	}
}

// setContainerMounts takes a list, or wr's one text with commas.
func setContainerMounts(t *target, v any) error {
	mounts, err := texts(v)
	if err != nil {
		return err
	}
	t.command.ContainerMounts = nil
	for _, m := range mounts {
		t.command.ContainerMounts = append(t.command.ContainerMounts, strings.Split(m, ",")...)
	}
	return nil
}

func imageFor(runtime string) setter {
	return func(t *target, v any) (err error) {
		t.command.Runtime = runtime
		t.command.Image, err = text(v)
		return err
	}
}

func need(name string) setter {
	return func(t *target, v any) error { return t.need(name, v) }
}

// need sets one resource, in a map of the job's own.
func (t *target) need(name string, v any) error {
	n, err := amount(name, v)
	if err != nil {
		return err
	}
	t.job.Needs = t.job.Needs.Clone()
	t.job.Needs[name] = n
	return nil
}

func setResources(t *target, v any) error {
	list, err := pairs(v)
	if err != nil {
		return err
	}
	for _, p := range list {
		if err := t.need(p[0], p[1]); err != nil {
			return err
		}
	}
	return nil
}

func setCmd(t *target, v any) error {
	if line, ok := v.(string); ok {
		t.command.Line = line
		return nil
	}
	argv, err := texts(v)
	if err != nil {
		return wrong("a text or a list of words")
	}
	t.command.Argv = argv
	return nil
}

func setEnv(t *target, v any) error {
	list, err := pairs(v)
	if err != nil {
		return err
	}
	env := slices.Clone(t.command.Env)
	for _, p := range list {
		env = append(env, p[0]+"="+p[1])
	}
	t.command.Env = env
	return nil
}

func setKey(t *target, v any) error {
	s, err := text(v)
	if err == nil && s == "" {
		err = wrong("a text that is not empty")
	}
	t.job.Key = job.Key(s)
	return err
}

func setPriority(t *target, v any) (err error) {
	t.job.Priority, err = number(v)
	return err
}

func setRetries(t *target, v any) error {
	n, err := integer(v, 0, job.MaxRetries)
	t.job.Retries = &n
	return err
}

func setOverride(t *target, v any) error {
	n, err := oneOf(v, "no", "higher", "always")
	t.job.Override = job.Override(n)
	return err
}

func setOnLost(t *target, v any) error {
	n, err := oneOf(v, "rerun", "hold")
	t.job.OnLost = job.OnLost(n)
	return err
}

func setDelay(t *target, v any) error {
	d, err := duration(v)
	t.job.NotBefore = t.now.Add(d)
	return err
}

func setNotBefore(t *target, v any) error {
	s, err := text(v)
	if err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return wrong(`a moment such as "2030-01-31T08:00:00Z", not ` + s)
	}
	t.job.NotBefore = at
	return nil
}

func setKeep(t *target, v any) error {
	n, err := size(v)
	if n > job.MaxJob {
		n = job.MaxJob // Validate says what the most is
	}
	t.command.Keep = int(n)
	if err == nil && n == 0 {
		t.command.Keep = -1 // zero stands for the default
	}
	return err
}

func setBackoff(t *target, v any) error {
	if _, ok := v.(string); ok {
		d, err := duration(v)
		t.job.Backoff = &job.Backoff{Base: d, Cap: d}
		return err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return wrong("a time, or an object with base, jitter and cap")
	}
	b := job.DefaultBackoff
	parts := map[string]*time.Duration{"base": &b.Base, "jitter": &b.Jitter, "cap": &b.Cap}
	for name, v := range m {
		at, ok := parts[name]
		if !ok {
			return job.Errorf(job.Invalid, "unknown member %q; it has base, jitter and cap", name)
		}
		d, err := duration(v)
		if err != nil {
			return job.Wrap(err, "", name)
		}
		*at = d
	}
	t.job.Backoff = &b
	return nil
}

func behaviours(at func(*target) *[]job.Behaviour) setter {
	return func(t *target, v any) error {
		if s, ok := v.(string); ok { // a flag's text
			if err := json.Unmarshal([]byte(s), &v); err != nil {
				return wrong(`a JSON list such as [{"run": "echo done"}]`)
			}
		}
		list, ok := v.([]any)
		if !ok || len(list) > job.MaxList {
			return wrong(`a list such as [{"run": "echo done"}]`)
		}
		out := make([]job.Behaviour, 0, len(list))
		for _, item := range list {
			b, err := behaviour(item)
			if err != nil {
				return err
			}
			out = append(out, b)
		}
		*at(t) = slices.DeleteFunc(out, func(b job.Behaviour) bool { return b == job.Behaviour{} })
		return nil
	}
}

// behaviour reads one element; {"nothing": true}, which only turns a default
// off, is the zero value.
func behaviour(v any) (b job.Behaviour, err error) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return b, wrong(`a list of objects with one member each`)
	}
	for name, v := range m {
		switch name {
		case "run":
			b.Run, err = text(v)
		case "cleanup", "cleanup_all":
			b.Cleanup, err = boolean(v)
		case "remove":
			b.Remove, err = boolean(v)
		case "keep_days":
			b.KeepDays, err = integer(numberOf(v), 1, 3650)
		case "nothing":
			_, err = boolean(v)
		default:
			err = job.Errorf(job.Invalid, "unknown behaviour %q; there are run, cleanup, remove, keep_days and nothing", name)
		}
		if err != nil {
			return b, job.Wrap(err, "", name)
		}
	}
	return b, nil
}

// numberOf makes a number decoded from a flag's text like one from a line.
func numberOf(v any) any {
	if f, ok := v.(float64); ok {
		b, _ := json.Marshal(f)
		return json.Number(b)
	}
	return v
}
