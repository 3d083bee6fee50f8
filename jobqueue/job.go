package jobqueue

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// What Job.Override can be: whether needs learned from earlier jobs of the ReqGroup
// take the place of the given ones.
const (
	OverrideNo     uint8 = 0 // the learned ones, where they are known
	OverrideHigher uint8 = 1 // the given ones, where they are higher
	OverrideAlways uint8 = 2 // the given ones
)

// MB is the unit of memory, in bytes.
const MB = 1 << 20

// Job is a command and, in copies from a server, what became of it. Nothing changes
// on the server when a copy is written to.
type Job struct {
	// RepGroup is the label that it is found by, ReqGroup the one that its use of
	// memory and time is learned by.
	RepGroup, ReqGroup string
	// Cmd is a line for a shell, Cwd the directory it runs in; both together are its
	// identity.
	Cmd, Cwd string
	// RAM in MB and Cores are what it needs, Time is how long it may run.
	RAM   int
	Time  time.Duration
	Cores int
	// Override is one of the Override constants.
	Override uint8
	// Priority: larger runs sooner. Retries is how often it is run again after
	// failures before it is buried.
	Priority, Retries uint8

	// PeakRAM it used, in MB.
	PeakRAM int
	// Exited is whether it ran to its end; Exitcode is -1 if it did not, or was ended
	// by a signal.
	Exited     bool
	Exitcode   int
	FailReason string
	Pid        int
	Host       string
	Walltime   time.Duration
	CPUtime    time.Duration
	// StdErrC, StdOutC and EnvC are compressed; see StdErr, StdOut and Env.
	StdErrC, StdOutC, EnvC []byte
	// State is delayed, ready, reserved, running, lost, buried, complete or dependent.
	State string
	// Attempts is how often it was run, UntilBuried how many failures more bury it.
	Attempts, UntilBuried uint32
	// ReservedBy is the Client.ID of who has it.
	ReservedBy string
	EnvKey     string
	// Similar is how many jobs with the same State, FailReason and Exitcode were left
	// out of an answer.
	Similar int
	Queue   string

	held *holding
}

// NewJob makes a job for Add. Group is the ReqGroup, memory is in MB.
func NewJob(cmd, cwd, group string, memory int, time time.Duration, cores int, override, priority, retries uint8, repgroup string) *Job {
	return &Job{
		Cmd: cmd, Cwd: cwd, ReqGroup: group, RAM: memory, Time: time, Cores: cores,
		Override: override, Priority: priority, Retries: retries, RepGroup: repgroup,
	}
}

// Key is the job's identity in its queue, a digest of Cmd and Cwd.
func (j *Job) Key() string { return string(keyOf(j.Cmd, j.Cwd)) }

func keyOf(cmd, cwd string) job.Key { return (&job.Command{Line: cmd, Dir: cwd}).Key() }

// refOf names a job by command and directory, or by "" and its key.
func (c *Client) refOf(cc [2]string) client.Ref {
	if cc[0] == "" {
		return client.Ref{Queue: c.Queue, Key: job.Key(cc[1])}
	}
	return client.Ref{Queue: c.Queue, Key: keyOf(cc[0], cc[1])}
}

// check refuses what cannot be a job.
func (j *Job) check() error {
	switch {
	case j == nil:
		return job.Errorf(job.Invalid, "a job is nil")
	case j.Cmd == "" || j.Cwd == "":
		return job.Errorf(job.Invalid, "a job needs a Cmd and a Cwd; this one has %.80q and %.80q", j.Cmd, j.Cwd)
	case j.RAM < 0 || j.Cores < 0 || j.Time < 0 || int64(j.RAM) > job.MaxAmount/MB:
		return job.Errorf(job.Invalid, "job %.80q: %d MB of RAM, %d cores and a time of %v; none can be negative, or beyond all measure", j.Cmd, j.RAM, j.Cores, j.Time)
	case j.Override > OverrideAlways:
		return job.Errorf(job.Invalid, "job %.80q: override %d; it is 0, 1 or 2", j.Cmd, j.Override)
	}
	return nil
}

// toMuster is the job as muster has it.
func (j *Job) toMuster(queue, env string) *job.Job {
	retries := int(j.Retries)
	return &job.Job{
		Queue: queue, Group: j.RepGroup, Kind: j.ReqGroup, Priority: float64(j.Priority), Retries: &retries,
		Command: &job.Command{Line: j.Cmd, Dir: j.Cwd, DirGiven: true, EnvID: env},
		Needs:   job.Resources{job.CPU: int64(j.Cores) * job.Thousandth, job.Memory: int64(j.RAM) * MB},
		Time:    j.Time, Override: job.Override(j.Override),
	}
}

// describe fills in what was said of the job when it was added.
func (j *Job) describe(m *job.Job) {
	j.Queue, j.RepGroup, j.ReqGroup = m.Queue, m.Group, m.Kind
	j.Priority = uint8(min(max(m.Priority, 0), 255))
	j.RAM, j.Cores = megabytes(m.Needs[job.Memory]), int((m.Needs[job.CPU]+job.Thousandth-1)/job.Thousandth)
	j.Time, j.Override = m.Time, uint8(m.Override)
	j.Retries = job.DefaultRetries
	if m.Retries != nil {
		j.Retries = uint8(min(max(*m.Retries, 0), 255))
	}
	if c := m.Command; c != nil {
		j.Cmd, j.Cwd, j.EnvKey = c.String(), c.Dir, c.EnvID
	}
}

// megabytes is rounded up: a peak is never shown as less than it was.
func megabytes(bytes int64) int { return int((bytes + MB - 1) / MB) }

// fromInfo is a job of a server.
func fromInfo(i *client.Info) *Job {
	j := &Job{State: stateWord(i.State), Attempts: i.Starts, UntilBuried: i.RetriesLeft + 1, Exitcode: -1}
	if i.Job != nil {
		j.describe(i.Job)
	}
	j.Queue = i.Queue
	if i.State == job.Buried && i.RetriesLeft == 0 {
		j.UntilBuried = 0
	}
	if len(i.Environment) > 0 {
		j.EnvC = pack([]byte(strings.Join(i.Environment, "\x00")))
	}
	if i.Attempt != nil {
		j.tried(i)
	}
	return j
}

// tried fills in what is known of the job's present attempt, or its last one.
func (j *Job) tried(i *client.Info) {
	a := i.Attempt
	j.Host, j.Pid = a.Host, a.Result.Pid
	if i.State.Held() {
		j.ReservedBy = a.Worker
		if !a.Started.IsZero() {
			j.Walltime = time.Since(a.Started)
		}
		return
	}
	j.ended(&a.Result)
	j.Exitcode = i.Exit
	j.FailReason = textOfReason(i.Reason, a.Result.Message)
	if j.Walltime == 0 && !a.Started.IsZero() {
		j.Walltime = a.Ended.Sub(a.Started)
	}
}

// ended fills in how a run ended.
func (j *Job) ended(r *job.Result) {
	j.Exited, j.Exitcode, j.PeakRAM = r.Exited, r.ExitCode, megabytes(r.PeakMemory)
	j.Walltime, j.CPUtime = r.WallTime, r.CPUTime
	j.StdOutC, j.StdErrC = packOutput(&r.Stdout), packOutput(&r.Stderr)
}

func packOutput(o *job.Output) []byte {
	if o.Size() == 0 && o.Omitted == 0 {
		return nil
	}
	return pack([]byte(o.Text()))
}

// stateWord is wr's word for a state.
func stateWord(s job.State) string {
	if s == job.Blocked {
		return "dependent"
	}
	return s.String()
}

// statesOf are muster's states for a word of wr's, empty for any.
func statesOf(word string) ([]string, error) {
	switch word {
	case "":
		return nil, nil
	case "dependent":
		word = job.Blocked.String()
	case "deletable":
		return []string{job.Blocked.String(), job.Delayed.String(), job.Ready.String(), job.Buried.String()}, nil
	}
	_, err := job.ParseState(word)
	return []string{word}, err
}

// Env is the environment that the job runs in, as "NAME=value"; nil if it was not
// asked for, or nothing was captured.
func (j *Job) Env() ([]string, error) {
	text, err := unpack(j.EnvC)
	if err != nil || text == "" {
		return nil, err
	}
	return strings.Split(text, "\x00"), nil
}

// StdErr is what is kept of the job's standard error: its beginning and its end.
func (j *Job) StdErr() (string, error) { return unpack(j.StdErrC) }

// StdOut is what is kept of the job's standard output: its beginning and its end.
func (j *Job) StdOut() (string, error) { return unpack(j.StdOutC) }

func pack(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// maxUnpacked bounds what a compressed field may become.
const maxUnpacked = job.MaxData

func unpack(b []byte) (string, error) {
	if len(b) == 0 {
		return "", nil
	}
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return "", job.Errorf(job.Damaged, "decompress: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil {
		return "", job.Errorf(job.Damaged, "decompress: %w", err)
	}
	if len(text) > maxUnpacked {
		return "", job.Errorf(job.Damaged, "decompress: it becomes more than %d bytes", maxUnpacked)
	}
	return string(text), nil
}
