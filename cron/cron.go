// Package cron decides when what recurs is due: it reads schedule expressions,
// tells the times that one stands for, and what is to be made up for after a
// time in which nobody could look. It is pure: the present is an argument.
//
// Package engine keeps the schedules of a namespace and calls it; package cli
// calls it to check what a user typed and to show the times to come.
package cron

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Schedule adds a job again and again.
type Schedule struct {
	Name string `cbor:"1,keyasint"`
	// Expression and Zone are as for Parse.
	Expression string `cbor:"2,keyasint"`
	Zone       string `cbor:"3,keyasint,omitempty"`
	// Job is what each firing adds, but for its key, which is made of the
	// schedule's name and the time.
	Job *job.Job `cbor:"-"`
	// Missed says what about times that passed unseen, MissedMax of how many of
	// them at most a job is made with MissedAll; zero: DefaultMissedMax.
	Missed    Missed `cbor:"4,keyasint,omitempty"`
	MissedMax int    `cbor:"5,keyasint,omitempty"`
	// Overlap says what about a time at which the last job is unfinished.
	Overlap Overlap `cbor:"6,keyasint,omitempty"`
	Paused  bool    `cbor:"7,keyasint,omitempty"`
	// Start and End bound the times: none before the one, none at or after the other.
	Start job.Time `cbor:"8,keyasint,omitempty"`
	End   job.Time `cbor:"9,keyasint,omitempty"`
}

// Missed says what becomes of times that passed while nobody could look: no
// server ran, or the namespace was paused away.
type Missed uint8

// The policies for missed times.
const (
	// MissedOnce makes one job for all of them together, the newest.
	MissedOnce Missed = iota
	// MissedSkip makes none.
	MissedSkip
	// MissedAll makes one for each, for the newest so many.
	MissedAll
)

// Overlap says what a schedule does when its last job is unfinished: waiting,
// running or lost. A buried one is finished.
type Overlap uint8

// The policies for overlap.
const (
	// OverlapSkip makes no job then.
	OverlapSkip Overlap = iota
	// OverlapAllow makes one all the same.
	OverlapAllow
	// OverlapReplace makes one and cancels the last.
	OverlapReplace
)

// Bounds.
const (
	// Grace is how late a time may be seen without being missed.
	Grace = time.Minute
	// DefaultMissedMax and MaxMissed bound the jobs made for missed times.
	DefaultMissedMax = 10
	MaxMissed        = 1000
	// maxKeyName leaves room for the time in the key.
	maxKeyName = 200
)

var (
	missedWords  = []string{"once", "skip", "all"}
	overlapWords = []string{"skip", "allow", "replace"}
)

// String is the policy's word.
func (m Missed) String() string { return word(missedWords, int(m)) }

// String is the policy's word.
func (o Overlap) String() string { return word(overlapWords, int(o)) }

func word(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "unknown"
}

// ParseMissed is the policy of a word; the empty one is the default, once.
// Errors: Invalid.
func ParseMissed(s string) (Missed, error) {
	i, err := parseWord("missed", s, missedWords)
	return Missed(i), err
}

// ParseOverlap is the policy of a word; the empty one is the default, skip.
// Errors: Invalid.
func ParseOverlap(s string) (Overlap, error) {
	i, err := parseWord("overlap", s, overlapWords)
	return Overlap(i), err
}

func parseWord(what, s string, words []string) (int, error) {
	for i, w := range words {
		if s == w {
			return i, nil
		}
	}
	if s == "" {
		return 0, nil
	}
	return 0, job.Errorf(job.Invalid, "%s: %.40q; it is %s, %s or %s", what, s, words[0], words[1], words[2])
}

// Validate checks the schedule and gives its expression, which counts intervals
// from the time given. Errors: Invalid.
func (s *Schedule) Validate(from time.Time) (*Expression, error) {
	if err := job.CheckName("schedule", s.Name); err != nil {
		return nil, err
	}
	if len(s.Name) > maxKeyName {
		return nil, job.Errorf(job.Invalid, "schedule: a name of %d bytes; at most %d", len(s.Name), maxKeyName)
	}
	if s.MissedMax < 0 || s.MissedMax > MaxMissed {
		return nil, job.Errorf(job.Invalid, "schedule %s: at most %d missed times can be made up for, not %d", s.Name, MaxMissed, s.MissedMax)
	}
	if s.End != 0 && s.End <= s.Start {
		return nil, job.Errorf(job.Invalid, "schedule %s: it ends before it begins", s.Name)
	}
	if err := s.checkJob(); err != nil {
		return nil, job.Wrap(err, "the job of schedule", s.Name)
	}
	if s.Start != 0 {
		from = s.Start.Std()
	}
	e, err := Parse(s.Expression, s.Zone, from)
	return e, job.Wrap(err, "read schedule", s.Name)
}

func (s *Schedule) checkJob() error {
	switch {
	case s.Job == nil:
		return job.Errorf(job.Invalid, "there is none: give a command")
	case s.Job.Key != "":
		return job.Errorf(job.Invalid, "it has a key; a schedule gives each of its jobs a key of its own, of its name and the time")
	case !s.Job.NotBefore.IsZero():
		return job.Errorf(job.Invalid, "it has a time before which it does not run; the schedule says when")
	}
	return s.JobAt(time.Unix(0, 0)).Validate()
}

// Key is the key of the job for a time.
func (s *Schedule) Key(at time.Time) job.Key {
	return job.Key(s.Name + "@" + at.UTC().Format(time.RFC3339Nano))
}

// The variables that tell a job which schedule made it, and for which time.
const (
	EnvName = "MUSTER_CRON"
	EnvTime = "MUSTER_CRON_TIME"
)

// JobAt is the job for a time. Where the schedule's does not say, its group is the
// schedule's name.
func (s *Schedule) JobAt(at time.Time) *job.Job {
	j := *s.Job
	j.Key = s.Key(at)
	if j.Group == "" {
		j.Group = s.Name
	}
	if j.Command != nil {
		c := *j.Command
		c.Env = append(append([]string(nil), c.Env...), EnvName+"="+s.Name, EnvTime+"="+at.UTC().Format(time.RFC3339Nano))
		j.Command = &c
	}
	j.Normalise()
	return &j
}

// maxDetail bounds the command in Settings.
const maxDetail = 1000

// Settings are the schedule's settings that are not their default, as text, for the
// namespace's log.
func (s *Schedule) Settings() map[string]string {
	m := map[string]string{"schedule": s.Name, "expression": s.Expression}
	put := func(name, value string, is bool) {
		if is {
			m[name] = value
		}
	}
	put("zone", s.Zone, s.Zone != "")
	put("missed", s.Missed.String(), s.Missed != 0)
	put("missed_max", strconv.Itoa(s.MissedMax), s.MissedMax != 0)
	put("overlap", s.Overlap.String(), s.Overlap != 0)
	put("paused", "true", s.Paused)
	put("start", s.Start.Std().Format(time.RFC3339), s.Start != 0)
	put("end", s.End.Std().Format(time.RFC3339), s.End != 0)
	if s.Job != nil {
		put("queue", s.Job.Queue, s.Job.Queue != "")
		if s.Job.Command != nil {
			text := s.Job.Command.String()
			m["command"] = strings.ToValidUTF8(text[:min(len(text), maxDetail)], "")
		}
		if body, err := job.Encode(nil, s.Job); err == nil {
			m["job"] = fmt.Sprintf("%.8x", sha256.Sum256(body))
		}
	}
	return m
}
