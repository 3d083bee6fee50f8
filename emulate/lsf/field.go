package lsf

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// field is one thing that bjobs -o can show, with the width LSF recommends for it.
type field struct {
	name  string
	width int
	value func(s *emulate.Shown, now time.Time) string
}

func plain(get func(*emulate.Shown) string) func(*emulate.Shown, time.Time) string {
	return func(s *emulate.Shown, _ time.Time) string { return get(s) }
}

// fields are all.
var fields = []field{
	{"jobid", 7, plain(func(s *emulate.Shown) string { return emulate.Digits(s.First()) })},
	{"jobindex", 8, plain(func(s *emulate.Shown) string { return emulate.Digits(s.Batch().Index) })},
	{"stat", 5, plain(stateOf)},
	{"user", 7, plain(func(s *emulate.Shown) string { return s.Batch().User })},
	{"queue", 10, plain(func(s *emulate.Shown) string { return s.Job.QueueName() })},
	{"job_name", 10, plain(name)},
	{"job_description", 17, plain(func(s *emulate.Shown) string { return s.Batch().Comment })},
	{"proj_name", 11, plain(func(s *emulate.Shown) string { return s.Account })},
	{"job_priority", 12, plain(func(s *emulate.Shown) string { return emulate.Digits(int64(s.Priority)) })},
	{"command", 15, plain(commandText)},
	{"from_host", 11, plain(func(s *emulate.Shown) string { return settingOf(s, "LSB_SUB_HOST") })},
	{"first_host", 11, plain((*emulate.Shown).Host)},
	{"exec_host", 11, plain(execHost)},
	{"nexec_host", 10, plain(func(s *emulate.Shown) string { return map[bool]string{true: "1"}[s.Host() != ""] })},
	{"submit_time", 15, plain(func(s *emulate.Shown) string { return moment(s.Added) })},
	{"start_time", 15, plain(func(s *emulate.Shown) string { return momentOrNone(s.Began()) })},
	{"finish_time", 16, plain(func(s *emulate.Shown) string { return momentOrNone(s.Finished()) })},
	{"run_time", 15, func(s *emulate.Shown, now time.Time) string {
		return emulate.Digits(int64(s.Elapsed(now)/time.Second)) + " second(s)"
	}},
	{"time_left", 11, func(s *emulate.Shown, now time.Time) string {
		if s.Job.Time == 0 || s.State != job.Running {
			return ""
		}
		left := max(0, s.Job.Time-s.Elapsed(now))
		return fmt.Sprintf("%d:%d L", int(left.Hours()), int(left.Minutes())%60)
	}},
	{"cpu_used", 10, plain(func(s *emulate.Shown) string { return fmt.Sprintf("%.1f second(s)", s.Result().CPUTime.Seconds()) })},
	{"exit_code", 10, plain(exitText)},
	{"exit_reason", 50, plain(exitReason)},
	{"pend_reason", 50, plain(pendReason)},
	{"mem", 10, plain(func(s *emulate.Shown) string { return memoryText(s.Result().PeakMemory) })},
	{"max_mem", 10, plain(func(s *emulate.Shown) string { return memoryText(s.Result().PeakMemory) })},
	{"avg_mem", 10, plain(func(s *emulate.Shown) string { return memoryText(s.Result().PeakMemory) })},
	{"swap", 10, plain(func(*emulate.Shown) string { return "" })},
	{"memlimit", 10, plain(func(s *emulate.Shown) string { return memoryText(s.Job.Needs[job.Memory]) })},
	{"runtimelimit", 12, plain(func(s *emulate.Shown) string {
		if s.Job.Time == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f", s.Job.Time.Minutes())
	})},
	{"nreq_slot", 10, plain(func(s *emulate.Shown) string { return emulate.Digits(s.Cores()) })},
	{"nalloc_slot", 10, plain(slots)}, {"slots", 5, plain(slots)}, {"min_req_proc", 12, plain(func(s *emulate.Shown) string { return emulate.Digits(s.Cores()) })},
	{"cwd", 10, plain(dir)}, {"sub_cwd", 10, plain(func(s *emulate.Shown) string { return settingOf(s, "LS_SUBCWD") })}, {"exec_cwd", 10, plain(dir)},
	{"input_file", 10, plain(func(s *emulate.Shown) string { return s.Batch().Stdin })},
	{"output_file", 10, plain(func(s *emulate.Shown) string { return s.Batch().Stdout })},
	{"error_file", 10, plain(func(s *emulate.Shown) string { return s.Batch().Stderr })},
	{"dependency", 15, plain(func(s *emulate.Shown) string { return map[bool]string{true: "yes"}[len(s.Job.Dependencies) > 0] })},
}

func fieldNamed(name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return aliased(name)
}

// aliases are the short names of fields.
var aliases = map[string]string{
	"id": "jobid", "u": "user", "desc": "job_description", "proj": "proj_name", "project": "proj_name", "prio": "job_priority", "cmd": "command",
	"name": "job_name", "ehost": "exec_host", "fhost": "first_host", "ifile": "input_file", "ofile": "output_file", "efile": "error_file",
	"runtime": "run_time", "time": "run_time",
}

func aliased(name string) *field {
	if full, ok := aliases[name]; ok {
		return fieldNamed(full)
	}
	return nil
}

// standard are the fields of bjobs without -o.
func standard() []column {
	var list []column
	for _, n := range []string{"jobid", "user", "stat", "queue", "from_host", "exec_host", "job_name", "submit_time"} {
		f := fieldNamed(n)
		list = append(list, column{field: f, width: f.width})
	}
	return list
}

// settingOf is a variable that the job was given when it was added; empty if none.
func settingOf(s *emulate.Shown, name string) string {
	for _, setting := range s.Command().Env {
		if rest, ok := strings.CutPrefix(setting, name+"="); ok {
			return rest
		}
	}
	return ""
}

func commandText(s *emulate.Shown) string {
	argv := s.Command().Argv
	if len(argv) > 2 && argv[1] == "-c" {
		return strings.TrimSpace(argv[2])
	}
	return s.Command().String()
}

func execHost(s *emulate.Shown) string {
	if n := s.Cores(); n > 1 && s.Host() != "" {
		return emulate.Digits(n) + "*" + s.Host()
	}
	return s.Host()
}

func slots(s *emulate.Shown) string {
	if s.Host() == "" {
		return ""
	}
	return emulate.Digits(s.Cores())
}

func dir(s *emulate.Shown) string { return filepath.Clean(s.Command().Dir) }

func momentOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return moment(t)
}

func memoryText(n int64) string {
	switch {
	case n == 0:
		return ""
	case n >= 1<<30:
		return fmt.Sprintf("%.1f Gbytes", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f Mbytes", float64(n)/(1<<20))
}

// exitText is the exit code: that of a signal is 128 more than its number.
func exitText(s *emulate.Shown) string {
	if s.Finished().IsZero() {
		return ""
	}
	code := s.Result().ExitCode
	if n := s.Signal(); n != 0 {
		code = 128 + n
	}
	return emulate.Digits(code)
}

func exitReason(s *emulate.Shown) string {
	if s.State != job.Buried {
		return ""
	}
	switch s.Reason {
	case job.ReasonMemory:
		return "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit"
	case job.ReasonTime:
		return "TERM_RUNLIMIT: job killed after reaching LSF run time limit"
	case job.ReasonCancelled:
		return "TERM_OWNER: job killed by owner"
	}
	return s.Reason.String()
}

func pendReason(s *emulate.Shown) string {
	switch s.State {
	case job.Blocked:
		return "Job dependency condition not satisfied"
	case job.Delayed:
		return "The job has a specified start time"
	case job.Ready, job.Reserved:
		return "New job is waiting for scheduling"
	}
	return ""
}
