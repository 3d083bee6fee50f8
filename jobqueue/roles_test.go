package jobqueue_test

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/muster-queue/muster/jobqueue"
)

// beRunner runs the jobs of a scheduler group until there are no more: the arguments
// are queue, group, deployment, address, seconds to wait and minutes.
func beRunner() int {
	a := os.Args[1:]
	if len(a) != 6 {
		fmt.Fprintf(os.Stderr, "got %q\n", a)
		return 2
	}
	seconds, err := time.ParseDuration(a[4] + "s")
	if err != nil {
		return 2
	}
	c, err := jobqueue.Connect(a[3], a[0], 10*time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Disconnect()
	for {
		j, err := c.ReserveScheduled(seconds, a[1])
		if err != nil || j == nil {
			return 0
		}
		_ = c.Execute(j, "bash")
	}
}

// beServer serves until a signal comes and prints why it ended.
func beServer() int {
	s, _, err := jobqueue.Serve(jobqueue.ServerConfig{Port: "0"})
	if err != nil {
		return 1
	}
	fmt.Println("up")
	if e, ok := errors.AsType[jobqueue.Error](s.Block()); ok {
		fmt.Println(e.Err)
	}
	return 0
}

// beCrashing executes a job that kills this process.
func beCrashing() {
	c, err := jobqueue.Dial(jobqueue.ClientConfig{
		Addr: os.Args[1], Queue: "q", ItemTTR: 2 * time.Second, TouchInterval: 200 * time.Millisecond,
	})
	if err != nil {
		panic(err)
	}
	j, err := c.Reserve(10 * time.Second)
	if err != nil {
		panic(err)
	}
	_ = c.Execute(j, "bash")
}
