package input

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// depWords are what may follow the name of a group, after colons.
var depWords = map[string]func(*job.Dependency){
	"ok":     func(d *job.Dependency) { d.Condition = job.ConditionOK },
	"failed": func(d *job.Dependency) { d.Condition = job.ConditionFailed },
	"any":    func(d *job.Dependency) { d.Condition = job.ConditionAny },
	"static": func(d *job.Dependency) { d.Static = true },
	"wait":   func(d *job.Dependency) { d.IfAbsent = job.IfAbsentWait },
	"met":    func(d *job.Dependency) { d.IfAbsent = job.IfAbsentMet },
}

// setDeps takes the name of a group, with words after it ("align:failed"), an object, or
// a list of these.
func setDeps(t *target, v any) error { return t.depend(v, groupDependency) }

// setCommandDeps takes a command, an object, or a list of these.
func setCommandDeps(t *target, v any) error { return t.depend(v, commandDependency) }

// depend adds dependencies to a list of the job's own. What an earlier field gave stays,
// but what the template had does not: deps says it all.
func (t *target) depend(v any, read func(text string) (job.Dependency, error)) error {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	if len(items) > job.MaxDependencies {
		return wrong(fmt.Sprintf("a list of at most %d dependencies", job.MaxDependencies))
	}
	if !t.depends {
		t.job.Dependencies, t.depends = nil, true
	}
	for _, item := range items {
		var d job.Dependency
		var err error
		switch item := item.(type) {
		case string:
			d, err = read(item)
		case map[string]any:
			d, err = objectDependency(item)
		default:
			return wrong(`a text, an object like {"group": "align", "condition": "failed"}, or a list of these`)
		}
		if err != nil {
			return err
		}
		t.job.Dependencies = append(t.job.Dependencies, d)
	}
	return nil
}

func groupDependency(text string) (d job.Dependency, err error) {
	for {
		i := strings.LastIndexByte(text, ':')
		if i <= 0 || depWords[text[i+1:]] == nil {
			d.Group = text
			return d, misspelt(text, i)
		}
		depWords[text[i+1:]](&d)
		text = text[:i]
	}
}

// misspelt refuses a name that ends, after the colon at i, with what is nearly one of the
// words: nobody would ever be a member of such a group, and the job wait for good.
func misspelt(text string, i int) error {
	if i <= 0 {
		return nil
	}
	for _, word := range slices.Sorted(maps.Keys(depWords)) {
		if distance(strings.ToLower(text[i+1:]), word) <= far(word) {
			return job.Errorf(job.Invalid, `%q: did you mean "%s:%s"? a group of that name is written {"group": %[1]q}`, text, text[:i], word)
		}
	}
	return nil
}

// far is how many letters may be wrong in a word: none in short ones, which are near to
// too many names.
func far(word string) int {
	if len(word) < 5 {
		return 0
	}
	return len(word) / 3
}

func commandDependency(line string) (job.Dependency, error) {
	return job.Dependency{Command: &job.Command{Line: line}}, nil
}

// depFields are the members of a dependency that is given as an object.
var depFields = map[string]func(*job.Dependency, any) error{
	"group":     func(d *job.Dependency, v any) (err error) { d.Group, err = text(v); return err },
	"queue":     func(d *job.Dependency, v any) (err error) { d.Queue, err = text(v); return err },
	"key":       depKey,
	"cmd":       depCommand,
	"cwd":       depDir,
	"condition": func(d *job.Dependency, v any) error { return depWord(d, v, "ok", "failed", "any") },
	"static":    func(d *job.Dependency, v any) (err error) { d.Static, err = boolean(v); return err },
	"if_absent": func(d *job.Dependency, v any) error { return depWord(d, v, "wait", "met") },
}

func depKey(d *job.Dependency, v any) error {
	s, err := text(v)
	d.Key = job.Key(s)
	return err
}

func depCommand(d *job.Dependency, v any) error {
	t := target{command: &job.Command{}}
	if d.Command != nil {
		t.command.Dir = d.Command.Dir
	}
	d.Command = t.command
	return setCmd(&t, v)
}

func depDir(d *job.Dependency, v any) (err error) {
	if d.Command == nil {
		d.Command = &job.Command{}
	}
	d.Command.Dir, err = text(v)
	return err
}

func depWord(d *job.Dependency, v any, words ...string) error {
	s, err := text(v)
	if err != nil || !slices.Contains(words, s) {
		return wrong("one of " + strings.Join(words, ", "))
	}
	depWords[s](d)
	return nil
}

func objectDependency(object map[string]any) (d job.Dependency, err error) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		set, known := depFields[name]
		if !known {
			return d, job.Errorf(job.Invalid, "unknown member %q of a dependency; it has %s", name, strings.Join(slices.Sorted(maps.Keys(depFields)), ", "))
		}
		if err := set(&d, object[name]); err != nil {
			return d, job.Wrap(err, "", name)
		}
	}
	if c := d.Command; c != nil && c.Line == "" && len(c.Argv) == 0 {
		return d, job.Errorf(job.Invalid, "a dependency with a cwd needs the cmd that runs there")
	}
	return d, nil
}

// settleCommands gives dependencies on commands the keys of these. What is not said of
// such a command is as in the job that waits for it, like is.
func settleCommands(j *job.Job, like *job.Command, salted bool) error {
	own := false // the list may be the template's
	for i, d := range j.Dependencies {
		if d.Command == nil {
			continue
		}
		if salted {
			return job.Errorf(job.Invalid, "with --duplicates, commands are told apart by their lines: depend on a group (dep_groups, deps) rather than on a command")
		}
		c := *like
		c.Line, c.Argv = d.Command.Line, d.Command.Argv
		switch dir := d.Command.Dir; {
		case filepath.IsAbs(dir):
			c.Dir = dir
		case c.Dir == "":
			return job.Errorf(job.Invalid, `the command %.60q that it depends on needs an absolute cwd; write {"cmd": %[1]q, "cwd": "/DIRECTORY"}`, c.String())
		default:
			c.Dir = filepath.Join(c.Dir, dir)
		}
		if !own {
			j.Dependencies, own = slices.Clone(j.Dependencies), true
		}
		j.Dependencies[i].Key, j.Dependencies[i].Command = c.Key(), nil
	}
	return nil
}
