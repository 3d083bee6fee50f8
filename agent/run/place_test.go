package run_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

func itoa(n int) string { return strconv.Itoa(n) }

// environment is what a command sees.
func environment(t *testing.T, a *agent, s run.Spec) map[string]string {
	t.Helper()
	s.Command.Argv = []string{"/usr/bin/env", "-0"}
	s.Command.Keep = 64 << 10
	r := a.spec(t.Context(), s)
	want(t, r, job.ReasonNone)
	env := map[string]string{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(stdout(r), "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := env[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		env[name] = value
	}
	return env
}

func TestEnvironment(t *testing.T) {
	a := newAgent(t, true, run.Config{Namespace: "lab"})
	env := environment(t, a, run.Spec{
		Attempt: job.AttemptID{Epoch: 3, N: 14}, Number: 2, Queue: "q", Key: "a key", Group: "g",
		Env:     []string{"A=1", "B=x=y=z", "A=2", "C=captured", "EMPTY=", "no entry", "HOME=/home/x", "NL=a\nb"},
		Command: &job.Command{Env: []string{"C=set=twice", "D=d"}},
	})
	for name, value := range map[string]string{
		"A": "2", "B": "x=y=z", "C": "set=twice", "D": "d", "EMPTY": "", "HOME": "/home/x", "NL": "a\nb",
		"MUSTER_NAMESPACE": "lab", "MUSTER_QUEUE": "q", "MUSTER_JOB": "a key", "MUSTER_GROUP": "g",
		"MUSTER_ATTEMPT": "3-14", "MUSTER_ATTEMPT_NUMBER": "2",
	} {
		if got, ok := env[name]; !ok || got != value {
			t.Errorf("%s=%q, want %q", name, got, value)
		}
	}
	if env["PWD"] == "" || env["TMPDIR"] == "" || env["PWD"] == env["TMPDIR"] {
		t.Errorf("PWD=%q TMPDIR=%q", env["PWD"], env["TMPDIR"])
	}
	if _, ok := env["PATH"]; ok {
		t.Error("the agent's PATH is in a captured environment that has none")
	}
}

func TestAgentsEnvironment(t *testing.T) {
	t.Setenv("OF_THE_AGENT", "yes")
	a := newAgent(t, true, run.Config{})
	env := environment(t, a, run.Spec{Command: &job.Command{ChangeHome: true, Env: []string{"TMPDIR=/mine"}}})
	if env["OF_THE_AGENT"] != "yes" || env["HOME"] != env["PWD"] || env["TMPDIR"] != "/mine" {
		t.Errorf("environment %v", env)
	}
}

func TestLineTooLongForAnArgument(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.line(t, "false | : "+strings.Repeat("x", 200<<10)+"; echo $? ${PIPESTATUS-}; echo end")
		want(t, r, job.ReasonNone)
		if !strings.HasSuffix(stdout(r), "end\n") {
			t.Errorf("printed %q, %q", stdout(r), stderr(r))
		}
	})
}

func TestShells(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	for shell, printed := range map[string]string{"": "bash\n", "bash": "bash\n", "sh": "sh\n", "bash -e": ""} {
		r := a.command(t, job.Command{Shell: shell, Line: "false; echo ${0##*/}"})
		if stdout(r) != printed {
			t.Errorf("shell %q printed %q", shell, stdout(r))
		}
	}
	want(t, a.command(t, job.Command{Shell: "sh", Line: "false | true"}), job.ReasonNone)
	want(t, a.command(t, job.Command{Shell: "no-such-shell", Line: "true"}), job.ReasonNotFound)
}

func TestProgramOfTheDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/here", []byte("#!/bin/sh\necho here\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, true, run.Config{})
	for _, c := range []job.Command{
		{Argv: []string{"./here"}},
		{Argv: []string{"here"}, Env: []string{"PATH=.:/usr/bin:/bin"}},
	} {
		c.Dir, c.DirGiven = dir, true
		r := a.command(t, c)
		want(t, r, job.ReasonNone)
		if stdout(r) != "here\n" || r.Dir != dir {
			t.Errorf("printed %q in %q", stdout(r), r.Dir)
		}
	}
}

func TestDirectories(t *testing.T) {
	tests := map[string]struct {
		command job.Command
		kept    bool
	}{
		"empty success":          {job.Command{Line: "true"}, false},
		"empty failure":          {job.Command{Line: "false"}, false},
		"success with a file":    {job.Command{Line: "touch f"}, true},
		"failure with a file":    {job.Command{Line: "touch f; false"}, true},
		"cleanup on success":     {job.Command{Line: "touch f", OnSuccess: []job.Behaviour{{Cleanup: true}}}, false},
		"cleanup on failure":     {job.Command{Line: "touch f; false", OnFailure: []job.Behaviour{{Cleanup: true}}}, false},
		"no cleanup for success": {job.Command{Line: "touch f", OnFailure: []job.Behaviour{{Cleanup: true}}}, true},
		"cleanup on exit":        {job.Command{Line: "mkdir -p a/b; touch a/b/c; chmod 0 a; false", OnExit: []job.Behaviour{{Cleanup: true}}}, false},
		"days":                   {job.Command{Line: "touch f", OnExit: []job.Behaviour{{Cleanup: true}, {KeepDays: 3}}}, true},
		"temporary files":        {job.Command{Line: "touch $TMPDIR/f"}, false},
		"its own directory gone": {job.Command{Line: "rmdir $PWD"}, false},
		"temporary one gone":     {job.Command{Line: "rmdir $TMPDIR"}, false},
		"open to everybody":      {job.Command{Line: "chmod 777 ."}, false},
	}
	each(t, func(t *testing.T, a *agent) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				base := t.TempDir()
				test.command.Dir = base
				r := a.command(t, test.command)
				if kept := r.Dir != ""; kept != test.kept {
					t.Fatalf("directory %q, kept should be %v; log %q", r.Dir, test.kept, r.Log)
				}
				if test.kept {
					if _, err := os.Stat(r.Dir + "/f"); err != nil || !strings.HasPrefix(r.Dir, base) {
						t.Errorf("%s: %v", r.Dir, err)
					}
					if _, err := os.Stat(filepath.Dir(r.Dir) + "/tmp"); err == nil {
						t.Error("the temporary directory was kept, too")
					}
				}
				again := a.command(t, job.Command{Line: "ls -A . $TMPDIR; stat -c %a ."})
				if got := stdout(again); strings.Contains(got, "f\n") || strings.HasSuffix(got, "777\n") {
					t.Errorf("the next command finds %q", got)
				}
			})
		}
	})
}

// A command may not have us empty a directory that is not its own.
func TestTemporaryDirectoryReplaced(t *testing.T) {
	precious := t.TempDir() + "/precious"
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, true, run.Config{})
	for _, line := range []string{`ln -s "$P" $TMPDIR`, `cd /; d=$OLDPWD; rmdir $d; ln -s "$P" $d`} {
		line = strings.Replace(line, "ln -s", "rmdir $TMPDIR; ln -s", 1)
		want(t, a.command(t, job.Command{Line: line, Env: []string{"P=" + filepath.Dir(precious)}, OnExit: []job.Behaviour{{Cleanup: true}}}), job.ReasonNone)
		if _, err := os.Stat(precious); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeepDays(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	r := a.command(t, job.Command{Line: "touch 'a file'", OnExit: []job.Behaviour{{KeepDays: 3}}})
	for _, step := range []struct {
		days  int
		there bool
	}{{2, true}, {4, false}, {5, false}} {
		if err := a.Prune(time.Now().AddDate(0, 0, step.days)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(r.Dir); (err == nil) != step.there {
			t.Errorf("after %d days: %v", step.days, err)
		}
	}
}

// Nothing but what was to be kept remains below a base directory.
func TestBaseIsLeftClean(t *testing.T) {
	base := t.TempDir()
	a := newAgent(t, true, run.Config{})
	for range 3 {
		want(t, a.command(t, job.Command{Line: "true", Dir: base}), job.ReasonNone)
	}
	a.Close()
	if left, _ := os.ReadDir(base); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// What a killed agent left empty, its successor removes; files stay.
func TestPredecessorsDirectories(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	var kept string
	for incarnation := range 3 {
		h, err := home.Takeover(t.Context(), home.Config{Dir: dir, NoCgroup: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := run.New(run.Config{Home: h})
		if err != nil {
			t.Fatal(err)
		}
		spec := run.Spec{Command: &job.Command{Line: "true", Dir: base}}
		if incarnation == 0 {
			spec.Command.Line = "touch f"
		}
		res := r.Run(t.Context(), spec)
		want(t, res, job.ReasonNone)
		if incarnation == 0 {
			kept = res.Dir
		}
		if incarnation < 2 {
			// Killed: the runner is not closed. Its directory waits for the next command.
			if _, err := os.Stat(base + "/muster-work/" + h.ID + "-" + itoa(incarnation+1)); err != nil {
				t.Fatal(err)
			}
			h.Close()
			continue
		}
		r.Close()
		h.Close()
	}
	if _, err := os.Stat(kept + "/f"); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(base + "/muster-work"); len(left) != 1 {
		t.Errorf("%v is left", left)
	}
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
}

func TestBehaviours(t *testing.T) {
	b := func(lines ...string) (list []job.Behaviour) {
		for _, line := range lines {
			list = append(list, job.Behaviour{Run: line})
		}
		return list
	}
	tests := map[string]struct {
		command job.Command
		log     []string
	}{
		"success": {job.Command{Line: "echo x >f", OnSuccess: b("cat f"), OnFailure: b("echo no"), OnExit: b("echo $A $MUSTER_EXIT_CODE; false")},
			[]string{"on success: cat f: exit code 0: x", "on exit: echo $A $MUSTER_EXIT_CODE; false: exit code 1: a 0"}},
		"failure": {job.Command{Line: "exit 3", OnSuccess: b("echo no"), OnFailure: b("echo $MUSTER_EXIT_CODE $MUSTER_REASON"), OnExit: b("true")},
			[]string{"on failure: echo $MUSTER_EXIT_CODE $MUSTER_REASON: exit code 0: 3 exit", "on exit: true: exit code 0"}},
		"too long": {job.Command{Line: "true", OnSuccess: b("sleep 60")},
			[]string{"on success: sleep 60: ended: took more than 150ms"}},
		"left in the background": {job.Command{Line: "sleep 60 & true", OnSuccess: b("setsid sleep 60 & echo ok")},
			[]string{"ended 1 processes that it left in the background", "on success: setsid sleep 60 & echo ok: exit code 0: ok"}},
		"killed": {job.Command{Line: "true", OnSuccess: b("kill -9 $$")},
			[]string{"on success: kill -9 $$: ended by SIGKILL"}},
	}
	for way, groups := range ways {
		t.Run(way, func(t *testing.T) {
			a := newAgent(t, groups, run.Config{Adopt: true, BehaviourTime: 150 * time.Millisecond})
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					test.command.Env = []string{"A=a"}
					if r := a.command(t, test.command); !slices.Equal(r.Log, test.log) {
						t.Errorf("log %q\nwant %q", r.Log, test.log)
					}
				})
			}
		})
	}
}

// stub writes a program to a directory that is put first in PATH.
func stub(t *testing.T, name, script string) (path string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

func TestContainers(t *testing.T) {
	a := newAgent(t, true, run.Config{Adopt: true})
	path := stub(t, "podman", `printf '%s|' "$@"; [ "$1" = run ] || exit 0; while [ "$1" != img ]; do shift; done; shift; exec "$@"`)
	r := a.spec(t.Context(), run.Spec{
		Needs:   job.Resources{job.Memory: 1 << 30},
		Command: &job.Command{Argv: []string{"echo", "hello"}, Image: "img", Runtime: "podman", ContainerMounts: []string{"/data:/in:ro", "/x"}, Env: []string{path, "A=b=c"}},
	})
	want(t, r, job.ReasonNone)
	for _, part := range []string{"run|--rm|", "|--volume|/data:/in:ro|", "|--volume|/x:/x|", "|--env|A|", "|--env|MUSTER_ATTEMPT|", "|--memory|1073741824|", "|img|echo|hello|hello\n"} {
		if !strings.Contains(stdout(r), part) {
			t.Errorf("%q is not in %q", part, stdout(r))
		}
	}
	path = stub(t, "apptainer", `printf '%s|' "$@"; exit 125`)
	r = a.command(t, job.Command{Line: "true", Image: "img", Runtime: "apptainer", Env: []string{path}})
	want(t, r, job.ReasonContainer)
	if !strings.Contains(stdout(r), "|docker://img|bash|-o|pipefail|-c|true|") {
		t.Errorf("arguments %q", stdout(r))
	}
}

// A container runs under a daemon: stopping the client is not enough.
func TestContainerIsEnded(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	log := t.TempDir() + "/log"
	path := stub(t, "docker", `echo "$1 $2 $3" >>`+log+`; [ "$1" = rm ] || sleep 60`)
	r := a.spec(t.Context(), run.Spec{Time: 100 * time.Millisecond, Command: &job.Command{Line: "true", Image: "img", Runtime: "docker", Env: []string{path}}})
	want(t, r, job.ReasonTime)
	b, _ := os.ReadFile(log)
	if !strings.Contains(string(b), "rm --force muster-"+a.home.ID) {
		t.Errorf("called with %q; log %q", b, r.Log)
	}
}

func TestModules(t *testing.T) {
	init := t.TempDir()
	if err := os.MkdirAll(init+"/init", 0o755); err != nil {
		t.Fatal(err)
	}
	script := `module() { for m in "${@:2}"; do [ "$m" = bad ] && return 1; export LOADED="$LOADED+$m"; done; }`
	if err := os.WriteFile(init+"/init/bash", []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, true, run.Config{})
	env := []string{"MODULESHOME=" + init}
	r := a.command(t, job.Command{Line: `false | true && echo no; echo $LOADED; module load more; echo $LOADED; ls /proc/self/fd | wc -l`, Modules: []string{"a/1.0", "it's"}, Env: env})
	want(t, r, job.ReasonNone)
	if stdout(r) != "+a/1.0+it's\n+a/1.0+it's+more\n4\n" {
		t.Errorf("printed %q, %q", stdout(r), stderr(r))
	}
	r = a.command(t, job.Command{Argv: []string{"echo", "two words"}, Modules: []string{"a"}, Env: env})
	if stdout(r) != "two words\n" {
		t.Errorf("printed %q", stdout(r))
	}
	r = a.command(t, job.Command{Line: "echo ran", Modules: []string{"bad"}, Env: env})
	want(t, r, job.ReasonEnv)
	if stdout(r) != "" {
		t.Errorf("the command ran: %q", stdout(r))
	}
}

// Root may run a command as another user and group; nobody else may.
func TestAsAnotherUser(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	if os.Geteuid() != 0 {
		r := a.command(t, job.Command{Line: "id -u", User: "nobody"})
		want(t, r, job.ReasonPermission)
		if !strings.Contains(r.Message, "may not become another; start the agent as root") {
			t.Errorf("message %q", r.Message)
		}
		return
	}
	base := t.TempDir()
	for dir := base; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := job.Command{
		Line: "id -un; id -gn; echo $USER $HOME; touch made; stat -c %U made . $TMPDIR", User: "nobody", UnixGroup: "daemon",
		Dir: base, Env: []string{"PATH=" + os.Getenv("PATH")}, OnExit: []job.Behaviour{{Run: "id -un"}},
	}
	r := a.command(t, c)
	want(t, r, job.ReasonNone)
	if got, want := stdout(r), "nobody\ndaemon\nnobody /nonexistent\nnobody\nnobody\nnobody\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if want := []string{"on exit: id -un: exit code 0: nobody"}; !slices.Equal(r.Log, want) {
		t.Errorf("log %q, want %q", r.Log, want)
	}
	want(t, a.command(t, job.Command{Line: "true", User: "no-such-user"}), job.ReasonPermission)
	want(t, a.command(t, job.Command{Line: "true", UnixGroup: "no-such-group"}), job.ReasonPermission)
	closed := filepath.Join(base, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	r = a.command(t, job.Command{Line: "true", User: "nobody", Dir: closed})
	want(t, r, job.ReasonPermission)
	if !strings.Contains(r.Message, "user nobody") || !strings.Contains(r.Message, "not enter the directory "+closed) {
		t.Errorf("message %q", r.Message)
	}
}

// A secret wins over what the job sets, and what is unset is not there.
func TestSecretsAndWhatIsUnset(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	env := environment(t, a, run.Spec{
		Env: []string{"A=captured", "B=captured", "C=captured", "D=captured"}, Secrets: []string{"D=hunter2=\n\"x\"", "E="},
		Command: &job.Command{EnvUnset: []string{"A", "B", "NEVER"}, Env: []string{"B=set"}},
	})
	if _, ok := env["A"]; ok || env["B"] != "set" || env["C"] != "captured" || env["D"] != "hunter2=\n\"x\"" {
		t.Errorf("environment %q", env)
	}
	if v, ok := env["E"]; !ok || v != "" {
		t.Errorf("an empty secret is %q, %v", v, ok)
	}
	r := a.spec(t.Context(), run.Spec{Secrets: []string{"A=hunter2\x00"}, Command: &job.Command{Line: "true"}})
	want(t, r, job.ReasonEnv)
	if strings.Contains(r.Message, "hunter2") {
		t.Errorf("the message %q tells the secret", r.Message)
	}
}

func TestNoContainerRuntime(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	for runtime, want := range map[string]string{
		"":       "none of docker, podman, apptainer, singularity is in PATH; install a container runtime on this machine",
		"podman": "the container runtime podman is not in PATH; install it",
		"rkt":    `container runtime "rkt" is not known; known are docker`,
	} {
		r := a.command(t, job.Command{Line: "true", Image: "img", Runtime: runtime, Env: []string{"PATH=/nonexistent"}})
		if r.Reason != job.ReasonContainer || !strings.Contains(r.Message, want) {
			t.Errorf("runtime %q: %v, %q", runtime, r.Reason, r.Message)
		}
	}
	path := stub(t, "docker", "exit 1") // a client without its daemon does not count
	r := a.command(t, job.Command{Line: "true", Image: "img", Env: []string{strings.Split(path, ":")[0], "DOCKER_HOST=unix:///nonexistent/sock"}})
	if r.Reason != job.ReasonContainer || !strings.Contains(r.Message, "(docker is there, but no daemon of it runs)") {
		t.Errorf("docker without a daemon: %v, %q", r.Reason, r.Message)
	}
}
