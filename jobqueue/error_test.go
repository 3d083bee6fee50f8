package jobqueue

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// The texts are those that wr's users compare with.
func TestTexts(t *testing.T) {
	for text, want := range map[string]string{
		ErrInternalError: "internal error", ErrUnknownCommand: "unknown command",
		ErrBadRequest: "bad request (missing arguments?)", ErrBadJob: "bad job (not in queue or correct sub-queue)",
		ErrMissingJob: "corresponding job not found", ErrUnknown: "unknown error",
		ErrClosedInt: "queues closed due to SIGINT", ErrClosedTerm: "queues closed due to SIGTERM",
		ErrClosedStop: "queues closed due to manual Stop()", ErrQueueClosed: "queue closed",
		ErrNoHost:      "could not determine the non-loopback ip address of this host",
		ErrNoServer:    "could not reach the server",
		ErrMustReserve: "you must Reserve() a Job before passing it to other methods", ErrDBError: "failed to use database",
		ServerModeNormal: "started", ServerModeDrain: "draining",
	} {
		if text != want {
			t.Errorf("%q; want %q", text, want)
		}
	}
	for text, want := range map[string]job.Reason{
		FailReasonEnv: job.ReasonEnv, FailReasonCwd: job.ReasonCwd, FailReasonStart: job.ReasonStart,
		FailReasonCPerm: job.ReasonPermission, FailReasonCFound: job.ReasonNotFound, FailReasonCExit: job.ReasonInvalidExit,
		FailReasonExit: job.ReasonExit, FailReasonRAM: job.ReasonMemory, FailReasonTime: job.ReasonTime,
		FailReasonAbnormal: job.ReasonAbnormal, FailReasonSignal: job.ReasonSignal, FailReasonResource: job.ReasonResource,
	} {
		if got := reasons[text]; got != want || want.String() != text {
			t.Errorf("%q is %v; want %v", text, got, want)
		}
	}
	if OverrideNo != 0 || OverrideHigher != 1 || OverrideAlways != 2 {
		t.Error("the overrides have other numbers")
	}
	if ClientTouchInterval != 15*time.Second || ClientReleaseDelay != 30*time.Second || ServerItemTTR != time.Minute ||
		ServerInterruptTime != time.Second || ServerReserveTicker != time.Second {
		t.Error("the tunables have other defaults")
	}
}

func TestErrors(t *testing.T) {
	for _, x := range []struct {
		err  error
		want string
	}{
		{job.Errorf(job.Internal, "x"), ErrInternalError},
		{job.Errorf(job.Unimplemented, "x"), ErrUnknownCommand},
		{job.Errorf(job.Invalid, "x"), ErrBadRequest},
		{job.ErrLostLease, ErrBadJob},
		{job.Errorf(job.Conflict, "x"), ErrBadJob},
		{job.ErrNoJob, ErrMissingJob},
		{job.Errorf(job.Denied, "x"), ErrUnknown},
		{errors.New("x"), ErrUnknown},
		{job.ErrClosed, ErrQueueClosed},
		{job.Errorf(job.Unavailable, "x"), ErrNoServer},
		{context.DeadlineExceeded, ErrNoServer},
		{job.ErrNoSpace, ErrDBError},
		{job.Errorf(job.Damaged, "x"), ErrDBError},
		{wrong("Op", "q", "i", ErrMustReserve, nil), ErrMustReserve},
	} {
		err := failed("Touch", "q", "item", x.err)
		e, ok := errors.AsType[Error](err)
		if !ok || e.Err != x.want || e.Queue != "q" {
			t.Errorf("%v became %v; want %q", x.err, err, x.want)
		}
		if _, ours := errors.AsType[Error](x.err); !ours && !errors.Is(err, x.err) {
			t.Errorf("%v does not tell that it was %v", err, x.err)
		}
	}
	if err := failed("Touch", "q", "item", nil); err != nil {
		t.Errorf("nothing became %v", err)
	}
	if got := hostText(errNoHost); got != ErrNoHost {
		t.Errorf("no host: %q", got)
	}
	err := wrong("Archive", "q", "ls", ErrBadJob, job.ErrLostLease)
	if got, want := err.Error(), "jobqueue Archive in queue q (ls): bad job (not in queue or correct sub-queue): "+job.ErrLostLease.Error(); got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

// What runners are told of their group comes back as it was.
func TestGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		needs := rapid.MapOf(rapid.SampledFrom([]string{"cpu", "mem", "disk", "gpu", "licence-x"}), rapid.Int64Range(1, 1<<50)).Draw(t, "needs")
		limit := time.Duration(rapid.Int64Range(0, int64(job.MaxTime)).Draw(t, "time"))
		word := groupOf(needs, limit)
		e, err := parseGroup(word)
		if err != nil || e.Time != limit || len(e.Needs) != len(needs) {
			t.Fatalf("%s: %+v, %v", word, e, err)
		}
		for name, v := range needs {
			if e.Needs[name] != v {
				t.Fatalf("%s: %s is %d; want %d", word, name, e.Needs[name], v)
			}
		}
	})
}

func FuzzGroup(f *testing.F) {
	f.Add("cpu=1,mem=500M,time=1h0m0s")
	f.Fuzz(func(t *testing.T, word string) {
		e, err := parseGroup(word)
		if err != nil {
			return
		}
		again, err := parseGroup(groupOf(e.Needs, e.Time))
		if err != nil || again.Time != e.Time {
			t.Fatalf("%q: %+v, then %+v, %v", word, e, again, err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack([]byte("text")))
	f.Add([]byte("x\x9c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := unpack(b)
		if err != nil {
			return
		}
		if again, err := unpack(pack([]byte(text))); err != nil || again != text {
			t.Fatalf("%q became %q, %v", text, again, err)
		}
	})
}

func TestFirstIP(t *testing.T) {
	ip := func(s string) net.Addr { return &net.IPNet{IP: net.ParseIP(s)} }
	for _, x := range []struct {
		addrs []net.Addr
		want  string
	}{
		{nil, ""},
		{[]net.Addr{ip("127.0.0.1"), ip("::1"), ip("169.254.3.4"), ip("fe80::1")}, ""},
		{[]net.Addr{ip("127.0.0.1"), ip("2001:db8::7"), ip("10.1.2.3"), ip("10.1.2.4")}, "10.1.2.3"},
		{[]net.Addr{ip("fe80::1"), ip("2001:db8::7"), ip("2001:db8::8")}, "2001:db8::7"},
		{[]net.Addr{&net.UnixAddr{}, ip("192.168.0.9")}, "192.168.0.9"},
	} {
		if got := firstIP(x.addrs); got != x.want {
			t.Errorf("of %v: %q; want %q", x.addrs, got, x.want)
		}
	}
	if got := CurrentIP(); got != "" && net.ParseIP(got) == nil {
		t.Errorf("CurrentIP: %q", got)
	}
}
