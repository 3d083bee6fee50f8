// Package cgroup gives each command of an agent a control group of its own,
// where the kernel's unified hierarchy (cgroup v2) is mounted and may be
// written: everything a command starts is in it whatever it does, can be counted
// and limited there, and can be ended by one write. Each controller is used only
// where it is present; ending needs none. Packages home, keeper and run call it.
package cgroup

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// Tree is an agent's own control group; its children are the commands' groups.
type Tree struct {
	path string
	has  map[string]bool // controllers the children have
	dir  *os.File
}

// Own is the control group the calling process is in, as a path in the file
// system. The error says why there is none.
func Own() (string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mount, root := mounted(info)
	if mount == "" {
		return "", job.Errorf(job.NotFound, "no cgroup v2 hierarchy is mounted on this machine")
	}
	for line := range strings.Lines(string(self)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			rel, err := filepath.Rel(root, path)
			if err != nil || strings.HasPrefix(rel, "..") {
				rel = "."
			}
			return filepath.Join(mount, rel), nil
		}
	}
	return "", job.Errorf(job.NotFound, "this process is in no cgroup of the v2 hierarchy")
}

// mounted finds the mount point of the v2 hierarchy in a mountinfo file, and
// which of its directories is mounted there.
func mounted(info []byte) (mount, root string) {
	for line := range strings.Lines(string(info)) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if ok && len(l) >= 5 && len(r) >= 1 && r[0] == "cgroup2" {
			return unescape(l[4]), unescape(l[3])
		}
	}
	return "", ""
}

// unescape undoes the kernel's \040 for a blank in a path.
func unescape(s string) string {
	for i := 0; i+3 < len(s); i++ {
		if s[i] == '\\' {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				s = s[:i] + string([]byte{byte(n)}) + s[i+4:]
			}
		}
	}
	return s
}

// Open makes the group name below parent (see Own) and hands it the controllers
// that can be had. The error says why commands cannot have groups here.
func Open(parent, name string) (*Tree, error) {
	t := &Tree{path: filepath.Join(parent, name)}
	if err := os.Mkdir(t.path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, job.Errorf(job.Denied, "cannot make a control group: %w", err)
	}
	dir, err := os.Open(t.path)
	if err != nil {
		return nil, err
	}
	t.dir = dir
	settle(parent)
	delegate(parent)
	t.has = delegate(t.path)
	if err := t.probe(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// settle moves the calling process into a child of its group when it is alone
// there (a service of its own, say): only a group without processes may hand
// controllers down.
func settle(parent string) {
	self := strconv.Itoa(os.Getpid())
	own, err := Own()
	if err != nil || own != parent || !slices.Equal(pids(parent), []int{os.Getpid()}) {
		return
	}
	child := filepath.Join(parent, "muster-agent")
	if os.Mkdir(child, 0o755) == nil {
		_ = write(filepath.Join(child, "cgroup.procs"), self)
	}
}

// delegate lets the children of a group have the controllers we use, each that
// is there, and returns those they now have. A controller that is refused (the
// group holds processes itself) is done without.
func delegate(path string) map[string]bool {
	available, _ := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
	control := filepath.Join(path, "cgroup.subtree_control")
	for _, c := range strings.Fields(string(available)) {
		if slices.Contains([]string{"memory", "cpu", "pids"}, c) {
			_ = write(control, "+"+c)
		}
	}
	on, _ := os.ReadFile(control)
	has := map[string]bool{}
	for _, c := range strings.Fields(string(on)) {
		has[c] = true
	}
	return has
}

// probe finds out whether processes can be born into a group here: a program
// that does not exist gets as far as that and no further.
func (t *Tree) probe() error {
	_, err := syscall.ForkExec("/proc/self/no-such-program", []string{"probe"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(t.dir.Fd())},
	})
	if !errors.Is(err, syscall.ENOENT) {
		return job.Errorf(job.Denied, "cannot start processes in control group %s: %w", t.path, err)
	}
	return nil
}

// Path is the group's directory.
func (t *Tree) Path() string { return t.path }

// Has reports whether the commands' groups have a controller: "memory", "cpu" or
// "pids".
func (t *Tree) Has(controller string) bool { return t.has[controller] }

// Close removes the group and its empty children. Groups that still hold
// processes stay.
func (t *Tree) Close() {
	t.dir.Close()
	_ = remove(t.path)
}

// Kill sends SIGKILL to everything in the group at path and below it, at once
// and without a race against forking.
func Kill(path string) error {
	err := write(filepath.Join(path, "cgroup.kill"), "1")
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(path); errors.Is(gone, fs.ErrNotExist) {
			return nil
		}
		return killEach(path) // a kernel before 5.14
	}
	return err
}

func killEach(path string) error {
	return walk(path, func(dir string) error {
		for _, pid := range pids(dir) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		return nil
	})
}

// Pids lists the processes in the group at path and below it.
func Pids(path string) []int {
	var all []int
	_ = walk(path, func(dir string) error {
		all = append(all, pids(dir)...)
		return nil
	})
	return all
}

func pids(dir string) []int {
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var list []int
	for _, f := range bytes.Fields(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil && pid > 0 {
			list = append(list, pid)
		}
	}
	return list
}

// End kills everything in the group at path, waits until it is empty and removes
// it. A group that is not there is at its end. The error, when ctx ends first,
// names a process that would not go.
func End(ctx context.Context, path string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		if err := Kill(path); err != nil {
			return job.Wrap(err, "kill", path)
		}
		if len(Pids(path)) == 0 && remove(path) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return job.Errorf(job.Timeout, "control group %s does not empty although its processes %v were killed; they may hang in the kernel (a dead network file system?)", path, Pids(path))
		case <-time.After(wait):
		}
	}
}

// walk visits a group and those below it, the deepest first.
func walk(path string, visit func(dir string) error) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := walk(filepath.Join(path, e.Name()), visit); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return visit(path)
}

// remove removes a group and those below it.
func remove(path string) error {
	err := walk(path, func(dir string) error { return syscall.Rmdir(dir) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// write writes to an existing file of the hierarchy in one call.
func write(path, s string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s)
	return errors.Join(err, f.Close())
}
