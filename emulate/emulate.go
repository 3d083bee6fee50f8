// Package emulate is what muster knows of other batch systems in common: jobs as
// their commands ask for them and show them, arrays, scripts, the names of output
// files. Packages slurm and lsf below it read the options of sbatch, squeue, bsub,
// bjobs and the like and write their answers; the command line asks the server, and
// agents set what a job sees. Nothing here does any I/O.
package emulate

import (
	"fmt"
	"time"

	"github.com/muster-queue/muster/job"
)

// Caller is who calls a command, and where.
type Caller struct {
	User, Host string
	// Dir is the present directory, absolute.
	Dir string
	// Getenv is the environment.
	Getenv func(string) string
	Now    time.Time
}

// Submission is what a command that adds a job asks for.
type Submission struct {
	// Job is what is to be added: without a key, without what it waits for, and
	// for an array without its index.
	Job *job.Job
	// Array has the indices of an array; nil for a single job.
	Array *Array
	// Waits are all to be met before it starts.
	Waits []Wait
	// Export says which of the caller's environment goes with it.
	Export Export
	// Sync: the command ends with the job.
	Sync bool
	// Singleton: one at a time of this name.
	Singleton bool
}

// Wait is one dependency, on the job of a number or on those of a name.
type Wait struct {
	Number uint64
	// Index is of an element of the array Number; nil for all of it. Each: of the
	// element with the same index.
	Index *int64
	Each  bool
	// Head is the array Number once it was looked up, when Each.
	Head *Shown
	// Name, when there is no number; it may end with "*".
	Name      string
	Condition job.Condition
}

// Export is which variables of the caller's environment a job gets.
type Export struct {
	// All are passed on, or only those named.
	All   bool
	Names []string
	// Set are "NAME=value".
	Set []string
}

// Failure is how a command of another system ends that did not succeed.
type Failure struct {
	// Text is for stderr, with its line ends.
	Text string
	Code int
}

// Error is the text.
func (f *Failure) Error() string { return f.Text }

// Fail makes a Failure with one line of text.
func Fail(code int, format string, args ...any) *Failure {
	return &Failure{Text: fmt.Sprintf(format, args...) + "\n", Code: code}
}
