package run_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

func TestHeadAndTail(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.command(t, job.Command{Line: "seq 1 100000; seq 5 >&2", Keep: 100})
		want(t, r, job.ReasonNone)
		const total = 588895
		out := r.Stdout
		if len(out.Head) != 100 || !strings.HasPrefix(string(out.Head), "1\n2\n3\n") {
			t.Errorf("head %q", out.Head)
		}
		if len(out.Tail) != 100 || !strings.HasSuffix(string(out.Tail), "99999\n100000\n") {
			t.Errorf("tail %q", out.Tail)
		}
		if out.Omitted != total-200 {
			t.Errorf("%d bytes omitted", out.Omitted)
		}
		if stderr(r) != "1\n2\n3\n4\n5\n" || r.Stderr.Omitted != 0 {
			t.Errorf("standard error %.200q", stderr(r))
		}
	})
}

func TestKeep(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	line := "head -c 9000 /dev/zero | tr '\\0' x"
	for keep, kept := range map[int]int{0: 8192, -1: 0, 5000: 9000, 10: 20} {
		r := a.command(t, job.Command{Line: line, Keep: keep})
		if got := r.Stdout.Size(); got != kept || r.Stdout.Omitted != int64(9000-kept) {
			t.Errorf("keep %d: %d bytes kept, %d omitted", keep, got, r.Stdout.Omitted)
		}
	}
}

func TestFlood(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		began := time.Now()
		r := a.line(t, "yes | head -c 100M || true")
		want(t, r, job.ReasonNone)
		if total := int64(r.Stdout.Size()) + r.Stdout.Omitted; total != 100<<20 || r.Stdout.Size() != 2*job.DefaultKeep {
			t.Errorf("%d bytes counted, %d kept", total, r.Stdout.Size())
		}
		t.Logf("100 MiB took %v", time.Since(began))
	})
}

// Somebody outside of the attempt who holds its output does not hold it up.
func TestOutputHeldByAnother(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		for name, line := range map[string]string{"short": "echo out", "long": "echo out; sleep 0.05"} {
			t.Run(name, func(t *testing.T) {
				var held *os.File
				defer func() { held.Close() }()
				r := a.spec(t.Context(), run.Spec{Command: &job.Command{Line: line}, Started: func(pid int) {
					held = await(t, func() (*os.File, error) { return os.OpenFile("/proc/self/fd/0", os.O_RDONLY, 0) })
					if f, err := os.OpenFile("/proc/"+itoa(pid)+"/fd/1", os.O_WRONLY, 0); err == nil {
						held = f
					}
				}})
				want(t, r, job.ReasonNone)
				if stdout(r) != "out\n" {
					t.Errorf("printed %q", stdout(r))
				}
			})
		}
	})
}

func TestProgressBars(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	tests := map[string]string{
		`plain\nlines\n`:                     "plain\nlines\n",
		`windows\r\nlines\r\n`:               "windows\r\nlines\r\n",
		`10%%\r20%%\r30%%\r40%%\ndone\n`:     "10%\n[...]\n40%\ndone\n",
		`10%%\r20%%\r30%%`:                   "10%\n[...]\n30%",
		`10%%\r20%%\r30%%\r`:                 "10%\n[...]\n30%",
		`10%%\r20%%\n`:                       "10%\r20%\n",
		`a\r\r\rb\r\n`:                       "a\rb\n",
		`end\r`:                              "end",
		`a\rb\rc\nplain\nd\re\rf\ng\r\nlast`: "a\n[...]\nc\nplain\nd\n[...]\nf\ng\r\nlast",
	}
	for in, out := range tests {
		if r := a.line(t, "printf '"+in+"'"); stdout(r) != out {
			t.Errorf("%s is kept as %q, want %q", in, stdout(r), out)
		}
	}
	r := a.line(t, "for i in $(seq 20000); do printf '%d%%\\r' $i; done; echo; echo end")
	if got := stdout(r); got != "1%\n[...]\n20000%\nend\n" {
		t.Errorf("a long bar is kept as %q", got)
	}
}

func TestSpooledOutput(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.command(t, job.Command{Line: "seq 100000; echo wrong >&2", Spool: true, Keep: 10})
		want(t, r, job.ReasonNone)
		b, err := os.ReadFile(r.Stdout.Path)
		if err != nil || len(b) != 588895 || !bytes.HasSuffix(b, []byte("\n100000\n")) {
			t.Errorf("%d bytes spooled (%v)", len(b), err)
		}
		if b, err := os.ReadFile(r.Stderr.Path); string(b) != "wrong\n" {
			t.Errorf("%q spooled (%v)", b, err)
		}
		if err := a.Prune(time.Now().AddDate(0, 0, 6)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(r.Stdout.Path); err != nil {
			t.Error("removed too early: ", err)
		}
		if err := a.Prune(time.Now().AddDate(0, 0, 8)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(r.Stdout.Path); err == nil {
			t.Error("the output is still there after its days")
		}
	})
}

func TestSpoolIsBounded(t *testing.T) {
	a := newAgent(t, true, run.Config{SpoolBytes: 1000})
	r := a.command(t, job.Command{Line: "seq 100000", Spool: true})
	want(t, r, job.ReasonNone)
	if b, _ := os.ReadFile(r.Stdout.Path); len(b) != 1000 {
		t.Errorf("%d bytes spooled", len(b))
	}
	if len(r.Log) != 1 || !strings.Contains(r.Log[0], "cut off") {
		t.Errorf("log %q", r.Log)
	}
}

func TestTail(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		fifo := t.TempDir() + "/go"
		c := job.Command{Line: "mkfifo $FIFO; echo one; echo problem >&2; read x <$FIFO; echo two", Env: []string{"FIFO=" + fifo}}
		id := a.id()
		result := make(chan job.Result)
		go func() { result <- a.spec(context.Background(), run.Spec{Attempt: id, Command: &c}) }()
		out := await(t, func() (*run.Tail, error) { return a.Tail(id, false, 0) })
		errs := await(t, func() (*run.Tail, error) { return a.Tail(id, true, 3) })
		expect(t, out, 0, "one\n")
		expect(t, errs, 3, "blem\n")
		late := await(t, func() (*run.Tail, error) { return a.Tail(id, false, -2) })
		expect(t, late, 2, "e\n")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := out.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("there is more: %v", err)
		}
		if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil {
			t.Fatal(err)
		}
		expect(t, out, 4, "two\n")
		for _, tail := range []*run.Tail{out, errs} {
			if _, _, err := tail.Next(t.Context()); err != io.EOF {
				t.Errorf("the end is %v", err)
			}
		}
		want(t, <-result, job.ReasonNone)
		if _, err := a.Tail(id, false, 0); !job.IsKind(err, job.NotFound) {
			t.Errorf("the tail of an ended attempt: %v", err)
		}
	})
}

func expect(t *testing.T, tail *run.Tail, offset int64, text string) {
	t.Helper()
	p, at, err := tail.Next(t.Context())
	if err != nil || at != offset || string(p) != text {
		t.Fatalf("read %q at %d (%v), want %q at %d", p, at, err, text, offset)
	}
}

// Who reads slowly misses something and is told so; with a spool nothing is missed.
func TestTailOfAFlood(t *testing.T) {
	for name, spool := range map[string]bool{"window": false, "spool": true} {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, true, run.Config{})
			fifo := t.TempDir() + "/go"
			c := job.Command{Line: "mkfifo $FIFO; seq 100000; read x <$FIFO", Env: []string{"FIFO=" + fifo}, Spool: spool}
			id := a.id()
			result := make(chan job.Result)
			go func() { result <- a.spec(context.Background(), run.Spec{Attempt: id, Command: &c}) }()
			tail := await(t, func() (*run.Tail, error) {
				last, err := a.Tail(id, false, 588895-1)
				if err == nil {
					_, _, err = last.Next(t.Context())
				}
				if err != nil {
					return nil, err
				}
				return a.Tail(id, false, 0)
			})
			var got bytes.Buffer
			first := int64(-1)
			for int64(got.Len())+max(first, 0) < 588895 {
				p, at, err := tail.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if first < 0 {
					first = at
				}
				got.Write(p)
			}
			if missed := first > 0; missed == spool {
				t.Errorf("the first byte read is %d", first)
			}
			if !strings.HasSuffix(got.String(), "\n99999\n100000\n") {
				t.Error("the end is missing")
			}
			if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil {
				t.Fatal(err)
			}
			want(t, <-result, job.ReasonNone)
		})
	}
}
