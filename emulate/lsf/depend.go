package lsf

import (
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// conditions are the ends that the functions of a dependency mean.
var conditions = map[string]job.Condition{
	"done": job.ConditionOK, "post_done": job.ConditionOK, "exit": job.ConditionFailed, "ended": job.ConditionAny,
}

// ParseDependency reads an expression such as `done(5) && ended("align*")`. A job of
// muster waits for all it depends on: "||" and "!" are refused.
func ParseDependency(text string) ([]emulate.Wait, error) {
	p := &dependency{text: text, rest: text}
	waits, err := p.all()
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = p.bad("%q is left over", p.rest)
	}
	return waits, err
}

// dependency is an expression being read.
type dependency struct {
	text, rest string
	depth      int
}

// maxDepth bounds the parentheses in each other.
const maxDepth = 100

func (p *dependency) bad(format string, args ...any) error {
	return job.Errorf(job.Invalid, "%s: Bad dependency condition: %w", p.text, job.Errorf(job.Invalid, format, args...))
}

func (p *dependency) take(token string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t")
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

// all reads conditions joined with "&&".
func (p *dependency) all() ([]emulate.Wait, error) {
	var waits []emulate.Wait
	for {
		more, err := p.one()
		if err != nil {
			return nil, err
		}
		waits = append(waits, more...)
		switch {
		case p.take("&&"):
		case p.take("||"):
			return nil, p.bad("a job of muster waits for all it depends on; \"||\" cannot be had, but ended(JOB) is met however a job ends")
		default:
			return waits, nil
		}
	}
}

func (p *dependency) one() ([]emulate.Wait, error) {
	switch {
	case p.take("!"):
		return nil, p.bad("\"!\" cannot be had; exit(JOB) is met when a job fails")
	case p.take("("):
		if p.depth++; p.depth > maxDepth {
			return nil, p.bad("too many parentheses")
		}
		waits, err := p.all()
		if err == nil && !p.take(")") {
			err = p.bad("a parenthesis is not closed")
		}
		p.depth--
		return waits, err
	}
	function, isFunction := p.function()
	condition, known := conditions[function]
	switch {
	case isFunction && function == "started":
		return nil, p.bad("muster has no dependency on the start of a job, only on its end: done, exit, ended")
	case isFunction && !known:
		return nil, p.bad("%s is not known here; write done(JOB), exit(JOB) or ended(JOB)", function)
	}
	w, err := p.job()
	if err != nil {
		return nil, err
	}
	w.Condition = condition // of a bare job: done
	switch {
	case isFunction && p.take(","):
		return nil, p.bad("exit(JOB, CODE): muster does not tell exit codes apart; write exit(JOB)")
	case isFunction && !p.take(")"):
		return nil, p.bad("a parenthesis is not closed")
	}
	return []emulate.Wait{w}, nil
}

// function reads the name of a function and its parenthesis, if there is one.
func (p *dependency) function() (string, bool) {
	p.rest = strings.TrimLeft(p.rest, " \t")
	word := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "abcdefghijklmnopqrstuvwxyz_"))]
	after, ok := strings.CutPrefix(strings.TrimLeft(p.rest[len(word):], " \t"), "(")
	if word == "" || !ok {
		return "", false
	}
	p.rest = after
	return word, true
}

// job reads a number, a number with an index, or a name, quoted or not.
func (p *dependency) job() (emulate.Wait, error) {
	p.rest = strings.TrimLeft(p.rest, " \t")
	var word string
	if quoted, ok := strings.CutPrefix(p.rest, `"`); ok {
		name, after, closed := strings.Cut(quoted, `"`)
		if !closed {
			return emulate.Wait{}, p.bad("a quote is not closed")
		}
		word, p.rest = name, after
	} else {
		end := strings.IndexAny(p.rest, " \t(),&|!")
		if end < 0 {
			end = len(p.rest)
		}
		word, p.rest = p.rest[:end], p.rest[end:]
	}
	if word == "" {
		return emulate.Wait{}, p.bad("a job is missing")
	}
	if ids, err := parseIDs(word); err == nil && len(ids) == 1 {
		return emulate.Wait{Number: ids[0].Number, Index: ids[0].Index}, nil
	}
	if strings.ContainsAny(word, "[]") {
		return emulate.Wait{}, p.bad("%q: name an element by its number, 5[3]", word)
	}
	return emulate.Wait{Name: word}, nil
}
