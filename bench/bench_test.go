package bench

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/server"
)

var (
	scale = flag.Float64("scale", 0.002, "the part of the usual numbers of jobs")
	rows  = flag.String("rows", "", "the one row to measure")
)

// TestMain lets the test's own program be the server process that rows look at
// from outside.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "server" {
		os.Exit(serve(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func serve(args []string) int {
	f := flag.NewFlagSet("server", flag.ExitOnError)
	cfg := server.Config{}
	f.StringVar(&cfg.Data, "data", "", "")
	f.StringVar(&cfg.Listen, "listen", "", "")
	f.StringVar(&cfg.HTTP, "http", "", "")
	f.Bool("no-agent", false, "")
	_ = f.Parse(args)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := muster.Open(ctx, muster.Config{Server: cfg})
	if err != nil {
		return 1
	}
	<-ctx.Done()
	_ = h.Stop()
	return 0
}

// TestRows measures every row at a small scale. The rows check their own counts;
// here it is checked that each gives its values.
func TestRows(t *testing.T) {
	names, _ := Names()
	if *rows != "" {
		names = []string{*rows}
	}
	got := map[string]Result{}
	cfg := Config{Dir: t.TempDir(), Scale: *scale, Server: []string{os.Args[0], "server"}}
	if err := Run(t.Context(), cfg, names, func(r Result) { got[r.Name] = r }); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		r, ok := got[n]
		if !ok || r.Unit == "" || r.FsyncP50 <= 0 || r.Value < 0 {
			t.Errorf("row %s: %+v", n, r)
		}
		t.Logf("%s: %.0f %s", n, r.Value, r.Unit)
	}
}

func TestUnknownRow(t *testing.T) {
	err := Run(t.Context(), Config{Dir: t.TempDir()}, []string{"no/such"}, func(Result) {})
	if err == nil {
		t.Fatal("an unknown row was accepted")
	}
}
