package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

func labelled(key string, labels ...string) *job.Job {
	j := data(key)
	j.Labels = labels
	return j
}

// TestPulledLabels: who pulls gets only jobs whose labels it has, by what it said
// of itself last, also after a restart.
func TestPulledLabels(t *testing.T) {
	b := setup(t, Config{})
	b.add(t, labelled("a", "gpu:a"), labelled("both", "gpu:a", "site:x"))
	take := func(step string, w job.Worker, want ...string) {
		t.Helper()
		var got []string
		for _, g := range b.reserve(t, ReserveRequest{Worker: w, N: 10}) {
			j, err := g.Job()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(j.Key))
			b.report(t, Report{Ref: Ref{Seq: g.Seq, Attempt: g.Attempt}, Kind: ReportReturn})
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: got %v, want %v", step, got, want)
		}
	}
	take("no labels", job.Worker{Name: "w"})
	take("another value", job.Worker{Name: "v", Labels: job.Labels{"gpu:b"}})
	take("several values", job.Worker{Name: "v", Labels: job.Labels{"gpu:b", "gpu:a"}}, "a")
	take("said before", job.Worker{Name: "v"}, "a")
	take("all", job.Worker{Name: "u", Labels: job.Labels{"gpu:a", "site:x", "os:y"}}, "a", "both")
	b.Stop(0)
	b.start(t, Config{})
	take("after a restart", job.Worker{Name: "u"}, "a", "both")
	take("after a restart, without", job.Worker{Name: "w"})
	b.announce(t, job.Worker{Name: "u", Labels: job.Labels{"site:x"}, Expires: time.Now().Add(time.Hour)})
	take("announced without one", job.Worker{Name: "u"})
	if err := b.ns.Announce(b.ctx, job.Worker{Name: "v"}, true); err != nil {
		t.Fatal(err)
	}
	take("left and came back with nothing new", job.Worker{Name: "v"}, "a")
}

// TestWaitingReserveGetsLabels: a reserve that waits is served when its worker says
// that it has what the job asks for.
func TestWaitingReserveGetsLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, labelled("a", "gpu:a"))
		got := make(chan []Grant, 1)
		go func() {
			g, _ := b.ns.Reserve(b.ctx, ReserveRequest{Worker: job.Worker{Name: "w"}, Wait: time.Hour})
			got <- g
		}()
		synctest.Wait()
		if len(got) > 0 {
			t.Fatal("the job was given to a worker without its label")
		}
		b.announce(t, job.Worker{Name: "w", Labels: job.Labels{"gpu:a"}})
		if g := <-got; len(g) != 1 {
			t.Fatalf("it got %d jobs", len(g))
		}
	})
}

// TestPulledCapacity: who pulls and says what it has gets no more than fits at once.
func TestPulledCapacity(t *testing.T) {
	b := setup(t, Config{})
	for _, key := range []string{"a", "b", "c"} {
		j := data(key)
		j.Needs = job.Resources{"gpu": 1000}
		b.add(t, j)
	}
	w := job.Worker{Name: "w", Capacity: job.Resources{"gpu": 2000}}
	if g := b.reserve(t, ReserveRequest{Worker: w, N: 10}); len(g) != 2 {
		t.Fatalf("%d jobs for two gpus", len(g))
	}
	if g := b.reserve(t, ReserveRequest{Worker: w, N: 10}); len(g) != 0 {
		t.Fatalf("%d more", len(g))
	}
}

// TestLabelsOfQueue: a queue's labels are those of the jobs added from then on.
func TestLabelsOfQueue(t *testing.T) {
	b := setup(t, Config{})
	b.add(t, data("before"))
	if err := b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Labels: job.Labels{"gpu:a"}, Prefer: job.Labels{"disk:ssd"}}); err != nil {
		t.Fatal(err)
	}
	b.add(t, data("after"), labelled("own", "site:x"))
	take := func(labels ...string) int {
		t.Helper()
		return len(b.reserve(t, ReserveRequest{Worker: job.Worker{Name: strings.Join(labels, "_") + "w", Labels: labels}, N: 10}))
	}
	if n := take(); n != 1 {
		t.Errorf("without labels: %d, want the job from before", n)
	}
	b.Stop(0)
	b.start(t, Config{})
	if n := take("site:x"); n != 0 {
		t.Errorf("with its own label only: %d", n)
	}
	if n := take("gpu:a"); n != 1 {
		t.Errorf("with the queue's: %d, want 1", n)
	}
	if n := take("gpu:a", "site:x"); n != 1 {
		t.Errorf("with both: %d, want 1", n)
	}
	if err := b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Labels: job.Labels{"gpu"}}); !job.IsKind(err, job.Invalid) {
		t.Errorf("a bad label of a queue: %v", err)
	}
}

// TestExplainLabels: who asks why a job waits is told which agents come closest.
func TestExplainLabels(t *testing.T) {
	b := setup(t, Config{})
	attach := func(name string, labels ...string) {
		t.Helper()
		_, err := b.ns.Attach(b.ctx, AttachRequest{Worker: job.Worker{
			Name: name, Machine: "m-" + name, Boot: "b", Dir: "d", Labels: labels, Capacity: job.Resources{job.CPU: 1000},
		}})
		try(t, err)
	}
	asks := func(key string, labels ...string) JobID {
		t.Helper()
		j := &job.Job{Key: job.Key(key), Command: &job.Command{Line: "true", Dir: "/"}, Labels: labels}
		b.add(t, j)
		return JobID{Queue: "default", Key: j.Key}
	}
	says := func(id JobID, want ...string) {
		t.Helper()
		e, err := b.ns.Explain(b.ctx, id)
		try(t, err)
		var texts []string
		for _, o := range e.Obstacles {
			text, _, _ := strings.Cut(o.Text, ";") // how many are ahead
			texts = append(texts, text)
		}
		if e.State != job.Ready || !slices.Equal(texts, want) {
			t.Errorf("%s, %v: %q, want %q", id.Key, e.State, texts, want)
		}
	}
	attach("n1", "os:linux", "gpu:v100", "gpu:t4")
	attach("n2", "os:linux", "disk:ssd")
	const together = "no agent has all the labels it asks for together"
	says(asks("one", "gpu:a100"), "no agent has the label gpu:a100", "agent n1 lacks gpu:a100 (has gpu:v100, gpu:t4)")
	says(asks("nothing", "site:x"), "no agent has the label site:x")
	both := asks("both", "gpu:v100", "disk:ssd")
	says(both, together, "agent n1 lacks disk:ssd", "agent n2 lacks gpu:v100")
	attach("n3", "gpu:v100", "disk:hdd")
	says(both, together, "agent n3 lacks disk:ssd (has disk:hdd)")
	try(t, b.ns.DrainWorker(b.ctx, "n2", true))
	says(asks("drained", "os:linux", "disk:ssd"), "no agent has the label disk:ssd", "agent n2 has all its labels, but is draining")
	for i := range 5 {
		attach(fmt.Sprint("m", i), "gpu:v100", "disk:hdd")
	}
	says(both, "no agent has the label disk:ssd", "agent m0 lacks disk:ssd (has disk:hdd)",
		"agent m1 lacks disk:ssd (has disk:hdd)", "agent m2 lacks disk:ssd (has disk:hdd)", "3 more agents as close")
	pulled := labelled("pulled", "gpu:a100")
	b.add(t, pulled)
	says(JobID{Queue: "q", Key: "pulled"}, "it waits for a worker to ask for it", "that worker must have gpu:a100")
}
