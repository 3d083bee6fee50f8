package simulate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/muster-queue/muster/job"
)

// value is a part of a file, with the path that leads to it.
type value struct {
	node *yaml.Node
	path string
	line int // of its name, or where it begins if it has none; zero: not known
}

// field is a field of an object by name, and how it is read.
type field struct {
	name string
	read func(value) error
}

// where is the line of the value, if it has one, and its path.
func (v value) where() string {
	path := v.path
	if path == "" {
		path = "a workload"
	}
	if v.line > 0 {
		return fmt.Sprintf("line %d: %s", v.line, path)
	}
	return path
}

// wrong says what should be there.
func (v value) wrong(want string) error {
	got := ""
	if v.node.Kind == yaml.ScalarNode && len(v.node.Value) < 80 {
		got = ", not " + strconv.Quote(v.node.Value)
	}
	return invalid("%s must be %s%s", v.where(), want, got)
}

// inner is a part of the value.
func (v value) inner(key, node *yaml.Node) value {
	name := key.Value
	if v.path != "" {
		name = v.path + "." + name
	}
	return value{node, name, key.Line}
}

const writtenOut = "written out; anchors and aliases of YAML are not understood here"

// each visits the fields of an object, in the order of the file.
func (v value) each(visit func(name string, v value) error) error {
	if v.node.Kind != yaml.MappingNode {
		return v.wrong("an object (name: value)")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v.node.Content[i]
		in := v.inner(key, v.node.Content[i+1])
		switch {
		case key.Value == "<<" || key.Kind == yaml.AliasNode || in.node.Kind == yaml.AliasNode:
			return in.wrong(writtenOut)
		case key.Kind != yaml.ScalarNode || key.Value == "":
			return v.wrong("an object whose names are texts")
		case seen[key.Value]:
			return invalid("%s is there twice", in.where())
		}
		seen[key.Value] = true
		if err := visit(key.Value, in); err != nil {
			return err
		}
	}
	return nil
}

// fields reads an object whose fields are known.
func (v value) fields(known []field) error {
	return v.each(func(name string, in value) error {
		names := make([]string, len(known))
		for i, f := range known {
			if f.name == name {
				return f.read(in)
			}
			names[i] = f.name
		}
		return invalid("%s: there is no such field; there are %s", in.where(), strings.Join(names, ", "))
	})
}

// list visits the items of a list; what is none is a list of one.
func (v value) list(visit func(value) error) error {
	if v.node.Kind != yaml.SequenceNode {
		return visit(v)
	}
	for i, item := range v.node.Content {
		in := value{item, v.path + "[" + strconv.Itoa(i+1) + "]", item.Line}
		if item.Kind == yaml.AliasNode {
			return in.wrong(writtenOut)
		}
		if err := visit(in); err != nil {
			return err
		}
	}
	return nil
}

func (v value) text(to *string) error {
	if v.node.Kind != yaml.ScalarNode {
		return v.wrong("a text")
	}
	*to = v.node.Value
	return nil
}

func (v value) boolean(to *bool) error {
	switch strings.ToLower(v.node.Value) {
	case "true", "yes", "on":
		*to = true
	case "false", "no", "off":
		*to = false
	default:
		return v.wrong("true or false")
	}
	return nil
}

// not reads the opposite.
func (v value) not(to *bool) error {
	err := v.boolean(to)
	*to = !*to
	return err
}

func (v value) number(to *float64) error {
	f, err := strconv.ParseFloat(v.node.Value, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return v.wrong("a number")
	}
	*to = f
	return nil
}

func (v value) integer(to *int64) error {
	n, err := strconv.ParseInt(v.node.Value, 10, 64)
	if err != nil {
		return v.wrong("a whole number")
	}
	*to = n
	return nil
}

func (v value) whole(to *int) error {
	var n int64
	err := v.integer(&n)
	*to = int(n)
	return err
}

func (v value) unsigned(to *uint64) error {
	n, err := strconv.ParseUint(v.node.Value, 10, 64)
	if err != nil {
		return v.wrong("a whole number that is not negative")
	}
	*to = n
	return nil
}

func (v value) duration(to *time.Duration) error {
	d, err := job.ParseDuration(v.node.Value)
	if err != nil {
		return v.wrong(`a time, e.g. "90s", "1h30m" or "2d"`)
	}
	*to = d
	return nil
}

func (v value) durations(to *[]time.Duration) error {
	*to = []time.Duration{}
	return v.list(func(v value) error {
		var d time.Duration
		err := v.duration(&d)
		*to = append(*to, d)
		return err
	})
}

// pair reads two lengths of time.
func (v value) pair(want string) (a, b time.Duration, err error) {
	var list []time.Duration
	if err := v.durations(&list); err != nil || len(list) != 2 {
		return 0, 0, v.wrong(want)
	}
	return list[0], list[1], nil
}

// rate reads "100/h": how many in how much time, as a number a second.
func (v value) rate(to *float64) error {
	n, per, ok := strings.Cut(v.node.Value, "/")
	if per = strings.TrimSpace(per); per != "" && (per[0] < '0' || per[0] > '9') {
		per = "1" + per
	}
	count, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	d, derr := job.ParseDuration(per)
	if !ok || err != nil || derr != nil || d <= 0 || !(count > 0) {
		return v.wrong(`how many in which time, e.g. "100/h" or "2/10s"`)
	}
	*to = count / d.Seconds()
	return nil
}

// quota reads up to five numbers, best level first.
func (v value) quota(to **job.Quota) error {
	var numbers []float64
	err := v.list(func(v value) error {
		var f float64
		err := v.number(&f)
		numbers = append(numbers, f)
		return err
	})
	if err != nil {
		return err
	}
	q, err := job.QuotaOf(numbers...)
	if err != nil {
		return v.wrong("at most five numbers, best level first, e.g. [4, 2]")
	}
	*to = &q
	return nil
}

// amount reads an amount of a resource into r.
func (v value) amount(r *job.Resources, name string) error {
	n, err := job.ParseGivenAmount(name, v.node.Value)
	if err != nil {
		return v.wrong(`an amount, e.g. 2, 0.5 or (of memory) "4G"`)
	}
	if *r == nil {
		*r = job.Resources{}
	}
	(*r)[name] = n
	return nil
}

func (v value) resources(to *job.Resources) error {
	if *to == nil {
		*to = job.Resources{}
	}
	return v.each(func(name string, v value) error { return v.amount(to, name) })
}

func (v value) labels(to *job.Labels) error {
	*to = nil
	return v.list(func(v value) error {
		var s string
		err := v.text(&s)
		*to = append(*to, s)
		return err
	})
}
