package client

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

func TestRetryEndsWithPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &retry{patience: 10 * time.Second}
		down := job.Errorf(job.Unavailable, "down")
		begin, tries := time.Now(), 0
		for r.again(t.Context(), down) == nil {
			tries++
		}
		took := time.Since(begin)
		if took < 7*time.Second || took > 10*time.Second || tries < 5 || tries > 40 {
			t.Errorf("%d tries in %v; want several in about 10 s", tries, took)
		}
		r.worked()
		if r.again(t.Context(), down) != nil {
			t.Error("patience is not renewed by success")
		}
	})
}

func TestRetryWaitsAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &retry{patience: time.Minute}
		begin := time.Now()
		if err := r.again(t.Context(), &job.Error{Kind: job.Exhausted, RetryAfter: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("waited %v, the server asked for 3 s", took)
		}
	})
}

func TestNoRetry(t *testing.T) {
	r := &retry{patience: time.Hour}
	for _, err := range []error{
		job.Errorf(job.Invalid, "x"), job.Errorf(job.Exhausted, "too large"), job.ErrLostLease, job.ErrNoSpace, context.Canceled,
	} {
		if r.again(t.Context(), err) == nil {
			t.Errorf("%v is tried again", err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if r.again(ended, job.ErrClosed) == nil {
		t.Error("a call whose context ended is tried again")
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Dial(t.Context(), Config{Address: address, Patience: -1})
	if !job.IsKind(err, job.Unavailable) {
		t.Fatalf("error %v; want unavailable", err)
	}
	for _, want := range []string{address, "connection refused", "muster server"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "transport") || strings.Contains(err.Error(), "desc") {
		t.Errorf("error %q speaks of layers", err)
	}
}

func TestTokensStayOnTheMachine(t *testing.T) {
	for address, plainAllowed := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "10.0.0.1:1": false, "host.example:1": false, "0.0.0.0:1": false,
	} {
		cfg := Config{Address: address}
		c, err := cfg.transport()
		if err != nil {
			t.Fatal(err)
		}
		if plain := c.Info().SecurityProtocol == "insecure"; plain != plainAllowed {
			t.Errorf("%s: plain connection %v, want %v", address, plain, plainAllowed)
		}
	}
}
