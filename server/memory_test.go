package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	v1 "github.com/muster-queue/muster/api/muster/v1"
)

// agentsVar makes this test binary a crowd of agents: "ADDRESS TOKEN NUMBER".
const agentsVar = "MUSTER_TEST_AGENTS"

// manyVar makes the test below use ten thousand agents, which takes half a minute.
const manyVar = "MUSTER_TEST_MANY"

// Ten thousand agents, each with a connection of its own, cost at most 400 MB.
// Fewer cost a little more each, for what is there once.
func TestManyAgentsCostLittle(t *testing.T) {
	if args := os.Getenv(agentsVar); args != "" {
		beAgents(t, strings.Fields(args))
		return
	}
	n, limit := 2000, int64(43_000)
	if os.Getenv(manyVar) != "" {
		n, limit = 10_000, 400_000_000/10_000
	}
	if raceEnabled || testing.Short() {
		n, limit = 200, 1<<20 // the race detector's own memory counts too
	}
	s := testServer(t, nil)
	before := memoryInUse()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	crowd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestManyAgentsCostLittle$")
	crowd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", agentsVar, s.Where().Address, s.Token(), n))
	crowd.Stderr = os.Stderr
	in, err := crowd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := crowd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := crowd.Start(); err != nil {
		t.Fatal(err)
	}
	// It says so when all are attached, and again after a heartbeat of each.
	for range 2 {
		if _, err := fmt.Fscanf(out, "attached\n"); err != nil {
			t.Fatal(err)
		}
		each := (memoryInUse() - before) / int64(n)
		t.Logf("%d agents: %d KiB each", n, each>>10)
		if each > limit {
			t.Errorf("an agent costs %d bytes, more than %d", each, limit)
		}
		if _, err := fmt.Fprintln(in, "go on"); err != nil {
			t.Fatal(err)
		}
	}
	if err := crowd.Wait(); err != nil {
		t.Error(err)
	}
}

// memoryInUse is what this process has from the system and uses.
func memoryInUse() int64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

// beAgents attaches agents, says so, lets each beat, says so, and leaves.
func beAgents(t *testing.T, args []string) {
	address, token := args[0], args[1]
	n, err := strconv.Atoi(args[2])
	if err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	streams := make([]grpc.BidiStreamingClient[v1.AttachRequest, v1.AttachResponse], n)
	at := func(do func(i int)) {
		var wg sync.WaitGroup
		places := make(chan struct{}, 64)
		for i := range n {
			places <- struct{}{}
			wg.Go(func() { do(i); <-places })
		}
		wg.Wait()
		fmt.Println("attached")
		var word, more string
		if _, err := fmt.Scanln(&word, &more); err != nil {
			t.Error(err)
		}
	}
	at(func(i int) {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() })
			streams[i], err = v1.NewAgentsClient(conn).Attach(ctx)
		}
		if err == nil {
			err = streams[i].Send(&v1.AttachRequest{Hello: helloOf(fmt.Sprint("node", i))})
		}
		for renewed := int64(0); err == nil && renewed == 0; {
			var m *v1.AttachResponse
			if m, err = streams[i].Recv(); err == nil {
				renewed = m.Renewed
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	at(func(i int) {
		if err := streams[i].Send(&v1.AttachRequest{Heartbeat: &v1.Heartbeat{Clock: 2000}}); err != nil {
			t.Error(err)
			return
		}
		for {
			m, err := streams[i].Recv()
			if err != nil {
				t.Error(err)
				return
			}
			if m.Renewed == 2000 {
				return
			}
		}
	})
}
