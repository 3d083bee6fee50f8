package jobqueue_test

import (
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/muster-queue/muster/jobqueue"
)

// A server keeps its queues in a directory; Block would wait for its end.
func ExampleServe() {
	server, msg, err := jobqueue.Serve(jobqueue.ServerConfig{
		Port:       "0", // any that is free; wr's was 11301
		Deployment: jobqueue.Development,
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(msg)
	stats := server.GetServerStats()
	fmt.Println(stats.Mode, stats.Ready, server.HasRunners())
	if err := server.Stop(); err != nil {
		log.Fatal(err)
	}
	why := server.Block()
	if e, ok := why.(jobqueue.Error); ok {
		fmt.Println(e.Err)
	}

	// Output:
	// there is no database: nothing will outlive the server
	// started 0 false
	// queues closed due to manual Stop()
}

// A client adds commands and looks at what became of them.
func ExampleClient_Add() {
	server := exampleServer()
	defer server.Stop()
	client, err := jobqueue.Connect(server.Addr(), "cmds", 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Disconnect()
	jobs := []*jobqueue.Job{
		jobqueue.NewJob("echo 1", "/tmp", "echo", 10, time.Minute, 1, 0, 0, 3, "example"),
		jobqueue.NewJob("echo 2", "/tmp", "echo", 10, time.Minute, 1, 0, 255, 3, "example"),
	}
	for range 2 {
		added, existed, err := client.Add(jobs)
		fmt.Println(added, "added,", existed, "there already,", err)
	}
	list, err := client.GetByRepGroup("example", 1, "", false, false)
	if err != nil {
		log.Fatal(err)
	}
	for _, j := range list {
		fmt.Printf("%s is %s, and so are %d more\n", j.Cmd, j.State, j.Similar)
	}

	// Output:
	// 2 added, 0 there already, <nil>
	// 0 added, 2 there already, <nil>
	// echo 1 is ready, and so are 1 more
}

// A runner takes jobs until there are no more, and runs each of them.
func ExampleClient_Execute() {
	server := exampleServer()
	defer server.Stop()
	client, err := jobqueue.Connect(server.Addr(), "cmds", 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Disconnect()
	_, _, err = client.Add([]*jobqueue.Job{
		jobqueue.NewJob("echo good morning", "/tmp", "echo", 10, time.Minute, 1, 0, 1, 3, "example"),
		jobqueue.NewJob("echo alas >&2; exit 3", "/tmp", "echo", 10, time.Minute, 1, 0, 0, 3, "example"),
	})
	if err != nil {
		log.Fatal(err)
	}
	for {
		j, err := client.Reserve(100 * time.Millisecond)
		if err != nil {
			log.Fatal(err)
		}
		if j == nil {
			break
		}
		if err := client.Execute(j, "bash"); err != nil {
			fmt.Println("failed:", j.FailReason)
		}
		stdout, _ := j.StdOut()
		stderr, _ := j.StdErr()
		fmt.Printf("%s: exit code %d, %s, %d failures more bury it\n%s%s", j.Cmd, j.Exitcode, j.State, j.UntilBuried, stdout, stderr)
	}

	// Output:
	// echo good morning: exit code 0, complete, 4 failures more bury it
	// good morning
	// failed: command exited non-zero
	// echo alas >&2; exit 3: exit code 3, delayed, 3 failures more bury it
	// alas
}

func exampleServer() *jobqueue.Server {
	server, _, err := jobqueue.Serve(jobqueue.ServerConfig{Port: "0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return server
}
