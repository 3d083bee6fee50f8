package server

import (
	"encoding/base64"
	"strings"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Pages of names (of queues, groups, workers, namespaces) go on after a name.
// Their tokens are opaque to clients: a format letter, the listing they belong
// to, and the name, in base64.
const pageFormat = "a"

// maxToken bounds a token.
const maxToken = 8 << 10

// pageOf reads which page of a listing is asked for.
func pageOf(listing, token string, size int32) (after string, limit int, err error) {
	switch {
	case size < 0 || size > engine.MaxPage:
		return "", 0, job.Errorf(job.Invalid, "page_size: %d; it must be between 0 and %d", size, engine.MaxPage)
	case size == 0:
		size = 100
	}
	if token == "" {
		return "", int(size), nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	head, name, ok := strings.Cut(string(b), "\x00")
	if err != nil || len(token) > maxToken || !ok || name == "" {
		return "", 0, job.Errorf(job.Invalid, "page_token: not one that this server gave out")
	}
	if head != pageFormat+listing {
		return "", 0, job.Errorf(job.Invalid, "page_token: it belongs to another listing; begin again without it")
	}
	return name, int(size), nil
}

// nextPage is the token of the page after a name; no name means no more pages.
func nextPage(listing, after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(pageFormat + listing + "\x00" + after))
}
