package cgroup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMounted(t *testing.T) {
	tests := []struct{ info, mount, root string }{
		{"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n41 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified", "/"},
		{"41 31 0:31 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", "/sys/fs/cgroup", "/"},
		{`41 31 0:31 /sub /my\040groups rw - cgroup2 none rw` + "\n", "/my groups", "/sub"},
		{"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "", ""},
		{"garbage\n - cgroup2\n", "", ""},
	}
	for _, test := range tests {
		if mount, root := mounted([]byte(test.info)); mount != test.mount || root != test.root {
			t.Errorf("%q: %q, %q", test.info, mount, root)
		}
	}
}

// fake is a leaf over plain files, for the controllers a test machine may lack.
func fake(t *testing.T, files ...string) *Leaf {
	t.Helper()
	dir := t.TempDir()
	for _, f := range append(files, "cgroup.events", "cpu.stat", "memory.peak", "memory.events", "memory.current") {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree := &Tree{path: filepath.Dir(dir), has: map[string]bool{"memory": true, "cpu": true, "pids": true}}
	l, err := tree.leaf(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *Leaf) file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(l.path, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *testing.T, l *Leaf, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(l.path, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLimits(t *testing.T) {
	// memory.swap.max is missing, as on a machine without swap accounting.
	l := fake(t, "memory.max", "memory.oom.group", "cpu.weight", "cpu.max", "pids.max")
	if err := l.Prepare(Limits{Memory: 1 << 30, CPU: 2500, CPUCap: true, Procs: 77}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"memory.max": "1073741824", "memory.oom.group": "1", "cpu.weight": "250", "cpu.max": "250000 100000", "pids.max": "77",
	} {
		if got := l.file(t, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	put(t, l, "memory.max", "") // plain files keep what was longer
	put(t, l, "cpu.max", "")
	if err := l.Prepare(Limits{CPU: 5}); err != nil {
		t.Fatal(err)
	}
	if got := l.file(t, "memory.max") + " " + l.file(t, "cpu.max"); got != "max max" {
		t.Errorf("without limits: %q", got)
	}
	if weight(5) != 1 || weight(0) != 100 || weight(1e9) != 10000 {
		t.Error("weights are out of their range")
	}
}

func TestUsageCountsFromPrepare(t *testing.T) {
	l := fake(t, "memory.max", "memory.oom.group", "cpu.weight", "cpu.max", "pids.max")
	put(t, l, "cpu.stat", "usage_usec 1000\nuser_usec 600\n")
	put(t, l, "memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 1\n")
	put(t, l, "memory.peak", "4096\n")
	put(t, l, "memory.current", "0\n")
	if err := l.Prepare(Limits{}); err != nil {
		t.Fatal(err)
	}
	if u := l.Usage(); u != (Usage{CPU: time.Millisecond, Peak: 4096, OOMKills: 2}) {
		t.Errorf("first %+v", u)
	}
	if err := l.Prepare(Limits{}); err != nil {
		t.Fatal(err)
	}
	put(t, l, "cpu.stat", "usage_usec 1500\n")
	put(t, l, "memory.events", "oom_kill 3\n")
	if u := l.Usage(); u.CPU != 500*time.Microsecond || u.OOMKills != 1 {
		t.Errorf("second %+v", u)
	}
}

func TestReusable(t *testing.T) {
	l := fake(t)
	for name, test := range map[string]struct {
		current, peak string
		reusable      bool
	}{
		"small": {"0", "1000000", true}, "still charged": {"5000000", "5000000", false}, "peak": {"0", "99999999", false},
	} {
		put(t, l, "memory.current", test.current)
		put(t, l, "memory.peak", test.peak)
		if l.Reusable() != test.reusable {
			t.Error(name)
		}
	}
	put(t, l, "memory.current", "0")
	put(t, l, "memory.peak", "0")
	if err := os.Mkdir(l.path+"/made-inside", 0o755); err != nil {
		t.Fatal(err)
	}
	if l.Reusable() {
		t.Error("with a group made inside")
	}
}

func TestPopulated(t *testing.T) {
	l := fake(t)
	for text, populated := range map[string]bool{"populated 1\nfrozen 0\n": true, "populated 0\nfrozen 0\n": false, "": false} {
		put(t, l, "cgroup.events", text)
		if l.Populated() != populated {
			t.Errorf("%q", text)
		}
	}
}

// real is a tree in the hierarchy of the machine.
func real(t *testing.T) *Tree {
	t.Helper()
	own, err := Own()
	if err != nil {
		t.Skip(err)
	}
	tree, err := Open(own, "muster-test-"+strings.ToLower(t.Name())+"-"+filepath.Base(t.TempDir()))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		tree.Close()
		if _, err := os.Stat(tree.Path()); err == nil {
			t.Errorf("%s is left", tree.Path())
		}
	})
	return tree
}

func born(t *testing.T, l *Leaf, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("bash", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: l.FD()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestRealLeaf(t *testing.T) {
	l, err := real(t).Leaf(7)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Prepare(Limits{}); err != nil {
		t.Fatal(err)
	}
	if l.Populated() || !l.Reusable() {
		t.Error("a new group is not empty")
	}
	cmd := born(t, l, "trap '' TERM; setsid bash -c 'trap \"\" TERM; echo; sleep 100; sleep 100' & for i in $(seq 1000); do :; done; wait")
	if !l.Populated() || len(l.Pids()) < 2 {
		t.Errorf("processes %v", l.Pids())
	}
	if err := l.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for l.Populated() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if l.Reusable() {
		t.Error("a killed group is taken for reusable")
	}
	if err := l.Renew(); err != nil {
		t.Fatal(err)
	}
	cmd = born(t, l, "echo") // born and not killed with those before
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if u := l.Usage(); u.CPU <= 0 {
		t.Errorf("used %+v", u)
	}
}

func TestRealEnd(t *testing.T) {
	tree := real(t)
	l, err := tree.Leaf(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Mkdir(l.Path()+"/inner", 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := born(t, l, "echo $BASHPID >"+l.Path()+"/inner/cgroup.procs; (while :; do sleep 0.01; done) & echo; wait")
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := End(ctx, tree.Path()); err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := End(ctx, tree.Path()); err != nil {
		t.Errorf("a group that is gone: %v", err)
	}
}
