package home_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/proc"
	"github.com/muster-queue/muster/job"
)

func take(t *testing.T, dir string) *home.Home {
	t.Helper()
	h, err := home.Takeover(t.Context(), home.Config{Dir: dir, NoCgroup: true, Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// crash gives a directory up as a killed agent does.
func crash(t *testing.T, h *home.Home) {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestIncarnations(t *testing.T) {
	dir := t.TempDir() + "/new"
	h := take(t, dir)
	if h.Incarnation != 1 || !h.Proven || h.ID == "" || h.Machine == "" || h.Boot == "" || len(h.Superseded) > 0 {
		t.Errorf("the first: %+v", h)
	}
	for _, n := range []uint64{3, 1, 2} {
		if _, err := h.Table.Take(job.AttemptID{Epoch: 7, N: n}, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	h.Table.Free(1)
	crash(t, h)
	next := take(t, dir)
	if next.ID != h.ID || next.Incarnation != 2 || !next.Proven {
		t.Errorf("the second: %+v", next)
	}
	if len(next.Superseded) != 2 || next.Superseded[0].N != 3 || next.Superseded[1].N != 2 {
		t.Errorf("superseded %v", next.Superseded)
	}
	crash(t, next)
	if last := take(t, dir); last.Incarnation != 3 || len(last.Superseded) != 0 {
		t.Errorf("the third: %+v", last)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	take(t, dir)
	link := t.TempDir() + "/link"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link} {
		_, err := home.Takeover(t.Context(), home.Config{Dir: path, NoCgroup: true})
		if !job.IsKind(err, job.Conflict) || !strings.Contains(err.Error(), "pid ") || !strings.Contains(err.Error(), dir) {
			t.Errorf("a second agent: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := home.Takeover(ctx, home.Config{Dir: dir}); err == nil {
		t.Error("a second agent got in")
	}
}

// edit changes a field of the stored identity.
func edit(t *testing.T, dir, field, value string) {
	t.Helper()
	path := dir + "/identity.json"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`("`+field+`": )("[^"]*"|\d+)`).ReplaceAll(b, []byte("${1}"+value))
	if string(changed) == string(b) {
		t.Fatalf("no field %s in %s", field, b)
	}
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsProven(t *testing.T) {
	tests := map[string]struct {
		field, value string
		proven, same bool
		superseded   int
	}{
		"new boot":          {"boot", `"another"`, true, true, 1},
		"other machine":     {"machine", `"another"`, false, false, 0},
		"another container": {"pid_namespace", `"pid:[1]"`, false, false, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h := take(t, dir)
			if _, err := h.Table.Take(job.AttemptID{N: 1}, 0, 0); err != nil {
				t.Fatal(err)
			}
			crash(t, h)
			edit(t, dir, test.field, test.value)
			next := take(t, dir)
			if next.Proven != test.proven || (next.ID == h.ID) != test.same || len(next.Superseded) != test.superseded {
				t.Errorf("proven %v, id %s after %s, superseded %v", next.Proven, next.ID, h.ID, next.Superseded)
			}
			if next.Incarnation != 2 {
				t.Errorf("incarnation %d", next.Incarnation)
			}
		})
	}
}

func TestDamagedIdentity(t *testing.T) {
	for name, content := range map[string]string{"torn": `{"format": 1, "id`, "empty": "", "newer": `{"format": 2, "id": "x"}`} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(dir+"/identity.json", []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // and it is not locked for ever
				_, err := home.Takeover(t.Context(), home.Config{Dir: dir, NoCgroup: true})
				if !job.IsKind(err, job.Damaged) || !strings.Contains(err.Error(), "identity.json") {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

func TestDamagedTable(t *testing.T) {
	dir := t.TempDir()
	crash(t, take(t, dir))
	for _, content := range []string{"", "short", strings.Repeat("x", 640)} {
		if err := os.WriteFile(dir+"/running.1", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := home.Takeover(t.Context(), home.Config{Dir: dir, NoCgroup: true}); !job.IsKind(err, job.Damaged) {
			t.Errorf("%.10q: error %v", content, err)
		}
	}
}

// The end of what a predecessor started is brought about before the directory is
// taken over.
func TestPredecessorsProcessesEnd(t *testing.T) {
	dir := t.TempDir()
	h := take(t, dir)
	cmd := exec.Command("sleep", "100")
	scope := h.Scope()
	scope.Run = 1
	cmd.Env = []string{scope.Env()}
	other := exec.Command("sleep", "100")
	other.Env = []string{proc.Scope{Agent: h.ID + "0", Incarnation: 1, Run: 1}.Env()}
	for _, c := range []*exec.Cmd{cmd, other} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	crash(t, h)
	take(t, dir)
	if pids, _ := scope.Pids(); len(pids) > 0 {
		t.Error("it still runs")
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("it ended with %v", err)
	}
	if other.ProcessState != nil || !proc.Alive(other.Process.Pid, started(t, other.Process.Pid)) {
		t.Error("another agent's command was ended")
	}
	_ = other.Process.Kill()
	_ = other.Wait()
}

func started(t *testing.T, pid int) uint64 {
	t.Helper()
	p, err := proc.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p.Start
}

func TestTable(t *testing.T) {
	h := take(t, t.TempDir())
	other, err := home.OpenTable(h.Dir, h.Incarnation)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if n := other.Slots(); n != 8 {
		t.Errorf("%d slots", n)
	}
	for n := range uint64(8) {
		s, err := h.Table.Take(job.AttemptID{Epoch: 2, N: n}, time.Second, time.Minute)
		if err != nil || s.Run != n+1 {
			t.Fatal(s, err)
		}
	}
	if _, err := h.Table.Take(job.AttemptID{}, 0, 0); !job.IsKind(err, job.Exhausted) {
		t.Errorf("a ninth: %v", err)
	}
	h.Table.SetProcess(3, 42, 4711)
	h.Table.Extend(3, 2*time.Second, 3*time.Second)
	other.Keep(3)
	want := home.Slot{Index: 3, Run: 4, Attempt: job.AttemptID{Epoch: 2, N: 3}, Pid: 42, Start: 4711, Term: 2 * time.Second, Kill: 3 * time.Second, Kept: true}
	if s := other.Get(3); s != want {
		t.Errorf("seen by another: %+v", s)
	}
	if s := h.Table.Get(3); !s.Kept {
		t.Error("what the other wrote is not seen")
	}
	h.Table.Free(3)
	if n := len(other.Running()); n != 7 {
		t.Errorf("%d running", n)
	}
	s, err := h.Table.Take(job.AttemptID{Epoch: 2, N: 9}, 0, 0)
	if err != nil || s.Index != 3 || s.Run != 9 || h.Table.Get(3).Kept || h.Table.Get(3).Pid != 0 {
		t.Errorf("the slot again: %+v, %v", s, err)
	}
}

func TestNowCountsFromBoot(t *testing.T) {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	up, err := time.ParseDuration(strings.Fields(string(b))[0] + "s")
	if err != nil {
		t.Fatal(err)
	}
	if d := home.Now() - up; d < -time.Second || d > time.Minute {
		t.Errorf("%v after boot, the system says %v", home.Now(), up)
	}
}
