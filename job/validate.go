package job

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of section 5 of the design.
const (
	MaxKey     = 4 << 10
	MaxJob     = 1 << 20
	MaxData    = 16 << 20
	MaxName    = 255
	MaxList    = 1000
	MaxAmount  = 1 << 60
	MaxTime    = 10 * 365 * 24 * time.Hour
	MaxRetries = 1_000_000
)

// Validate checks a normalised job. The error is Invalid and names the field.
func (j *Job) Validate() error {
	for _, check := range []func() error{j.checkIdentity, j.checkWork, j.checkNumbers, j.checkLists} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) checkIdentity() error {
	if err := CheckName("queue", j.Queue); err != nil {
		return err
	}
	if len(j.Key) > MaxKey || len(j.Key) == 0 && j.IsCommand() {
		return Errorf(Invalid, "key: %d bytes; a key has at most %d, and only that of a job with data may be empty", len(j.Key), MaxKey)
	}
	for _, f := range []struct{ field, value string }{{"group", j.Group}, {"kind", j.Kind}, {"account", j.Account}, {"submitter", j.Submitter}} {
		if err := checkText(f.field, f.value); err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) checkWork() error {
	switch {
	case j.Command != nil && j.Data != nil:
		return Errorf(Invalid, "a job has a command or data, not both")
	case j.Command == nil && j.Data == nil:
		return Errorf(Invalid, "a job needs a command or data")
	case len(j.Data) > MaxData:
		return Errorf(Invalid, "data: %d bytes; at most %d", len(j.Data), MaxData)
	case j.Command != nil:
		return j.Command.Validate()
	}
	return nil
}

func (j *Job) checkNumbers() error {
	if math.IsNaN(j.Priority) || math.IsInf(j.Priority, 0) {
		return Errorf(Invalid, "priority: %v is not a finite number", j.Priority)
	}
	if j.Time < 0 || j.Time > MaxTime {
		return Errorf(Invalid, "time: %v; it must be positive and at most ten years", j.Time)
	}
	if j.Lease != 0 && (j.Lease < MinLease || j.Lease > MaxLease) {
		return Errorf(Invalid, "lease: %v; it must be between %v and %v", j.Lease, MinLease, MaxLease)
	}
	if j.Retries != nil && (*j.Retries < 0 || *j.Retries > MaxRetries) {
		return Errorf(Invalid, "retries: %d; it must be between 0 and %d", *j.Retries, MaxRetries)
	}
	if j.NoRetryAfter < 0 {
		return Errorf(Invalid, "no_retry_after: %v; it must not be negative", j.NoRetryAfter)
	}
	if j.Override > OverrideAlways || j.OnLost > OnLostHold {
		return Errorf(Invalid, "override or on_lost has an unknown value")
	}
	return j.Needs.Validate()
}

func (j *Job) checkLists() error {
	if n := len(j.Labels) + len(j.Prefer) + len(j.Limits); n > MaxList {
		return Errorf(Invalid, "labels and limits: %d together; at most %d", n, MaxList)
	}
	if err := j.checkDependencies(); err != nil {
		return err
	}
	if err := j.Labels.Validate("labels"); err != nil {
		return err
	}
	if err := j.Prefer.Validate("prefer"); err != nil {
		return err
	}
	return checkLimits(j.Limits)
}

func (j *Job) checkDependencies() error {
	if len(j.DepGroups) > MaxDepGroups || len(j.Dependencies) > MaxDependencies {
		return Errorf(Invalid, "%d dependency groups and %d dependencies; at most %d and %d: let what many jobs wait for be a group",
			len(j.DepGroups), len(j.Dependencies), MaxDepGroups, MaxDependencies)
	}
	for _, name := range j.DepGroups {
		if err := CheckName("dependency group", name); err != nil {
			return err
		}
	}
	for i := range j.Dependencies {
		if err := j.Dependencies[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks the amounts: none negative, none absurd.
func (r Resources) Validate() error {
	if len(r) > MaxList {
		return Errorf(Invalid, "resources: %d names; at most %d", len(r), MaxList)
	}
	for name, v := range r {
		if err := CheckName("resource", name); err != nil {
			return err
		}
		if v < 0 || v > MaxAmount {
			return Errorf(Invalid, "resource %s: %d; it must be between 0 and %d", name, v, int64(MaxAmount))
		}
	}
	return nil
}

// Validate checks what is run and where.
func (c *Command) Validate() error {
	if (c.Line == "") == (len(c.Argv) == 0) {
		return Errorf(Invalid, "command: give a shell line or an argument list, one of them")
	}
	if len(c.Argv) > 0 && c.Argv[0] == "" {
		return Errorf(Invalid, "command: the program's name is empty")
	}
	size := len(c.Line)
	for _, a := range c.Argv {
		size += len(a) + 1
	}
	for _, e := range c.Env {
		size += len(e) + 1
		if k, _, ok := strings.Cut(e, "="); !ok || k == "" {
			return Errorf(Invalid, "env: %q is not of the form NAME=value", e)
		}
	}
	if err := c.checkVariables(); err != nil {
		return err
	}
	if size > MaxJob {
		return Errorf(Invalid, "command: %d bytes; at most %d", size, MaxJob)
	}
	if err := c.checkWords(); err != nil {
		return err
	}
	words := [...]string{c.Line, c.Dir, c.Shell, c.User, c.UnixGroup, c.Image}
	for _, texts := range [...][]string{words[:], c.Argv, c.Env} {
		for _, t := range texts {
			if strings.IndexByte(t, 0) >= 0 {
				return Errorf(Invalid, "command: contains a NUL byte, which no command line can carry")
			}
		}
	}
	if err := c.checkEmulation(); err != nil {
		return err
	}
	if c.Grace < 0 || c.Grace > time.Hour {
		return Errorf(Invalid, "grace: %v; it must be between 0 and one hour", c.Grace)
	}
	if c.Keep > MaxJob/4 {
		return Errorf(Invalid, "keep: %d bytes; at most %d", c.Keep, MaxJob/4)
	}
	return nil
}

// MaxWord is the longest word, a shell line among them, that Linux hands to a
// program (MAX_ARG_STRLEN less its end).
const MaxWord = 128<<10 - 1

func (c *Command) checkWords() error {
	long := len(c.Line)
	for _, a := range c.Argv {
		long = max(long, len(a))
	}
	if long > MaxWord {
		return Errorf(Invalid, "command: a line or word of %d bytes; the system takes %d: put it into a script file", long, MaxWord)
	}
	return nil
}

// Validate checks a queue's name and settings.
func (q *Queue) Validate() error {
	if err := CheckName("queue", q.Name); err != nil {
		return err
	}
	if q.Lease != 0 && (q.Lease < MinLease || q.Lease > MaxLease) {
		return Errorf(Invalid, "queue %s: lease %v; it must be between %v and %v", q.Name, q.Lease, MinLease, MaxLease)
	}
	for _, f := range []struct {
		field string
		v     int64
	}{{"min_memory", q.MinMemory}, {"max_running", q.MaxRunning}, {"max_per_request", q.MaxPerRequest}, {"max_attempts", q.MaxAttempts}} {
		if f.v < 0 {
			return Errorf(Invalid, "queue %s: %s %d is negative", q.Name, f.field, f.v)
		}
	}
	if q.Interval < 0 || q.Interval > MaxTime {
		return Errorf(Invalid, "queue %s: interval %v; it must be positive and at most ten years", q.Name, q.Interval)
	}
	if q.KeepFinished != nil && *q.KeepFinished < 0 || q.KeepFinishedFor < 0 || q.KeepAttempts < 0 {
		return Errorf(Invalid, "queue %s: keep_finished, keep_finished_for and keep_attempts must not be negative", q.Name)
	}
	if q.Continuous && q.Defined() && !q.CanBeContinuous {
		return Errorf(Invalid, "queue %s: its definition does not let it be continuous", q.Name)
	}
	if err := q.Labels.Validate("queue " + q.Name + ": labels"); err != nil {
		return err
	}
	if err := q.Prefer.Validate("queue " + q.Name + ": prefer"); err != nil {
		return err
	}
	if len(q.Definition) > MaxData {
		return Errorf(Invalid, "queue %s: definition of %d bytes; at most %d", q.Name, len(q.Definition), MaxData)
	}
	return nil
}

// CheckName checks the name of a queue, namespace, limit, resource: 1 to MaxName
// bytes of UTF-8 without control characters.
func CheckName(field, name string) error {
	if name == "" {
		return Errorf(Invalid, "%s: the name is empty", field)
	}
	return checkText(field, name)
}

// CheckKind refuses what cannot be the name of a kind. The error is Invalid.
func CheckKind(name string) error { return checkText("kind", name) }

func checkText(field, s string) error {
	if len(s) > MaxName {
		return Errorf(Invalid, "%s: %d bytes; at most %d", field, len(s), MaxName)
	}
	if plainASCII(s) {
		return nil
	}
	if !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return Errorf(Invalid, "%s: %s has control characters or is not UTF-8", field, fmt.Sprintf("%.40q", s))
	}
	return nil
}

// plainASCII is the usual case, decided quickly: there are millions of jobs.
func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
