package slurm

import (
	"strconv"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// Cluster is the name of the one cluster there is.
const Cluster = "muster"

// Environ are those variables of a job that are known only when it starts.
func Environ(r *emulate.Running) []string {
	b := r.Batch
	number, host, cores := emulate.Digits(uint64(r.Seq)), emulate.ShortHost(r.Host), emulate.Digits(emulate.CoresOf(r.Needs))
	set := []string{
		"SLURM_JOB_ID=" + number, "SLURM_JOBID=" + number,
		"SLURM_JOB_PARTITION=" + r.Queue, "SLURM_CLUSTER_NAME=" + Cluster,
		"SLURM_JOB_NODELIST=" + host, "SLURM_NODELIST=" + host, "SLURMD_NODENAME=" + host,
		"SLURM_JOB_NUM_NODES=1", "SLURM_NNODES=1", "SLURM_NODEID=0", "SLURM_PROCID=0", "SLURM_LOCALID=0",
		"SLURM_CPUS_ON_NODE=" + cores, "SLURM_JOB_CPUS_PER_NODE=" + cores, "SLURM_TASKS_PER_NODE=1",
		"SLURM_JOB_START_TIME=" + emulate.Digits(r.Start.Unix()),
		"SLURM_RESTART_COUNT=" + emulate.Digits(max(r.Number, 1)-1),
	}
	if r.Time > 0 {
		set = append(set, "SLURM_JOB_END_TIME="+emulate.Digits(r.Start.Add(r.Time).Unix()))
	}
	if b.Array != "" {
		set = append(set, "SLURM_ARRAY_JOB_ID="+emulate.Digits(r.First()), "SLURM_ARRAY_TASK_ID="+emulate.Digits(b.Index))
	}
	if gpus := r.Needs["gpu"] / job.Thousandth; gpus > 0 {
		set = append(set, "SLURM_GPUS_ON_NODE="+emulate.Digits(gpus))
	}
	return set
}

// File is the name of an output file for a job, "slurm-%j.out" with the pattern
// filled in. A number between the percent sign and the letter pads with zeros; after
// a backslash nothing is a pattern.
func File(pattern string, r *emulate.Running) string {
	if strings.Contains(pattern, `\`) {
		return strings.ReplaceAll(pattern, `\`, "")
	}
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			out.WriteByte(pattern[i])
			continue
		}
		end := i + 1
		for end < len(pattern) && pattern[end] >= '0' && pattern[end] <= '9' {
			end++
		}
		if end == len(pattern) {
			return out.String() + pattern[i:]
		}
		width, _ := strconv.Atoi(pattern[i+1 : end])
		value, numeric, ok := patternValue(pattern[end], r)
		if !ok {
			out.WriteString(pattern[i : end+1])
		} else {
			if numeric {
				out.WriteString(strings.Repeat("0", max(0, min(width, 10)-len(value))))
			}
			out.WriteString(value)
		}
		i = end
	}
	return out.String()
}

func patternValue(letter byte, r *emulate.Running) (value string, numeric, ok bool) {
	switch letter {
	case '%':
		return "%", false, true
	case 'j', 'J':
		return emulate.Digits(uint64(r.Seq)), true, true
	case 'A':
		return emulate.Digits(r.First()), true, true
	case 'a':
		return arrayIndex(r), true, true
	case 'N':
		return emulate.ShortHost(r.Host), false, true
	case 'n', 's', 't':
		return "0", true, true
	case 'u':
		return r.Batch.User, false, true
	case 'x':
		return r.Batch.Name, false, true
	}
	return "", false, false
}

// arrayIndex is 4294967294 for a job that is no element, as Slurm has it.
func arrayIndex(r *emulate.Running) string {
	if r.Batch.Array == "" {
		return "4294967294"
	}
	return emulate.Digits(r.Batch.Index)
}
