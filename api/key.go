package api

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muster-queue/muster/job"
)

// keyPrefix marks the text of a key that is not printable itself.
const keyPrefix = "base64:"

// KeyText is a key as people and messages write it: the key itself when it is
// printable UTF-8, else "base64:" and its bytes in base64url without padding.
func KeyText(k job.Key) string {
	if printable(string(k)) && !strings.HasPrefix(string(k), keyPrefix) {
		return string(k)
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString([]byte(k))
}

// ParseKey reads the form of KeyText; what it cannot read is an Invalid error.
func ParseKey(text string) (job.Key, error) {
	code, ok := strings.CutPrefix(text, keyPrefix)
	if !ok {
		return job.Key(text), nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil {
		return "", job.Errorf(job.Invalid, "key %.60q: after %q come its bytes in base64url without padding: %w", text, keyPrefix, err)
	}
	return job.Key(raw), nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return printableUnicode(s)
		}
	}
	return true
}

func printableUnicode(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
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
