package muster_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// A program runs a server and an agent in itself, adds two commands, waits for
// them and shows what they printed.
func Example() {
	ctx := context.Background()
	m, err := muster.Open(ctx, muster.Config{
		Server: server.Config{Listen: "127.0.0.1:0", Store: "memory:"},
		Agent:  &agent.Config{},
	})
	if err != nil {
		log.Fatal(err)
	}
	jobs := m.Client().Namespace("default")
	_, items, err := jobs.AddJobs(ctx, client.AddOptions{EveryItem: true},
		&job.Job{Command: &job.Command{Line: "echo good morning"}},
		&job.Job{Command: &job.Command{Line: "echo alas >&2; exit 3"}, Retries: new(0)},
	)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := jobs.Wait(ctx, client.WaitFor{}, nil); err != nil {
		log.Fatal(err)
	}
	for _, item := range items {
		info, err := jobs.Get(ctx, client.Ref{ID: item.ID}, client.Detail{Output: true})
		if err != nil {
			log.Fatal(err)
		}
		r := info.Attempt.Result
		fmt.Printf("%s: %s, exit code %d: %s%s", info.Job.Command, info.State, r.ExitCode, r.Stdout.Head, r.Stderr.Head)
	}
	if err := m.Stop(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("stopped:", errors.Is(m.Wait(), muster.ErrStopped))

	// Output:
	// echo good morning: complete, exit code 0: good morning
	// echo alas >&2; exit 3: buried, exit code 3: alas
	// stopped: true
}
