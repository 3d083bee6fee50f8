package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/job"
)

// logFlags say how much servers and agents tell.
type logFlags struct {
	level string
	json  bool
}

func addLogFlags(cmd *cobra.Command) *logFlags {
	l := &logFlags{}
	cmd.Flags().StringVar(&l.level, "log-level", "info", "`LEVEL`: debug, info, warn or error")
	cmd.Flags().BoolVar(&l.json, "log-json", false, "write the log as JSON, one object a line")
	return l
}

// logger writes to stderr.
func (l *logFlags) logger(a *app) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return nil, job.Errorf(job.Invalid, "--log-level %s: there are debug, info, warn and error", l.level)
	}
	o := &slog.HandlerOptions{Level: level}
	if l.json {
		return slog.New(slog.NewJSONHandler(a.err, o)), nil
	}
	return slog.New(slog.NewTextHandler(a.err, o)), nil
}
