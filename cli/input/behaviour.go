package input

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// wantBehaviours is what a list of behaviours must be.
const wantBehaviours = `a list such as [{"run": "echo done"}, {"cleanup": true}], or words such as cleanup and "run echo done"`

// behaviours takes a list of objects (wr's form) or of words, also mixed; a flag's
// text may be a whole list in JSON.
func behaviours(at func(*target) *[]job.Behaviour) setter {
	return func(t *target, v any) error {
		list, err := behaviourList(v)
		if err != nil {
			return err
		}
		if len(list) > job.MaxList {
			return wrong(wantBehaviours)
		}
		out := make([]job.Behaviour, 0, len(list))
		for _, item := range list {
			b, err := behaviour(item)
			if err != nil {
				return err
			}
			out = append(out, b)
		}
		// What does nothing only turns a default off.
		*at(t) = slices.DeleteFunc(out, func(b job.Behaviour) bool { return b == job.Behaviour{} })
		return nil
	}
}

// behaviourList is the items of a list, those of JSON in texts among them.
func behaviourList(v any) ([]any, error) {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	var out []any
	for _, item := range items {
		s, ok := item.(string)
		if !ok || !strings.HasPrefix(strings.TrimSpace(s), "[") && !strings.HasPrefix(strings.TrimSpace(s), "{") {
			out = append(out, item)
			continue
		}
		var parsed any
		d := json.NewDecoder(bytes.NewReader([]byte(s)))
		d.UseNumber()
		if d.Decode(&parsed) != nil || d.More() {
			return nil, wrong(wantBehaviours)
		}
		if list, ok := parsed.([]any); ok {
			out = append(out, list...)
		} else {
			out = append(out, parsed)
		}
	}
	return out, nil
}

// behaviour reads one element.
func behaviour(v any) (b job.Behaviour, err error) {
	if s, ok := v.(string); ok {
		name, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
		return namedBehaviour(name, behaviourValue(name, strings.TrimSpace(rest)))
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return b, wrong(wantBehaviours)
	}
	for name, v := range m {
		b, err = namedBehaviour(name, v)
	}
	return b, err
}

// behaviourValue is what follows a word, as JSON has it.
func behaviourValue(name, rest string) any {
	switch {
	case name == "keep":
		return strings.TrimSuffix(rest, "d")
	case rest == "" && name != "run":
		return true
	}
	return rest
}

func namedBehaviour(name string, v any) (b job.Behaviour, err error) {
	switch name {
	case "run":
		if b.Run, err = text(v); err == nil && b.Run == "" {
			err = wrong("a line for the shell")
		}
	case "cleanup", "cleanup_all":
		b.Cleanup, err = boolean(v)
	case "remove":
		b.Remove, err = boolean(v)
	case "keep", "keep_days":
		b.KeepDays, err = integer(v, 1, 3650)
	case "nothing":
		_, err = boolean(v)
	case "copy_to_manager":
		err = job.Errorf(job.Unimplemented, "files are not copied to the server: wr accepted this and did nothing; let a run copy them where they belong")
	default:
		return b, job.Errorf(job.Invalid, "unknown behaviour %q; there are run, cleanup, remove, keep and nothing", name)
	}
	return b, job.Wrap(err, "", name)
}
