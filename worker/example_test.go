package worker_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fxamacker/cbor/v2"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
	"github.com/muster-queue/muster/worker"
)

// open starts a server in this process, with the queue "sums" for Go programs and a
// job in it. A program would speak to the site's server with client.Dial.
func open(ctx context.Context) (*muster.Handle, *client.Namespace) {
	m, err := muster.Open(ctx, muster.Config{Server: server.Config{Listen: "127.0.0.1:0", HTTP: server.NoHTTP, Store: "memory:"}})
	if err != nil {
		log.Fatal(err)
	}
	jobs := m.Client().Namespace("")
	if _, err := jobs.SetQueue(ctx, &job.Queue{Name: "sums", Runtime: worker.DefaultRuntime}); err != nil {
		log.Fatal(err)
	}
	data, err := cbor.Marshal([]int{1, 2, 3, 4})
	if err != nil {
		log.Fatal(err)
	}
	if _, _, err := jobs.AddJobs(ctx, client.AddOptions{}, &job.Job{Queue: "sums", Key: "first", Data: data}); err != nil {
		log.Fatal(err)
	}
	return m, jobs
}

// A worker runs a function for each job of a queue. What the function leaves as
// the attempt's data is its result.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	m, jobs := open(ctx)
	defer m.Stop()

	w, err := worker.New(worker.Config{Client: m.Client()})
	if err != nil {
		log.Fatal(err)
	}
	w.Handle("sums", func(_ context.Context, a *worker.Attempt) error {
		var numbers []int
		if err := a.Decode(&numbers); err != nil {
			return worker.Fail(err)
		}
		sum := 0
		for _, n := range numbers {
			sum += n
		}
		return a.Encode(sum)
	})
	go func() {
		_, _ = jobs.Wait(ctx, client.WaitFor{}, nil) // until nothing is left to do
		stop()
	}()
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}

	info, err := jobs.Get(context.Background(), client.Ref{Queue: "sums", Key: "first"}, client.Detail{})
	if err != nil {
		log.Fatal(err)
	}
	var sum int
	if err := cbor.Unmarshal(info.Attempt.Data, &sum); err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.State, sum)

	// Output:
	// complete 10
}

// A batch function is given several jobs of one queue at once, and says of each
// what has become of it.
func ExampleWorker_HandleBatch() {
	ctx, stop := context.WithCancel(context.Background())
	m, jobs := open(ctx)
	defer m.Stop()

	w, err := worker.New(worker.Config{Client: m.Client(), Concurrency: 100})
	if err != nil {
		log.Fatal(err)
	}
	w.HandleBatch("sums", 100, func(_ context.Context, batch []*worker.Attempt) error {
		for _, a := range batch {
			if len(a.Bytes()) == 0 {
				a.End(worker.Fail(fmt.Errorf("%s has no numbers", a)))
			}
		}
		fmt.Println("a batch of", len(batch))
		return nil // the others are complete
	})
	go func() {
		_, _ = jobs.Wait(ctx, client.WaitFor{}, nil)
		stop()
	}()
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}

	// Output:
	// a batch of 1
}
