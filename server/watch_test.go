package server

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

func TestWatchTellsEveryTransitionInOrder(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	stream, err := v1.NewJobsClient(conn).WatchJobs(ctx, &v1.WatchJobsRequest{Level: "jobs", Queue: "default"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || !first.Resync || first.Position == "" {
		t.Fatalf("begins with %v, %v", first, err)
	}
	addLines(t, ctx, conn, 1)
	work := v1.NewWorkClient(conn)
	got, err := work.Reserve(ctx, &v1.ReserveRequest{Worker: "w", Want: &v1.Want{Commands: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []v1.Report_Action{v1.Report_start, v1.Report_complete} {
		if _, err := work.Report(ctx, &v1.ReportRequest{Worker: "w", Reports: []*v1.Report{reportOf(got.Grants[0], action)}}); err != nil {
			t.Fatal(err)
		}
	}
	var states []string
	position := ""
	for len(states) < 4 {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range m.Events {
			states = append(states, e.To)
			if e.Queue != "default" || e.Key != got.Grants[0].Key {
				t.Errorf("event %v", e)
			}
			if position == "" && len(m.Events) == 1 {
				position = m.Position // after the add
			}
		}
	}
	want := []string{"ready", "reserved", "running", "complete"}
	for i := range want {
		if states[i] != want[i] {
			t.Fatalf("states %v, want %v", states, want)
		}
	}
	// Who comes back with a position gets what came after it.
	if position == "" {
		return
	}
	again, err := v1.NewJobsClient(conn).WatchJobs(ctx, &v1.WatchJobsRequest{Level: "jobs", From: position})
	if err != nil {
		t.Fatal(err)
	}
	m, err := again.Recv()
	if err != nil || m.Resync || len(m.Events) == 0 || m.Events[0].To != "reserved" {
		t.Errorf("after %s: %v, %v", position, m, err)
	}
}

// A watcher with a position from before a restart is told to begin anew.
func TestWatchAfterRestart(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	s := start(t, cfg)
	watch := func(s *Server, from string) *v1.WatchJobsResponse {
		t.Helper()
		stream, err := v1.NewJobsClient(dial(t, s)).WatchJobs(as(t, s.Token()), &v1.WatchJobsRequest{From: from})
		if err != nil {
			t.Fatal(err)
		}
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	add(t, s, "true")
	position := watch(s, "").Position
	s.Stop(0, ErrStopped)
	m := watch(start(t, cfg), position)
	if !m.Resync || m.Counts.Ready != 1 {
		t.Errorf("got %v", m)
	}
}

func TestPositionsThatAreRefused(t *testing.T) {
	for _, from := range []string{"x", "1", "1-2-3", "2-1-1-1", "1-01-1-1", "1-1-1-1 ", "1-99999999999-1-1"} {
		if _, err := parseCursor(from); !job.IsKind(err, job.Invalid) {
			t.Errorf("%q: %v", from, err)
		}
	}
}

// A wait ends when nothing selected is unfinished, whatever else goes on.
func TestWait(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	jobs, work := v1.NewJobsClient(conn), v1.NewWorkClient(conn)
	add := func(line, queue, group string) string {
		t.Helper()
		j := lineJob(line)
		j.Queue, j.Group = queue, group
		a, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{j}, Items: true})
		if err != nil {
			t.Fatal(err)
		}
		return a.Items[0].Id
	}
	id := add("one", "q", "g")
	add("other", "r", "g")
	add("another", "q", "h")
	waits := map[string]*v1.WaitJobsRequest{
		"queue and group": {Queue: "q", Group: "g"},
		"job":             {Jobs: []*v1.JobRef{{Id: id}, {Key: "absent"}}},
	}
	ends := map[string]chan error{}
	for name, m := range waits {
		stream, err := jobs.WaitJobs(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := stream.Recv(); err != nil || m.Done || m.Counts.Ready != 1 {
			t.Fatalf("%s: %v, %v", name, m, err)
		}
		end := make(chan error, 1)
		ends[name] = end
		go func() {
			for done := false; ; {
				m, err := stream.Recv()
				if err != nil {
					if done && errors.Is(err, io.EOF) {
						err = nil
					}
					end <- err
					return
				}
				done = m.Done
			}
		}()
	}
	got, err := work.Reserve(ctx, &v1.ReserveRequest{Worker: "w", Want: &v1.Want{Commands: true, Queues: []string{"q"}, Groups: []string{"g"}}})
	if err != nil || len(got.Grants) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := work.Report(ctx, &v1.ReportRequest{Worker: "w", Reports: []*v1.Report{reportOf(got.Grants[0], v1.Report_bury)}}); err != nil {
		t.Fatal(err)
	}
	for name, end := range ends {
		if err := <-end; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	stream, err := jobs.WaitJobs(short, &v1.WaitJobsRequest{})
	for err == nil {
		_, err = stream.Recv()
	}
	if !job.IsKind(api.FromStatus(err), job.Timeout) {
		t.Errorf("the whole namespace: %v", err)
	}
}
