package job

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// KeyPrefix marks the text of a key that is not printable itself.
const KeyPrefix = "base64:"

// Text is the key as people and messages write it: the key itself when it is
// printable UTF-8, else "base64:" and its bytes in base64url without padding.
func (k Key) Text() string {
	if printable(string(k)) && !strings.HasPrefix(string(k), KeyPrefix) {
		return string(k)
	}
	return KeyPrefix + base64.RawURLEncoding.EncodeToString([]byte(k))
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
		}
	}
	return true
}
