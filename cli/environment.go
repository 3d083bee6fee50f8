package cli

import (
	"strings"

	"github.com/muster-queue/muster/job"
)

// resolveEnv gives settings of the form NAME the submitter's own value.
func resolveEnv(settings []string, getenv func(string) (string, bool)) ([]string, error) {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s
		if strings.Contains(s, "=") {
			continue
		}
		value, ok := getenv(s)
		if !ok {
			return nil, job.Errorf(job.Invalid, "--env %s: there is no such variable here; write --env %[1]s=VALUE", s)
		}
		out[i] = s + "=" + value
	}
	return out, nil
}
