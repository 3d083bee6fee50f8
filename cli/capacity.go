package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/job"
)

// capacityFlags say what an agent may use of its machine.
type capacityFlags struct {
	cpus, memory, disk string
	resources, labels  []string
}

func addCapacityFlags(cmd *cobra.Command) *capacityFlags {
	c := &capacityFlags{}
	f := cmd.Flags()
	f.StringVar(&c.cpus, "cpus", "", "give jobs at most this many `CORES`; all of the machine when not given")
	f.StringVarP(&c.memory, "memory", "m", "", "give jobs at most this much `MEMORY`, e.g. 12G; all of the machine when not given")
	f.StringVar(&c.disk, "disk", "", "give jobs at most this much `DISK` space, e.g. 100G; all that is free when not given")
	f.StringArrayVar(&c.resources, "resource", nil, "`NAME=AMOUNT` of anything else, e.g. licence=2; may be repeated; gpu is counted when not given")
	f.StringArrayVar(&c.labels, "label", nil, "`KEY:VALUE` that jobs can ask for, e.g. disk:ssd; may be repeated; host, os, arch and gpu models are announced without being given")
	return c
}

// capacity is what was given; the agent measures the rest.
func (c *capacityFlags) capacity() (job.Resources, error) {
	r := job.Resources{}
	for _, x := range []struct{ flag, name, text string }{
		{"cpus", job.CPU, c.cpus}, {"memory", job.Memory, c.memory}, {"disk", job.Disk, c.disk},
	} {
		if x.text == "" {
			continue
		}
		n, err := input.ParseAmount(x.name, x.text)
		if err != nil {
			return nil, job.Wrap(err, "", "--"+x.flag)
		}
		r[x.name] = n
	}
	for _, s := range c.resources {
		name, text, _ := strings.Cut(s, "=")
		n, err := input.ParseAmount(name, text)
		if err != nil {
			return nil, job.Wrap(err, "", "--resource "+s)
		}
		r[name] = n
	}
	return r, r.Validate()
}

// labelled are the labels, checked.
func (c *capacityFlags) labelled() (job.Labels, error) {
	return c.labels, job.Labels(c.labels).Validate("--label")
}
