package house

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

func load(t *testing.T, dir string) *Module {
	t.Helper()
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The module keeps every rule, or lists why it does not.
func TestRules(t *testing.T) {
	m := load(t, root)
	used := map[string]bool{}
	for _, rule := range m.rules() {
		t.Run(rule.name, func(t *testing.T) {
			for _, v := range rule.find() {
				if _, ok := exceptions[v.Subject]; ok {
					used[v.Subject] = true
					continue
				}
				t.Error(v)
			}
		})
	}
	for subject := range exceptions {
		if !used[subject] {
			t.Errorf("the exception for %s is not needed any more; remove it", subject)
		}
	}
}

type rule struct {
	name string
	find func() []Violation
}

func (m *Module) rules() []rule {
	return []rule{
		{"floors", m.Floors}, {"lengths", m.Lengths}, {"naming", m.Naming}, {"sleeps", m.Sleeps},
		{"unfinished", m.Unfinished}, {"globals", m.Globals}, {"purity", m.Purity},
	}
}

// The numbers that docs/architecture.md quotes, and their bounds.
func TestSizes(t *testing.T) {
	s := load(t, root).Measure()
	t.Log(s)
	for _, b := range []struct {
		what       string
		value, max int
	}{
		{"the median file", s.MedianFile, maxMedianFile},
		{"the median function", s.MedianFunction, maxMedianFunction},
		{"nine functions of ten", s.P90Function, maxP90Function},
	} {
		if b.value > b.max {
			t.Errorf("%s: %d lines, at most %d", b.what, b.value, b.max)
		}
	}
}

// No file names a directory of one machine, and no link of the documents is dead.
func TestTexts(t *testing.T) {
	if err := exec.Command("git", "-C", root, "rev-parse").Run(); err != nil {
		t.Skip("not a git checkout: there is no list of the files that belong to it")
	}
	for _, find := range []func(string) ([]Violation, error){Places, Links} {
		found, err := find(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range found {
			t.Error(v)
		}
	}
}

func TestDeadLinks(t *testing.T) {
	text := "[a](house.go) [b](https://example.org/x) [c](#top)\n[d](floors.go#L1) [e](none.md)\n"
	got := deadLinks(".", "README.md", []byte(text))
	if len(got) != 1 || got[0].String() != "README.md:2: links to none.md, which is not there" {
		t.Errorf("found %v", got)
	}
}

// Each rule finds what the small bad module in testdata does wrong, and nothing
// else there.
func TestRulesFindFaults(t *testing.T) {
	want := map[string][]string{
		"floors": {
			"attic: is not in the table of floors; add its family to floors where it belongs",
			"queue/queue.go:6: queue imports engine, which is not on a floor below it",
			"queue/queue.go:7: queue imports schedule, which is not on a floor below it",
		},
		"lengths": {"engine.Engine.Long:13: has 84 lines (engine.go); a function has at most 80"},
		"naming": {
			"attic: package util says nothing; name it after what it is about",
			"attic: has no package comment; say what it is for and who calls it",
			"attic: has no util.go; the file named after the package holds its main type",
			"schedule: has a package comment in more.go and schedule.go; keep one",
		},
		"sleeps":     {"engine/engine_test.go:9: time.Sleep in a test; wait for a signal, or use testing/synctest"},
		"unfinished": {"queue/queue.go:12: a " + "TODO" + "; do it, or write an issue"},
		"globals": {
			"engine/engine.go:10: lock is global state; put it into a type",
			"schedule/schedule.go:4: signals is global state; put it into a type",
		},
		"purity": {
			"engine/engine.go:99: time.Now in engine; time comes in as an argument or from the injected clock",
			"queue/queue.go:4: queue is pure and imports os",
			"queue/queue.go:13: queue is pure and starts a goroutine",
			"queue/queue.go:11: time.Now in queue; time comes in as an argument or from the injected clock",
		},
	}
	m := load(t, filepath.Join("testdata", "bad"))
	for _, rule := range m.rules() {
		var got []string
		for _, v := range rule.find() {
			got = append(got, v.String())
		}
		if diff := cmp.Diff(want[rule.name], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule.name, diff)
		}
	}
}

func TestPrivatePlaces(t *testing.T) {
	secret := "/" + "work/"
	text := "cd " + secret + "x\nGET /v1" + secret + "\nhttp://host" + secret + "\n" + strings.TrimSuffix(secret, "/") + "\n"
	got := privatePlaces("f", []byte(text))
	if len(got) != 1 || got[0].Line != 1 {
		t.Errorf("found %v in %q, want line 1 only", got, text)
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct{ percent, want int }{{0, 1}, {50, 6}, {90, 10}, {100, 10}} {
		if got := quantile([]int{5, 4, 3, 2, 1, 10, 9, 8, 7, 6}, c.percent); got != c.want {
			t.Errorf("quantile(%d) = %d, want %d", c.percent, got, c.want)
		}
	}
}
