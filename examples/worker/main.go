// Worker is a program to begin a worker with: it counts the words of texts. Copy
// it, and put your functions in the place of words.
//
// With a server running on this machine ("muster server"), make the queue, add two
// jobs and let it work:
//
//	go run ./examples/worker -add "good morning" "one two three"
//	go run ./examples/worker
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/fxamacker/cbor/v2"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/worker"
)

// queue is where the texts are. Its runtime says that Go programs take from it.
var queue = job.Queue{Name: "words", Runtime: worker.DefaultRuntime}

// text is the data of a job: what it is about, and what has come of it.
type text struct {
	Text  string `cbor:"text"`
	Words int    `cbor:"words"`
}

func main() {
	add := flag.Bool("add", false, "add a job for each argument, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *add, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, add bool, texts []string) error {
	found, err := client.Discover()
	if err != nil {
		return err
	}
	server, err := client.Dial(ctx, found)
	if err != nil {
		return err
	}
	defer server.Close()
	if add {
		return addTexts(ctx, server.Namespace(""), texts)
	}
	w, err := worker.New(worker.Config{Client: server})
	if err != nil {
		return err
	}
	w.Handle(queue.Name, words)
	return w.Run(ctx) // until Ctrl-C
}

func addTexts(ctx context.Context, jobs *client.Namespace, texts []string) error {
	if _, err := jobs.SetQueue(ctx, &queue); err != nil {
		return err
	}
	for _, t := range texts {
		data, err := cbor.Marshal(text{Text: t})
		if err != nil {
			return err
		}
		j := &job.Job{Queue: queue.Name, Key: job.Key(t), Data: data}
		if _, _, err := jobs.AddJobs(ctx, client.AddOptions{}, j); err != nil {
			return err
		}
	}
	return nil
}

// words counts the words of one text. What it leaves in the data is kept with the
// job; an error would let it be tried again.
func words(_ context.Context, a *worker.Attempt) error {
	var t text
	if err := a.Decode(&t); err != nil {
		return worker.Fail(err) // it will not get better
	}
	t.Words = len(strings.Fields(t.Text))
	fmt.Printf("%s: %d words\n", a, t.Words)
	return a.Encode(t)
}
