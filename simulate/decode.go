package simulate

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/muster-queue/muster/job"
)

// MaxFile bounds a file with a workload, in bytes.
const MaxFile = 64 << 20

// Decode reads a workload in YAML or JSON, strictly: what it does not know is an
// error. name is what messages call it. Errors: Invalid, with the line.
func Decode(name string, text []byte) (*Workload, error) {
	if len(text) > MaxFile {
		return nil, invalid("%s: it has more than %d bytes", name, MaxFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, invalid("%s: %s", name, syntaxError(text, err))
	}
	if len(doc.Content) == 0 {
		return nil, invalid("%s: it is empty; \"muster simulate --example\" shows what may be in it", name)
	}
	w := &Workload{Name: name, Grace: DefaultGrace, Seed: DefaultSeed}
	if err := w.decode(value{node: doc.Content[0], line: doc.Content[0].Line}); err != nil {
		return nil, invalid("%s: %w", name, err)
	}
	if err := w.check(); err != nil {
		return nil, invalid("%s: %w", name, err)
	}
	return w, nil
}

// syntaxError is what the library says, with a line: it names none for the first, and
// none for characters that no text has.
func syntaxError(text []byte, err error) string {
	what := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.HasPrefix(what, "line ") {
		return what
	}
	line := 1
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\u0085", r) {
			return fmt.Sprintf("line %d: %s", line, what)
		}
		if r == '\n' {
			line++
		}
		rest = rest[n:]
	}
	return "line 1: " + what
}

func (w *Workload) decode(v value) error {
	return v.fields([]field{
		{"name", func(v value) error { return v.text(&w.Name) }},
		{"duration", func(v value) error { return v.duration(&w.Duration) }},
		{"seed", func(v value) error { return v.unsigned(&w.Seed) }},
		{"grace", func(v value) error { return v.duration(&w.Grace) }},
		{"sample", func(v value) error { return v.duration(&w.Sample) }},
		{"preemption", func(v value) error { return v.not(&w.NoPreemption) }},
		{"accounts", func(v value) error {
			return decodeEach(v, &w.Accounts, func(a *Account, name string, v value) error { a.Name = name; return a.decode(v) })
		}},
		{"queues", func(v value) error {
			return decodeEach(v, &w.Queues, func(q *Queue, name string, v value) error { q.Name = name; return q.decode(v) })
		}},
		{"workers", func(v value) error {
			return decodeEach(v, &w.Workers, func(g *Workers, name string, v value) error {
				g.Name, g.Count = name, 1
				return g.decode(v)
			})
		}},
		{"jobs", func(v value) error {
			return decodeEach(v, &w.Jobs, func(s *Stream, name string, v value) error { s.Name = name; return s.decode(v) })
		}},
	})
}

// decodeEach reads an object of things by name into a list.
func decodeEach[T any](v value, to *[]T, read func(one *T, name string, v value) error) error {
	return v.each(func(name string, v value) error {
		var one T
		err := read(&one, name, v)
		*to = append(*to, one)
		return err
	})
}

func (a *Account) decode(v value) error {
	return v.fields(append(a.Settings.fields(),
		field{"arrive", func(v value) error { return v.duration(&a.Arrive) }},
		field{"changes", func(v value) error {
			a.Changes = nil
			return v.list(func(v value) error {
				var c Change
				err := v.fields(append(c.Settings.fields(), field{"at", func(v value) error { return v.duration(&c.At) }}))
				a.Changes = append(a.Changes, c)
				return err
			})
		}}))
}

// fields are the settings by name.
func (s *Settings) fields() []field {
	return []field{
		{"rate", func(v value) error { return v.quota(&s.Rate) }},
		{"window", func(v value) error { s.Window = new(time.Duration); return v.duration(s.Window) }},
		{"fanout", func(v value) error { s.MaxFanout = new(int); return v.whole(s.MaxFanout) }},
		{"label_limits", func(v value) error {
			s.LabelLimits = map[string]int{}
			return v.each(func(key string, v value) error {
				n := 0
				err := v.whole(&n)
				s.LabelLimits[key] = n
				return err
			})
		}},
		{"no_free", func(v value) error { s.NoFree = new(bool); return v.boolean(s.NoFree) }},
		{"balance", func(v value) error { return v.quota(&s.Balance) }},
	}
}

func (q *Queue) decode(v value) error {
	return v.fields([]field{
		{"priority", func(v value) error { return v.integer(&q.Priority) }},
		{"weight", func(v value) error { return v.integer(&q.Weight) }},
		{"max_running", func(v value) error { return v.integer(&q.MaxRunning) }},
	})
}

func (g *Workers) decode(v value) error {
	ways := 0
	either := func(read func(value) error) func(value) error {
		return func(v value) error {
			if ways++; ways > 1 {
				return v.wrong("left out: they have either slots or resources (of which slot may be one)")
			}
			return read(v)
		}
	}
	err := v.fields([]field{
		{"count", func(v value) error { return v.whole(&g.Count) }},
		{"slots", either(func(v value) error { return v.amount(&g.Capacity, Slot) })},
		{"resources", either(func(v value) error { return v.resources(&g.Capacity) })},
		{"labels", func(v value) error { return v.labels(&g.Labels) }},
		{"arrive", func(v value) error { return v.duration(&g.Arrive) }},
		{"leave", func(v value) error { return v.duration(&g.Leave) }},
	})
	if g.Capacity == nil {
		g.Capacity = job.Resources{Slot: job.Thousandth}
	}
	return err
}

func (s *Stream) decode(v value) error {
	return v.fields(append(s.Arrivals.fields(),
		field{"account", func(v value) error { return v.text(&s.Account) }},
		field{"queue", func(v value) error { return v.text(&s.Queue) }},
		field{"priority", func(v value) error { return v.number(&s.Priority) }},
		field{"labels", func(v value) error { return v.labels(&s.Labels) }},
		field{"prefer", func(v value) error { return v.labels(&s.Prefer) }},
		field{"needs", func(v value) error { return v.resources(&s.Needs) }},
		field{"time", func(v value) error { return v.duration(&s.Time) }},
		field{"preemptible", func(v value) error { return v.not(&s.NotPreemptible) }},
		field{"duration", func(v value) error { s.Lasts = Lengths{}; return s.Lasts.decode(v) }},
		field{"recorded", func(v value) error {
			s.Recorded = []Recorded{}
			return v.list(func(v value) error {
				at, lasts, err := v.pair("when it came and how long it ran, e.g. [10s, 5m]")
				s.Recorded = append(s.Recorded, Recorded{at, lasts})
				return err
			})
		}}))
}

// notZero reads what is not zero, which would be as if nothing had been said.
func notZero[T comparable](want string, to *T, read func(value, *T) error) func(value) error {
	return func(v value) error {
		var zero T
		err := read(v, to)
		if err == nil && *to == zero {
			return v.wrong(want)
		}
		return err
	}
}

// fields say when jobs arrive.
func (a *Arrivals) fields() []field {
	return []field{
		{"count", notZero("at least 1", &a.Count, value.integer)},
		{"every", notZero("a time, at least a microsecond", &a.Every, value.duration)},
		{"poisson", func(v value) error { return v.rate(&a.Rate) }},
		{"at", func(v value) error { return v.durations(&a.At) }},
		{"burst", notZero("at least 1", &a.Burst, value.whole)},
		{"from", func(v value) error { return v.duration(&a.From) }},
		{"until", func(v value) error { return v.duration(&a.Until) }},
	}
}

// decode reads a length ("5m"), or an object with the one field of its form.
func (l *Lengths) decode(v value) error {
	if v.node.Kind == yaml.ScalarNode {
		return v.duration(&l.A)
	}
	n := 0
	is := func(form Form, read func(value) error) func(value) error {
		return func(v value) error {
			if n++; n > 1 {
				return v.wrong("left out: the duration has a form already")
			}
			l.Form = form
			return read(v)
		}
	}
	return v.fields([]field{
		{"fixed", is(Fixed, func(v value) error { return v.duration(&l.A) })},
		{"uniform", is(Uniform, func(v value) (err error) {
			l.A, l.B, err = v.pair("the shortest and the longest, e.g. [1m, 10m]")
			return err
		})},
		{"exponential", is(Exponential, func(v value) error { return v.duration(&l.A) })},
		{"lognormal", is(LogNormal, func(v value) error {
			l.Sigma = 1
			return v.fields([]field{
				{"median", func(v value) error { return v.duration(&l.A) }},
				{"sigma", func(v value) error { return v.number(&l.Sigma) }},
			})
		})},
		{"list", is(Listed, func(v value) error { return v.durations(&l.List) })},
	})
}
