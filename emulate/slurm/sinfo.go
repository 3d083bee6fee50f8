package slurm

import (
	"errors"
	"slices"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Sinfo is a call of sinfo.
type Sinfo struct {
	Help, Version bool

	noHeader, byNode bool
	format           []column
	partitions       []string
}

// Node is a machine with an agent.
type Node struct {
	Name           string
	Capacity, Free job.Resources
	Labels         job.Labels
	// Down: it is silent. Draining: it gets no more jobs.
	Down, Draining bool
}

func (n *Node) cores() int64 { return n.Capacity[job.CPU] / job.Thousandth }

func (n *Node) state() string {
	switch {
	case n.Down:
		return "down"
	case n.Draining:
		return "drain"
	case n.Free[job.CPU] <= 0:
		return "alloc"
	case n.Free[job.CPU] < n.Capacity[job.CPU]:
		return "mix"
	}
	return "idle"
}

var sinfoOptions = option.Set[Sinfo]{
	{Name: "format", Short: "o", Arg: option.Required, Set: func(q *Sinfo, v string) (err error) {
		q.format, err = parseNodeFormat(v)
		return err
	}},
	{Name: "help", Set: func(q *Sinfo, _ string) error {
		q.Help = true
		return nil
	}},
	{Name: "Node", Short: "N", Set: func(q *Sinfo, _ string) error {
		q.byNode = true
		return nil
	}},
	{Name: "noheader", Short: "h", Set: func(q *Sinfo, _ string) error {
		q.noHeader = true
		return nil
	}},
	{Name: "partition", Short: "p", Arg: option.Required, Set: func(q *Sinfo, v string) error {
		q.partitions = strings.Split(v, ",")
		return nil
	}},
	{Name: "version", Short: "V", Set: func(q *Sinfo, _ string) error {
		q.Version = true
		return nil
	}},
	{Name: "summarize", Short: "s"}, {Name: "all", Short: "a"}, {Name: "exact", Short: "e"}, {Name: "long", Short: "l"}, {Name: "verbose", Short: "v"},
	{Name: "clusters", Short: "M", Arg: option.Required}, {Name: "hide"},
	{Name: "Format", Short: "O", Arg: option.Required, Refuse: "use -o"}, {Name: "json", Arg: option.Optional, Refuse: "use muster worker list -o json"},
	{Name: "states", Short: "t", Arg: option.Required, Refuse: "use muster worker list"}, {Name: "nodes", Short: "n", Arg: option.Required, Refuse: "use muster worker list"},
	{Name: "iterate", Short: "i", Arg: option.Required, Refuse: "call sinfo again"}, {Name: "list-reasons", Short: "R", Refuse: "use muster worker list"},
}

// nodeLine is a line of sinfo: nodes of a partition in the same state.
type nodeLine struct {
	partition Partition
	state     string
	nodes     []Node
}

// nodeField is one thing that sinfo can show.
type nodeField struct {
	letter, head string
	value        func(*nodeLine) string
}

var nodeFields = []nodeField{
	{"P", "PARTITION", func(l *nodeLine) string {
		if l.partition.Default {
			return l.partition.Name + "*"
		}
		return l.partition.Name
	}},
	{"R", "PARTITION", func(l *nodeLine) string { return l.partition.Name }},
	{"a", "AVAIL", func(l *nodeLine) string {
		if l.partition.Paused {
			return "inact"
		}
		return "up"
	}},
	{"l", "TIMELIMIT", func(*nodeLine) string { return "infinite" }},
	{"D", "NODES", func(l *nodeLine) string { return emulate.Digits(len(l.nodes)) }},
	{"t", "STATE", func(l *nodeLine) string { return l.state }},
	{"T", "STATE", func(l *nodeLine) string { return longState[l.state] }},
	{"N", "NODELIST", func(l *nodeLine) string {
		names := make([]string, len(l.nodes))
		for i := range l.nodes {
			names[i] = l.nodes[i].Name
		}
		return strings.Join(names, ",")
	}},
	{"n", "HOSTNAMES", func(l *nodeLine) string {
		if len(l.nodes) == 0 {
			return ""
		}
		return l.nodes[0].Name
	}},
	{"c", "CPUS", func(l *nodeLine) string { return emulate.Digits(l.sum(func(n *Node) int64 { return n.cores() })) }},
	{"C", "CPUS(A/I/O/T)", func(l *nodeLine) string {
		total := l.sum(func(n *Node) int64 { return n.cores() })
		idle := l.sum(func(n *Node) int64 { return max(0, n.Free[job.CPU]) / job.Thousandth })
		return emulate.Digits(total-idle) + "/" + emulate.Digits(idle) + "/0/" + emulate.Digits(total)
	}},
	{"m", "MEMORY", func(l *nodeLine) string {
		return emulate.Digits(l.sum(func(n *Node) int64 { return n.Capacity[job.Memory] >> 20 }))
	}},
	{"e", "FREE_MEM", func(l *nodeLine) string {
		return emulate.Digits(l.sum(func(n *Node) int64 { return n.Free[job.Memory] >> 20 }))
	}},
	{"G", "GRES", func(l *nodeLine) string {
		if n := l.sum(func(n *Node) int64 { return n.Capacity["gpu"] / job.Thousandth }); n > 0 {
			return "gpu:" + emulate.Digits(n)
		}
		return "(null)"
	}},
	{"f", "AVAIL_FEATURES", func(l *nodeLine) string {
		if len(l.nodes) == 0 || len(l.nodes[0].Labels) == 0 {
			return "(null)"
		}
		return strings.Join(l.nodes[0].Labels, ",")
	}},
}

var longState = map[string]string{"idle": "idle", "mix": "mixed", "alloc": "allocated", "drain": "drained", "down": "down", "n/a": "n/a"}

func (l *nodeLine) sum(of func(*Node) int64) int64 {
	var total int64
	for i := range l.nodes {
		total += of(&l.nodes[i])
	}
	return total
}

func parseNodeFormat(format string) ([]column, error) {
	return parseLetters(format, func(letter string) *field {
		for i := range nodeFields {
			if nodeFields[i].letter == letter {
				return &field{letter: letter, head: nodeFields[i].head}
			}
		}
		return nil
	})
}

// ParseSinfo reads the arguments of sinfo.
func ParseSinfo(args []string) (*Sinfo, error) {
	q := &Sinfo{}
	given, operands, err := sinfoOptions.GNU(args, true)
	if err != nil {
		return nil, usage("sinfo", err)
	}
	if len(operands) > 0 {
		return nil, failure("sinfo", errors.New("Unrecognized option: "+operands[0]))
	}
	for _, g := range given {
		if err := g.Apply(q); err != nil {
			return nil, failure("sinfo", err)
		}
	}
	if q.format != nil {
		return q, nil
	}
	format := "%.10P %.5a %.10l %.6D %.6t %N"
	if q.byNode {
		format = "%N %.6D %.9P %6t"
	}
	q.format, err = parseNodeFormat(format)
	return q, err
}

// Show is the answer about queues and machines. Every machine serves every queue.
func (q *Sinfo) Show(partitions []Partition, nodes []Node) string {
	var b strings.Builder
	if !q.noHeader {
		b.WriteString(line(q.format, func(f *field) string { return f.head }) + "\n")
	}
	for _, p := range partitions {
		if len(q.partitions) > 0 && !slices.Contains(q.partitions, p.Name) {
			continue
		}
		for _, l := range q.lines(p, nodes) {
			b.WriteString(line(q.format, func(f *field) string { return nodeValue(f.letter, l) }) + "\n")
		}
	}
	return b.String()
}

func nodeValue(letter string, l *nodeLine) string {
	for i := range nodeFields {
		if nodeFields[i].letter == letter {
			return nodeFields[i].value(l)
		}
	}
	return ""
}

// lines puts nodes in the same state together, or with byNode each by itself.
func (q *Sinfo) lines(p Partition, nodes []Node) []*nodeLine {
	var lines []*nodeLine
	for _, n := range nodes {
		i := slices.IndexFunc(lines, func(l *nodeLine) bool { return !q.byNode && l.state == n.state() })
		if i < 0 {
			lines = append(lines, &nodeLine{partition: p, state: n.state()})
			i = len(lines) - 1
		}
		lines[i].nodes = append(lines[i].nodes, n)
	}
	if len(lines) == 0 {
		lines = append(lines, &nodeLine{partition: p, state: "n/a"})
	}
	return lines
}
