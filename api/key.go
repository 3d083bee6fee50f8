package api

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/muster-queue/muster/job"
)

// KeyText is a key as people and messages write it; see job.Key.Text.
func KeyText(k job.Key) string { return k.Text() }

// ParseKey reads the form of KeyText; what it cannot read is an Invalid error.
func ParseKey(text string) (job.Key, error) {
	code, ok := strings.CutPrefix(text, job.KeyPrefix)
	if !ok {
		return job.Key(text), nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil {
		return "", job.Errorf(job.Invalid, "key %.60q: after %q come its bytes in base64url without padding: %w", text, job.KeyPrefix, err)
	}
	return job.Key(raw), nil
}

// ID is the id a job is shown with: the digest of its queue and key in
// hexadecimal.
func ID(d job.Digest) string { return hex.EncodeToString(d[:]) }

// ParseID reads the form of ID; anything else is an Invalid error.
func ParseID(id string) (job.Digest, error) {
	var d job.Digest
	if len(id) != 2*len(d) {
		return d, job.Errorf(job.Invalid, "id %.60q: an id has %d hexadecimal digits", id, 2*len(d))
	}
	if _, err := hex.Decode(d[:], []byte(id)); err != nil {
		return d, job.Errorf(job.Invalid, "id %.60q: an id has hexadecimal digits only", id)
	}
	return d, nil
}
