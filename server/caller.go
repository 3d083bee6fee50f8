package server

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/tap"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

type callerKey struct{}

// call is who calls, and for a stream what ends it. The context of an admitted
// call has one.
type call struct {
	*token.Holder
	// lent is set when the token is lent to an attempt.
	lent *token.Lent
	// cancel ends the stream's context.
	cancel context.CancelCauseFunc
	// drop releases the timer of a token that expires.
	drop context.CancelFunc
}

func callOf(ctx context.Context) *call { return ctx.Value(callerKey{}).(*call) }

// callerOf is who calls. Every method that needs a token has one.
func callerOf(ctx context.Context) *token.Holder { return callOf(ctx).Holder }

// admit finds out who calls a method, and whether they may, from the head of a
// request: nothing of its body is read for somebody unknown. The context it
// returns is that of the stream, which the server can end by it.
func (s *Server) admit(ctx context.Context, info *tap.Info) (context.Context, error) {
	if public[info.FullMethodName] {
		return ctx, nil
	}
	c, err := s.callerBy(bearer(info.Header.Get("authorization")))
	if err == nil {
		err = allow(info.FullMethodName, &c.Token)
	}
	if err == nil {
		err = s.rates.take(c.ID)
	}
	if err != nil {
		return ctx, api.Status(err)
	}
	if s.streaming[info.FullMethodName] {
		ctx, c.cancel = context.WithCancelCause(ctx)
		if !c.Expires.IsZero() {
			ctx, c.drop = context.WithDeadlineCause(ctx, c.Expires, errExpired)
		}
	}
	return context.WithValue(ctx, callerKey{}, c), nil
}

// callerBy finds out whose a token is. Whether the attempt that it may be lent to is
// still held is asked later (lentStill): here nothing may wait for the engine.
func (s *Server) callerBy(secret string) (*call, error) {
	if !token.IsLent(secret) {
		h, err := s.tokens.Check(secret, time.Now())
		return &call{Holder: h}, err
	}
	lent, err := s.lender.Check(secret)
	if err != nil {
		return nil, err
	}
	return &call{Holder: lent.Holder(), lent: lent}, nil
}

var errExpired = job.Errorf(job.Unauthenticated, "the token expired; ask for a new one")

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

// who is the caller as the log names whoever changed something: by the name of the
// token, which others may have too, and its id.
func who(ctx context.Context) string {
	c := callerOf(ctx)
	if c.Name == "" {
		return c.ID
	}
	return c.Name + " (" + c.ID + ")"
}

// audited is the context with the caller's name for the log.
func audited(ctx context.Context) context.Context { return engine.By(ctx, who(ctx)) }

// payable refuses to let another pay than was said before, unless it is the account
// that the caller's token is for, if it is for one.
func payable(ctx context.Context, was, account string) error {
	own := callerOf(ctx).Account
	if own == "" || account == was || account == own {
		return nil
	}
	return job.Errorf(job.Denied, "account %.60q: the token is for account %s", account, own)
}

// wholeServer refuses callers whose token is for one namespace.
func wholeServer(ctx context.Context) error {
	if own := callerOf(ctx).Namespace; own != "" {
		return job.Errorf(job.Denied, "the token is for namespace %s only; this concerns the whole server", own)
	}
	return nil
}
