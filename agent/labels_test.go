package agent_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// TestLabels: of two agents, a label requires one and a preference prefers it, also
// after a restart of the server, and when an agent that has the label comes later.
func TestLabels(t *testing.T) {
	s := newSite(t)
	one := job.Resources{job.CPU: 1000}
	hdd := s.agent(agent.Config{Dir: filepath.Join(s.dir, "hdd"), Labels: job.Labels{"disk:hdd", "disk:tape"}, Capacity: one})
	n := 0
	add := func(labels, prefer job.Labels, line string) string {
		t.Helper()
		n++
		j := s.command(fmt.Sprint("job", n), line)
		j.Labels, j.Prefer = labels, prefer
		s.add(j)
		return string(j.Key)
	}
	onto := func(key, dir string) {
		t.Helper()
		s.await(job.Complete, int64(n))
		w, err := s.ns.WorkerInfo(t.Context(), s.info(key).Attempt.Worker)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(w.Dir) != dir {
			t.Errorf("%s ran on the agent in %s, want %s", key, w.Dir, dir)
		}
	}
	onto(add(job.Labels{"disk:tape"}, nil, "true"), "hdd")
	onto(add(job.Labels{"disk:hdd", "disk:tape"}, nil, "true"), "hdd")
	onto(add(nil, job.Labels{"disk:ssd"}, "true"), "hdd") // better there than nowhere

	later := add(job.Labels{"disk:ssd"}, nil, "true")
	e, err := s.ns.Explain(t.Context(), client.Ref{Key: job.Key(later)})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Obstacles) < 2 || e.Obstacles[0].Word != "label" || !strings.Contains(e.Obstacles[1].Text, "lacks disk:ssd (has disk:hdd, disk:tape)") {
		t.Errorf("it says of a job whose label no agent has: %+v", e)
	}
	if err := s.server.Stop(); err != nil {
		t.Fatal(err)
	}
	s.start()
	ssd := s.agent(agent.Config{Dir: filepath.Join(s.dir, "ssd"), Labels: job.Labels{"disk:ssd"}, Capacity: one})
	onto(later, "ssd")
	onto(add(job.Labels{"disk:hdd"}, nil, "true"), "hdd") // it has come back, too
	for _, want := range []string{"ssd", "hdd", "ssd"} {  // both are free each time
		onto(add(nil, job.Labels{"disk:" + want}, "true"), want)
	}
	host := s.info(later).Attempt.Host
	onto(add(job.Labels{"host:" + host, "disk:ssd"}, nil, "true"), "ssd")

	// A preference is no more than that: with its agent busy a job goes elsewhere.
	fifo := filepath.Join(s.dir, "go")
	busy := s.command("busy", "mkfifo "+fifo+"; cat "+fifo)
	busy.Labels = job.Labels{"disk:ssd"}
	s.add(busy)
	awaitFile(t, fifo)
	onto(add(nil, job.Labels{"disk:ssd"}, "true"), "hdd")
	release(t, fifo)
	n++
	onto("busy", "ssd")
	for _, stop := range []func() error{hdd, ssd} {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	if _, err := agent.New(t.Context(), agent.Config{Client: s.client, Dir: s.dir, Labels: job.Labels{"ssd"}}); !job.IsKind(err, job.Invalid) {
		t.Errorf("an agent with a bad label: %v", err)
	}
}
