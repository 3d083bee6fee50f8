package simulate

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/muster-queue/muster/job"
)

// Encode writes a workload in YAML; Decode reads the same from it.
func (w *Workload) Encode() ([]byte, error) {
	o := object{}
	o.text("name", w.Name)
	o.time("duration", w.Duration)
	o.add("seed", scalar(strconv.FormatUint(w.Seed, 10)))
	o.add("grace", scalar(timeText(w.Grace)))
	o.time("sample", w.Sample)
	if w.NoPreemption {
		o.add("preemption", scalar("false"))
	}
	encodeEach(&o, "accounts", w.Accounts, (*Account).encode)
	encodeEach(&o, "queues", w.Queues, (*Queue).encode)
	encodeEach(&o, "workers", w.Workers, (*Workers).encode)
	encodeEach(&o, "jobs", w.Jobs, (*Stream).encode)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(o.node()); err != nil {
		return nil, job.Errorf(job.Internal, "write the workload: %w", err)
	}
	return b.Bytes(), nil
}

// object is an object in the making.
type object []*yaml.Node

func (o object) node() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Content: o} }

func (o *object) add(name string, v *yaml.Node) { *o = append(*o, text(name), v) }

// text is a scalar that is read back as a text, whatever is in it.
func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func (o *object) text(name, s string) {
	if s != "" {
		o.add(name, text(s))
	}
}

func (o *object) time(name string, d time.Duration) {
	if d != 0 {
		o.add(name, scalar(timeText(d)))
	}
}

func (o *object) whole(name string, n int64) {
	if n != 0 {
		o.add(name, scalar(strconv.FormatInt(n, 10)))
	}
}

func (o *object) texts(name string, list []string) {
	if len(list) > 0 {
		o.add(name, flow(list, text))
	}
}

// times writes a list of times.
func (o *object) times(name string, list []time.Duration) {
	o.add(name, flow(list, func(d time.Duration) *yaml.Node { return scalar(timeText(d)) }))
}

func (o *object) resources(name string, r job.Resources) {
	in := object{}
	for _, resource := range slices.Sorted(maps.Keys(r)) {
		amount := job.ShowAmount(resource, r[resource])
		if n, err := job.ParseAmount(resource, amount); err != nil || n != r[resource] {
			amount = job.FormatAmount(resource, r[resource])
		}
		if last := amount[len(amount)-1]; job.IsBytes(resource) && last >= '0' && last <= '9' && amount != "0" {
			amount += "B"
		}
		in.add(resource, scalar(amount))
	}
	node := in.node()
	node.Style = yaml.FlowStyle
	o.add(name, node)
}

// timeText is a length of time as ParseDuration reads it, without the units that
// are zero.
func timeText(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	s := ""
	if days := d / (24 * time.Hour); days > 0 {
		s, d = fmt.Sprintf("%dd", days), d%(24*time.Hour)
	}
	for _, u := range []struct {
		unit string
		size time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}} {
		if n := d / u.size; n > 0 {
			s += fmt.Sprint(int64(n)) + u.unit
			d %= u.size
		}
	}
	if d > 0 {
		s += d.String()
	}
	return s
}

// flow is a list on one line.
func flow[T any](list []T, one func(T) *yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range list {
		n.Content = append(n.Content, one(v))
	}
	return n
}

func encodeEach[T any](o *object, name string, list []T, encode func(*T) (string, object)) {
	if len(list) == 0 {
		return
	}
	in := object{}
	for i := range list {
		name, one := encode(&list[i])
		in.add(name, one.node())
	}
	o.add(name, in.node())
}

func (a *Account) encode() (string, object) {
	o := object{}
	o.time("arrive", a.Arrive)
	a.Settings.encode(&o)
	if len(a.Changes) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range a.Changes {
			c := object{}
			c.add("at", scalar(timeText(a.Changes[i].At)))
			a.Changes[i].Settings.encode(&c)
			list.Content = append(list.Content, c.node())
		}
		o.add("changes", list)
	}
	return a.Name, o
}

func (s *Settings) encode(o *object) {
	if s.Rate != nil {
		o.add("rate", quotaNode(s.Rate))
	}
	if s.Window != nil {
		o.add("window", scalar(timeText(*s.Window)))
	}
	if s.Balance != nil {
		o.add("balance", quotaNode(s.Balance))
	}
	if s.MaxFanout != nil {
		o.add("fanout", scalar(strconv.Itoa(*s.MaxFanout)))
	}
	if s.LabelLimits != nil {
		in := object{}
		for _, key := range slices.Sorted(maps.Keys(s.LabelLimits)) {
			in.add(key, scalar(strconv.Itoa(s.LabelLimits[key])))
		}
		o.add("label_limits", in.node())
	}
	if s.NoFree != nil {
		o.add("no_free", scalar(strconv.FormatBool(*s.NoFree)))
	}
}

// quotaNode is quota without the zeros at its end.
func quotaNode(q *job.Quota) *yaml.Node {
	n := len(q)
	for n > 1 && q[n-1] == 0 {
		n--
	}
	return flow(q[:n], numberNode)
}

func numberNode(f float64) *yaml.Node { return scalar(strconv.FormatFloat(f, 'g', -1, 64)) }

func (q *Queue) encode() (string, object) {
	o := object{}
	o.whole("priority", q.Priority)
	o.whole("weight", q.Weight)
	o.whole("max_running", q.MaxRunning)
	return q.Name, o
}

func (g *Workers) encode() (string, object) {
	o := object{}
	o.add("count", scalar(strconv.Itoa(g.Count)))
	o.resources("resources", g.Capacity)
	o.texts("labels", g.Labels)
	o.time("arrive", g.Arrive)
	o.time("leave", g.Leave)
	return g.Name, o
}

func (s *Stream) encode() (string, object) {
	o := object{}
	o.text("account", s.Account)
	o.text("queue", s.Queue)
	if s.Priority != 0 {
		o.add("priority", numberNode(s.Priority))
	}
	o.texts("labels", s.Labels)
	o.texts("prefer", s.Prefer)
	if s.Needs != nil {
		o.resources("needs", s.Needs)
	}
	o.time("time", s.Time)
	if s.NotPreemptible {
		o.add("preemptible", scalar("false"))
	}
	if s.Recorded != nil {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, r := range s.Recorded {
			list.Content = append(list.Content, pairNode(r.At, r.Lasts))
		}
		o.add("recorded", list)
		return s.Name, o
	}
	s.Arrivals.encode(&o)
	o.add("duration", s.Lasts.node())
	return s.Name, o
}

func (a *Arrivals) encode(o *object) {
	o.whole("count", a.Count)
	o.time("every", a.Every)
	if a.Rate != 0 {
		o.add("poisson", scalar(rateText(a.Rate)))
	}
	if a.At != nil {
		o.times("at", a.At)
	}
	o.whole("burst", int64(a.Burst))
	o.time("from", a.From)
	o.time("until", a.Until)
}

// rateText is a rate, given a second, in the unit in which it is shortest; value.rate
// reads the same from it.
func rateText(rate float64) string {
	best := strconv.FormatFloat(rate, 'g', -1, 64) + "/s"
	for unit, length := range map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour} {
		text := strconv.FormatFloat(rate*length.Seconds(), 'g', 12, 64)
		if n, err := strconv.ParseFloat(text, 64); err != nil || n/length.Seconds() != rate {
			continue
		}
		if text += "/" + unit; len(text) < len(best) || len(text) == len(best) && text < best {
			best = text
		}
	}
	return best
}

func pairNode(a, b time.Duration) *yaml.Node {
	return flow([]time.Duration{a, b}, func(d time.Duration) *yaml.Node { return scalar(timeText(d)) })
}

func (l *Lengths) node() *yaml.Node {
	o := object{}
	switch l.Form {
	case Uniform:
		o.add("uniform", pairNode(l.A, l.B))
	case Exponential:
		o.time("exponential", l.A)
	case LogNormal:
		in := object{}
		in.time("median", l.A)
		in.add("sigma", numberNode(l.Sigma))
		o.add("lognormal", in.node())
	case Listed:
		o.times("list", l.List)
	default:
		return scalar(timeText(l.A))
	}
	node := o.node()
	node.Style = yaml.FlowStyle
	return node
}
