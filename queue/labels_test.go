package queue

import (
	"fmt"
	"testing"

	"github.com/muster-queue/muster/job"
)

// Jobs are counted by the labels they ask for or prefer, in each state, also when they
// change, leave, or are loaded again.
func TestLabels(t *testing.T) {
	s := New(Config{})
	if err := s.Loaded(1, 1, 1); err != nil {
		t.Fatal(err)
	}
	s.Begin(2)
	add := func(key string, labels, prefer job.Labels) job.Seq {
		t.Helper()
		j := &job.Job{Key: job.Key(key), Data: []byte("x"), Labels: labels, Prefer: prefer}
		j.Normalise()
		p := Prepared{Job: j, Digest: job.DigestOf(j.Queue, j.Key), Body: []byte("x")}
		return s.Add([]Prepared{p}, AddOptions{})[0].Seq
	}
	sees := func(want string) {
		t.Helper()
		got := ""
		for _, l := range s.Labels() {
			got += fmt.Sprintf("%s=%d/%d ", l.Label, l.Counts[job.Ready], l.Counts[job.Reserved])
		}
		if got != want {
			t.Errorf("labels %q; want %q", got, want)
		}
	}
	a := add("a", job.Labels{"os:linux"}, job.Labels{"disk:ssd", "os:linux"})
	add("b", job.Labels{"os:linux"}, nil)
	add("c", nil, nil)
	sees("disk:ssd=1/0 os:linux=2/0 ")
	w := s.Meet(job.Worker{Name: "w"})
	if _, ok := s.Grant(a, w, 0, false); !ok {
		t.Fatal("not granted")
	}
	sees("disk:ssd=0/1 os:linux=1/1 ")
	workers := ""
	s.VisitWorkers(func(row *job.WorkerRow, held int, silent bool) { workers += fmt.Sprint(row.Name, held, silent) })
	if workers != "w1 false" {
		t.Errorf("workers %s", workers)
	}
}

// However many labels jobs ask for, only so many are counted; those that go make
// room for others.
func TestManyLabels(t *testing.T) {
	s := New(Config{})
	rows := make([]*shapeRow, 2*maxLabels)
	for i := range rows {
		rows[i] = &shapeRow{ShapeRow: job.ShapeRow{Shape: job.Shape{Labels: job.Labels{fmt.Sprint("n:", i)}}}}
		s.addLabels(rows[i])
	}
	if n := len(s.Labels()); n != maxLabels {
		t.Errorf("%d labels are counted; want %d", n, maxLabels)
	}
	for _, row := range rows {
		s.dropLabels(row)
	}
	if n := len(s.Labels()); n != 0 {
		t.Errorf("%d labels are left", n)
	}
}
