package cborrpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// testServer answers "echo" with its parameters, "fail" with an error, "panic"
// with a panic, and "wait" when wait is closed.
func testServer(t testing.TB, wait chan struct{}) (address string, s *Server) {
	t.Helper()
	return waitServer(t, wait, make(chan struct{}, 10))
}

// waitServer also tells when somebody waits.
func waitServer(t testing.TB, wait, waiting chan struct{}) (address string, s *Server) {
	t.Helper()
	s = NewServer(Config{Handler: func(ctx context.Context, method string, params Value, b []byte) ([]byte, error) {
		switch method {
		case "echo":
			return append(b, params.orNull()...), nil
		case "null":
			return append(b, Null...), nil
		case "fail":
			return b, job.Errorf(job.Invalid, "bad: %s", "ü\xff€\U0001F600")
		case "panic":
			panic("ouch")
		case "big":
			return append(b, make([]byte, MaxMessage)...), nil
		case "wait":
			waiting <- struct{}{}
			select {
			case <-wait:
			case <-ctx.Done():
				return b, ctx.Err()
			}
			return AppendInt(b, 1), nil
		}
		return b, job.Errorf(job.NotFound, "no such method %s", method)
	}, Logger: slog.New(slog.DiscardHandler)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Stop(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String(), s
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readFrame reads one frame from a connection.
func readFrame(t testing.TB, c net.Conn) string {
	t.Helper()
	in := &reader{conn: c}
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	m, _, err := in.next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	v, err := Parse(m)
	if err != nil {
		t.Fatal(err)
	}
	return v.String()
}

// TestKnownBytes is case 105, and the bytes that were seen on the wire.
func TestKnownBytes(t *testing.T) {
	address, _ := testServer(t, nil)
	for _, c := range []struct{ name, request, answer string }{
		{"list_work_specs", "d8185825 a3 46706172616d73 81a0 426964 01 466d6574686f64 4f6c6973745f776f726b5f7370656373",
			`{b"id": 1, b"error": {b"message": "no such method list_work_specs"}}`},
		{"echo of tuples", "d8185822 a3 46706172616d73 82 4173 81d880 82 416b a1 4161 6162 426964 03 466d6574686f64 446563686f",
			`{b"id": 3, b"result": [b"s", [128([b"k", {b"a": "b"}])]]}`},
		{"empty tuple", "d818 58 1c a3 46706172616d73 d88080 426964 04 466d6574686f64 446563686f",
			`{b"id": 4, b"result": 128([])}`},
		{"text keys", "d818 58 1a a3 66706172616d73 80 626964 05 666d6574686f64 646563686f",
			`{b"id": 5, b"result": []}`},
	} {
		b := unhex(t, c.request)
		b[3] = byte(len(b) - 4)
		conn := dial(t, address)
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if got := readFrame(t, conn); got != c.answer {
			t.Errorf("%s: %s, want %s", c.name, got, c.answer)
		}
	}
}

// TestAnswers is table 1.7: what is malformed inside a frame gets an error, and
// the connection stays.
func TestAnswers(t *testing.T) {
	address, _ := testServer(t, nil)
	conn := dial(t, address)
	named := func(entries ...any) Value {
		b := AppendMap(nil, len(entries)/2)
		for i := 0; i < len(entries); i += 2 {
			b = AppendBytes(b, entries[i].(string))
			v, err := Encode(entries[i+1])
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, v...)
		}
		return b
	}
	method := []byte("echo")
	for _, c := range []struct {
		name    string
		message Value
		want    string
	}{
		{"unknown method", named("id", 7, "method", "Echo", "params", []any{}), `{b"id": 7, b"error": {b"message": "no such method Echo"}}`},
		{"no params", named("id", 7, "method", method), `{b"id": 7, b"error": {b"message": "don't understand params: they must be a list"}}`},
		{"null params", named("id", 7, "method", method, "params", nil), `{b"id": 7, b"error": {b"message": "don't understand params: they must be a list"}}`},
		{"tuple params", named("id", 7, "method", method, "params", PythonTuple{Items: []any{1}}), `{b"id": 7, b"result": 128([1])}`},
		{"map params", named("id", 7, "method", method, "params", map[string]any{"a": 1}), `{b"id": 7, b"result": {"a": 1}}`},
		{"no method", named("id", 7, "params", []any{}), `{b"id": 7, b"error": {b"message": "the request has no method, or its name is not a string"}}`},
		{"method a number", named("id", 7, "method", 3, "params", []any{}), `{b"id": 7, b"error": {b"message": "the request has no method, or its name is not a string"}}`},
		{"no id", named("method", method, "params", []any{}), `{b"id": null, b"result": []}`},
		{"negative id", named("id", -5, "method", method, "params", []any{}), `{b"id": -5, b"result": []}`},
		{"id a string", named("id", "x", "method", method, "params", []any{}), `{b"id": "x", b"result": []}`},
		{"large id", named("id", int64(1)<<40, "method", method, "params", []any{}), `{b"id": 1099511627776, b"result": []}`},
		{"id no client can read", named("id", Value{0xc9, 0x01}, "method", method, "params", []any{}), `{b"id": null, b"result": []}`},
		{"extra entries", named("x", 1, "id", 7, "method", method, "params", []any{}), `{b"id": 7, b"result": []}`},
		{"null result", named("id", 7, "method", "null", "params", []any{}), `{b"id": 7, b"result": null}`},
		{"error not ASCII", named("id", 7, "method", "fail", "params", []any{}), `{b"id": 7, b"error": {b"message": "bad: \\u00fc\\xff\\u20ac\\U0001f600"}}`},
		{"panic", named("id", 7, "method", "panic", "params", []any{}), `{b"id": 7, b"error": {b"message": "internal error: ouch"}}`},
		{"too long an answer", named("id", 7, "method", "big", "params", []any{}), `{b"id": 7, b"error": {b"message": "the answer takes more than 67108864 bytes; ask for less at once"}}`},
		{"empty batch", AppendList(nil, 0), `[]`},
		{"batch", append(append(AppendList(nil, 3), named("id", 1, "method", method, "params", []any{2})...),
			append(named("id", 2, "method", "nix", "params", []any{}), 0x03)...),
			`[{b"id": 1, b"result": [2]}, {b"id": 2, b"error": {b"message": "no such method nix"}}, {b"id": null, b"error": {b"message": "a request must be a map"}}]`},
		{"junk after it", append(named("id", 7, "method", method, "params", []any{}), 1, 2, 3), `{b"id": 7, b"result": []}`},
		{"indefinite lengths", unhex(t, "bf 426964 07 5f 426d65 44 74686f64 ff 446563686f 66 706172616d73 9f 01 ff ff"), `{b"id": 7, b"result": [1]}`},
	} {
		if _, err := conn.Write(Frame(c.message)); err != nil {
			t.Fatal(err)
		}
		if got := readFrame(t, conn); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestCloses: what breaks the framing closes its connection and no other.
func TestCloses(t *testing.T) {
	address, _ := testServer(t, nil)
	other := dial(t, address)
	for _, c := range []string{
		"ff", "a0", "d81800", "d81842 a1 01", "d81841 00", "d81842 6161", "d8185f 40 ff", "d8185bffffffffffffffff", "d8185a7fffffff", "d81942 8080",
		"474554202f20485454502f312e310d0a0d0a", "d818 44 a1 426964",
	} {
		conn := dial(t, address)
		if _, err := conn.Write(unhex(t, c)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d bytes, %v; the connection should be closed", c, n, err)
		}
	}
	if _, err := other.Write(Frame(AppendList(nil, 0))); err != nil {
		t.Fatal(err)
	}
	if got := readFrame(t, other); got != "[]" {
		t.Errorf("the other connection got %s", got)
	}
}

// TestPipelined: requests sent at once, and cut anywhere, are answered in order.
func TestPipelined(t *testing.T) {
	address, _ := testServer(t, nil)
	var all []byte
	for i := range 50 {
		m := AppendInt(AppendBytes(AppendMap(nil, 3), "id"), int64(i))
		m = AppendBytes(AppendBytes(m, "method"), "echo")
		m = AppendBytes(AppendList(AppendBytes(m, "params"), 1), strings.Repeat("x", i*i*40))
		all = append(all, Frame(m)...)
	}
	conn := dial(t, address)
	go func() {
		for i := 0; len(all) > 0; i++ {
			n := min(len(all), 1+i*i%977)
			if _, err := conn.Write(all[:n]); err != nil {
				return
			}
			all = all[n:]
		}
	}()
	in := &reader{conn: conn, large: NewServer(Config{}).large}
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for i := range 50 {
		m, release, err := in.next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if release != nil {
			release()
		}
		v, err := readAnswer(m, int64(i))
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		for param := range v.Items() {
			if s, _ := param.Str(); len(s) != i*i*40 {
				t.Errorf("answer %d has %d bytes", i, len(s))
			}
		}
	}
}

// TestClient covers the client: results, errors, large messages, cancelling.
func TestClient(t *testing.T) {
	wait := make(chan struct{})
	address, _ := testServer(t, wait)
	ctx := context.Background()
	c, err := Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	large := bytes.Repeat([]byte{7}, 3<<20)
	v, err := c.Call(ctx, "echo", "a", large, PythonTuple{Items: []any{UUID{1}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if items := got.([]any); items[0] != "a" || !bytes.Equal(items[1].([]byte), large) || items[2].(PythonTuple).Items[0] != (UUID{1}) {
		t.Errorf("got %T of another content", got)
	}
	var remote *RemoteError
	if _, err := c.Call(ctx, "nix"); !errors.As(err, &remote) || remote.Message != "no such method nix" {
		t.Errorf("nix: %v", err)
	}
	if _, err := c.Call(ctx, "echo", make(chan int)); job.KindOf(err) != job.Invalid {
		t.Errorf("a channel: %v", err)
	}
	short, cancel := context.WithCancel(ctx)
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Call(short, "wait"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Dial(ctx, "127.0.0.1:1"); job.KindOf(err) != job.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	close(wait)
}

// TestStop: silent connections are closed, calls under way are answered first.
func TestStop(t *testing.T) {
	wait, waiting := make(chan struct{}), make(chan struct{})
	address, s := waitServer(t, wait, waiting)
	ctx := context.Background()
	silent := dial(t, address)
	c, err := Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Call(ctx, "null"); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { _, err := c.Call(ctx, "wait"); answered <- err }()
	<-waiting
	stopped := make(chan struct{})
	go func() { s.Stop(ctx); close(stopped) }()
	_ = silent.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the silent connection: %v; want a reset, after which old clients connect again", err)
	}
	close(wait)
	if err := <-answered; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	<-stopped
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// TestIdle: thousands of silent connections cost little.
func TestIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("many connections")
	}
	address, s := testServer(t, nil)
	const n = 2000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for i := range conns {
		conns[i] = dial(t, address)
		if i%2 == 0 {
			wg.Go(func() {
				if _, err := conns[i].Write(Frame(AppendList(nil, 0))); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for i := 0; i < n; i += 2 {
		if got := readFrame(t, conns[i]); got != "[]" {
			t.Fatal(got)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)) / n
	t.Logf("%d bytes for each of %d connections, both ends", each, s.Connections())
	if each > 16<<10 {
		t.Errorf("%d bytes for each silent connection", each)
	}
}

func echo(_ context.Context, _ string, params Value, b []byte) ([]byte, error) {
	return append(b, params...), nil
}
