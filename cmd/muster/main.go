// Command muster is a durable queue for commands; package cli has what it does.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/muster-queue/muster/cli"
)

// version is set when a release is built.
var version = "dev"

// gcPercent keeps the memory of a server with millions of jobs near what it
// really holds. The jobs have no pointers, so that collecting costs little.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end; after it, a second one ends at once.
	context.AfterFunc(ctx, stop)
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "muster: the present directory:", err)
		os.Exit(1)
	}
	os.Exit(cli.Main(ctx, cli.System{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Dir: dir, Version: version,
	}, cli.Args(os.Args)))
}
