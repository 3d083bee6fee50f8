package server

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

type callerKey struct{}

// withCaller notes who calls.
func withCaller(ctx context.Context, h *token.Holder) context.Context {
	return context.WithValue(ctx, callerKey{}, h)
}

// callerOf is who calls. Every method that needs a token has one.
func callerOf(ctx context.Context) *token.Holder {
	return ctx.Value(callerKey{}).(*token.Holder)
}

// authenticate finds out who calls a method, and whether they may.
func (s *Server) authenticate(ctx context.Context, method string) (*token.Holder, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	h, err := s.tokens.Check(bearer(md.Get("authorization")), time.Now())
	if err != nil {
		return nil, err
	}
	if err := allow(method, &h.Token); err != nil {
		return nil, err
	}
	return h, s.rates.take(h.ID)
}

// bearer is the token of an Authorization header; another scheme has none.
func bearer(values []string) string {
	if len(values) != 1 {
		return ""
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// scope is the namespace a caller means: the one named, else that of a token
// that is good for one only, else the default. Another than the token's is denied.
func scope(ctx context.Context, name string) (string, error) {
	own := callerOf(ctx).Namespace
	switch {
	case own == "" && name == "":
		return job.DefaultNamespace, nil
	case own == "" || own == name:
		return name, nil
	case name == "":
		return own, nil
	}
	return "", job.Errorf(job.Denied, "the token is for namespace %s; %.60q is another", own, name)
}

// wholeServer refuses callers whose token is for one namespace.
func wholeServer(ctx context.Context) error {
	if own := callerOf(ctx).Namespace; own != "" {
		return job.Errorf(job.Denied, "the token is for namespace %s only; this concerns the whole server", own)
	}
	return nil
}
