package external

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Bounds of what dispatchers say.
const (
	// MaxNews is the most tasks that one call tells of, MaxIdle the most workers
	// that one call asks for.
	MaxNews = 10_000
	MaxIdle = 1000
	// MaxLabels is the most labels of a worker, or dimensions of a task's slice;
	// MaxLabel is the longest of them, in bytes. Tags have the same bounds.
	MaxLabels = 1000
	MaxLabel  = 1024
	// MaxText bounds all labels, or all tags, of one worker or task, in bytes.
	MaxText = 64 << 10
	// MaxAhead is how far beyond the server's clock the time of idle workers may be.
	// Whatever is beyond it counts as now: a pool's time never goes back, and who
	// moved it would let accounts gain what they never waited for.
	MaxAhead = time.Hour
)

// News is how a task stood at a time.
type News struct {
	// Time of the news; zero, or ahead of the server's clock: now.
	Time time.Time
	Task Task
	// Wrong is why the rest cannot be read; nil: it can.
	Wrong error
}

// Task is a task as its dispatcher tells of it.
type Task struct {
	ID string
	// Tags may say who pays, see Account.
	Tags []string
	// Slices are what a worker must have, see Labels; of tasks that wait.
	Slices [][]string
	State  State
	// Worker is where it runs.
	Worker string
	// Enqueued is since when it waits; zero: since the time of the news. Ahead of the
	// server's clock: now.
	Enqueued time.Time
}

// Worker is one that has nothing to do.
type Worker struct {
	ID     string
	Labels []string
}

// State is how a task stands. The first four of its eight bits are a category,
// which is all that matters here.
type State int32

// What the categories of states mean.
const (
	waiting State = 0x10
	running State = 0x20
	// Ended, perhaps for a moment; has run; will never run.
	lastGone State = 0x50
)

// category is the category of a state; false for one that is unknown.
func (s State) category() (State, bool) {
	c := s &^ 0x0f
	return c, c >= waiting && c <= lastGone
}

// Labels are what a worker must have to run a task (base), and what it had better
// have since it can be given it (provisionable). One slice: all of it is base.
// Two: the second is base, and what the first has beyond it provisionable.
func Labels(sliced [][]string) (base, provisionable []string, err error) {
	switch len(sliced) {
	case 1:
		return compact(sliced[0]), nil, nil
	case 2:
		first := compact(sliced[0])
		base = compact(sliced[1])
		for _, l := range base {
			if _, found := slices.BinarySearch(first, l); !found {
				return nil, nil, job.Errorf(job.Invalid, "the second slice has %.100q, which the first has not; it must be a part of the first", l)
			}
		}
		return base, slices.DeleteFunc(first, func(l string) bool {
			_, found := slices.BinarySearch(base, l)
			return found
		}), nil
	}
	return nil, nil, job.Errorf(job.Invalid, "%s; a task has one or two", job.Plural(int64(len(sliced)), "slice"))
}

// compact is a sorted copy, each label once.
func compact(labels []string) []string {
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// accountTag is what a tag begins with that says who pays.
const accountTag = "qs_account:"

// Account is who pays for a task, by its tags; empty: nobody.
func Account(tags []string) (account string, err error) {
	found := false
	for _, tag := range tags {
		name, ok := strings.CutPrefix(tag, accountTag)
		if !ok {
			continue
		}
		if found {
			return "", job.Errorf(job.Invalid, "two tags say who pays: %.60q and %.60q", account, name)
		}
		account, found = name, true
	}
	if len(account) > job.MaxName {
		return "", job.Errorf(job.Invalid, "the name of its account has %d bytes; at most %d", len(account), job.MaxName)
	}
	return account, nil
}

// checkTexts checks the size of labels or tags.
func checkTexts(what string, list []string) error {
	if len(list) > MaxLabels {
		return job.Errorf(job.Invalid, "%d %ss; at most %d", len(list), what, MaxLabels)
	}
	total := 0
	for _, text := range list {
		if len(text) > MaxLabel {
			return job.Errorf(job.Invalid, "a %s of %d bytes; at most %d", what, len(text), MaxLabel)
		}
		total += len(text)
	}
	if total > MaxText {
		return job.Errorf(job.Invalid, "%ss of %d bytes together; at most %d", what, total, MaxText)
	}
	return nil
}

// checkTime refuses times that nobody can know yet.
func checkTime(t, now time.Time) error {
	if t.Sub(now) > MaxAhead {
		return job.Errorf(job.Invalid, "time: %s is %v ahead of this server's clock; one of the two is wrong", t.UTC().Format(time.RFC3339), t.Sub(now).Round(time.Second))
	}
	return checkOld(t)
}

// checkOld refuses times of which there is no record.
func checkOld(t time.Time) error {
	if t.Before(earliest) {
		return job.Errorf(job.Invalid, "time: %s is before 1970", t.UTC().Format(time.RFC3339))
	}
	return nil
}

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

var earliest = time.Unix(0, 0)
