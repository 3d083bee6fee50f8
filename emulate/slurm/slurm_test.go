package slurm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

var now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func caller() *emulate.Caller {
	return &emulate.Caller{User: "ann", Host: "head", Dir: "/project", Getenv: func(string) string { return "" }, Now: now}
}

func submit(t *testing.T, script string, args ...string) (*emulate.Submission, error) {
	t.Helper()
	c, err := ParseSbatch(args)
	if err != nil {
		return nil, err
	}
	if w, ok := c.Wrapped(); ok {
		script = w
	}
	return c.Submission(script, caller())
}

const script = "#!/bin/bash\necho\n"

func TestSbatch(t *testing.T) {
	// What Snakemake's executor sends.
	s, err := submit(t, "", "--parsable", "--job-name", "run-1", "--output", "/logs/%j.log", "--export=ALL", "--comment", "rule_a", "-A", "lab", "-p", "short",
		"-t", "90", "--mem", "200", "--ntasks=1", "--cpus-per-task=4", "-D", "/data", "--wrap=echo hi")
	if err != nil {
		t.Fatal(err)
	}
	j := s.Job
	b := j.Command.Batch
	if j.Queue != "short" || j.Group != "run-1" || j.Account != "lab" || j.Time != 90*time.Minute || *j.Retries != 0 || j.Override != job.OverrideAlways ||
		j.Needs[job.CPU] != 4000 || j.Needs[job.Memory] != 200<<20 || j.Command.Dir != "/data" || j.Command.Emulate != job.Slurm ||
		b.Stdout != "/logs/%j.log" || b.Comment != "rule_a" || b.User != "ann" || !s.Export.All {
		t.Errorf("%+v\n%+v\n%+v", j, j.Command, b)
	}
	j.Normalise()
	if err := j.Validate(); err != nil {
		t.Error(err)
	}
	if !slices.Contains(j.Command.Env, "SLURM_CPUS_PER_TASK=4") || !slices.Contains(j.Command.Env, "SLURM_SUBMIT_DIR=/project") {
		t.Errorf("settings: %q", j.Command.Env)
	}
}

func TestDirectivesYield(t *testing.T) {
	// What Nextflow writes into its scripts.
	s, err := submit(t, "#!/bin/bash\n#SBATCH -J nf-A_(1)\n#SBATCH -o /w/.command.log\n#SBATCH --no-requeue\n#SBATCH --signal B:USR2@30\n#SBATCH -c 2\n"+
		"#SBATCH -t 01:30:00\n#SBATCH --mem 3072M\n#SBATCH -p long\necho\n", "-p", "short", ".command.run")
	if err != nil {
		t.Fatal(err)
	}
	j := s.Job
	if j.Queue != "short" || j.Needs[job.CPU] != 2000 || j.Needs[job.Memory] != 3<<30 || j.Time != 90*time.Minute || j.Group != "nf-A_(1)" || j.Kind != "nf-A" {
		t.Errorf("%+v", j)
	}
}

func TestSbatchRefuses(t *testing.T) {
	for text, args := range map[string][]string{
		"unrecognized option '--foo'":         {"--foo"},
		"invalid option -- 'Z'":               {"-Z"},
		"option '--mem' requires an argument": {"--mem"},
		"is ambiguous":                        {"--gp", "1"},
		"one machine":                         {"-N", "2", "--wrap=x"},
		"no amount of memory":                 {"--mem=lots", "--wrap=x"},
		"no time":                             {"-t", "1:2:3:4", "--wrap=x"},
		"not permitted with --wrap":           {"--wrap=x", "a.sh"},
		"any of them":                         {"-d", "afterok:1?afterok:2", "--wrap=x"},
		"start of a job":                      {"-d", "after:1", "--wrap=x"},
		"cannot be asked for":                 {"--exclusive", "--wrap=x"},
		"Invalid job id":                      {"-d", "afterok:x", "--wrap=x"},
	} {
		_, err := submit(t, script, args...)
		var f *emulate.Failure
		if !errors.As(err, &f) || f.Code != 1 || !strings.Contains(f.Text, text) || !strings.HasPrefix(f.Text, "sbatch: ") {
			t.Errorf("%q: %v; want %q", args, err, text)
		}
	}
	if _, err := submit(t, "echo no first line\n"); err == nil || !strings.Contains(err.Error(), "does not look like a batch script") {
		t.Errorf("no interpreter: %v", err)
	}
	if _, err := submit(t, "#!/bin/sh\n#SBATCH --bar\n"); err == nil || !strings.Contains(err.Error(), "--bar") {
		t.Errorf("an unknown directive: %v", err)
	}
}

func TestDependencies(t *testing.T) {
	s, err := submit(t, script, "--dependency=afterok:1:2_3,afternotok:4,afterany:5,aftercorr:6,singleton")
	if err != nil {
		t.Fatal(err)
	}
	want := []emulate.Wait{
		{Number: 1}, {Number: 2, Index: new(int64(3))}, {Number: 4, Condition: job.ConditionFailed}, {Number: 5, Condition: job.ConditionAny}, {Number: 6, Each: true},
	}
	same := func(a, b emulate.Wait) bool {
		return a.Number == b.Number && a.Condition == b.Condition && a.Each == b.Each && (a.Index == nil) == (b.Index == nil) && (a.Index == nil || *a.Index == *b.Index)
	}
	if !slices.EqualFunc(s.Waits, want, same) || !s.Singleton {
		t.Errorf("%+v", s.Waits)
	}
}

func TestGPUs(t *testing.T) {
	for text, args := range map[string][]string{
		"gpu=2 []":         {"--gres=gpu:2"},
		"gpu=1 []":         {"--gres=gpu"},
		"gpu=2 [gpu:a100]": {"--gres=gpu:a100:2"},
		"gpu=4 []":         {"--gpus=4"},
		"fpga=3 []":        {"--gres=fpga:3"},
	} {
		s, err := submit(t, script, args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Job.Needs.String() + " [" + strings.Join(s.Job.Labels, " ") + "]"; got != text {
			t.Errorf("%q: %s, want %s", args, got, text)
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Minute, "5:30": 5*time.Minute + 30*time.Second, "1:02:03": time.Hour + 2*time.Minute + 3*time.Second,
		"2-3": 51 * time.Hour, "1-02:03": 26*time.Hour + 3*time.Minute, "1-02:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second, "UNLIMITED": 0,
	} {
		if got, err := parseTime(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"now+1hour": "13:00", "now+90": "12:01", "16:00": "16:00", "2026-03-04T18:30": "18:30", "noon": "12:00",
	} {
		got, err := parseMoment(text, now)
		if err != nil || got.Format("15:04") != want {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
	if got, _ := parseMoment("11:00", now); got.Day() != 5 {
		t.Errorf("11:00 at 12:00 is %v, not tomorrow", got)
	}
	for d, want := range map[time.Duration]string{26*time.Hour + time.Minute: "1-02:01:00", 3 * time.Second: "0:03", time.Hour: "1:00:00"} {
		if got := clockText(d, true); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// element is the element 5 of an array, failed by its memory.
func element() *emulate.Shown {
	return &emulate.Shown{
		Seq: 12, State: job.Buried, Reason: job.ReasonMemory, Account: "lab", Attempts: 1, Added: now.Add(-time.Hour),
		Attempt: &job.Attempt{Host: "n1.site", Started: now.Add(-10 * time.Minute), Ended: now, Result: job.Result{Signal: "SIGKILL", PeakMemory: 3 << 20}},
		Job: &job.Job{
			Queue: "short", Group: "a", Needs: job.Resources{job.CPU: 2000, job.Memory: 1 << 30}, Time: time.Hour,
			Command: &job.Command{Dir: "/data", Batch: &job.Batch{Name: "align", User: "ann", Array: "1-10:2", Index: 5, Place: 2}},
		},
	}
}

func waiting() *emulate.Shown {
	return &emulate.Shown{Seq: 20, State: job.Blocked, Added: now, Job: &job.Job{Group: "own", Command: &job.Command{}}}
}

func TestSqueue(t *testing.T) {
	for args, want := range map[string]string{
		"-h -o %i|%t|%T|%j|%u|%P|%M|%l|%D|%C|%m|%R|%F|%K|%A": "10_5|OOM|OUT_OF_MEMORY|align|ann|short|10:00|1:00:00|1|2|1G|(OutOfMemory)|10|5|12\n" +
			"20|PD|PENDING|own|-|default|0:00|UNLIMITED|1|1|0M|(Dependency)|20|N/A|20\n",
		"-o %.6i%5t%%":            " JOBIDST   %\n  10_5OOM  %\n    20PD   %\n",
		"-h -O jobid:.5,state:8|": "   12OUT_OF_M|\n   20PENDING |\n",
		"": "             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)\n" +
			"              10_5     short    align      ann OOM      10:00      1 (OutOfMemory)\n",
	} {
		q, err := ParseSqueue(strings.Fields(args), caller())
		if err != nil {
			t.Fatal(err)
		}
		if args == "" {
			if got := strings.SplitAfter(q.Show([]*emulate.Shown{element()}), "\n")[0]; got != strings.SplitAfter(want, "\n")[0] {
				t.Errorf("the usual head: %q", got)
			}
			continue
		}
		if got := q.Show([]*emulate.Shown{element(), waiting()}); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", args, got, want)
		}
	}
	for _, args := range [][]string{{"-o", "%!"}, {"-O", "nosuch"}, {"-t", "NOSUCH"}, {"--nosuch"}, {"extra"}, {"-j", "x"}} {
		if _, err := ParseSqueue(args, caller()); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	q, err := ParseSqueue([]string{"--noheader", "-o", "%i %t", "-t", "all", "-u", "ann", "-p", "short"}, caller())
	if err != nil || q.Queue != "short" || q.User != "ann" || !q.Keep(element()) || q.Keep(waiting()) {
		t.Errorf("what Nextflow asks: %+v, %v", q, err)
	}
}

func TestSacct(t *testing.T) {
	q, err := ParseSacct(strings.Fields("-X --parsable2 --clusters all --noheader --format=JobIdRaw,State --starttime 2026-03-02T12:00 --endtime now --name align"), caller())
	if err != nil {
		t.Fatal(err)
	}
	if got := q.Show([]*emulate.Shown{element()}); got != "12|OUT_OF_MEMORY\n" || q.Name != "align" {
		t.Errorf("what Snakemake asks: %q", got)
	}
	q, err = ParseSacct([]string{"-p", "-j", "10", "-o", "jobid,jobname,maxrss,exitcode,elapsed"}, caller())
	if err != nil {
		t.Fatal(err)
	}
	want := "JobID|JobName|MaxRSS|ExitCode|Elapsed|\n10_5|align||0:9|00:10:00|\n10_5.batch|batch|3072K|0:9|00:10:00|\n"
	if got := q.Show([]*emulate.Shown{element()}); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if _, err := ParseSacct([]string{"-o", "nosuch"}, caller()); err == nil {
		t.Error("an unknown field was taken")
	}
	// As Snakemake asks without a shell: what follows the bar are arguments.
	if _, err := ParseSacct([]string{"-nu", "ann", "-o", "Account%256", "|", "tail", "-1"}, caller()); err == nil {
		t.Error("a pipe among the arguments was taken")
	}
}

func TestScancel(t *testing.T) {
	c, err := ParseScancel([]string{"5", "7_3", "8_[1-2]", "--signal=TERM"}, caller())
	if err != nil || len(c.IDs) != 4 || c.IDs[0].Number != 5 || *c.IDs[3].Index != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, args := range [][]string{{}, {"x"}, {"-s", "USR1", "5"}, {"--nosuch"}} {
		if _, err := ParseScancel(args, caller()); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestFile(t *testing.T) {
	r := &emulate.Running{Seq: 12, Host: "n1.site", Command: &job.Command{Batch: &job.Batch{Name: "align", User: "ann", Array: "1-10:2", Index: 5, Place: 2}}}
	for pattern, want := range map[string]string{
		"slurm-%A_%a.out": "slurm-10_5.out", "%j.%N.%x.%u": "12.n1.align.ann", "%5j%%": "00012%", "%q%": "%q%", `a\%j`: "a%j", "%": "%",
	} {
		if got := File(pattern, r); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	env := Environ(r)
	for _, want := range []string{"SLURM_JOB_ID=12", "SLURM_ARRAY_JOB_ID=10", "SLURM_ARRAY_TASK_ID=5"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is not in %q", want, env)
		}
	}
}

func TestSrun(t *testing.T) {
	inside := func(name string) string { return map[string]string{"SLURM_JOB_ID": "5"}[name] }
	s, err := ParseSrun([]string{"-n1", "--cpu-bind=q", "--cpus-per-task=2", "--nodes=1", "sh", "-c", "exit 3"}, inside)
	if err != nil || !slices.Equal(s.Command, []string{"sh", "-c", "exit 3"}) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := ParseSrun([]string{"-n", "2", "true"}, inside); err == nil {
		t.Error("two tasks were taken")
	}
	if _, err := ParseSrun([]string{"true"}, func(string) string { return "" }); err == nil {
		t.Error("outside of a job it was taken")
	}
}

func TestSinfo(t *testing.T) {
	q, err := ParseSinfo([]string{"-o", "%P"})
	if err != nil {
		t.Fatal(err)
	}
	partitions := []Partition{{Name: "default", Default: true}, {Name: "short"}}
	if got := q.Show(partitions, []Node{{Name: "n1"}}); got != "PARTITION\ndefault*\nshort\n" {
		t.Errorf("%q", got)
	}
}

func FuzzSbatch(f *testing.F) {
	f.Add("#!/bin/sh\n#SBATCH -n 2 --mem=5G -t 1-2:3 -a 1-5%2 -d afterok:3\n", "-J", "x")
	f.Fuzz(func(t *testing.T, script, one, two string) {
		c, err := ParseSbatch([]string{one, two})
		if err != nil {
			return
		}
		s, err := c.Submission(script, caller())
		if err != nil {
			return
		}
		s.Job.Normalise()
		_ = s.Job.Validate() // may be bad in what it names, and is refused then
		if s.Array != nil && len(s.Array.Indices) == 0 {
			t.Error("an array without elements")
		}
	})
}

func FuzzFormats(f *testing.F) {
	f.Add("%.18i %9P|%%")
	f.Fuzz(func(t *testing.T, format string) {
		for _, parse := range []func(string) ([]column, error){parseFormat, parseLong, parseAccount} {
			if columns, err := parse(format); err == nil {
				line(columns, func(f *field) string { return "x" })
			}
		}
		_, _ = parseIDs(format)
		File(format, &emulate.Running{Command: &job.Command{Batch: &job.Batch{}}})
	})
}
