package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muster-queue/muster/job"
)

// Set changes a workload as a person says it: "teamA.rate=10,0,0" for an account,
// "workers.node.count=20", "jobs.builds.priority=5", "queues.nightly.weight=3",
// "duration=2d". An account or queue that is not there is made only if jobs name it:
// another is a slip of the keyboard. Errors: Invalid; the workload may be changed then.
func (w *Workload) Set(assignment string) error {
	path, text, ok := strings.Cut(assignment, "=")
	kind, name, field := splitPath(strings.TrimSpace(path))
	if !ok || field == "" {
		return invalid("%q: write WHAT=VALUE, e.g. teamA.rate=10,0,0 or workers.node.count=20", assignment)
	}
	object := value{node: &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(field), typed(text)}}}
	if kind != "" {
		object.path = kind + "." + name
	}
	if err := w.set(kind, name, object); err != nil {
		return err
	}
	return job.Wrap(w.check(), "set", assignment)
}

// splitPath takes the kind and the field off a path; names may have dots in them.
func splitPath(path string) (kind, name, field string) {
	last := strings.LastIndexByte(path, '.')
	if last < 0 {
		return "", "", path
	}
	name, field = path[:last], path[last+1:]
	if kind, rest, ok := strings.Cut(name, "."); ok && slices.Contains([]string{"accounts", "workers", "queues", "jobs"}, kind) {
		return kind, rest, field
	}
	return "accounts", name, field
}

func (w *Workload) set(kind, name string, v value) error {
	switch kind {
	case "":
		return w.decode(v)
	case "accounts":
		a, err := named(kind, &w.Accounts, func(a *Account) *string { return &a.Name }, name, w.namedByJobs(func(s *Stream) string { return s.Account }))
		if err != nil {
			return err
		}
		return a.decode(v)
	case "queues":
		q, err := named(kind, &w.Queues, func(q *Queue) *string { return &q.Name }, name, w.namedByJobs(func(s *Stream) string { return s.Queue }))
		if err != nil {
			return err
		}
		return q.decode(v)
	case "workers":
		g, err := named(kind, &w.Workers, func(g *Workers) *string { return &g.Name }, name, nil)
		if err != nil {
			return err
		}
		return g.decode(v)
	default:
		s, err := named(kind, &w.Jobs, func(s *Stream) *string { return &s.Name }, name, nil)
		if err != nil {
			return err
		}
		return s.decode(v)
	}
}

// namedByJobs are the names that jobs give for something.
func (w *Workload) namedByJobs(nameOf func(*Stream) string) (names []string) {
	for i := range w.Jobs {
		if name := nameOf(&w.Jobs[i]); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// named finds one of a list by its name, or makes it if it may be made.
func named[T any](kind string, list *[]T, nameOf func(*T) *string, name string, mayMake []string) (*T, error) {
	names := slices.Clone(mayMake)
	for i := range *list {
		one := &(*list)[i]
		if *nameOf(one) == name {
			return one, nil
		}
		names = append(names, *nameOf(one))
	}
	if !slices.Contains(mayMake, name) {
		return nil, unknownName(kind, name, names)
	}
	var one T
	*nameOf(&one) = name
	*list = append(*list, one)
	return &(*list)[len(*list)-1], nil
}

// maxNamed bounds the names in a message.
const maxNamed = 20

// unknownName is the error about a name that is not there, with those that are.
func unknownName(kind, name string, names []string) error {
	slices.Sort(names)
	names = slices.Compact(names)
	there := "there are none"
	if n := len(names); n > maxNamed {
		there = fmt.Sprintf("there are %s and %d more", strings.Join(names[:maxNamed], ", "), n-maxNamed)
	} else if n > 0 {
		there = "there are " + strings.Join(names, ", ")
	}
	return invalid("there are no %s of the name %q in the workload; %s", kind, name, there)
}

// typed is what a person typed as it would be in a file: commas make a list.
func typed(text string) *yaml.Node {
	var doc yaml.Node
	if strings.ContainsAny(text, "[{") && yaml.Unmarshal([]byte(text), &doc) == nil && len(doc.Content) == 1 {
		return doc.Content[0]
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for part := range strings.SplitSeq(text, ",") {
		list.Content = append(list.Content, scalar(strings.TrimSpace(part)))
	}
	if len(list.Content) == 1 {
		return list.Content[0]
	}
	return list
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: text}
}

// With is a copy of the workload that is changed, see Set.
func (w *Workload) With(assignments ...string) (*Workload, error) {
	c := w.clone()
	c.Accounts = slices.Clone(w.Accounts)
	c.Queues = slices.Clone(w.Queues)
	c.Workers = slices.Clone(w.Workers)
	for i := range c.Workers {
		c.Workers[i].Capacity = maps.Clone(c.Workers[i].Capacity)
	}
	for i := range c.Jobs {
		c.Jobs[i].Needs = maps.Clone(c.Jobs[i].Needs)
	}
	for _, a := range assignments {
		if err := c.Set(a); err != nil {
			return nil, err
		}
	}
	return c, nil
}
