package queue

import (
	"fmt"
	"testing"

	"github.com/muster-queue/muster/job"
)

// told is what the scheduler was told of who pays, by shape.
func told(f *fixture, by map[job.ShapeID]string) map[job.ShapeID]string {
	for _, x := range f.Feed() {
		switch x.Op {
		case FeedDefineShape:
			sh, _ := f.Shape(x.Shape)
			by[x.Shape] = sh.Account
		case FeedDropShape:
			delete(by, x.Shape)
		}
	}
	return by
}

// Who pays is the account of the job, else of its queue, else of the namespace; and
// changes of the two last reach shapes that are there, a few at a time.
func TestWhoPays(t *testing.T) {
	f := newFixture(t, Config{})
	by := map[job.ShapeID]string{}
	if _, err := f.SetQueue(job.Queue{Name: "lab", Account: "lab"}); err != nil {
		t.Fatal(err)
	}
	shapes := map[string]job.ShapeID{}
	for i, c := range []struct{ queue, account string }{{"", ""}, {"", "own"}, {"lab", ""}, {"lab", "own"}} {
		j := command(fmt.Sprint(i))
		j.Queue, j.Account = c.queue, c.account
		j.Normalise()
		l, _ := f.BySeq(f.add(j, AddOptions{}).Seq)
		shapes[c.queue+"/"+c.account] = l.Shape
	}
	check := func(when string, want map[string]string) {
		t.Helper()
		told(f, by)
		for name, payer := range want {
			if sh, _ := f.Shape(shapes[name]); by[shapes[name]] != payer || sh.Account != payer {
				t.Errorf("%s: %s is paid by %q, as told by %q; want %q", when, name, sh.Account, by[shapes[name]], payer)
			}
		}
	}
	check("at first", map[string]string{"/": "", "/own": "own", "lab/": "lab", "lab/own": "own"})
	f.SetAccount("all")
	if f.Refile(0) != true || f.Refile(100) {
		t.Error("a step that may tell of nothing has come to an end, or one that may tell of all has not")
	}
	check("with a default", map[string]string{"/": "all", "/own": "own", "lab/": "lab", "lab/own": "own"})
	if _, err := f.SetQueue(job.Queue{Name: "lab"}); err != nil {
		t.Fatal(err)
	}
	f.Refile(100)
	check("with a queue that names none", map[string]string{"/": "all", "/own": "own", "lab/": "all", "lab/own": "own"})
	for n := range 10 {
		j := command(fmt.Sprint("more", n))
		j.Needs = job.Resources{job.CPU: int64(n + 1)}
		f.add(j, AddOptions{})
	}
	f.SetAccount("")
	steps := 1
	for told(f, by); f.Refile(3); steps++ {
		if changed := len(f.Feed()); changed > 3 {
			t.Fatalf("%d shapes in a step", changed)
		}
	}
	if steps != 4 {
		t.Errorf("%d steps", steps)
	}
	check("without", map[string]string{"/own": "own", "lab/own": "own"})
	f.Refile(100)
	if len(f.Feed()) > 0 {
		t.Error("told again of what did not change")
	}
}
