// Package lsf reads the options of LSF's commands (bsub, bjobs, bkill, bhosts and the
// like) and writes answers as they do, for jobs of muster. It also has what a job sees
// of LSF in its environment and in the names of its output files. The command line of
// muster and its agents call it; it does no I/O.
package lsf

import (
	"errors"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Version is what -V answers.
const Version = "IBM Spectrum LSF 10.1.0.14, as muster has it"

// Commands are those that are emulated.
var Commands = []string{"bsub", "bjobs", "bkill"}

// Conf is what programs read in lsf.conf: in which unit -M and mem= are.
const Conf = "LSF_UNIT_FOR_LIMITS=MB\nLSB_JOB_MEMLIMIT=y\n"

// exitCode is that of every command which fails.
const exitCode = 255

// usage is how a command ends that has an option it does not know.
func usage(command, after string, err error) error {
	unknown, ok := errors.AsType[*option.Unknown](err)
	switch {
	case !ok:
		return emulate.Fail(exitCode, "%s.%s", err, after)
	case unknown.Missing:
		return emulate.Fail(exitCode, "%s: option requires an argument -- %s\n%s", command, strings.TrimLeft(unknown.As, "-"), uses[command])
	}
	return emulate.Fail(exitCode, "%s: illegal option -- %s\n%s", command, strings.TrimLeft(unknown.As, "-"), uses[command])
}

// uses are what is said with an option that is not known.
var uses = map[string]string{
	"bsub":  "Usage: bsub [options] command [argument ...]\n       bsub [options] < script",
	"bjobs": "Usage: bjobs [options] [job_ID | \"job_ID[index]\" ...]",
	"bkill": "Usage: bkill [options] job_ID | 0 | \"job_ID[index]\" ...",
}

// Use is how a command is called.
func Use(command string) string { return uses[command] }

// Failure is how a command ends for an error of muster's.
func Failure(command string, err error) error {
	after := ""
	if command == "bsub" {
		after = " Job not submitted."
	}
	return emulate.Fail(exitCode, "%s.%s", strings.TrimSuffix(err.Error(), "."), after)
}

// stateOf is the state that a job is in for LSF.
func stateOf(s *emulate.Shown) string {
	switch s.State {
	case job.Complete:
		return "DONE"
	case job.Buried:
		return "EXIT"
	case job.Running:
		return "RUN"
	case job.Lost:
		return "UNKWN"
	case job.Delayed:
		if s.Due.Sub(s.Since) > heldFor/2 {
			return "PSUSP"
		}
	}
	return "PEND"
}

// name is a job's name, with its index if it is an element.
func name(s *emulate.Shown) string {
	if s.Element() {
		return s.Name() + "[" + emulate.Digits(s.Batch().Index) + "]"
	}
	return s.Name()
}

// id is how messages name a job: its number, and the index if it is an element.
func id(s *emulate.Shown) string {
	if s.Element() {
		return emulate.Digits(s.First()) + "[" + emulate.Digits(s.Batch().Index) + "]"
	}
	return emulate.Digits(uint64(s.Seq))
}

func idText(id emulate.ID) string {
	if id.Index == nil {
		return emulate.Digits(id.Number)
	}
	return emulate.Digits(id.Number) + "[" + emulate.Digits(*id.Index) + "]"
}

// parseIDs reads "5", "7[2]", "7[3-5]".
func parseIDs(word string) ([]emulate.ID, error) {
	digits, indices, element := strings.Cut(word, "[")
	n, err := parseNumber(digits)
	if err != nil || element && !strings.HasSuffix(indices, "]") {
		return nil, job.Errorf(job.Invalid, "%s: Illegal job ID", word)
	}
	indices = strings.TrimSuffix(indices, "]")
	if !element || indices == "*" {
		return []emulate.ID{{Number: n}}, nil
	}
	a, err := emulate.ParseArray(indices, 1)
	if err != nil {
		return nil, job.Errorf(job.Invalid, "%s: Illegal job array index", word)
	}
	ids := make([]emulate.ID, len(a.Indices))
	for i := range a.Indices {
		ids[i] = emulate.ID{Number: n, Index: &a.Indices[i]}
	}
	return ids, nil
}
