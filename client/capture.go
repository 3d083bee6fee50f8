package client

import (
	"path"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// passing are variables that belong to one shell or login. They would make every
// environment a different one, and no command should depend on them.
var passing = []string{"_", "SHLVL", "PWD", "OLDPWD", "WINDOWID", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "STY", "TMUX", "TMUX_PANE", "COLUMNS", "LINES"}

// reaching are the variables of muster's own that go with the jobs, so that they
// can use the server they came from. The others are of one job, or secret.
var reaching = []string{EnvServer, EnvData, EnvCA, EnvTokenFile}

// secretParts are parts of names that tell a secret. What is captured is stored
// and can be read by whoever may look at the job.
var secretParts = []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "AUTH_SOCK"}

// Capture is what of an environment goes with jobs. Allow and Deny are patterns of
// names as the shell's for files: what is allowed goes although it is denied or
// looks secret.
type Capture struct {
	Allow, Deny []string
}

// Variables with patterns that always hold, separated by commas.
const (
	EnvAllow = "MUSTER_ENV_ALLOW"
	EnvDeny  = "MUSTER_ENV_DENY"
)

// NewCapture is what the flags --env-allow and --env-deny say, and MUSTER_ENV_ALLOW and
// MUSTER_ENV_DENY beside them: one does not replace the other. Errors: Invalid.
func NewCapture(allow, deny []string, getenv func(string) (string, bool)) (*Capture, error) {
	c := &Capture{}
	for _, x := range []struct {
		to       *[]string
		flag     string
		patterns []string
		variable string
	}{{&c.Allow, "--env-allow", allow, EnvAllow}, {&c.Deny, "--env-deny", deny, EnvDeny}} {
		value, _ := getenv(x.variable)
		for _, p := range slices.Concat(x.patterns, strings.Split(value, ",")) {
			if p = strings.TrimSpace(p); p == "" {
				continue
			}
			if _, err := path.Match(p, ""); err != nil {
				return nil, job.Errorf(job.Invalid, "%s (or %s): %.60q is no pattern; write one such as LC_* or *_KEY", x.flag, x.variable, p)
			}
			*x.to = append(*x.to, p)
		}
	}
	return c, nil
}

// Of is what goes with the jobs, sorted, and the names of what was held back because
// it looks like a secret.
func (c *Capture) Of(environ []string) (kept, held []string) {
	for _, setting := range environ {
		name, _, ok := strings.Cut(setting, "=")
		switch {
		case !ok || name == "":
		case strings.HasPrefix(name, "MUSTER_"):
			if slices.Contains(reaching, name) && (!matches(c.Deny, name) || matches(c.Allow, name)) {
				kept = append(kept, setting)
			}
		case matches(c.Allow, name):
			kept = append(kept, setting)
		case matches(c.Deny, name), slices.Contains(passing, name):
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

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}

func secret(name string) bool {
	upper := strings.ToUpper(name)
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(upper, part) })
}
