package cborrpc

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/muster-queue/muster/job"
)

// Handler answers one call: it appends the result to b and returns it. params is
// what the client sent, a list (or tuple), or a map by name; it is good until the
// handler returns. An error is sent to the client as such.
type Handler func(ctx context.Context, method string, params Value, b []byte) ([]byte, error)

// request is a call as it came; what is absent is nil.
type request struct {
	id, method, params Value
}

// readRequest takes a request apart; unknown entries are ignored.
func readRequest(v Value) (r request) {
	for key, value := range v.Entries() {
		switch {
		case key.is("id"):
			r.id = value
		case key.is("method"):
			r.method = value
		case key.is("params"):
			r.params = value
		}
	}
	return r
}

// answer appends the answer to a message: of a list of requests the list of
// their answers. The error is that the message is neither; the connection cannot
// go on then, since nothing says what a client would take for the answer.
func (s *Server) answer(ctx context.Context, message []byte, b []byte) ([]byte, error) {
	v, err := Parse(message)
	if err != nil {
		return nil, err
	}
	switch {
	case v.IsMap():
		return s.answerOne(ctx, v, b), nil
	case v.head().major == majorArray && v.Len() <= maxBatch:
		b = AppendList(b, v.Len())
		for one := range v.Items() {
			b = s.answerOne(ctx, one, b)
		}
		return b, nil
	}
	return nil, job.Errorf(job.Invalid, "a message is neither a request nor a list of at most %d of them", maxBatch)
}

// maxBatch bounds the requests of one message.
const maxBatch = 10_000

// answerOne appends the answer to one request. A result is there even if it is
// null, for a client takes an answer without one for a failure.
func (s *Server) answerOne(ctx context.Context, v Value, b []byte) []byte {
	r := readRequest(v)
	start := len(b)
	b = appendID(b, r.id)
	begun := time.Now()
	result, err := s.call(ctx, v, r, AppendBytes(b, "result"))
	if err == nil && len(result) > MaxMessage {
		err = job.Errorf(job.Exhausted, "the answer takes more than %d bytes; ask for less at once", MaxMessage)
	}
	if err != nil {
		result = AppendMap(AppendBytes(b, "error"), 1)
		result = AppendString(AppendBytes(result, "message"), ascii(err.Error()))
	}
	if s.cfg.LogRequests {
		s.logRequest(r, len(v), len(result)-start, time.Since(begun), err)
	}
	return result
}

// appendID begins an answer with the id that was sent, if clients can read it.
func appendID(b []byte, id Value) []byte {
	b = AppendBytes(AppendMap(b, 2), "id")
	if clean, err := id.orNull().isClean(); err != nil || !clean {
		id = nil
	}
	return append(b, id.orNull()...)
}

func (v Value) orNull() Value {
	if len(v) == 0 {
		return Null
	}
	return v
}

// call has a request handled; a panic becomes an error, with its stack logged.
func (s *Server) call(ctx context.Context, v Value, r request, b []byte) (_ []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Logger.Error("a call to Coordinate's face panicked", "method", r.name(), "panic", p, "stack", string(debug.Stack()))
			err = job.Errorf(job.Internal, "internal error: %v", p)
		}
	}()
	if !v.IsMap() {
		return nil, job.Errorf(job.Invalid, "a request must be a map")
	}
	method, ok := r.method.orNull().Str()
	if !ok {
		return nil, job.Errorf(job.Invalid, "the request has no method, or its name is not a string")
	}
	if p := r.params.orNull(); !p.IsList() && !p.IsMap() {
		return nil, job.Errorf(job.Invalid, "don't understand params: they must be a list")
	}
	return s.cfg.Handler(ctx, method, r.params, b)
}

// name is the method's name for the log.
func (r request) name() string {
	s, _ := r.method.orNull().Str()
	return cut(s)
}

func (s *Server) logRequest(r request, in, out int, took time.Duration, err error) {
	attrs := []any{"method", r.name(), "bytes_in", in, "bytes_out", out, "took", took}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	s.cfg.Logger.Info("coordinate request", attrs...)
}

// ascii writes all but ASCII as escapes: Python 2 cannot print an exception whose
// message has anything else.
func ascii(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] >= utf8.RuneSelf && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r >= utf8.RuneSelf && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r >= utf8.RuneSelf:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
