// Package webhook sends news to URLs, as Standard Webhooks has it: a POST with an id,
// a time and a signature in its headers. Package server gives it to the engine, which
// says when, and what to try again.
package webhook

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
)

// Sender sends messages. It may be used from any goroutine.
type Sender struct{ client *http.Client }

// Bounds of one exchange.
const (
	timeout      = 10 * time.Second
	maxAnswer    = 64 << 10
	shownAnswer  = 200
	maxRedirects = 3
	longestAfter = time.Hour
)

// New makes a sender.
func New() *Sender {
	dialer := &net.Dialer{Timeout: timeout, Control: control}
	return &Sender{client: &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: timeout,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer, ForceAttemptHTTP2: true,
		},
		CheckRedirect: checkRedirect,
	}}
}

// Close lets connections go that nobody uses.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// control refuses the addresses that notice.CheckAddress does, whatever name led there.
func control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return job.Errorf(job.Invalid, "%s is no address", address)
	}
	return notice.CheckAddress(a.Addr())
}

// checkRedirect follows a redirection only to the same host, by which the message is
// still sent.
func checkRedirect(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return job.Errorf(job.Unavailable, "redirected more than %d times", maxRedirects)
	case r.URL.Host != first.Host || r.URL.Scheme != first.Scheme:
		return job.Errorf(job.Denied, "redirected to %s://%s, which is another place; it is not followed", r.URL.Scheme, r.URL.Host)
	case r.Method != http.MethodPost:
		return job.Errorf(job.Denied, "redirected to where the message is not to be sent; use status 307 or 308")
	}
	return nil
}

// Send sends a message once. The error is nil for an answer of status 2xx; what the
// receiver says beyond that is in a notice.Refusal.
func (s *Sender) Send(ctx context.Context, m *notice.Message) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, strings.NewReader(m.Body))
	if err != nil {
		return job.Errorf(job.Invalid, "%w", err)
	}
	now := time.Now()
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"muster"},
		"Webhook-Id": {m.ID}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)},
	}
	if len(m.Secret) > 0 {
		r.Header.Set("Webhook-Signature", notice.Sign(m.Secret, m.ID, now, m.Body))
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return job.Errorf(job.Unavailable, "%w", withoutURL(err))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode/100 == 2 {
		return nil // it has it, whatever is wrong with the rest of what it says
	}
	if err != nil {
		text = nil
	}
	return refusal(answer, text)
}

// withoutURL leaves out the URL, in which there may be a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func refusal(answer *http.Response, text []byte) error {
	said := strings.Join(strings.Fields(strings.ToValidUTF8(string(text[:min(len(text), shownAnswer)]), "")), " ")
	if said != "" {
		said = ": " + said
	}
	refused := &notice.Refusal{
		Err:   job.Errorf(job.Unavailable, "the receiver answered %s%s", answer.Status, said),
		Final: answer.StatusCode == http.StatusGone,
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		refused.After = min(time.Duration(seconds)*time.Second, longestAfter)
	}
	return refused
}
