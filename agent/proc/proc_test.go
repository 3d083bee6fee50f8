package proc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const statTail = " 1 7 8 0 -1 4194560 100 0 0 0 1 2 3 4 20 0 1 0 12345 1000 20 18446744073709551615 1 2 3 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 4 5 6 7 8 9 10 0\n"

func TestParseStat(t *testing.T) {
	for _, name := range []string{"sleep", "a b", ") R 1 (", "((()))", ""} {
		p, err := parseStat(5, []byte("5 ("+name+") S"+statTail))
		if err != nil || p.Parent != 1 || p.Group != 7 || p.Session != 8 || p.Start != 12345 || p.State != 'S' || p.envEnd != 10 {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
	for _, line := range []string{"", "5 (x", "5 (x) S 1 2"} {
		if _, err := parseStat(5, []byte(line)); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("5 (sleep) S" + statTail))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseStat(5, b)
	})
}

func TestSelf(t *testing.T) {
	p, err := Read(os.Getpid())
	if err != nil || p.Parent != os.Getppid() || p.Dead() || p.Exiting() || p.executing() {
		t.Errorf("%+v, %v", p, err)
	}
	if !Alive(p.Pid, p.Start) || Alive(p.Pid, p.Start+1) {
		t.Error("the start does not tell processes apart")
	}
	if m, err := Memory(p.Pid); err != nil || m < 1<<20 || m > 1<<30 {
		t.Errorf("memory %d, %v", m, err)
	}
	if err := (Process{Pid: p.Pid, Start: p.Start + 1}).Signal(unix.SIGKILL); err != unix.ESRCH {
		t.Errorf("a process that had the number before is signalled: %v", err)
	}
}

func TestTree(t *testing.T) {
	table := Table{}
	for _, p := range []Process{
		{Pid: 10, Parent: 1, Session: 10}, {Pid: 11, Parent: 10, Session: 10}, {Pid: 12, Parent: 11, Session: 12},
		{Pid: 13, Parent: 1, Session: 10}, {Pid: 14, Parent: 11, Session: 10, State: 'Z'}, {Pid: 15, Parent: 14, Session: 15},
		{Pid: 20, Parent: 1, Session: 20},
	} {
		table[p.Pid] = p
	}
	in := map[int]bool{}
	for _, pid := range table.Tree(10) {
		in[pid] = true
	}
	if len(in) != 5 || !in[10] || !in[11] || !in[12] || !in[13] || !in[15] {
		t.Errorf("the tree is %v", in)
	}
}

func TestScopeContains(t *testing.T) {
	any, incarnation, run := Scope{Agent: "ab"}, Scope{Agent: "ab", Incarnation: 2}, Scope{Agent: "ab", Incarnation: 2, Run: 3}
	for mark, in := range map[string][3]bool{
		"ab.2.3": {true, true, true}, "ab.2.30": {true, true, false}, "ab.22.3": {true, false, false},
		"abc.2.3": {}, "a.2.3": {}, "ab": {}, "": {}, "ab.2": {true, true, false},
	} {
		if got := [3]bool{any.Contains(mark), incarnation.Contains(mark), run.Contains(mark)}; got != in {
			t.Errorf("%q: %v, want %v", mark, got, in)
		}
	}
}

func TestMarks(t *testing.T) {
	s := Scope{Agent: "ab", Incarnation: 2}
	for env, has := range map[string]bool{
		"MUSTER_SCOPE=ab.2.3\x00":                         true,
		"A=1\x00MUSTER_SCOPE=outer.1.1 ab.2.3\x00B=2\x00": true,
		"A=MUSTER_SCOPE=ab.2.3\x00":                       false,
		"XMUSTER_SCOPE=ab.2.3\x00":                        false,
		"MUSTER_SCOPE=\x00":                               false,
		"MUSTER_SCOPE=ab.2.3":                             true,
	} {
		if s.marks([]byte(env)) != has {
			t.Errorf("%q", env)
		}
	}
}

func TestInnerAgentsPassTheMarkOn(t *testing.T) {
	t.Setenv(ScopeVar, "outer.1.1")
	if env := (Scope{Agent: "in", Incarnation: 2, Run: 3}).Env(); env != "MUSTER_SCOPE=outer.1.1 in.2.3" {
		t.Errorf("%q", env)
	}
}

// shell starts a marked shell whose first line of output has been read.
func shell(t *testing.T, s Scope, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(os.Environ(), s.Env())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestEnd(t *testing.T) {
	s := Scope{Agent: fmt.Sprintf("test%d", os.Getpid()), Incarnation: 1}
	one, two := s, s
	one.Run, two.Run = 1, 2
	lone := shell(t, two, "echo; sleep 100 & wait")
	// Children are born as fast as they can be killed.
	busy := shell(t, one, "trap '' TERM; echo; n=0; while :; do n=$((n+1)); sleep 100 & [ $n -lt 100 ] || { wait; n=0; }; done")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := one.End(ctx); err != nil {
		t.Fatal(err)
	}
	if pids, _ := one.Pids(); len(pids) > 0 {
		t.Errorf("%v is left", pids)
	}
	if pids, _ := two.Pids(); len(pids) != 2 {
		t.Errorf("of the other run %v is left", pids)
	}
	if n, err := two.SignalAll(unix.SIGTERM); n != 2 || err != nil {
		t.Errorf("%d signalled, %v", n, err)
	}
	if err := s.End(ctx); err != nil {
		t.Fatal(err)
	}
	_, _ = busy.Wait(), lone.Wait()
}

func TestEndGivesUp(t *testing.T) {
	s := Scope{Agent: fmt.Sprintf("test%d", os.Getpid()), Incarnation: 2, Run: 1}
	cmd := shell(t, s, "echo; sleep 100")
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.End(ctx); err != nil && !strings.Contains(err.Error(), "does not end") {
		t.Errorf("%v", err)
	}
}

func TestReadGrows(t *testing.T) {
	path := t.TempDir() + "/file"
	text := strings.Repeat("0123456789", 1000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := read(path, make([]byte, 16))
	if err != nil || string(b) != text {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
