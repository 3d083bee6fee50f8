package cli

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/muster-queue/muster/job"
)

// retentionFlags say for how long a server remembers what happened.
type retentionFlags struct {
	events, audit string
}

// forever is the length of time of what is never deleted.
const forever = "forever"

// addRetentionFlags adds them to those of a server.
func (s *serverFlags) addRetentionFlags(f *pflag.FlagSet) {
	f.StringVar(&s.retention.events, "keep-events", "", `how long "muster events" remembers what became of jobs, a `+"`TIME`"+` or forever; 30d when not given`)
	f.StringVar(&s.retention.audit, "keep-audit", "", "how long it remembers who changed what, a `TIME` or forever; 365d when not given")
	f.Int64Var(&s.cfg.Engine.EventsKept, "max-events", 0, "it remembers at most `N` of each in a namespace; 1000000 when not given")
}

// readRetention settles the flags that are not taken as they are.
func (s *serverFlags) readRetention() (err error) {
	if s.cfg.Engine.TasksKept, err = keptFor("keep-events", s.retention.events); err != nil {
		return err
	}
	s.cfg.Engine.AuditKept, err = keptFor("keep-audit", s.retention.audit)
	return err
}

// keptFor is a length of time, zero if none is given, negative for ever.
func keptFor(flag, text string) (time.Duration, error) {
	if text == forever {
		return -1, nil
	}
	d, err := optionalTime(flag, text)
	if err == nil && d == 0 && text != "" {
		return 0, job.Errorf(job.Invalid, "--%s %s: it must be longer; what happened is needed to tell why", flag, text)
	}
	return d, err
}
