package input

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// readAll reads text with a template like the command line's.
func readAll(t *testing.T, text string) (jobs []*job.Job, bad []string) {
	t.Helper()
	r := NewReader(strings.NewReader(text), "jobs.txt")
	r.Template = &job.Job{Group: "g", Command: &job.Command{Dir: "/work", DirGiven: true, Env: []string{"A=1"}}}
	r.Now = noon
	for {
		j, err := r.Next()
		var line *LineError
		switch {
		case errors.Is(err, io.EOF):
			return jobs, bad
		case errors.As(err, &line):
			bad = append(bad, err.Error())
		case err != nil:
			t.Fatal(err)
		default:
			jobs = append(jobs, j)
		}
	}
}

func TestLinesOfEveryForm(t *testing.T) {
	text := "\ufeffecho one\r\n" +
		"\n# a comment\n   \t \n" +
		"  echo two  \n" +
		"{\"cmd\":\"echo three\",\"memory\":\"2G\",\"cpus\":0.5}\n" +
		"echo four\t{\"priority\": 7, \"retries\": 0}\n" +
		"{\"cmd\":[\"echo\",\"a b\"]}\n" +
		"{ echo group; }\n" +
		"awk -F'\t' '{print $1}' x\n" +
		"echo last"
	jobs, bad := readAll(t, text)
	if len(bad) > 0 {
		t.Fatalf("refused: %q", bad)
	}
	var got []string
	for _, j := range jobs {
		got = append(got, j.Command.String()+" | "+j.Needs.String())
	}
	want := []string{
		"echo one | ", "echo two | ", "echo three | cpu=0.5 mem=2G", "echo four | ", "echo 'a b' | ",
		"{ echo group; } | ", "awk -F'\t' '{print $1}' x | ", "echo last | ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	four := jobs[3]
	if four.Priority != 7 || *four.Retries != 0 || four.Group != "g" || four.Queue != "default" || four.Kind != "echo" {
		t.Errorf("job four is %+v", four)
	}
}

func TestEveryFieldTakesItsExample(t *testing.T) {
	for _, f := range Fields {
		line := `{"` + f.Name + `": ` + f.Example + `}`
		if f.Name != "cmd" {
			line = "true\t" + line
		}
		if _, bad := readAll(t, line); len(bad) > 0 {
			t.Errorf("%s: its own example is refused: %s", f.Name, bad[0])
		}
	}
}

func TestFieldsReachTheJob(t *testing.T) {
	line := `{"cmd":"x y","cwd":"/d","unique_dir":true,"env":{"B":"2 ","N":3},"rep_grp":"r","req_grp":"k","queue":"q","key":"K",` +
		`"cpus":"1.5","memory":"1G","disk":"2G","resources":{"gpu":1},"time":"1d2h","override":2,"wait":true,"priority":-1.5,"retries":9,` +
		`"no_retry_after":"5m","backoff":{"base":"1s"},"delay":"1h","on_lost":"hold","preemptible":false,"lease":"1m","user":"u","unix_group":"ug",` +
		`"on_success":[{"run":"s"}],"on_failure":[{"remove":true},{"nothing":true}],"on_exit":[{"cleanup_all":true},{"keep_days":3}],` +
		`"grace":"2s","keep":"8K","spool":true,"shell":"sh","change_home":true}`
	jobs, bad := readAll(t, line)
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	nine := 9
	want := &job.Job{
		Queue: "q", Key: "K", Group: "r", Kind: "k", Priority: -1.5, Retries: &nine, Override: job.OverrideAlways, Wait: true,
		Needs: job.Resources{"cpu": 1500, "mem": 1 << 30, "disk": 2 << 30, "gpu": 1000}, Time: 26 * time.Hour,
		NoRetryAfter: 5 * time.Minute, Backoff: &job.Backoff{Base: time.Second, Jitter: 30 * time.Second, Cap: 30 * time.Minute},
		NotBefore: noon.Add(time.Hour), OnLost: job.OnLostHold, NotPreemptible: true, Lease: time.Minute,
		Command: &job.Command{
			Line: "x y", Shell: "sh", Dir: "/d", ChangeHome: true, Env: []string{"A=1", "B=2 ", "N=3"}, User: "u", UnixGroup: "ug",
			OnSuccess: []job.Behaviour{{Run: "s"}}, OnFailure: []job.Behaviour{{Remove: true}},
			OnExit: []job.Behaviour{{Cleanup: true}, {KeepDays: 3}}, Grace: 2 * time.Second, Keep: 8192, Spool: true,
		},
	}
	if d := cmp.Diff(want, jobs[0]); d != "" {
		t.Error(d)
	}
}

func TestBadLinesNameLineAndField(t *testing.T) {
	for line, want := range map[string]string{
		`{"cmd":"x","memry":"1G"}`:                             `unknown field "memry"; did you mean "memory"?`,
		`{"cmd":"x","zzzzzzzz":1}`:                             `unknown field "zzzzzzzz"; docs/input.md lists`,
		`{"cmd":"x","mounts":["a"]}`:                           `field "mounts": this release has no object store mounts`,
		`{"cmd":"x","deps":[1]}`:                               `deps: must be a text, an object like`,
		`{"cmd":"x","deps":[{"group":"a","conditions":"ok"}]}`: `deps: unknown member "conditions" of a dependency; it has cmd, condition, cwd`,
		`{"cmd":"x","deps":{"group":"a","condition":"no"}}`:    `deps: condition: must be one of ok, failed, any`,
		`{"cmd":"x","deps":{"cwd":"/a"}}`:                      `deps: a dependency with a cwd needs the cmd that runs there`,
		`{"cmd":"x","deps":{"static":true}}`:                   `dependency: name the group, or the key of the job, that it is on`,
		`{"cmd":"x","deps":{"group":"a","key":"b"}}`:           `dependency: it names the group "a" and the key "b"; name one of them`,
		`{"cmd":"x"`:                                         `does not end on its line`,
		`{`:                                                  `does not end on its line`,
		`{"cmd":"x"} {"cmd":"y"}`:                            `something follows the JSON object`,
		`{"cmd":"x",}`:                                       `malformed JSON`,
		`{cmd:"x"}`:                                          `malformed JSON`,
		`{"cmd":"x","cpus":1,"cpus":2}`:                      `cpus: given twice`,
		`{"cmd":"x","cpus":-1}`:                              `cpus: cpu "-1" is not an amount`,
		`{"cmd":"x","memory":"-5G"}`:                         `memory: mem "-5G" is not an amount`,
		`{"cmd":"x","memory":"99999999T"}`:                   `memory: mem "99999999T" is not an amount`,
		`{"cmd":"x","memory":"500"}`:                         `memory: "500" has no unit; write 500M or 500G`,
		`{"cmd":"x","memory":""}`:                            `memory: mem "" is not an amount`,
		`{"cmd":"x","memory":true}`:                          `memory: must be an amount`,
		`{"cmd":"x","time":"soon"}`:                          `time: "soon" is not a time`,
		`{"cmd":"x","time":3600}`:                            `time: must be a time with its unit`,
		`{"cmd":"x","time":"99w1h99999999999h"}`:             `is not a time`,
		`{"cmd":"x","time":"-1h"}`:                           `time: "-1h" is not a time`,
		`{"cmd":"x","priority":"NaN"}`:                       `priority: must be a finite number`,
		`{"cmd":"x","retries":1.5}`:                          `retries: must be a whole number`,
		`{"cmd":"x","retries":-1}`:                           `retries: must be a whole number`,
		`{"cmd":"x","wait":"maybe"}`:                         `wait: must be true or false`,
		`{"cmd":"x","override":"never"}`:                     `override: must be one of no, higher, always`,
		`{"cmd":"x","env":["NOEQUALS"]}`:                     `env: "NOEQUALS" is not of the form NAME=value`,
		`{"cmd":"x","env":[1]}`:                              `env: must be a list`,
		`{"cmd":"x","on_exit":[{"explode":true}]}`:           `on_exit: unknown behaviour "explode"`,
		`{"cmd":"x","on_exit":"clean up"}`:                   `on_exit: unknown behaviour "clean"; there are run, cleanup, remove, keep and nothing`,
		`{"cmd":"x","on_exit":[{"copy_to_manager":["f"]}]}`:  `copy_to_manager: files are not copied to the server`,
		`{"cmd":"x","on_exit":"keep"}`:                       `keep: must be a whole number between 1 and 3650`,
		`{"cmd":"x","on_exit":"run "}`:                       `run: must be a line`,
		`{"cmd":"x","secrets":["A=vault:x"]}`:                `secrets: secret "vault:x": "vault" is no source; there are store:NAME`,
		`{"cmd":"x","secrets":["A=file:../x"]}`:              `a name has no slash`,
		`{"cmd":"x","secrets":{"A":"s"},"env":["A=1"]}`:      `secrets: A is set by env too`,
		`{"cmd":"x","env_unset":["A=1"]}`:                    `env_unset: "A=1" is not the name of a variable`,
		`{"cmd":"x","on_exit":[{"run":"a","cleanup":true}]}`: `on_exit: must be a list such as`,
		`{"cmd":"x","backoff":{"bass":"1s"}}`:                `backoff: unknown member "bass"`,
		`{"cmd":"x","keep":"10G"}`:                           `keep: 1048576 bytes; at most`,
		`{"cmd":"x","lease":"1ms"}`:                          `lease: 1ms; it must be between`,
		`{"cmd":7}`:                                          `cmd: must be a text or a list of words`,
		`{"cmd":""}`:                                         `give a shell line or an argument list`,
		`{"memory":"1G"}`:                                    `give a shell line or an argument list`,
		"echo x\t{\"cmd\":\"y\"}":                            `the line has a command already`,
		"echo x\t{memory: 1G}":                               `malformed JSON`,
		"echo \x00":                                          `contains a NUL byte`,
		`{"cmd":"a\u0000b"}`:                                 `contains a NUL byte`,
		`{"cmd":"x","queue":"a\nb"}`:                         `queue: "a\nb" has control characters`,
		`{"cmd":"x","key":""}`:                               `key: must be a text that is not empty`,
		strings.Repeat("x", job.MaxJob+1):                    `bytes; at most 1048576`,
		strings.Repeat("x", MaxLine+1):                       `longer than 10 MiB`,
	} {
		jobs, bad := readAll(t, "true\n"+line+"\ntrue")
		if len(bad) != 1 || len(jobs) != 2 {
			t.Errorf("%.60q: %d errors, %d jobs", line, len(bad), len(jobs))
			continue
		}
		if !strings.HasPrefix(bad[0], "jobs.txt line 2: ") || !strings.Contains(bad[0], want) {
			t.Errorf("%.60q: %s\nwant: %s", line, bad[0], want)
		}
	}
}

func TestLongestLineIsRead(t *testing.T) {
	r := newLineReader(strings.NewReader(strings.Repeat("x", MaxLine) + "\nnext\n"))
	if line, err := r.next(); err != nil || len(line) != MaxLine+1 {
		t.Fatalf("%d bytes, %v", len(line), err)
	}
	if line, err := r.next(); err != nil || string(line) != "next\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestIdenticalLinesShareAKeyUnlessToldOtherwise(t *testing.T) {
	keys := func(salt string) []job.Key {
		r := NewReader(strings.NewReader("same\nsame\n{\"cmd\":\"same\",\"key\":\"mine\"}\n"), "f")
		r.Duplicates = salt
		var out []job.Key
		for {
			j, err := r.Next()
			if err != nil {
				return out
			}
			out = append(out, j.Key)
		}
	}
	plain := keys("")
	if plain[0] != plain[1] || plain[2] != "mine" {
		t.Errorf("keys %q", plain)
	}
	dup := keys("/a/f")
	if dup[0] == dup[1] || dup[0] == plain[0] || dup[2] != "mine" {
		t.Errorf("with duplicates: keys %q", dup)
	}
	if d := cmp.Diff(dup, keys("/a/f")); d != "" {
		t.Errorf("the same file again has other keys: %s", d)
	}
	if other := keys("/b/f"); other[0] == dup[0] {
		t.Error("another file has the same keys")
	}
}

func TestJobsDoNotChangeTheTemplate(t *testing.T) {
	r := NewReader(strings.NewReader(`{"cmd":"a","cpus":2,"env":["X=1"]}`+"\nb\n"), "f")
	r.Template = &job.Job{Needs: job.Resources{"mem": 1}, Command: &job.Command{Env: make([]string, 0, 8)}}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	b, err := r.Next()
	if err != nil || len(b.Command.Env) != 0 || len(b.Needs) != 1 {
		t.Errorf("the second job is %+v %+v, %v", b, b.Command, err)
	}
}

// forever is an endless file of commands.
type forever struct{ n int }

func (f *forever) Read(p []byte) (int, error) {
	const line = "process --sample 0001 --out /data/0001.out\n"
	n := 0
	for n+len(line) <= len(p) {
		n += copy(p[n:], line)
	}
	f.n += n
	return n, nil
}

func TestManyLinesNeedTheMemoryOfFew(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	r := NewReader(&forever{}, "f")
	before := heap()
	for range 200_000 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d bytes more after 200,000 lines", after-before)
	}
	runtime.KeepAlive(r)
}

func BenchmarkPlainLines(b *testing.B) {
	r := NewReader(&forever{}, "f")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"echo a\necho b\t{\"memory\":\"1G\"}\n", `{"cmd":["a","b"],"env":{"X":1},"time":"1d2h"}`,
		"{ echo x; }", "x\t{}", `{"cmd":"x","on_exit":[{"run":"a"}],"backoff":{"base":"1s"}}`, "\xff\xfe", "{\"\":null}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		jobs, bad := readAll(t, text)
		if lines := strings.Count(text, "\n") + 1; len(jobs)+len(bad) > lines {
			t.Fatalf("%d jobs and %d errors from %d lines", len(jobs), len(bad), lines)
		}
		for _, j := range jobs {
			if err := j.Validate(); err != nil {
				t.Fatalf("accepted what is not valid: %v", err)
			}
			if _, err := job.Encode(nil, j); err != nil {
				t.Fatalf("cannot be stored: %v", err)
			}
		}
	})
}

func TestParseTime(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "2d": 48 * time.Hour, "1w2d3h": (7*24 + 48 + 3) * time.Hour, "1.5d": 36 * time.Hour, "0": 0, "250ms": 250 * time.Millisecond,
	} {
		if got, err := ParseTime(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "1", "d", "1x", "-1s", "1d-2h", "5000w", "1e300d", "NaNd", "2d1w"} {
		if got, err := ParseTime(s); !job.IsKind(err, job.Invalid) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

func TestBehavioursInEveryForm(t *testing.T) {
	run, clean, remove := job.Behaviour{Run: "rm -f a, b; echo [x]"}, job.Behaviour{Cleanup: true}, job.Behaviour{Remove: true}
	field, _ := lookup("on_failure")
	if field.FlagName() != "on-failure" {
		t.Errorf("the flag is --%s", field.FlagName())
	}
	for _, test := range []struct {
		flags []string
		want  []job.Behaviour
	}{
		{[]string{"run rm -f a, b; echo [x]", "cleanup", "remove"}, []job.Behaviour{run, clean, remove}},
		{[]string{`[{"run": "rm -f a, b; echo [x]"}, {"cleanup_all": true}]`, "remove"}, []job.Behaviour{run, clean, remove}},
		{[]string{`{"remove": true}`}, []job.Behaviour{remove}},
		{[]string{"keep 7"}, []job.Behaviour{{KeepDays: 7}}},
		{[]string{"keep 7d"}, []job.Behaviour{{KeepDays: 7}}},
		{[]string{`[{"keep_days": 7}]`}, []job.Behaviour{{KeepDays: 7}}},
		{[]string{"nothing"}, []job.Behaviour{}},
		{[]string{`[{"nothing": true}]`}, []job.Behaviour{}},
		{[]string{`["cleanup", {"nothing": true}]`}, []job.Behaviour{clean}},
	} {
		j := &job.Job{}
		if err := field.SetFlag(j, time.Time{}, test.flags); err != nil {
			t.Errorf("%q: %v", test.flags, err)
			continue
		}
		if d := cmp.Diff(test.want, j.Command.OnFailure); d != "" {
			t.Errorf("%q: %s", test.flags, d)
		}
	}
}

func TestSecretsByNameOrReference(t *testing.T) {
	field, _ := lookup("secrets")
	j := &job.Job{Command: &job.Command{Secrets: map[string]string{"OLD": "env:OLD"}}}
	before := j.Command.Secrets
	if err := field.SetFlag(j, time.Time{}, []string{"db", "B=file:b", "C=env:C_D", "D=store:x"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"OLD": "env:OLD", "db": "store:db", "B": "file:b", "C": "env:C_D", "D": "store:x"}
	if d := cmp.Diff(want, j.Command.Secrets); d != "" {
		t.Error(d)
	}
	if len(before) != 1 {
		t.Error("the map of the template was changed")
	}
	if err := field.SetFlag(j, time.Time{}, []string{"A=x", "A=y"}); err == nil {
		t.Error("one variable twice was taken")
	}
}
