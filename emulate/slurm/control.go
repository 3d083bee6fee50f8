package slurm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Scontrol is a call of scontrol.
type Scontrol struct {
	// Verb is show, hold, release, requeue, ping or version; What is what show is to
	// show: config, job, partition, node, hostnames.
	Verb, What string
	emulate.Query
	// Operand is the name that follows What.
	Operand string
	oneLine bool
	now     time.Time
}

var scontrolOptions = option.Set[Scontrol]{
	{Name: "oneliner", Short: "o", Set: func(c *Scontrol, _ string) error {
		c.oneLine = true
		return nil
	}},
	{Name: "version", Short: "V", Set: func(c *Scontrol, _ string) error {
		c.Verb = "version"
		return nil
	}},
	{Name: "help", Short: "h", Set: func(c *Scontrol, _ string) error {
		c.Verb = "help"
		return nil
	}},
	{Name: "all", Short: "a"}, {Name: "details", Short: "d"}, {Name: "quiet", Short: "Q"}, {Name: "verbose", Short: "v"}, {Name: "clusters", Short: "M", Arg: option.Required},
}

// shows are what scontrol can show; a beginning of the word does.
var shows = []string{"config", "hostnames", "job", "nodes", "partitions"}

// ParseScontrol reads the arguments of scontrol.
func ParseScontrol(args []string, who *emulate.Caller) (*Scontrol, error) {
	c := &Scontrol{now: who.Now}
	given, operands, err := scontrolOptions.GNU(args, true)
	if err != nil {
		return nil, usage("scontrol", err)
	}
	for _, g := range given {
		if err := g.Apply(c); err != nil {
			return nil, failure("scontrol", err)
		}
	}
	if c.Verb != "" {
		return c, nil
	}
	if len(operands) == 0 {
		return nil, failure("scontrol", errors.New("it asks no questions; give a command"))
	}
	c.Verb = strings.ToLower(operands[0])
	if err := c.operands(operands[1:]); err != nil {
		return nil, failure("scontrol", err)
	}
	return c, nil
}

func (c *Scontrol) operands(rest []string) error {
	switch c.Verb {
	case "ping", "version":
		return nil
	case "hold", "uhold", "release", "requeue":
		return c.numbers(rest)
	case "show":
		if len(rest) == 0 {
			return errors.New("say what to show: " + strings.Join(shows, ", "))
		}
		word, name, _ := strings.Cut(strings.ToLower(rest[0]), "=")
		for _, what := range shows {
			if strings.HasPrefix(what, word) || strings.HasPrefix(word, what) {
				c.What = what
			}
		}
		if c.What == "" {
			return job.Errorf(job.Invalid, "invalid entity:%s for keyword:show", rest[0])
		}
		if c.Operand = name; len(rest) > 1 {
			c.Operand = rest[1]
		}
		if c.What == "job" && c.Operand != "" {
			return c.numbers([]string{c.Operand})
		}
		return nil
	}
	return job.Errorf(job.Invalid, "invalid keyword: %s", c.Verb)
}

func (c *Scontrol) numbers(words []string) error {
	if len(words) == 0 {
		return errors.New("too few arguments for keyword:" + c.Verb)
	}
	for _, w := range words {
		ids, err := parseIDs(w)
		if err != nil {
			return err
		}
		c.IDs = append(c.IDs, ids...)
	}
	return nil
}

// HeldUntil is the moment to which a hold delays.
func HeldUntil(now time.Time) time.Time { return now.Add(heldFor) }

// Config is the answer to "show config".
func (c *Scontrol) Config() string {
	return fmt.Sprintf("Configuration data as of %s\nAccountingStorageType   = accounting_storage/muster\nClusterName             = %s\n"+
		"MaxArraySize            = %d\nMinJobAge               = %d sec\nSLURM_VERSION           = %s\n",
		stamp(c.now, ""), Cluster, emulate.MaxArray+1, MinJobAge, strings.TrimPrefix(Version, "slurm "))
}

// Partition is a queue as Slurm sees it.
type Partition struct {
	Name    string
	Default bool
	Paused  bool
}

// Partitions is the answer to "show partition".
func (c *Scontrol) Partitions(list []Partition, nodes []Node) (string, error) {
	var b strings.Builder
	for _, p := range list {
		if c.Operand != "" && c.Operand != p.Name {
			continue
		}
		state := "UP"
		if p.Paused {
			state = "INACTIVE"
		}
		var cpus int64
		for _, n := range nodes {
			cpus += n.cores()
		}
		c.record(&b, "PartitionName="+p.Name, "Default="+yes(p.Default), "MaxTime=UNLIMITED", "DefaultTime=NONE", "MaxNodes=1",
			"State="+state, "TotalCPUs="+emulate.Digits(cpus), "TotalNodes="+emulate.Digits(len(nodes)), "OverSubscribe=YES:1")
	}
	if b.Len() == 0 && c.Operand != "" {
		return "", emulate.Fail(1, "Partition %s not found", c.Operand)
	}
	return b.String(), nil
}

func yes(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

// record writes one thing that is shown, on a line or on several.
func (c *Scontrol) record(b *strings.Builder, parts ...string) {
	sep, end := "\n   ", "\n\n"
	if c.oneLine {
		sep, end = " ", "\n"
	}
	b.WriteString(strings.Join(parts, sep) + end)
}

// Jobs is the answer to "show job".
func (c *Scontrol) Jobs(jobs []*emulate.Shown) (string, error) {
	if len(jobs) == 0 {
		if len(c.IDs) > 0 {
			return "", emulate.Fail(1, "slurm_load_jobs error: Invalid job id specified")
		}
		return "No jobs in the system\n", nil
	}
	var b strings.Builder
	for _, s := range jobs {
		r := &row{Shown: s, now: c.now}
		first := "JobId=" + emulate.Digits(uint64(s.Seq))
		if s.Element() {
			first += " ArrayJobId=" + emulate.Digits(s.First()) + " ArrayTaskId=" + emulate.Digits(s.Batch().Index)
		}
		get := func(letter string) string {
			return fieldWhere(func(f *field) bool { return f.letter == letter }).value(r)
		}
		c.record(&b, first+" JobName="+s.Name(), "UserId="+get("u"), "Priority="+get("Q")+" Account="+get("a"),
			"JobState="+get("T")+" Reason="+get("r")+" Dependency="+get("E"), "Requeue=1 Restarts="+emulate.Digits(max(s.Attempts, 1)-1)+" ExitCode="+exit(s),
			"RunTime="+clockText(s.Elapsed(c.now), false)+" TimeLimit="+limitText(s.Job.Time, false), "SubmitTime="+get("V"),
			"StartTime="+stamp(s.Began(), "Unknown")+" EndTime="+stamp(r.expectedEnd(), "Unknown"), "Partition="+get("P"), "NodeList="+orElse(get("N"), "(null)"),
			"NumNodes=1 NumCPUs="+get("C")+" NumTasks=1", "ReqTRES="+tres(s), "MinMemoryNode="+get("m"), "Features="+get("f"),
			"WorkDir="+get("Z"), "StdErr="+orElse(s.Batch().Stderr, s.Batch().Stdout), "StdIn="+orElse(s.Batch().Stdin, "/dev/null"), "StdOut="+s.Batch().Stdout)
	}
	return b.String(), nil
}

// Hostnames is the answer to "show hostnames": a machine each line.
func (c *Scontrol) Hostnames(getenv func(string) string) string {
	list := strings.Split(orElse(c.Operand, getenv("SLURM_JOB_NODELIST")), ",")
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), "\n") + "\n"
}

// Nodes is the answer to "show node".
func (c *Scontrol) Nodes(nodes []Node) (string, error) {
	var b strings.Builder
	for i := range nodes {
		n := &nodes[i]
		if c.Operand != "" && c.Operand != n.Name {
			continue
		}
		c.record(&b, "NodeName="+n.Name+" CPUTot="+emulate.Digits(n.cores()), "NodeHostName="+n.Name,
			"RealMemory="+emulate.Digits(n.Capacity[job.Memory]>>20)+" FreeMem="+emulate.Digits(n.Free[job.Memory]>>20),
			"State="+strings.ToUpper(longState[n.state()]), "AvailableFeatures="+orElse(strings.Join(n.Labels, ","), "(null)"))
	}
	if b.Len() == 0 && c.Operand != "" {
		return "", emulate.Fail(1, "Node %s not found", c.Operand)
	}
	return b.String(), nil
}
