package job

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDefaultKey(t *testing.T) {
	base := Command{Line: "echo a", Dir: "/d"}
	same := base
	same.Env, same.EnvID, same.Spool = []string{"A=b"}, "x", true
	if base.Key() != same.Key() {
		t.Error("the environment must not be part of the key")
	}
	for name, c := range map[string]Command{
		"line": {Line: "echo b", Dir: "/d"}, "dir": {Line: "echo a", Dir: "/e"},
		"image": {Line: "echo a", Dir: "/d", Image: "i"}, "argv": {Argv: []string{"echo a"}, Dir: "/d"},
		"mounts": {Line: "echo a", Dir: "/d", Mounts: []Mount{{Dir: "m"}}},
	} {
		if c.Key() == base.Key() {
			t.Errorf("another %s must give another key", name)
		}
	}
	one, two := Command{Argv: []string{"a b"}}, Command{Argv: []string{"a", "b"}}
	if one.Key() == two.Key() {
		t.Error("words are told apart")
	}
	if got := base.Key(); len(got) != 32 {
		t.Errorf("key %q; want 32 hexadecimal digits", got)
	}
}

func TestKind(t *testing.T) {
	for line, want := range map[string]string{
		"sort -u x": "sort", "  /usr/bin/awk '{print}'": "awk", "\tgrep\tx": "grep", "": "", "true": "true",
	} {
		if got := (&Command{Line: line}).Kind(); got != want {
			t.Errorf("kind of %q is %q; want %q", line, got, want)
		}
	}
	if got := (&Command{Argv: []string{"/bin/ls", "-l"}}).Kind(); got != "ls" {
		t.Errorf("kind %q", got)
	}
}

func TestCommandString(t *testing.T) {
	c := Command{Argv: []string{"echo", "a b", "it's", ""}}
	if got, want := c.String(), `echo 'a b' 'it'\''s' ''`; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int64
	}{
		{CPU, "1", 1000}, {CPU, "0.5", 500}, {Memory, "2G", 2 << 30}, {Memory, "1.5GiB", 3 << 29},
		{Disk, "500M", 500 << 20}, {Memory, "100", 100}, {Memory, "1kb", 1 << 10}, {"gpu", "2", 2000}, {CPU, "0", 0},
	} {
		if got, err := ParseAmount(c.name, c.text); err != nil || got != c.want {
			t.Errorf("%s %q is %d, %v; want %d", c.name, c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "x", "-1", "1e30", "NaN", "1 2", "inf"} {
		if _, err := ParseAmount(Memory, bad); !IsKind(err, Invalid) {
			t.Errorf("%q: %v; want it refused", bad, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{CPU, Memory, "gpu"}).Draw(t, "name")
		v := rapid.Int64Range(0, 1<<50).Draw(t, "v")
		if got, err := ParseAmount(name, FormatAmount(name, v)); err != nil || math.Abs(float64(got-v)) > float64(v)/1e9 {
			t.Fatalf("%s %d is written %q and read as %d, %v", name, v, FormatAmount(name, v), got, err)
		}
	})
}

func TestShowAmount(t *testing.T) {
	for v, want := range map[int64]string{24684096 << 10: "23.5G", 1 << 30: "1G", 1000: "1000", 1536: "1.5K", 0: "0"} {
		if got := ShowAmount(Memory, v); got != want {
			t.Errorf("%d is shown as %q; want %q", v, got, want)
		}
	}
}

func TestResources(t *testing.T) {
	r := Resources{CPU: 1000, Memory: 2 << 30}
	if !r.Fits(Resources{CPU: 1000, Memory: 2 << 30, Disk: 1}) || r.Fits(Resources{CPU: 999, Memory: 2 << 30}) || r.Fits(nil) {
		t.Error("fits is by each name, exactly")
	}
	if got := r.String(); got != "cpu=1 mem=2G" {
		t.Errorf("%q", got)
	}
	free := Resources{CPU: 4000}
	free.Sub(r)
	free.Add(r)
	if free[CPU] != 4000 || free[Memory] != 0 {
		t.Errorf("%v", free)
	}
}

func TestBackoff(t *testing.T) {
	for n, seconds := range []int{30, 60, 120, 240, 480, 960, 1800, 1800} {
		want := time.Duration(seconds) * time.Second
		if got := DefaultBackoff.Delay(n, 0); got != want {
			t.Errorf("after failure %d: %v; want %v", n, got, want)
		}
	}
	if got := DefaultBackoff.Delay(0, 0.5); got != 45*time.Second {
		t.Errorf("with jitter: %v", got)
	}
	if got := DefaultBackoff.Delay(1000, 0.99); got != 30*time.Minute {
		t.Errorf("at most: %v", got)
	}
}

func good() *Job { return &Job{Command: &Command{Line: "true"}} }

func TestValidate(t *testing.T) {
	negative := -1
	for field, spoil := range map[string]func(*Job){
		"key":           func(j *Job) { j.Key = Key(strings.Repeat("k", MaxKey+1)) },
		"data":          func(j *Job) { j.Data = []byte("x") },
		"needs":         func(j *Job) { j.Key, j.Command = "k", nil },
		"argument list": func(j *Job) { j.Command.Line = "" },
		"NUL":           func(j *Job) { j.Command.Line = "a\x00b" },
		"env":           func(j *Job) { j.Command.Env = []string{"novalue"} },
		"priority":      func(j *Job) { j.Priority = math.NaN() },
		"retries":       func(j *Job) { j.Retries = &negative },
		"mem":           func(j *Job) { j.Needs = Resources{Memory: -1} },
		"cpu":           func(j *Job) { j.Needs = Resources{CPU: MaxAmount + 1} },
		"time":          func(j *Job) { j.Time = -time.Second },
		"lease":         func(j *Job) { j.Lease = time.Hour * 25 },
		"label":         func(j *Job) { j.Labels = Labels{"plain"} },
		"group":         func(j *Job) { j.Group = "a\nb" },
		"queue":         func(j *Job) { j.Queue = strings.Repeat("q", MaxName+1) },
		"grace":         func(j *Job) { j.Command.Grace = -1 },
		"limit":         func(j *Job) { j.Limits = []LimitUse{{Name: "l", Weight: -1}} },
		"command":       func(j *Job) { j.Command.Line = strings.Repeat("x", MaxJob+1) },
	} {
		j := good()
		spoil(j)
		j.Normalise()
		err := j.Validate()
		if !IsKind(err, Invalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("a bad %s: %v; want an invalid error that names it", field, err)
		}
	}
	j := good()
	j.Group, j.Labels = "größe ✓", Labels{"a:b", "c:d:e"}
	j.Normalise()
	if err := j.Validate(); err != nil {
		t.Error(err)
	}
}

func TestStoredForm(t *testing.T) {
	retries := 0
	j := &Job{
		Queue: "q", Key: "k\x00\xff", Data: []byte{1}, Priority: -0.5, Needs: Resources{CPU: 500}, Retries: &retries,
		NotBefore: time.Unix(5, 0), Backoff: &Backoff{Base: 1}, Labels: Labels{"a:b"},
	}
	b, err := Encode(nil, j)
	if err != nil {
		t.Fatal(err)
	}
	got := new(Job)
	if err := Decode(b, got); err != nil {
		t.Fatal(err)
	}
	if !got.NotBefore.Equal(j.NotBefore) {
		t.Errorf("not before %v; want %v", got.NotBefore, j.NotBefore)
	}
	got.NotBefore = j.NotBefore
	if !reflect.DeepEqual(j, got) {
		t.Errorf("%+v; want %+v", got, j)
	}
	for _, bad := range [][]byte{nil, {}, {9}, {1}, {1, 0xff}, b[:len(b)-1]} {
		if err := Decode(bad, new(Job)); !IsKind(err, Damaged) {
			t.Errorf("decode %v: %v; want damaged", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := Encode(nil, good())
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		j := new(Job)
		if Decode(b, j) != nil {
			return
		}
		again, err := Encode(nil, j)
		if err != nil {
			t.Fatal(err)
		}
		if err := Decode(again, new(Job)); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}

func TestErrors(t *testing.T) {
	inner := &Error{Kind: Exhausted, RetryAfter: time.Second, Err: errors.New("full")}
	err := Wrap(fmt.Errorf("more: %w", inner), "add", "job x")
	if err.Error() != "add job x: more: full" || KindOf(err) != Exhausted {
		t.Errorf("%v, %v", err, KindOf(err))
	}
	var e *Error
	if !errors.As(err, &e) || e.RetryAfter != time.Second {
		t.Error("the time to try again is lost")
	}
	if Wrap(nil, "a", "b") != nil || KindOf(errors.New("x")) != Internal {
		t.Error("nil stays nil, strangers are internal")
	}
	if !errors.Is(Wrap(ErrLostLease, "report", "1-2"), ErrLostLease) {
		t.Error("wrapped errors are still themselves")
	}
	seen := map[string]bool{}
	for k := range ErrorKind(numKinds) {
		back, ok := ParseErrorKind(k.String())
		if !ok || back != k || seen[k.String()] || k.ExitCode() == 0 || k.HTTPStatus() < 400 || k.GRPCCode() == 0 {
			t.Errorf("kind %d: %q %d %d %d", k, k, k.ExitCode(), k.HTTPStatus(), k.GRPCCode())
		}
		seen[k.String()] = true
	}
}

func TestWords(t *testing.T) {
	for s := Blocked; int(s) < NumStates; s++ {
		if got, err := ParseState(s.String()); err != nil || got != s {
			t.Errorf("state %v: %v, %v", s, got, err)
		}
	}
	if _, err := ParseState("happy"); !IsKind(err, Invalid) || !strings.Contains(err.Error(), "buried") {
		t.Errorf("an unknown state: %v; want the known ones listed", err)
	}
	for r := range Reason(numReasons) {
		if got, err := ParseReason(r.Word()); err != nil || got != r {
			t.Errorf("reason %v: %v, %v", r, got, err)
		}
	}
	id := AttemptID{Epoch: 3, N: 77}
	if got, err := ParseAttemptID(id.String()); err != nil || got != id {
		t.Errorf("attempt id %v: %v, %v", id, got, err)
	}
	if _, err := ParseAttemptID("7"); !IsKind(err, Invalid) {
		t.Errorf("a bad attempt id: %v", err)
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 jobs", 1: "1 job", 2: "2 jobs"} {
		if got := Plural(n, "job"); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// TestWrapNamesAFileOnce: the system's error has the name of the file, too.
func TestWrapNamesAFileOnce(t *testing.T) {
	_, err := os.Open("/no/such/file")
	wrapped := Wrap(err, "read", "/no/such/file")
	if got, want := wrapped.Error(), "read /no/such/file: no such file or directory"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(wrapped, fs.ErrNotExist) {
		t.Error("it is no fs.ErrNotExist any more")
	}
	if got, want := Wrap(err, "load", "the flow").Error(), "load the flow: open /no/such/file: no such file or directory"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
