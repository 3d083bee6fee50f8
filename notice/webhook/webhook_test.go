package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
)

// The signature is checked by somebody who has read no more than the specification of
// Standard Webhooks.
func TestSendSigns(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	arrived := make(chan error, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		at, _ := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
		switch {
		case r.Method != http.MethodPost || r.Header.Get("content-type") != "application/json":
			arrived <- errors.New("it is no POST of JSON")
		case r.Header.Get("webhook-id") != "msg_1" || string(body) != `{"type":"test"}`:
			arrived <- errors.New("something else arrived: " + string(body))
		case !hmac.Equal([]byte(want), []byte(r.Header.Get("webhook-signature"))):
			arrived <- errors.New("signature " + r.Header.Get("webhook-signature") + ", want " + want)
		case time.Since(time.Unix(at, 0)).Abs() > time.Minute:
			arrived <- errors.New("the time is wrong")
		default:
			arrived <- nil
		}
	}))
	defer receiver.Close()
	key, err := notice.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	m := &notice.Message{URL: receiver.URL, ID: "msg_1", Body: `{"type":"test"}`, Secret: key}
	if err := New().Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := <-arrived; err != nil {
		t.Error(err)
	}
}

func TestSendRefusals(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent elsewhere") }))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	receiver := httptest.NewServer(mux)
	defer receiver.Close()
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "not\nnow", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/else", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusPermanentRedirect) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop", http.StatusPermanentRedirect)
	})
	mux.HandleFunc("/ok", func(_ http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) != "{}" {
			t.Errorf("%s arrived", b)
		}
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for line := strings.Repeat("x", 1000); ; {
			if _, err := io.WriteString(w, line); err != nil {
				return // the sender has read enough
			}
		}
	})
	for _, c := range []struct {
		path, want string
		final      bool
		after      time.Duration
	}{
		{"/ok", "", false, 0},
		{"/moved", "", false, 0},
		{"/busy", "503 Service Unavailable: not now", false, 30 * time.Second},
		{"/gone", "410 Gone", true, 0},
		{"/else", "another place", false, 0},
		{"/get", "use status 307", false, 0},
		{"/loop", "more than 3 times", false, 0},
		{"/endless", "500 Internal Server Error: xxx", false, 0},
		{"/none", "404 Not Found", false, 0},
	} {
		err := New().Send(t.Context(), &notice.Message{URL: receiver.URL + c.path, ID: "m", Body: "{}"})
		var r *notice.Refusal
		errors.As(err, &r)
		switch {
		case c.want == "":
			if err != nil {
				t.Errorf("%s: %v", c.path, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), receiver.URL):
			t.Errorf("%s: %v, want %s", c.path, err, c.want)
		case r == nil && (c.final || c.after > 0), r != nil && (r.Final != c.final || r.After != c.after):
			t.Errorf("%s: %+v", c.path, r)
		}
	}
}

func TestSendHangs(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer receiver.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New().Send(ctx, &notice.Message{URL: receiver.URL, Body: "{}"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Where a cloud keeps the secrets of its machines, nothing is sent.
func TestSendNowhere(t *testing.T) {
	t.Setenv("HTTP_PROXY", "")
	for _, url := range []string{"http://169.254.169.254/latest", "http://[fe80::1%25lo]/", "http://0.0.0.0:1/", "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/"} {
		if err := New().Send(t.Context(), &notice.Message{URL: url, Body: "{}"}); !job.IsKind(err, job.Denied) && (err == nil || !strings.Contains(err.Error(), "refused")) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
