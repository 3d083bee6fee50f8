package simulate

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muster-queue/muster/job"
)

// Set changes a workload as a person says it: "teamA.rate=10,0,0" for an account,
// "workers.node.count=20", "jobs.builds.priority=5", "queues.nightly.weight=3",
// "duration=2d". An account or queue that is not there is made. Errors: Invalid; the
// workload may be changed then.
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
		a := named(&w.Accounts, func(a *Account) *string { return &a.Name }, name, true)
		return a.decode(v)
	case "queues":
		q := named(&w.Queues, func(q *Queue) *string { return &q.Name }, name, true)
		return q.decode(v)
	case "workers":
		if g := named(&w.Workers, func(g *Workers) *string { return &g.Name }, name, false); g != nil {
			return g.decode(v)
		}
	case "jobs":
		if s := named(&w.Jobs, func(s *Stream) *string { return &s.Name }, name, false); s != nil {
			return s.decode(v)
		}
	}
	return invalid("there are no %s of the name %q in the workload", kind, name)
}

// named finds one of a list by its name, or makes it.
func named[T any](list *[]T, nameOf func(*T) *string, name string, make bool) *T {
	for i := range *list {
		if one := &(*list)[i]; *nameOf(one) == name {
			return one
		}
	}
	if !make {
		return nil
	}
	var one T
	*nameOf(&one) = name
	*list = append(*list, one)
	return &(*list)[len(*list)-1]
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
