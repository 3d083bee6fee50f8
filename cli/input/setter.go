package input

import (
	"maps"
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

// setMonitor takes a container's name. wr's "?" stands for whichever container comes
// up next, which may be another job's.
func setMonitor(t *target, v any) (err error) {
	t.command.MonitorContainer, err = text(v)
	if err == nil && t.command.MonitorContainer == "?" {
		err = job.Errorf(job.Unimplemented, "? would be a guess: name the container (docker run --name NAME), or the file its id is written to (--cidfile ./FILE)")
	}
	return err
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

// setSecrets takes settings, or names of secrets that variables are named as.
func setSecrets(t *target, v any) error {
	if list, err := texts(v); err == nil {
		m := map[string]any{}
		for _, s := range list {
			name, ref, ok := strings.Cut(s, "=")
			if !ok {
				ref = name
			}
			if _, twice := m[name]; twice {
				return job.Errorf(job.Invalid, "%s is given twice", name)
			}
			m[name] = ref
		}
		v = m
	}
	list, err := pairs(v)
	if err != nil {
		return err
	}
	secrets := maps.Clone(t.command.Secrets)
	if secrets == nil {
		secrets = make(map[string]string, len(list))
	}
	for _, p := range list {
		ref, err := job.ParseSecretRef(p[1])
		if err != nil {
			return err
		}
		secrets[p[0]] = ref.String()
	}
	t.command.Secrets = secrets
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

// setBsubMode is wr's, in which any deployment's name turns the emulation on.
func setBsubMode(t *target, v any) error {
	name, err := text(v)
	if err == nil && name != "" {
		t.command.Emulate = job.LSF
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
