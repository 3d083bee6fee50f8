package slurm

import (
	"strconv"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// conditions are the ends that the words of --dependency mean.
var conditions = map[string]job.Condition{
	"afterok": job.ConditionOK, "afternotok": job.ConditionFailed, "afterany": job.ConditionAny, "aftercorr": job.ConditionOK,
}

// dependencies reads "afterok:1:2,afterany:3_4,singleton".
func (r *sbatch) dependencies(s *emulate.Submission) error {
	if r.depend == "" {
		return nil
	}
	if strings.Contains(r.depend, "?") {
		return job.Errorf(job.Invalid, "--dependency=%s: of several dependencies a job of muster waits for all; \"?\" (any of them) cannot be had", r.depend)
	}
	for part := range strings.SplitSeq(r.depend, ",") {
		word, list, _ := strings.Cut(part, ":")
		word = strings.ToLower(word)
		condition, known := conditions[word]
		switch {
		case word == "singleton" && list == "":
			s.Singleton = true
			continue
		case word == "after":
			return job.Errorf(job.Invalid, "--dependency=%s: muster has no dependency on the start of a job, only on its end: afterok, afternotok, afterany", part)
		case !known || list == "":
			return job.Errorf(job.Invalid, "--dependency=%s: write afterok:NUMBER, afternotok:NUMBER, afterany:NUMBER, aftercorr:NUMBER or singleton", part)
		}
		for id := range strings.SplitSeq(list, ":") {
			n, index, err := ParseID(id)
			if err != nil {
				return job.Errorf(job.Invalid, "--dependency=%s: %w", part, err)
			}
			s.Waits = append(s.Waits, emulate.Wait{Number: n, Index: index, Each: word == "aftercorr", Condition: condition})
		}
	}
	return nil
}

// ParseID reads the number of a job, or with "_3" of an element. What follows a dot,
// the name of a step, is left out.
func ParseID(id string) (number uint64, index *int64, err error) {
	bad := job.Errorf(job.Invalid, "Invalid job id specified: %q", id)
	id, _, _ = strings.Cut(id, ".")
	id, element, isElement := strings.Cut(id, "_")
	number, err = strconv.ParseUint(id, 10, 62)
	if err != nil || number == 0 {
		return 0, nil, bad
	}
	if !isElement {
		return number, nil, nil
	}
	n, err := strconv.ParseUint(element, 10, 31)
	if err != nil {
		return 0, nil, bad
	}
	return number, new(int64(n)), nil
}
