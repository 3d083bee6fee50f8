package engine

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/muster-queue/muster/job"
)

// pageToken is where the next page of a listing begins. People and clients see
// it as an opaque word; it is only good for the filter it was made for.
type pageToken struct {
	Live   bool    `cbor:"1,keyasint,omitempty"`
	Seq    job.Seq `cbor:"2,keyasint,omitempty"`
	End    uint64  `cbor:"3,keyasint,omitempty"`
	Filter uint64  `cbor:"4,keyasint,omitempty"`
}

// String is the token's word.
func (t *pageToken) String() string {
	b, err := job.Encode(nil, t)
	if err != nil {
		panic(err) // four numbers
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// maxToken bounds a token's word.
const maxToken = 128

func parseToken(word string, f *Filter) (pageToken, error) {
	if word == "" {
		return pageToken{Live: true}, nil
	}
	var t pageToken
	b, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil || len(word) > maxToken || job.Decode(b, &t) != nil {
		return t, job.Errorf(job.Invalid, "page_token: not one that this server gave out")
	}
	if t.Filter != f.hash() {
		return t, job.Errorf(job.Invalid, "page_token: it belongs to a listing with another filter; begin again without it")
	}
	return t, nil
}

// hash tells filters apart.
func (f *Filter) hash() uint64 {
	b, err := job.Encode(nil, f)
	if err != nil {
		panic(err) // strings and numbers
	}
	sum := sha256.Sum256(b)
	var h uint64
	for _, x := range sum[:8] {
		h = h<<8 | uint64(x)
	}
	return h
}
