package input

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func keyOf(line, dir string) job.Key { return (&job.Command{Line: line, Dir: dir}).Key() }

func TestDependenciesOfALine(t *testing.T) {
	group := func(d job.Dependency) []job.Dependency { return []job.Dependency{d} }
	byKey := func(line, dir string) job.Dependency {
		return job.Dependency{Queue: job.DefaultQueue, Key: keyOf(line, dir)}
	}
	for value, want := range map[string][]job.Dependency{
		`"deps": "a"`:                                 group(job.Dependency{Group: "a"}),
		`"deps": ["a", "b:failed"]`:                   {{Group: "a"}, {Group: "b", Condition: job.ConditionFailed}},
		`"deps": "run:7:any:static"`:                  group(job.Dependency{Group: "run:7", Condition: job.ConditionAny, Static: true}),
		`"deps": "a:met"`:                             group(job.Dependency{Group: "a", IfAbsent: job.IfAbsentMet}),
		`"deps": {"group": "a:any"}`:                  group(job.Dependency{Group: "a:any"}),
		`"deps": ":ok"`:                               group(job.Dependency{Group: ":ok"}),
		`"deps": {"key": "k", "queue": "q"}`:          group(job.Dependency{Queue: "q", Key: "k"}),
		`"deps": {"key": "k", "if_absent": "met"}`:    group(job.Dependency{Queue: job.DefaultQueue, Key: "k", IfAbsent: job.IfAbsentMet}),
		`"cmd_deps": "make index"`:                    group(byKey("make index", "/here")),
		`"cmd_deps": [{"cmd": "x", "cwd": "/there"}]`: group(byKey("x", "/there")),
		`"cmd_deps": {"cmd": "x", "cwd": "sub"}`:      group(byKey("x", "/here/sub")),
		`"deps": "a", "cmd_deps": "x"`:                {{Group: "a"}, byKey("x", "/here")},
		`"dep_grps": ["a", "b"]`:                      group(job.Dependency{Group: "default"}),
	} {
		r := NewReader(strings.NewReader("echo\t{"+value+"}\n"), "in")
		r.Template = &job.Job{Command: &job.Command{Dir: "/here"}, Dependencies: []job.Dependency{{Group: "default"}}}
		j, err := r.Next()
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if d := cmp.Diff(want, j.Dependencies); d != "" {
			t.Errorf("%s (-want +got):\n%s", value, d)
		}
	}
}

// TestMisspeltConditions: what is nearly a word is refused, for the job would wait for good.
func TestMisspeltConditions(t *testing.T) {
	for text, want := range map[string]string{
		"a:faild": `did you mean "a:failed"?`, "a:Any": `did you mean "a:any"?`, "a:statik": `did you mean "a:static"?`,
		"a:fail": `did you mean "a:failed"?`, "run:7": "", "a:b": "", ":any": "", "a:metal": "", "a:set": "", "a:sample": "",
	} {
		_, err := groupDependency(text)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestCommandsOfFlags: a command that a flag names is looked for in the directory of
// each line, and the template is left as it is.
func TestCommandsOfFlags(t *testing.T) {
	r := NewReader(strings.NewReader("a\nb\t{\"cwd\": \"/b\"}\n"), "in")
	r.Template = &job.Job{Command: &job.Command{Dir: "/here"}}
	f, _ := lookup("cmd_deps")
	if err := f.SetFlag(r.Template, r.Now, []string{"index"}); err != nil {
		t.Fatal(err)
	}
	g, _ := lookup("deps")
	if err := g.SetFlag(r.Template, r.Now, []string{"x:any"}); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/here", "/b"} {
		j, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(j.Dependencies) != 2 || j.Dependencies[0].Key != keyOf("index", dir) || j.Dependencies[1].Group != "x" {
			t.Fatalf("in %s: %+v", dir, j.Dependencies)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
	if r.Template.Dependencies[0].Command == nil {
		t.Fatal("the template was changed")
	}
}

func TestCommandsAndDuplicates(t *testing.T) {
	r := NewReader(strings.NewReader(`{"cmd": "a", "cwd": "/", "cmd_deps": "b"}`), "in")
	r.Duplicates = "x"
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "depend on a group") {
		t.Fatal(err)
	}
}
