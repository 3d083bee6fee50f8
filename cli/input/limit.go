package input

import (
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// setLimits takes a list of NAME, NAME*WEIGHT and, as in wr, NAME:LIMIT, each also in one
// text with commas, or an object of weights by name.
func setLimits(t *target, v any) error {
	texts, err := limitTexts(v)
	if err != nil {
		return err
	}
	t.job.Limits = nil
	for _, text := range texts {
		use, set, err := job.ParseLimitGiven(text)
		if err != nil {
			return err
		}
		t.job.Limits = append(t.job.Limits, use)
		switch {
		case set == nil:
		case t.setLimit == nil:
			return job.Errorf(job.Invalid, "%q: a limit is set with muster limit set, or where jobs are added; name it alone here", text)
		default:
			t.setLimit(set)
		}
	}
	return nil
}

func limitTexts(v any) ([]string, error) {
	if _, weights := v.(map[string]any); weights {
		list, err := pairs(v)
		if err != nil {
			return nil, err
		}
		all := make([]string, len(list))
		for i, p := range list {
			all[i] = p[0] + "*" + p[1]
		}
		return all, nil
	}
	list, err := texts(v)
	if err != nil {
		return nil, wrong(`a list of names, as ["db", "gpu*2"], or weights by name, as {"db": 1, "gpu": 2}`)
	}
	var all []string
	for _, text := range list {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return slices.Clip(all), nil
}
