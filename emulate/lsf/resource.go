package lsf

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Requirement is what a resource requirement string asks for, as far as it means
// something to muster.
type Requirement struct {
	// Memory is in bytes: the larger of what select and rusage name.
	Memory int64
	// Needs are the other amounts of rusage.
	Needs job.Resources
	// Labels are what select asks of the machine.
	Labels job.Labels
	// PerHost is how many slots may be on one machine; zero: any number.
	PerHost int64
}

// sections of a requirement string, in the order in which LSF describes them.
var section = regexp.MustCompile(`^(select|order|rusage|span|same|cu|affinity)\s*\[([^\][]*(?:\[[^\][]*\][^\][]*)*)\]\s*`)

// ParseResource adds what a string such as
// "select[mem>2000 && ssd] rusage[mem=2000:gpu=1] span[hosts=1]" asks for. What has no
// meaning here and only prefers (order, same, cu, affinity) is left out; alternatives
// cannot be had.
func (r *Requirement) ParseResource(text string) error {
	rest := strings.TrimSpace(text)
	if strings.ContainsAny(rest, "{}") || strings.Contains(rest, "||") {
		return job.Errorf(job.Invalid, "%q: alternatives and parts for several machines cannot be asked for; write one requirement", text)
	}
	if rest != "" && section.FindString(rest) == "" && !strings.Contains(rest, "[") {
		return r.selects(rest)
	}
	for rest != "" {
		m := section.FindStringSubmatch(rest)
		if m == nil {
			return job.Errorf(job.Invalid, "Bad resource requirement syntax: %q", rest)
		}
		rest = rest[len(m[0]):]
		if err := r.section(m[1], strings.TrimSpace(m[2])); err != nil {
			return err
		}
	}
	return nil
}

func (r *Requirement) section(name, content string) error {
	switch name {
	case "select":
		return r.selects(content)
	case "rusage":
		return r.rusage(content)
	case "span":
		return r.span(content)
	}
	return nil
}

// term is one condition of select.
var term = regexp.MustCompile(`^([A-Za-z_][\w-]*)\s*(?:(==|>=|<=|!=|=|>|<)\s*("?)([\w.*/:-]+)("?))?$`)

// ignored are what select may name of a machine that says nothing here.
var ignored = map[string]bool{
	"type": true, "cpuf": true, "ncpus": true, "ndisks": true, "maxmem": true, "maxswp": true, "maxtmp": true, "swp": true,
	"r15s": true, "r1m": true, "r15m": true, "ut": true, "pg": true, "io": true, "ls": true, "it": true, "tmp": true, "nprocs": true, "ncores": true,
	"nthreads": true, "rexpri": true, "server": true, "status": true,
}

func (r *Requirement) selects(content string) error {
	for part := range strings.SplitSeq(content, "&&") {
		part = strings.Trim(strings.TrimSpace(part), "()")
		if inner, ok := strings.CutPrefix(part, "defined("); ok {
			part = inner
		}
		if part == "" {
			continue
		}
		m := term.FindStringSubmatch(part)
		if m == nil {
			return job.Errorf(job.Invalid, "Bad resource requirement syntax: select %q; conditions are joined with &&", part)
		}
		if err := r.condition(m[1], m[2], m[4]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Requirement) condition(name, op, value string) error {
	equal := op == "==" || op == "="
	switch {
	case name == "mem" && (op == ">" || op == ">=" || equal):
		n, err := parseMemory(value)
		r.Memory = max(r.Memory, n)
		return err
	case name == "mem", ignored[name], name == "any", name == "local":
		return nil
	case op == "":
		r.label("feature:" + name)
	case name == "hname" && equal:
		r.label("host:" + value)
	case equal:
		r.label(name + ":" + value)
	case value == "0" && op == ">":
		r.label("feature:" + name)
	default:
		return job.Errorf(job.Invalid, "select %q: a machine has labels, which are equal or not; ask for an amount with rusage", name+op+value)
	}
	return nil
}

func (r *Requirement) label(l string) { r.Labels = append(r.Labels, l) }

// gpuNames are what amounts of GPUs are called.
var gpuNames = map[string]bool{"ngpus": true, "ngpus_physical": true, "ngpus_excl_p": true, "ngpus_shared": true, "gpu": true}

func (r *Requirement) rusage(content string) error {
	parts := strings.FieldsFunc(content, func(c rune) bool { return c == ',' || c == ':' })
	for _, part := range parts {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" {
			return job.Errorf(job.Invalid, "Bad resource requirement syntax: rusage %q; write NAME=AMOUNT", part)
		}
		if err := r.reserve(name, strings.TrimSuffix(value, "/host")); err != nil {
			return err
		}
	}
	return nil
}

func (r *Requirement) reserve(name, value string) error {
	switch name {
	case "mem":
		n, err := parseMemory(strings.TrimSuffix(value, "/task"))
		r.Memory = max(r.Memory, n)
		return err
	case "swp", "decay", "duration", "slots":
		return nil
	}
	if r.Needs == nil {
		r.Needs = job.Resources{}
	}
	if name == "tmp" {
		n, err := parseMemory(value)
		r.Needs[job.Disk] = max(r.Needs[job.Disk], n)
		return err
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f <= 1e9) {
		return job.Errorf(job.Invalid, "Bad resource requirement syntax: rusage %s=%s; the amount is a number", name, value)
	}
	if gpuNames[name] {
		name = "gpu"
	}
	r.Needs[name] = max(r.Needs[name], int64(f*job.Thousandth+0.5))
	return nil
}

func (r *Requirement) span(content string) error {
	for part := range strings.SplitSeq(content, " ") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseInt(value, 10, 32)
		switch {
		case part == "":
		case name == "hosts" && err == nil && (n == 1 || n == -1):
		case name == "ptile" && err == nil && n > 0:
			r.PerHost = n
		default:
			return job.Errorf(job.Invalid, "span[%s]: a job of muster runs on one machine", content)
		}
	}
	return nil
}
