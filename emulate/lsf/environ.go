package lsf

import (
	"strings"

	"github.com/muster-queue/muster/emulate"
)

// Environ are those variables of a job that are known only when it starts. A job of
// muster's own that wants the commands of LSF, or none at all, learns only where they are.
func Environ(r *emulate.Running, bin string) []string {
	set := []string{"LSF_BINDIR=" + bin, "LSF_SERVERDIR=" + bin, "LSF_LIBDIR=" + bin, "LSF_ENVDIR=" + bin}
	if r == nil || r.Batch == nil {
		return set
	}
	b := r.Batch
	cores, host := emulate.CoresOf(r.Needs), r.Host
	number, index, name := emulate.Digits(r.First()), "0", b.Name
	if b.Array != "" {
		index = emulate.Digits(b.Index)
		name += "[" + index + "]"
	}
	return append(set,
		"LSB_JOBID="+number, "LSB_JOBINDEX="+index, "LSB_BATCH_JID="+number, "LSB_JOBNAME="+name, "LSB_QUEUE="+r.Queue,
		"LSB_HOSTS="+strings.TrimSpace(strings.Repeat(host+" ", int(min(cores, 1024)))),
		"LSB_MCPU_HOSTS="+host+" "+emulate.Digits(cores), "LSB_DJOB_NUMPROC="+emulate.Digits(cores), "LSB_MAX_NUM_PROCESSORS="+emulate.Digits(cores),
		"LSB_OUTPUTFILE="+File(b.Stdout, r), "LSB_ERRORFILE="+File(b.Stderr, r), "LSB_EXEC_CLUSTER=muster", "LSB_BIND_CPU_LIST=",
	)
}

// File is the name of an output file for a job: %J is its number, %I its index.
func File(pattern string, r *emulate.Running) string {
	index := "0"
	if r.Batch.Array != "" {
		index = emulate.Digits(r.Batch.Index)
	}
	return strings.NewReplacer("%J", emulate.Digits(r.First()), "%I", index, "%%", "%").Replace(pattern)
}
