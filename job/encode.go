package job

import (
	"bytes"

	"github.com/fxamacker/cbor/v2"
)

// Stored descriptions and documents begin with a format byte, so that a later
// release can tell old ones; format 1 is CBOR with integer keys.
const formatCBOR = 1

var (
	encMode = must(cbor.EncOptions{Time: cbor.TimeUnixMicro}.UserBufferEncMode())
	// Command lines, file names and keys are bytes to the system, UTF-8 or not.
	decMode = must(cbor.DecOptions{MaxArrayElements: 1 << 20, MaxNestedLevels: 64, UTF8: cbor.UTF8DecodeInvalid}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Encode appends the stored form of v (a Job, an Attempt, any row) to b.
func Encode(b []byte, v any) ([]byte, error) {
	p := newPairs(append(b, formatCBOR))
	switch v := v.(type) {
	case *Job:
		v.pairs(&p)
	case *Attempt:
		v.pairs(&p)
	default:
		return encodeAny(b, v)
	}
	if encoded, ok := p.end(); ok {
		return encoded, nil
	}
	return encodeAny(b, v)
}

// encodeAny is Encode for values of any type.
func encodeAny(b []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(append(b, formatCBOR))
	if err := encMode.MarshalToBuffer(v, buf); err != nil {
		return nil, Errorf(Internal, "encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

// Decode reads the stored form of v; an unknown format is a Damaged error.
func Decode(b []byte, v any) error {
	if len(b) == 0 || b[0] != formatCBOR {
		return Errorf(Damaged, "decode %T: unknown record format; was it written by a newer release?", v)
	}
	if err := decMode.Unmarshal(b[1:], v); err != nil {
		return Errorf(Damaged, "decode %T: %w", v, err)
	}
	return nil
}
