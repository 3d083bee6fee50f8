package cli

import (
	"strings"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// capture is what of an environment goes with jobs.
type capture struct{ *client.Capture }

const (
	envAllow = client.EnvAllow
	envDeny  = client.EnvDeny
)

func newCapture(allow, deny []string, getenv func(string) (string, bool)) (*capture, error) {
	c, err := client.NewCapture(allow, deny, getenv)
	return &capture{c}, err
}

func (c *capture) of(environ []string) (kept, held []string) { return c.Of(environ) }

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
