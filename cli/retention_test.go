package cli

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// settings is the configuration of the engine that flags of a server make.
func settings(t *testing.T, args ...string) (engine.Config, error) {
	t.Helper()
	s := &serverFlags{}
	a := newApp(System{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard})
	if err := s.command(a).ParseFlags(append(args, "--no-agent")); err != nil {
		t.Fatal(err)
	}
	cfg, err := s.config(a)
	return cfg.Server.Engine, err
}

func TestRetentionReachesTheEngine(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		args          []string
		events, audit time.Duration
		most          int64
	}{
		{nil, 0, 0, 0},
		{[]string{"--keep-events", "2d12h"}, 60 * time.Hour, 0, 0},
		{[]string{"--keep-audit=730d", "--max-events=5"}, 0, 730 * day, 5},
		{[]string{"--keep-events=1h", "--keep-audit=forever"}, time.Hour, -1, 0},
	} {
		got, err := settings(t, c.args...)
		if err != nil || got.TasksKept != c.events || got.AuditKept != c.audit || got.EventsKept != c.most {
			t.Errorf("%q: %v, %v, %d; %v", c.args, got.TasksKept, got.AuditKept, got.EventsKept, err)
		}
	}
	for _, arg := range []string{"--keep-events=0", "--keep-events=-1d", "--keep-audit=0s", "--keep-audit=never"} {
		if _, err := settings(t, arg); !job.IsKind(err, job.Invalid) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}
