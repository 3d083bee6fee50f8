package lsf

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

func submit(script string, args ...string) (*emulate.Submission, error) {
	c, err := ParseBsub(args)
	if err != nil {
		return nil, err
	}
	return c.Submission(script, caller())
}

func TestBsub(t *testing.T) {
	// What Nextflow writes into its scripts.
	s, err := submit("#!/bin/bash\n#BSUB -o /w/.command.log\n#BSUB -q long\n#BSUB -n 4\n#BSUB -R \"span[hosts=1]\"\n#BSUB -W 01:30\n#BSUB -M 2048\n" +
		"#BSUB -R \"select[mem>=2048] rusage[mem=2048]\"\n#BSUB -J nf-A_(1)\n#BSUB -P lab\necho\n")
	if err != nil {
		t.Fatal(err)
	}
	j := s.Job
	if j.Queue != "long" || j.Account != "lab" || j.Time != 90*time.Minute || j.Needs[job.CPU] != 4000 || j.Needs[job.Memory] != 2<<30 || j.Group != "nf-A_(1)" ||
		j.Command.Emulate != job.LSF || j.Command.Batch.Stdout != "/w/.command.log" || !j.Command.Batch.Append || *j.Retries != 0 {
		t.Errorf("%+v\n%+v", j, j.Command)
	}
	j.Normalise()
	if err := j.Validate(); err != nil {
		t.Error(err)
	}
	// A command, with options attached and not.
	s, err = submit("", "-n2", "-J", "x[1-6:2]%2", "-cwd", "sub", "-oo", "out.%J.%I", "echo", "$LSB_JOBINDEX")
	if err != nil {
		t.Fatal(err)
	}
	if s.Array == nil || len(s.Array.Indices) != 3 || s.Array.AtOnce != 2 || s.Job.Needs[job.CPU] != 2000 || s.Job.Command.Dir != "/project/sub" ||
		!slices.Contains(s.Job.Command.Argv, "echo $LSB_JOBINDEX") || s.Job.Command.Batch.Append {
		t.Errorf("%+v %+v", s, s.Job.Command)
	}
}

func TestBsubRefuses(t *testing.T) {
	for text, args := range map[string][]string{
		"illegal option -- Z":  {"-Z", "true"},
		"requires an argument": {"-J"},
		"no terminal":          {"-Is", "bash"},
		"one machine":          {"-n", "8", "-R", "span[ptile=4]", "true"},
		"no amount of memory":  {"-M", "lots", "true"},
		"no time":              {"-W", "1:2:3", "true"},
		"Bad job array name":   {"-J", "x[1-3", "true"},
		"alternatives":         {"-R", "{select[a]} || {select[b]}", "true"},
		"waits for all":        {"-w", "done(1) || done(2)", "true"},
		"No command":           {},
		"Bad resource":         {"-R", "rusage[mem]", "true"},
		"several queues":       {"-q", "a b", "true"},
	} {
		_, err := submit("", args...)
		var f *emulate.Failure
		if !errors.As(err, &f) || f.Code != 255 || !strings.Contains(f.Text, text) {
			t.Errorf("%q: %v; want %q", args, err, text)
		}
	}
}

func TestParseResource(t *testing.T) {
	for text, want := range map[string]string{
		"select[mem>2000] rusage[mem=1000] span[hosts=1]":                             "2000M  []",
		"rusage[mem=4GB:duration=2h:decay=1,swp=50]":                                  "4096M  []",
		"rusage[mem=100,ngpus_physical=2,lic=1:tmp=10]":                               "100M disk=10M gpu=2 lic=1 []",
		"select[ssd && model==E5 && type==any && hname==n1 && ncpus>4] order[ut:r1m]": "0M  [feature:ssd model:E5 host:n1]",
		"mem>500 && (ssd)": "500M  [feature:ssd]",
		"select[defined(bigmem)] same[type] cu[pref=minavail] affinity[core(2)]": "0M  [feature:bigmem]",
		"span[ptile=4]": "0M  []",
		"":              "0M  []",
	} {
		var r Requirement
		if err := r.ParseResource(text); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := emulate.Digits(r.Memory>>20) + "M " + r.Needs.String() + " [" + strings.Join(r.Labels, " ") + "]"
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"select[a || b]", "rusage[mem=x]", "span[hosts=2]", "select[mem>x]", "nosuch[a]", "select[a>5]", "select[", "rusage[=5]", "select[!a]"} {
		var r Requirement
		if err := r.ParseResource(text); err == nil {
			t.Errorf("%s was taken: %+v", text, r)
		}
	}
}

func TestParseDependency(t *testing.T) {
	waits, err := ParseDependency(`done(1) && (ended("align*") && exit(3[2])) && 4 && done(name)`)
	if err != nil || len(waits) != 5 {
		t.Fatalf("%+v, %v", waits, err)
	}
	if waits[0].Number != 1 || waits[1].Name != "align*" || waits[1].Condition != job.ConditionAny || *waits[2].Index != 2 ||
		waits[2].Condition != job.ConditionFailed || waits[3].Number != 4 || waits[3].Condition != job.ConditionOK || waits[4].Name != "name" {
		t.Errorf("%+v", waits)
	}
	for _, text := range []string{"", "done(", "done(1", "done()", "done(1) &&", "done(1) || ended(2)", "!done(1)", "started(1)", "exit(1,>3)", "done(1) done(2)", `done("x`, "((((1)"} {
		if w, err := ParseDependency(text); err == nil {
			t.Errorf("%q was taken: %+v", text, w)
		}
	}
}

func TestParseBegin(t *testing.T) {
	for text, want := range map[string]string{
		"13:30": "2026-03-04 13:30", "11:30": "2026-03-05 11:30", "5:11:00": "2026-03-05 11:00", "3:11:00": "2026-04-03 11:00",
		"6:3:11:00": "2026-06-03 11:00", "1:3:11:00": "2027-01-03 11:00", "2030:1:3:11:00": "2030-01-03 11:00",
	} {
		if got, err := parseBegin(text, now); err != nil || got.Format("2006-01-02 15:04") != want {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
}

func element() *emulate.Shown {
	return &emulate.Shown{
		Seq: 12, State: job.Buried, Reason: job.ReasonExit, Added: now, Attempts: 1,
		Attempt: &job.Attempt{Host: "node-with-a-long-name", Started: now.Add(-time.Minute), Ended: now, Result: job.Result{ExitCode: 3, Exited: true}},
		Job: &job.Job{Queue: "short", Group: "a", Needs: job.Resources{job.CPU: 2000}, Command: &job.Command{
			Env: []string{"LSB_SUB_HOST=head"}, Batch: &job.Batch{Name: "alignment-job", User: "ann", Array: "1-10:2", Index: 5, Place: 2},
		}},
	}
}

func TestBjobs(t *testing.T) {
	at := moment(now)
	for args, want := range map[string]string{
		"": "JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME\n" +
			"10      ann     EXIT  short      head        *-long-name *nt-job[5] " + at + "\n",
		"-w": "JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME\n" +
			"10      ann     EXIT  short      head        node-with-a-long-name alignment-job[5] " + at + "\n",
		"-noheader|-o|jobid stat":                    "10      EXIT \n",
		"-o|jobid:4 stat:-6 exit_code delimiter='^'": "JOBID^STAT^EXIT_CODE\n10^EXIT^3\n",
		"-noheader|-o|jobid:-4 jobindex:1 user:1":    "  10 5 *\n",
		"-json|-o|jobid stat":                        "{\n  \"COMMAND\": \"bjobs\",\n  \"JOBS\": 1,\n  \"RECORDS\": [\n    {\n      \"JOBID\": \"10\",\n      \"STAT\": \"EXIT\"\n    }\n  ]\n}\n",
	} {
		var words []string
		if args != "" {
			words = strings.Split(args, "|")
		}
		q, err := ParseBjobs(words, caller())
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Show([]*emulate.Shown{element()}); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", args, got, want)
		}
	}
	for _, args := range [][]string{{"-o", "nosuch"}, {"-l"}, {"-nosuch"}, {"x"}, {"5[x]"}, {"-o", "delimiter=''"}} {
		if _, err := ParseBjobs(args, caller()); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	q, err := ParseBjobs([]string{"-a", "-J", "*ment*", "5[1-2]"}, caller())
	if err != nil || len(q.IDs) != 2 || !q.Keep(element()) {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestBkill(t *testing.T) {
	c, err := ParseBkill([]string{"10"}, caller())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Done([]*emulate.Shown{element(), element()}); got != "Job <10> is being terminated\n" {
		t.Errorf("%q", got)
	}
	if c, _ = ParseBkill([]string{"10[5]"}, caller()); c.Done([]*emulate.Shown{element()}) != "Job <10[5]> is being terminated\n" {
		t.Errorf("%q", c.Done([]*emulate.Shown{element()}))
	}
	for _, args := range [][]string{{}, {"x"}, {"-s", "STOP", "1"}, {"-nosuch", "1"}} {
		if _, err := ParseBkill(args, caller()); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestEnviron(t *testing.T) {
	r := &emulate.Running{Seq: 12, Queue: "q", Host: "n1", Needs: job.Resources{job.CPU: 2000}, Command: &job.Command{Batch: &job.Batch{Name: "x", Stdout: "o.%J.%I", Array: "1-10:2", Index: 5, Place: 2}}}
	env := Environ(r, "/bin/lsf")
	for _, want := range []string{"LSB_JOBID=10", "LSB_JOBINDEX=5", "LSB_JOBNAME=x[5]", "LSB_HOSTS=n1 n1", "LSB_MCPU_HOSTS=n1 2", "LSB_OUTPUTFILE=o.10.5", "LSF_BINDIR=/bin/lsf"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is not in %q", want, env)
		}
	}
}

func FuzzResource(f *testing.F) {
	f.Add("select[mem>2000 && ssd] rusage[mem=1:gpu=2] span[hosts=1] affinity[core(2)]")
	f.Fuzz(func(t *testing.T, text string) {
		var r Requirement
		if err := r.ParseResource(text); err == nil && (r.Memory < 0 || r.Memory > job.MaxAmount) {
			t.Errorf("%q: %+v", text, r)
		}
	})
}

func FuzzDependency(f *testing.F) {
	f.Add(`done(1) && (ended("a*") && exit(3[2]))`)
	f.Fuzz(func(t *testing.T, text string) {
		if waits, err := ParseDependency(text); err == nil && len(waits) == 0 {
			t.Errorf("%q: nothing to wait for", text)
		}
	})
}

func FuzzBsub(f *testing.F) {
	f.Add("#BSUB -n 4 -W 1:00 -J x[1-3]\necho", "-R", "rusage[mem=5]")
	f.Fuzz(func(t *testing.T, script, one, two string) {
		if c, err := ParseBsub([]string{one, two}); err == nil {
			if s, err := c.Submission(script, caller()); err == nil && s.Array != nil && len(s.Array.Indices) == 0 {
				t.Error("an array without elements")
			}
		}
		if q, err := ParseBjobs([]string{"-o", two}, caller()); err == nil {
			q.Show([]*emulate.Shown{element()})
		}
	})
}
