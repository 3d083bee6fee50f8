package cli

import (
	"slices"
	"strings"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// passing are variables that belong to one shell or login. They would make every
// environment a different one, and no command should depend on them.
var passing = []string{"_", "SHLVL", "PWD", "OLDPWD", "WINDOWID", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "STY", "TMUX", "TMUX_PANE", "COLUMNS", "LINES"}

// reaching are the variables of muster's own that go with the jobs, so that they
// can use the server they came from. The others are of one job, or secret.
var reaching = []string{client.EnvServer, client.EnvData, client.EnvCA, client.EnvTokenFile}

// secretParts are parts of names that tell a secret. What is captured is stored
// and can be read by whoever may look at the job.
var secretParts = []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "AUTH_SOCK"}

// captureEnvironment is what of an environment goes with the jobs, sorted, and
// the names of what was held back because it looks like a secret.
func captureEnvironment(environ []string) (kept, held []string) {
	for _, setting := range environ {
		name, _, ok := strings.Cut(setting, "=")
		switch {
		case !ok || name == "" || slices.Contains(passing, name):
		case strings.HasPrefix(name, "MUSTER_"):
			if slices.Contains(reaching, name) {
				kept = append(kept, setting)
			}
		case secret(name):
			held = append(held, name)
		default:
			kept = append(kept, setting)
		}
	}
	slices.Sort(kept)
	slices.Sort(held)
	return kept, held
}

func secret(name string) bool {
	upper := strings.ToUpper(name)
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(upper, part) })
}

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
